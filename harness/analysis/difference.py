"""Two flat maps of path to value, and where they part. The only file that knows deepdiff.

deepdiff is given flat maps of scalars, and long texts as digests: so its time is linear in the
number of paths, whatever a recording holds.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from deepdiff import DeepDiff

from harness.types import LooseJson
from harness.wire import MISSING, Missing, escape, type_name

MAX_PATHS = 10_000
"""So many paths of one part are compared one by one; further ones are compared and counted."""

_LONG = 200


class Kind(StrEnum):
    """How two sides part at one spot."""

    ONLY_LEFT = "only left"
    ONLY_RIGHT = "only right"
    TYPE = "type"
    VALUE = "value"
    STATUS = "status"
    OUTCOME = "outcome"
    MISSING_TURN = "missing turn"
    MORE = "more"


_KINDS: Mapping[str, Kind] = {
    "dictionary_item_added": Kind.ONLY_RIGHT,
    "dictionary_item_removed": Kind.ONLY_LEFT,
    "type_changes": Kind.TYPE,
    "values_changed": Kind.VALUE,
}


@dataclass(frozen=True, slots=True)
class Parting:
    """One path where two maps part."""

    path: str
    kind: Kind
    left: LooseJson | Missing
    right: LooseJson | Missing


def partings(left: Mapping[str, LooseJson], right: Mapping[str, LooseJson]) -> Iterator[Parting]:
    """Every path where two flat maps part, in the order of the paths."""
    paths = sorted({**left, **right})
    first, rest = paths[:MAX_PATHS], paths[MAX_PATHS:]
    kinds = _kinds(_tokens(left, first), _tokens(right, first))
    for path in sorted(kinds):
        yield Parting(path, kinds[path], left.get(path, MISSING), right.get(path, MISSING))
    more = sum(1 for path in rest if not _same(left.get(path, MISSING), right.get(path, MISSING)))
    if more:
        yield Parting("", Kind.MORE, more, more)


def _kinds(left: Mapping[str, LooseJson], right: Mapping[str, LooseJson]) -> dict[str, Kind]:
    tree = DeepDiff(
        left,
        right,
        view="tree",
        threshold_to_diff_deeper=0,
        zip_ordered_iterables=True,
    )
    return {
        level.path(output_format="list")[0]: _KINDS[name]
        for name, levels in tree.items()
        for level in levels
    }


def _tokens(values: Mapping[str, LooseJson], paths: list[str]) -> dict[str, LooseJson]:
    return {path: _token(values[path]) for path in paths if path in values}


def _token(value: LooseJson) -> LooseJson:
    """A value deepdiff can compare at once: it would lay long texts side by side line by line."""
    if isinstance(value, str) and (len(value) > _LONG or "\n" in value):
        return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
    return value


def _same(left: LooseJson | Missing, right: LooseJson | Missing) -> bool:
    return type_name(left) == type_name(right) and bool(left == right)


def leaves(value: LooseJson) -> Iterator[tuple[str, str, LooseJson]]:
    """Yield (pointer, path as in `analysis.shape`, value) of everything that holds nothing else.

    >>> list(leaves({"a": [1, {}]}))
    [('/a/0', '/a/[]', 1), ('/a/1', '/a/[]', {})]
    """
    stack: list[tuple[str, str, LooseJson]] = [("", "", value)]
    while stack:
        pointer, path, node = stack.pop()
        if isinstance(node, dict) and node:
            keys = [(escape(key), value) for key, value in reversed(node.items())]
            stack.extend((f"{pointer}/{key}", f"{path}/{key}", value) for key, value in keys)
        elif isinstance(node, list) and node:
            items = reversed(list(enumerate(node)))
            stack.extend((f"{pointer}/{i}", f"{path}/[]", item) for i, item in items)
        else:
            yield pointer, path, node


def similarity(left: str, right: str) -> float:
    """How much two texts have in common, from 0 to 1: the share of pairs of neighbouring
    characters that both have. Only equal texts reach 1.
    """
    if left == right:
        return 1.0
    ours, theirs = _pairs(left), _pairs(right)
    total = ours.total() + theirs.total()
    shared = (ours & theirs).total()
    return min(0.999, round(2 * shared / total, 3)) if total else 0.0


def _pairs(text: str) -> Counter[str]:
    return Counter(a + b for a, b in zip(f"\0{text}", f"{text}\0", strict=True))
