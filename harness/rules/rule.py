"""The class `Rule`, and functions that rules share: how to make them, and to read exchanges."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from operator import attrgetter
from typing import Any

from harness.analysis.endpoint import NO_FIELDS, Pointers
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.reply import first, seen
from harness.analysis.transcript import AnalyzedTranscript, AnalyzedTurn
from harness.config.plugins import OWN
from harness.errors import HarnessError
from harness.types import Finding, Json, Place, Reply, Severity
from harness.wire import resolve
from harness.wire.text import ellipsized


class Scope(StrEnum):
    """What a rule checks.

    Attributes:
        EXCHANGE: One exchange at a time.
        CONVERSATION: All exchanges of a transcript together.
        SDK: What an SDK sent and returned, compared with the exchanges.
    """

    EXCHANGE = "exchange"
    CONVERSATION = "conversation"
    SDK = "sdk"


Subjects = Callable[[AnalyzedTranscript], Sequence[Any]]

ERROR, WARNING, INFO = Severity.ERROR, Severity.WARNING, Severity.INFO


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """A function that yields a `Finding` for each violation; its name is the rule's id.

    Attributes:
        check: The function. It takes an `AnalyzedExchange` if the scope is EXCHANGE, else an
            `AnalyzedTranscript`.
        scope: What the rule checks.
        severity: The severity of its findings, unless a project or a scenario sets another.
        evidence: The sources of the rule, as keys of `evidence.toml`.
        subjects: Returns the parts of a transcript, such as its exchanges; `check` is called with
            each of them.
        origin: What adds the rule: the harness, or another package.
        broken: Returns the exception that is raised if `check` of another package fails, given the
            reason as text. `providers.rules` sets it and `origin` for such a rule.
    """

    check: Callable[[Any], Iterator[Finding]]
    scope: Scope
    severity: Severity = ERROR
    evidence: tuple[str, ...] = ()
    subjects: Subjects = field(default=lambda analyzed: (analyzed,), repr=False)
    origin: str = OWN
    broken: Callable[[str], HarnessError] = field(default=HarnessError, repr=False)

    @property
    def name(self) -> str:
        """The rule's id, which is the name of the function."""
        return self.check.__name__

    @property
    def text(self) -> str:
        """The explanation of the rule, which is the docstring of the function."""
        return inspect.getdoc(self.check) or ""

    @property
    def law(self) -> str:
        """The first line of `text`, which says what is checked. `harness.locale` translates it."""
        return self.text.partition("\n")[0]

    def findings(self, analyzed: AnalyzedTranscript) -> Iterator[Finding]:
        """Return a finding for each violation of the rule in a transcript.

        Exchanges that a network failure ended, and those of endpoints that are exempt from the
        rule, are not checked.
        """
        return self.findings_in(self.subjects(analyzed.answered))

    def findings_in(self, subjects: Sequence[Any]) -> Iterator[Finding]:
        """Yield the rule's finding for each violation in *subjects*, the arguments for `check`.

        Exchanges of endpoints that are exempt from the rule are left out.

        Raises:
            HarnessError: The rule is another package's, and its function raised an exception.
        """
        check = self.check
        try:
            if self.scope is not Scope.EXCHANGE:
                for subject in subjects:
                    yield from check(subject)
                return
            for subject in subjects:
                endpoint = subject.endpoint
                if endpoint is None or not endpoint.exempt or self.name not in endpoint.exempt:
                    yield from check(subject)
        except Exception as error:
            if self.origin == OWN:
                raise
            reason = f"the rule {self.name!r} failed with {type(error).__name__}: {error}"
            raise self.broken(reason) from error


ExchangeCheck = Callable[[AnalyzedExchange], Iterator[Finding]]
TranscriptCheck = Callable[[AnalyzedTranscript], Iterator[Finding]]


