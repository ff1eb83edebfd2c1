"""Whether the form of a value says all that a formal schema asks."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from harness.analysis.endpoint import Schema
from harness.providers.endpoints import ENDPOINTS
from harness.rules.schemas import form_of, is_formal, violations

SCHEMAS: list[Schema] = [
    schema
    for endpoint in ENDPOINTS
    for schema in (endpoint.answer, endpoint.event, endpoint.refusal)
    if schema is not None
]
NAMES = st.sampled_from(["id", "choices", "message", "content", "usage", "output", "code", "x"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
KEYWORDS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["object", "array", "string", "integer", "number", "null"]),
        "required": st.lists(NAMES, max_size=2, unique=True),
        "minLength": st.sampled_from([0, 1]),
        "minItems": st.sampled_from([0, 1]),
    },
)
FORMAL = st.recursive(
    KEYWORDS | st.booleans(),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "properties": st.dictionaries(NAMES, inner, max_size=3),
            "items": inner,
            "not": inner,
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "oneOf": st.lists(inner, min_size=1, max_size=2),
            "allOf": st.lists(inner, min_size=1, max_size=2),
            "if": inner,
            "then": inner,
            "else": inner,
        },
    ),
    max_leaves=6,
)


def alike(value: Any, chance: random.Random) -> Any:
    """Another value of the same form."""
    if isinstance(value, dict):
        return {name: alike(member, chance) for name, member in value.items()}
    if isinstance(value, list):
        return [alike(item, chance) for item in value for _ in range(chance.randint(1, 2))]
    if isinstance(value, bool):
        return chance.random() < 0.5
    if isinstance(value, int):
        return chance.randint(-9, 9)
    if isinstance(value, float):
        return float(chance.randint(-9, 9)) if value.is_integer() else chance.randint(-9, 9) + 0.5
    return chance.choice(["1", "zwei", "三"]) if value else value


@given(FORMAL, VALUES, st.randoms(use_true_random=False))
def test_a_formal_schema_never_tells_values_of_one_form_apart(
    schema: Schema | bool, value: Any, chance: random.Random
) -> None:
    """Whatever it is made of, and whatever stands in the values."""
    other = alike(value, chance)
    assert is_formal(schema)
    assert form_of(other) == form_of(value)
    validator = Draft202012Validator(schema)
    assert validator.is_valid(other) == validator.is_valid(value)


@pytest.mark.slow
@given(FORMAL.filter(lambda schema: isinstance(schema, dict)), st.lists(VALUES, max_size=4))
def test_what_is_remembered_changes_no_verdict(schema: Schema, values: list[Any]) -> None:
    """Each value is asked about twice, and jsonschema itself says what is right."""
    validator = Draft202012Validator(schema)
    for value in (*values, *values):
        assert bool(violations(schema, value)) is not validator.is_valid(value)


@pytest.mark.parametrize(
    "schema",
    [
        {"pattern": "^a"},
        {"enum": [1]},
        {"const": "a"},
        {"minLength": 2},
        {"minItems": 3},
        {"maximum": 5},
        {"format": "uri"},
        {"uniqueItems": True},
        {"$ref": "#/x"},
        {"properties": {"a": {"const": 1}}},
        {"items": {"anyOf": [{"type": "string"}, {"minimum": 1}]}},
    ],
)
def test_a_schema_that_asks_for_more_is_not_formal(schema: Schema) -> None:
    """One keyword anywhere in it is enough."""
    assert not is_formal(schema)


def test_a_schema_that_is_not_formal_looks_at_every_value() -> None:
    """Two values of one form, and one of them does not fit."""
    schema = {"properties": {"role": {"enum": ["assistant"]}}}
    assert not violations(schema, {"role": "assistant"})
    assert violations(schema, {"role": "user"})


def test_the_schemas_of_all_endpoints_are_formal() -> None:
    """Otherwise an answer takes a tenth of a millisecond more."""
    assert SCHEMAS
    assert all(is_formal(schema) for schema in SCHEMAS)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("a", ""),
        (1, 1.5),
        (1.0, 1.5),
        (1, True),
        ([], [1]),
        ({"a": 1}, {"b": 1}),
        (None, 0),
        ([1], ["1"]),
    ],
)
def test_values_of_other_forms_differ(one: Any, two: Any) -> None:
    """All that a schema may ask about."""
    assert form_of(one) != form_of(two)
