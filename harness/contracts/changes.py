"""What further evidence makes of a contract, in lines that a reviewer reads before agreeing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.contracts.clause import spot
from harness.contracts.contract import Contract
from harness.contracts.schema import overlays, schema
from harness.contracts.sections import Section
from harness.rules.rule import show
from harness.wire.text import count

Clauses = Mapping[tuple[str, str], Any]
"""What is promised, by path and word."""


def changes(old: Contract, new: Contract) -> list[str]:
    """Every clause that is added, dropped or changed; counts that only grew are no change."""
    told: list[str] = []
    for section in sorted({**old.sections, **new.sections}):
        if section not in old.sections:
            node = new.sections[section]
            told.append(f"+ {section}: new, {count(node.total('of'), 'exchange')}")
            continue
        before, after = clauses(old, section), clauses(new, section)
        told += [f"{line} ({section})" for line in _changed(before, after)]
    return told


def clauses(contract: Contract, section: Section) -> Clauses:
    """All clauses of a section, those of families of models beside the common ones."""
    top = spot(section, contract.sections[section])
    found = dict(_clauses(schema(top), "", ""))
    for names, more in overlays(top):
        for name in names:
            found.update(_clauses(more, "", f" for {name}"))
    return found


Clause = tuple[tuple[str, str], Any]


def _clauses(told: Mapping[str, Any], path: str, whose: str) -> Iterator[Clause]:
    for word in ("type", "format", "pattern", "enum"):
        if word in told:
            yield (path, word + whose), told[word]
    for key in told.get("required", ()):
        yield (f"{path}/{key}", "required" + whose), True
    for key, child in told.get("properties", {}).items():
        if not whose:
            yield (f"{path}/{key}", "known"), True
        yield from _clauses(child, f"{path}/{key}", whose)
    for word, step in (("additionalProperties", "*"), ("items", "[]")):
        if word in told:
            yield from _clauses(told[word], f"{path}/{step}", whose)


def _changed(old: Clauses, new: Clauses) -> Iterator[str]:
    for path, word in sorted({**old, **new}):
        before, after = old.get((path, word)), new.get((path, word))
        where = path or "(all of it)"
        if before is None:
            yield f"+ {where}: {_words(word, after)}"
        elif after is None:
            yield f"- {where}: no longer {_words(word, before)}"
        elif before != after:
            yield f"~ {where}: {word} {show(before)} becomes {show(after)}"


def _words(word: str, value: Any) -> str:
    return word if value is True else f"{word} {show(value)}"
