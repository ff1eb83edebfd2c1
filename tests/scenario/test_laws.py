"""What holds for every scenario and every text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import BadScenario
from harness.scenario.files import loads
from harness.scenario.schema_model import StepForm
from harness.scenario.steps import Past, Scenario, digests

pytestmark = pytest.mark.slow

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=20)
PIECES = (
    "name: x\n;targets:;[a/b];\n  - ;steps:;user: ;assistant: a;: ;, ;  ;&a;*a;!!int;>-\n;---;"
    '%YAML 1.1\n;1e999;expect: ;failure: ;poll: ;tool_results: ;image: a;"\\ud800";"\\UFFFFFFFF";'
    "parameters: ;json_schema: ;$ref;<<: ;\n;{;};[;];';\";|;~;#;?;-;\t;\0;\\;\ufeff"
)
FRAGMENTS = st.sampled_from(PIECES.split(";"))
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from([*StepForm.model_fields, "name", "targets", "steps", "limit", "failure"])
FORMS = st.recursive(
    JSON,
    lambda inner: st.dictionaries(KEYS, inner, max_size=4) | st.lists(inner, max_size=3),
    max_leaves=12,
)
PARAMETERS = st.dictionaries(TEXT, JSON.filter(lambda value: value is not None), max_size=4)


def is_read_or_refused(text: str | bytes) -> bool:
    """Whether reading ends in a scenario or in a `BadScenario`, and in nothing else."""
    try:
        return isinstance(loads(text, "scenarios/x.yaml"), Scenario)
    except BadScenario as refusal:
        return str(refusal).startswith("scenarios/x.yaml:") and "\n" not in str(refusal)


def scenario(*steps: dict[str, Any], **more: Any) -> Scenario:
    """A scenario of these steps, by way of JSON, which is YAML too."""
    return loads(json.dumps({"name": "x", "targets": ["a/b"], "steps": steps, **more}))


def turned(value: Any) -> Any:
    """The same JSON with the keys of every mapping in the opposite order."""
    if isinstance(value, dict):
        return {key: turned(value[key]) for key in reversed(value)}
    return [turned(item) for item in value] if isinstance(value, list) else value


@given(st.binary(max_size=200))
def test_any_bytes_are_a_scenario_or_a_message(data: bytes) -> None:
    """Never a traceback."""
    assert is_read_or_refused(data)


@given(st.lists(FRAGMENTS | TEXT, max_size=25).map("".join))
def test_any_yaml_like_text_is_a_scenario_or_a_message(text: str) -> None:
    """Never a traceback, however close to YAML it comes."""
    assert is_read_or_refused(text)


@given(FORMS)
def test_any_value_is_a_scenario_or_a_message(value: Any) -> None:
    """Never a traceback, whatever stands where."""
    head = {"name": "x", "targets": ["a/b"], "steps": [{"user": "u"}]}
    assert is_read_or_refused(json.dumps(value))
    assert is_read_or_refused(json.dumps({**head, "steps": value}))
    assert is_read_or_refused(json.dumps({**head, "steps": [{"user": "u"}, value]}))
    assert is_read_or_refused(json.dumps({**head, "steps": [{"user": "u", "expect": value}]}))
    if isinstance(value, dict):
        assert is_read_or_refused(json.dumps({**head, **value}, ensure_ascii=False))


@given(TEXT, PARAMETERS)
def test_what_is_written_is_what_is_sent(text: str, parameters: dict[str, Any]) -> None:
    """Text and parameters reach the call unchanged through YAML."""
    parameters.pop("seed", None)
    read = scenario({"user": text}, parameters=parameters)
    call = read.steps[0].call(read.targets[0], Past(), 7)
    assert (call.messages[0].content, call.parameters) == (text, parameters)


@given(PARAMETERS, st.dictionaries(TEXT, JSON, min_size=1, max_size=3))
def test_digests_do_not_depend_on_the_order_of_keys(
    parameters: dict[str, Any], results: dict[str, Any]
) -> None:
    """Mappings have no order, so turning them around changes nothing."""
    steps: list[dict[str, Any]] = [
        {"user": "u", "parameters": parameters},
        {"tool_results": results},
    ]
    one, other = scenario(*steps), scenario(*turned(steps))
    assert digests(one, one.targets[0]) == digests(other, other.targets[0])


@given(TEXT, TEXT)
def test_digests_differ_exactly_when_texts_do(one: str, other: str) -> None:
    """The changed step is told, and the steps around it are not."""
    before, after = (
        scenario({"user": "a"}, {"user": text}, {"user": "z"}) for text in (one, other)
    )
    pairs = zip(digests(before, before.targets[0]), digests(after, after.targets[0]), strict=True)
    assert [x == y for x, y in pairs] == [True, one == other, True]
