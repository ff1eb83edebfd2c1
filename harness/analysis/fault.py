"""A fault: a named change to something recorded."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import update_wrapper
from typing import Any, Generic, TypeAlias, TypeVar

from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.transcript import AnalyzedTranscript
from harness.types import Exchange, Transcript, Turn

Subject = TypeVar("Subject")
Changed = TypeVar("Changed")


def once(subject: object) -> Sequence[int]:
    """Return the only place of a fault that can be applied in one way."""
    return (0,)


@dataclass(frozen=True, slots=True)
class Fault(Generic[Subject, Changed]):
    """A named change to a recorded exchange or transcript.

    Attributes:
        name: The name of the function that makes the change.
        description: What is changed, in one sentence.
        apply: Returns *subject*, changed at one of its places; None where that is impossible.
        breaks_rule: The rule that has to notice; None for changes in transport.
        harmful: Whether the change takes something that a client needs.
        places: The places in a subject where the change can be made.
    """

    name: str
    description: str
    apply: Callable[[Subject, int], Changed | None]
    breaks_rule: str | None = None
    harmful: bool = True
    places: Callable[[Subject], Sequence[int]] = once


TranscriptFault: TypeAlias = Fault[AnalyzedTranscript, Transcript]
Decorator: TypeAlias = Callable[[Callable[..., object]], TranscriptFault]


def describe(function: Callable[..., object]) -> tuple[str, str]:
    """Return the name of a fault's function, and the first paragraph of its docstring."""
    first_paragraph, _, _ = (inspect.getdoc(function) or "").partition("\n\n")
    return function.__name__, " ".join(first_paragraph.split())


def transcript_fault(rule: str, *variants: object) -> Decorator:
    """Make a fault that breaks *rule* from a function that changes an `AnalyzedTranscript`.

    The function returns a `Transcript`, or None where the change is impossible. Each variant is
    one place of the fault: the function is given it as a further argument.
    """

    def decorate(function: Callable[..., object]) -> TranscriptFault:
        def apply(read: AnalyzedTranscript, place: int = 0) -> Transcript | None:
            changed = function(read, *variants[place : place + 1])
            if isinstance(changed, Transcript) and changed != read.transcript:
                return changed
            return None

        places = range(max(1, len(variants)))
        return Fault(*describe(function), apply, rule, places=lambda _: places)

    return decorate


def exchange_fault(
    rule: str, *variants: object, when: Callable[[AnalyzedExchange], object] = bool
) -> Decorator:
    """Make a fault that breaks *rule* from a function that changes an `AnalyzedExchange`.

    The first exchange that fulfils *when*, and that the function changes, is replaced.
    """

    def decorate(function: Callable[..., object]) -> TranscriptFault:
        def change(read: AnalyzedTranscript, *variant: object) -> Transcript | None:
            for analyzed in filter(when, read.readings):
                exchange = function(analyzed, *variant)
                if isinstance(exchange, Exchange) and exchange != analyzed.exchange:
                    return with_exchange(read, analyzed, exchange)
            return None

        return transcript_fault(rule, *variants)(update_wrapper(change, function))

    return decorate


def turn_fault(rule: str, *variants: object) -> Decorator:
    """Make a fault that breaks *rule* from a function that changes an `AnalyzedTurn`."""

    def decorate(function: Callable[..., object]) -> TranscriptFault:
        def change(read: AnalyzedTranscript, *variant: object) -> Transcript | None:
            turns = list(read.transcript.turns)
            for place, analyzed in enumerate(read.turns):
                turn = function(analyzed, *variant)
                if isinstance(turn, Turn) and turn != analyzed.turn:
                    turns[place] = turn
                    return replace(read.transcript, turns=tuple(turns))
            return None

        return transcript_fault(rule, *variants)(update_wrapper(change, function))

    return decorate


def with_exchanges(
    read: AnalyzedTranscript, changed: dict[int, tuple[Exchange, ...]]
) -> Transcript:
    """Return the transcript with other exchanges in place of those with these numbers."""
    turns = []
    for turn in read.turns:
        groups = [changed.get(r.number, (r.exchange,)) for r in turn.readings]
        turns.append(replace(turn.turn, exchanges=tuple(e for group in groups for e in group)))
    return replace(read.transcript, turns=tuple(turns))


def with_exchange(
    read: AnalyzedTranscript, analyzed: AnalyzedExchange, exchange: Exchange | None
) -> Transcript | None:
    """Return the transcript with another exchange in place of one; None where there is none."""
    return with_exchanges(read, {analyzed.number: (exchange,)}) if exchange else None


def faults_of(module: dict[str, object]) -> tuple[Fault[Any, Any], ...]:
    """Return the faults that a module defines, in their order; *module* is its `vars()`."""
    return tuple(value for value in module.values() if isinstance(value, Fault))
