"""What a rule is, and the values that rules of every topic look at."""

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
from harness.types import NOWHERE, Failure, Finding, Json, Place, Reply, Severity
from harness.wire import resolve


class Scope(StrEnum):
    """What a rule looks at: one exchange, a whole conversation, or what an SDK made of it."""

    EXCHANGE = "exchange"
    CONVERSATION = "conversation"
    SDK = "sdk"


ERROR, WARNING, INFO = Severity.ERROR, Severity.WARNING, Severity.INFO


@dataclass(frozen=True, slots=True)
class Rule:
    """A function that yields a `Finding` for each violation; its name is the rule's id.

    Attributes:
        check: Takes an `AnalyzedExchange` if the scope is EXCHANGE, else an `AnalyzedTranscript`.
        scope: What it looks at.
        severity: How much its findings weigh, unless a project or scenario says otherwise.
        evidence: The sources it is known from, as keys of `evidence.EVIDENCE`.
    """

    check: Callable[[Any], Iterator[Finding]]
    scope: Scope
    severity: Severity = ERROR
    evidence: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The id, which is the name of the function."""
        return self.check.__name__

    @property
    def text(self) -> str:
        """The explanation, which is the docstring of the function."""
        return inspect.getdoc(self.check) or ""

    @property
    def law(self) -> str:
        """The first line of the text: what is checked. `harness.locale` translates it."""
        return self.text.partition("\n")[0]

    def findings(self, analyzed: AnalyzedTranscript) -> Iterator[Finding]:
        """Yield every violation in a conversation."""
        if self.scope is not Scope.EXCHANGE:
            yield from self.check(analyzed)
            return
        for reading in analyzed.readings:
            yield from self.check(reading)


ExchangeCheck = Callable[[AnalyzedExchange], Iterator[Finding]]
TranscriptCheck = Callable[[AnalyzedTranscript], Iterator[Finding]]


def exchange_rule(check: ExchangeCheck, evidence: str = "", severity: Severity = ERROR) -> Rule:
    """Return a rule for each exchange on its own; *evidence* is separated by spaces."""
    return Rule(check, Scope.EXCHANGE, severity, tuple(evidence.split()))


def conversation_rule(
    check: TranscriptCheck, evidence: str = "", severity: Severity = ERROR
) -> Rule:
    """Return a rule for a conversation as it travelled."""
    return Rule(check, Scope.CONVERSATION, severity, tuple(evidence.split()))


def sdk_rule(check: TranscriptCheck, evidence: str = "", severity: Severity = ERROR) -> Rule:
    """Return a rule for what an SDK sent, and for what it made of the answers."""
    return Rule(check, Scope.SDK, severity, tuple(evidence.split()))


# --------------------------------------------------------------------------------- findings

_MAX_SHOWN = 90


def show(value: object) -> str:
    """Return a JSON value as messages show it: on one line, cut off if it is long."""
    text = json.dumps(value, ensure_ascii=False, default=repr)
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "…"


def violation(
    expected: object, actual: object, place: Place = NOWHERE, within: str = ""
) -> Finding:
    """Return a finding whose message has the expected and the actual value.

    Args:
        expected: What the rule requires, in words.
        actual: What is there.
        place: Where it is.
        within: What both are part of, if the place does not say it.
    """
    prefix = f"{within}: " if within else ""
    message = f"{prefix}expected {expected}, actual {actual}"
    return Finding(message, place, expected=str(expected), actual=str(actual))


# --------------------------------------------------------------------------------- exchanges


def checked_endpoint(reading: AnalyzedExchange) -> Endpoint | None:
    """Return the endpoint of an exchange whose answer is checked: a known one, and not a file."""
    endpoint = reading.endpoint
    if endpoint is None or endpoint.role in (Role.FILE, Role.OTHER):
        return None
    return endpoint


def fields_of(reading: AnalyzedExchange) -> Fields:
    """Return where values stand in an answer; nowhere if the answer is not checked."""
    endpoint = checked_endpoint(reading)
    return endpoint.fields if endpoint else Fields()


def answers(reading: AnalyzedExchange) -> list[Part]:
    """Return the parts of a successful answer that are not refusals."""
    endpoint = checked_endpoint(reading)
    if endpoint is None or not reading.accepted:
        return []
    return [part for part in reading.parts if not is_refusal(part, endpoint.fields)]


def values(reading: AnalyzedExchange, pointers: Pointers) -> Iterator[tuple[Part, str, Json]]:
    """Yield (part, pointer, value) of a field in each part of a successful answer."""
    for part in answers(reading):
        for pointer, value in seen(part.value, pointers):
            yield part, pointer, value


def refusals(reading: AnalyzedExchange) -> list[Part]:
    """Return the parts that refuse, whatever the HTTP status."""
    endpoint = checked_endpoint(reading)
    if endpoint is None:
        return []
    if not reading.accepted:
        return list(reading.parts[:1])
    return [part for part in reading.parts if is_refusal(part, endpoint.fields)]


def replies(reading: AnalyzedExchange) -> list[tuple[Part, Reply]]:
    """Return every part that is an answer, with what it says on its own."""
    if checked_endpoint(reading) is None:
        return []
    return [(part, reply) for part, reply in reading.outcomes_by_part if isinstance(reply, Reply)]


def streamed(reading: AnalyzedExchange) -> list[tuple[Part, Reply]]:
    """Return the replies of a stream that was not refused; none for any other answer."""
    if not reading.is_stream or isinstance(reading.outcome, Failure):
        return []
    return replies(reading)


def pointer_to(part: Part, pointers: Pointers) -> str:
    """Return the JSON pointer of a field in a part; empty if it does not have the field."""
    return next((pointer for pointer, _ in seen(part.value, pointers)), "")


def field_place(reading: AnalyzedExchange, part: Part, pointers: Pointers) -> Place:
    """Return the place of a field in a part of the answer."""
    return reading.place(pointer_to(part, pointers), part)


def messages(reading: AnalyzedExchange) -> tuple[str, list[Json]]:
    """Return the messages in a request, and their JSON pointer."""
    fields = reading.endpoint.fields if reading.endpoint else Fields()
    pointer, value = next(seen(reading.request_json.value, fields.messages), ("", None))
    return (pointer, value) if isinstance(value, list) else ("", [])


def wants_stream(reading: AnalyzedExchange) -> bool:
    """Return whether a request asks for a stream, in its body or by a header."""
    return resolve(reading.request_json.value, "/stream") is True or any(
        (name == "accept" and value == "text/event-stream")
        or (name.endswith("-sse") and value == "enable")
        for name, value in ((n.lower(), v.lower()) for n, v in reading.exchange.request.headers)
    )


# --------------------------------------------------------------------------------- turns


@dataclass(frozen=True, slots=True)
class Answered:
    """A request, its reply, and the exchange with the reply: of a task, the last poll."""

    request: AnalyzedExchange
    answer: AnalyzedExchange
    reply: Reply

    def requested(self, field: str) -> Json:
        """Return the value of a field in the request, or None."""
        fields = self.request.endpoint.fields if self.request.endpoint else Fields()
        pointers: Pointers = getattr(fields, field)
        value: Json = first(self.request.request_json.value, pointers)
        return value


def turn_request(turn: AnalyzedTurn) -> AnalyzedExchange | None:
    """Return the last exchange of a turn that is neither a poll nor a file."""
    roles = (Role.ANSWER, Role.SUBMIT)
    requests = [r for r in turn.readings if r.endpoint and r.endpoint.role in roles]
    return requests[-1] if requests else None


def answered(analyzed: AnalyzedTranscript) -> Iterator[Answered]:
    """Yield every turn that was answered with a `Reply`."""
    for turn in analyzed.turns:
        request = turn_request(turn)
        if request is not None and turn.answer is not None and isinstance(turn.outcome, Reply):
            yield Answered(request, turn.answer, turn.outcome)
