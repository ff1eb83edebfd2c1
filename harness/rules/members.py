"""The documented members of an endpoint's answers, and the detection of misspelled members."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, TypeAlias

from harness.analysis.endpoint import OF_ANSWERS, Endpoint
from harness.rules.schemas import ById
from harness.types import Json
from harness.wire import escape, tokens
from harness.wire.patterns import lazy_pattern
from harness.wire.pointer import ITEMS

Members: TypeAlias = dict[str, "Members"]
"""The members of an object by name, each with its own members; `[]` has those of array items."""

_OF_ANSWERS = {*OF_ANSWERS} - {"refused", "code", "message"}


def documented(endpoint: Endpoint, pointer: str = "") -> Members:
    """Return the documented members of the object at *pointer* in answers and events of *endpoint*.

    They are those of its schemas and its field locations. Each name has a dictionary of the members
    inside of that member; the name `[]` stands for the items of an array.
    """
    members = _documented(ById(endpoint))
    for key in _keys(pointer):
        members = members.get(key, {})
    return members


def _keys(pointer: str) -> list[str]:
    return [ITEMS if key == "0" else key for key in tokens(pointer)]


@lru_cache(maxsize=512)
def _documented(by_id: ById) -> Members:
    endpoint, known = by_id.subject, Members()
    with suppress(RecursionError):  # such a schema is a finding of its own
        for schema in (endpoint.answer, endpoint.event):
            _add(known, schema)
    located = (getattr(endpoint.fields, name) for name in _OF_ANSWERS)
    for pointer in (p for one in located for p in ((one,) if isinstance(one, str) else one)):
        members = known
        for key in _keys(pointer):
            members = members.setdefault(key, {})
    return known


def _add(known: Members, schema: Any) -> None:
    """Add the members that *schema* names in any of its parts."""
    if not isinstance(schema, Mapping):
        return
    for keyword in ("allOf", "anyOf", "oneOf"):
        parts = schema.get(keyword)
        for part in parts if isinstance(parts, list | tuple) else ():
            _add(known, part)
    for keyword in ("then", "else"):
        _add(known, schema.get(keyword))
    if "items" in schema:
        _add(known.setdefault(ITEMS, {}), schema["items"])
    properties = schema.get("properties")
    for name, part in properties.items() if isinstance(properties, Mapping) else ():
        _add(known.setdefault(name, {}), part)


def misspelt(value: Json, known: Members) -> list[tuple[str, str]]:
    """Return (pointer, documented name) of each misspelled member of *value*, at any depth.

    For example `("/finishReason", "finish_reason")`, if *value* has no `finish_reason`. *known* has
    the documented members of *value*, as `documented` returns them.
    """
    found: list[tuple[str, str]] = []
    _add_misspelt(value, known, "", found)
    return found


def _add_misspelt(value: Json, known: Members, pointer: str, found: list[tuple[str, str]]) -> None:
    """Add what `misspelt` returns for *value*, which is at *pointer*, to *found*."""
    if isinstance(value, dict):
        for name, member in value.items():
            inner = known.get(name)
            if inner is None:
                meant = next((k for k in known if k not in value and _alike(name, k)), None)
                if meant is not None:
                    found.append((f"{pointer}/{escape(name)}", meant))
            elif inner and isinstance(member, (dict, list)):
                _add_misspelt(member, inner, f"{pointer}/{escape(name)}", found)
    elif isinstance(value, list) and known.get(ITEMS):
        for number, item in enumerate(value):
            if isinstance(item, (dict, list)):
                _add_misspelt(item, known[ITEMS], f"{pointer}/{number}", found)


@lru_cache(maxsize=4096)
def _alike(name: str, documented_name: str) -> bool:
    """Return whether names differ only in capitals and signs, in order, or in a letter or two.

    Names that have another word, such as `input_tokens_details` and `output_tokens_details`, are
    not alike.
    """
    one, other = ("".join(filter(str.isalnum, n)).lower() for n in (name, documented_name))
    if one == other or len(documented_name) < _LONG:
        return one == other
    own, meant = _WORDS.findall(name), _WORDS.findall(documented_name)
    if len(own) == len(meant) and not all(map(_may_be_same_word, own, meant)):
        return False
    return sorted(one) == sorted(other) or _similarity(one, other) >= _SIMILAR


def _may_be_same_word(one: str, other: str) -> bool:
    return min(len(one), len(other)) < _LONG or _similarity(one.lower(), other.lower()) > _OTHER


def _similarity(one: str, other: str) -> float:
    from difflib import SequenceMatcher

    return SequenceMatcher(None, one, other).ratio()


_WORDS = lazy_pattern("[A-Z]?[a-z]+")
_LONG, _SIMILAR, _OTHER = 4, 0.8, 0.6
