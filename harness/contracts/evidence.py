"""The evidence that recordings give for each place (JSON path) of an answer, and its merging.

A `Node` counts the exchanges in which a place was present, absent, or had a value of some type.

`merge_nodes` is associative and commutative: the order of recordings does not matter, and evidence
from a file can be merged with that of new recordings.

Libraries that infer JSON Schema, such as genson, do not keep how often and in which exchange
something was seen. A clause that cites no exchange cannot be reviewed, so they are not used here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from types import MappingProxyType

from harness.contracts import words
from harness.contracts.words import Words
from harness.types import Json
from harness.wire import member_path, type_name

Counts = Mapping[str, Mapping[str, int]]
"""Numbers of exchanges by family of models and by state, see `Node`."""

CITED = 3
"""The greatest number of exchanges that are cited as evidence for a place."""

MOST_FIELDS = 24
"""An object with more different keys counts as a map, whose keys are data."""

DEEPEST = 20
"""The depth from which on only the types of values are kept, without their contents."""

_LARGEST = 10**18
"""Numbers of a greater amount are replaced by this one, or by its negative."""

NO_NODES: Mapping[str, Node] = MappingProxyType({})
NumberRange = tuple[float, float]


@dataclass(frozen=True, slots=True, order=True)
class Citation:
    """The citation of an exchange.

    Attributes:
        file: The name of the recording.
        exchange: The number of the exchange, from 1.
        event: The number of the event in a stream, from 1; 0 if it is not a stream.
    """

    file: str
    exchange: int
    event: int = 0

    def __str__(self) -> str:
        return f"{self.file}#{self.exchange}" + (f".{self.event}" if self.event else "")


@dataclass(frozen=True, slots=True)
class ExchangeContext:
    """What is known of an exchange apart from its answer, to count the evidence in the answer.

    Attributes:
        family: The family of the model; empty if unknown.
        day: The day of the answer, such as `2025-10-14`; empty if unknown.
        texts: The paths at which answers of the endpoint have free text.
        free: The paths of data such as ids and texts. Strings at these paths, and below, do not
            count as words of the protocol (such as `stop`).
        echoes: The strings in the request; in an answer they are not words of the protocol.
    """

    family: str = ""
    day: str = ""
    texts: frozenset[str] = frozenset()
    free: frozenset[str] = frozenset()
    echoes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Node:
    """The evidence for one place (JSON path) of an answer and for all places below it.

    Attributes:
        counts: Numbers of exchanges by family of models and state. The states are `of` (the object
            that contains the place exists), `present` (the place has a value), `absent` (an object
            lacks it) and the JSON types of its values.
        cites: The first few exchanges that have the place, sorted.
        first: The first day on which the place was seen; empty if unknown.
        last: The last day on which the place was seen; empty if unknown.
        words: The number of exchanges with each string; None if the strings are data such as texts,
            not words of the protocol such as `stop`.
        formats: The formats that every string, or every whole number, has.
        span: The least and the greatest number; None if no number was seen.
        lengths: The least and the greatest length of an array; None if no array was seen.
        members: The evidence for each field of an object.
        values: The evidence for all values of a map together.
        items: The evidence for all items of an array together.
    """

    counts: Counts
    cites: tuple[Citation, ...] = ()
    first: str = ""
    last: str = ""
    words: Words = field(default_factory=dict)
    formats: frozenset[str] = frozenset()
    span: NumberRange | None = None
    lengths: NumberRange | None = None
    members: Mapping[str, Node] = field(default_factory=lambda: NO_NODES)
    values: Node | None = None
    items: Node | None = None

    def total(self, state: str) -> int:
        """Return the number of exchanges with *state*, of all families of models together."""
        return sum(states.get(state, 0) for states in self.counts.values())

    @property
    def types(self) -> tuple[str, ...]:
        """The JSON types seen here, sorted; `integer` is left out if there is `number`."""
        names = {name for states in self.counts.values() for name in states} - _NO_TYPES
        return tuple(sorted(names - {"integer"} if "number" in names else names))


_NO_TYPES = {"of", "present", "absent"}


def schema_type(value: Json) -> str:
    """Return the JSON Schema type of a value; a float such as 1.0 is an `integer`."""
    return "integer" if isinstance(value, float) and value.is_integer() else type_name(value)


CitedValues = Sequence[tuple[Citation, Json]]
"""All values at one place in one exchange (several in a stream), each with its citation."""


def observe(
    cited: CitedValues, context: ExchangeContext, path: str = "", *, of: int = 1, absent: int = 0
) -> Node:
    """Return the evidence of one exchange for one place and all places below it.

    Args:
        cited: The values at the place, each with its citation.
        context: The model, day and request of the exchange.
        path: The path of the place, in which `[]` stands for every item of an array.
        of: 1 if the exchange has the object that contains the place, else 0.
        absent: 1 if the exchange has several such objects, as in an array, and one of them lacks
            the place; else 0.
    """
    values = [value for _, value in cited]
    types = _types(values)
    counts = {"of": of, "absent": absent, "present": 1, **dict.fromkeys(types, 1)}
    is_deep = path.count("/") >= DEEPEST
    has_arrays = "array" in types
    has_items = has_arrays and not is_deep
    items = [(c, one) for c, v in cited if isinstance(v, list) for one in v] if has_items else []
    node = Node(
        counts={context.family: {state: n for state, n in counts.items() if n}},
        cites=(min({id(cite): cite for cite, _ in cited}.values()),),
        first=context.day,
        last=context.day,
        span=_span(_numbers(values)) if types & _NUMBERS else None,
        lengths=_span([len(v) for v in values if isinstance(v, list)]) if has_arrays else None,
        words=_words(_strings(values), context, path) if "string" in types else {},
        formats=_formats(values, types, context, path),
        members=_members(cited, context, path) if "object" in types and not is_deep else NO_NODES,
        items=observe(items, context, f"{path}/[]") if items else None,
    )
    return node if is_deep else _with_map(node)


_NUMBERS = {"integer", "number"}


def _types(values: Sequence[Json]) -> set[str]:
    """Return the JSON Schema types of *values*, of which a vector has very many."""
    kinds = {*map(type, values)}
    names = {type_name(kind()) for kind in kinds - {float}}  # of an empty value of each
    if float in kinds:
        floats = [value for value in values if type(value) is float]
        whole = sum(map(float.is_integer, floats))
        names |= {"integer"} if whole else set()
        names |= {"number"} if whole < len(floats) else set()
    return names


def _numbers(values: Sequence[Json]) -> list[float]:
    return [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]


def _strings(values: Sequence[Json]) -> list[str]:
    return [value for value in values if isinstance(value, str)]


def _words(texts: list[str], context: ExchangeContext, path: str) -> Words:
    if any(path == free or path.startswith(free + "/") for free in context.free):
        return None
    distinct = set(texts)
    if distinct & context.echoes or not all(words.is_word(text) for text in distinct):
        return None
    return dict.fromkeys(distinct, 1) if len(distinct) <= words.MOST_WORDS else None


def _formats(
    values: Sequence[Json], types: set[str], context: ExchangeContext, path: str
) -> frozenset[str]:
    has_format = "string" in types and path not in context.texts
    formats = words.text_formats(_strings(values)) if has_format else frozenset()
    if "integer" not in types:
        return formats
    whole = (int(number) for number in _numbers(values) if schema_type(number) == "integer")
    return formats | words.integer_formats(whole)


def _span(numbers: Sequence[float]) -> NumberRange | None:
    return (_bounded(min(numbers)), _bounded(max(numbers))) if numbers else None


def _bounded(number: float) -> float:
    return max(-_LARGEST, min(_LARGEST, number))


def _members(cited: CitedValues, context: ExchangeContext, path: str) -> Mapping[str, Node]:
    """Return the evidence for each field of the objects in *cited*, which are at *path*."""
    objects = [(cite, value) for cite, value in cited if isinstance(value, dict)]
    members = {}
    for key in dict.fromkeys(key for _, value in objects for key in value):
        here = [(cite, value[key]) for cite, value in objects if key in value]
        absent = int(len(here) < len(objects))
        members[key] = observe(here, context, member_path(path, key), absent=absent)
    return members


# ------------------------------------------------------------------------------------- merging


def merge_nodes(left: Node, right: Node) -> Node:
    """Return one node with the evidence of two nodes for the same place."""
    return _with_map(
        Node(
            counts=_added(left.counts, right.counts),
            cites=_first_cites(left.cites, right.cites),
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


Cites = tuple[Citation, ...]


def _first_cites(left: Cites, right: Cites) -> Cites:
    if len(left) >= CITED and right and left[-1] < right[0]:
        return left  # the common case: exchanges are merged in their order
    return tuple(sorted({*left, *right})[:CITED])


def either(left: Node | None, right: Node | None) -> Node | None:
    """Return one node with the evidence of both, or the one that is not None.

    Return None if both are None.
    """
    return merge_nodes(left, right) if left and right else left or right


def _added(left: Counts, right: Counts) -> Counts:
    added = {name: dict(states) for name, states in left.items()}
    for name, states in right.items():
        mine = added.setdefault(name, {})
        for state, count in states.items():
            mine[state] = mine.get(state, 0) + count
    return added


def _wider(left: NumberRange | None, right: NumberRange | None) -> NumberRange | None:
    if left is None or right is None:
        return left or right
    return min(left[0], right[0]), max(left[1], right[1])


def _common(left: Node, right: Node) -> frozenset[str]:
    """Return the formats that the values of both nodes have.

    If only one node has strings, their formats are kept; the same holds for whole numbers.
    """
    if left.formats == right.formats:
        return left.formats
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
        key: merge_nodes(*(side.members.get(key) or _missing(side) for side in sides))
        for key in keys
    }


def _missing(around: Node) -> Node:
    """Return the evidence for a field that no object of the node *around* had."""
    objects = {name: states.get("object", 0) for name, states in around.counts.items()}
    return Node(counts={name: {"of": n, "absent": n} for name, n in objects.items() if n})


def _with_map(node: Node) -> Node:
    """Return *node*, turned into a map if it is an object whose keys are data."""
    has_data_keys = not all(map(words.is_field_name, node.members))
    if not (has_data_keys or node.values or len(node.members) > MOST_FIELDS):
        return node
    values = [_present(member) for member in node.members.values()]
    return replace(node, members=NO_NODES, values=reduce(either, values, node.values))


def _present(node: Node) -> Node:
    """Return the evidence for a field, converted into evidence for a value of a map.

    Exchanges that lack the key are not counted: the keys of a map are data.
    """
    ignored = ("absent", "of")
    counts = {
        name: {**{s: n for s, n in states.items() if s not in ignored}, "of": states["present"]}
        for name, states in node.counts.items()
        if states.get("present")
    }
    return replace(node, counts=counts)
