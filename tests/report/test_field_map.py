"""The field mapping by API form."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from drift.changed_recordings import recorded, with_exchanges

from harness.analysis.transcript import AnalyzedTranscript
from harness.comparison.call_forms import api_form
from harness.comparison.fields import Presence
from harness.report import Report, html, json_report, markdown
from harness.report.field_map import MappedField, Topic
from harness.types import Exchange

from .samples import exchange, told

NAMES = (
    "single-turn-prompt/dashscope-qwen-flash",
    "single-turn-messages/dashscope-qwen-flash",
    "streaming/zhipuai-glm-5.3-flash",
    "slogan/zhipuai-glm-5.3-flash",
    "weather-tool/zhipuai-glm-5.3-flash",
    "kitten-image/zhipuai-cogview-4",
    "kitten-image/dashscope-wan2.2-t2i-flash",
)


@pytest.fixture(scope="module")
def reads() -> tuple[AnalyzedTranscript, ...]:
    """Shipped recordings of every way of asking, as anybody's cassettes are read."""
    return tuple(map(recorded, NAMES))


@pytest.fixture(scope="module")
def text(reads: tuple[AnalyzedTranscript, ...]) -> Topic:
    """What is told of text."""
    return Report("r", reads).topics[0]


def named(topic: Topic, name: str) -> MappedField:
    """A field of a topic."""
    return next(field for field in topic.fields if field.name == name)


def test_ways_of_asking_are_columns(reads: tuple[AnalyzedTranscript, ...]) -> None:
    """Text first; what asks for a picture is no prompt for text, though it is called so."""
    found = {topic.name: [str(one) for one in topic.forms] for topic in Report("r", reads).topics}
    assert found == {
        "text": ["dashscope · messages", "dashscope · prompt", "zhipuai · messages"],
        "image": ["dashscope · image", "zhipuai · image"],
    }


def test_a_field_has_its_place_with_each_way(text: Topic) -> None:
    """Its path in the words of code, in which kinds of answer, and how often."""
    found = named(text, "content")
    ours = [[(s.path, s.kinds, s.present, s.of) for s in cell] for cell in found.cells]
    assert ours == [
        [("output.choices[0].message.content", ("answer",), 1, 1)],
        [("output.text", ("answer",), 1, 1)],
        [
            ("choices[0].message.content", ("answer",), 2, 3),
            ("choices[0].delta.content", ("stream",), 4, 4),
        ],
    ]
    assert found.cells[2][0].presence is Presence.SOMETIMES
    assert found.differs
    assert not named(text, "total tokens").differs


def test_who_never_has_a_place_counts_too() -> None:
    """Of two targets one calls tools: among all answers of the way that is sometimes."""
    tools, none = (
        recorded("weather-tool/dashscope-qwen-plus"),
        recorded("multi-turn/dashscope-qwen-flash"),
    )
    (cell,) = named(Report("r", (tools, none)).topics[0], "tool call name").cells
    assert [(stand.kinds, stand.present, stand.of) for stand in cell] == [
        (("answer", "stream"), 2, 8)
    ]


def test_two_ways_are_told_apart_in_words(text: Topic) -> None:
    """By the fields that both have and keep elsewhere; what only one has is no such field."""
    apart = {(str(one.left), str(one.right)): one for one in text.contrasts}
    own = apart["dashscope · messages", "dashscope · prompt"]
    assert (own.names, own.of) == (("content", "finish reason"), 6)
    other = apart["dashscope · prompt", "zhipuai · messages"]
    assert "total tokens" not in other.names
    assert {"content", "input tokens", "finish reason"} <= set(other.names)


def test_a_stream_is_compared_with_a_stream() -> None:
    """Where two ways have a kind of answer in common, what stands in other kinds is no news."""
    once, stream = (
        recorded("slogan/zhipuai-glm-5.3-flash"),
        recorded("streaming/zhipuai-glm-5.3-flash"),
    )
    (apart,) = Report("r", (once, stream, with_exchanges(once, _prompted))).topics[0].contrasts
    assert (str(apart.left), str(apart.right)) == ("zhipuai · messages", "zhipuai · prompt")
    assert (apart.names, apart.of > 5) == ((), True)


def _prompted(exchange: Exchange) -> Exchange:
    """The same, as if it had been asked by a prompt."""
    body = exchange.request.body.replace(b'"messages"', b'"prompt"')
    return replace(exchange, request=replace(exchange.request, body=body))


def test_each_target_is_told_with_its_evidence(text: Topic) -> None:
    """Also where a field could be expected and is nowhere, and in how many events of a stream."""
    found = named(text, "model").targets
    nowhere = [form for form, place in found if not place.path]
    assert {form.target for form in nowhere} == {"dashscope/qwen-flash"}
    stream = next(place for form, place in found if form.response == "stream")
    assert stream.events == stream.of_events > 60
    assert stream.evidence.source.endswith("zhipuai-glm-5.3-flash.yaml")


def test_the_places_of_many_targets_are_counted(
    reads: tuple[AnalyzedTranscript, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first are listed: each file without a target is a target of its own."""
    whole = named(Report("r", reads).topics[0], "model")
    monkeypatch.setattr("harness.report.field_map.MAX_TARGETS", 1)
    few = named(Report("r", reads).topics[0], "model")
    assert (len(few.targets), few.more, whole.more) == (1, len(whole.targets) - 1, 0)
    assert few.targets == whole.targets[:1]
    assert "more in the JSON report" in html.report(Report("r", reads))


def test_evidence_leads_to_the_bytes(reads: tuple[AnalyzedTranscript, ...]) -> None:
    """A link to the exchange, where the page has it and its file's name is nobody else's."""
    page = html.report(Report("r", reads))
    assert '<a href="#s1-t1-x1"><span data-zh="总是">always</span> 1 ' in page
    twins = html.report(Report("r", (*reads, *reads)))
    assert 'x1"><span data-zh="总是">' not in twins


def test_a_summary_says_where_formats_differ(reads: tuple[AnalyzedTranscript, ...]) -> None:
    """In a sentence and in a table."""
    summary = markdown.report(Report("r", reads))
    assert (
        "- `dashscope · messages` and `dashscope · prompt`: 2 of 6 fields at different paths: "
        "content, finish reason\n" in summary
    )
    assert "| image url | `output.results[].url` | `data[].url` |" in summary


def test_json_lines_have_every_field(reads: tuple[AnalyzedTranscript, ...]) -> None:
    """With the forms that its numbers mean."""
    found = [json.loads(line) for line in json_report.lines(Report("r", reads)).splitlines()]
    forms = {one["form"]: one for one in found if one["type"] == "form"}
    content = next(one for one in found if one.get("field") == "content")
    places = {
        place["pointer"]: forms[cell["form"]]["target"]
        for cell in content["forms"]
        for place in cell["places"]
    }
    assert places["/output/text"] == "dashscope/qwen-flash"
    assert "fields" not in found[0]


def test_what_no_provider_has_is_not_told() -> None:
    """The invented endpoint knows no place of any value."""
    assert Report("r", (told([exchange({"text": "a"})]),)).topics == ()


def test_a_turn_of_another_tool_tells_how_it_was_asked() -> None:
    """By what its request holds, or by the images that came."""
    read = told(
        [exchange({"text": "a"}, {"messages": []})],
        [exchange({"text": "a"}, {"prompt": "a"})],
        [exchange({"images": ["u"]}, {"prompt": "a"})],
        [exchange({"text": "a"})],
    )
    asked = [str(api_form(read, turn)) for turn in read.turns]
    assert asked == ["chat · messages", "chat · prompt", "chat · image", "chat · other"]