def exchange_rule(
    check: ExchangeCheck,
    evidence: str = "",
    severity: Severity = ERROR,
    subjects: Subjects = attrgetter("readings"),
) -> Rule:
    """Return a rule that calls *check* with each exchange by itself; *check*'s name is the rule's.

    *evidence* has the sources that justify the rule: keys of `evidence.toml`, separated by spaces.
    *severity* is the severity of its findings, unless a project sets another. *subjects* returns
    those exchanges of a transcript that are checked; by default all.
    """
    return Rule(check, Scope.EXCHANGE, severity, tuple(evidence.split()), subjects)


choice_rule = partial(exchange_rule, subjects=attrgetter("choices"))
"""Return a rule that checks each choice of each exchange by itself."""

stream_rule = partial(exchange_rule, subjects=attrgetter("streams"))
"""Return a rule that checks each stream by itself, and is not called with other answers."""

stream_choice_rule = partial(exchange_rule, subjects=attrgetter("streamed_choices"))
"""Return a rule that checks each choice of each stream by itself."""

refusal_rule = partial(exchange_rule, subjects=attrgetter("refused"))
"""Return a rule that checks each exchange with a refusal by itself."""

task_rule = partial(exchange_rule, subjects=attrgetter("reports"))
"""Return a rule that checks each exchange that submits or polls a task."""


def conversation_rule(
    check: TranscriptCheck, evidence: str = "", severity: Severity = ERROR
) -> Rule:
    """Return a rule that calls *check* with a whole transcript, to check its exchanges together.

    *evidence* has the sources that justify the rule: keys of `evidence.toml`, separated by spaces.
    *severity* is the severity of its findings, unless a project sets another.
    """
    return Rule(check, Scope.CONVERSATION, severity, tuple(evidence.split()))


def _with_earlier(analyzed: AnalyzedTranscript) -> Sequence[AnalyzedTranscript]:
    return (analyzed,) if len(analyzed.readings) > 1 else ()


def history_rule(
    check: TranscriptCheck,
    evidence: str = "",
    severity: Severity = ERROR,
    subjects: Subjects = _with_earlier,
) -> Rule:
    """Return a rule that calls *check* with a transcript to compare its exchanges with each other.

    *evidence* has the sources that justify the rule: keys of `evidence.toml`, separated by spaces.
    *severity* is the severity of its findings, unless a project sets another. *subjects* returns a
    tuple of the transcript, or () if there is nothing to compare; by default, if it has fewer than
    two exchanges.
    """
    return replace(conversation_rule(check, evidence, severity), subjects=subjects)


def sdk_rule(check: TranscriptCheck, evidence: str = "", severity: Severity = ERROR) -> Rule:
    """Return a rule that compares an SDK's arguments and results with the exchanges, by *check*.

    *check* is called with the whole transcript, but not with one that was made without an SDK, such
    as one read from a cassette.

    *evidence* has the sources that justify the rule: keys of `evidence.toml`, separated by spaces.
    *severity* is the severity of its findings, unless a project sets another.
    """
    return Rule(check, Scope.SDK, severity, tuple(evidence.split()), _run_by_sdk)


def _run_by_sdk(analyzed: AnalyzedTranscript) -> Sequence[AnalyzedTranscript]:
    """Return the transcript, unless no SDK has run: it was read from a cassette."""
    return (analyzed,) if analyzed.is_of_sdk else ()


# --------------------------------------------------------------------------------- findings

_MAX_SHOWN = 91


def show(value: object) -> str:
    """Return a value as JSON on one line, for messages; long JSON is cut off."""
    text = json.dumps(value, ensure_ascii=False, default=repr)
    text = text.encode("utf-8", "replace").decode()
    return ellipsized(text, _MAX_SHOWN)


# --------------------------------------------------------------------------------- exchanges


