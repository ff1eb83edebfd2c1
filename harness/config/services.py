"""Declared services: the tables `[tool.harness.providers.<name>]` of a pyproject.toml."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from harness.config.hosts import AllowedHosts, is_local
from harness.errors import HarnessError

KEYS = ("form", "base_url", "key_variable", "hosts")
"""The keys of a declaration; all but `hosts` are required."""

_NAME = re.compile(r"[a-z0-9]+(?:[-_.][a-z0-9]+)*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Service:
    """A service that speaks the API format of another one, and so needs no code of its own.

    Attributes:
        name: The name in scenarios, such as `moonshot`.
        form: The API format: the name of a folder in `harness/providers`, such as `openai`.
        base_url: The base URL, such as `https://api.moonshot.cn/v1`.
        key_variable: The environment variable with the API key.
        hosts: The hosts of the service, with wildcards and ports as in `AllowedHosts`. Recorded
            requests to them are recognised as the service's.
    """

    name: str
    form: str
    base_url: str
    key_variable: str
    hosts: tuple[str, ...] = ()

    @property
    def address_variable(self) -> str:
        """The environment variable that replaces `base_url`, such as `MOONSHOT_BASE_URL`."""
        return f"{re.sub('[^A-Z0-9]', '_', self.name.upper())}_BASE_URL"


def parse(name: str, table: Mapping[str, object]) -> Service:
    """Return the service that *table* declares.

    Without `hosts`, it has the host of its base URL; a loopback address only with its port.

    Raises:
        ValueError: A key is unknown or missing, or a value is invalid.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a valid name; expected for example moonshot")
    for key in table:
        if key not in KEYS:
            raise ValueError(f"{name}: has no key {key!r}; there are: {', '.join(KEYS)}")
    texts = {key: _text(name, key, table) for key in KEYS[:3]}
    if not _VARIABLE.fullmatch(texts["key_variable"]):
        raise ValueError(
            f"{name}: key_variable: the name of an environment variable is expected, "
            "such as EXAMPLE_API_KEY, not the key itself"
        )
    host = _host(name, texts["base_url"])
    given = table.get("hosts", [host])
    if not isinstance(given, list) or not all(isinstance(item, str) for item in given) or not given:
        raise ValueError(f'{name}: hosts: a list of hosts is expected, such as ["api.example.com"]')
    try:
        hosts = AllowedHosts(tuple(given)).patterns
    except HarnessError as error:
        raise ValueError(f"{name}: {str(error).replace('allow_hosts', 'hosts')}") from None
    return Service(name, texts["form"], texts["base_url"].rstrip("/"), texts["key_variable"], hosts)


def _text(name: str, key: str, table: Mapping[str, object]) -> str:
    value = table.get(key)
    if key not in table:
        raise ValueError(f"{name}: the key {key!r} is missing; required are {', '.join(KEYS[:3])}")
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name}: {key}: a text is expected")
    return value.strip()


def _host(name: str, base_url: str) -> str:
    """Return the host of a base URL; with its port, if it has one."""
    try:
        url = urlsplit(base_url)
        host, port = url.hostname or "", url.port
    except ValueError:
        host, port, url = "", None, urlsplit("")
    usable = url.scheme in ("http", "https") and not (url.query or url.fragment or url.username)
    if not usable or not host or set(base_url) & set(" \t\n{}"):
        raise ValueError(
            f"{name}: base_url: a URL is expected, such as https://api.example.com/v1, "
            "without a user, a query or a fragment"
        )
    if is_local(host):
        port = port or (443 if url.scheme == "https" else 80)
    host = f"[{host}]" if ":" in host else host
    return f"{host}:{port}" if port else host
