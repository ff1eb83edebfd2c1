"""What was seen at each place of an answer, counted by exchanges, and how two counts add up.

`merge` is associative and commutative, so that what is learnt does not depend on the order of the
recordings, and evidence from a file and from new recordings is what all of them would have given.

JSON Schema is inferred by our own few lines and not by a library (genson, for one): those keep
neither how often nor where something was seen, and a clause that cites no exchange cannot be
reviewed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from types import MappingProxyType

from harness.contracts import words
from harness.contracts.support import Counts
from harness.contracts.words import Words
from harness.types import LooseJson
from harness.wire import escape, type_name

CITED = 3
"""A clause names so many of the exchanges that support it."""

MOST_FIELDS = 24
"""An object seen with more different keys is a map: its keys are data."""

DEEPEST = 20
"""Deeper values are typed, and not looked into."""

_LARGEST = 10**18
"""Numbers beyond are told as this one."""

NONE: Mapping[str, Node] = MappingProxyType({})
Span = tuple[float, float]


@dataclass(frozen=True, slots=True, order=True)
class Cite:
    """An exchange as evidence: its file, its number there and its event's, both from 1; event 0
    where it was no stream."""

    file: str
    exchange: int
    event: int = 0

    def __str__(self) -> str:
        return f"{self.file}#{self.exchange}" + (f".{self.event}" if self.event else "")


@dataclass(frozen=True, slots=True)
class Seen:
    """One exchange as a witness: the models' family, the day (empty if unknown), and what is
    known of its endpoint. `texts` are the paths of free text, `free` those of values that are no
    vocabulary, with all below them; `echoes` are the strings of the request."""

    family: str = ""
    day: str = ""
    texts: frozenset[str] = frozenset()
    free: frozenset[str] = frozenset()
    echoes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Node:
    """All evidence for one place, and below it.

    `counts` are exchanges by family and state: `of` had the object around it, `present` had it,
    `absent` had it not, and the types it had. `words` are None where the strings are no
    vocabulary; `formats` are those that every string, or every whole number, had. `span` and
    `lengths` are the least and largest number and array length. `members` are an object's fields,
    `values` all values of a map, `items` all items of an array.
    """

    counts: Counts
    cites: tuple[Cite, ...] = ()
    first: str = ""
    last: str = ""
    words: Words = field(default_factory=dict)
    formats: frozenset[str] = frozenset()
    span: Span | None = None
    lengths: Span | None = None
    members: Mapping[str, Node] = field(default_factory=lambda: NONE)
    values: Node | None = None
    items: Node | None = None

    def total(self, state: str) -> int:
        """In how many exchanges a state was seen, whatever the family."""
        return sum(told.get(state, 0) for told in self.counts.values())

    @property
    def types(self) -> tuple[str, ...]:
        """The JSON types seen here, sorted; a whole number is no type beside `number`."""
        kinds = {kind for told in self.counts.values() for kind in told} - _NO_TYPES
        return tuple(sorted(kinds - {"integer"} if "number" in kinds else kinds))


_NO_TYPES = {"of", "present", "absent"}


def kind(value: LooseJson) -> str:
    """The JSON Schema type of a value; 1.0 is an integer there."""
    return "integer" if isinstance(value, float) and value.is_integer() else type_name(value)


Witnessed = Sequence[tuple[Cite, LooseJson]]
"""All values at one place in one exchange, with where each stood."""


def observe(told: Witnessed, seen: Seen, path: str = "", *, of: int = 1, absent: int = 0) -> Node:
    """The evidence of one exchange for one place; `path` is in the notation of `analysis.shape`."""
    values = [value for _, value in told]
    kinds = {kind(value) for value in values}
    counts = {"of": of, "absent": absent, "present": 1, **dict.fromkeys(kinds, 1)}
    node = Node(
        counts={seen.family: {state: n for state, n in counts.items() if n}},
        cites=(min(cite for cite, _ in told),),
        first=seen.day,
        last=seen.day,
        span=_span(v for v in values if type(v) in (int, float)),
        lengths=_span(len(v) for v in values if isinstance(v, list)),
        words=_words([v for v in values if isinstance(v, str)], seen, path),
        formats=_formats(values, seen, path),
    )
    return _deeper(node, told, seen, path) if path.count("/") < DEEPEST else node


def _words(texts: list[str], seen: Seen, path: str) -> Words:
    if any(path == free or path.startswith(free + "/") for free in seen.free):
        return None if texts else {}
    known = set(texts)
    if known & seen.echoes or not all(words.is_word(text) for text in known):
        return None
    return dict.fromkeys(known, 1) if len(known) <= words.MOST_WORDS else None


def _formats(values: Iterable[LooseJson], seen: Seen, path: str) -> frozenset[str]:
    told = list(values)
    texts = [value for value in told if isinstance(value, str)]
    numbers = [int(value) for value in told if kind(value) == "integer"]
    free = path in seen.texts
    ours = words.text_formats(texts) if texts and not free else frozenset()
    return ours | (words.integer_formats(numbers) if numbers else frozenset())


def _span(numbers: Iterable[float]) -> Span | None:
    told = [max(-_LARGEST, min(_LARGEST, number)) for number in numbers]
    return (min(told), max(told)) if told else None


def _deeper(node: Node, told: Witnessed, seen: Seen, path: str) -> Node:
    objects = [(cite, value) for cite, value in told if isinstance(value, dict)]
    items = [(cite, item) for cite, value in told if isinstance(value, list) for item in value]
    keys = dict.fromkeys(key for _, value in objects for key in value)
    members = {}
    for key in keys:
        here = [(cite, value[key]) for cite, value in objects if key in value]
        absent = int(len(here) < len(objects))
        members[key] = observe(here, seen, f"{path}/{escape(key)}", absent=absent)
    return _settled(
        replace(
            node,
            members=members,
            items=observe(items, seen, f"{path}/[]") if items else None,
        )
    )


# ------------------------------------------------------------------------------------- merging


def merge(left: Node, right: Node) -> Node:
    """The evidence of both, for the same place."""
    return _settled(
        Node(
            counts=_added(left.counts, right.counts),
            cites=tuple(sorted({*left.cites, *right.cites})[:CITED]),
            first=min(filter(None, (left.first, right.first)), default=""),
            last=max(left.last, right.last),
            words=words.add(left.words, right.words),
            formats=_common(left, right),
            span=_wider(left.span, right.span),
            lengths=_wider(left.lengths, right.lengths),
            members=_fields(left, right),
            values=either(left.values, right.values),
            items=either(left.items, right.items),
        )
    )


def either(left: Node | None, right: Node | None) -> Node | None:
    """The evidence of both, where there are two."""
    return merge(left, right) if left and right else left or right


def _added(left: Counts, right: Counts) -> Counts:
    families = {**left, **right}
    return {
        name: dict(Counter(left.get(name, {})) + Counter(right.get(name, {}))) for name in families
    }


def _wider(left: Span | None, right: Span | None) -> Span | None:
    if left is None or right is None:
        return left or right
    return min(left[0], right[0]), max(left[1], right[1])


def _common(left: Node, right: Node) -> frozenset[str]:
    """The formats that hold on both sides; a side without such values has no say."""
    text, whole = frozenset(words.TEXT_FORMATS), frozenset({words.EPOCH})
    found: frozenset[str] = frozenset()
    for state, formats in (("string", text), ("integer", whole)):
        sides = [node.formats & formats for node in (left, right) if node.total(state)]
        found |= frozenset.intersection(*sides) if sides else frozenset()
    return found


def _fields(left: Node, right: Node) -> Mapping[str, Node]:
    keys = {**left.members, **right.members}
    sides = (left, right)
    return {
        key: merge(*(side.members.get(key) or _missing(side) for side in sides)) for key in keys
    }


def _missing(around: Node) -> Node:
    """A field that none of the objects had."""
    objects = {name: told.get("object", 0) for name, told in around.counts.items()}
    return Node(counts={name: {"of": n, "absent": n} for name, n in objects.items() if n})


def _settled(node: Node) -> Node:
    """The same; as a map, where its keys are data."""
    data = not all(words.is_field_name(key) for key in node.members)
    if not (data or node.values or len(node.members) > MOST_FIELDS):
        return node
    parts = [_present(member) for member in node.members.values()]
    return replace(node, members=NONE, values=reduce(either, parts, node.values))


def _present(node: Node) -> Node:
    """A map's value: where its key is missing says nothing."""
    left_out = ("absent", "of")
    counts = {
        name: {**{s: n for s, n in told.items() if s not in left_out}, "of": told["present"]}
        for name, told in node.counts.items()
        if told.get("present")
    }
    return replace(node, counts=counts)
