"""Contracts and real recordings: what is planted is found, and what is sound is left alone."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from contracts.recorded import (
    FOLDERS,
    OTHERS,
    REAL,
    LearnedExchange,
    changed,
    contract_of,
    exchanges,
    halves,
    learn,
    parts,
    reads,
)
from harness.analysis.endpoint import Part
from harness.contracts.clause import ClauseTree, clause_tree, each, overlays, schema
from harness.contracts.contract import Contract
from harness.contracts.evidence import Node
from harness.contracts.judge import Judge
from harness.contracts.sections import Section
from harness.types import Finding, Severity
from harness.wire import query, tokens

real = pytest.mark.skipif(not REAL.is_dir(), reason=f"no real recordings at {REAL}")
folders = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)

SEEDS = range(4)
MOST_ALARMS = 0.01


def weighty(findings: Iterator[Finding]) -> list[Finding]:
    """Those that are more than told."""
    return [finding for finding in findings if finding.severity is not Severity.INFO]


@pytest.mark.slow
@real
@pytest.mark.parametrize("by", ["exchange", "file"])
@pytest.mark.parametrize("folder", [REAL, OTHERS], ids=lambda folder: folder.name)
def test_held_out_recordings_give_no_false_alarms(folder: Path, by: str) -> None:
    """At most 1 % of the exchanges of one half have a warning or an error by the other's contract,
    and none an error. Measured over 12 seeds, both folders by file: none in 1,942 exchanges."""
    checked = alarmed = broken = 0
    for seed in SEEDS:
        ours, theirs = halves(folder, seed, by=by)
        judge = Judge(contract_of(ours))
        for one in theirs:
            result = weighty(judge.judge(one.reading, one.family))
            checked += 1
            alarmed += bool(result)
            broken += any(finding.severity is Severity.ERROR for finding in result)
    assert checked > 200
    assert alarmed / checked <= MOST_ALARMS
    assert broken == 0


# ------------------------------------------------------------------------------------- planting


@dataclass(frozen=True)
class Plant:
    """One thing that a contract rules out: the kind of finding, where, and what stands there."""

    rule: str
    path: str
    value: Any = None
    is_gone: bool = False


def plants(top: ClauseTree, family: str) -> Iterator[Plant]:
    """Each kind of breach, once for each place at which the contract promises anything."""
    for path, here in each(top):
        if "*" in path:
            continue
        if path and not path.endswith("[]") and here.against("absent", family).is_promise:
            yield Plant("contract_removed", path, is_gone=True)
        if here.against("null", family).is_promise:
            yield Plant("contract_newly_null", path)
        other = {"planted": [1]} if here.against("object", family) else [1.5]
        state = "object" if isinstance(other, dict) else "array"
        if here.against(state, family).is_promise:
            yield Plant("contract_retyped", path, other)
        if here.vocabulary:
            yield Plant("contract_new_value", path, "planted_word")
        if any(state == "string" for state in here.formats.values()):
            yield Plant("contract_out_of_format", path, "planted words")


def planted(value: Any, plant: Plant) -> tuple[str, Any] | None:
    """A copy with the breach in it and where it is; None where it has no room."""
    result = [pointer for pointer, _ in query(value, plant.path)]
    if not result:
        return None
    if not result[0]:
        return "", plant.value
    whole = copy.deepcopy(value)
    above, _, key = result[0].rpartition("/")
    holder: Any
    ((_, holder),) = query(whole, above)
    step = int(key) if isinstance(holder, list) else tokens(result[0])[-1]
    if plant.is_gone:
        del holder[step]
    else:
        holder[step] = plant.value
    return result[0], whole


def hosts(folder: Path, seed: int) -> dict[tuple[Section, str], list[tuple[LearnedExchange, Part]]]:
    """Where something may be planted, by section and family; held out ones first, short first."""
    ours, theirs = halves(folder, seed, by="exchange")
    result: dict[tuple[Section, str], list[tuple[LearnedExchange, Part]]] = {}
    for learned in (theirs, ours):
        for one in sorted(learned, key=lambda t: len(t.reading.exchange.response.body)):
            for section, part in parts(one.reading):
                result.setdefault((section, one.family), []).append((one, part))
    return result


@pytest.mark.slow
@folders
@pytest.mark.parametrize("seed", [0])
def test_whatever_is_planted_is_found(folder: Path, seed: int) -> None:
    """A field removed, retyped or null, a new word, another format: at every place where the
    contract of one half promises anything, planted in an exchange of the other half."""
    contract = contract_of(halves(folder, seed, by="exchange")[0])
    judge, missed, tried = Judge(contract), [], set()
    for (section, family), held in hosts(folder, seed).items():
        node = contract.sections.get(section)
        if node is None or family not in node.counts:
            continue
        for plant in plants(clause_tree(section, node), family):
            key = (section, plant.rule, plant.path)
            room = ((one, part, planted(part.value, plant)) for one, part in held)
            result = next((r for r in room if r[2]), None)
            if key in tried or result is None:
                continue
            tried.add(key)
            one, part, done = result
            pointer, value = done or ("", None)
            values = judge.judge(changed(one.reading, part, value), family)
            if (plant.rule, pointer) not in {(f.rule, f.place.pointer) for f in values}:
                missed.append((str(section), family, plant, one.file))
    assert missed == []
    assert len(tried) > (300 if folder == REAL else 40)


@pytest.mark.slow
@folders
def test_new_fields_are_told(folder: Path) -> None:
    """An addition at any object is told, and fails nothing."""
    ours = exchanges(folder)
    judge, tried = Judge(contract_of(ours)), 0
    for one in ours[::3]:
        for _, part in list(parts(one.reading))[:1]:
            for path in ("", "/choices/0", "/output", "/usage"):
                value = copy.deepcopy(part.value)
                for _, holder in query(value, path):
                    if not isinstance(holder, dict):
                        continue
                    holder["brand_new"] = 1
                    values = list(judge.judge(changed(one.reading, part, value), one.family))
                    where = [(f.rule, f.place.pointer, f.severity) for f in values]
                    assert where == [("contract_new_field", f"{path}/brand_new", Severity.INFO)]
                    tried += 1
    assert tried > 15


# -------------------------------------------------------------------------------- what is learnt


@pytest.mark.slow
@folders
def test_recordings_keep_the_contract_they_taught(folder: Path) -> None:
    """Nothing at all is found in them but what no contract speaks of."""
    judge = Judge(learn(reads(folder)))
    values = [finding for _, read in reads(folder) for finding in judge.check(read)]
    assert {finding.rule for finding in values} <= {"contract_uncovered"}


@pytest.mark.slow
@folders
def test_schemas_are_valid_and_hold(folder: Path) -> None:
    """Each is JSON Schema of draft 2020-12, and every recorded answer fits it."""
    contract = learn(reads(folder))
    made = {}
    for section, node in contract.sections.items():
        for family in node.counts:
            values = schema(clause_tree(section, node), family)
            Draft202012Validator.check_schema(values)
            made[section, family] = Draft202012Validator(
                values, format_checker=Draft202012Validator.FORMAT_CHECKER
            )
    fitting = 0
    for one in exchanges(folder):
        for section, part in parts(one.reading):
            if (part.event or 0) < 9:
                made[section, one.family].validate(part.value)
                fitting += 1
    assert fitting > 50


@pytest.mark.slow
@real
def test_what_the_real_recordings_teach() -> None:
    """Facts that a reader of the recordings knows, found by the inference."""
    contract = learn(reads(REAL))
    top = clause_tree(*_section(contract, "zhipuai.chat, answer"))
    result = dict(each(top))
    message = result["/choices/[]/message"]
    words = {"length", "stop", "tool_calls"}
    assert result["/choices/[]/finish_reason"].vocabulary.keys() == words
    assert schema(top)["required"] == ["choices", "created", "id", "model", "usage"]
    assert result["/choices/[]/message/tool_calls/[]/function/arguments"].types("*") == ("string",)
    assert not result["/choices/[]/message/tool_calls/[]/function/name"].vocabulary
    assert not result["/model"].vocabulary
    assert [*result["/created"].formats] == ["epoch-seconds"]
    assert "content" not in schema(message)["required"]
    assert list(overlays(top)) == []  # only glm-4.6 leaves `content` out, as documented


def _section(contract: Contract, name: str) -> tuple[Section, Node]:
    result = {str(section): (section, node) for section, node in contract.sections.items()}
    return result[name]
