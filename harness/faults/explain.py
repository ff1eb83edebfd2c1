"""Examples for rules: a valid sample, a copy of it with a fault, and the rule's finding.

The samples are transcripts of the providers' sample exchanges. A fault changes a copy of a sample,
and the text around the first difference is shown.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.resources import files
from itertools import product
from typing import IO

from harness.analysis.endpoint import Role
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.fault import TranscriptFault
from harness.analysis.reply import first
from harness.analysis.transcript import AnalyzedTurn, analyze, transcript_of
from harness.faults.registry import RULE_FAULTS, breaking, injected
from harness.providers import endpoints
from harness.providers.samples import SAMPLES
from harness.rules.rule import Rule, sent_messages, wants_stream
from harness.rules.sdk import shown_parts
from harness.scenario.messages import message_of
from harness.types import (
    EMPTY,
    Call,
    CallKind,
    Cassette,
    ContentPart,
    Exchange,
    Finding,
    Medium,
    Mode,
    Reply,
    Transcript,
    Turn,
    View,
)
from harness.wire import as_list, as_object, resolve

EVIDENCE = tomllib.loads((files("harness.rules") / "evidence.toml").read_text(encoding="utf-8"))
"""The source behind each short name in the tables of rules."""

_AROUND = 90
"""Characters shown before and after a difference."""


@dataclass(frozen=True, slots=True)
class Example:
    """A sample that passes a rule, and a copy with a fault that the rule finds.

    Attributes:
        sample: The name of the sample.
        fault: The fault that changed the copy.
        passes: The text around the change in the valid sample.
        fails: The text around the change in the copy.
        finding: The rule's finding in the copy.
    """

    sample: str
    fault: TranscriptFault
    passes: str
    fails: str
    finding: Finding


def evidence(rule: Rule) -> tuple[str, ...]:
    """Return, for each source that a rule cites, its description or, if it has none, its name."""
    return tuple(EVIDENCE.get(name, name) for name in rule.evidence)


def example(rule: Rule) -> Example | None:
    """Return an example for a rule: the first sample and fault for which it has a finding.

    Returns None if there is no such sample.
    """
    pairs = product(breaking(rule.name), sample_transcripts().items())
    examples = (_example(rule, fault, name, valid) for fault, (name, valid) in pairs)
    return next((one for one in examples if one is not None), None)


def _example(rule: Rule, fault: TranscriptFault, name: str, valid: Transcript) -> Example | None:
    """Return the example of *fault* in the sample *name*; None if the rule has no finding in it."""
    for changed in injected(fault, valid):
        finding = next(rule.findings(analyze(changed, endpoints.recognise)), None)
        if finding is not None:
            passes, fails = _difference(valid, changed)
            if not passes and not fails:  # not in the bytes, but in what an SDK made of it
                passes, fails = finding.expected, finding.actual
            return Example(name, fault, passes, fails, finding)
    return None


def _difference(valid: Transcript, changed: Transcript) -> tuple[str, str]:
    """Return the texts around the first difference between the exchanges of two transcripts.

    Two empty texts if the exchanges are equal.
    """
    before, after = list(valid.exchanges()), list(changed.exchanges())
    if len(after) > len(before):
        place = next((n for n, e in enumerate(before) if after[n] != e), len(before))
        return _around(_texts(_similar(before, after[place]))[-1], _texts(after[place])[-1])
    pairs = (
        (whole, broken)
        for valid_exchange, changed_exchange in zip(before, after, strict=False)
        for whole, broken in zip(_texts(valid_exchange), _texts(changed_exchange), strict=True)
    )
    return next((_around(whole, broken) for whole, broken in pairs if whole != broken), ("", ""))


def _similar(exchanges: list[Exchange], added: Exchange) -> Exchange:
    """Return the last exchange with the method and URI of *added*; if none has, the last one."""
    target = (added.request.method, added.request.uri)
    similar = [e for e in exchanges if (e.request.method, e.request.uri) == target]
    return (similar or exchanges)[-1]


def _texts(exchange: Exchange) -> tuple[str, ...]:
    """Return the request line, request body, status line, response headers and response body."""
    request, response = exchange.request, exchange.response
    return (
        f"{request.method} {request.uri}",
        _text(request.body),
        f"HTTP {response.status}",
        "\n".join(f"{name}: {value}" for name, value in response.headers),
        _text(response.body),
    )


def _text(body: bytes) -> str:
    """Return a body as text; of a binary file, its size."""
    text = body.decode("utf-8", "backslashreplace")
    return f"{len(body)} bytes" if "\0" in text else text


def _around(whole: str, broken: str) -> tuple[str, str]:
    """Return the differing parts of two texts, with `_AROUND` equal characters before them."""
    size = min(len(whole), len(broken))
    start = next((n for n in range(size) if whole[n] != broken[n]), size)
    same = min(size - start, _AROUND)
    end = next((n for n in range(same) if whole[-1 - n] != broken[-1 - n]), same)
    begin = max(0, start - _AROUND)
    return _cut(whole, begin, len(whole) - end), _cut(broken, begin, len(broken) - end)


def _cut(text: str, begin: int, end: int) -> str:
    end = min(len(text), end + 12, begin + 4 * _AROUND)
    return f"{'…' if begin else ''}{text[begin:end]}{'…' if end < len(text) else ''}"


# ----------------------------------------------------------------------------------- samples


def sample_transcripts() -> dict[str, Transcript]:
    """Return the transcript of every sample, by name, with calls and outcomes as from an SDK."""
    return {name: as_run(as_recorded(sample, name)) for name, sample in SAMPLES.items()}


def as_recorded(exchanges: tuple[Exchange, ...], source: str = "sample") -> Transcript:
    """Return a transcript of the exchanges alone, without calls and outcomes of an SDK.

    *source* is the transcript's name in findings.
    """
    return transcript_of(Cassette(exchanges), endpoints.recognise, source=source)


def as_run(transcript: Transcript) -> Transcript:
    """Return *transcript* with the call and the outcome of each turn, as a correct SDK has them.

    Both are derived from the turn's exchanges; a turn without a request or an outcome stays as is.
    """
    analyzed = analyze(transcript, endpoints.recognise)
    return replace(transcript, turns=tuple(map(_run, analyzed.turns)))


def _run(turn: AnalyzedTurn) -> Turn:
    request, outcome = turn.request, turn.outcome
    if request is None or outcome is None:
        return turn.turn
    failure = ""
    if isinstance(outcome, Reply):
        outcome = replace(outcome, views=tuple(View(part.value) for part, _ in shown_parts(turn)))
    else:
        failure = outcome.code
    expect = replace(turn.turn.expect, failure=failure)
    return replace(turn.turn, call=_call(request), outcome=outcome, expect=expect)


def _call(request: AnalyzedExchange) -> Call:
    """Return the scenario call that would send the request."""
    body, endpoint = request.request_json.value, request.endpoint
    prompt = first(body, endpoint.fields.prompt) if endpoint else None
    place = endpoint.fields.parameters if endpoint else ""
    parameters = resolve(body, place) if place else {}
    mode = Mode.STREAM if wants_stream(request) or request.is_stream else Mode.SYNC
    if endpoint and endpoint.role is Role.SUBMIT:
        mode = Mode.ASYNC
    sent = tuple(
        replace(message_of(message), parts=(), sent=EMPTY)
        for message in sent_messages(request).messages
        if isinstance(message, dict)
    )
    texts = first(body, endpoint.fields.texts) if endpoint else None
    kind = CallKind.CHAT if sent or prompt is None else CallKind.PROMPT
    return Call(
        kind=CallKind.RERANK if prompt and texts else kind,
        mode=mode,
        model=str(resolve(body, "/model")),
        messages=sent,
        prompt=str(prompt or ""),
        inputs=tuple(
            ContentPart(Medium.TEXT, text) for text in as_list(texts) if isinstance(text, str)
        ),
        parameters=as_object(parameters),
    )


def extract(
    _file: IO[bytes], _keywords: object, _tags: object, options: object
) -> Iterator[tuple[int, None, str, list[str]]]:
    """Yield the description of each fault that breaks a rule, as messages for Babel.

    This is a Babel extractor, whose arguments are not used. A message is (1, None, text, []).
    """
    texts = dict.fromkeys(fault.description for fault in RULE_FAULTS)
    yield from ((1, None, text, []) for text in texts)
