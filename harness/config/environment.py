"""API keys and base URLs from environment variables or a `.env` file, and the use of proxies."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from dotenv import dotenv_values

from harness.errors import MissingKey

NO_KEY = "replay-asks.nobody-for-a-key"
"""The API key that SDKs are given where no request is sent."""


class KeyVariables(Protocol):
    """The names of a provider's environment variables, and the secret parts of its keys."""

    @property
    def name(self) -> str:
        """The provider's name."""

    @property
    def key_variable(self) -> str:
        """The variable of the API key."""

    @property
    def address_variable(self) -> str:
        """The variable of the base URL."""

    @property
    def secrets(self) -> Callable[[str], tuple[str, ...]]:
        """A function that returns all secret parts of a key."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Environment variables; those of the process take precedence over those of `.env`."""

    variables: Mapping[str, str] = field(repr=False)

    def key(self, provider: KeyVariables) -> str:
        """Return the API key of *provider*. Raises MissingKey."""
        key = self._value(provider.key_variable)
        if not key:
            raise MissingKey(
                f"recording live from {provider.name} needs a key: set {provider.key_variable} "
                "(in the environment or in .env), or record from the sandbox with --sandbox"
            )
        return key

    def has_key(self, provider: KeyVariables) -> bool:
        """Return whether the API key of *provider* is set."""
        return bool(self._value(provider.key_variable))

    def address(self, provider: KeyVariables) -> str:
        """Return the base URL set for *provider*; empty for the SDK's default."""
        return self._value(provider.address_variable)

    def secrets(self, providers: Iterable[KeyVariables]) -> tuple[str, ...]:
        """Return every secret that is set: the keys of *providers*, and those of other services."""
        keys = [(provider, self._value(provider.key_variable)) for provider in providers]
        parts = [part for provider, key in keys if key for part in provider.secrets(key)]
        return tuple(dict.fromkeys((*parts, *self._other_secrets())))

    def _value(self, variable: str) -> str:
        return self.variables.get(variable, "").strip()

    def _other_secrets(self) -> Iterator[str]:
        """Yield the values of variables that have the name and the form of a secret."""
        for name in self.variables:
            if _SECRET.search(name) and _UNGUESSABLE.fullmatch(self._value(name)):
                yield self._value(name)


_SECRET = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE)$", re.IGNORECASE)
_UNGUESSABLE = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])(?![./~]|[A-Za-z]:\\)\S{12,}", re.ASCII)
"""Neither a word nor a path: those occur in ordinary texts and cannot be redacted."""


def load_environment(folder: Path) -> Environment:
    """Return the process's environment, completed by the file `.env` in *folder*."""
    from_file = {n: v for n, v in dotenv_values(folder / ".env").items() if v is not None}
    own = {name: value for name, value in os.environ.items() if value != NO_KEY}
    return Environment({**from_file, **own})


class _NoProxy:
    """A counter of users, which sets the variables that disable proxies while there are any."""

    names = ("no_proxy", "NO_PROXY")

    def __init__(self) -> None:
        self._users = 0
        self._lock = threading.Lock()
        self._before: dict[str, str | None] = {}

    def acquire(self) -> None:
        """Disable proxies."""
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._before = {name: os.environ.get(name) for name in self.names}
            for name in self.names:
                if os.environ.get(name) != "*":  # other threads may be reading
                    os.environ[name] = "*"

    def release(self) -> None:
        """Restore the variables when the last user is gone."""
        with self._lock:
            self._users -= 1
            if self._users == 0:
                for name, value in self._before.items():
                    if value is None:
                        os.environ.pop(name, None)
                    else:
                        os.environ[name] = value


_no_proxy = _NoProxy()


@contextmanager
def without_proxies() -> Iterator[None]:
    """Disable proxies in the process's environment while the context is active.

    A sandbox is on this machine, and a replay opens no connection. The SDKs make HTTP clients of
    their own, which read nothing but the environment.
    """
    _no_proxy.acquire()
    try:
        yield
    finally:
        _no_proxy.release()
