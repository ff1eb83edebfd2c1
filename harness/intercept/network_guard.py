"""The guard of the network: connections that bypass recording and replay are refused.

Python reports connections, datagrams and name look-ups of all threads to an audit hook (PEP 578).
The hook is installed with the first block and stays, since Python cannot remove it; while no block
is open, it returns at once. What has no event is patched: data on a connection that was opened
before the block. Child processes and C libraries cannot be refused, and are counted instead.
"""

from __future__ import annotations

import os
import socket
import ssl
import stat
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from harness.config.hosts import LOCAL, is_local
from harness.errors import ConnectionBlocked
from harness.intercept.context import (
    Block,
    Patch,
    blocks_here,
    deferred_request,
    in_passthrough,
    open_blocks,
    passthrough,
    refuse,
)

resolved_names: defaultdict[str, set[str]] = defaultdict(set)
"""The host names that were resolved to each IP address while any block was open."""

_UNIX = getattr(socket, "AF_UNIX", None)
_KERNEL = {getattr(socket, name, None) for name in ("AF_NETLINK", "AF_ALG")}
"""Families of sockets that only talk to the kernel."""

# --------------------------------------------------------------------------------- checks


def check_address(family: int, address: Any) -> None:
    """Raise ConnectionBlocked for a connection or datagram to *address*, if it is not allowed.

    Do nothing while a request that is recorded is being sent. *family* is the address family of the
    socket.
    """
    if family in _KERNEL:
        return
    if family == _UNIX:
        path = address.decode(errors="replace") if isinstance(address, bytes) else str(address)
        if "/pymp-" not in path:  # where multiprocessing has the sockets of its own processes
            _check((LOCAL,), path, 0, f"the Unix socket {path}")
    else:
        host, port = (*address, 0)[:2] if isinstance(address, tuple) else (str(address), 0)
        check_host(str(host), port)


def check_host(host: str, port: Any) -> None:
    """Raise ConnectionBlocked for a connection to *host* at *port*, unless it is allowed.

    Connections that are made to record a request are never blocked.
    """
    _check(resolved_names.get(host, ()), host, port, f"{host}:{port}")


def check_name(host: Any, port: Any = "any port") -> None:
    """Raise ConnectionBlocked for the look-up of a host name, unless the host is allowed.

    Look-ups that are made to record a request are never blocked. *port* is for the message.
    """
    name = _text(host)
    if not any(block.hosts.has(name, None) for block in blocks_here()):
        _refuse(f"{name}:{port}")


def _check(names: Any, host: str, port: int, target: str) -> None:
    if not any(block.hosts.admits_connection(host, port, names) for block in blocks_here()):
        _refuse(target)


def _refuse(target: str) -> None:
    """Raise ConnectionBlocked, unless the context is sending a request that is recorded."""
    if in_passthrough():
        return
    deferred = deferred_request()
    if deferred is not None:
        deferred.intercept()
        return
    cure = "".join({block.hint for block in blocks_here()}) or "; allow it with allow_hosts"
    refuse(
        ConnectionBlocked(
            f"a connection to {target} was opened past the tape: only requests made with httpx, "
            f"httpx2, requests, urllib3, aiohttp or http.client are recorded and replayed{cure}"
        )
    )


def _text(host: Any) -> str:
    """Return a host name as text; `localhost` if *host* is None or empty."""
    return host.decode("latin-1") if isinstance(host, bytes) else str(host or LOCAL)


def count_child(*_: Any, **__: Any) -> None:
    """Add 1 to the child processes of the current block; the arguments are ignored.

    A child process is not refused, and what it does is not seen.
    """
    for block in blocks_here():
        block.children += 1


def _on_program(arguments: tuple[Any, ...]) -> None:
    """Count a child process, whose program is the first argument, and note the program's name."""
    is_named = isinstance(arguments[0], str | bytes | os.PathLike)  # it may be None on Windows
    name = os.path.basename(os.fsdecode(arguments[0])) if is_named else ""
    if name in _OFFLINE:
        return
    count_child()
    for block in blocks_here() if name else ():
        block.programs.add(name)


_OFFLINE = frozenset({"uname", "lsb_release"})
"""Programs that SDKs start to name the platform in a header; they do not use the network."""


class Unwatched(NamedTuple):
    """The child processes and C libraries that could reach the network unseen.

    Attributes:
        children: The number of child processes that were started.
        programs: The names of their programs, as far as they are known.
        libraries: The names of loaded C libraries that open connections themselves.
    """

    children: int
    programs: tuple[str, ...]
    libraries: tuple[str, ...]


