"""References to earlier answers: what they become, and what is said of wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest

import harness
from harness.errors import BadScenario
from harness.scenario.files import load, loads
from harness.scenario.references import BadReference, escaped, resolved, resolved_text, settled
from harness.types import Failure, GeneratedFile, Json, Outcome, Reply, ToolCall

ANSWERS: dict[str, Outcome] = {
    "first": Reply(
        content='{"city": "北京", "days": [1, 2]}',
        reasoning="hm",
        tool_calls=(ToolCall("1", "f", '{"a/b": 1}'), ToolCall("2", "g", "no JSON")),
        files=(GeneratedFile("https://host/a.png"), GeneratedFile("https://host/b.png")),
    ),
    "plain": Reply(content="hello"),
    "refused": Failure(400, "1", "no"),
}
HEAD = "name: x\ntargets: [zhipuai/glm-5.3-flash]\nsteps:\n"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ steps.plain.content }}", "hello"),
        ("{{steps.plain.content}}", "hello"),
        ("Say {{ steps.plain.content }}, {{ steps.plain.content }}!", "Say hello, hello!"),
        ("{{ steps.first.content#/city }}", "北京"),
        ("{{ steps.first.content#/days }}", "[1,2]"),
        ("on {{ steps.first.content#/days/1 }}", "on 2"),
        ("{{ steps.first.reasoning }}", "hm"),
        ("{{ steps.first.image }}", "https://host/a.png"),
        ("{{ steps.first.tool_calls#/0/arguments/a~1b }}", "1"),
        ("{{ steps.first.tool_calls#/1/name }}", "g"),
        ("{{ steps.first.tool_calls#/1/arguments }}", "no JSON"),
        ("{{ name }} and {{ other.steps }} {%", "{{ name }} and {{ other.steps }} {%"),
        (r"\{{ steps.plain.content }}", "{{ steps.plain.content }}"),
        (r"\{{ steps.a }} {{ steps.plain.content }} \{{ step", "{{ steps.a }} hello {{ step"),
        (
            r"\{{ steps.plain.content }} is {{ steps.plain.content }}",
            "{{ steps.plain.content }} is hello",
        ),
    ],
)
def test_a_reference_becomes_the_value(text: str, value: str) -> None:
    """As text, or as JSON; other braces stay as they are."""
    assert resolved_text(text, ANSWERS) == value


def test_references_to_some_steps_become_their_values() -> None:
    """Others stay; a text stays a text, and what looks like a reference in a value is sent."""
    odd = {"odd": Reply(content="{{ steps.first.image }}")}
    step: dict[str, Json] = {
        "user": "{{ steps.first.tool_calls#/0/arguments }} {{ steps.later.content }}",
        "parameters": {"days": "{{ steps.first.content#/days }}", "odd": "{{ steps.odd.content }}"},
    }
    expected = {
        "user": '{"a/b":1} {{ steps.later.content }}',
        "parameters": {"days": [1, 2], "odd": r"\{{ steps.first.image }}"},
    }
    assert settled(step, {**ANSWERS, **odd}) == expected
    with pytest.raises(BadReference, match="has no reasoning"):
        settled({"user": "{{ steps.plain.reasoning }}"}, ANSWERS)


@pytest.mark.parametrize("text", ["{{ steps.a.content }}", r"\{{ steps }} {{steps", "plain"])
def test_an_escaped_text_is_sent_as_it_stands(text: str) -> None:
    """Also if it has a backslash already."""
    written = escaped(text)
    assert isinstance(written, str)
    assert resolved_text(written, {}) == text


def test_a_lone_reference_keeps_its_type() -> None:
    """In parameters and results, at any depth."""
    given: dict[str, Json] = {
        "a": ["{{ steps.first.content#/days }}", " {{ steps.first.content#/days/0 }} "]
    }
    assert resolved({**given, "b": 1}, ANSWERS) == {"a": [[1, 2], 1], "b": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("steps.refused.content", "the step 'refused' was not answered"),
        ("steps.other.content", "the step 'other' was not answered"),
        ("steps.plain.image", "the answer has no image"),
        ("steps.plain.tool_calls", "the answer has no tool_calls"),
        ("steps.plain.content#/a", "the content is not JSON"),
        (
            "steps.first.content#/town",
            'the content has no /town; it is {"city":"北京","days":[1,2]}',
        ),
    ],
)
def test_a_value_that_is_not_there_is_named(text: str, message: str) -> None:
    """With the reference as it is written."""
    with pytest.raises(BadReference) as caught:
        resolved_text(f"a {{{{ {text} }}}}", ANSWERS)
    assert str(caught.value) == f"{{{{ {text} }}}} has no value: {message}"


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (
            "{{ steps.frist.content }}",
            "names no earlier step; did you mean 'first'? there are: first",
        ),
        ("{{ steps.later.content }}", "names no earlier step; there are: first"),
        (
            "{{ steps.first.contents }}",
            "names no field of an answer; did you mean 'content'? "
            "there are: content, reasoning, tool_calls, image",
        ),
        ("{{ steps.first }}", "is not a valid reference; expected {{ steps.NAME.FIELD }} or "),
        ("{{ step.first.content }}", "is not a valid reference; expected {{ steps.NAME.FIELD }}"),
        ("{{ steps.first.content | upper }}", "is not a valid reference; expected"),
        ("{{ steps.first.content#city }}", "is not a valid reference; expected"),
        ("{{ steps.first.content", "is not a valid reference; expected"),
    ],
)
@pytest.mark.parametrize(
    "step",
    [
        "user: 'say REF'",
        "system: REF",
        "prompt: REF",
        "user: [{text: a}, {image: 'REF'}]",
        "tool_results: {f: {a: ['REF']}}",
        "tool_results: [{function: f, result: 'REF'}]",
        "user: a\n    parameters: {stop: ['REF']}",
    ],
)
def test_a_wrong_reference_is_refused_before_a_call(
    step: str, reference: str, message: str
) -> None:
    """Wherever it stands, with its line and what is allowed."""
    text = (
        step.replace("'REF'", "REF")
        .replace("'say REF'", "say REF")
        .replace("REF", f"'{reference}'")
    )
    text = text.replace(f"say '{reference}'", f"'say {reference}'")
    with pytest.raises(BadScenario) as caught:
        loads(
            f"{HEAD}  - user: a\n    name: first\n  - {text}\n  - user: b\n    name: later\n",
            "x.yaml",
        )
    assert str(caught.value).startswith("x.yaml:6: steps[1] is not valid: " + reference[:16])
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("step", "field", "there_are"),
    [
        ("speech: a", "content", "file"),
        ("embedding: a", "content", "none"),
        ("rerank: {query: a, documents: [b]}", "image", "ranking"),
        ("user: a", "ranking", "content, reasoning, tool_calls, image, file"),
    ],
)
def test_a_field_that_an_answer_never_has_is_refused(step: str, field: str, there_are: str) -> None:
    """By the kind of the step, before a call."""
    first = f"  - {step}\n    name: first\n"
    with pytest.raises(BadScenario) as caught:
        loads(f"{HEAD}{first}  - user: '{{{{ steps.first.{field} }}}}'\n", "x.yaml")
    assert str(caught.value).endswith(f"the fields of the step 'first' are: {there_are}")


def test_names_are_of_calls_and_unique() -> None:
    """Only an answer can be referred to, and only one by each name."""
    with pytest.raises(BadScenario, match=r"steps\[1\].name has the name 'a' of an earlier step"):
        loads(f"{HEAD}  - user: a\n    name: a\n  - user: b\n    name: a\n")
    with pytest.raises(BadScenario, match=r"steps\[0\] is not a call, so it cannot have name"):
        loads(f"{HEAD}  - system: a\n    name: a\n  - user: b\n")


def test_a_skipped_step_is_referred_to_by_skipped_steps_only() -> None:
    """A live recording would have no value for the others."""
    steps = "  - user: a\n    name: a\n    sandbox_only: b\n  - user: '{{ steps.a.content }}'\n"
    with pytest.raises(BadScenario, match="names a sandbox_only step; this step must be"):
        loads(HEAD + steps)
    loads(HEAD + steps + "    sandbox_only: c\n")


SCENARIO = """\
name: chained
targets:
  - zhipuai/glm-5.3-flash
  - model: dashscope/qwen-plus
    parameters: {result_format: message}
