"""Spans of OpenTelemetry's GenAI conventions, as OTLP JSON.

Names of attributes: the conventions of 2026 (`gen_ai.input.messages` ...), and those of
`older_spans`. Messages may be attributes of the span, or of its events or log records. Names of
fields are those of OTLP (`startTimeUnixNano`) or of protobuf (`start_time_unix_nano`). A span has
what a program saw of a call, not what travelled.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from harness.analysis.transcript import AnalyzedTranscript, AnalyzedTurn
from harness.convert import synthetic
from harness.convert.converted import Converted
from harness.convert.older_spans import INPUT, NAMES, OUTPUT, decoded, objects, with_messages
from harness.convert.synthetic import KnownAnswer
from harness.errors import BadCassette
from harness.report.conversation import sent_messages
from harness.types import Choice, Failure, Json, Message, Reply, Timing, ToolCall
from harness.wire import as_list, as_object, compact, read_json

_CHATS = ("chat", "text_completion", "generate_content")
_NO_CONTENT = "its messages were not captured (gen_ai.input.messages is missing)"
LOSSES = ["the bytes, headers and chunks that travelled: a span has messages and counts"]
_NO_ANSWER = "its answer was not captured (gen_ai.output.messages is missing)"
_OTHER_PARTS = "parts of messages that are no text, such as pictures"
_OTHER_CHOICES = "all choices but the first"
_ROOTS = ("resourceSpans", "resource_spans", "resourceLogs", "resource_logs", "batches")


def reads(document: Json) -> bool:
    """Return whether a JSON document, or each of an array, has spans or logs as OTLP JSON."""
    if isinstance(document, list):
        return bool(document) and all(isinstance(one, dict) and reads(one) for one in document)
    return isinstance(document, dict) and any(
        isinstance(document.get(name), list) for name in _ROOTS
    )


def read(content: bytes, source: str) -> Converted:
    """Return an exchange for each chat span in *content*, the bytes of a file.

    The file is one OTLP JSON document, or has one on each line. *source* is the name of the file
    for messages; spans without messages or an answer are noted as skipped.

    Raises:
        BadCassette: The file has no spans.
    """
    documents = _documents(content)
    if not documents or not all(reads(document) for document in documents):
        raise BadCassette("not OTLP JSON: there are no resourceSpans", source)
    converted = Converted()
    documents = [_camel(document) for document in documents]
    spans = [span for document in documents for span in _below(document, "resourceSpans")]
    logs = _logs(documents)
    alone = logs.keys() - {str(span.get("spanId")) for span in spans}
    if alone:
        converted.skip(source, f"log records of {len(alone)} spans that are not in it")
    for number, span in enumerate(sorted(spans, key=_start), start=1):
        events = [*_events(span), *logs.get(str(span.get("spanId")), ())]
        attributes = with_messages(_attributes(span.get("attributes")), events)
        operation = attributes.get("gen_ai.operation.name")
        if operation not in _CHATS:
            if any(name.startswith("gen_ai.") for name in attributes):
                what = operation or "what names no gen_ai.operation.name"
                converted.skip(f"{source}, span {number}", f"{what} is not a chat")
            continue
        messages = _in_messages(attributes)
        answers = _structured(attributes.get(OUTPUT))
        if not messages or not answers:
            why = _NO_ANSWER if messages else _NO_CONTENT
            if failure := attributes.get("error.type"):
                why = f"it failed: {failure}"
            converted.skip(f"{source}, span {number}", why)
            continue
        converted.lose(synthetic.LOST)
        if len(answers) > 1:
            converted.lose(_OTHER_CHOICES)
        if _has_other_parts([*_structured(attributes.get(INPUT)), *answers]):
            converted.lose(_OTHER_PARTS)
        converted.exchanges.append(
            synthetic.chat(
                str(attributes.get("gen_ai.request.model", "unknown")),
                messages,
                _answer(attributes),
                number,
                _timing(span),
                _parameters(attributes),
            )
        )
    return converted


def _camel(value: Any) -> Any:
    """Return a document with the names of fields as OTLP has them; those of attributes stay."""
    if isinstance(value, dict):
        return {_camel_name(name): _camel(item) for name, item in value.items()}
    return [_camel(item) for item in value] if isinstance(value, list) else value


def _camel_name(name: str) -> str:
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), name)


def _has_other_parts(messages: Sequence[Any]) -> bool:
    parts = (part for message in messages for part in _objects(message, "parts"))
    return any(part.get("type") not in _KNOWN_PARTS for part in parts)


_KNOWN_PARTS = ("text", "reasoning", "tool_call", "tool_call_response")


def _parameters(attributes: Mapping[str, Any]) -> dict[str, Json]:
    """Return the parameters of a request that a span has."""
    pairs = (
        (name, attributes.get(f"gen_ai.request.{old}")) for old, name in NAMES["parameters"].items()
    )
    found: dict[str, Json] = {name: value for name, value in pairs if value is not None}
    given = as_object(decoded(attributes.get("llm.invocation_parameters"))).items()
    found |= {name: value for name, value in given if name in NAMES["parameters"].values()}
    tools: list[Json] = [
        {"type": "function", "function": {k: v for k, v in tool.items() if k != "type"}}
        for tool in _structured(attributes.get("gen_ai.tool.definitions"))
        if isinstance(tool, dict) and tool.get("type") == "function" and "name" in tool
    ]
    return {**found, "tools": tools} if tools else found


def _documents(content: bytes) -> list[Any]:
    whole = read_json(content)
    if not whole.problem:
        return whole.value if isinstance(whole.value, list) else [whole.value]
    return [read_json(line).value for line in content.splitlines() if line.strip()]


def _below(document: Any, root: str) -> Iterator[dict[str, Any]]:
    """Yield the spans or log records of a document, also of OTLP before 0.20 and of Tempo."""
    kind = root.removeprefix("resource")
    for resource in [*_objects(document, root), *_objects(document, "batches")]:
        for name in (f"scope{kind}", f"instrumentationLibrary{kind}"):
            for scope in _objects(resource, name):
                yield from _objects(scope, {"Spans": "spans", "Logs": "logRecords"}[kind])


def _logs(documents: Sequence[Any]) -> dict[str, list[tuple[str, dict[str, Any]]]]:
    """Return the name and the content of each log record, by the span that it belongs to."""
    found: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    records = [record for document in documents for record in _below(document, "resourceLogs")]
    for record in sorted(records, key=lambda r: _nanoseconds(r.get("timeUnixNano"))):
        attributes, body = _attributes(record.get("attributes")), record.get("body")
        content = _value(body) if isinstance(body, dict) else {}
        name = record.get("eventName") or attributes.get("event.name")
        event = (str(name), {**attributes, **as_object(content)})
        found.setdefault(str(record.get("spanId")), []).append(event)
    return found


def _events(span: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return the name and the attributes of each event of a span."""
    events = _objects(span, "events")
    return [(str(event.get("name")), _attributes(event.get("attributes"))) for event in events]


