"""JSON Schema, asked in a way that never raises and answers in plain words."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from referencing import Registry
from referencing.exceptions import Unresolvable

from harness.analysis.endpoint import Schema
from harness.rules.forms import Form, form_of, is_formal
from harness.rules.rule import show
from harness.types import LooseJson
from harness.wire import escape, type_name

Violation = tuple[str, str, str]
"""A JSON pointer, what was expected there, and what was found."""

# What jsonschema raises on a schema that is none, that refers to what is not there or to itself,
# or whose patterns and numbers Python cannot handle.
_UNUSABLE = (
    SchemaError,
    Unresolvable,
    re.error,
    RecursionError,
    ArithmeticError,
    ValueError,
    TypeError,
    AttributeError,
    KeyError,
)

_FORMS = 256
"""So many forms are remembered of one schema; a service has a few."""

_NOTHING_REMOTE: Registry[bool | Schema] = Registry()


@lru_cache(maxsize=256)
def _compiled(text: str) -> Draft202012Validator:
    schema = json.loads(text)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, registry=_NOTHING_REMOTE)


def violations(schema: Schema, value: LooseJson) -> list[Violation]:
    """Where a value does not fit a schema; a schema that cannot be used is said to be so."""
    try:
        checked = _of_this_one(_Same(schema))
        form = form_of(value) if checked.is_formal else None
        if form in checked.fitting:
            return []
        errors = list(checked.validator.iter_errors(value))
    except _UNUSABLE as error:
        return [("", "a JSON Schema that can be used", _first_line(error))]
    if form is not None and not errors:
        checked.remember(form)
    return sorted((_pointer(error), *_words(error)) for error in errors)


@dataclass(frozen=True, slots=True)
class _Checked:
    """A schema's validator, and the forms that were found to fit it, if forms are all it asks."""

    validator: Draft202012Validator
    is_formal: bool
    fitting: set[Form] = field(default_factory=set)

    def remember(self, form: Form) -> None:
        """The next value of this form fits without being looked at."""
        if len(self.fitting) >= _FORMS:
            self.fitting.clear()
        self.fitting.add(form)


@dataclass(frozen=True, eq=False, slots=True)
class _Same:
    """A schema, equal to itself alone: an endpoint's are asked for all the time."""

    schema: Schema

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.schema is other.schema

    def __hash__(self) -> int:
        return id(self.schema)


@lru_cache(maxsize=256)
def _of_this_one(same: _Same) -> _Checked:
    validator = _compiled(json.dumps(same.schema, default=dict, sort_keys=True))
    return _Checked(validator, is_formal(validator.schema))


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"


def _pointer(error: ValidationError) -> str:
    return "".join(f"/{escape(step)}" for step in error.absolute_path)


def _words(error: ValidationError) -> tuple[str, str]:
    """What was expected and found, without repeating whole documents."""
    if error.validator == "required":
        return _missing(error)
    wanted = error.validator_value
    if error.validator == "type":
        kinds = " or ".join(wanted) if isinstance(wanted, list) else str(wanted)
        found = show(error.instance)
        return kinds, found if error.instance is None else f"{type_name(error.instance)} {found}"
    meaning = error.schema.get("description") if isinstance(error.schema, Mapping) else None
    if error.validator in ("anyOf", "oneOf") and meaning:
        return meaning, show(error.instance)
    return f"{error.validator} {show(wanted)}", show(error.instance)


def _missing(error: ValidationError) -> tuple[str, str]:
    held = error.instance if isinstance(error.instance, dict) else {}
    wanted = error.validator_value if isinstance(error.validator_value, list) else []
    missing = next((name for name in wanted if f"{name!r} is" in error.message), "")
    return f"a field {missing!r}", f"only {', '.join(map(repr, held)) or 'none'}"
