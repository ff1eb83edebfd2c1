"""The difference between two JSON values, walked together; the only file that knows deepdiff.

Equal subtrees are stepped over in one comparison. What is left of two lists once equal items at
both ends are set aside goes to deepdiff, which pairs items by similarity, so that an inserted item
is one change and does not shift all later ones. deepdiff compares every item with every other:
longer lists, and arrays of numbers, are aligned here by equal items, and the result says so.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import zip_longest

from harness.analysis.change import Change, ChangeKind
from harness.types import Json
from harness.wire import MISSING, Missing, escape

MAX_CHANGES = 10_000
"""Further changes are counted and not listed."""

MAX_PAIRS = 20
"""Lists with more pairs of items are not given to deepdiff: its time grows with their square."""

MAX_CHARACTERS = 2_000
"""Lists whose items are longer together are not given to deepdiff."""

MAX_CONTAINERS = 100
"""Lists with more objects and arrays in them are not given to deepdiff, which recurses."""

_SIMILAR = 0.7
"""Items whose distance by deepdiff is larger are no pair: one was removed, the other added."""


@dataclass(frozen=True, slots=True)
class JsonDifference:
    """Every change from one JSON value to another, sorted by pointer.

    `by_position` are the pointers of lists too large for deepdiff: items between equal ones were
    paired by their position. `unlisted` is the number of changes beyond `MAX_CHANGES`.
    """

    changes: tuple[Change, ...] = ()
    by_position: tuple[str, ...] = ()
    unlisted: int = 0


def compare_json(left: Json, right: Json) -> JsonDifference:
    """Compare two JSON values; types count, so 1, 1.0 and true are three values.

    A subtree that one side lacks is one change. Swapping the sides gives the same changes, seen
    from the other side.
    """
    walk = _Walk()
    changes = sorted(walk.changes(left, right), key=lambda change: (change.pointer, change.kind))
    listed, rest = changes[:MAX_CHANGES], changes[MAX_CHANGES:]
    return JsonDifference(tuple(listed), tuple(sorted(walk.by_position)), len(rest))


def compare_by_position(left: Json | Missing, right: Json | Missing) -> Iterator[Change]:
    """Yield every change, the items of lists paired by position; types count.

    For two copies of one value, such as the JSON of an answer and what an SDK made of it: an item
    is expected at its place. Lists of different lengths are one change.
    """
    return _WalkByPosition().changes(left, right)


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two values at the same place, `MISSING` on the side that has none."""

    pointer: str
    path: str
    left: Json | Missing
    right: Json | Missing

    def key(self, key: str, left: Json | Missing, right: Json | Missing) -> _Pair:
        step = "/" + escape(key)
        return _Pair(self.pointer + step, self.path + step, left, right)

    def item(self, number: int, left: Json | Missing, right: Json | Missing) -> _Pair:
        return _Pair(f"{self.pointer}/{number}", f"{self.path}/[]", left, right)


class _Walk:
    """One walk over two values."""

    def __init__(self) -> None:
        self.by_position: list[str] = []

    def changes(self, left: Json | Missing, right: Json | Missing) -> Iterator[Change]:
        """Yield every change, in no order."""
        stack = [_Pair("", "", left, right)]
        while stack:
            pair = stack.pop()
            left_value, right_value = pair.left, pair.right
            if isinstance(left_value, dict) and isinstance(right_value, dict):
                if not _identical(left_value, right_value):
                    stack.extend(_members(pair, left_value, right_value))
            elif isinstance(left_value, list) and isinstance(right_value, list):
                if not _identical(left_value, right_value):
                    yield from self._lists(pair, left_value, right_value, stack)
            elif not _equal(left_value, right_value):
                yield _change(pair)

    def _lists(
        self, pair: _Pair, left: list[Json], right: list[Json], stack: list[_Pair]
    ) -> Iterator[Change]:
        """Pair the items of two lists: onto the stack, or by deepdiff as changes."""
        numbers = _are_numbers(left) and _are_numbers(right)
        if numbers and len(left) == len(right):
            stack.extend(_zipped(pair, 0, left, 0, right))
            return
        start, end = _common_ends(left, right)
        first, second = left[start : len(left) - end], right[start : len(right) - end]
        if _have_no_choice(first, second):
            stack.extend(_zipped(pair, start, first, start, second))
        elif not numbers and _is_small(first, second):
            yield from _deepdiff(pair, start, first, second)
        else:
            self.by_position.append(pair.pointer)
            for i, i_end, j, j_end in _aligned(first, second):
                stack.extend(_zipped(pair, start + i, first[i:i_end], start + j, second[j:j_end]))


class _WalkByPosition(_Walk):
    """A walk that pairs the items of two lists by position; lists of different lengths differ."""

    def _lists(
        self, pair: _Pair, left: list[Json], right: list[Json], stack: list[_Pair]
    ) -> Iterator[Change]:
        if len(left) == len(right):
            stack.extend(_zipped(pair, 0, left, 0, right))
        else:
            yield _change(pair)


def _members(pair: _Pair, left: dict[str, Json], right: dict[str, Json]) -> Iterator[_Pair]:
    for key in {**left, **right}:
        yield pair.key(key, left.get(key, MISSING), right.get(key, MISSING))


def _zipped(
    pair: _Pair, start: int, left: Sequence[Json], other: int, right: Sequence[Json]
) -> Iterator[_Pair]:
    """Yield items paired by position; `start` and `other` are the positions of the first ones."""
    for n, (one, two) in enumerate(zip_longest(left, right, fillvalue=MISSING)):
        yield pair.item((other if one is MISSING else start) + n, one, two)


def _change(pair: _Pair) -> Change:
    kind = _kind(pair.left, pair.right)
    return Change(kind, pair.path, pair.pointer, pair.left, pair.right)


