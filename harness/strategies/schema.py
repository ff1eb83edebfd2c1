"""JSON that fits the dialects' schemas: values are planted where `Fields` has them, and the schema
says what is missing around them.

Why not `hypothesis-jsonschema`: its last release (0.23.1) is of early 2024, knows the drafts 4, 6
and 7 and not 2020-12, and with today's Hypothesis (6.170) fails on every schema of an object, with
`AttributeError: 'many' object has no attribute 'more'`. And a schema alone says too little: sums of
tokens, ids that agree, states in their order. What remains is the few words that `dialects.schema`
and the parameters of tools are written in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from harness.analysis.endpoint import Endpoint, Schema
from harness.strategies.words import sentences, texts
from harness.types import LooseJson

# ------------------------------------------------------------------------------ what is described


def _all_of(schema: Schema) -> Iterator[Schema]:
    yield schema
    for part in schema.get("allOf", ()):
        yield from _all_of(part)


def _members(schema: Schema) -> dict[str, Schema]:
    return {n: s for part in _all_of(schema) for n, s in part.get("properties", {}).items()}


def _required(schema: Schema) -> set[str]:
    return {name for part in _all_of(schema) for name in part.get("required", ())}


def _items(schema: Schema) -> Schema:
    return next((part["items"] for part in _all_of(schema) if "items" in part), {})


def _kinds(schema: Schema) -> list[str]:
    told = schema.get("type", [])
    return [told] if isinstance(told, str) else list(told)


def _is_index(step: str) -> bool:
    return step == "[]" or step.isdigit()


def _step(schema: Schema, step: str) -> Schema | None:
    if _is_index(step):
        return _items(schema)
    known = _members(schema)
    is_open = not known and (not _kinds(schema) or "object" in _kinds(schema))
    return known.get(step, {} if is_open else None)


def _below(schema: Schema, pointer: str) -> Schema | None:
    below: Schema | None = schema
    for step in pointer.split("/")[1:]:
        below = None if below is None else _step(below, step)
    return below


def described(schema: Schema, pointer: str) -> bool:
    """Whether a schema knows of a place, or leaves open what an object there may hold."""
    return _below(schema, pointer) is not None


def promised(schema: Schema, pointer: str) -> bool:
    """Whether a schema, or one of the forms it leaves a choice of, asks for a member."""
    above, _, name = pointer.rpartition("/")
    held = _below(schema, above) or {}
    return any(name in _required(form) for form in (held, *held.get("anyOf", ())))


# ------------------------------------------------------------------------------------ what is made


def planted(value: LooseJson, pointer: str, new: LooseJson) -> LooseJson:
    """A JSON value with another value at a pointer; objects and arrays are made where they miss.

    Where the pointer has `[]`, `new` is a list, and each of it goes to an item of its own.
    """
    return _plant(value, pointer.split("/")[1:], new)


def _plant(value: LooseJson, steps: list[str], new: LooseJson) -> LooseJson:
    if not steps:
        return new
    step, rest = steps[0], steps[1:]
    if not _is_index(step):
        held = value if isinstance(value, dict) else {}
        return {**held, step: _plant(held.get(step), rest, new)}
    items = value if isinstance(value, list) else []
    told = new if step == "[]" else [new]
    known = [*items, *[None] * (len(told) - len(items))]
    return [_plant(item, rest, one) for item, one in zip(known, told, strict=True)]


def place(endpoint: Endpoint, schema: Schema, field: str, without: tuple[str, ...]) -> str:
    """Where a schema has one of the `Fields`; empty where it has not, or is to be without it."""
    pointers = getattr(endpoint.fields, field)
    known = (p for p in pointers if described(schema, p) and not p.startswith(without or ("\0",)))
    return next(known, "")


def written(
    endpoint: Endpoint, schema: Schema, said: Mapping[str, LooseJson], without: tuple[str, ...] = ()
) -> LooseJson:
    """What is said, each at its place: the inverse of reading. Keys are `Fields`, or pointers."""
    value: LooseJson = {}
    for name, new in said.items():
        pointer = name if name.startswith("/") else place(endpoint, schema, name, without)
        if pointer and not isinstance(new, list):
            pointer = pointer.replace("[]", "0")
        value = planted(value, pointer, new) if pointer else value
    return value


@st.composite
def complete(draw: st.DrawFn, schema: Schema, value: LooseJson) -> LooseJson:
    """A value with whatever else its schema asks for, and what it allows to be null."""
    return _completed(draw, schema, value, draw(st.booleans()))


def _completed(draw: st.DrawFn, schema: Schema, value: LooseJson, nulls: bool) -> LooseJson:
    if isinstance(value, list):
        return [_completed(draw, _items(schema), item, nulls) for item in value]
    if not isinstance(value, dict):
        return value
    known, wanted = _members(schema), _required(schema)
    done = {n: _completed(draw, known.get(n, {}), v, nulls) for n, v in value.items()}
    for name in (name for name in known if name not in value):
        may_be_null = "null" in _kinds(known[name])
        if may_be_null and (nulls or name in wanted):
            done[name] = None
        elif name in wanted:
            done[name] = draw(fitting(known[name]))
    return done


def fitting(schema: Schema) -> SearchStrategy[LooseJson]:
    """Any value that fits a schema, in the few words that dialects and tools need.

    `type`, `properties`, `required`, `items`, `minItems`, `minLength`, `minimum`, `maximum`,
    `enum` and `const`; no more of an object or array than has to be there.
    """
    if "const" in schema or "enum" in schema:
        return st.sampled_from(schema.get("enum", [schema.get("const")]))
    return st.one_of([_MAKERS[kind](schema) for kind in _kinds(schema) or ["object"]])


def _array(schema: Schema) -> SearchStrategy[LooseJson]:
    least = schema.get("minItems", 0)
    return st.lists(fitting(_items(schema)), min_size=least, max_size=least)


def _object(schema: Schema) -> SearchStrategy[LooseJson]:
    known, wanted = _members(schema), _required(schema)
    return st.fixed_dictionaries({name: fitting(known.get(name, {})) for name in sorted(wanted)})


def _integers(schema: Schema) -> SearchStrategy[LooseJson]:
    return st.integers(schema.get("minimum", 0), schema.get("maximum", 10**6))


_MAKERS: Mapping[str, Callable[[Schema], SearchStrategy[LooseJson]]] = MappingProxyType(
    {
        "null": lambda schema: st.none(),
        "boolean": lambda schema: st.booleans(),
        "string": lambda schema: sentences() if schema.get("minLength") else texts(),
        "integer": _integers,
        "number": _integers,
        "array": _array,
        "object": _object,
    }
)
