"""The interface of a provider: the types `Provider` and `Session`.

A package outside of the harness adds a provider by an entry point of the group `harness.providers`
whose object is a `Provider`; `examples/plugin` is one. Needed are `Session.send`, which makes a
`harness.types.Call` and returns a `Reply` or `Failure`, and the descriptions of the endpoints
(`harness.analysis.endpoint.Endpoint`), from which all rules and reports work. The modules of
`Provider.package` are optional.
"""

from __future__ import annotations

from collections.abc import (
    Callable,
    Collection,
    Container,
    ItemsView,
    Iterator,
    Mapping,
    ValuesView,
)
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from importlib import import_module
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from harness.analysis.endpoint import Endpoint
from harness.config.plugins import OWN
from harness.errors import HarnessError
from harness.providers.sdk import Parser
from harness.types import EMPTY, Call, CallKind, Exchange, Medium, Mode, Outcome, Reasoning

if TYPE_CHECKING:
    from harness.analysis.fault import TranscriptFault
    from harness.providers.operation import ApiForm
    from harness.rules.rule import Rule
    from harness.sandbox.provider_server import ProviderServer

T = TypeVar("T")


class ComputedMapping(Mapping[str, T]):
    """A read-only mapping whose items are returned by a function, which each access calls."""

    def __init__(self, read: Callable[[], Mapping[str, T]]) -> None:
        self._read = read

    def __getitem__(self, name: str) -> T:
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def items(self) -> ItemsView[str, T]:
        """Return all items; the function is called once for them."""
        return self._read().items()

    def values(self) -> ValuesView[T]:
        """Return all values; the function is called once for them."""
        return self._read().values()


Sleep = Callable[[float], None]
"""A function that waits for a number of seconds."""


def call_modes(**modes: str) -> frozenset[tuple[CallKind, Mode]]:
    """Return the supported (kind of call, mode) pairs, for `Provider.can`.

    Each keyword is a kind, with the names of its modes: `call_modes(chat="sync stream")`.
    """
    return frozenset(
        (CallKind(kind), Mode(mode)) for kind, names in modes.items() for mode in names.split()
    )


def usual_media(call: Call) -> Collection[Medium]:
    """Return the media besides text, such as images, that most services accept in *call*."""
    media: Mapping[CallKind, Collection[Medium]] = {
        CallKind.CHAT: (Medium.IMAGE, Medium.AUDIO, Medium.VIDEO),
        CallKind.VIDEO: (Medium.IMAGE,),
        CallKind.TRANSCRIPTION: (Medium.AUDIO,),
    }
    return media.get(call.kind, ())


def only_images(call: Call) -> Collection[Medium]:
    """Return the media besides text at a service that accepts only images; *call* is not used."""
    return (Medium.IMAGE,)


def read_samples(package: str) -> dict[str, tuple[Exchange, ...]]:
    """Return the exchanges of each cassette in the folder `samples` of a package.

    The names are those of the cassettes' scenarios; the dictionary is empty without such a folder.
    """
    from harness.cassette.store import read

    folder = Path(str(files(package)), "samples")
    cassettes = [read(path) for path in sorted(folder.glob("*.yaml"))]
    return {cassette.provenance.scenario: cassette.exchanges for cassette in cassettes}


class Session(Protocol):
    """An open connection to a provider, through its SDK."""

    def send(self, call: Call) -> Outcome:
        """Make a call through the official SDK and return its reply, or its failure as a value."""


