"""A small report, and the one invented endpoint its transcripts speak to."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Sequence
from typing import Any

from exchanges import recogniser
from rich.console import Console

from harness.analysis.difference import ChangeKind as What
from harness.analysis.difference import Verdict
from harness.analysis.endpoint import Endpoint, Fields, Part, Role
from harness.analysis.transcript import AnalyzedTranscript, analyze
from harness.comparison.matrix import matrix
from harness.drift.types import Drift, DriftChange
from harness.report import Report
from harness.types import (
    Call,
    CallKind,
    Exchange,
    Finding,
    GeneratedFile,
    Message,
    Mode,
    Origin,
    Outcome,
    Place,
    Problem,
    Provenance,
    Reply,
    Request,
    Response,
    Severity,
    Timing,
    ToolCall,
    Transcript,
    Turn,
    Usage,
)


def _read(parts: Sequence[Part], asked: Any) -> Outcome | None:
    told: Any = parts[0].value
    if not isinstance(told, dict):
        return None
    return Reply(
        content=text if isinstance(text := told.get("text"), str) else None,
        reasoning=told.get("thought"),
        finish_reason=told.get("finish"),
        tool_calls=tuple(ToolCall(*tool) for tool in told.get("tools", ())),
        usage=Usage(7, 5, 12),
        files=tuple(GeneratedFile(url) for url in told.get("images", ())),
        states=tuple(told.get("states", ())),
    )


REFUSED = Fields(code=("/code",), message=("/message",))


def _endpoint(name: str, method: str, path: str, role: Role) -> Endpoint:
    return Endpoint(name, method, re.compile(path), role, {}, {}, _read, fields=REFUSED)


RECOGNISE = recogniser(
    [
        _endpoint("chat", "POST", "/chat", Role.ANSWER),
        _endpoint("submit", "POST", "/tasks", Role.SUBMIT),
        _endpoint("poll", "GET", "/tasks/1", Role.POLL),
        _endpoint("file", "GET", "/file", Role.FILE),
    ]
)


def exchange(answer: Any, asked: Any = None, path: str = "/chat", status: int = 200) -> Exchange:
    """One exchange with a JSON answer; bytes are answered as they are."""
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    posted = path in ("/chat", "/tasks") or path.endswith("/completions")
    method = "POST" if posted else "GET"
    request = Request(method, f"https://there{path}", (), json.dumps(asked).encode())
    headers = (("content-type", "application/json"),)
    return Exchange(request, Response(status, "", headers, body), Timing(0, 0.25, 1.5))


def told(
    *turns: Sequence[Exchange],
    scenario: str = "问候",
    target: str = "ours/one",
    origin: Origin = Origin.SANDBOX,
    skipped: tuple[str, ...] = (),
) -> AnalyzedTranscript:
    """A transcript of these turns."""
    numbered = tuple(Turn(n, tuple(group)) for n, group in enumerate(turns, start=1))
    provenance = Provenance(origin, "2026-07-01", scenario, target)
    return analyze(Transcript(scenario, target, numbered, provenance, (), skipped), RECOGNISE)


def called(text: str) -> AnalyzedTranscript:
    """A transcript whose one call is known, answered with the same text."""
    call = Call(CallKind.CHAT, Mode.SYNC, "one", (Message("user", text),))
    turn = Turn(1, (exchange({"text": text}),), call)
    return analyze(Transcript("问候", "ours/one", (turn,)), RECOGNISE)


def sample(text: str = "你好") -> Report:
    """A report with one of everything; `text` stands wherever a recording puts words."""
    asked = {"messages": [{"role": "user", "content": text}]}
    answer = {"text": text, "finish": "stop", "tools": [["1", text, text]], "images": [text]}
    one = told([exchange(answer, asked)], skipped=(text,))
    two = told([exchange({"text": "other", text: 1})], target="ours/two")
    refused = told([exchange({"code": text, "message": text}, status=429)], target="ours/three")
    return Report(
        title=f"check {text}",
        reads=(one, two, refused),
        findings=(
            Finding(
                f"bad: {text}",
                Place(1, 1, None, 3, "/x"),
                "adds_up",
                Severity.ERROR,
                "问候",
                "ours/one",
                "a.yaml",
            ),
            Finding(f"odd: {text}", Place(1), "odd", Severity.WARNING, "问候", "ours/two"),
        ),
        matrices=(matrix([one, two, refused]),),
        problems=(Problem("问候", "ours/four", f"no cassette: {text}"),),
        duration=1.25,
        drifts=drifts(text),
    )


def _change(
    kind: What,
    part: str = "",
    path: str = "",
    before: str = "",
    after: str = "",
    verdict: Verdict = Verdict.BREAKING,
    **details: str,
) -> DriftChange:
    return DriftChange(kind, path, "", before, after, 1, part, verdict=verdict, **details)


def drifts(text: str) -> tuple[Drift, ...]:
    """One that is the same, one that is not."""
    gone = _change(What.REMOVED, text, f"/{text}", text, reason=text)
    rule = _change(What.RULE, after=text, rule="adds_up")
    word = _change(What.VALUE, "chat answer", "/text", text, "other", verdict=Verdict.WORDING)
    return (
        Drift("问候", "ours/two", "old.yaml", "new.yaml"),
        Drift("问候", "ours/one", f"{text}.yaml", text, (word, gone, rule), (text,)),
    )


def console(width: int = 80, terminal: bool = False) -> Console:
    """A console that remembers."""
    return Console(file=io.StringIO(), width=width, force_terminal=terminal, legacy_windows=False)


def written(on: Console) -> str:
    """What was printed on a console."""
    assert isinstance(on.file, io.StringIO)
    return on.file.getvalue()