def _objects(value: Any, name: str) -> list[dict[str, Any]]:
    """Return the objects in the array *name* of an object; none if there is no such array."""
    return objects(value.get(name)) if isinstance(value, dict) else []


def _start(span: Mapping[str, Any]) -> int:
    return _nanoseconds(span.get("startTimeUnixNano"))


def _nanoseconds(value: Any) -> int:
    text = str(value or "0")
    return int(text) if text.isdecimal() else 0


def _timing(span: Mapping[str, Any]) -> Timing | None:
    start, end = _start(span), _nanoseconds(span.get("endTimeUnixNano"))
    total = max(0, end - start) / 1e9
    return Timing(start / 1e9, total, total) if start else None


def _attributes(pairs: Any) -> dict[str, Any]:
    """Return the attributes of a span as Python values; those in JSON texts are decoded."""
    found = {}
    for pair in objects(pairs):
        if isinstance(value := pair.get("value"), dict):
            found[str(pair.get("key"))] = _value(value)
    return found


def _value(value: Mapping[str, Any]) -> Any:
    if "arrayValue" in value:
        return [_value(item) for item in _objects(value["arrayValue"], "values")]
    if "kvlistValue" in value:
        return _attributes(_objects(value["kvlistValue"], "values"))
    if "intValue" in value:
        text = str(value["intValue"])
        return int(text) if re.fullmatch(r"-?[0-9]{1,30}", text) else None
    return next((v for k, v in value.items() if k.endswith("Value")), None)