def messages(reading: AnalyzedExchange) -> tuple[str, list[Json]]:
    """Return (JSON pointer of the array of messages in a request, the messages).

    Returns `("", [])` if there are none. Messages in another format than OpenAI's are not returned.
    """
    fields = reading.endpoint.fields if reading.endpoint else NO_FIELDS
    pointer, value = next(seen(reading.request_json.value, fields.messages), ("", None))
    return (pointer, value) if isinstance(value, list) else ("", [])


@dataclass(frozen=True, slots=True)
class SentMessages:
    """The messages of a request in OpenAI's format.

    Attributes:
        messages: The messages, translated if the request has another format.
        pointer: The JSON pointer of their array; empty if they are translated.
        pointers: The JSON pointer of each message in the request, if they are translated.
    """

    messages: list[Json]
    pointer: str = ""
    pointers: tuple[str, ...] = ()

    def at(self, number: int, inner: str = "") -> str:
        """Return the JSON pointer in the request of message *number* (from 0), for a finding.

        *inner* is the JSON pointer of a value inside of the message. It is ignored if the message
        is translated, since the request has that value elsewhere.
        """
        return self.pointers[number] if self.pointers else f"{self.pointer}/{number}{inner}"


def sent_messages(reading: AnalyzedExchange) -> SentMessages:
    """Return the messages of a request; messages in another format are translated."""
    endpoint = reading.endpoint
    if endpoint is None or endpoint.conversation is None:
        pointer, sent = messages(reading)
        return SentMessages(sent, pointer)
    located = endpoint.conversation(reading.request_json.value)
    return SentMessages([message for _, message in located], "", tuple(p for p, _ in located))


def whole_conversation(reading: AnalyzedExchange) -> SentMessages:
    """Return the messages of a request; no messages if it has only a part of its conversation.

    A request leaves out messages that the service has stored. Messages in another format than
    OpenAI's are translated.
    """
    endpoint = reading.endpoint
    if endpoint is not None and endpoint.remembers(reading.request_json.value):
        return SentMessages([])
    return sent_messages(reading)


def wants_stream(reading: AnalyzedExchange) -> bool:
    """Return whether a request asks for a stream: in its body, which may be a form, or a header."""
    given = resolve(reading.request_json.value, "/stream")
    return (
        given is True
        or given in ("true", "True")
        or any(
            (name == "accept" and value == "text/event-stream")
            or (name.endswith("-sse") and value == "enable")
            for name, value in ((n.lower(), v.lower()) for n, v in reading.exchange.request.headers)
        )
    )


# --------------------------------------------------------------------------------- turns


@dataclass(frozen=True, slots=True)
class Answered:
    """The request and the reply of a turn that was answered.

    Attributes:
        request: The exchange with the request.
        answer: The exchange with the reply; of a task, the last poll.
        reply: The reply.
    """

    request: AnalyzedExchange
    answer: AnalyzedExchange
    reply: Reply

    def requested(self, field: str) -> Json:
        """Return the request's value of *field*, a name of `Fields` such as `size`; else None."""
        fields = self.request.endpoint.fields if self.request.endpoint else NO_FIELDS
        pointers: Pointers = getattr(fields, field)
        value: Json = first(self.request.request_json.value, pointers) if pointers else None
        return value


def turn_place(turn: AnalyzedTurn, pointer: str = "") -> Place:
    """Return the place of a turn's answer, for a finding; of the turn itself if it has no answer.

    With *pointer*, it is the place of that value in the whole body or the last event of the answer.
    """
    reading = turn.answer
    if reading is None:
        return Place(turn=turn.turn.number)
    return reading.place(pointer, reading.parts[-1] if pointer and reading.parts else None)


def answered(analyzed: AnalyzedTranscript) -> Iterator[Answered]:
    """Yield an `Answered` for each turn that was answered with a `Reply`."""
    for turn in analyzed.turns:
        request, answer = turn.request, turn.answer
        if request is not None and answer is not None and isinstance(turn.outcome, Reply):
            yield Answered(request, answer, turn.outcome)
