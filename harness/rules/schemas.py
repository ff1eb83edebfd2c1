"""Validation by JSON Schema, which never raises and describes violations in plain words.

The form of a value is its types, member names, and which texts and arrays are empty. Answers differ
in their texts and numbers and rarely in their form, so that a schema that constrains nothing but
the form is applied once to each form: the JSON Schema library takes a tenth of a millisecond for an
answer, computing its form takes a few microseconds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from harness.analysis.endpoint import Schema
from harness.rules.rule import show
from harness.types import Json
from harness.wire import escape, type_name

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator, ValidationError

Violation = tuple[str, str, str]
"""(pointer, expected, actual): a JSON pointer, and as text what is expected and what is there."""


@cache
def _unusable() -> tuple[type[Exception], ...]:
    """Return what jsonschema raises for a schema that cannot be used.

    It is invalid, has unresolvable or circular references, or Python cannot handle its patterns or
    numbers.
    """
    from jsonschema import SchemaError
    from referencing.exceptions import Unresolvable

    of_jsonschema = (SchemaError, Unresolvable)
    of_python = (re.error, RecursionError, ArithmeticError, ValueError, TypeError)
    return (*of_jsonschema, *of_python, AttributeError, KeyError)


_MAX_FORMS = 256
"""Largest number of forms that are cached for one schema; a service has a few."""


def violations(schema: Schema | bool, value: Json) -> list[Violation]:
    """Return the violations of a schema by a value, sorted; empty if there are none.

    A schema that cannot be used gives one violation that says why.
    """
    try:
        compiled = _compiled(_ById(schema))
        form = form_of(value) if compiled.is_formal else None
        if form in compiled.fitting:
            return []
        errors = list(compiled.validator.iter_errors(value))
    except _unusable() as error:
        first_line = str(error).partition("\n")[0]
        return [("", "a usable JSON Schema", f"{type(error).__name__}: {first_line}")]
    if form is not None and not errors:
        compiled.remember(form)
    return sorted((_pointer(error), *_words(error)) for error in errors)


@dataclass(frozen=True, eq=False, slots=True)
class _ById:
    """A schema as a cache key, compared by identity, since comparing contents would be slow."""

    schema: Schema | bool

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ById) and self.schema is other.schema

    def __hash__(self) -> int:
        return id(self.schema)


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A schema that is ready for use.

    Attributes:
        validator: Validates a value.
        is_formal: Whether the schema constrains nothing but the form of values.
        fitting: Forms whose values are known to satisfy the schema.
    """

    validator: Draft202012Validator
    is_formal: bool
    fitting: set[Form] = field(default_factory=set)

    def remember(self, form: Form) -> None:
        """Cache *form* as one whose values satisfy the schema."""
        if len(self.fitting) >= _MAX_FORMS:
            self.fitting.clear()
        self.fitting.add(form)


@lru_cache(maxsize=256)
def _compiled(key: _ById) -> _Compiled:
    return _compiled_text(json.dumps(key.schema, default=dict, sort_keys=True))


@lru_cache(maxsize=256)
def _compiled_text(text: str) -> _Compiled:
    """Return the compiled schema of a JSON text, from a cache if the text occurred before."""
    from jsonschema import Draft202012Validator
    from referencing import Registry

    schema = json.loads(text)
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema, registry=Registry())
    return _Compiled(validator, is_formal(schema))


def _pointer(error: ValidationError) -> str:
    return "".join(f"/{escape(step)}" for step in error.absolute_path)


def _words(error: ValidationError) -> tuple[str, str]:
    """Return the expected and the actual value of an error as text, both kept short."""
    if error.validator == "required":
        return _missing(error)
    expected = error.validator_value
    if error.validator == "type":
        types = " or ".join(expected) if isinstance(expected, list) else str(expected)
        actual = show(error.instance)
        return types, actual if error.instance is None else f"{type_name(error.instance)} {actual}"
    meaning = error.schema.get("description") if isinstance(error.schema, Mapping) else None
    if error.validator in ("anyOf", "oneOf") and meaning:
        return meaning, show(error.instance)
    return f"{error.validator} {show(expected)}", show(error.instance)


def _missing(error: ValidationError) -> tuple[str, str]:
    members = error.instance if isinstance(error.instance, dict) else {}
    required = error.validator_value if isinstance(error.validator_value, list) else []
    missing = next((name for name in required if f"{name!r} is" in error.message), "")
    return f"a field {missing!r}", f"only {', '.join(map(repr, members)) or 'none'}"


# ------------------------------------------------------------------------------------ forms

Form = object
"""A hashable form; a formal schema accepts either all values of a form or none of them."""


def form_of(value: Json) -> Form:
    """Return the form of a value: its types, the names of members, and what is empty.

    >>> form_of({"id": "8"}) == form_of({"id": "9"}) != form_of({"id": ""})
    True
    """
    if isinstance(value, dict):
        return (dict, *((name, form_of(member)) for name, member in value.items()))
    if isinstance(value, list):  # a schema treats all items alike, so that equal ones count once
        return (list, *dict.fromkeys(map(form_of, value)))
    if isinstance(value, str):
        return str if value else ""
    if isinstance(value, float):  # to a schema, 1.0 is an integer
        return (float, value.is_integer())
    return type(value)


def is_formal(schema: Schema | bool) -> bool:
    """Return whether a schema constrains nothing but the form of a value."""
    if isinstance(schema, bool):
        return True
    return all(key in _FORMAL and _FORMAL[key](value) for key, value in schema.items())


def _all_formal(schemas: Any) -> bool:
    return all(map(is_formal, schemas.values() if isinstance(schemas, Mapping) else schemas))


_FORMAL: Mapping[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("title", "description", "$comment", "type", "required"), lambda value: True),
    **dict.fromkeys(("minLength", "minItems"), lambda length: length in (0, 1)),
    **dict.fromkeys(("items", "not", "if", "then", "else"), is_formal),
    **dict.fromkeys(("properties", "allOf", "anyOf", "oneOf"), _all_formal),
}
"""Keywords that may constrain nothing but form, each with a check of the keyword's value."""
