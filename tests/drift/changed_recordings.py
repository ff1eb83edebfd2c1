"""Recordings with a change planted in their answers, and the verdicts on them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.analysis.transcript import AnalyzedTranscript, analyze
from harness.drift.judge import find_drift
from harness.drift.types import Drift
from harness.providers import endpoints, recordings
from harness.providers.rules import check
from harness.types import Exchange

ROOT = Path(__file__).parents[2]
CASSETTES = ROOT / "cassettes"
REAL = ROOT.parent / "shared" / "recordings"

Edit = Callable[[Any], Any]
"""Changes a JSON value in place, or gives back another."""


def recorded(name: str) -> AnalyzedTranscript:
    """A shipped cassette."""
    return recordings.read_cassette(CASSETTES / f"{name}.yaml")


def compared(old: AnalyzedTranscript, new: AnalyzedTranscript) -> Drift:
    """What changed, by the rules."""
    return find_drift(old, new, check(old.transcript), check(new.transcript))


def with_exchanges(
    recording: AnalyzedTranscript, change: Callable[[Exchange], Exchange]
) -> AnalyzedTranscript:
    """A recording with each exchange changed."""
    turns = tuple(
        replace(turn, exchanges=tuple(map(change, turn.exchanges)))
        for turn in recording.transcript.turns
    )
    return analyze(replace(recording.transcript, turns=turns), endpoints.recognise)


def with_body(
    recording: AnalyzedTranscript, change: Callable[[bytes], bytes]
) -> AnalyzedTranscript:
    """A recording with the text of each answer changed; pictures are left alone."""

    def changed(exchange: Exchange) -> Exchange:
        kind = exchange.response.header("content-type") or ""
        if kind.startswith("image/"):
            return exchange
        body = change(exchange.response.body)
        return replace(exchange, response=replace(exchange.response, body=body))

    return with_exchanges(recording, changed)


def edited(recording: AnalyzedTranscript, edit: Edit) -> AnalyzedTranscript:
    """A recording with each JSON value of its answers edited: bodies, and data of events."""

    def changed(body: bytes) -> bytes:
        if body.lstrip().startswith(b"{"):
            return _line(b" ".join(body.split(b"\n")).lstrip(), edit)
        return b"\n".join(_line(line, edit) for line in body.split(b"\n"))

    return with_body(recording, changed)


def _line(line: bytes, edit: Edit) -> bytes:
    head, brace, rest = line.partition(b"{")
    if not brace or head not in (b"", b"data: ", b"data:"):
        return line
    value = json.loads(brace + rest)
    other = edit(value)
    result = json.dumps(value if other is None else other, ensure_ascii=False)
    return head + result.encode()


def events(
    recording: AnalyzedTranscript, change: Callable[[list[bytes]], list[bytes]]
) -> AnalyzedTranscript:
    """A recording with the events of its streams changed."""

    def changed(body: bytes) -> bytes:
        if b"data:" not in body:
            return body
        result = [event for event in body.split(b"\n\n") if event]
        return b"".join(event + b"\n\n" for event in change(result))

    return with_body(recording, changed)
