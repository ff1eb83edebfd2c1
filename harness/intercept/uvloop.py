"""The patches of uvloop, to check its connections and count its child processes.

It opens sockets and starts processes without Python's audit events (PEP 578).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from harness.intercept.context import Patch
from harness.intercept.network_guard import (
    check_address,
    check_host,
    check_name,
    count_child,
    note_names,
)


def patches(library: ModuleType) -> Iterator[Patch]:
    """Yield the patches of *library*, the imported module `uvloop`."""
    for name, check in _CHECKS.items():
        yield library.Loop, name, _checking(check)
    yield library.Loop, "getaddrinfo", _wrap_getaddrinfo


def _checking(check: Callable[..., None]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        async def method(self: Any, *args: Any, **options: Any) -> Any:
            check(*args, **options)
            return await original(self, *args, **options)

        return method

    return wrap


def _check_connection(_: Any, host: Any = None, port: Any = None, **__: Any) -> None:
    if host is not None:  # otherwise with a socket that is connected
        check_host(str(host), port)


def _check_unix(_: Any, path: Any = None, **__: Any) -> None:
    if path is not None:
        import socket

        check_address(socket.AF_UNIX, path)


def _check_datagrams(_: Any, local_addr: Any = None, remote_addr: Any = None, **__: Any) -> None:
    check_host(*(remote_addr or ("any host", 0))[:2])


def _check_name(address: Any, *_: Any) -> None:
    check_name(address[0])


_CHECKS: dict[str, Callable[..., None]] = {
    "create_connection": _check_connection,
    "create_unix_connection": _check_unix,
    "create_datagram_endpoint": _check_datagrams,
    "getnameinfo": _check_name,
    "subprocess_exec": count_child,
    "subprocess_shell": count_child,
}


def _wrap_getaddrinfo(original: Callable[..., Any]) -> Callable[..., Any]:
    async def getaddrinfo(self: Any, host: Any, port: Any, **options: Any) -> Any:
        if host:
            check_name(host, port)
        found = await original(self, host, port, **options)
        note_names(str(host or ""), found)
        return found

    return getaddrinfo
