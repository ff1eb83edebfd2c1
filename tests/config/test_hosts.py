"""Patterns of allowed hosts."""

from __future__ import annotations

import pytest

from harness.config.hosts import AllowedHosts, LateHosts


@pytest.mark.parametrize(
    ("pattern", "host", "port", "is_allowed"),
    [
        ("localhost", "localhost", 1, True),
        ("localhost", "127.0.0.1", 1, True),
        ("localhost", "::1", 1, True),
        ("localhost", "0.0.0.0", 1, True),  # noqa: S104 - asked, not bound
        ("localhost", "app.localhost", 1, True),
        ("localhost", "localhost.example.com", 1, False),
        ("localhost:80", "127.0.0.1", 80, True),
        ("localhost:80", "127.0.0.1", 81, False),
        ("localhost:80", "127.0.0.1", None, True),
        ("127.0.0.1", "localhost", 1, False),
        ("DB.example.com", "db.EXAMPLE.com.", 1, True),
        ("*.example.com", "a.b.example.com", 1, True),
        ("*.example.com", "example.com", 1, False),
        ("*.example.com:443", "a.example.com", 443, True),
        ("*.example.com:443", "a.example.com", 80, False),
        ("example.com", "example.com.evil.org", 1, False),
        ("::1", "::1", 1, True),
        ("[::1]:80", "::1", 80, True),
        ("[::1]:80", "::1", 81, False),
        ("10.0.*", "10.0.3.4", 1, True),
    ],
)
def test_what_a_pattern_allows(pattern: str, host: str, port: int | None, is_allowed: bool) -> None:
    """A pattern matches a whole name, its port if it has one, and this machine by any name."""
    assert AllowedHosts((pattern,)).has(host, port) is is_allowed


def test_the_port_of_a_scheme_counts() -> None:
    """An address without a port has that of its scheme."""
    hosts = AllowedHosts(("a.example:443",))
    assert hosts.admits_request("https://a.example/x")
    assert not hosts.admits_request("http://a.example/x")
    assert hosts.reached == ["a.example"]


def test_late_hosts_are_found_when_they_are_needed() -> None:
    """The patterns of `LateHosts` are asked for once, when a host is looked for."""
    asked: list[str] = []

    def find() -> tuple[str, ...]:
        asked.append("hosts")
        return ("db.example.com",)

    hosts = LateHosts(find)
    assert (asked, hosts.reached) == ([], [])
    assert hosts.admits_request("http://db.example.com/")
    assert not hosts.has("example.org", None)
    assert (asked, hosts.reached) == (["hosts"], ["db.example.com"])