@dataclass(frozen=True, slots=True, eq=False)
class Provider:
    """A provider of LLM services.

    The properties import modules of the provider's package on first use, since only some commands
    need them.

    Attributes:
        package: The import name of the provider's package, which may have the modules `rules`
            (with `RULES`), `faults` (`FAULTS`), `operations` (`API_FORMS`) and, if the sandbox can
            simulate the provider, `sandbox` (`SERVER`); and a folder `samples` of cassettes.
        name: The name in scenarios and commands, such as `zhipuai`.
        about: A short description of the services.
        distribution: The name of the SDK on PyPI.
        key_variable: The environment variable from which the SDK reads the API key.
        address_variable: The environment variable from which the SDK reads the base URL.
        address: The base URL that the SDK uses if that variable is not set.
        can: The supported combinations of kind and mode of a call.
        open: Opens a session. Its arguments are the API key, the base URL ("" for the default) and
            a function that waits. The SDK is imported when the session is entered.
        endpoints: The endpoints of the provider's API.
        headers: The names, in lower case, of the provider's own headers; a recording keeps them.
        parsers: The SDKs that can parse recorded answers.
        secrets: Returns the parts of an API key that must never be written to a file.
        reasoning: Returns which earlier reasoning a call sends back if its scenario does not say.
        key_modules: The modules of the SDK that copy the API key from the environment to their
            variable `api_key` when they are imported.
        hosts: Patterns of hosts, as in `AllowedHosts`. If there are any, `endpoints` are recognised
            on these hosts only, or if the cassette names the provider; else on every host.
        further: Endpoints that are recognised and checked, but that scenarios do not call.
        sdks: The SDKs that can make calls, by their names on PyPI; empty for `distribution` only.
        asynchronous: Returns whether the SDK's asynchronous client can make a call.
        media: Returns the media that a call may have besides text.
        hears_files: Whether the audio of a transcription has to be a file, not a URL.
        origin: What adds the provider: the harness, another package, or the project's settings.
            The table of all providers sets it.
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
    reasoning: Callable[[Call], Reasoning] = lambda call: Reasoning.DROPPED
    hosts: tuple[str, ...] = ()
    further: tuple[Endpoint, ...] = ()
    sdks: tuple[str, ...] = ()
    asynchronous: Callable[[Call], bool] = lambda call: False
    media: Callable[[Call], Collection[Medium]] = usual_media
    hears_files: bool = False
    origin: str = OWN

    @property
    def server(self) -> ProviderServer | None:
        """The provider's server in the sandbox: `SERVER` of its module `sandbox`, or None."""
        server: ProviderServer | None = self._of_module("sandbox", "SERVER", None)
        return server

    @property
    def ranges(self) -> Mapping[str, Container[object]]:
        """The allowed values of numeric parameters, by name: `RANGES` of its module `sandbox`.

        Empty if there are none, or if the packages of the sandbox are not installed.
        """
        try:
            ranges: Mapping[str, Container[object]] = self._of_module("sandbox", "RANGES", EMPTY)
        except ModuleNotFoundError:  # the extra of the sandbox
            return EMPTY
        return ranges

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules for this provider only: `RULES` of its module `rules`."""
        rules: tuple[Rule, ...] = self._of_module("rules", "RULES", ())
        return rules

    @property
    def samples(self) -> Mapping[str, tuple[Exchange, ...]]:
        """Small valid conversations as exchanges, by name: the cassettes in folder `samples`."""
        return read_samples(self.package)

    @property
    def api_forms(self) -> Mapping[str, ApiForm]:
        """The provider's API formats by name, such as `dashscope`: `API_FORMS` in `operations`.

        `harness.strategies` generates exchanges from them, for property-based tests.
        """
        forms: Mapping[str, ApiForm] = self._of_module("operations", "API_FORMS", EMPTY)
        return forms

    @property
    def faults(self) -> tuple[TranscriptFault, ...]:
        """The faults that break the provider's own rules: `FAULTS` of its module `faults`."""
        faults: tuple[TranscriptFault, ...] = self._of_module("faults", "FAULTS", ())
        return faults

    def _of_module(self, module: str, name: str, default: object) -> Any:
        """Return the object *name* in a module of the package; *default* if there is none.

        Raises:
            HarnessError: The provider is another package's, and its module cannot be imported.
        """
        path = f"{self.package}.{module}"
        try:
            found = find_spec(path) is not None
            return getattr(import_module(path), name, default) if found else default
        except Exception as error:
            if self.origin == OWN:
                raise
            raise HarnessError(
                f"the provider {self.name!r} of {self.origin} cannot be used: {path} cannot be "
                f"imported ({type(error).__name__}: {error}); fix, update or remove that package"
            ) from error
