"""The difference between two JSON values. This is the only module that uses deepdiff.

Both values are walked together, and equal subtrees are skipped. Of two lists, equal items at the
start and the end are skipped, and deepdiff pairs the other items by similarity; so an inserted item
is one change, and does not make all later items differ. deepdiff compares every item with every
other. Long lists, and arrays of numbers, are therefore aligned here by their equal items instead,
and listed in `JsonDifference.by_position`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from enum import StrEnum
from itertools import islice, zip_longest
from operator import add
from typing import Any

from harness.types import Json
from harness.wire import MISSING, Missing, escape


class ChangeKind(StrEnum):
    """The kind of a change, from the left or older side to the right or newer one.

    Attributes:
        NEW_VALUE: A string that is not among the values seen before.
        OUT_OF_FORMAT: A string that does not match the format of all strings seen before.
        VALUE: A value of the same type changed.
        REORDERED: A list has the same items in another order.
        COUNT: An item occurs more or less often in a list.
        STATUS: The HTTP status changed.
        OUTCOME: One side is a reply, the other a failure.
        MISSING_TURN: One side lacks a whole turn.
        RULE: A rule or contract is violated that was not violated before.
        UNLISTED: A placeholder for all further changes, which are only counted.
    """

    ADDED = "added"
    REMOVED = "removed"
    RETYPED = "retyped"
    NEWLY_NULL = "newly null"
    NO_LONGER_NULL = "no longer null"
    NEW_VALUE = "new value"
    OUT_OF_FORMAT = "out of format"
    VALUE = "value"
    REORDERED = "reordered"
    COUNT = "count"
    STATUS = "status"
    OUTCOME = "outcome"
    MISSING_TURN = "missing turn"
    ANSWER_REMOVED = "answer removed"
    ANSWER_ADDED = "answer added"
    RULE = "rule"
    UNLISTED = "unlisted"

    @property
    def is_type_change(self) -> bool:
        """Whether the JSON type changed, also to or from null."""
        return self in (ChangeKind.RETYPED, ChangeKind.NEWLY_NULL, ChangeKind.NO_LONGER_NULL)


class Verdict(StrEnum):
    """The severity of a change for programs that parse the responses; the least severe is first.

    `wording only`: only texts, ids, times or counts changed. `new field`: something was added or is
    unusual, which such programs can ignore. `breaking`: something that they rely on was removed or
    has another type.
    """

    SAME = "same"
    WORDING = "wording only"
    NEW_FIELD = "new field"
    BREAKING = "breaking"

    @property
    def rank(self) -> int:
        """The severity as a number, from 0 for `same` to 3 for `breaking`."""
        return tuple(Verdict).index(self)


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two JSON values or recordings.

    Attributes:
        kind: The kind of the change.
        path: The path, as in `analysis.shape`: a JSON pointer with `[]` for all items of an array.
        pointer: The JSON pointer into the left value, or into the right one if the value was added;
            "" if the change is not at one value.
        before: The left or older value; `MISSING` if there is none.
        after: The right or newer value; `MISSING` if there is none.
        turn: The number of the turn in a recording, from 1; None for the whole recording.
        part: The part of the recording's turn, such as `answer`; "" outside of recordings.
    """

    kind: ChangeKind
    path: str = ""
    pointer: str = ""
    before: Json | Missing = MISSING
    after: Json | Missing = MISSING
    turn: int | None = None
    part: str = ""

    @property
    def where(self) -> str:
        """The location of the changed value: `pointer`, or `path` if there is no pointer."""
        return self.pointer or self.path

    @property
    def location(self) -> str:
        """The turn, part and pointer as text, such as `turn 2 answer /choices/0/message`."""
        turn = "" if self.turn is None else f"turn {self.turn}"
        return " ".join(word for word in (turn, self.part, self.where) if word)


MAX_CHANGES = 10_000
"""The maximum number of changes in a result; all others are only counted."""

MAX_PAIRS = 20
"""The maximum product of the lengths of two lists for deepdiff, whose time grows with it."""

MAX_CHARACTERS = 2_000
"""The maximum length of the texts of two lists together for deepdiff, in characters."""

MAX_CONTAINERS = 100
"""The maximum number of objects and arrays in two lists for deepdiff, which is recursive."""

_SIMILAR = 0.7
"""The maximum deepdiff distance of paired items; others count as removed and added."""


