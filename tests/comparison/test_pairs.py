"""Two transcripts and where they part."""

from __future__ import annotations

import time

import pytest

from harness.analysis.difference import ChangeKind
from harness.analysis.transcript import AnalyzedTranscript, analyze
from harness.comparison.matrix import matrix
from harness.comparison.pairs import MAX_EACH, compare, pairs_of
from harness.comparison.types import Difference, Layer
from harness.providers.endpoints import recognise
from harness.types import Exchange, Transcript, Turn
from harness.wire import MISSING

from .exchanges import exchange, json_answer, one_answer, stream_answer, transcript_of

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes([0, 0, 4, 0, 0, 0, 2, 0])


def parted(
    left: AnalyzedTranscript, right: AnalyzedTranscript, layer: Layer
) -> list[tuple[str, str, object, object]]:
    """The differences of one layer as tuples."""
    result = compare(left, right).of(layer)
    return [(d.location, d.kind.value, d.before, d.after) for d in result]


def test_a_path_that_only_one_side_has_is_a_difference_of_shape() -> None:
    """A path that only one side has is a difference of shape, told with its type."""
    left, right = one_answer({"a": 1, "b": []}), one_answer({"a": 1, "c": "x"})
    assert parted(left, right, Layer.SHAPE) == [
        ("turn 1 answer /b", "removed", "array", MISSING),
        ("turn 1 answer /c", "added", MISSING, "string"),
    ]
    assert parted(left, right, Layer.CONTENT) == []


def test_a_path_with_another_type_is_a_difference_of_shape() -> None:
    """A path with another type is a difference of shape, and not of content as well."""
    left, right = one_answer({"x": [1, None]}), one_answer({"x": ["1", None]})
    assert parted(left, right, Layer.SHAPE) == [
        ("turn 1 answer /x/[]", "retyped", "integer|null", "null|string")
    ]
    assert not compare(left, right).same_shape
    assert parted(left, right, Layer.CONTENT) == []


def test_keys_with_two_underscores_are_compared() -> None:
    """Keys that Python takes for private ones are compared like any other."""
    assert parted(one_answer({"__a": 1}), one_answer({"__a": 2}), Layer.CONTENT) == [
        ("turn 1 answer /__a", "value", 1, 2)
    ]


def test_the_same_shape_with_other_words_has_the_same_shape() -> None:
    """Other words in the same format are a difference of content only."""
    result = compare(one_answer({"text": "one"}), one_answer({"text": "two"}))
    assert (result.same_shape, result.same_content) == (True, False)


def test_volatile_values_are_told_apart() -> None:
    """Volatile values are told, but are no difference that matters."""
    result = compare(
        one_answer({"id": "1", "items": [{"id": 1}]}), one_answer({"id": "2", "items": [{"id": 2}]})
    )
    assert [d.location for d in result.of(Layer.VOLATILE)] == [
        "turn 1 answer /id",
        "turn 1 answer /items/0/id",
    ]
    assert (result.differences, result.same_content) == ((), True)


def test_values_are_compared_only_between_equal_endpoints() -> None:
    """Two providers are compared by shape and by answer, never value by value."""
    left = transcript_of([json_answer({"model": "a"})])
    right = transcript_of([json_answer({"model": "b"}, "/talk")], target="theirs/two")
    assert compare(left, right).all_differences == ()


def test_an_item_more_in_a_list_is_a_difference_of_content() -> None:
    """An item more in a list both sides have is a difference of content, not of shape."""
    left, right = one_answer({"x": [1]}), one_answer({"x": [1, 2]})
    assert parted(left, right, Layer.SHAPE) == []
    assert parted(left, right, Layer.CONTENT) == [("turn 1 answer /x/1", "added", MISSING, 2)]


def test_true_is_not_one() -> None:
    """Values of mixed lists are compared with their types."""
    left, right = one_answer({"x": [1, True]}), one_answer({"x": [True, 1]})
    assert [kind for _, kind, _, _ in parted(left, right, Layer.CONTENT)] == ["reordered"]


def test_answers_in_two_formats_are_compared_in_neutral_terms() -> None:
    """Two formats that say the same are told apart by shape and alike by answer."""
    left = transcript_of([json_answer({"text": "你好", "usage": [1, 2, 3]})])
    right = transcript_of([json_answer({"output": {"say": "你好"}, "usage": [1, 2, 3]}, "/talk")])
    result = compare(left, right)
    assert (result.same_shape, result.of(Layer.ANSWER)) == (False, ())


def test_a_text_is_told_with_its_likeness_and_lengths() -> None:
    """Another text is told with how alike the two are, and how long."""
    (result,) = compare(one_answer({"text": "你好吗"}), one_answer({"text": "你好"})).of(
        Layer.ANSWER
    )
    assert result == Difference(
        kind=ChangeKind.VALUE,
        path="/content",
        pointer="/content",
        before="你好吗",
        after="你好",
        turn=1,
        part="reply",
        layer=Layer.ANSWER,
        similarity=0.571,
    )
    assert result.lengths == (3, 2)


