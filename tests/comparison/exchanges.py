"""Two invented dialects, and transcripts spoken in them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from exchanges import recogniser

from harness.analysis.endpoint import Endpoint, Fields, Part, Role, States
from harness.analysis.transcript import AnalyzedTranscript, analyze
from harness.types import (
    Exchange,
    Failure,
    GeneratedFile,
    Outcome,
    Reply,
    Request,
    Response,
    Timing,
    ToolCall,
    Transcript,
    Turn,
    Usage,
)

STATES = States(running=("WAITING", "RUNNING"), succeeded=("DONE",), failed=("BROKEN",))


def _read(parts: Sequence[Part], request: Any) -> Outcome | None:
    bodies: list[dict[str, Any]] = [part.value for part in parts if isinstance(part.value, dict)]
    merged: dict[str, Any] = {key: value for body in bodies for key, value in body.items()}
    merged |= merged.pop("output", {}) if isinstance(merged.get("output"), dict) else {}
    if merged.get("state") == "BROKEN":
        return Failure(200, "Broken", "")
    texts = [str(body["text"]) for body in bodies if "text" in body] or merged.get("say")
    usage = merged.get("usage")
    tools = merged.get("tools")
    return Reply(
        content="".join(texts) if texts else None,
        reasoning=merged.get("reasoning"),
        finish_reason=merged.get("finish"),
        tool_calls=tuple(ToolCall("1", *tool) for tool in tools if isinstance(tool, list))
        if isinstance(tools, list)
        else (),
        usage=Usage(*usage) if isinstance(usage, list) and len(usage) == 3 else None,
        files=tuple(GeneratedFile(str(url)) for url in merged.get("images") or ()),
        states=(str(merged["state"]),) if "state" in merged else (),
    )


REFUSED = Fields(code=("/code",), message=("/message",))


def _endpoint(name: str, method: str, path: str, role: Role, *volatile: str) -> Endpoint:
    return Endpoint(
        name=name,
        method=method,
        path=re.compile(path),
        role=role,
        answer={},
        refusal={},
        read=_read,
        fields=REFUSED,
        volatile=frozenset(volatile),
        states=STATES,
    )


ENDPOINTS = (
    _endpoint("ours.chat", "POST", "/chat", Role.ANSWER, "/id", "/items/[]/id"),
    _endpoint("theirs.chat", "POST", "/talk", Role.ANSWER),
    _endpoint("ours.submit", "POST", "/tasks", Role.SUBMIT, "/task"),
    _endpoint("ours.poll", "GET", "/tasks/.*", Role.POLL),
    _endpoint("ours.file", "GET", "/files/.*", Role.FILE),
)

RECOGNISE = recogniser(ENDPOINTS)


def exchange(
    body: bytes,
    path: str = "/chat",
    kind: str = "application/json",
    status: int = 200,
    request: Any = None,
    timing: Timing | None = None,
) -> Exchange:
    """One exchange; whatever is not asked for with POST is fetched."""
    posted = path in ("/chat", "/talk", "/tasks") or path.endswith("/completions")
    method = "POST" if posted else "GET"
    return Exchange(
        Request(method, f"https://there{path}", (), json.dumps(request).encode()),
        Response(status, "", (("content-type", kind),), body),
        timing,
    )


def json_answer(body: Any, path: str = "/chat", status: int = 200) -> Exchange:
    """A JSON answer."""
    return exchange(json.dumps(body).encode(), path, status=status)


def stream_answer(*events: Any, path: str = "/chat") -> Exchange:
    """An answer as server-sent events."""
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
    return exchange(body.encode(), path, "text/event-stream")


def transcript_of(
    *turns: Sequence[Exchange], target: str = "ours/one", source: str = ""
) -> AnalyzedTranscript:
    """A transcript of these turns."""
    numbered = tuple(Turn(n, tuple(group)) for n, group in enumerate(turns, start=1))
    return analyze(Transcript("greeting", target, numbered, source=source), RECOGNISE)


def one_answer(body: Any) -> AnalyzedTranscript:
    """A transcript of one turn with one JSON answer."""
    return transcript_of([json_answer(body)])
