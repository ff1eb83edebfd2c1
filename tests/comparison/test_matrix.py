"""All targets of one scenario side by side."""

from __future__ import annotations

from dataclasses import replace

from harness.analysis.transcript import analyze
from harness.comparison.matrix import PathRow, PathTable, TurnFigures, matrix
from harness.types import Timing

from .exchanges import RECOGNISE, exchange, json_answer, transcript_of

LEFT = transcript_of([json_answer({"text": "你好", "finish": "stop", "usage": [1, 2, 3]})])
RIGHT = transcript_of([json_answer({"output": {"say": "你好"}}, "/talk")], target="theirs/two")
REFUSED = transcript_of([json_answer({"code": "Busy"}, status=429)], target="ours/three")


def test_every_pair_is_compared() -> None:
    """Each pair is compared once, with its number of differences."""
    result = matrix([LEFT, RIGHT, REFUSED])
    assert result.targets == ("ours/one", "theirs/two", "ours/three")
    assert [(p.left, p.right, p.shape, p.answer) for p in result.pairs] == [
        (0, 1, 6, 2),
        (0, 2, 2, 1),
        (1, 2, 2, 1),
    ]


def test_formats_are_laid_side_by_side() -> None:
    """Each path has the types of each target; who has no such part is known."""
    answer, refusal = matrix([LEFT, RIGHT, REFUSED]).tables
    assert (answer.part, answer.present) == ("answer", (True, True, False))
    assert PathRow("/text", ("string", "", "")) in answer.differing
    assert answer.rows[0] == PathRow("", ("object", "object", ""))
    assert answer.rows[0] not in answer.differing
    assert refusal == PathTable(
        "refusal",
        (False, False, True),
        (PathRow("", ("", "", "object")), PathRow("/code", ("", "", "string"))),
    )
    assert refusal.differing == ()


def test_types_of_several_turns_are_united() -> None:
    """A path that has another type in another turn has both."""
    read = transcript_of([json_answer({"x": None})], [json_answer({"x": 1})])
    assert matrix([read]).tables[0].rows[1] == PathRow("/x", ("integer|null",))


def test_facts_tell_what_a_turn_came_to() -> None:
    """Facts hold length, tokens, finish reason and times of each turn."""
    body = b'{"text": "abc", "finish": "stop", "usage": [1, 2, 3]}'
    read = transcript_of([exchange(body, timing=Timing(0, 0.5, 2.0))])
    assert matrix([read]).figures == (
        TurnFigures(
            *("ours/one", 1, "reply", "sync", 3, "stop", 1, 2, 0.5, 2.0, 0, 1),
            first_token=0.5,
            han=0.0,
            latin=1.0,
            content="abc",
        ),
    )
    assert matrix([REFUSED]).figures == (
        TurnFigures("ours/three", 1, "failure 429 Busy", "sync", exchanges=1),
    )


def test_no_targets_make_an_empty_matrix() -> None:
    """Nothing to compare is an empty matrix."""
    assert matrix([]).pairs == ()


def test_several_recordings_of_one_target_are_told_apart() -> None:
    """By where they come from; their facts are theirs."""
    result = matrix([transcript_of([json_answer({"text": x})], source=f"{x}.yaml") for x in "ab"])
    assert result.targets == ("ours/one (a.yaml)", "ours/one (b.yaml)")
    assert [(f.target, f.content) for f in result.figures] == list(
        zip(result.targets, "ab", strict=True)
    )
    assert result.pairs[0].comparison.similarity_range == (0.0,)


def test_a_matrix_of_several_scenarios_is_named_by_none() -> None:
    """The first one's name would say too much."""
    other = analyze(replace(RIGHT.transcript, scenario="parting"), RECOGNISE)
    assert matrix([LEFT, RIGHT]).scenario == "greeting"
    assert matrix([LEFT, other]).scenario == ""