def _structured(value: Any) -> list[Any]:
    """Return a list that may stand in an attribute as JSON text."""
    return as_list(decoded(value))


def _in_messages(attributes: Mapping[str, Any]) -> list[Message]:
    system = _structured(attributes.get("gen_ai.system_instructions"))
    messages = [Message("system", _text(system))] if system else []
    for message in _structured(attributes.get(INPUT)):
        if isinstance(message, dict):
            messages += _messages(str(message.get("role", "user")), message)
    return messages


def _messages(role: str, message: Mapping[str, Any]) -> Iterator[Message]:
    """Yield the message of these parts, or one for each result of a tool."""
    given = _objects(message, "parts")
    results = [part for part in given if part.get("type") == "tool_call_response"]
    for part in results:
        response = part.get("response", part.get("result"))
        text = response if isinstance(response, str) else compact(response)
        yield Message("tool", text, tool_call_id=str(part.get("id", "")))
    if not results:
        reasoning = _text(given, "reasoning")
        yield Message(role, _text(given), _calls(given), reasoning=reasoning)


def _text(parts: Sequence[Any], kind: str = "text") -> str:
    texts = [p.get("content") for p in parts if isinstance(p, dict) and p.get("type") == kind]
    return "\n".join(text for text in texts if isinstance(text, str))


def _calls(parts: Sequence[Mapping[str, Any]]) -> tuple[ToolCall, ...]:
    return tuple(
        ToolCall(
            str(p.get("id", "")), str(p.get("name", "")), synthetic.as_json_text(p.get("arguments"))
        )
        for p in parts
        if p.get("type") == "tool_call"
    )


def _finish_reason(reason: Any) -> str:
    return NAMES["reasons"].get(str(reason), str(reason or ""))


def _answer(attributes: Mapping[str, Any]) -> KnownAnswer:
    given = _structured(attributes.get(OUTPUT))
    first = given[0] if given and isinstance(given[0], dict) else {}
    parts = _objects(first, "parts")
    named = _structured(attributes.get("gen_ai.response.finish_reasons"))
    reasons = named or [first.get("finish_reason")]
    calls, text = _calls(parts), _text(parts)
    incoming, outgoing = (attributes.get(f"gen_ai.usage.{n}_tokens") for n in ("input", "output"))
    usage: dict[str, Json] = {}
    if isinstance(incoming, int) and isinstance(outgoing, int):
        usage = synthetic.usage(incoming, outgoing)
    return KnownAnswer(
        content=text if text or not calls else None,
        reasoning=_text(parts, "reasoning") or None,
        tool_calls=calls,
        finish_reason=_finish_reason(reasons[0]) if reasons else "",
        usage=usage,
        id=str(attributes.get("gen_ai.response.id", "")),
        model=str(attributes.get("gen_ai.response.model", "")),
    )


# ------------------------------------------------------------------------------------ writing


