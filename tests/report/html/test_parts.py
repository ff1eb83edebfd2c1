"""What the page is made of: prose, words side by side, bodies with marks, times."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from exchanges import get
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.analysis.transcript import analyze
from harness.comparison.call_forms import path_types
from harness.providers.endpoints import recognise
from harness.report.field_map import field_tables
from harness.report.format import chinese_place, chinese_sentence
from harness.report.html import bodies, charts, word_diff
from harness.report.html.contents import MAX_PROSE, prose
from harness.report.html.page import coded, detail
from harness.types import Exchange, Finding, Place, Timing, Transcript, Turn

from ..samples import exchange, told


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("**bold** and `code`", "<p><strong>bold</strong> and <code>code</code></p>"),
        ("# big", '<p class="heading">big</p>'),
        ("```js onload=x\na < b\n```", "<pre><code>a &lt; b\n</code></pre>"),
        ("<b onclick='x'>", "<p>&lt;b onclick='x'&gt;</p>"),
        ("[a](javascript:x)", "<p>[a](javascript:x)</p>"),
        ("![a](https://there/x.png)", "<p>![a](https://there/x.png)</p>"),
        ("<https://there>", "<p>&lt;https://there&gt;</p>"),
        ("[a]: https://there\n\n[a]", "<p>[a]: https://there</p>\n<p>[a]</p>"),
        ("one\ntwo", "<p>one<br />\ntwo</p>"),
        ("\x1b[31mred", "<p>\ufffd[31mred</p>"),
    ],
)
def test_prose_is_laid_out_and_leads_nowhere(told: str, shown: str) -> None:
    """Markdown is laid out; HTML, links and pictures stay as they were written."""
    assert str(prose(told)).strip() == shown


def test_a_table_has_no_style_of_its_own() -> None:
    """A column's alignment would be an inline style, which the page's policy refuses."""
    assert "style" not in prose("| a |\n|--:|\n| 1 |")


def test_a_very_long_text_is_shown_as_it_is() -> None:
    """Laying it out could take long."""
    assert prose("*a*" + "<" * MAX_PROSE).startswith('<p class="as-is">*a*&lt;')


def test_two_texts_are_told_apart_word_by_word() -> None:
    """Only the words that differ are marked, a Chinese character being one; no mark on all."""
    left, right = word_diff.side_by_side("北京有雨。", "北京有雪。")
    assert [piece.text for piece in left if piece.differs] == ["雨"]
    assert [piece.text for piece in right if piece.differs] == ["雪"]
    assert word_diff.side_by_side("a", "b") == (
        (word_diff.DiffPiece("a"),),
        (word_diff.DiffPiece("b"),),
    )


@given(st.text(max_size=40), st.text(max_size=40))
@settings(max_examples=50)
def test_no_word_is_lost_in_a_difference(left: str, right: str) -> None:
    """The pieces of a text are the text."""
    told = word_diff.side_by_side(left, right)
    assert tuple("".join(piece.text for piece in side) for side in told) == (left, right)


BODY = b'{"a": [1, "x"], "b": {}, "c": 1.50}'


def test_json_is_laid_out_and_keeps_its_tokens() -> None:
    """Lines are added and nothing else: a number stands there as it travelled."""
    shown = bodies.pieces(BODY, [])
    assert "".join(piece.text for piece in shown) == (
        '{\n  "a": [\n    1,\n    "x"\n  ],\n  "b": {},\n  "c": 1.50\n}'
    )
    assert [piece.text for piece in shown if piece.kind == "key"] == ['"a"', '"b"', '"c"']


@pytest.mark.parametrize(
    ("place", "marked"),
    [
        (Place(offset=10, pointer="/a/1"), '"x"'),
        (Place(offset=30, pointer="/c"), "1.50"),
        (Place(offset=6, pointer="/a"), '[1,"x"]'),
        (Place(offset=7), "1"),
    ],
)
def test_the_bytes_a_finding_points_at_are_marked(place: Place, marked: str) -> None:
    """The value its pointer leads to, or what stands at its offset."""
    found = bodies.mark(7, place, BODY)
    assert found is not None
    shown = bodies.pieces(BODY, [found])
    assert "".join(piece.text for piece in shown if piece.findings == (7,)) == marked


def test_a_place_outside_of_a_body_marks_nothing() -> None:
    """Findings about something else have no mark here."""
    assert bodies.mark(1, Place(offset=999), BODY) is None
    assert bodies.mark(1, Place(pointer="/a"), BODY) is None


def test_of_a_long_body_what_is_around_a_mark_is_shown() -> None:
    """The beginning, the mark, and how much is left out in between and after."""
    body = b"x" * 50_000 + b"HERE " + b"y" * 50_000
    shown = bodies.pieces(body, [bodies.Mark(1, 50_000, 50_004)])
    assert [piece.text for piece in shown if piece.findings] == ["HERE"]
    gaps = [piece.text.strip() for piece in shown if piece.kind == "gap"]
    assert gaps == ["… 19700 bytes …", "… 49701 bytes …"]


@given(st.binary(max_size=60), st.integers(0, 70), st.text("/ab0", max_size=4))
@settings(max_examples=40)
def test_any_bytes_can_be_shown(body: bytes, offset: int, pointer: str) -> None:
    """No bytes and no place raise, and without line breaks nothing of a text is lost."""
    found = bodies.mark(1, Place(offset=offset, pointer=pointer), body)
    shown = bodies.pieces(body, [found] if found else [])
    if body.isascii() and body.isalnum():
        assert "".join(piece.text for piece in shown) == body.decode()


def at(start: float, state: str, *arrived: float) -> Exchange:
    """A poll that began then; its answer came in pieces."""
    made = exchange({"states": [state]}, path="/tasks/1")
    timing = Timing(start, 0.1, 0.2, arrived)
    return Exchange(made.request, made.response, timing, tuple(10 for _ in arrived))


def test_a_turn_is_drawn_on_a_line_with_round_times() -> None:
    """The line is as long as all of it took; above it stand times that one can count with."""
    read = told([at(100, "PENDING"), at(102, "RUNNING"), at(103.8, "SUCCEEDED")])
    line = charts.timeline(read.turns[0])
    assert line is not None
    assert line.seconds == pytest.approx(4.0)
    assert line.began == "1970-01-01 00:01:40"
    assert [bar.state for bar in line.bars] == ["PENDING", "RUNNING", "SUCCEEDED"]
    assert [round(bar.x) for bar in line.bars] == [0, 50, 95]
    marks = [(round(mark.x), mark.name) for mark in line.marks]
    assert marks == [(0, "0 s"), (25, "1 s"), (50, "2 s"), (75, "3 s"), (100, "4 s")]


def test_a_task_is_drawn_state_by_state() -> None:
    """A state lasts from when it was told until another one was; the last one is the end."""
    states = [at(100, "PENDING"), at(101, "PENDING"), at(102, "RUNNING"), at(103.8, "SUCCEEDED")]
    line = charts.timeline(told(states).turns[0])
    assert line is not None
    drawn = [(span.state, round(span.x), round(span.width)) for span in line.task]
    assert drawn == [("PENDING", 5, 50), ("RUNNING", 55, 45), ("SUCCEEDED", 100, 0)]
    assert [round(span.lasted, 3) for span in line.task] == [2, 1.8, 0]
    assert line.task[-1].began == pytest.approx(4.0)


def test_a_clock_that_was_set_back_is_drawn_all_the_same() -> None:
    """No state lasts less than nothing: a browser would refuse to draw it."""
    line = charts.timeline(told([at(100, "PENDING"), at(90, "RUNNING")]).turns[0])
    assert line is not None
    assert all(span.width >= 0 and span.lasted >= 0 for span in line.task)


@pytest.mark.parametrize(
    ("states", "phases"),
    [
        (["PENDING", "RUNNING", "SUCCEEDED"], ["queued", "running", "done"]),
        (["PENDING", "FAILED"], ["queued", "failed"]),
        (["PENDING", "SUSPENDED"], ["queued", "running"]),
    ],
)
def test_a_state_is_drawn_by_what_it_means(states: list[str], phases: list[str]) -> None:
    """Whatever the service calls it; a state nobody knows is one on the way."""
    polls = [
        replace(poll(state), timing=Timing(100 + n, 0.1, 0.2)) for n, state in enumerate(states)
    ]
    turn = Turn(1, tuple(polls))
    line = charts.timeline(analyze(Transcript("", "", (turn,)), recognise).turns[0])
    assert line is not None
    assert [span.phase for span in line.task] == phases


def poll(state: str) -> Exchange:
    """What a real service says of a task."""
    output: Any = {"task_id": "t", "task_status": state, "code": "C", "message": "m"}
    return get("https://dashscope.aliyuncs.com/api/v1/tasks/t", {"output": output})


@given(st.floats(0, 1e9))
def test_there_are_a_few_round_times_whatever_it_took(seconds: float) -> None:
    """From 0 on, none behind the end, and never so many that they run into each other."""
    turn = told([replace(exchange({}), timing=Timing(0, 0, seconds))]).turns[0]
    line = charts.timeline(turn)
    assert line is not None
    assert 3 <= len(line.marks) <= 7 or (seconds < 1e-6 and not line.marks)
    assert [mark.x for mark in line.marks] == sorted({mark.x for mark in line.marks})
    assert all(0 <= mark.x <= 100.1 for mark in line.marks)


def test_when_a_turn_was_is_left_out_where_no_calendar_has_it() -> None:
    """Recorded times are whatever somebody wrote."""
    line = charts.timeline(told([at(1e18, "PENDING")]).turns[0])
    assert line is not None
    assert line.began == ""


def test_a_stream_is_drawn_chunk_by_chunk() -> None:
    """Each chunk stands where it came; where nobody noted that, there is none."""
    one, other = told([at(0, "", 0.1, 0.2)], [exchange({})]).turns
    line, plain = charts.timeline(one), charts.timeline(other)
    assert line is not None
    assert plain is not None
    assert [tick.x for tick in line.bars[0].ticks] == [50, 100]
    assert (plain.bars[0].ticks, plain.task) == ((), ())


def test_a_turn_without_times_is_not_drawn() -> None:
    """Cassettes of other tools note none."""
    made = exchange({})
    read = told([Exchange(made.request, made.response)])
    assert charts.timeline(read.turns[0]) is None


def test_fields_are_told_by_provider_and_way_of_asking() -> None:
    """A prompt and messages are two columns; a field that only one has differs."""
    read = told(
        [exchange({"text": "a", "id": 1}, {"messages": []})],
        [exchange({"text": "a"}, {"prompt": "a"})],
    )
    answer, request = field_tables(path_types([read]))
    assert [str(form) for form in answer.forms] == ["chat · messages", "chat · prompt"]
    assert [(row.path, row.differs) for row in answer.fields] == [
        ("", False),
        ("/id", True),
        ("/text", False),
    ]
    assert (request.part, request.differing) == ("request", 2)


def test_code_words_of_ours_are_set_as_code() -> None:
    """What stands between backticks; everything is escaped all the same."""
    assert coded("字段 `a<b` 与 `c`。") == "字段 <code>a&lt;b</code> 与 <code>c</code>。"
    assert coded("<b>") == "&lt;b&gt;"


@pytest.mark.parametrize(
    ("place", "shown"),
    [
        (Place(), ""),
        (Place(1, 2, 3, 4, "/usage"), "第 1 轮，第 2 次交互，第 3 个事件，字节 4，/usage"),
        (Place(exchange=2, request=True, offset=0), "第 2 次交互，请求，字节 0"),
    ],
)
def test_a_place_in_chinese(place: Place, shown: str) -> None:
    """The same parts as in English, in the same order."""
    assert chinese_place(place) == shown
    assert len(str(place).split(", ")) == len(shown.split("，"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("one of stop, length", "以下之一：stop, length"),
        (
            'expected the earlier answer "a" in the request, actual "b"',
            '期望 请求中有之前的回答 "a"，实际 "b"',
        ),
        (
            'expected "a" as in the header x, actual "b"',
            '期望 "a"，与响应头 x 一致，实际 "b"',
        ),
        ('"one of these"', '"one of these"'),
        ("what no rule says", "what no rule says"),
    ],
)
def test_what_a_rule_expects_in_chinese(text: str, shown: str) -> None:
    """Sentences are translated, recorded values are not."""
    assert chinese_sentence(text) == shown


def test_marks_and_tokens_of_a_body_are_elements() -> None:
    """All text of a recording is escaped."""
    found = bodies.mark(7, Place(offset=30, pointer="/c"), BODY)
    assert found is not None
    page = bodies.html(bodies.pieces(BODY.replace(b"x", b"<"), [found]))
    assert '<span class="key">&#34;a&#34;</span>: [' in page
    assert '<span class="string">&#34;&lt;&#34;</span>' in page
    assert '<mark class="offending"><a href="#f-7" title="#7">1.50</a></mark>' in page


@pytest.mark.parametrize(
    ("message", "found", "shown"),
    [
        ("expected 1, actual 2", "2", ""),
        ("in the sum: expected 1, actual 2", "2", "in the sum: expected 1, actual 2"),
        ("something is odd", "", "something is odd"),
        (f"expected 1, actual {'2' * 300}", "2" * 300, f"expected 1, actual {'2' * 300}"),
    ],
    ids=["both halves", "more", "no halves", "cut off above"],
)
def test_what_a_message_says_beside_its_halves(message: str, found: str, shown: str) -> None:
    """Nothing is told twice, and nothing is left out."""
    assert detail(Finding(message, expected="1" if found else "", actual=found)) == shown
