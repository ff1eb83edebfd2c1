"""Record, replay, check and compare conversations with LLM APIs.

The names in `__all__` are the public Python API; docs/PYTHON_API.md describes them, and
docs/STABILITY.md says what may change.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness import strategies
    from harness.analysis.difference import ChangeKind
    from harness.api.scenarios import check, compare, load_scenario, record, replay, run
    from harness.api.use_cassette import CassetteContext, RecordMode, use_cassette
    from harness.cassette.vcrpy_check import Persister
    from harness.comparison.types import Comparison, Difference, Divergence, Layer, TurnComparison
    from harness.errors import (
        BadCassette,
        BadContract,
        BadFault,
        BadHook,
        BadInput,
        BadScenario,
        BadSettings,
        CannotWrite,
        CassetteInUse,
        CassetteMiss,
        ConnectionBlocked,
        HarnessError,
        InterceptError,
        MissingExtra,
        MissingKey,
        NoActiveCassette,
        NoCassette,
        NotAnswered,
        NotRecordable,
        OverBudget,
        RecordingFailed,
        SecretNotRedacted,
        StaleCassette,
        UnexpectedRefusal,
        UnfinishedRecording,
        Unsupported,
        UnsupportedLibraryWarning,
        UnusedExchanges,
        UnversionedCassetteWarning,
    )
    from harness.intercept.hooks import BeforeRecord, NormalizeRequest
    from harness.scenario.steps import Scenario
    from harness.types import (
        AccessFailure,
        Artefact,
        Call,
        CallKind,
        Cassette,
        Choice,
        Credentials,
        Exchange,
        Expectation,
        Failure,
        Finding,
        GeneratedFile,
        Json,
        Message,
        Mode,
        Origin,
        Outcome,
        Place,
        Poll,
        Problem,
        Provenance,
        Reply,
        Request,
        Response,
        Sdk,
        Severity,
        Target,
        Timing,
        ToolCall,
        Transcript,
        Turn,
        Usage,
        View,
    )

    vcrpy_persister: Persister

__all__ = [
    "AccessFailure",
    "Artefact",
    "BadCassette",
    "BadContract",
    "BadFault",
    "BadHook",
    "BadInput",
    "BadScenario",
    "BadSettings",
    "BeforeRecord",
    "Call",
    "CallKind",
    "CannotWrite",
    "Cassette",
    "CassetteContext",
    "CassetteInUse",
    "CassetteMiss",
    "ChangeKind",
    "Choice",
    "Comparison",
    "ConnectionBlocked",
    "Credentials",
    "Difference",
    "Divergence",
    "Exchange",
    "Expectation",
    "Failure",
    "Finding",
    "GeneratedFile",
    "HarnessError",
    "InterceptError",
    "Json",
    "Layer",
    "Message",
    "MissingExtra",
    "MissingKey",
    "Mode",
    "NoActiveCassette",
    "NoCassette",
    "NormalizeRequest",
    "NotAnswered",
    "NotRecordable",
    "Origin",
    "Outcome",
    "OverBudget",
    "Place",
    "Poll",
    "Problem",
    "Provenance",
    "RecordMode",
    "RecordingFailed",
    "Reply",
    "Request",
    "Response",
    "Scenario",
    "Sdk",
    "SecretNotRedacted",
    "Severity",
    "StaleCassette",
    "Target",
    "Timing",
    "ToolCall",
    "Transcript",
    "Turn",
    "TurnComparison",
    "UnexpectedRefusal",
    "UnfinishedRecording",
    "Unsupported",
    "UnsupportedLibraryWarning",
    "UnusedExchanges",
    "UnversionedCassetteWarning",
    "Usage",
    "View",
    "__version__",
    "check",
    "compare",
    "load_scenario",
    "record",
    "replay",
    "run",
    "strategies",
    "use_cassette",
    "vcrpy_persister",
]
__version__ = "0.1.0"

_MODULES = {
    "ChangeKind": "harness.analysis.difference",
    "check": "harness.api.scenarios",
    "compare": "harness.api.scenarios",
    "load_scenario": "harness.api.scenarios",
    "record": "harness.api.scenarios",
    "replay": "harness.api.scenarios",
    "run": "harness.api.scenarios",
    "CassetteContext": "harness.api.use_cassette",
    "RecordMode": "harness.api.use_cassette",
    "use_cassette": "harness.api.use_cassette",
    "Comparison": "harness.comparison.types",
    "Difference": "harness.comparison.types",
    "Divergence": "harness.comparison.types",
    "Layer": "harness.comparison.types",
    "TurnComparison": "harness.comparison.types",
    "BeforeRecord": "harness.intercept.hooks",
    "NormalizeRequest": "harness.intercept.hooks",
    "Scenario": "harness.scenario.steps",
}
"""The modules of the public names that are in neither `harness.errors` nor `harness.types`."""

if not TYPE_CHECKING:  # a type checker would accept any name

    def __getattr__(name: str) -> object:
        """Import a public name when it is used first, so that `import harness` is fast."""
        if name == "strategies":
            return import_module("harness.strategies")
        if name == "vcrpy_persister":
            return _persister()
        if name in __all__:
            for module in _MODULES.get(name, "harness.types harness.errors").split():
                if name in (content := vars(import_module(module))):
                    return content[name]
        raise AttributeError(f"module 'harness' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the public names, for completion in editors and shells."""
    return __all__


def _persister() -> Persister:
    """Return the persister with which stock vcrpy reads artefacts."""
    from harness.cassette.store import read
    from harness.cassette.vcrpy_check import Persister

    return Persister(read)
