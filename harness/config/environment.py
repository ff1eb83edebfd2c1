"""API keys and base URLs from environment variables or a `.env` file, and disabling of proxies."""

from __future__ import annotations

import io
import os
import re
import stat
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from harness.config.files import read_text_file
from harness.config.settings import load_settings
from harness.errors import BadSettings, MissingKey

NO_KEY = "replay-asks.nobody-for-a-key"
"""The API key for SDKs during a replay, in which no request is sent; not a real key."""


class KeyVariables(Protocol):
    """The part of a provider that is needed to read its API key and base URL."""

    @property
    def name(self) -> str:
        """The provider's name."""

    @property
    def key_variable(self) -> str:
        """The name of the environment variable with the API key."""

    @property
    def address_variable(self) -> str:
        """The name of the environment variable with the base URL."""

    @property
    def secrets(self) -> Callable[[str], tuple[str, ...]]:
        """A function that returns all parts of an API key that must be redacted."""


@dataclass(frozen=True, slots=True, eq=False)
class Environment:
    """The variables from which API keys and base URLs are read.

    Attributes:
        variables: The values by name; those of the process and those of `.env`.
        secret_names: The names of variables that the project's settings declare as secrets.
    """

    variables: Mapping[str, str] = field(repr=False)
    secret_names: tuple[str, ...] = ()

    def key(self, provider: KeyVariables) -> str:
        """Return the API key of *provider*. Raises MissingKey if it is not set."""
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
        """Return the base URL set for *provider*; empty if none is set."""
        return self._value(provider.address_variable)

    def secrets(self, providers: Iterable[KeyVariables]) -> tuple[str, ...]:
        """Return every secret in the variables, for redaction.

        These are the keys of *providers*, the values of `secret_names`, and the values of other
        variables that look like secrets.
        """
        keys = [(provider, self._value(provider.key_variable)) for provider in providers]
        parts = [part for provider, key in keys if key for part in provider.secrets(key)]
        named = filter(None, map(self._value, self.secret_names))
        return tuple(dict.fromkeys((*parts, *named, *self._other_secrets())))

    def _value(self, variable: str) -> str:
        return self.variables.get(variable, "").strip()

    def _other_secrets(self) -> Iterator[str]:
        """Yield the values of variables whose name and value both look like those of a secret."""
        for name in filter(_names_a_secret, self.variables):
            value = self._value(name)
            yield from filter(_UNGUESSABLE.fullmatch, (value, *re.split("[,;]", value)))


@lru_cache(maxsize=1024)
def _names_a_secret(variable: str) -> bool:
    return _SECRET.search(variable) is not None


_SECRET = re.compile(
    r"(?:KEYS?|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|(?<![A-Z])(?:CRED|CREDENTIAL)S?"
    r"|(?<![A-Z])(?:PASS|PWD|PAT))"
    r"[0-9]*(?:_(?!(?:URL|URI|PATH|FILE|DIR|NAME|HOST|ENDPOINT|REGION|MODEL|VERSION|TYPE|EXPIRES)"
    r"(?:_|$))[A-Z0-9]+)*$",
    re.IGNORECASE,
)
"""Names of secrets, such as `OPENAI_API_KEY`, `LLM_CRED`, `API_KEYS` and `API_KEY_TEAM_2`."""
_UNGUESSABLE = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])(?![./~]|[A-Za-z]:\\)\S{12,}", re.ASCII)
"""At least 12 characters with letters and digits that are not a path. Words and paths occur in
ordinary texts, where they must not be redacted."""


def load_environment(folder: str | os.PathLike[str]) -> Environment:
    """Return the process's environment variables, completed by those of the `.env` in *folder*.

    Variables with the value `NO_KEY`, the placeholder of replays, count as not set. Raises
    BadSettings if there is a `.env` that cannot be read, or the project's settings are not valid.
    """
    secret_names = load_settings(folder).secrets
    file = os.path.join(folder, ".env")
    try:
        is_file = not stat.S_ISDIR(os.stat(file).st_mode)
        text = read_text_file(Path(file)) if is_file else ""
    except FileNotFoundError:
        text = ""
    except OSError as error:
        raise BadSettings(f"cannot be read: {error.strerror}", file) from None
    kept = getattr(os.environ, "_data", None)  # missing if a test replaces os.environ
    if not isinstance(kept, dict) or type(next(iter(kept), None)) is not bytes:
        return _environment(text, dict(os.environ), secret_names)
    kept = {**kept}
    kept.pop(_OF_PYTEST, None)
    joined = b"\0".join(kept), b"\0".join(kept.values())
    return _known_environment(text, *joined, secret_names)


_OF_PYTEST = b"PYTEST_CURRENT_TEST"
"""A variable that pytest changes in each phase of a test; it is neither a key nor an address."""


@lru_cache(maxsize=2)
def _known_environment(
    file: str, names: bytes, values: bytes, secret_names: tuple[str, ...]
) -> Environment:
    """Return the environment of variables as the process has them, joined by null bytes."""
    decoded = (os.fsdecode(part).split("\0") for part in (names, values))
    return _environment(file, dict(zip(*decoded, strict=True)), secret_names)


def _environment(
    file: str, variables: Mapping[str, str], secret_names: tuple[str, ...]
) -> Environment:
    """Return the environment of a `.env` with the text *file*, and of a process's variables."""
    own = {name: value for name, value in variables.items() if value != NO_KEY}
    return Environment({**(_from_file(file) if file else {}), **own}, secret_names)


def _from_file(text: str) -> Mapping[str, str]:
    """Return the variables in the text of a `.env`, whose parser is imported only for one."""
    from dotenv import dotenv_values

    values = dotenv_values(stream=io.StringIO(text))
    return {name: value for name, value in values.items() if value is not None}


class _NoProxy:
    """A switch that disables proxies by environment variables until its last user releases it."""

    names = ("no_proxy", "NO_PROXY")

    def __init__(self) -> None:
        self._users = 0
        self._lock = threading.Lock()
        self._before: dict[str, str | None] = {}

    def acquire(self) -> None:
        """Disable proxies for one more user."""
        with self._lock:
            self._users += 1
            before = {name: os.environ.get(name) for name in self.names}
            if self._users == 1:
                self._before = before
            for name, value in before.items():
                if value != "*":  # other threads may be reading
                    os.environ[name] = "*"

    def release(self) -> None:
        """End the use by one user; restore the variables if it was the last one."""
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

    A sandbox is on this machine and a replay opens no connection, so neither may use a proxy. The
    SDKs create their own HTTP clients, which take proxies from the environment only.
    """
    _no_proxy.acquire()
    try:
        yield
    finally:
        _no_proxy.release()