def write(reads: Sequence[AnalyzedTranscript], version: str) -> dict[str, Json]:
    """Return transcripts as OTLP JSON: a trace for each, a span for each turn with an outcome.

    Args:
        reads: The transcripts.
        version: The version of the harness, for the scope of the spans.
    """
    spans: list[Json] = [
        _span(read, turn) for read in reads for turn in read.turns if turn.outcome is not None
    ]
    scope: dict[str, Json] = {
        "scope": {"name": "llm-conversation-harness", "version": version},
        "spans": spans,
    }
    return {"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [scope]}]}


def _span(read: AnalyzedTranscript, turn: AnalyzedTurn) -> dict[str, Json]:
    source = f"{read.transcript.source} {read.transcript.scenario} {read.transcript.target}"
    timings = [e.timing for e in turn.turn.exchanges if e.timing is not None]
    start = min((t.start for t in timings), default=0.0)
    end = max((t.start + t.total for t in timings), default=start)
    values = dict(_span_values(turn))
    failed = isinstance(turn.outcome, Failure)
    return {
        "traceId": _digest(source, 32),
        "spanId": _digest(f"{source} {turn.turn.number}", 16),
        "name": f"chat {values.get('gen_ai.request.model', '')}".strip(),
        "kind": 3,
        "startTimeUnixNano": str(round(start * 1e9)),
        "endTimeUnixNano": str(round(end * 1e9)),
        "attributes": [{"key": key, "value": _otlp(value)} for key, value in values.items()],
        "status": {"code": 2} if failed else {},
    }


def _digest(text: str, length: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def _span_values(turn: AnalyzedTurn) -> Iterator[tuple[str, Json]]:
    """Yield the attributes of a turn."""
    outcome, first = turn.outcome, turn.readings[0] if turn.readings else None
    yield "gen_ai.operation.name", "chat"
    if first is not None:
        if first.endpoint is not None:
            yield "gen_ai.provider.name", first.endpoint.name.partition(".")[0]
        model = as_object(first.request_json.value).get("model")
        if isinstance(model, str):
            yield "gen_ai.request.model", model
        yield "server.address", urlsplit(first.exchange.request.uri).hostname or ""
    messages = sent_messages(turn)
    system = [m for m in messages if m.role == "system"]
    if system:
        yield "gen_ai.system_instructions", [{"type": "text", "content": m.content} for m in system]
    yield "gen_ai.input.messages", [_out(m) for m in messages if m.role != "system"]
    if isinstance(outcome, Failure):
        yield "error.type", outcome.code or str(outcome.status)
    elif isinstance(outcome, Reply):
        yield from _reply_values(outcome)


def _reply_values(reply: Reply) -> Iterator[tuple[str, Json]]:
    for name, value in (("response.id", reply.id), ("response.model", reply.model)):
        if value:
            yield f"gen_ai.{name}", value
    reasons: list[Json] = [choice.finish_reason or "" for choice in reply.choices]
    yield "gen_ai.response.finish_reasons", reasons
    if reply.usage is not None:
        counts = (("input", reply.usage.input_tokens), ("output", reply.usage.output_tokens))
        for name, number in counts:
            if number is not None:
                yield f"gen_ai.usage.{name}_tokens", number
    yield "gen_ai.output.messages", [_choice(choice) for choice in reply.choices]


def _choice(choice: Choice) -> dict[str, Json]:
    message = _out(Message("assistant", choice.content or "", choice.tool_calls))
    if choice.reasoning:
        parts = message["parts"]
        assert isinstance(parts, list)  # noqa: S101 - narrows a union
        parts.insert(0, {"type": "reasoning", "content": choice.reasoning})
    reason = choice.finish_reason or ""
    return {**message, "finish_reason": "tool_call" if reason == "tool_calls" else reason}


def _out(message: Message) -> dict[str, Json]:
    """Return a message in the form of the conventions."""
    if message.role == "tool":
        part: dict[str, Json] = {
            "type": "tool_call_response",
            "id": message.tool_call_id,
            "response": message.content,
        }
        return {"role": "tool", "parts": [part]}
    parts: list[Json] = [{"type": "text", "content": message.content}] if message.content else []
    for call in message.tool_calls:
        arguments = read_json(call.arguments.encode())
        value = call.arguments if arguments.problem else arguments.value
        parts.append({"type": "tool_call", "id": call.id, "name": call.name, "arguments": value})
    return {"role": message.role, "parts": parts}


def _otlp(value: Json) -> dict[str, Json]:
    """Return a value as OTLP has it; messages are JSON texts, which all back ends accept."""
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return {"arrayValue": {"values": [{"stringValue": item} for item in value]}}
    if isinstance(value, str):
        return {"stringValue": value}
    return {"stringValue": json.dumps(value, ensure_ascii=False)}
