"""The shipped JSON Schema and the shipped scenarios."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pydantic
import pytest
import yaml
from jsonschema import Draft202012Validator
from packaging.version import Version

from harness.scenario.files import check_providers, load, load_all
from harness.scenario.schema_model import json_schema
from harness.scenario.steps import Scenario
from harness.types import CallKind, Mode

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "scenarios").glob("*.yaml"))
SCHEMA = Draft202012Validator(json_schema(), format_checker=Draft202012Validator.FORMAT_CHECKER)


def shipped(name: str) -> Scenario:
    """A shipped scenario."""
    return load(ROOT / "scenarios" / f"{name}.yaml")


def keys(schema: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Every key of a scenario file, with its schema."""
    forms = [schema, *schema["$defs"].values()]
    return [item for form in forms for item in form.get("properties", {}).items()]


@pytest.mark.skipif(
    Version(pydantic.VERSION) < Version("2.11"), reason="this pydantic writes schemas differently"
)
def test_the_shipped_schema_is_the_one_of_the_code() -> None:
    """Editors read the file; this keeps it current."""
    text = (ROOT / "harness" / "scenario" / "schema.json").read_text(encoding="utf-8")
    script = runpy.run_path(str(ROOT / "scripts" / "scenario_schema.py"))
    assert text == script["text"]()


def test_the_schema_is_one() -> None:
    """It obeys its own draft and is understood by validators."""
    Draft202012Validator.check_schema(json_schema())


def test_every_key_is_described() -> None:
    """An editor has something to show for each."""
    assert [key for key, schema in keys(json_schema()) if not schema.get("description")] == []
    assert len(keys(json_schema())) > 30


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_scenarios_obey_the_schema(path: Path) -> None:
    """Each begins with the line that tells editors where the schema is."""
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=../harness/scenario/schema.json\n")
    assert [error.message for error in SCHEMA.iter_errors(yaml.safe_load(text))] == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": []},
        {"steps": [{}]},
        {"steps": [{"user": "a", "image": "b"}]},
        {"steps": [{"user": None}]},
        {"steps": [{"user": "a", "expect": {"failure": 1211}}]},
        {"steps": [{"user": "a", "expect": {"pointer": "a"}}]},
        {"steps": [{"user": "a", "mode": "later"}]},
        {"targets": ["glm-5.3-flash"]},
        {"targets": [{"label": "a"}]},
        {"name": "A"},
        {"volatile": ["a"]},
        {"ignore": [{"rule": "a"}]},
        {"colour": "red"},
    ],
    ids=str,
)
def test_the_schema_refuses_what_the_loader_refuses(wrong: dict[str, Any]) -> None:
    """An editor underlines it before anything is run."""
    right = {"name": "x", "targets": ["a/b", {"model": "a/c"}], "steps": [{"user": "a"}]}
    assert SCHEMA.is_valid(right)
    assert not SCHEMA.is_valid({**right, **wrong})


def test_all_shipped_scenarios_load() -> None:
    """Twelve of them, and they ask the two providers there are."""
    scenarios = load_all([ROOT / "scenarios"])
    assert [scenario.name for scenario in scenarios] == [
        "fairy-tale-async",
        "independent-questions",
        "kitten-image",
        "multi-turn",
        "poster-image",
        "refusals",
        "single-turn-messages",
        "single-turn-prompt",
        "slogan",
        "streaming",
        "thinking",
        "weather-tool",
    ]
    for scenario in scenarios:
        check_providers(scenario, ["dashscope", "zhipuai"])
        assert scenario.about


def test_the_slogan_is_asked_with_five_messages() -> None:
    """Four scripted ones, and the question."""
    assert [step.is_call for step in shipped("slogan").steps] == [False] * 4 + [True]


def test_shipped_scenarios_cover_every_mode() -> None:
    """With the kinds of conversations; tests/test_kinds.py has a scenario for each other kind."""
    asked = [
        (step.kind, step.mode(target))
        for scenario in load_all([ROOT / "scenarios"])
        for target in scenario.targets
        for step in scenario.steps
        if step.is_call
    ]
    assert {kind for kind, _ in asked} == {CallKind.CHAT, CallKind.PROMPT, CallKind.IMAGE}
    assert {mode for _, mode in asked} == set(Mode)


def test_the_tale_and_the_kitten_are_polled() -> None:
    """As often as their authors think it takes."""
    tale, kitten = (shipped(name).steps[0].poll for name in ("fairy-tale-async", "kitten-image"))
    assert (tale.interval, tale.limit) == (2, 40)
    assert (kitten.interval, kitten.limit) == (1, 60)


def test_refusals_name_a_code_for_each_provider() -> None:
    """Five ways to be refused, in the words of each provider."""
    scenario = shipped("refusals")
    codes = [
        [step.expectation(target).failure for step in scenario.steps] for target in scenario.targets
    ]
    assert codes == [
        ["401", "1211", "1214", "1301", "1302"],
        [
            "InvalidApiKey",
            "InvalidParameter",
            "InvalidParameter",
            "DataInspectionFailed",
            "Throttling.RateQuota",
        ],
    ]
    assert [bool(step.sandbox_only) for step in scenario.steps] == [False] * 4 + [True]