def _kind(left: Json | Missing, right: Json | Missing) -> ChangeKind:
    if left is MISSING:
        return ChangeKind.ADDED
    if right is MISSING:
        return ChangeKind.REMOVED
    if type(left) is type(right):
        return ChangeKind.VALUE
    if right is None:
        return ChangeKind.NEWLY_NULL
    return ChangeKind.NO_LONGER_NULL if left is None else ChangeKind.RETYPED


# ------------------------------------------------------------------------------- equality


def _identical(left: Json, right: Json) -> bool:
    """Return whether two values are equal, types and order of keys included."""
    return left == right and repr(left) == repr(right)


def _equal(left: Json | Missing, right: Json | Missing) -> bool:
    """Return whether two values are equal, types included, in whatever order of keys."""
    if type(left) is not type(right) or left != right:
        return False
    if not isinstance(left, dict | list):
        return True
    return repr(left) == repr(right) or _canonical(left) == _canonical(right)


def _canonical(value: Json | Missing) -> str:
    return json.dumps(value, sort_keys=True)


def _common_ends(left: Sequence[Json], right: Sequence[Json]) -> tuple[int, int]:
    """Return how many items are equal at the start, and how many at the end of the rest."""
    shorter = min(len(left), len(right))
    start = next((n for n in range(shorter) if not _equal(left[n], right[n])), shorter)
    rest = shorter - start
    end = next((n for n in range(rest) if not _equal(left[-1 - n], right[-1 - n])), rest)
    return start, end


def _are_numbers(items: Sequence[Json]) -> bool:
    return all(type(item) in (int, float) for item in items)


# ------------------------------------------------------------------------ pairing list items


def _have_no_choice(left: Sequence[Json], right: Sequence[Json]) -> bool:
    """Return whether items can only be paired by position: as many here as there, none moved."""
    if len(left) != len(right):
        return not left or not right
    return {*map(_canonical, left)}.isdisjoint(map(_canonical, right))


def _is_small(left: Sequence[Json], right: Sequence[Json]) -> bool:
    if len(left) * len(right) > MAX_PAIRS:
        return False
    text = repr(left) + repr(right)
    containers = text.count("{") + text.count("[")
    # deepdiff encodes texts to hash them, and fails on half a surrogate pair
    return len(text) <= MAX_CHARACTERS and containers <= MAX_CONTAINERS and "\\ud" not in text


def _comes_after(left: Sequence[Json], right: Sequence[Json]) -> bool:
    """Return whether the sides are to be swapped, so that they are paired alike either way."""
    return (len(left), _canonical([*left])) > (len(right), _canonical([*right]))


def _deepdiff(pair: _Pair, start: int, left: list[Json], right: list[Json]) -> Iterator[Change]:
    """Yield the changes between two short lists, their items paired by similarity."""
    from deepdiff import DeepDiff  # takes half a second to import, and is rarely needed
    from deepdiff.helper import notpresent

    swapped = _comes_after(left, right)
    tree = DeepDiff(
        *((right, left) if swapped else (left, right)),
        view="tree",
        ignore_order=True,
        report_repetition=True,
        cutoff_distance_for_pairs=_SIMILAR,
        cutoff_intersection_for_pairs=1,
        threshold_to_diff_deeper=0,
    )
    levels = [level for found in tree.values() for level in found]
    if not levels:
        yield Change(ChangeKind.REORDERED, pair.path, pair.pointer, left, right)
    for level in levels:
        repeats = level.additional.get("repetition")
        sides = (repeats["old_repeat"], repeats["new_repeat"]) if repeats else (level.t1, level.t2)
        before, after = (
            (MISSING if v is notpresent else v) for v in (sides[::-1] if swapped else sides)
        )
        steps = level.path(output_format="list", use_t2=(before is MISSING) != swapped)
        place = pair.item(start + steps[0], before, after)
        for step in steps[1:]:
            below = place.item if isinstance(step, int) else place.key
            place = below(step, before, after)
        change = _change(place)
        yield replace(change, kind=ChangeKind.COUNT) if repeats else change


def _aligned(left: Sequence[Json], right: Sequence[Json]) -> Iterator[tuple[int, int, int, int]]:
    """Yield the ranges of items between those that two long lists have in common."""
    swapped = _comes_after(left, right)
    sides = [[*map(_canonical, items)] for items in ((right, left) if swapped else (left, right))]
    for tag, i, i_end, j, j_end in SequenceMatcher(None, sides[0], sides[1]).get_opcodes():
        if tag != "equal":
            yield (j, j_end, i, i_end) if swapped else (i, i_end, j, j_end)


# ------------------------------------------------------------------------ leaves and texts


def leaves(value: Json) -> Iterator[tuple[str, str, Json]]:
    """Yield (JSON pointer, path as in `analysis.shape`, value) of all scalars and empty containers.

    >>> list(leaves({"a": [1, {}]}))
    [('/a/0', '/a/[]', 1), ('/a/1', '/a/[]', {})]
    """
    stack: list[tuple[str, str, Json]] = [("", "", value)]
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
    """Return how much two texts have in common, from 0 to 1; only equal texts reach 1.

    It is the share of pairs of neighbouring characters that both have (Sørensen-Dice).
    """
    if left == right:
        return 1.0
    left_pairs, right_pairs = _bigrams(left), _bigrams(right)
    total = left_pairs.total() + right_pairs.total()
    shared = (left_pairs & right_pairs).total()
    return min(0.999, round(2 * shared / total, 3)) if total else 0.0


def _bigrams(text: str) -> Counter[str]:
    return Counter(a + b for a, b in zip(f"\0{text}", f"{text}\0", strict=True))
