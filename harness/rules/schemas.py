"""Validation by JSON Schema, which never raises and describes violations in plain words.

A schema is formal if it constrains nothing but types, members, the bounds of numbers and lengths,
and which texts are allowed, as those of all endpoints do. A value that satisfies a formal schema is
recognised here, in a few microseconds: the JSON Schema library takes 50 ms to import and a tenth of
a millisecond for an answer. It is asked about all other values, and says what is wrong.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.analysis.endpoint import Schema
from harness.rules.rule import show
from harness.types import Json
from harness.wire import as_list, as_object, escape, type_name

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator, ValidationError


class Violation(NamedTuple):
    """A violation of a JSON Schema.

    Attributes:
        pointer: The JSON pointer of the value that violates it.
        expected: What the schema requires, as text.
        actual: What was there, as text.
    """

    pointer: str
    expected: str
    actual: str


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


def violations(schema: Schema | bool, value: Json) -> list[Violation]:
    """Return each violation of *schema* by *value*, sorted by pointer.

    A schema that cannot be used gives one violation that says why.
    """
    return violations_of(schema)(value)


def violations_of(schema: Schema | bool) -> Callable[[Json], list[Violation]]:
    """Return `violations` for *schema*: a function of the value, for those who have several."""
    return _violations_of(ById(schema))


def _violations(key: ById, check: Check | None, value: Json) -> list[Violation]:
    if check is not None and check(value):
        return []
    try:
        errors = list(_validator(key).iter_errors(value))
    except _unusable() as error:
        first_line = str(error).partition("\n")[0]
        return [Violation("", "a usable JSON Schema", f"{type(error).__name__}: {first_line}")]
    return sorted(Violation(_pointer(error), *_words(error)) for error in errors)


@dataclass(frozen=True, eq=False, slots=True)
class ById:
    """A schema or endpoint as a cache key: compared by identity, since its content is large."""

    subject: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ById) and self.subject is other.subject

    def __hash__(self) -> int:
        return id(self.subject)


@lru_cache(maxsize=256)
def _validator(key: ById) -> Draft202012Validator:
    return _validator_of_text(json.dumps(key.subject, default=dict, sort_keys=True))


@lru_cache(maxsize=256)
def _validator_of_text(text: str) -> Draft202012Validator:
    """Return a validator by the JSON text of a schema, from a cache if the text occurred before."""
    from jsonschema import Draft202012Validator
    from referencing import Registry

    schema = json.loads(text)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, registry=Registry())


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
    members = as_object(error.instance)
    required = as_list(error.validator_value)
    missing = next((name for name in required if f"{name!r} is" in error.message), "")
    return f"a field {missing!r}", f"only {', '.join(map(repr, members)) or 'none'}"


# --------------------------------------------------------------------------- formal schemas

Check = Callable[[Any], bool]
"""A function that returns whether a JSON value satisfies a schema."""


@lru_cache(maxsize=256)
def _violations_of(key: ById) -> Callable[[Json], list[Violation]]:
    return partial(_violations, key, check_of(key.subject))


def check_of(schema: Schema | bool) -> Check | None:
    """Return a function that checks values by *schema* without the JSON Schema library.

    Return None if the schema is not formal: it constrains more than types, members, the bounds of
    numbers and lengths, and which texts are allowed.
    """
    try:
        return _checked(schema)
    except (_NotFormal, RecursionError):
        return None


class _NotFormal(Exception):
    """A schema is invalid, or constrains more than the form of values."""


def _checked(schema: Any) -> Check:
    if isinstance(schema, bool):
        return lambda value: schema
    if not isinstance(schema, Mapping) or not schema.keys() <= _KEYWORDS.keys():
        raise _NotFormal
    checks = [_KEYWORDS[name](argument) for name, argument in schema.items()]
    if schema.get("type") == "object" and schema.keys() <= _OF_OBJECTS:
        return _object(frozenset(schema.get("required", ())), schema.get("properties", {}))
    if "if" in schema:
        checks.append(_conditional(schema))
    if "additionalProperties" in schema:
        checks.append(_additional(schema))
    first, *others = [check for check in checks if check is not _true] or [_true]
    if not others:
        return first

    def check_all(value: Any) -> bool:
        if first(value):
            for check in others:  # noqa: SIM110 - in half the time
                if not check(value):
                    return False
            return True
        return False

    return check_all


_OF_OBJECTS = {"type", "required", "properties", "title", "description", "$comment"}


def _object(required: frozenset[str], properties: Mapping[str, Any]) -> Check:
    """Return the check of the most frequent schemas, that of an object and its members."""
    checks = [(name, _checked(schema)) for name, schema in properties.items()]
    checks = [(name, check) for name, check in checks if check is not _true]

    def check_object(value: Any) -> bool:
        if type(value) is not dict or not required <= value.keys():
            return False
        for name, of_member in checks:  # noqa: SIM110 - in half the time
            if name in value and not of_member(value[name]):
                return False
        return True

    return check_object


def _true(_: Any) -> bool:
    return True


def _anything(_: Any) -> Check:
    return _true


def _type(argument: Any) -> Check:
    names = argument if isinstance(argument, list | tuple) else [argument]
    if not names or not all(isinstance(name, str) and name in _TYPES for name in names):
        raise _NotFormal
    types = frozenset(kind for name in names for kind in _TYPES[name])
    if "integer" not in names:
        return lambda value: type(value) in types
    return lambda value: type(value) in types or (type(value) is float and value.is_integer())


_TYPES: Mapping[str, tuple[type, ...]] = {
    "array": (list,),
    "boolean": (bool,),
    "integer": (int,),
    "null": (type(None),),
    "number": (int, float),
    "object": (dict,),
    "string": (str,),
}


def _required(argument: Any) -> Check:
    if not isinstance(argument, list | tuple) or not all(isinstance(n, str) for n in argument):
        raise _NotFormal
    names = frozenset(argument)
    if len(names) < len(argument):
        raise _NotFormal
    return lambda value: type(value) is not dict or names <= value.keys()


def _length(
    kind: type[str] | type[list[Any]], holds: Callable[[int, int], bool]
) -> Callable[[Any], Check]:
    def check_of_length(argument: Any) -> Check:
        if type(argument) is not int or argument < 0:
            raise _NotFormal
        return lambda value: type(value) is not kind or holds(len(value), argument)

    return check_of_length


def _texts(argument: Any) -> Check:
    """Return the check of `enum`, which allows only texts."""
    if not isinstance(argument, list | tuple) or not all(type(text) is str for text in argument):
        raise _NotFormal
    texts = frozenset(argument)
    return lambda value: type(value) is str and value in texts


def _bound(holds: Callable[[Any, Any], bool]) -> Callable[[Any], Check]:
    def check_of_bound(argument: Any) -> Check:
        if type(argument) not in _TYPES["number"]:
            raise _NotFormal
        return lambda value: type(value) not in _TYPES["number"] or holds(value, argument)

    return check_of_bound


def _properties(argument: Any) -> Check:
    if not isinstance(argument, Mapping):
        raise _NotFormal
    checks = [(name, _checked(schema)) for name, schema in argument.items()]

    def check(value: Any) -> bool:
        if type(value) is dict:
            for name, of_member in checks:
                if name in value and not of_member(value[name]):
                    return False
        return True

    return check


def _additional(schema: Mapping[str, Any]) -> Check:
    of_other = _checked(schema["additionalProperties"])
    known = schema.get("properties", {}).keys()
    return lambda value: (
        type(value) is not dict or all(of_other(value[name]) for name in value.keys() - known)
    )


def _items(argument: Any) -> Check:
    of_item = _checked(argument)
    return lambda value: type(value) is not list or all(map(of_item, value))


def _not(argument: Any) -> Check:
    refused = _checked(argument)
    return lambda value: not refused(value)


def _several(holds: Callable[[Iterator[bool]], bool]) -> Callable[[Any], Check]:
    def check_of_several(argument: Any) -> Check:
        if not isinstance(argument, list | tuple) or not argument:
            raise _NotFormal
        checks = [_checked(schema) for schema in argument]
        return lambda value: holds(check(value) for check in checks)

    return check_of_several


def _conditional(schema: Mapping[str, Any]) -> Check:
    condition = _checked(schema["if"])
    then, otherwise = _checked(schema.get("then", True)), _checked(schema.get("else", True))
    return lambda value: then(value) if condition(value) else otherwise(value)


def _beside_others(argument: Any) -> Check:
    _checked(argument)  # which refuses what is not formal
    return _true


_KEYWORDS: Mapping[str, Callable[[Any], Check]] = {
    **dict.fromkeys(("title", "description", "$comment"), _anything),
    **dict.fromkeys(("if", "then", "else", "additionalProperties"), _beside_others),
    "type": _type,
    "required": _required,
    "const": lambda argument: _texts([argument]),
    "enum": _texts,
    "minLength": _length(str, operator.ge),
    "maxLength": _length(str, operator.le),
    "minItems": _length(list, operator.ge),
    "maxItems": _length(list, operator.le),
    "minimum": _bound(operator.ge),
    "maximum": _bound(operator.le),
    "properties": _properties,
    "items": _items,
    "not": _not,
    "allOf": _several(all),
    "anyOf": _several(any),
    "oneOf": _several(lambda results: sum(results) == 1),
}
"""The keywords of formal schemas, each with what returns the check of an argument."""
