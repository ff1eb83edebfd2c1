"""Clauses as JSON Schema (draft 2020-12), and the clauses in which two contracts differ.

Required fields, formats and enumerations are in the schema if they are promised (see `clause`); all
types are in it that were seen, in however few exchanges.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.contracts import words
from harness.contracts.clause import EVERY, Spot, spot
from harness.contracts.contract import Contract
from harness.contracts.sections import Section
from harness.rules.rule import show
from harness.wire.text import count

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def schema(spot: Spot, family: str = EVERY) -> dict[str, Any]:
    """Return the JSON Schema of a place and of all places below it, for one family of models."""
    return {**promise(spot, family), **_below(spot, family)}


def promise(spot: Spot, family: str = EVERY) -> dict[str, Any]:
    """Return the JSON Schema of a place alone, without the schemas of its fields and items."""
    types = spot.types(family) or spot.node.types
    promised: dict[str, Any] = {}
    if types:
        promised["type"] = types[0] if len(types) == 1 else list(types)
    promised |= _format(spot) | _enumeration(spot)
    absences = {key: child.against("absent", family) for key, child in spot.fields.items()}
    required = [key for key, support in absences.items() if support.is_promise]
    return {**promised, "required": required} if required else promised


def _below(spot: Spot, family: str) -> dict[str, Any]:
    children: dict[str, Any] = {}
    members = {key: schema(child, family) for key, child in spot.fields.items()}
    if members:
        children["properties"] = members
    if spot.values:
        children["additionalProperties"] = schema(spot.values, family)
    if spot.items:
        children["items"] = schema(spot.items, family)
    return children


def _format(spot: Spot) -> dict[str, Any]:
    keywords: dict[str, Any] = {}
    for name in spot.formats:
        if name in words.STANDARD:
            keywords["format"] = name
        elif name in words.TEXT_FORMATS:
            keywords["pattern"] = f"^(?:{words.TEXT_FORMATS[name].pattern})$"
    return keywords


def _enumeration(spot: Spot) -> dict[str, Any]:
    listed: list[str | None] = [*sorted(spot.vocabulary)]
    if not listed or set(spot.node.types) - {"string", "null"}:
        return {}
    return {"enum": listed + ([None] if "null" in spot.node.types else [])}


# ------------------------------------------------------------ differing families of models

Overlay = tuple[tuple[str, ...], dict[str, Any]]
"""Families of models, and the JSON Schema keywords that hold for them and not for all families."""


def overlays(spot: Spot) -> list[Overlay]:
    """Return the keywords that hold for single families of models beyond the common schema.

    Families with the same keywords share an overlay; families without any have none.
    """
    overlays: list[Overlay] = []
    common = schema(spot)
    for family in sorted(spot.node.counts):
        more = _more(common, schema(spot, family))
        same = next((i for i, (_, other) in enumerate(overlays) if other == more), None)
        if same is not None:
            overlays[same] = ((*overlays[same][0], family), more)
        elif more:
            overlays.append(((family,), more))
    return overlays


def _more(common: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of the schema *own* that the schema *common* lacks; empty if none."""
    more: dict[str, Any] = {}
    if own.get("type") != common.get("type"):
        more["type"] = own["type"]
    required = [key for key in own.get("required", ()) if key not in common.get("required", ())]
    if required:
        more["required"] = required
    members = own.get("properties", {})
    parts = {key: _more(common["properties"][key], child) for key, child in members.items()}
    if any(parts.values()):
        more["properties"] = {key: part for key, part in parts.items() if part}
    for name in ("additionalProperties", "items"):
        part = _more(common[name], own[name]) if name in own else {}
        if part:
            more[name] = part
    return more


# ---------------------------------------------------------- differences of two contracts

Clauses = Mapping[tuple[str, str], Any]
"""The value of each JSON Schema keyword, by path and keyword."""


def clauses(contract: Contract, section: Section) -> Clauses:
    """Return all clauses of a section, both the common ones and those of single families.

    The keyword of a clause for a single family ends with `for` and the family's name.
    """
    top = spot(section, contract.sections[section])
    promised = dict(_clauses(schema(top), "", ""))
    for names, more in overlays(top):
        for name in names:
            promised.update(_clauses(more, "", f" for {name}"))
    return promised


def _clauses(
    schema: Mapping[str, Any], path: str, family: str
) -> Iterator[tuple[tuple[str, str], Any]]:
    for keyword in ("type", "format", "pattern", "enum"):
        if keyword in schema:
            yield (path, keyword + family), schema[keyword]
    for key in schema.get("required", ()):
        yield (f"{path}/{key}", "required" + family), True
    for key, child in schema.get("properties", {}).items():
        if not family:
            yield (f"{path}/{key}", "known"), True
        yield from _clauses(child, f"{path}/{key}", family)
    for keyword, step in (("additionalProperties", "*"), ("items", "[]")):
        if keyword in schema:
            yield from _clauses(schema[keyword], f"{path}/{step}", family)


def changes(old: Contract, new: Contract) -> list[str]:
    """Return a line for every clause that is added (+), dropped (-) or changed (~).

    The list is empty if there is only more evidence for the same clauses.
    """
    lines: list[str] = []
    for section in sorted({**old.sections, **new.sections}):
        if section not in old.sections:
            exchanges = count(new.sections[section].total("of"), "exchange")
            lines.append(f"+ {section}: new, {exchanges}")
            continue
        before, after = clauses(old, section), clauses(new, section)
        lines += [f"{line} ({section})" for line in _changed(before, after)]
    return lines


def _changed(old: Clauses, new: Clauses) -> Iterator[str]:
    for path, keyword in sorted({**old, **new}):
        before, after = old.get((path, keyword)), new.get((path, keyword))
        where = path or "(the whole answer)"
        if before is None:
            yield f"+ {where}: {_clause(keyword, after)}"
        elif after is None:
            yield f"- {where}: no longer {_clause(keyword, before)}"
        elif before != after:
            yield f"~ {where}: {keyword} {show(before)} becomes {show(after)}"


def _clause(keyword: str, value: Any) -> str:
    return keyword if value is True else f"{keyword} {show(value)}"
