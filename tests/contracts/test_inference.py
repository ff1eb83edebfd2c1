"""What is inferred from what: presence, families, vocabularies, formats, maps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from contracts.recorded import learn
from contracts.test_laws import recording
from harness.analysis.transcript import analyze
from harness.contracts.clause import (
    ClauseTree,
    against,
    changes,
    clause_tree,
    each,
    lower_bound,
    overlays,
    schema,
    severity,
)
from harness.contracts.contract import Contract
from harness.contracts.evidence import Node
from harness.contracts.files import dumps
from harness.contracts.judge import Judge
from harness.contracts.sections import Section, family
from harness.providers.endpoints import recognise
from harness.types import Severity, Transcript

ANSWER = Section("zhipuai.chat", "answer")


def learned(*bodies: Any, model: str = "alpha") -> Contract:
    """What these bodies of `choices` teach, all answered by one model."""
    return learn([("one.yaml", recording([(model, body) for body in bodies]))])


def place(contract: Contract, path: str = "") -> ClauseTree:
    """What is known of a place in `choices`."""
    result: Node = contract.sections[ANSWER]
    return dict(each(clause_tree(ANSWER, result)))["/choices" + path]


def values(contract: Contract, body: Any, model: str = "alpha") -> list[tuple[str, str, Severity]]:
    """What is found in one more answer."""
    result = Judge(contract).check(recording([(model, body)]))
    return [(finding.rule, finding.place.pointer, finding.severity) for finding in result]


@pytest.mark.parametrize(
    ("held", "weight"),
    [
        (3, Severity.INFO),
        (4, Severity.WARNING),
        (15, Severity.WARNING),
        (16, Severity.ERROR),
        (60, Severity.ERROR),
    ],
)
def test_how_much_is_needed(held: int, weight: Severity) -> None:
    """Three of three is little, sixty of sixty is much: the Wilson bound decides."""
    assert severity(held) is weight
    gone = ("contract_removed", "/choices/seen", weight)
    assert gone in values(learned(*[{"seen": n} for n in range(held)]), {"other": 1})
    assert 0 < lower_bound(held) < 1


def test_what_was_missing_once_may_be_missing() -> None:
    """However often it was there."""
    contract = learned(*[{"seen": 1}] * 59, {})
    assert values(contract, {}) == []
    assert "required" not in schema(place(contract))


def test_a_null_that_was_seen_may_come_again() -> None:
    """One that never was is an error, and so is another type."""
    contract = learned(*[{"a": 1, "b": None} for _ in range(20)], {"a": 1, "b": "x y"})
    assert values(contract, {"a": None, "b": None}) == [
        ("contract_newly_null", "/choices/a", Severity.ERROR)
    ]
    assert values(contract, {"a": "1", "b": "z z"}) == [
        ("contract_retyped", "/choices/a", Severity.ERROR)
    ]


def test_a_whole_number_is_a_number() -> None:
    """But not the other way round."""
    numbers = learned(*[{"a": n / 4} for n in range(20)])
    assert values(numbers, {"a": 3}) == []
    whole = learned(*[{"a": n} for n in range(20)])
    assert values(whole, {"a": 2.0}) == []
    assert values(whole, {"a": 2.5}) == [("contract_retyped", "/choices/a", Severity.ERROR)]


def test_events_of_one_answer_are_one_witness() -> None:
    """A thousand items of one array say no more than one."""
    contract = learned([{"a": n} for n in range(1000)])
    assert place(contract, "/[]/a").node.total("present") == 1
    assert values(contract, [{}]) == [("contract_removed", "/choices/0/a", Severity.INFO)]


# -------------------------------------------------------------------------------------- families


def test_families_that_differ_have_clauses_of_their_own() -> None:
    """Where chance does not explain it; the others are held to what they always did."""
    bodies: list[tuple[Any, Any]] = [("alpha", {"thought": "a b"})] * 20 + [("beta", {})] * 20
    contract = learn([("one.yaml", recording(bodies))])
    more = overlays(clause_tree(ANSWER, contract.sections[ANSWER]))
    wanted = {"properties": {"choices": {"required": ["thought"]}}}
    assert more == [(("alpha",), wanted)]
    assert values(contract, {}, "alpha") == [
        ("contract_removed", "/choices/thought", Severity.ERROR)
    ]
    assert values(contract, {}, "beta") == values(contract, {}, "gamma") == []


def test_families_that_differ_by_chance_do_not() -> None:
    """One miss in forty may fall anywhere."""
    bodies: list[tuple[Any, Any]] = [("alpha", {"a": 1})] * 20 + [("beta", {"a": 1})] * 19
    contract = learn([("one.yaml", recording([*bodies, ("beta", {})]))])
    assert overlays(clause_tree(ANSWER, contract.sections[ANSWER])) == []
    assert values(contract, {}, "alpha") == []


def test_a_family_never_met_is_held_to_what_all_others_share() -> None:
    """Each of them is one witness, however many exchanges it had."""
    bodies: list[tuple[Any, Any]] = [(name, {"a": 1}) for name in "bcdef" for _ in range(9)]
    contract = learn([("one.yaml", recording(bodies))])
    assert values(contract, {}, "b") == [("contract_removed", "/choices/a", Severity.ERROR)]
    assert values(contract, {}, "z") == [("contract_removed", "/choices/a", Severity.WARNING)]
    assert against({}, "absent", "z") == 0


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("glm-4-0520", "glm-4"),
        ("qwen-plus-2025-07-28", "qwen-plus"),
        ("qwen-plus-latest", "qwen-plus"),
        ("GLM-Z1-AirX", "glm-z1-airx"),
        ("glm-4.5-air", "glm-4.5-air"),
        ("cogview-4-250304", "cogview-4"),
        ("a model\nwith words", ""),
        (None, ""),
    ],
)
def test_a_family_is_a_model_without_its_snapshot(model: Any, name: str) -> None:
    """Dates and numbers of snapshots are no family."""
    assert family(model) == name


# --------------------------------------------------------------------- vocabularies and formats


def test_a_vocabulary_is_learnt_from_words_seen_often() -> None:
    """A new word is a warning."""
    contract = learned(*[{"end": "stop"}] * 15, *[{"end": "length"}] * 3)
    assert schema(place(contract, "/end"))["enum"] == ["length", "stop"]
    new = ("contract_new_value", "/choices/end", Severity.WARNING)
    assert values(contract, {"end": "sensitive"}) == [new]


def test_a_documented_word_is_no_news() -> None:
    """Where the provider documents it; another word is."""
    end = "finish_reason"
    contract = learned(*[{end: "stop"}] * 15, *[{end: "length"}] * 3)
    assert values(contract, {end: "tool_calls"}) == []
    new = ("contract_new_value", f"/choices/{end}", Severity.WARNING)
    assert values(contract, {end: "halted"}) == [new]


def test_a_word_seen_once_leaves_the_vocabulary_open() -> None:
    """There may be more that were not seen yet; once it comes more often, it is one of them."""
    contract = learned(*[{"end": "stop"}] * 18, {"end": "length"})
    assert values(contract, {"end": "sensitive"}) == []
    assert "length" not in dumps(contract)
    more = recording([("alpha", {"end": "length"})] * 2)
    assert place(learn([("two.yaml", more)], contract), "/end").vocabulary == {
        "stop": 18,
        "length": 3,
    }


@pytest.mark.parametrize(
    "values",
    [
        ["Dear Anna, thank you"] * 20,
        ["call_5d9df239235040eeb71f2a"] * 20,
        ["你好"] * 20,
        [f"word{chr(97 + n)}" for n in range(20)] * 3,
        ["1390001234567"] * 20,
    ],
)
def test_free_text_and_ids_are_no_vocabulary(values: list[str]) -> None:
    """Nothing of them stands in a contract."""
    text = dumps(learned(*[{"a": value} for value in values]))
    assert not any(value in text for value in values)
    assert "enum" not in text


def test_what_the_request_said_is_no_vocabulary() -> None:
    """An answer that repeats it says nothing of the service."""
    contract = learned(*[{"a": "alpha"} for _ in range(20)])
    assert "x-words" not in dumps(contract)


def test_json_in_a_string_is_a_string() -> None:
    """Whatever stands in it."""
    contract = learned(*[{"a": '{"city": "Beijing"}'} for _ in range(20)])
    assert schema(place(contract, "/a")) == {"type": "string"}


@pytest.mark.parametrize(
    ("value", "other", "name"),
    [
        ("2025-10-14T17:26:17Z", "14 Oct 2025", "date-time"),
        ("2025-12-07 19:24:38.741", "2025-12-07T19:24:38+08:00", "local-date-time"),
        ("https://example.com/1.png", "no link", "uri"),
        ("49323c4e-a33e-42be-a301-9abb5dd9e20a", "49323c4e", "uuid"),
        ("-8802648481093947883", "88x", "integer-in-string"),
        (1760462777, 1760462777000, "epoch-seconds"),
    ],
)
def test_formats(value: Any, other: Any, name: str) -> None:
    """What all values had in common is expected of the next."""
    contract = learned(*[{"a": value} for _ in range(20)])
    assert name in place(contract, "/a").formats
    assert values(contract, {"a": value}) == []
    odd = ("contract_out_of_format", "/choices/a", Severity.WARNING)
    assert values(contract, {"a": other}) == [odd]


def test_a_map_has_no_fields() -> None:
    """Keys that are data are neither required nor written down, and new ones are no news."""
    contract = learned(*[{f"用户{n}": {"age": n}, "k-1234567": {"age": 1}} for n in range(20)])
    result = schema(place(contract))
    assert result["additionalProperties"]["properties"] == {"age": {"type": "integer"}}
    assert "用户" not in dumps(contract)
    assert values(contract, {"someone": {"age": 5}}) == []
    wide: dict[str, Any] = {f"key_{chr(97 + n)}": n for n in range(26)}
    assert "properties" not in schema(place(learned(wide)))


# --------------------------------------------------------------------------------------- changes


def test_changes_are_clauses_and_not_counts() -> None:
    """More of the same changes nothing; a miss makes a field optional."""
    old = learned(*[{"a": 1, "end": "stop"}] * 20)
    same = learn([("two.yaml", recording([("alpha", {"a": 2, "end": "stop"})]))], old)
    assert changes(old, same) == []
    new = learn([("two.yaml", recording([("alpha", {"end": None, "b": 1})]))], old)
    assert changes(old, new) == [
        "- /choices/a: no longer required (zhipuai.chat, answer)",
        "+ /choices/b: known (zhipuai.chat, answer)",
        '+ /choices/b: type "integer" (zhipuai.chat, answer)',
        '~ /choices/end: enum ["stop"] becomes ["stop", null] (zhipuai.chat, answer)',
        '~ /choices/end: type "string" becomes ["null", "string"] (zhipuai.chat, answer)',
    ]
    assert changes(Contract(), old) == ["+ zhipuai.chat, answer: new, 20 exchanges"]


def test_a_copy_without_its_body_is_not_judged() -> None:
    """A recorder wrote it twice; an empty answer of its own is told of."""
    [turn] = recording([("alpha", [])]).transcript.turns
    [first] = turn.exchanges
    dated = replace(first.response, headers=(*first.response.headers, ("Date", "today")))
    whole = replace(first, response=dated)
    copy = replace(whole, response=replace(dated, body=b""))
    read = analyze(Transcript("s", "t", (replace(turn, exchanges=(whole, copy)),)), recognise)
    assert Judge(learn([("one.yaml", read)])).check(read) == ()
    alone = analyze(Transcript("s", "t", (replace(turn, exchanges=(copy,)),)), recognise)
    assert [finding.rule for finding in Judge(Contract()).check(alone)] == ["contract_uncovered"]


def test_a_field_that_was_always_null_may_be_absent() -> None:
    """It has said as much as no field; one that ever had a value is promised."""
    null, both = [{"mark": None}] * 60, [{"mark": None}, {"mark": "fp"}] * 30
    assert values(learned(*null), {}) == [("contract_removed", "/choices/mark", Severity.INFO)]
    assert values(learned(*both), {}) == [("contract_removed", "/choices/mark", Severity.ERROR)]


def test_a_field_that_was_always_null_may_have_a_value() -> None:
    """It is as new as a field that never came; one that was also a text promised no object."""
    null, both = [{"mark": None}] * 60, [{"mark": None}, {"mark": "fp"}] * 30
    value: dict[str, Any] = {"mark": {"content": []}}
    assert values(learned(*null), value) == [("contract_retyped", "/choices/mark", Severity.INFO)]
    assert values(learned(*both), value) == [("contract_retyped", "/choices/mark", Severity.ERROR)]
