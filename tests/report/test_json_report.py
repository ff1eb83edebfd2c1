"""A report as JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.comparison.pairs import compare
from harness.report import Report, json_report

from .samples import exchange, sample, told


def test_the_document_has_a_version_and_says_everything() -> None:
    """A report as JSON names its format and version, and holds every part."""
    found: dict[str, Any] = json.loads(json_report.report(sample()))
    assert (found["format"], found["version"]) == ("llm-conversation-harness/report", 1)
    assert found["counts"] == {
        "transcripts": 3,
        "turns": 3,
        "exchanges": 3,
        "problems": 1,
        "errors": 1,
        "warnings": 1,
        "infos": 0,
        "ignored": 0,
    }
    assert found["ok"] is False
    assert found["recorded_from"] == ["sandbox"]
    assert found["transcripts"][0]["skipped"] == ["你好"]
    assert found["findings"][0]["place"] == {
        "turn": 1,
        "exchange": 1,
        "event": None,
        "offset": 3,
        "pointer": "/x",
        "request": False,
    }
    assert found["problems"] == [
        {"scenario": "问候", "target": "ours/four", "text": "no cassette: 你好"}
    ]
    assert found["matrices"][0]["formats"]["answer"]["/finish"] == ["string", None, None]
    assert found["matrices"][0]["facts"][0]["input_tokens"] == 7


def test_chinese_is_written_as_chinese() -> None:
    """Chinese can be read in the JSON text."""
    assert "你好" in json_report.report(sample())


def test_what_json_cannot_hold_is_replaced() -> None:
    """Half a character and a number without end do not break the document."""
    left = told([exchange(b'{"a": 1e999, "b": "\\ud800", "\\ud801": {"c": 1}}')])
    right = told([exchange(b'{"a": 1.5, "b": "x", "\\ud801": {"c": 2}}')])
    text = json_report.dumps(json_report.comparison(compare(left, right)))
    found = json.loads(text.encode("utf-8"))["differences"]
    assert [(d["path"], d["left"]) for d in found] == [("/a", "inf"), ("/b", "�"), ("/�/c", 1)]


def test_a_side_that_is_absent_is_left_out() -> None:
    """Nothing on one side is no value, and null is one."""
    left, right = told([exchange({"a": None})]), told([exchange({})])
    (found,) = json_report.comparison(compare(left, right))["differences"]
    assert found == {
        "turn": 1,
        "part": "answer",
        "path": "/a",
        "layer": "shape",
        "kind": "removed",
        "left": "null",
    }


def test_a_text_has_likeness_and_lengths() -> None:
    """Two texts are told with how alike they are and how long."""
    compared = compare(told([exchange({"text": "ab"})]), told([exchange({"text": "abc"})]))
    found = json_report.comparison(compared)["differences"][0]
    assert (found["similarity"], found["lengths"]) == (0.571, [2, 3])


def test_a_conversation_is_json_too() -> None:
    """A conversation has questions, answers and facts."""
    asked = {"messages": [{"role": "user", "content": "你好"}]}
    found = json_report.conversation(told([exchange({"text": "hi", "finish": "stop"}, asked)]))
    (turn,) = found["conversation"]
    assert turn["asked"] == [{"role": "user", "text": "你好", "tool_calls": []}]
    assert (turn["outcome"]["content"], turn["outcome"]["finish_reason"]) == ("hi", "stop")


def test_an_iterator_in_a_document_is_an_array() -> None:
    """A document with iterators is printed in pieces; together they are the text of its lists."""
    items: list[object] = [{"d": [2]}, [], {}]
    lists: dict[str, object] = {"a": [1, {"b": "x\ny"}], "c": items, "e": [], "f": {}}
    pieces = json_report.pieces(iter([{**lists, "c": iter(items), "e": iter(())}, 3]))
    assert f"{''.join(pieces)}\n" == json_report.dumps([lists, 3])


def test_what_is_parsed_for_a_turn_of_many_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A conversation of many turns needs the memory of one, beside that of its exchanges."""
    monkeypatch.setattr("harness.report.conversation._FEW", 0)
    read = told([exchange({"text": "hi"}, {"messages": [{"role": "user", "content": "a"}]})])
    assert [*json_report.conversation(read)["conversation"]]
    assert "request_json" not in vars(read.turns[0].readings[0])


def test_an_empty_report_is_a_document() -> None:
    """A run that did nothing has a report."""
    assert json.loads(json_report.report(Report("nothing")))["ok"] is True


def test_no_piece_ends_between_a_name_and_its_text() -> None:
    """Secrets are looked for in each piece, by their names too."""
    document = {"api_key": "a", "b": iter([{"token": "c"}])}
    assert not [piece for piece in json_report.pieces(document) if piece.endswith('key": ')]
