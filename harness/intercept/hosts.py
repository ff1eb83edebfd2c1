"""Hosts that the caller allowed to be reached directly, neither recorded nor replayed."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from harness.errors import HarnessError

LOCAL = "localhost"
"""Allows this machine, by whatever name or loopback address it is called."""
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Hosts:
    """Hosts that are allowed: `name`, `*.name` or `name:port`, as fnmatch reads them.

    `reached` are those outside this machine that something was sent to, in the order it was.
    Raises HarnessError for what is no host.
    """

    patterns: tuple[str, ...] = ()
    reached: list[str] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        for pattern in self.patterns:
            if not pattern or set(pattern) & set("/@ ") or not _port(pattern)[1].strip("*"):
                raise HarnessError(
                    f"allow_hosts: {pattern!r} is no host; allowed are the likes of "
                    "'localhost', 'db.example.com', '*.example.com' and 'localhost:8080'"
                )

    def pass_request(self, uri: str) -> bool:
        """Whether a request to `uri` goes past the tape; notes where it goes."""
        if not self.patterns:
            return False
        parts = urlsplit(uri)
        host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
        return self.pass_connection(host, port, ())

    def pass_connection(self, host: str, port: int, names: Iterable[str]) -> bool:
        """The same for a connection to `host`, an address that `names` were looked up to be."""
        if not any(self.has(name, port) for name in (host, *names)):
            return False
        if not is_local(host) and host not in self.reached:
            self.reached.append(host)
        return True

    def has(self, host: str, port: int | None) -> bool:
        """Whether a host is allowed; without `port`, at any of its ports."""
        return any(_fits(host.lower().rstrip("."), port, pattern) for pattern in self.patterns)


NO_HOSTS = Hosts()


def _fits(host: str, port: int | None, pattern: str) -> bool:
    at, name = _port(pattern.lower())
    if at and port is not None and at != str(port):
        return False
    return fnmatchcase(host, name) or (name == LOCAL and is_local(host))


def _port(pattern: str) -> tuple[str, str]:
    """The port a pattern names, or an empty text; and the rest of it."""
    host, colon, port = pattern.rpartition(":")
    if not colon or not port.isdecimal() or (":" in host and not host.endswith("]")):
        return "", pattern.strip("[]")  # an IPv6 address has colons of its own
    return port, host.strip("[]")


def is_local(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == LOCAL or host.endswith(f".{LOCAL}")
    return address.is_loopback or address.is_unspecified