def loaded_libraries() -> tuple[str, ...]:
    """Return the names of the imported C libraries that open connections themselves."""
    return tuple(name for name in _C_LIBRARIES if name in sys.modules)


_C_LIBRARIES = (
    *("curl_cffi", "grpc", "primp", "pycares", "pycurl", "rnet", "tls_client", "wreq", "zmq"),
    *("confluent_kafka", "MySQLdb", "psycopg2", "psycopg_binary", "psycopg_c", "pymssql"),
)
"""The import names of libraries whose connections Python does not see."""

# ----------------------------------------------------------------------------- audit events


def _on_connect(arguments: tuple[Any, ...]) -> None:
    connection, address = arguments[:2]
    check_address(connection.family, address)
    if isinstance(connection, socket.socket):
        _opened_in[connection] = blocks_here()


def _on_datagram(arguments: tuple[Any, ...]) -> None:
    connection, address = arguments[:2]
    if address is not None:  # it is None for a connected socket
        check_address(connection.family, address)


def _on_getaddrinfo(arguments: tuple[Any, ...]) -> None:
    host, port = arguments[:2]
    if host:  # without a host there is nothing to look up
        check_name(host, port)


def _on_name(arguments: tuple[Any, ...]) -> None:
    name = arguments[0]
    host = _text(name[0] if isinstance(name, tuple) else name)
    if not is_local(host) and host != socket.gethostname():  # looked up without a network
        check_name(host)


def _on_symbol(arguments: tuple[Any, ...]) -> None:
    if str(arguments[1]).lstrip("_") in _C_FUNCTIONS:
        _refuse(f"any address by the C function {arguments[1]}")


_C_FUNCTIONS = frozenset(
    {"connect", "send", "sendto", "sendmsg", "sendmmsg", "getaddrinfo", "getaddrinfo_a"}
    | {"gethostbyname", "gethostbyname2", "gethostbyaddr", "getnameinfo", "res_query", "res_search"}
)
"""The functions of the C library that ctypes may not look up."""

_EVENTS: Mapping[str, Callable[[tuple[Any, ...]], None]] = {
    "socket.connect": _on_connect,
    "socket.sendto": _on_datagram,
    "socket.sendmsg": _on_datagram,
    "socket.getaddrinfo": _on_getaddrinfo,
    "socket.gethostbyname": _on_name,
    "socket.gethostbyaddr": _on_name,
    "socket.getnameinfo": _on_name,
    "ctypes.dlsym": _on_symbol,
    "subprocess.Popen": _on_program,
    "os.fork": count_child,
    "os.forkpty": count_child,
    "os.posix_spawn": _on_program,
    "os.system": count_child,
    "cpython.PyInterpreterState_New": count_child,
}


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if open_blocks and event in _EVENTS:
        _EVENTS[event](arguments)


class _Hook:
    """The audit hook of this process, which can be installed once and never removed."""

    is_installed = False

    def install(self) -> None:
        """Install the audit hook, unless it is installed."""
        if not self.is_installed:
            sys.addaudithook(_audit)
            self.is_installed = True


hook = _Hook()

# ---------------------------------------------------------------------------------- patches


def patches() -> Iterator[Patch]:
    """Yield the patches of functions that look up names, accept connections or send data.

    They store the addresses that look-ups of allowed hosts return and the connections that were
    accepted, and refuse data on a connection that was opened before the block.
    """
    yield socket, "getaddrinfo", _wrap_lookup
    for name in ("gethostbyname", "gethostbyname_ex"):
        yield socket, name, _wrap_lookup
    yield socket.socket, "accept", _wrap_accept
    for name in ("send", "sendall", "sendmsg", "sendto"):
        if hasattr(socket.socket, name):
            yield socket.socket, name, _wrap_send
    for name in ("send", "sendall", "write"):
        yield ssl.SSLSocket, name, _wrap_send
    for module in (os, sys.modules[os.name]):  # posix has the functions that os names
        for name, position in _WRITES.items():
            if hasattr(module, name):
                yield module, name, partial(_wrap_write, position)


