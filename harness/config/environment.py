"""What the environment says: keys and addresses, from variables or a `.env` file."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dotenv import dotenv_values

from harness.errors import MissingKey
from harness.providers import NO_KEY, PROVIDERS, Provider


@dataclass(frozen=True, slots=True)
class Environment:
    """The variables that matter here. The process's own win over those of the `.env` file."""

    variables: Mapping[str, str] = field(repr=False)

    def key(self, provider: Provider) -> str:
        """The provider's key. Raises MissingKey, naming the variable."""
        key = self.variables.get(provider.key_variable, "").strip()
        if not key:
            raise MissingKey(
                f"recording live from {provider.name} needs a key: set {provider.key_variable} "
                "(in the environment or in .env), or record from the sandbox with --sandbox"
            )
        return key

    def has_key(self, provider: Provider) -> bool:
        """Whether the provider's key is set."""
        return bool(self.variables.get(provider.key_variable, "").strip())

    def address(self, provider: Provider) -> str:
        """Where the provider is, if the user says so; empty leaves it to the SDK."""
        return self.variables.get(provider.address_variable, "").strip()

    def secrets(self) -> tuple[str, ...]:
        """Every part of every key that is set, whoever's it is: none of them may be written."""
        keys = [
            (provider, self.variables.get(provider.key_variable, "").strip())
            for provider in PROVIDERS.values()
        ]
        parts = [part for provider, key in keys if key for part in provider.secrets(key)]
        return tuple(dict.fromkeys((*parts, *self._others())))

    def _others(self) -> Iterator[str]:
        """Values of variables that by their names are secrets, and have the form of one."""
        for name, value in self.variables.items():
            if _SECRET.search(name) and _UNGUESSABLE.fullmatch(value.strip()):
                yield value.strip()


_SECRET = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE)$", re.IGNORECASE)
_UNGUESSABLE = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])(?![./~]|[A-Za-z]:\\)\S{12,}", re.ASCII)
"""No word and no path: what is not written anywhere must not be found in ordinary texts."""


def environment(folder: Path) -> Environment:
    """The environment of a process working in `folder`."""
    from_file = {n: v for n, v in dotenv_values(folder / ".env").items() if v is not None}
    own = {name: value for name, value in os.environ.items() if value != NO_KEY}
    return Environment({**from_file, **own})


class _Bypass:
    """The variables that switch proxies off, set while anybody needs them."""

    names = ("no_proxy", "NO_PROXY")

    def __init__(self) -> None:
        self._users = 0
        self._lock = threading.Lock()
        self._before: dict[str, str | None] = {}

    def acquire(self) -> None:
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._before = {name: os.environ.get(name) for name in self.names}
            for name in self.names:
                if os.environ.get(name) != "*":  # other threads may be reading
                    os.environ[name] = "*"

    def release(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                for name, value in self._before.items():
                    if value is None:
                        os.environ.pop(name, None)
                    else:
                        os.environ[name] = value


_bypass = _Bypass()


@contextmanager
def without_proxies() -> Iterator[None]:
    """No proxy while this lasts: a sandbox is on this machine, and a replay goes nowhere.

    The SDKs make HTTP clients of their own, so the environment is the only place to say it.
    """
    _bypass.acquire()
    try:
        yield
    finally:
        _bypass.release()
