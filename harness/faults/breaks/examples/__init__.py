"""Small valid exchanges of every endpoint and mode: what rules are explained with, and tested."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from harness.analysis.endpoint import Role
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.reply import first, text_of
from harness.analysis.transcript import AnalyzedTranscript, AnalyzedTurn, analyze, transcript_of
from harness.faults.breaks.examples import dashscope, zhipuai
from harness.providers import endpoints
from harness.rules.rule import messages, question, wants_stream
from harness.types import (
    Call,
    CallKind,
    Cassette,
    Exchange,
    LooseJson,
    Message,
    Mode,
    Reply,
    ToolCall,
    Transcript,
    Turn,
    View,
)
from harness.wire import query, resolve

EXAMPLES: Mapping[str, tuple[Exchange, ...]] = MappingProxyType(
    {**zhipuai.EXAMPLES, **dashscope.EXAMPLES}
)


def recorded(exchanges: tuple[Exchange, ...], source: str = "example") -> Transcript:
    """Exchanges as a cassette of another tool holds them: no SDK ran."""
    return transcript_of(Cassette(exchanges), endpoints.recognise, source=source)


def played(transcript: Transcript) -> Transcript:
    """The same as an SDK would have lived it that agrees with the wire in everything."""
    told = analyze(transcript, endpoints.recognise)
    return replace(transcript, turns=tuple(_played(turn, told) for turn in told.turns))


def _played(turn: AnalyzedTurn, told: AnalyzedTranscript) -> Turn:
    asked, outcome = question(turn), turn.outcome
    if asked is None or outcome is None:
        return turn.turn
    if isinstance(outcome, Reply):
        parts = [part for r in turn.readings for part in r.parts]
        outcome = replace(outcome, views=tuple(View(p.value) for p in parts))
    expect = replace(turn.turn.expect, failure="" if isinstance(outcome, Reply) else outcome.code)
    return replace(turn.turn, call=_call(asked), outcome=outcome, expect=expect)


def _call(asked: AnalyzedExchange) -> Call:
    """What a scenario says that comes to this request."""
    body, endpoint = asked.request_json.value, asked.endpoint
    prompt = first(body, endpoint.fields.prompt) if endpoint else None
    start = endpoint.fields.parameters if endpoint else ""
    parameters = resolve(body, start) if start else {}
    mode = Mode.STREAM if wants_stream(asked) or asked.is_stream else Mode.SYNC
    if endpoint and endpoint.role is Role.SUBMIT:
        mode = Mode.ASYNC
    sent = tuple(_message(held) for held in messages(asked)[1])
    return Call(
        kind=CallKind.CHAT if sent or prompt is None else CallKind.PROMPT,
        mode=mode,
        model=str(resolve(body, "/model")),
        messages=sent,
        prompt=str(prompt or ""),
        parameters=parameters if isinstance(parameters, dict) else {},
    )


def _message(held: LooseJson) -> Message:
    told = [
        resolve(held, "/role"),
        text_of(resolve(held, "/content")),
        resolve(held, "/tool_call_id"),
    ]
    role, content, call = (text if isinstance(text, str) else "" for text in told)
    pointers = ("/id", "/function/name", "/function/arguments")
    calls = (
        ToolCall(*(str(resolve(c, p)) for p in pointers)) for _, c in query(held, "/tool_calls/[]")
    )
    return Message(role, content, tuple(calls), call)