def _wrap_lookup(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a look-up to note the names of addresses, for `allow_hosts`."""

    def look_up(host: Any, *args: Any, **options: Any) -> Any:
        if not any(block.hosts.has(_text(host), None) for block in blocks_here()):
            return original(host, *args, **options)
        with passthrough():
            found = original(host, *args, **options)
        note_names(_text(host), found)
        return found

    return look_up


def note_names(host: str, found: Any) -> None:
    """Store that *host* has the addresses in *found*, so that `allow_hosts` admits these too.

    *found* is what `getaddrinfo`, `gethostbyname` or `gethostbyname_ex` returned.
    """
    if isinstance(found, str):  # gethostbyname
        addresses = [found]
    elif isinstance(found, tuple):  # gethostbyname_ex
        addresses = found[2]
    else:
        addresses = [str(address[0]) for *_, address in found]
    for address in addresses:
        resolved_names[address].add(host)


def _wrap_accept(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap `accept` to note the connections that others opened; the system is slow to tell."""

    def accept(self: socket.socket) -> Any:
        connection, address = original(self)
        _outgoing[connection] = False
        return connection, address

    return accept


def _wrap_send(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a method that sends data, to refuse it on a connection from before the block."""

    def send(self: socket.socket, *args: Any, **options: Any) -> Any:
        if not open_blocks or in_passthrough():
            return original(self, *args, **options)
        deferred = deferred_request()
        if deferred is not None and self.family != _UNIX:  # an event loop wakes itself by Unix ones
            deferred.intercept()
        elif _is_older(self):
            _check_older(self, sys._getframe(1))
        return original(self, *args, **options)

    return send


_WRITES = {"write": 0, "writev": 0, "sendfile": 0, "splice": 1}
"""The functions of `os` that write to any descriptor, and the position of that argument."""


def _wrap_write(position: int, original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a function of `os`, to refuse data on a connection from before the block."""

    def write(*args: Any, **options: Any) -> Any:
        if open_blocks and not in_passthrough() and position < len(args):
            _check_descriptor(args[position], sys._getframe(1))
        return original(*args, **options)

    return write


def _check_descriptor(descriptor: Any, frame: FrameType) -> None:
    """Raise ConnectionBlocked if *descriptor* is a connection from before the block."""
    try:
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            return
        with socket.socket(fileno=os.dup(descriptor)) as connection:
            if _is_older(connection):
                _check_older(connection, frame)
    except (OSError, TypeError):  # what is no descriptor is the error of the original function
        return


def _check_older(connection: socket.socket, frame: FrameType) -> None:
    """Raise ConnectionBlocked if *frame* may not send on a connection from before the block."""
    caller = str(frame.f_globals.get("__name__", "")).partition(".")[0]
    if caller not in _TEST_TOOLS and not _ends_connection(frame):
        check_address(connection.family, connection.getpeername())


_TEST_TOOLS = frozenset(
    {"_pytest", "execnet", "xdist", "pytest_rerunfailures", "multiprocessing"}
    | {"debugpy", "pydevd", "_pydevd_bundle", "_pydev_bundle"}
)
"""Packages with connections of their own between the processes of a test run or a debugger."""
_opened_in: WeakKeyDictionary[socket.socket, Sequence[Block]] = WeakKeyDictionary()
"""The blocks in which each socket was allowed to connect."""
_outgoing: WeakKeyDictionary[socket.socket, bool] = WeakKeyDictionary()


def _is_older(connection: socket.socket) -> bool:
    """Return whether this process opened a connection in none of the blocks that are open now."""
    is_allowed = any(block.owners for block in _opened_in.get(connection, ()))
    return not is_allowed and _is_outgoing(connection)


def _ends_connection(frame: FrameType | None) -> bool:
    """Return whether asyncio sends the last message of a TLS connection, which holds no data."""
    while frame is not None and frame.f_globals.get("__name__", "").startswith("asyncio."):
        if frame.f_code.co_name == "_do_shutdown":
            return True
        frame = frame.f_back
    return False


def _is_outgoing(connection: socket.socket) -> bool:
    """Return whether this side of a connection opened it; False if it is not connected.

    Of connections from before the block, only Linux tells which ones were accepted.
    """
    if sys.platform != "linux":
        return False
    known = _outgoing.get(connection)
    if known is None:
        try:
            peer, own = connection.getpeername(), connection.getsockname()
        except OSError:
            return False
        if connection.family == _UNIX:
            known = bool(peer)  # an accepted connection and a socket pair have no name there
        elif connection.family not in (socket.AF_INET, socket.AF_INET6):
            known = False
        else:
            is_stream = connection.type == socket.SOCK_STREAM
            known = not (is_stream and own[1] in _listening_ports())
        _outgoing[connection] = known
    return known


def _listening_ports() -> set[int]:
    """Return the local TCP ports at which a socket listens: accepted connections have them too."""
    ports = set()
    for path in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        lines = path.read_text().splitlines()[1:] if path.exists() else []
        fields = (line.split() for line in lines)
        ports |= {int(field[1].rpartition(":")[2], 16) for field in fields if field[3] == "0A"}
    return ports
