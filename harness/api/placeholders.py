"""Placeholder API keys, which SDKs get in a replay if no real key is set.

An SDK refuses to create a client without a key, although a replay sends nothing.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from harness.providers import INSTALLED, NO_KEY, PROVIDERS

_SDK_VARIABLES = {
    "anthropic": "ANTHROPIC_API_KEY",
    "openai": "OPENAI_API_KEY",
    "zai": "ZAI_API_KEY",
}


def variables() -> tuple[str, ...]:
    """Return the environment variables from which SDKs read their API keys."""
    return (*(provider.key_variable for provider in PROVIDERS.values()), *_SDK_VARIABLES.values())


def unset_variable(packages: Collection[str], message: str) -> str:
    """Return the variable of an API key that is not set and may have caused an error.

    Returns "" if there is none.

    Args:
        packages: The packages whose code raised the error.
        message: The message of the error.
    """
    named = [name for name in variables() if name in message]
    of_sdks = {provider.distribution: provider.key_variable for provider in PROVIDERS.values()}
    of_sdks |= _SDK_VARIABLES
    raising = [name for package, name in of_sdks.items() if package in packages]
    unset = (name for name in (*named, *raising) if not os.environ.get(name, "").strip())
    return next(unset, "")


_MODULES = tuple(name for provider in INSTALLED.values() for name in provider.key_modules)


class _Placeholders:
    """The placeholder keys in the environment of this process.

    They are set while at least one open block replays and no open block may record, and, if they
    are kept, also between such blocks.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._replaying = self._recording = 0
        self._are_kept = False
        self._folder = ""
        self._names: tuple[str, ...] = ()
        """What `variables` returned in the working folder `_folder`."""
        self._variables: dict[str, str | None] = {}
        self._modules: dict[str, str | None] = {}

    def change(self, replaying: int = 0, recording: int = 0) -> None:
        """Change the number of open blocks, then set or remove the placeholders accordingly.

        Args:
            replaying: Added to the number of open blocks that only replay.
            recording: Added to the number of open blocks that may record.
        """
        with self._lock:
            self._replaying += replaying
            self._recording += recording
            if self._recording or not (self._replaying or self._are_kept):
                self._restore()
            elif replaying > 0 or recording < 0:
                self._set()

    def keep(self, keep: bool) -> None:
        """Set whether the placeholders stay when no block is open; remove them if they need not."""
        with self._lock:
            self._are_kept = keep
            if not keep and not self._replaying:
                self._restore()

    def _set(self) -> None:
        folder = os.getcwd()
        if folder != self._folder:
            self._folder, self._names = folder, variables()
        for name in self._names:
            value = os.environ.get(name)
            if not (value or "").strip():
                self._variables[name] = value
                os.environ[name] = NO_KEY
        for name in _MODULES:
            module = sys.modules.get(name)
            if module is not None and not getattr(module, "api_key", None):
                self._modules[name] = getattr(module, "api_key", None)
                module.api_key = NO_KEY  # type: ignore[attr-defined]  # see `Provider.key_modules`

    def _restore(self) -> None:
        """Remove the placeholders; a real key that was set in the meantime stays."""
        self._folder = ""
        for name in _MODULES:  # also a module that was imported inside of the block
            module = sys.modules.get(name)
            if module is not None and getattr(module, "api_key", None) == NO_KEY:
                module.api_key = self._modules.get(name)  # type: ignore[attr-defined]
        for name, value in self._variables.items():
            if os.environ.get(name) == NO_KEY:
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
        self._variables, self._modules = {}, {}


_placeholders = _Placeholders()
keep_placeholders = _placeholders.keep


@contextmanager
def placeholder_keys() -> Iterator[None]:
    """Set a placeholder for each missing API key in the `with` block.

    No placeholder is set while another open block may record.
    """
    _placeholders.change(replaying=1)
    try:
        yield
    finally:
        _placeholders.change(replaying=-1)


@contextmanager
def real_keys() -> Iterator[None]:
    """Remove the placeholders in the `with` block, which may send requests to the network."""
    _placeholders.change(recording=1)
    try:
        yield
    finally:
        _placeholders.change(recording=-1)
