"""Changes planted in recordings, and the verdict that each deserves."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from contracts.recorded import learn
from PIL import Image

from drift.changed_recordings import (
    CASSETTES,
    REAL,
    compared,
    edited,
    events,
    recorded,
    with_exchanges,
)
from harness.analysis.difference import ChangeKind, Verdict
from harness.analysis.transcript import AnalyzedTranscript, analyze
from harness.cassette import store
from harness.contracts.judge import Judge
from harness.contracts.sections import Section
from harness.drift.judge import allowed_by, find_drift
from harness.providers import endpoints, recordings
from harness.types import Exchange, Origin
from harness.wire import resolve

SHIPPED = [
    path.relative_to(CASSETTES).with_suffix("").as_posix() for path in store.find([CASSETTES])
]
SLOGANS = ["slogan/zhipuai-glm-5.3-flash", "slogan/dashscope-qwen-flash"]
STREAMS = [
    "streaming/zhipuai-glm-5.3-flash",
    "streaming/dashscope-qwen-plus-incremental",
    "streaming/dashscope-qwen-plus-cumulative",
]
TASKS = ["fairy-tale-async/zhipuai-glm-5.3-flash", "kitten-image/dashscope-wan2.2-t2i-flash"]
ALIKE = [*SLOGANS, *STREAMS]


def _usage(value: Any) -> Any:
    return value.get("usage") if isinstance(value.get("usage"), dict) else {}


def _drop(value: Any) -> None:
    _usage(value).pop("total_tokens", None)


def _drop_usage(value: Any) -> None:
    value.pop("usage", None)


def _retype(value: Any) -> None:
    if "total_tokens" in _usage(value):
        value["usage"]["total_tokens"] = str(value["usage"]["total_tokens"])


def _null(value: Any) -> None:
    if "total_tokens" in _usage(value):
        value["usage"]["total_tokens"] = None


def _add(value: Any) -> None:
    value["service_level"] = "basic"


def _other_word(value: Any) -> None:
    for choice in (*value.get("choices", ()), *(value.get("output") or {}).get("choices", ())):
        if choice.get("finish_reason") == "stop":
            choice["finish_reason"] = "satisfied"


def _count(value: Any) -> None:
    for name in _usage(value):
        if name.endswith("tokens"):
            value["usage"][name] *= 2


def _turn_round(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _turn_round(value[key]) for key in reversed(list(value))}
    return [_turn_round(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", SHIPPED)
def test_a_recording_is_the_same_as_itself(name: str) -> None:
    """And so it is with the keys of every object in another order."""
    recording = recorded(name)
    assert compared(recording, recording).verdict is Verdict.SAME
    other = edited(recording, _turn_round)
    assert other.readings[0].exchange.response.body != recording.readings[0].exchange.response.body
    assert compared(recording, other).changes == ()


@pytest.mark.parametrize("name", ALIKE)
@pytest.mark.parametrize(
    ("edit", "verdict", "kind", "before", "after"),
    [
        (_drop, Verdict.BREAKING, ChangeKind.REMOVED, "integer", ""),
        (_retype, Verdict.BREAKING, ChangeKind.RETYPED, "integer", "string"),
        (_null, Verdict.BREAKING, ChangeKind.NEWLY_NULL, "integer", "null"),
    ],
    ids=["removed", "retyped", "null"],
)
def test_what_breaks_readers(
    name: str,
    edit: Callable[[Any], None],
    verdict: Verdict,
    kind: ChangeKind,
    before: str,
    after: str,
) -> None:
    """The evidence is the turn, the path, and the types before and after."""
    recording = recorded(name)
    result = compared(recording, edited(recording, edit))
    assert result.verdict is verdict
    (first, *_) = [c for c in result.changes if c.kind is kind]
    assert (first.turn, first.path) == (1, "/usage/total_tokens")
    assert (first.before, first.after) == (before, after)


@pytest.mark.parametrize("name", ALIKE)
def test_an_added_field(name: str) -> None:
    """Once for a turn, and it breaks nobody."""
    recording = recorded(name)
    result = compared(recording, edited(recording, _add))
    assert result.verdict is Verdict.NEW_FIELD
    assert {(c.kind, c.path, c.after) for c in result.changes} == {
        (ChangeKind.ADDED, "/service_level", "string")
    }
    back = compared(edited(recording, _add), recording)
    assert {(c.kind, c.path, c.before) for c in back.changes} == {
        (ChangeKind.REMOVED, "/service_level", "string")
    }


@pytest.mark.parametrize("name", ALIKE)
def test_a_new_word_of_a_vocabulary(name: str) -> None:
    """A finish reason nobody knows is an addition."""
    recording = recorded(name)
    result = compared(recording, edited(recording, _other_word))
    assert result.verdict is Verdict.NEW_FIELD
    assert any(
        c.kind is ChangeKind.NEW_VALUE and "satisfied" in str(c.after) for c in result.changes
    )


def test_a_new_word_that_no_rule_knows() -> None:
    """Nor has any schema heard of it: the old recording is all there is to go by."""
    recording = edited(recorded(SLOGANS[0]), lambda value: value.update(service_level="basic"))
    two = edited(recorded(SLOGANS[0]), lambda value: value.update(service_level="gold"))
    (change,) = compared(recording, two).changes
    assert (change.verdict, change.kind) == (Verdict.NEW_FIELD, ChangeKind.NEW_VALUE)
    assert (change.before, change.after) == ("basic", "gold")


@pytest.mark.parametrize("name", ALIKE)
def test_other_wording(name: str) -> None:
    """Ids, texts and counts are no drift."""
    recording = recorded(name)

    def reworded(value: Any) -> None:
        _count(value)
        for key in ("id", "request_id"):
            if key in value:
                value[key] = value[key][:-1] + "0" if value[key][-1] != "0" else "1"
        for choice in value.get("choices", ()):
            for part in ("message", "delta"):
                if choice.get(part, {}).get("content"):
                    choice[part]["content"] += "!"

    result = find_drift(recording, edited(recording, reworded))
    assert result.verdict is Verdict.WORDING
    assert {c.kind for c in result.changes} == {ChangeKind.VALUE}


@pytest.mark.parametrize("name", STREAMS)
def test_another_number_of_events(name: str) -> None:
    """A stream that comes in more pieces, or in fewer, has the same format."""
    recording = recorded(name)
    fewer = events(recording, lambda result: [result[0], *result[2:]])
    more = events(recording, lambda result: [result[0], result[1], result[1], *result[1:]])
    for left, right in (
        (recording, fewer),
        (fewer, recording),
        (recording, more),
        (more, recording),
    ):
        result = find_drift(left, right)
        assert result.verdict is Verdict.WORDING, result.changes
        assert any(c.kind is ChangeKind.COUNT for c in result.changes)


def test_a_stream_of_one_event_beside_one_of_many() -> None:
    """The null of a finish reason that has not come yet is documented, and no news."""

    def unfinished(value: Any) -> None:
        for choice in value["choices"]:
            choice.setdefault("finish_reason", None)

    many = edited(recorded(STREAMS[0]), unfinished)
    recording = events(many, lambda result: result[-2:])
    before, after = (
        {resolve(p.value, "/choices/0/finish_reason") for p in side.readings[0].parts}
        for side in (recording, many)
    )
    assert (before, after) == ({"stop"}, {None, "stop"})
    result = find_drift(recording, many)
    assert not [c for c in result.changes if c.kind is ChangeKind.NEWLY_NULL], result.changes


@pytest.mark.parametrize("name", TASKS)
def test_a_longer_task(name: str) -> None:
    """One that is still running when asked, more often or never, is the same task."""
    recording = recorded(name)

    def polled(times: int) -> AnalyzedTranscript:
        turn = recording.transcript.turns[0]
        running = turn.exchanges[1]
        rest = turn.exchanges[1 + times :] if times == 0 else turn.exchanges[1:]
        again = [running] * times
        changed = replace(turn, exchanges=(turn.exchanges[0], *again, *rest))
        return analyze(replace(recording.transcript, turns=(changed,)), endpoints.recognise)

    longer = polled(3)
    assert compared(recording, longer).verdict is Verdict.SAME
    assert compared(longer, recording).verdict is Verdict.SAME


def test_a_task_that_was_never_seen_running() -> None:
    """Fields of its states on the way are not missed."""
    recording = recorded(TASKS[1])
    turn = recording.transcript.turns[0]
    kept = [turn.exchanges[0]] + [
        e for e in turn.exchanges[1:] if b"PENDING" not in e.response.body
    ]
    kept = [e for e in kept if b'"RUNNING"' not in e.response.body]
    assert len(kept) < len(turn.exchanges)
    changed = replace(turn, exchanges=tuple(kept))
    other = analyze(replace(recording.transcript, turns=(changed,)), endpoints.recognise)
    assert compared(recording, other).verdict is Verdict.SAME
    assert compared(other, recording).verdict is Verdict.SAME


def test_an_answer_that_became_a_refusal() -> None:
    """Status and form of the answer are told."""
    recording = recorded(SLOGANS[0])

    def refused(exchange: Exchange) -> Exchange:
        body = json.dumps({"error": {"code": "1211", "message": "no such model"}}).encode()
        return replace(exchange, response=replace(exchange.response, status=400, body=body))

    result = compared(recording, with_exchanges(recording, refused))
    assert result.verdict is Verdict.BREAKING
    kinds = {c.kind for c in result.of(Verdict.BREAKING)}
    assert {ChangeKind.STATUS, ChangeKind.ANSWER_REMOVED} <= kinds


def test_a_refusal_that_passed() -> None:
    """A request that had to be made again, here or there, is no drift."""
    recording = recorded(SLOGANS[0])
    turn = recording.transcript.turns[0]
    asked = turn.exchanges[0]
    body = json.dumps({"error": {"code": "1302", "message": "slow down"}}).encode()
    throttled = replace(asked, response=replace(asked.response, status=429, body=body))
    again = replace(turn, exchanges=(throttled, *turn.exchanges))
    other = analyze(replace(recording.transcript, turns=(again,)), endpoints.recognise)
    assert find_drift(recording, other).verdict is Verdict.WORDING
    assert find_drift(other, recording).verdict is Verdict.WORDING


def test_a_model_that_answers_in_words_where_it_called_a_tool() -> None:
    """It says so by its finish reason; without that, calls that are gone are gone."""
    recording = recorded("weather-tool/zhipuai-glm-5.3-flash")

    def silent(reason: str, value: Any) -> None:
        for choice in value.get("choices", ()):
            if choice.get("message", {}).pop("tool_calls", None):
                choice["message"]["content"] = "25 degrees"
                choice["finish_reason"] = reason

    result = find_drift(recording, edited(recording, partial(silent, "stop")))
    assert result.verdict is Verdict.WORDING
    assert any("answer ended differently" in c.reason for c in result.changes)
    assert (
        find_drift(recording, edited(recording, partial(silent, "tool_calls"))).verdict
        is Verdict.BREAKING
    )


def test_a_rule_that_is_broken_now() -> None:
    """It is told with its name; one that was broken before is not."""
    recording = recorded(SLOGANS[0])

    def wrong(value: Any) -> None:
        value["usage"]["total_tokens"] += 1

    two = edited(recording, wrong)
    result = compared(recording, two)
    assert result.verdict is Verdict.BREAKING
    assert [c.rule for c in result.of(Verdict.BREAKING)] == ["usage_adds_up"]
    assert compared(two, two).verdict is Verdict.SAME


def test_a_turn_that_is_gone() -> None:
    """And one that came."""
    recording = recorded("multi-turn/zhipuai-glm-5.3-flash")
    shorter = analyze(
        replace(recording.transcript, turns=recording.transcript.turns[:-1]), endpoints.recognise
    )
    assert [c.turn for c in find_drift(recording, shorter).of(Verdict.BREAKING)] == [4]
    assert find_drift(shorter, recording).verdict is Verdict.NEW_FIELD


def _at(number: int, value: Any) -> None:
    value["created"] = 1_700_000_000 + number


def _many(
    recording: AnalyzedTranscript, edit: Callable[[Any], None]
) -> list[tuple[str, AnalyzedTranscript]]:
    """Twenty recordings that differ in their wording, half of them edited."""
    matches = []
    for number in range(20):
        other = edited(recording, partial(_at, number))
        matches.append((f"{number}.yaml", edited(other, edit) if number % 2 else other))
    return matches


def test_a_contract_knows_what_happens() -> None:
    """A field that was missing before may be missing; one that never was, may not."""
    recording = recorded(SLOGANS[0])
    with_it, without_it = edited(recording, _add), recording
    assert find_drift(with_it, without_it).verdict is Verdict.BREAKING
    sometimes = learn(_many(recording, _add))
    result = find_drift(with_it, without_it, allowed=allowed_by(sometimes))
    assert result.verdict is Verdict.WORDING
    always = learn([(name, edited(each, _add)) for name, each in _many(recording, _count)])
    result = find_drift(with_it, without_it, allowed=allowed_by(always))
    assert result.verdict is Verdict.BREAKING


def test_a_contract_knows_events_at_any_position() -> None:
    """Those of one endpoint together, also at a position that was never recorded."""

    def drop(value: Any) -> None:
        del value["created"]

    allowed = allowed_by(learn(_many(recorded("streaming/zhipuai-glm-5.3-flash"), drop)))
    for section, known in (
        (Section("zhipuai.chat", "event", "first"), True),
        (Section("zhipuai.chat", "event", "only"), True),
        (Section("zhipuai.chat", "answer", ""), False),
        (Section("zhipuai.chat", "refusal", ""), False),
        (Section("zhipuai.async-chat", "event", "first"), False),
    ):
        assert allowed(section, "/created", "absent", "glm-5.3-flash") is known, section
        assert allowed(section, "/created", "integer", "glm-5.3-flash") is known, section
        assert not allowed(section, "/created", "string", "glm-5.3-flash"), section


@pytest.mark.parametrize("case", ["SUCCESS", "PROCESSING", "FAIL"])
def test_a_contract_knows_each_state_of_a_task_by_itself(case: str) -> None:
    """Only an answer that succeeded has choices; one that failed was never recorded."""
    recording = recorded("fairy-tale-async/zhipuai-glm-5.3-flash")
    allowed = allowed_by(learn([(f"{number}.yaml", recording) for number in range(20)]))
    section = Section("zhipuai.async-result", "answer", case)
    assert allowed(section, "/choices", "array", "glm-5.3-flash") is (case == "SUCCESS")
    assert allowed(section, "/task_status", "string", "glm-5.3-flash") is (case != "FAIL")


def test_a_contract_that_is_broken_now() -> None:
    """It speaks against the new recording where both recordings agree with each other."""
    recording = recorded(SLOGANS[0])
    contract = learn(_many(edited(recording, _add), _count))
    judge = Judge(contract)
    new = edited(recording, lambda value: value.update(service_level=7))
    result = find_drift(
        edited(recording, _add), new, judge.check(edited(recording, _add)), judge.check(new)
    )
    assert "contract_retyped" in {c.rule for c in result.of(Verdict.BREAKING)}


@pytest.mark.skipif(not REAL.is_dir(), reason="the real recordings are not here")
def test_real_recordings() -> None:
    """Each is the same as itself in any order of keys; a field that is gone is found in each."""
    tried = 0
    for path in store.find([REAL])[::20]:
        recording = recordings.read_cassette(Path(path))
        if not any(
            isinstance(p.value, dict) and "usage" in p.value for p in recording.readings[0].parts
        ):
            continue
        assert compared(recording, edited(recording, _turn_round)).verdict is Verdict.SAME
        gone = edited(recording, _drop_usage)
        result = compared(recording, gone)
        assert result.verdict is Verdict.BREAKING
        assert "/usage" in {c.path for c in result.changes if c.kind is ChangeKind.REMOVED}
        tried += 1
    assert tried > 2


def _says(**fields: Any) -> Callable[[Any], None]:
    """An edit that adds fields to every answer."""
    return lambda value: value.update(fields)


@pytest.mark.parametrize(
    ("before", "after", "verdict", "kind"),
    [
        (1.5, 1, Verdict.WORDING, ChangeKind.VALUE),
        (1, 1.5, Verdict.BREAKING, ChangeKind.RETYPED),
        (None, "basic", Verdict.NEW_FIELD, ChangeKind.NO_LONGER_NULL),
        ("basic", None, Verdict.BREAKING, ChangeKind.NEWLY_NULL),
        ([{"a": 1}], [], Verdict.WORDING, ChangeKind.COUNT),
        ([], [{"a": 1}], Verdict.WORDING, ChangeKind.COUNT),
        ({"a": {"b": 1}}, "a", Verdict.BREAKING, ChangeKind.RETYPED),
        ("basic", "other", Verdict.NEW_FIELD, ChangeKind.NEW_VALUE),
        ("basic", "Not a word.", Verdict.WORDING, ChangeKind.VALUE),
        ("Not a word.", "basic", Verdict.WORDING, ChangeKind.VALUE),
    ],
    ids=str,
)
def test_one_value(before: Any, after: Any, verdict: Verdict, kind: ChangeKind) -> None:
    """A whole number is a number; what is in an empty array, nobody can tell."""
    recording = recorded(SLOGANS[0])
    result = find_drift(
        edited(recording, _says(extra=before)), edited(recording, _says(extra=after))
    )
    grave = result.of(result.verdict)
    assert (result.verdict, {c.kind for c in grave if "/extra" in c.path}) == (verdict, {kind})


def test_an_object_that_is_gone_is_told_once() -> None:
    """Not once more for each of its fields."""
    recording = recorded(SLOGANS[0])
    result = find_drift(recording, edited(recording, _drop_usage))
    assert [(c.kind, c.path) for c in result.of(Verdict.BREAKING)] == [
        (ChangeKind.REMOVED, "/usage")
    ]


def test_ids_and_echoes_are_no_vocabulary() -> None:
    """Whatever they look like."""
    recording = recorded(SLOGANS[0])
    left, right = (edited(recording, _says(trace_id=word)) for word in ("abc", "xyz"))
    assert find_drift(left, right).verdict is Verdict.WORDING

    def asking(word: str) -> AnalyzedTranscript:
        def asked(exchange: Exchange) -> Exchange:
            body = json.dumps({**json.loads(exchange.request.body), "user": word}).encode()
            return replace(exchange, request=replace(exchange.request, body=body))

        return edited(with_exchanges(recording, asked), _says(whose=word))

    assert find_drift(asking("alice"), asking("bob")).verdict is Verdict.WORDING
    assert find_drift(recording, asking("bob")).notes == (
        "the request of exchange 1 has other parameters: /user",
    )


def _from(recording: AnalyzedTranscript, **changes: Any) -> AnalyzedTranscript:
    """A recording of another origin or scenario."""
    provenance = replace(recording.transcript.provenance, **changes)
    transcript = replace(recording.transcript, provenance=provenance)
    return analyze(transcript, endpoints.recognise)


def test_notes_say_why_recordings_differ() -> None:
    """Another server, another scenario, other parameters; none if they are alike."""
    old, new = recorded(SLOGANS[0]), recorded(SLOGANS[0])

    def asked(exchange: Exchange) -> Exchange:
        more = {f"p{number}": number for number in range(7)}
        body = json.dumps({**json.loads(exchange.request.body), **more}).encode()
        return replace(exchange, request=replace(exchange.request, body=body))

    other = with_exchanges(new, asked)
    equal_steps = (*old.transcript.provenance.script,)
    assert find_drift(old, _from(new, script=equal_steps)).notes == ()
    assert find_drift(old, _from(new, recorded_from=Origin.LIVE)).notes == (
        "recorded from: sandbox (old), live (new)",
    )
    assert find_drift(old, _from(other, script=("x",))).notes == (
        "the scenario changed in between: the requests are not the same",
    )
    parameters = ("the request of exchange 1 has other parameters: /p0, /p1, /p2, /p3, /p4",)
    assert find_drift(old, other).notes == parameters
    assert find_drift(old, _from(other, script=())).notes == parameters
    assert find_drift(_from(old, script=()), other).notes == parameters


def test_a_null_where_the_stream_had_none() -> None:
    """In an event that has its like in the old stream; documented or not."""
    recording = recorded(STREAMS[0])

    def silent(value: Any) -> None:
        for choice in value["choices"]:
            choice["delta"]["content"] = None

    result = find_drift(recording, edited(recording, silent))
    assert {c.path for c in result.of(Verdict.BREAKING)} == {"/choices/[]/delta/content"}


def test_a_picture_of_another_kind() -> None:
    """Who decoded the one may not decode the other."""
    recording = recorded("kitten-image/zhipuai-cogview-4")

    def jpeg(exchange: Exchange) -> Exchange:
        if not (exchange.response.header("content-type") or "").startswith("image/"):
            return exchange
        out = io.BytesIO()
        Image.open(io.BytesIO(exchange.response.body)).convert("RGB").save(out, "JPEG")
        return replace(exchange, response=replace(exchange.response, body=out.getvalue()))

    (change,) = find_drift(recording, with_exchanges(recording, jpeg)).of(Verdict.BREAKING)
    assert (change.path, change.after) == ("/media type", '"image/jpeg"')


def test_a_contract_that_knows_nothing() -> None:
    """It allows nothing."""
    recording = recorded(SLOGANS[0])
    result = find_drift(recording, edited(recording, _drop), allowed=allowed_by(learn([])))
    assert result.verdict is Verdict.BREAKING


def _in_turns(numbers: set[int], edit: Callable[[Any], Any]) -> AnalyzedTranscript:
    """Return a recording of several turns with the answers of some of them edited."""
    original, changed = recorded(TURNS), edited(recorded(TURNS), edit)
    pairs = zip(original.transcript.turns, changed.transcript.turns, strict=True)
    turns = tuple(new if new.number in numbers else old for old, new in pairs)
    return analyze(replace(original.transcript, turns=turns), endpoints.recognise)


TURNS = "multi-turn/zhipuai-glm-5.3-flash"


def test_a_change_in_one_turn_belongs_to_that_turn() -> None:
    """The same path in the other turns, with the same types, does not hide it."""
    changes = compared(recorded(TURNS), _in_turns({2}, _retype)).changes
    assert {c.turn for c in changes if c.path == "/usage/total_tokens"} == {2}


@pytest.mark.parametrize("old", [set[int](), {1}], ids=["in no turn before", "in turn 1 before"])
def test_two_turns_with_the_same_change_are_two_changes(old: set[int]) -> None:
    """Also of rules: a violation that one turn had before is new in another one."""
    changes = compared(_in_turns(old, _retype), _in_turns({1, 2}, _retype)).changes
    fields = [c.turn for c in changes if c.kind is ChangeKind.RETYPED]
    rules = {(c.rule, c.turn) for c in changes if c.kind is ChangeKind.RULE}
    expected = [number for number in (1, 2) if number not in old]
    assert fields == expected
    assert {number for _, number in rules} == set(expected)
    assert {rule for rule, number in rules if number == 2}
