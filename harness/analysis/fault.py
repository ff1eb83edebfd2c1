"""Faults: named changes to recorded exchanges or transcripts, for tests of rules and clients."""

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
"""The type that a fault changes, such as `AnalyzedTranscript`."""

Changed = TypeVar("Changed")
"""The type of the changed copy, such as `Transcript`."""


def once(subject: object) -> Sequence[int]:
    """Return `(0,)`, the default of `Fault.places`: *subject* can be changed in one way only."""
    return (0,)


@dataclass(frozen=True, slots=True)
class Fault(Generic[Subject, Changed]):
    """A named change to a recorded exchange or transcript.

    Attributes:
        name: The name, which is that of the function that makes the change.
        description: The change, in one sentence: the first paragraph of that function's docstring.
        apply: Returns a changed copy of the subject, given it and one of its places; None if the
            change is impossible there.
        breaks_rule: The name of the rule that must report the change; None for a change in the
            delivery of a response, which no rule checks.
        harmful: Whether the change removes something that a client needs.
        places: Returns the places where the subject can be changed, as numbers for `apply`.
    """

    name: str
    description: str
    apply: Callable[[Subject, int], Changed | None]
    breaks_rule: str | None = None
    harmful: bool = True
    places: Callable[[Subject], Sequence[int]] = once


TranscriptFault: TypeAlias = Fault[AnalyzedTranscript, Transcript]
"""A fault in a transcript."""

Decorator: TypeAlias = Callable[[Callable[..., object]], TranscriptFault]
"""A decorator that converts a function to a fault."""


def name_and_description(function: Callable[..., object]) -> tuple[str, str]:
    """Return (name, description) of a fault: name and first docstring paragraph of *function*."""
    first_paragraph, _, _ = (inspect.getdoc(function) or "").partition("\n\n")
    return function.__name__, " ".join(first_paragraph.split())


def transcript_fault(rule: str, *variants: object) -> Decorator:
    """Return a decorator that makes a fault from a function that changes an `AnalyzedTranscript`.

    The function returns the changed `Transcript`, or None if the change is impossible.

    Args:
        rule: The name of the rule that must report the fault.
        variants: Values for the function's second argument. Each is one way to apply the fault: its
            position is a place of the fault (`Fault.places`).
    """

    def decorate(function: Callable[..., object]) -> TranscriptFault:
        def apply(read: AnalyzedTranscript, place: int = 0) -> Transcript | None:
            changed = function(read, *variants[place : place + 1])
            if isinstance(changed, Transcript) and changed != read.transcript:
                return changed
            return None

        places = range(max(1, len(variants)))
        return Fault(*name_and_description(function), apply, rule, places=lambda _: places)

    return decorate


def exchange_fault(
    rule: str, *variants: object, when: Callable[[AnalyzedExchange], object] = bool
) -> Decorator:
    """Return a decorator that makes a fault from a function that changes an `AnalyzedExchange`.

    The function returns the changed `Exchange`, or None if the change is impossible. The fault
    changes the first exchange of a transcript for which this succeeds.

    Args:
        rule: The name of the rule that must report the fault.
        variants: Values for the function's second argument. Each is one way to apply the fault: its
            position is a place of the fault (`Fault.places`).
        when: Only exchanges for which this returns a true value are changed.
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
    """Return a decorator that makes a fault from a function that changes an `AnalyzedTurn`.

    The function returns the changed `Turn`, or None if the change is impossible. The fault changes
    the first turn of a transcript for which this succeeds.

    Args:
        rule: The name of the rule that must report the fault.
        variants: Values for the function's second argument. Each is one way to apply the fault: its
            position is a place of the fault (`Fault.places`).
    """

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
    """Return the transcript *read* with some exchanges replaced.

    *changed* has, by the number of an exchange in the transcript (from 1), the exchanges that
    replace it; an empty tuple removes it.
    """
    turns = []
    for turn in read.turns:
        groups = [changed.get(r.number, (r.exchange,)) for r in turn.readings]
        turns.append(replace(turn.turn, exchanges=tuple(e for group in groups for e in group)))
    return replace(read.transcript, turns=tuple(turns))


def with_exchange(
    read: AnalyzedTranscript, analyzed: AnalyzedExchange, exchange: Exchange | None
) -> Transcript | None:
    """Return the transcript with *analyzed* replaced by *exchange*; None if *exchange* is None."""
    return with_exchanges(read, {analyzed.number: (exchange,)}) if exchange else None


def faults_of(module: dict[str, object]) -> tuple[Fault[Any, Any], ...]:
    """Return the faults that a module defines, in order; *module* is its `vars()`."""
    return tuple(value for value in module.values() if isinstance(value, Fault))