history: none
steps:
  - user: 为“云茶”写一句口号
    name: slogan
  - user: "评价：{{ steps.slogan.content }}"
    expect: {contains: 云茶}
  - user: 北京怎么样？
    name: weather
    parameters:
      tools:
        - type: function
          function:
            name: get_current_weather
            parameters:
              type: object
              properties: {location: {type: string}}
              required: [location]
      tool_choice: {type: function, function: {name: get_current_weather}}
    expect: {tool_call: get_current_weather}
  - user: "{{ steps.weather.tool_calls#/0/arguments/location }}有多大？"
    parameters: {user_id: "u-{{ steps.weather.tool_calls#/0/arguments/location }}"}
    expect: {contains: 北京}
"""


def test_a_chain_is_recorded_and_replayed(tmp_path: Path) -> None:
    """The value of the recording is the one of the replay; rules see what travelled."""
    path = tmp_path / "chained.yaml"
    path.write_text(SCENARIO, encoding="utf-8")
    for transcript in harness.record(path, source="sandbox", cassettes=tmp_path / "cassettes"):
        assert harness.check(transcript) == ()
        first, second, _, last = transcript.turns
        assert isinstance(first.outcome, Reply)
        assert second.call is not None
        assert last.call is not None
        assert second.call.messages[-1].content == f"评价：{first.outcome.content}"
        assert last.call.messages[-1].content == "北京有多大？"
        assert last.call.parameters["user_id"] == "u-北京"


def test_a_value_that_an_answer_lacks_ends_the_recording(tmp_path: Path) -> None:
    """With file, line, step and the reason."""
    path = tmp_path / "x.yaml"
    path.write_text(
        f"{HEAD}  - user: 你好\n    name: a\n  - user: '{{{{ steps.a.content#/b }}}}'\n"
    )
    scenario = load(path)
    with pytest.raises(BadScenario) as caught:
        harness.run(scenario, source="sandbox")
    assert str(caught.value) == (
        f"{path}:6: step 2: {{{{ steps.a.content#/b }}}} has no value: the content is not JSON"
    )
