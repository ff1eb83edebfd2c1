"""Hosts that requests may reach without being recorded or replayed (`allow_hosts`)."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from urllib.parse import urlsplit

from harness.errors import HarnessError

LOCAL = "localhost"
"""The pattern for this machine: `localhost`, its subdomains and all loopback addresses."""
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class AllowedHosts:
    """The hosts that requests may reach.

    Attributes:
        patterns: Host names, with wildcards as in `fnmatch`; each may end with `:port`.
        reached: The allowed hosts, other than this machine, to which requests or connections were
            made so far; each once.

    Raises:
        HarnessError: A pattern is not a valid host.
    """

    patterns: tuple[str, ...] = ()
    reached: list[str] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        for pattern in self.patterns:
            if not pattern or set(pattern) & set("/@ ") or not _split(pattern)[0].strip("*"):
                raise HarnessError(
                    f"allow_hosts: {pattern!r} is not a valid host; expected for example "
                    "'localhost', 'db.example.com', '*.example.com' or 'localhost:8080'"
                )

    def admits_request(self, uri: str) -> bool:
        """Return whether a request to *uri* is allowed; if it is, add its host to `reached`."""
        return bool(self.patterns) and self.admits_connection(*host_of(uri), ())

    def admits_connection(self, host: str, port: int, names: Iterable[str]) -> bool:
        """Return whether a connection is allowed; if it is, add its host to `reached`.

        Args:
            host: The host name or IP address to connect to.
            port: The port.
            names: Host names that were resolved to this address. The connection is allowed if
                *host* or one of them is.
        """
        if not any(self.has(name, port) for name in (host, *names)):
            return False
        if not is_local(host) and host not in self.reached:
            self.reached.append(host)
        return True

    def has(self, host: str, port: int | None) -> bool:
        """Return whether *host* is allowed at *port*; with None, at any port."""
        return any(_matches(host.lower().rstrip("."), port, pattern) for pattern in self.patterns)


class AnyHost(AllowedHosts):
    """A substitute for `AllowedHosts` that allows every host, and still fills `reached`."""

    def admits_request(self, uri: str) -> bool:
        """Return True, since every host is allowed, and add the host of *uri* to `reached`."""
        return self.admits_connection(urlsplit(uri).hostname or "", 0, ())

    def has(self, host: str, port: int | None) -> bool:
        """Return True, since every host is allowed at any port."""
        return True


class LateHosts(AllowedHosts):
    """Allowed hosts whose patterns are not read until they are needed.

    The argument *find* is a function that returns the patterns; it is called once, on first use.
    """

    def __init__(self, find: Callable[[], tuple[str, ...]]) -> None:
        super().__init__()
        del self.__dict__["patterns"]
        self.__dict__["_find"] = find

    @cached_property
    def patterns(self) -> tuple[str, ...]:
        """The patterns of the allowed hosts, as the function *find* returned them."""
        found: tuple[str, ...] = self.__dict__["_find"]()
        return found


NO_HOSTS = AllowedHosts()


def host_of(uri: str) -> tuple[str, int]:
    """Return (host, port) of a URI; the port is 0 if it is not known.

    Raises:
        ValueError: The URI is not valid.
    """
    parts = urlsplit(uri)
    return parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)


def _matches(host: str, port: int | None, pattern: str) -> bool:
    name, only_port = _split(pattern.lower())
    if only_port and port is not None and only_port != str(port):
        return False
    return fnmatchcase(host, name) or (name == LOCAL and is_local(host))


def _split(pattern: str) -> tuple[str, str]:
    """Return (host, port) of a pattern; the port is empty if the pattern has none."""
    host, colon, port = pattern.rpartition(":")
    if not colon or not port.isdecimal() or (":" in host and not host.endswith("]")):
        return pattern.strip("[]"), ""  # an IPv6 address has colons of its own
    return host.strip("[]"), port


def is_local(host: str) -> bool:
    """Return whether a name or an IP address is this machine."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == LOCAL or host.endswith(f".{LOCAL}")
    return address.is_loopback or address.is_unspecified
