"""Declared services: the tables `[tool.harness.providers.<name>]` of a pyproject.toml.

`services.toml` beside this module has declarations of well-known services. A project's table with
the name of one may leave out the keys that the declaration has.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from harness.config.hosts import AllowedHosts, is_local
from harness.errors import HarnessError

KEYS = ("form", "base_url", "key_variable", "hosts", "finish_reasons", "exempt")
"""The keys of a declaration; the first three are required."""

_SHIPPED = Path(__file__).with_name("services.toml")

_NAME = re.compile(r"[a-z0-9]+(?:[-_.][a-z0-9]+)*")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""The name of an environment variable."""


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
        finish_reasons: Finish reasons that the service has beside those of the format.
        exempt: The names of the rules that the service is known to break.
    """

    name: str
    form: str
    base_url: str
    key_variable: str
    hosts: tuple[str, ...] = ()
    finish_reasons: tuple[str, ...] = ()
    exempt: tuple[str, ...] = ()

    @property
    def address_variable(self) -> str:
        """The environment variable that replaces `base_url`, such as `MOONSHOT_BASE_URL`."""
        return f"{re.sub('[^A-Z0-9]', '_', self.name.upper())}_BASE_URL"


@cache
def _tables() -> Mapping[str, Mapping[str, object]]:
    import tomllib

    return tomllib.loads(_SHIPPED.read_text(encoding="utf-8"))


@cache
def shipped() -> Mapping[str, Service]:
    """Return the well-known services by name."""
    return {name: parse(name, table) for name, table in _tables().items()}


def parse(name: str, table: Mapping[str, object]) -> Service:
    """Return the service that *table* declares.

    Missing keys are taken from the well-known service *name*, if there is one. Without the key
    `hosts`, the service has the host of its base URL, with the port if the URL has one or the host
    is a loopback address.

    Raises:
        ValueError: A key is unknown or missing, or a value is invalid.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a valid name; expected for example moonshot")
    for key in table:
        if key not in KEYS:
            raise ValueError(f"{name}: has no key {key!r}; there are: {', '.join(KEYS)}")
    table = _completed(name, table)
    texts = {key: _text(name, key, table) for key in KEYS[:3]}
    if not VARIABLE.fullmatch(texts["key_variable"]):
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
    address = texts["base_url"].rstrip("/")
    reasons = _list(name, "finish_reasons", table, '["abort"]')
    exempt = _list(name, "exempt", table, '["usage_adds_up"]')
    return Service(name, texts["form"], address, texts["key_variable"], hosts, reasons, exempt)


def _list(name: str, key: str, table: Mapping[str, object], example: str) -> tuple[str, ...]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"{name}: {key}: a list of texts is expected, such as {example}")
    return tuple(value)


def _completed(name: str, table: Mapping[str, object]) -> Mapping[str, object]:
    """Return *table* with the missing keys of a well-known service; its hosts if it moves not."""
    known = dict(_tables().get(name, {}))
    if "base_url" in table and table["base_url"] != known.get("base_url"):
        known.pop("hosts", None)
    return {**known, **table}


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
