"""What a rule is, and the few questions that rules of every topic ask."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from harness.analysis.endpoint import Endpoint, Fields, Part, Pointers, Role
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.reply import first, is_refusal, seen
from harness.analysis.transcript import AnalyzedTranscript, AnalyzedTurn
from harness.types import NOWHERE, Failure, Finding, LooseJson, Place, Reply, Severity
from harness.wire import resolve


class Scope(StrEnum):
    """What a rule looks at: one exchange, the whole conversation, or what the SDK made of it."""

    EXCHANGE = "exchange"
    CONVERSATION = "conversation"
    SDK = "sdk"


@dataclass(frozen=True, slots=True)
class Rule:
    """A function that yields a `Finding` for each place where it is broken.

    An exchange rule is given every `Reading` in turn, the others the whole `Read`. `evidence` says
    where it is known from, each a key of `evidence.EVIDENCE`.
    """

    check: Callable[[Any], Iterator[Finding]]
    scope: Scope
    severity: Severity = Severity.ERROR
    evidence: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The function's name is the rule's."""
        return self.check.__name__

    @property
    def text(self) -> str:
        """The function's docstring explains the rule; its first line is enough for a report."""
        return inspect.getdoc(self.check) or ""

    @property
    def law(self) -> str:
        """What must hold, in a sentence: that line. `harness.locale` has it in other languages."""
        return self.text.partition("\n")[0]

    def findings(self, read: AnalyzedTranscript) -> Iterator[Finding]:
        """Every place of a conversation where this rule is broken."""
        if self.scope is not Scope.EXCHANGE:
            yield from self.check(read)
            return
        for reading in read.readings:
            yield from self.check(reading)


ERROR, WARNING, INFO = Severity.ERROR, Severity.WARNING, Severity.INFO


def exchange_rule(
    check: Callable[[AnalyzedExchange], Iterator[Finding]],
    evidence: str,
    severity: Severity = ERROR,
) -> Rule:
    """Return a rule for each exchange on its own."""
    return Rule(check, Scope.EXCHANGE, severity, tuple(evidence.split()))


def conversation_rule(
    check: Callable[[AnalyzedTranscript], Iterator[Finding]],
    evidence: str,
    severity: Severity = ERROR,
) -> Rule:
    """Return a rule for a conversation as it travelled."""
    return Rule(check, Scope.CONVERSATION, severity, tuple(evidence.split()))


def sdk_rule(
    check: Callable[[AnalyzedTranscript], Iterator[Finding]],
    evidence: str,
    severity: Severity = ERROR,
) -> Rule:
    """Return a rule for what an SDK sent or made of the answers."""
    return Rule(check, Scope.SDK, severity, tuple(evidence.split()))


_SHOWN = 90


def show(value: LooseJson) -> str:
    """A JSON value as a message shows it: in one line, and not all of a long one."""
    text = json.dumps(value, ensure_ascii=False, default=repr)
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def violation(expected: str, actual: str, place: Place = NOWHERE, within: str = "") -> Finding:
    """A finding in the words that all have: what was expected, and what was actual."""
    head = f"{within}: " if within else ""
    message = f"{head}expected {expected}, actual {actual}"
    return Finding(message, place, expected=expected, actual=actual)


def spoken(reading: AnalyzedExchange) -> Endpoint | None:
    """The endpoint of an exchange whose answer is to be checked: known, and not a file."""
    endpoint = reading.endpoint
    if endpoint is None or endpoint.role in (Role.FILE, Role.OTHER):
        return None
    return endpoint


def answers(reading: AnalyzedExchange) -> list[Part]:
    """The parts of a success that say yes."""
    endpoint = spoken(reading)
    if endpoint is None or not reading.accepted:
        return []
    return [part for part in reading.parts if not is_refusal(part, endpoint.fields)]


def refusals(reading: AnalyzedExchange) -> list[Part]:
    """The parts that say no, whatever the HTTP status."""
    endpoint = spoken(reading)
    if endpoint is None:
        return []
    if not reading.accepted:
        return list(reading.parts[:1])
    return [part for part in reading.parts if is_refusal(part, endpoint.fields)]


def replies(reading: AnalyzedExchange) -> list[tuple[Part, Reply]]:
    """Every part that says something, with what it says on its own."""
    if spoken(reading) is None:
        return []
    return [(part, said) for part, said in reading.outcomes_by_part if isinstance(said, Reply)]


def streamed(reading: AnalyzedExchange) -> list[tuple[Part, Reply]]:
    """The same for a stream that was not refused; nothing for any other answer."""
    if not reading.is_stream or isinstance(reading.outcome, Failure):
        return []
    return replies(reading)


def where(part: Part, pointers: Pointers) -> str:
    """The JSON pointer under which a part holds a field; empty where it does not."""
    return next((pointer for pointer, _ in seen(part.value, pointers)), "")


def messages(reading: AnalyzedExchange) -> tuple[str, list[LooseJson]]:
    """The conversation a request sends, and its JSON pointer."""
    fields = reading.endpoint.fields if reading.endpoint else Fields()
    held = next(seen(reading.request_json.value, fields.messages), ("", None))
    return (held[0], held[1]) if isinstance(held[1], list) else ("", [])


@dataclass(frozen=True, slots=True)
class Answered:
    """A request together with the reading that answers it, which for a task is its last poll."""

    asked: AnalyzedExchange
    answer: AnalyzedExchange
    reply: Reply

    def asks(self, field: str) -> LooseJson:
        """What a field of the request holds, or None."""
        endpoint = self.asked.endpoint
        pointers = getattr(endpoint.fields, field) if endpoint else ()
        return first(self.asked.request_json.value, pointers)


def wants_stream(reading: AnalyzedExchange) -> bool:
    """Whether a request asks for its answer in events: in its body, or by a header."""
    return resolve(reading.request_json.value, "/stream") is True or any(
        (name == "accept" and value == "text/event-stream")
        or (name.endswith("-sse") and value == "enable")
        for name, value in ((n.lower(), v.lower()) for n, v in reading.exchange.request.headers)
    )


def question(turn: AnalyzedTurn) -> AnalyzedExchange | None:
    """The request that a turn is about: the last one that is neither a poll nor a file."""
    roles = (Role.ANSWER, Role.SUBMIT)
    asked = [r for r in turn.readings if r.endpoint and r.endpoint.role in roles]
    return asked[-1] if asked else None


def answered(read: AnalyzedTranscript) -> Iterator[Answered]:
    """Every turn that was asked and answered with a `Reply`."""
    for turn in read.turns:
        asked = question(turn)
        if asked is not None and turn.answer is not None and isinstance(turn.outcome, Reply):
            yield Answered(asked, turn.answer, turn.outcome)
