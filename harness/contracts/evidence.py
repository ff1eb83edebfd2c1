"""The evidence for each place of an answer, counted by exchanges, and how evidence is merged.

`merge` is associative and commutative, so that a contract does not depend on the order of the
recordings, and evidence from a file and from new recordings is that of all recordings together.

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
from harness.contracts.words import Words
from harness.types import Json
from harness.wire import escape, type_name

Counts = Mapping[str, Mapping[str, int]]
"""Exchanges by family of models and by state: `of` and `present`, `absent`, types of JSON."""

CITED = 3
"""The number of supporting exchanges that a clause cites."""

MOST_FIELDS = 24
"""An object with more different keys is a map: its keys are data."""

DEEPEST = 20
"""The types of deeper values are noted, their contents are not."""

_LARGEST = 10**18
"""Larger numbers are noted as this one."""

NONE: Mapping[str, Node] = MappingProxyType({})
Span = tuple[float, float]


@dataclass(frozen=True, slots=True, order=True)
class Cite:
    """An exchange as evidence: its file, its number and its event's, both from 1.

    The event is 0 for what is not a stream.
    """

    file: str
    exchange: int
    event: int = 0

    def __str__(self) -> str:
        return f"{self.file}#{self.exchange}" + (f".{self.event}" if self.event else "")


@dataclass(frozen=True, slots=True)
class Witness:
    """One exchange as a witness: the model's family, and the day (empty if unknown).

    `texts` are the endpoint's paths of free text, `free` those of values that are no vocabulary,
    with all below them; `echoes` are the strings of the request.
    """

    family: str = ""
    day: str = ""
    texts: frozenset[str] = frozenset()
    free: frozenset[str] = frozenset()
    echoes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Node:
    """All evidence for one place, and below it.

    `counts` are exchanges by family and state: `of` had the object around it, `present` had it,
    `absent` did not, and the types it had. `words` are None where the strings are no
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
        """Return the number of exchanges with a state, of all families."""
        return sum(states.get(state, 0) for states in self.counts.values())

    @property
    def types(self) -> tuple[str, ...]:
        """The JSON types seen here, sorted; `integer` is left out beside `number`."""
        names = {name for states in self.counts.values() for name in states} - _NO_TYPES
        return tuple(sorted(names - {"integer"} if "number" in names else names))


_NO_TYPES = {"of", "present", "absent"}


def schema_type(value: Json) -> str:
    """Return the JSON Schema type of a value; 1.0 is an integer there."""
    return "integer" if isinstance(value, float) and value.is_integer() else type_name(value)


Values = Sequence[tuple[Cite, Json]]
"""All values at one place in one exchange, each with its citation."""


def observe(
    cited: Values, witness: Witness, path: str = "", *, of: int = 1, absent: int = 0
) -> Node:
    """Return the evidence of one exchange for one place; *path* as in `analysis.shape`."""
    values = [value for _, value in cited]
    types = {schema_type(value) for value in values}
    counts = {"of": of, "absent": absent, "present": 1, **dict.fromkeys(types, 1)}
    node = Node(
        counts={witness.family: {state: n for state, n in counts.items() if n}},
        cites=(min(cite for cite, _ in cited),),
        first=witness.day,
        last=witness.day,
        span=_span(v for v in values if isinstance(v, int | float) and not isinstance(v, bool)),
        lengths=_span(len(v) for v in values if isinstance(v, list)),
        words=_words([v for v in values if isinstance(v, str)], witness, path),
        formats=_formats(values, witness, path),
    )
    return _with_children(node, cited, witness, path) if path.count("/") < DEEPEST else node


def _words(texts: list[str], witness: Witness, path: str) -> Words:
    if any(path == free or path.startswith(free + "/") for free in witness.free):
        return None if texts else {}
    distinct = set(texts)
    if distinct & witness.echoes or not all(words.is_word(text) for text in distinct):
        return None
    return dict.fromkeys(distinct, 1) if len(distinct) <= words.MOST_WORDS else None


def _formats(values: Sequence[Json], witness: Witness, path: str) -> frozenset[str]:
    texts = [value for value in values if isinstance(value, str)]
    numbers = [int(v) for v in values if isinstance(v, int | float) and _is_whole(v)]
    has_format = texts and path not in witness.texts
    formats = words.text_formats(texts) if has_format else frozenset()
    return formats | (words.integer_formats(numbers) if numbers else frozenset())


def _is_whole(number: float) -> bool:
    return schema_type(number) == "integer"


def _span(numbers: Iterable[float]) -> Span | None:
    bounded = [max(-_LARGEST, min(_LARGEST, number)) for number in numbers]
    return (min(bounded), max(bounded)) if bounded else None


def _with_children(node: Node, cited: Values, witness: Witness, path: str) -> Node:
    objects = [(cite, value) for cite, value in cited if isinstance(value, dict)]
    items = [(cite, item) for cite, value in cited if isinstance(value, list) for item in value]
    keys = dict.fromkeys(key for _, value in objects for key in value)
    members = {}
    for key in keys:
        here = [(cite, value[key]) for cite, value in objects if key in value]
        absent = int(len(here) < len(objects))
        members[key] = observe(here, witness, f"{path}/{escape(key)}", absent=absent)
    return _with_map(
        replace(
            node,
            members=members,
            items=observe(items, witness, f"{path}/[]") if items else None,
        )
    )


# ------------------------------------------------------------------------------------- merging


def merge(left: Node, right: Node) -> Node:
    """Return the evidence of both for the same place."""
    return _with_map(
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
    """Return the evidence of both, or of the side that has any."""
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
    """Return the formats that hold on both sides; a side without such values does not count."""
    text, whole = frozenset(words.TEXT_FORMATS), frozenset({words.EPOCH})
    common: frozenset[str] = frozenset()
    for state, formats in (("string", text), ("integer", whole)):
        sides = [node.formats & formats for node in (left, right) if node.total(state)]
        common |= frozenset.intersection(*sides) if sides else frozenset()
    return common


def _fields(left: Node, right: Node) -> Mapping[str, Node]:
    keys = {**left.members, **right.members}
    sides = (left, right)
    return {
        key: merge(*(side.members.get(key) or _missing(side) for side in sides)) for key in keys
    }


def _missing(around: Node) -> Node:
    """Return the evidence for a field that none of the objects had."""
    objects = {name: states.get("object", 0) for name, states in around.counts.items()}
    return Node(counts={name: {"of": n, "absent": n} for name, n in objects.items() if n})


def _with_map(node: Node) -> Node:
    """Return an object whose keys are data as a map, anything else unchanged."""
    has_data_keys = not all(words.is_field_name(key) for key in node.members)
    if not (has_data_keys or node.values or len(node.members) > MOST_FIELDS):
        return node
    values = [_present(member) for member in node.members.values()]
    return replace(node, members=NONE, values=reduce(either, values, node.values))


def _present(node: Node) -> Node:
    """Return the evidence for a map's value: where its key is missing says nothing."""
    ignored = ("absent", "of")
    counts = {
        name: {**{s: n for s, n in states.items() if s not in ignored}, "of": states["present"]}
        for name, states in node.counts.items()
        if states.get("present")
    }
    return replace(node, counts=counts)
