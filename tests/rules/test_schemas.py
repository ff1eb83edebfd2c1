"""Formal schemas, which are checked without the JSON Schema library."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from harness.analysis.endpoint import Schema
from harness.providers.endpoints import ENDPOINTS
from harness.rules.schemas import check_of, violations

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
        "const": st.sampled_from(["a", "ab"]),
        "enum": st.lists(st.sampled_from(["", "a", "ab"])),
        "minLength": st.sampled_from([0, 1, 2]),
        "maxLength": st.sampled_from([0, 1]),
        "minItems": st.sampled_from([0, 1]),
        "maxItems": st.sampled_from([0, 2]),
        "minimum": st.sampled_from([-1, 0, 0.5]),
        "maximum": st.sampled_from([0.5, 1, 2]),
    },
)
FORMAL = st.recursive(
    KEYWORDS | st.booleans(),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "properties": st.dictionaries(NAMES, inner, max_size=3),
            "additionalProperties": inner,
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


@given(FORMAL, VALUES)
def test_a_formal_schema_is_checked_as_by_jsonschema(schema: Schema | bool, value: Any) -> None:
    """Whatever it is made of, and whatever stands in the value."""
    check = check_of(schema)
    assert check is not None
    assert check(value) == Draft202012Validator(schema).is_valid(value)


@pytest.mark.slow
@given(FORMAL.filter(lambda schema: isinstance(schema, dict)), st.lists(VALUES, max_size=4))
def test_what_is_kept_changes_no_verdict(schema: Schema, values: list[Any]) -> None:
    """Each value is asked about twice, and jsonschema itself says what is right."""
    validator = Draft202012Validator(schema)
    for value in (*values, *values):
        assert bool(violations(schema, value)) is not validator.is_valid(value)


@pytest.mark.parametrize(
    "schema",
    [
        {"pattern": "^a"},
        {"enum": [1]},
        {"const": None},
        {"minLength": -1},
        {"maxItems": 0.5},
        {"additionalProperties": "a"},
        {"multipleOf": 5},
        {"maximum": "5"},
        {"format": "uri"},
        {"uniqueItems": True},
        {"$ref": "#/x"},
        {"properties": {"a": {"const": 1}}},
        {"items": {"anyOf": [{"type": "string"}, {"exclusiveMinimum": 1}]}},
        {"then": {"multipleOf": 5}},
        {"type": "text"},
        {"type": []},
        {"type": {}},
        {"required": "id"},
        {"required": ["id", "id"]},
        {"minLength": True},
        {"minItems": "1"},
        {"properties": ["a"]},
        {"items": [{}]},
        {"anyOf": []},
        {"not": None},
    ],
)
def test_a_schema_that_asks_for_more_is_not_formal(schema: Schema) -> None:
    """One keyword anywhere in it is enough, and one argument that is not valid."""
    assert check_of(schema) is None


def test_a_schema_that_is_not_formal_looks_at_every_value() -> None:
    """Two values of one form, and one of them does not fit."""
    schema = {"properties": {"role": {"enum": ["assistant", None]}}}
    assert not violations(schema, {"role": "assistant"})
    assert violations(schema, {"role": "user"})


def test_the_schemas_of_all_endpoints_are_formal() -> None:
    """Otherwise an answer takes a tenth of a millisecond more."""
    assert SCHEMAS
    assert all(map(check_of, SCHEMAS))


def test_a_schema_that_cannot_be_used_is_a_violation_with_the_reason() -> None:
    """The first line of the error."""
    ((pointer, expected, actual),) = violations({"type": "strnig"}, 1)
    assert (pointer, expected) == ("", "a usable JSON Schema")
    assert "strnig" in actual