def test_tool_calls_are_compared_by_name_and_parsed_arguments() -> None:
    """The arguments of a tool call are compared as values, not as text."""
    left = one_answer({"tools": [["weather", '{"city": "北京", "days": 1}']]})
    right = one_answer({"tools": [["weather", '{"days":2,"city":"北京"}']]})
    assert parted(left, right, Layer.ANSWER) == [
        ("turn 1 reply /tool_calls/0/arguments/days", "value", 1, 2)
    ]


def test_usage_and_finish_reason_and_images_are_part_of_the_answer() -> None:
    """Finish reason, each count of tokens and the number of images are compared."""
    left = one_answer({"finish": "stop", "usage": [1, 2, 3], "images": ["u"]})
    right = one_answer({"finish": "length", "usage": [1, 4, 5], "images": ["u", "v"]})
    assert [(spot, a, b) for spot, _, a, b in parted(left, right, Layer.ANSWER)] == [
        ("turn 1 reply /finish_reason", "stop", "length"),
        ("turn 1 reply /images", 1, 2),
        ("turn 1 reply /usage/output_tokens", 2, 4),
        ("turn 1 reply /usage/total_tokens", 3, 5),
    ]


def test_the_chunking_of_a_stream_does_not_matter() -> None:
    """Streams that come to the same text are alike; the number of events is volatile."""
    left = transcript_of([stream_answer({"text": "你好"}, {"text": "！"})])
    right = transcript_of([stream_answer({"text": "你"}, {"text": "好"}, {"text": "！"})])
    result = compare(left, right)
    assert result.differences == ()
    assert [(d.location, d.before, d.after) for d in result.all_differences] == [
        ("turn 1 reply /events", 2, 3)
    ]


def test_the_shape_of_a_stream_is_that_of_all_its_events() -> None:
    """A type that only one event of a stream has is part of the stream's shape."""
    left, right = (
        transcript_of([stream_answer({"x": 1}, {"x": None})]),
        transcript_of([stream_answer({"x": 1}, {"x": 2})]),
    )
    assert parted(left, right, Layer.SHAPE) == [
        ("turn 1 event /x", "retyped", "integer|null", "integer")
    ]


def test_a_stream_and_an_answer_at_once_differ_in_delivery() -> None:
    """A stream and an answer at once have other parts and another delivery."""
    left, right = one_answer({"text": "a"}), transcript_of([stream_answer({"text": "a"})])
    assert parted(left, right, Layer.SHAPE) == [
        ("turn 1 answer", "removed", "present", MISSING),
        ("turn 1 event", "added", MISSING, "present"),
    ]
    assert parted(left, right, Layer.ANSWER) == [
        ("turn 1 reply /delivery", "value", "sync", "stream")
    ]


def task(*states: str) -> list[Exchange]:
    """A task that goes through these states."""
    polls = [json_answer({"state": state, "text": "x"}, "/tasks/1") for state in states]
    return [json_answer({"task": "t", "state": "WAITING"}, "/tasks"), *polls]


def test_how_often_a_task_was_polled_does_not_matter() -> None:
    """A task that was polled more often, through the same states, is the same."""
    left = transcript_of(task("RUNNING", "DONE"))
    right = transcript_of(task("WAITING", "RUNNING", "RUNNING", "DONE"))
    assert compare(left, right).all_differences == ()


def test_the_states_of_a_task_are_compared() -> None:
    """A task that went another way, unseen while running, is told."""
    result = compare(transcript_of(task("RUNNING", "DONE")), transcript_of(task("DONE")))
    assert [(d.layer, d.location) for d in result.all_differences] == [
        (Layer.VOLATILE, "turn 1 poll"),
        (Layer.ANSWER, "turn 1 reply /states/1"),
    ]


def test_a_task_that_failed_is_another_outcome() -> None:
    """A failed task against one that succeeded is one difference of the answer."""
    assert parted(transcript_of(task("DONE")), transcript_of(task("BROKEN")), Layer.ANSWER) == [
        ("turn 1 reply /outcome", "outcome", "reply", "failure 200 Broken")
    ]


def test_refusals_are_compared_by_status_and_code() -> None:
    """Two refusals are compared by status and code."""
    left = transcript_of([json_answer({"code": "A"}, status=401)])
    right = transcript_of([json_answer({"code": "B"}, status=429)])
    assert parted(left, right, Layer.ANSWER) == [
        ("turn 1 reply /code", "value", "A", "B"),
        ("turn 1 reply /status", "status", 401, 429),
    ]


def test_a_picture_is_compared_by_type_and_size() -> None:
    """Of a file only media type and size of the picture are compared, never its bytes."""
    left = transcript_of([exchange(PNG + b"one", "/files/1", "image/png")])
    right = transcript_of([exchange(PNG + b"two", "/files/2", "application/octet-stream")])
    other = transcript_of([exchange(PNG[:-1] + b"\x01", "/files/2", "image/png")])
    assert compare(left, right).all_differences == ()
    assert parted(left, other, Layer.SHAPE) == [
        ("turn 1 file /size", "retyped", "1024x512", "1024x513")
    ]


