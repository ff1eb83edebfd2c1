"""Turns in which the SDK shows something else than what travelled, or than what was expected."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from harness.analysis.edit import with_status
from harness.analysis.transcript import analyze
from harness.providers import endpoints
from harness.types import Exchange, Expectation, Failure, Outcome, Reply, Transcript, View

from .broken import Broken
from .dashscope_exchanges import (
    BROKEN_OFF,
    CUMULATIVE,
    PENDING,
    REQUEST,
    RUNNING,
    SUCCEEDED,
    usage,
)
from .making import edited, foreign, played
from .zhipu_exchanges import REFUSED, STREAM, SYNC, TOOL

ONE = "turn 1, exchange 1"
PATH = "choices[0].message.content"


def honest(*exchanges: Exchange) -> Outcome:
    """What an SDK that agrees with the wire makes of these exchanges."""
    turn = analyze(foreign(*exchanges), endpoints.recognise).turns[0]
    assert turn.outcome is not None
    views = tuple(View(part.value) for reading in turn.readings for part in reading.parts)
    return replace(turn.outcome, views=views if isinstance(turn.outcome, Reply) else ())


def reply(*exchanges: Exchange, **changes: Any) -> Reply:
    """The same as a reply, with something else in it."""
    outcome = honest(*exchanges)
    assert isinstance(outcome, Reply)
    return replace(outcome, **changes)


def shown(old: str, new: str, **accessed: Any) -> Reply:
    """What an SDK shows of a plain answer, with something else in its object."""
    whole = reply(SYNC)
    text = json.dumps(whole.views[0].value)
    assert old in text, f"{old} is not in {text}"
    return replace(whole, views=(View(json.loads(text.replace(old, new, 1)), accessed),))


def shown_time(until: datetime) -> Reply:
    """What an SDK shows of a plain answer that has a time beside it."""
    whole = reply(SYNC)
    return replace(whole, views=(View({**whole.views[0].value, "until": until}),))


def reached(value: Any) -> Reply:
    """An SDK on whose object the documented access path gives this value."""
    whole = reply(SYNC)
    return replace(whole, views=(View(whole.views[0].value, {PATH: value}),))


def refused(*shown_values: Any, status: int, code: str, message: str) -> Failure:
    """A refusal as an SDK tells it, with the objects it had shown before."""
    return Failure(status, code, message, views=tuple(View(value) for value in shown_values))


BALANCE = "余额不足或无可用资源包,请充值。"
SHOWN_REFUSAL = {"error": {"code": "1113", "message": BALANCE}}
BEGUN = {
    "output": {"finish_reason": "null", "text": "1"},
    "usage": usage(19, 1),
    "request_id": REQUEST,
}
STOPPED = {"status_code": 400, "code": "DataInspectionFailed", "message": "Bad."}
FILTERED = Expectation(failure="DataInspectionFailed")


def broken_off(*shown_values: Any) -> Transcript:
    """A stream that ended in an error event, which came with HTTP 200 and is known to."""
    outcome = refused(*shown_values, status=400, code="DataInspectionFailed", message="Bad.")
    broken_off = played(BROKEN_OFF, outcome=outcome, expect=FILTERED)
    return replace(broken_off, ignored={"status_agrees_with_body": "an error event"})


TASK = (PENDING, RUNNING, SUCCEEDED)

AGREEING = {
    "whole answer": played(SYNC, outcome=honest(SYNC)),
    "empty stand-ins": played(
        SYNC, outcome=shown('{"', '{"code": "", "message": null, "x": [], "')
    ),
    "status code": played(SYNC, outcome=shown('{"', '{"status_code": 200, "')),
    "a time as an object": played(
        edited(SYNC, '{"', '{"until": "2026-05-08T20:54:05Z", "'),
        outcome=shown_time(datetime(2026, 5, 8, 20, 54, 5, tzinfo=UTC)),
    ),
    "access path": played(SYNC, outcome=reached("It is sunny.")),
    "stream": played(STREAM, outcome=honest(STREAM)),
    "cumulative stream": played(CUMULATIVE, outcome=honest(CUMULATIVE)),
    "task": played(*TASK, outcome=honest(*TASK)),
    "attempts made again": played(REFUSED, REFUSED, SYNC, outcome=honest(SYNC)),
    "a shown refusal after one made again": played(
        REFUSED,
        with_status(edited(REFUSED, "1113", "500"), 503),
        REFUSED,
        outcome=refused(SHOWN_REFUSAL, status=429, code="1113", message=BALANCE),
        expect=Expectation(failure="1113"),
    ),
    "a stream broken off": broken_off(BEGUN),
    "a stream broken off, with the refusal shown": broken_off(
        BEGUN, {**STOPPED, "request_id": REQUEST}
    ),
    "expected refusal": played(
        REFUSED, outcome=honest(REFUSED), expect=Expectation(failure="1113")
    ),
    "task given up": played(
        PENDING,
        RUNNING,
        outcome=Failure(0, "PollLimit", "still RUNNING", views=honest(PENDING, RUNNING).views),
        expect=Expectation(failure="PollLimit"),
    ),
    "all expectations": played(
        SYNC,
        outcome=honest(SYNC),
        expect=Expectation("stop", ("sunny",), None, ("/choices/0/message",)),
    ),
}

BROKEN = (
    Broken(
        "sdk_agrees_with_wire",
        played(SYNC, outcome=shown('"created": 1760461667', '"created": 1760461667.0')),
        f"{ONE}, /created",
        "expected int 1760461667 as in the answer, actual float 1760461667.0",
    ),
    Broken(
        "sdk_agrees_with_wire",
        broken_off(BEGUN, {**STOPPED, "status_code": 500, "request_id": REQUEST}),
        f"{ONE}, event 2, /status_code",
    ),
    Broken("reply_agrees_with_wire", played(TOOL, outcome=reply(TOOL, tool_calls=())), ONE),
    Broken(
        "reply_agrees_with_wire",
        played(*TASK, outcome=reply(*TASK, states=("SUCCEEDED",))),
        "turn 1, exchange 3",
    ),
    Broken(
        "reply_agrees_with_wire",
        played(*TASK, outcome=reply(*TASK, files=())),
        "turn 1, exchange 3",
    ),
)
