"""The shape of JSON values."""

from __future__ import annotations

from hypothesis import given
from wire.values import JSON

from harness.analysis.shape import shape
from harness.types import Json
from harness.wire import (
    type_name,
    walk,
)


def test_a_shape_is_paths_and_types() -> None:
    """Items of an array share one path; true is no integer."""
    value: Json = {"a": [1, None, {"b": True}], "c": 1.0, "d": ""}
    assert shape(value) == {
        "": {"object"},
        "/a": {"array"},
        "/a/[]": {"integer", "null", "object"},
        "/a/[]/b": {"boolean"},
        "/c": {"number"},
        "/d": {"string"},
    }


def test_shapes_of_several_values_are_united() -> None:
    """A path has the types of all values; no value has no path."""
    assert shape({"a": 1}, {"a": "", "b": []}) == {
        "": {"object"},
        "/a": {"integer", "string"},
        "/b": {"array"},
    }
    assert shape() == {}


@given(JSON)
def test_a_shape_has_every_place(value: Json) -> None:
    """What is walked is in the shape, with its type."""
    shaped = shape(value)
    for pointer, node in walk(value):
        paths = [p for p in shaped if _is_at(p, pointer)]
        assert any(type_name(node) in shaped[path] for path in paths)


def _is_at(path: str, pointer: str) -> bool:
    steps, keys = path.split("/"), pointer.split("/")
    return len(steps) == len(keys) and all(
        a == b or (a == "[]" and b.isdigit()) for a, b in zip(steps, keys, strict=True)
    )