def test_a_missing_turn_is_a_difference() -> None:
    """Turns are matched by number; one that a side does not have is told."""
    one = [json_answer({})]
    result = compare(transcript_of(one), transcript_of(one, one))
    assert [(d.location, d.kind, d.before, d.after) for d in result.all_differences] == [
        ("turn 2", ChangeKind.MISSING_TURN, MISSING, "present")
    ]
    assert (result.same_shape, result.same_content) == (False, False)


def test_a_body_that_is_no_json_is_compared_as_text() -> None:
    """A body that is not JSON has that for a shape, and its text for a content."""
    left, right = transcript_of([exchange(b"<html>")]), transcript_of([exchange(b"<body>")])
    assert parted(left, right, Layer.SHAPE) == []
    assert parted(left, right, Layer.CONTENT) == [("turn 1 answer", "value", "<html>", "<body>")]


def test_two_recordings_of_one_target_are_told_apart_by_source() -> None:
    """Two recordings of one target are named with where they come from."""
    result = compare(transcript_of(source="old.yaml"), transcript_of(source="new.yaml"))
    assert (result.left, result.right) == ("ours/one (old.yaml)", "ours/one (new.yaml)")


def test_a_large_answer_is_compared_to_the_last_value() -> None:
    """Of 10,000 values in 1 MB each that differs is told, and no other."""
    items = [{"id": n, "name": "茶" * 160, "more": [n, None, {}]} for n in range(2_000)]
    other = [*items[:-1], {**items[-1], "name": "茶" * 159 + "叶", "more": [1, None, {}]}]
    left, right = {"list": items, "at": "a"}, {"list": [{**items[0], "id": -1}, *other[1:]]}
    sides = one_answer(left), one_answer(right)
    assert len(sides[0].readings[0].exchange.response.body) > 1_000_000
    result = compare(*sides)
    assert [(d.layer, d.where) for d in result.all_differences] == [
        (Layer.SHAPE, "/at"),
        (Layer.CONTENT, "/list/0/id"),
        (Layer.CONTENT, "/list/1999/more/0"),
        (Layer.CONTENT, "/list/1999/name"),
    ]


SQUARES = "\n".join(str(i**2 % 149) for i in range(20_000))
CUBES = "\n".join(str(i**3 % 149) for i in range(20_000))
"""Two texts that take minutes to lay side by side line by line."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("left", "right"),
    [
        ({f"k{i}": i for i in range(30_000)}, {f"k{i}": str(i) for i in range(30_000)}),
        ({"text": SQUARES}, {"text": CUBES}),
        ({"x": list(range(30_000))}, {"x": list(range(1, 30_000))}),
    ],
    ids=["many keys", "long texts", "long lists"],
)
def test_large_answers_are_not_compared_each_with_each(left: object, right: object) -> None:
    """Of large answers that differ everywhere; it takes minutes."""
    began = time.process_time()
    assert compare(one_answer(left), one_answer(right)).differences
    assert time.process_time() - began < 60


def test_two_scenarios_with_one_target_are_told_apart_by_their_names() -> None:
    """The target alone would not say which side is which."""
    left, right = (
        analyze(Transcript(name, "a/b", (), source=f"{name}.yaml"), recognise)
        for name in ("one", "two")
    )
    result = compare(left, right)
    assert (result.scenario, result.left, result.right) == ("", "a/b (one)", "a/b (two)")


def two_choices(second: str) -> AnalyzedTranscript:
    """Return a stream of two choices, the second with this text."""
    stream = [
        {"choices": [{"index": index, "delta": {"content": text}}]}
        for index, text in ((0, "One"), (1, second))
    ]
    sent = stream_answer(*stream, path="/compatible-mode/v1/chat/completions")
    return analyze(Transcript("s", "a/b", (Turn(1, (sent,)),)), recognise)


def test_every_choice_is_compared() -> None:
    """Two answers that differ in their second choice are not the same."""
    assert parted(two_choices("Two"), two_choices("2"), Layer.ANSWER) == [
        ("turn 1 reply /choices/1/content", "value", "Two", "2")
    ]
    assert parted(two_choices("Two"), two_choices("Two"), Layer.ANSWER) == []


def test_a_matrix_has_every_choice() -> None:
    """Each choice has its text and length; tokens and times are in the row of the first."""
    (figures,) = matrix([two_choices("第二个")]).figures
    shown = [(one.outcome, one.content, one.content_length, one.han) for one in figures.by_choice]
    assert shown == [("reply", "One", 3, 0.0), ("choice 1", "第二个", 3, 1.0)]


def test_of_many_each_is_compared_with_the_first() -> None:
    """Else hundreds of recordings of a scenario would be compared for hours."""
    assert [*pairs_of(3)] == [(0, 1), (0, 2), (1, 2)]
    assert len([*pairs_of(MAX_EACH)]) == MAX_EACH * (MAX_EACH - 1) / 2
    assert [*pairs_of(MAX_EACH + 1)] == [(0, other) for other in range(1, MAX_EACH + 1)]
