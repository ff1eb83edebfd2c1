"""Evidence as JSON Schema (draft 2020-12): what is promised, without the reasons.

A field is `required` where nothing speaks for its absence and at least a warning's worth of
exchanges against it; a format and an enumeration stand where their vocabulary is known as well.
Types are those that were seen, however few.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.contracts import words
from harness.contracts.clause import Spot
from harness.contracts.support import EVERY
from harness.types import LooseJson

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def schema(spot: Spot, family: str = EVERY) -> dict[str, Any]:
    """What is promised of a place and all below it to one family of models."""
    return {**promise(spot, family), **_below(spot, family)}


def promise(spot: Spot, family: str = EVERY) -> dict[str, Any]:
    """What is promised of a place alone."""
    told: dict[str, Any] = {}
    kinds = spot.types(family) or spot.node.types
    if kinds:
        told["type"] = kinds[0] if len(kinds) == 1 else list(kinds)
    told |= _format(spot) | _enumeration(spot)
    missed = {key: child.against("absent", family) for key, child in spot.fields.items()}
    required = [key for key, held in missed.items() if held.is_promise]
    return {**told, "required": required} if required else told


def _below(spot: Spot, family: str) -> dict[str, Any]:
    told: dict[str, Any] = {}
    members = {key: schema(child, family) for key, child in spot.fields.items()}
    if members:
        told["properties"] = members
    if spot.values:
        told["additionalProperties"] = schema(spot.values, family)
    if spot.items:
        told["items"] = schema(spot.items, family)
    return told


def _format(spot: Spot) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for name in spot.formats:
        if name in words.STANDARD:
            told["format"] = name
        elif name in words.TEXT_FORMATS:
            told["pattern"] = f"^(?:{words.TEXT_FORMATS[name].pattern})$"
    return told


def _enumeration(spot: Spot) -> dict[str, Any]:
    listed: list[LooseJson] = sorted(spot.vocabulary)
    if not listed or set(spot.node.types) - {"string", "null"}:
        return {}
    return {"enum": listed + ([None] if "null" in spot.node.types else [])}


# ------------------------------------------------------------------ families of models that differ

Overlay = tuple[tuple[str, ...], dict[str, Any]]
"""Families of models, and what is promised to them beyond what is promised to all."""


def overlays(spot: Spot) -> list[Overlay]:
    """What is promised beyond the common schema to families of models, alike ones together."""
    found: list[Overlay] = []
    common = schema(spot)
    for family in sorted(spot.node.counts):
        more = _more(common, schema(spot, family))
        same = next((i for i, (_, known) in enumerate(found) if known == more), None)
        if same is not None:
            found[same] = ((*found[same][0], family), more)
        elif more:
            found.append(((family,), more))
    return found


def _more(common: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The words of the second schema that the first does not have, and the way to them."""
    told: dict[str, Any] = {}
    if own.get("type") != common.get("type"):
        told["type"] = own["type"]
    required = [key for key in own.get("required", ()) if key not in common.get("required", ())]
    if required:
        told["required"] = required
    members = own.get("properties", {})
    parts = {key: _more(common["properties"][key], child) for key, child in members.items()}
    if any(parts.values()):
        told["properties"] = {key: part for key, part in parts.items() if part}
    for name in ("additionalProperties", "items"):
        part = _more(common[name], own[name]) if name in own else {}
        if part:
            told[name] = part
    return told