@dataclass(frozen=True, slots=True)
class JsonDifference:
    """The changes from one JSON value to another.

    Attributes:
        changes: The changes, sorted by pointer; at most `MAX_CHANGES`.
        by_position: The JSON pointers of lists that are too large for deepdiff. Items that have no
            equal item on the other side are paired by position in them.
        unlisted: The number of changes beyond `MAX_CHANGES`.
    """

    changes: tuple[Change, ...] = ()
    by_position: tuple[str, ...] = ()
    unlisted: int = 0


def compare_json(left: Json, right: Json) -> JsonDifference:
    """Return the changes from *left* to *right*.

    1, 1.0 and true are different values. A subtree that only one side has is one change. If the
    sides are swapped, the changes are at the same places, in the opposite direction.
    """
    walk = _Walk()
    changes = sorted(walk.changes(left, right), key=lambda change: (change.pointer, change.kind))
    listed, rest = changes[:MAX_CHANGES], changes[MAX_CHANGES:]
    return JsonDifference(tuple(listed), tuple(sorted(walk.by_position)), len(rest))


def compare_by_position(left: Json | Missing, right: Json | Missing) -> Iterator[Change]:
    """Yield the changes from *left* to *right*, with the items of lists paired by position.

    This is for two copies of one value, such as the JSON of an answer and the SDK's object for it,
    in which no item should have moved. Two lists of different lengths are one change.
    """
    return _WalkByPosition().changes(left, right)


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two values to compare.

    Attributes:
        pointer: The JSON pointer to them.
        path: The path to them, with `[]` for array items.
        left: The left value, `MISSING` if there is none.
        right: The right value, `MISSING` if there is none.
    """

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
    """A walk over two JSON values; it collects `by_position` of `JsonDifference`."""

    def __init__(self) -> None:
        self.by_position: list[str] = []

    def changes(self, left: Json | Missing, right: Json | Missing) -> Iterator[Change]:
        """Yield every change from *left* to *right*, in any order."""
        stack = [_Pair("", "", left, right)]
        while stack:
            pair = stack.pop()
            left_value, right_value = pair.left, pair.right
            if isinstance(left_value, dict) and isinstance(right_value, dict):
                if not _identical(left_value, right_value):
                    for key in {**left_value, **right_value}:
                        sides = left_value.get(key, MISSING), right_value.get(key, MISSING)
                        stack.append(pair.key(key, *sides))
            elif isinstance(left_value, list) and isinstance(right_value, list):
                if not _identical(left_value, right_value):
                    yield from self._lists(pair, left_value, right_value, stack)
            elif not _equal(left_value, right_value):
                yield _change(pair)

    def _lists(
        self, pair: _Pair, left: list[Json], right: list[Json], stack: list[_Pair]
    ) -> Iterator[Change]:
        """Compare two lists: yield changes found by deepdiff, or push pairs of items to *stack*."""
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


def _zipped(
    pair: _Pair, start: int, left: Sequence[Json], other: int, right: Sequence[Json]
) -> Iterator[_Pair]:
    """Yield the items of two lists, paired by position.

    Args:
        pair: The pair of the two whole lists.
        start: The position of the first item of *left* in its whole list.
        left: Items of the left list.
        other: The position of the first item of *right* in its whole list.
        right: Items of the right list.
    """
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
    """Return whether two values are equal in their values, types and order of keys."""
    return left == right and _alike(left, right)


_BY_TYPE = frozenset({str, int, bool, type(None)})
"""The types whose values are the same if they are equal; a number may be 0.0 or -0.0."""


def _alike(left: Any, right: Any) -> bool:
    """Return whether two equal values have the same types and the same order of keys.

    Their `repr` would say so too, but takes long for a long text, and a multiple of its memory.
    """
    kind = type(left)
    if kind is dict and type(right) is dict:
        return [*left] == [*right] and all(map(_alike, left.values(), right.values()))
    if kind is list and type(right) is list:
        return all(map(_alike, left, right))
    return type(right) is kind if kind in _BY_TYPE else repr(left) == repr(right)


def _equal(left: Json | Missing, right: Json | Missing) -> bool:
    """Return whether two values and their types are equal; the order of keys may differ."""
    if type(left) is not type(right) or left != right:
        return False
    if not isinstance(left, dict | list):
        return True
    return _alike(left, right) or _canonical(left) == _canonical(right)


def _canonical(value: Json | Missing) -> str:
    return json.dumps(value, sort_keys=True)


def _common_ends(left: Sequence[Json], right: Sequence[Json]) -> tuple[int, int]:
    """Return (number of equal items at the start, number of equal items at the end).

    Items counted at the start are not counted again at the end.
    """
    shorter = min(len(left), len(right))
    start = next((n for n in range(shorter) if not _equal(left[n], right[n])), shorter)
    rest = shorter - start
    end = next((n for n in range(rest) if not _equal(left[-1 - n], right[-1 - n])), rest)
    return start, end


def _are_numbers(items: Sequence[Json]) -> bool:
    return all(type(item) in (int, float) for item in items)


# ------------------------------------------------------------------------ pairing list items


def _have_no_choice(left: Sequence[Json], right: Sequence[Json]) -> bool:
    """Return whether items can only be paired by position.

    That is so if one list is empty, or if both have the same length and no item in common.
    """
    if len(left) != len(right):
        return not left or not right
    return {*map(_canonical, left)}.isdisjoint(map(_canonical, right))


def _is_small(left: Sequence[Json], right: Sequence[Json]) -> bool:
    if len(left) * len(right) > MAX_PAIRS:
        return False
    text = repr(left) + repr(right)
    containers = text.count("{") + text.count("[")
    # deepdiff encodes texts to hash them, and fails on lone surrogates
    return len(text) <= MAX_CHARACTERS and containers <= MAX_CONTAINERS and "\\ud" not in text


def _comes_after(left: Sequence[Json], right: Sequence[Json]) -> bool:
    """Return whether *left* sorts after *right*.

    Then the sides are swapped before pairing, so that the result does not depend on their order.
    """
    return (len(left), _canonical([*left])) > (len(right), _canonical([*right]))


def _deepdiff(pair: _Pair, start: int, left: list[Json], right: list[Json]) -> Iterator[Change]:
    """Yield the changes between two short lists, whose items deepdiff pairs by similarity.

    Args:
        pair: The pair of the two whole lists.
        start: The position of the first of these items in the whole lists.
        left: Items of the left list.
        right: Items of the right list.
    """
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
    """Yield (left start, left end, right start, right end) of each range of different items.

    Between these ranges, the items of the two lists are equal.
    """
    swapped = _comes_after(left, right)
    sides = [[*map(_canonical, items)] for items in ((right, left) if swapped else (left, right))]
    for tag, i, i_end, j, j_end in SequenceMatcher(None, sides[0], sides[1]).get_opcodes():
        if tag != "equal":
            yield (j, j_end, i, i_end) if swapped else (i, i_end, j, j_end)


# ------------------------------------------------------------------------ leaves and texts


def leaves(value: Json) -> Iterator[tuple[str, str, Json]]:
    """Yield (JSON pointer, path, value) of each scalar and each empty container in *value*.

    The path is the pointer with `[]` in place of array positions.

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
    """Return the similarity of the texts *left* and *right* from 0 to 1; 1 only for equal texts.

    It is the share of pairs of adjacent characters that both texts have (Sørensen-Dice).
    """
    if left == right:
        return 1.0
    # Pairs within what both texts begin or end with are shared. Only the others are counted.
    first, second = f"\0{left}\0", f"\0{right}\0"
    before = max(_common_start(first, second) - 1, 0)
    first, second = first[before:], second[before:]
    after = max(_common_start(first[:0:-1], second[:0:-1]) - 1, 0)
    ours, theirs = (_pairs(text[: len(text) - after]) for text in (first, second))
    shared = before + after + sum(min(n, theirs.get(pair, 0)) for pair, n in ours.items())
    return min(0.999, round(2 * shared / (len(left) + len(right) + 2), 3))


def _pairs(text: str) -> Counter[str]:
    """Return how often each pair of adjacent characters is in *text*."""
    return Counter(map(add, text, islice(text, 1, None)))


def _common_start(left: str, right: str) -> int:
    """Return the number of characters with which both texts begin."""
    start, end = 0, min(len(left), len(right))
    while start < end:
        middle = (start + end + 1) // 2
        if left[start:middle] == right[start:middle]:
            start = middle
        else:
            end = middle - 1
    return start
