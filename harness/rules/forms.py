"""The form of a JSON value: all that most schemas ask for, and the same for most answers.

What a service answers varies in its words and numbers, hardly ever in its form. A schema that asks
for nothing but form need therefore look at each form once only: JSON Schema in Python takes a
tenth of a millisecond for an answer, its form a few microseconds.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.analysis.endpoint import Schema
from harness.types import LooseJson

Form = object
"""Hashable; equal for two values where no schema that `is_formal` tells them apart."""


def form_of(value: LooseJson) -> Form:
    """The types of a value and of all within it, the names of members, and what is empty.

    >>> form_of({"id": "8"}) == form_of({"id": "9"}) != form_of({"id": ""})
    True
    """
    kind = type(value)
    if kind is dict:
        return (dict, *((name, form_of(member)) for name, member in value.items()))
    if kind is list:  # each item is asked the same, so that equal ones count once
        return (list, *dict.fromkeys(map(form_of, value)))
    if kind is str:
        return kind if value else ""
    if kind is float:  # to a schema, 1.0 is an integer
        return (float, value.is_integer())
    return kind


def is_formal(schema: Schema | bool) -> bool:
    """Whether it depends on the form of a value alone if it fits a schema."""
    if isinstance(schema, bool):
        return True
    return all(key in _ASKS and _ASKS[key](value) for key, value in schema.items())


def _each(schemas: LooseJson) -> bool:
    held = schemas.values() if isinstance(schemas, Mapping) else schemas
    return all(map(is_formal, held))


def _anything(_: LooseJson) -> bool:
    return True


def _one_at_most(length: LooseJson) -> bool:
    return length in (0, 1)


_ASKS = {
    **dict.fromkeys(("title", "description", "$comment", "type", "required"), _anything),
    **dict.fromkeys(("minLength", "minItems"), _one_at_most),
    **dict.fromkeys(("items", "not", "if", "then", "else"), is_formal),
    **dict.fromkeys(("properties", "allOf", "anyOf", "oneOf"), _each),
}
"""The keywords that ask for form alone, and whether what they hold does."""
