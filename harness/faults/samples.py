"""The sample exchanges of the providers as transcripts."""

from __future__ import annotations

from dataclasses import replace

from harness.analysis.endpoint import Role
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.reply import first, text_of
from harness.analysis.transcript import AnalyzedTurn, analyze, transcript_of
from harness.providers import endpoints
from harness.providers.samples import SAMPLES
from harness.rules.rule import messages, turn_request, wants_stream
from harness.types import (
    Call,
    CallKind,
    Cassette,
    Exchange,
    Json,
    Message,
    Mode,
    Reply,
    ToolCall,
    Transcript,
    Turn,
    View,
)
from harness.wire import query, resolve


def sample_transcripts() -> dict[str, Transcript]:
    """Return the transcript of every sample by its name, with the calls and outcomes of an SDK."""
    return {name: as_run(as_recorded(sample, name)) for name, sample in SAMPLES.items()}


def as_recorded(exchanges: tuple[Exchange, ...], source: str = "sample") -> Transcript:
    """Return a transcript of the exchanges alone, without calls and outcomes of an SDK."""
    return transcript_of(Cassette(exchanges), endpoints.recognise, source=source)


def as_run(transcript: Transcript) -> Transcript:
    """Return the transcript with calls and outcomes of an SDK that agree with its exchanges."""
    analyzed = analyze(transcript, endpoints.recognise)
    return replace(transcript, turns=tuple(map(_run, analyzed.turns)))


def _run(turn: AnalyzedTurn) -> Turn:
    request, outcome = turn_request(turn), turn.outcome
    if request is None or outcome is None:
        return turn.turn
    failure = ""
    if isinstance(outcome, Reply):
        parts = [part for r in turn.readings for part in r.parts]
        outcome = replace(outcome, views=tuple(View(part.value) for part in parts))
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
    sent = tuple(_message(message) for message in messages(request)[1])
    return Call(
        kind=CallKind.CHAT if sent or prompt is None else CallKind.PROMPT,
        mode=mode,
        model=str(resolve(body, "/model")),
        messages=sent,
        prompt=str(prompt or ""),
        parameters=parameters if isinstance(parameters, dict) else {},
    )


def _message(message: Json) -> Message:
    values = (
        resolve(message, "/role"),
        text_of(resolve(message, "/content")),
        resolve(message, "/tool_call_id"),
    )
    role, text, call_id = (value if isinstance(value, str) else "" for value in values)
    pointers = ("/id", "/function/name", "/function/arguments")
    tool_calls = query(message, "/tool_calls/[]")
    calls = (
        ToolCall(*(str(resolve(call, pointer)) for pointer in pointers)) for _, call in tool_calls
    )
    return Message(role, text, tuple(calls), call_id)
