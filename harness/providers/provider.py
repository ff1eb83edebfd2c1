"""What a provider is: how to reach it, what its wire looks like, and its SDK."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, Protocol

from harness.analysis.endpoint import Endpoint
from harness.providers.sdk import Parser
from harness.types import Call, CallKind, Exchange, Mode, Outcome

if TYPE_CHECKING:
    from harness.analysis.fault import TranscriptFault
    from harness.providers.operation import ApiForm
    from harness.rules.rule import Rule
    from harness.sandbox import ProviderServer

Sleep = Callable[[float], None]
"""Waits for so many seconds."""


class Session(Protocol):
    """An open connection to a provider."""

    def send(self, call: Call) -> Outcome:
        """Make a call through the official SDK and return its outcome."""


@dataclass(frozen=True, slots=True, eq=False)
class Provider:
    """A provider: its package and what is in it.

    What only some commands need is in modules of the package that are imported when asked for.

    Attributes:
        package: The package, which has the modules `sandbox`, `rules`,
            `samples` and `operations`.
        name: What users call it.
        about: Its services, in a few words.
        distribution: The name of its SDK on PyPI.
        key_variable: The SDK's environment variable for the key.
        address_variable: The SDK's environment variable for the address.
        address: Where the SDK goes if that variable is not set.
        can: The kinds of calls that can be made, and in which modes.
        open: Begins a session, from the key, the address (empty for the SDK's own) and a function
            that waits. The SDK is imported when it is called.
        endpoints: Its endpoints.
        headers: Its headers, in lower case, that a recording keeps.
        parsers: Its SDKs as readers of recorded answers.
        secrets: Returns every part of a key that must never be written.
        key_modules: Modules of the SDK that read the key into `api_key` when they are imported.
    """

    package: str
    name: str
    about: str
    distribution: str
    key_variable: str
    address_variable: str
    address: str
    can: frozenset[tuple[CallKind, Mode]]
    open: Callable[[str, str, Sleep], AbstractContextManager[Session]]
    endpoints: tuple[Endpoint, ...]
    headers: frozenset[str] = frozenset()
    parsers: tuple[Parser, ...] = ()
    secrets: Callable[[str], tuple[str, ...]] = field(default=lambda key: (key,))
    key_modules: tuple[str, ...] = ()

    @property
    def server(self) -> ProviderServer | None:
        """How the sandbox stands in for it: `sandbox.SERVER`; None without such a module."""
        if find_spec(f"{self.package}.sandbox") is None:
            return None
        server: ProviderServer = self._module("sandbox").SERVER
        return server

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules of its own: `rules.RULES`."""
        rules: tuple[Rule, ...] = self._module("rules").RULES
        return rules

    @property
    def samples(self) -> Mapping[str, tuple[Exchange, ...]]:
        """The exchanges of small valid conversations, by their name: `samples.SAMPLES`."""
        samples: Mapping[str, tuple[Exchange, ...]] = self._module("samples").SAMPLES
        return samples

    @property
    def api_forms(self) -> Mapping[str, ApiForm]:
        """Its API forms as data for strategies, by their name: `operations.API_FORMS`."""
        forms: Mapping[str, ApiForm] = self._module("operations").API_FORMS
        return forms

    @property
    def faults(self) -> tuple[TranscriptFault, ...]:
        """The faults that break its own rules: `samples.FAULTS`."""
        faults: tuple[TranscriptFault, ...] = self._module("samples").FAULTS
        return faults

    def _module(self, name: str) -> ModuleType:
        return import_module(f"{self.package}.{name}")
