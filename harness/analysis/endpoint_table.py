"""Endpoints as data: a provider's `endpoints.toml`, read to endpoints, field locations and schemas.

The tables of such a file, each with entries by name:

- `words`: lists of names or pointers that endpoints share;
- `statuses`: by HTTP status, the codes of refusals with it; `states`: the tuples of `States`;
- `schemas`: the members of an object by name; `name?` is an optional one. A value is the name of a
  type or schema, `=text` for a constant, `[value]` or `[value, 1]` for an array with at least so
  many items, or an object again; `value|null` may be null. A name that begins with `$` is a keyword
  of JSON Schema, or one of these: `$like` (an object, whose members this one has too), `$having`
  (members that are not null), `$either` (a description, and alternatives), `$by_type` (schemas by
  the value of the member `type`);
- `fields`: the pointers of `Fields`;
- all others: the attributes of `Endpoint`. A path that begins with one slash follows a prefix.

An entry of the last two may name another entry by the member `like`: it then has the members of
that entry, too, except those that it has itself.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.analysis.endpoint import Endpoint, Fields, Role, Schema, States
from harness.analysis.json_schema import (
    INTEGER,
    NAME,
    NUMBER,
    OBJECT,
    STRING,
    array,
    either,
    having,
    nullable,
    object_of,
)
from harness.types import Json
from harness.wire.patterns import lazy_pattern

_TYPES: Mapping[str, Schema] = {
    **{"string": STRING, "name": NAME, "integer": INTEGER, "number": NUMBER, "object": OBJECT},
    **{"boolean": {"type": "boolean"}, "anything": {}},
}
_OTHER_TABLES = ("words", "statuses", "states", "schemas", "fields")
"""The tables whose entries are no endpoints."""

_SCHEMAS = ("answer", "event", "refusal")
_SETS = ("volatile", "finish_reasons", "objects", "unpaid", "unshown", "exempt")
_FUNCTIONS = (
    *("read", "cumulative", "tells_usage", "keeps_reasoning", "counts_reasoning", "runs_tools"),
    *("conversation", "remembers"),
)


def always(request: Json) -> bool:
    """Return True: for attributes of `Endpoint` that hold for every request."""
    return True


def never(request: Json) -> bool:
    """Return False: for attributes of `Endpoint` that hold for no request."""
    return False


class EndpointTable:
    """The tables of one file; a name that the file lacks is looked up in those of another file.

    Attributes:
        schemas: The schemas by name: those that were used so far, and those that code has added.
    """

    def __init__(
        self, file: Path, *functions: Callable[..., Any], base: EndpointTable | None = None
    ) -> None:
        """Read a file.

        Args:
            file: The file.
            *functions: The functions to which endpoints refer by name.
            base: The table of the names that the file lacks.
        """
        self._tables: dict[str, dict[str, Any]] = tomllib.loads(file.read_text(encoding="utf-8"))
        self._functions = {function.__name__: function for function in (*functions, always, never)}
        self._base = base
        tables = (rows for table, rows in self._tables.items() if table not in _OTHER_TABLES)
        self._rows = {name: row for rows in tables for name, row in rows.items()}
        self.schemas: dict[str, Schema] = dict(_TYPES)

    def words(self, value: str | list[str]) -> tuple[str, ...]:
        """Return *value* as a tuple; if it is a name, return that list of the table `words`."""
        return tuple(self._entry("words", value) if isinstance(value, str) else value)

    def _entry(self, table: str, name: str) -> Any:
        own = self._tables.get(table, {})
        if name not in own and self._base:
            return self._base._entry(table, name)
        return own[name]

    def schema(self, shape: Any) -> Schema:
        """Return the JSON Schema of *shape*, the name of a schema or a description of one.

        A description is written as in the table `schemas`, such as `{"id": "string"}`; see the
        docstring of this module.
        """
        if isinstance(shape, str):
            return self._named(shape)
        if isinstance(shape, list):
            return array(self.schema(shape[0]), *shape[1:])
        if "$like" in shape:
            like = self._entry("schemas", shape["$like"])
            return self.schema({**like, **{n: v for n, v in shape.items() if n != "$like"}})
        members = {name: value for name, value in shape.items() if not name.startswith("$")}
        required = {n: self.schema(v) for n, v in members.items() if not n.endswith("?")}
        optional = {n[:-1]: self.schema(v) for n, v in members.items() if n.endswith("?")}
        own = object_of(required, optional) if members or not shape else {}
        for name in (name for name in shape if name.startswith("$")):
            made = self._keyword(name[1:], shape[name])
            both = [*made.get("allOf", ()), *own.get("allOf", ())]
            own = {**own, **made, **({"allOf": both} if both else {})}
        return own

    def _keyword(self, name: str, value: Any) -> Schema:
        match name:
            case "having":
                return having(*value)
            case "either":
                return either(value[0], *map(self.schema, value[1:]))
            case "by_type":
                conditions = {kind: {"properties": {"type": {"const": kind}}} for kind in value}
                forms = [{"if": conditions[k], "then": self.schema(v)} for k, v in value.items()]
                return {"allOf": forms}
            case "anyOf" | "allOf":
                return {name: [self.schema(shape) for shape in value]}
            case "items" | "not" | "if" | "then" | "else":
                return {name: self.schema(value)}
            case "properties":
                return {name: {member: self.schema(shape) for member, shape in value.items()}}
        return {name: value}

    def _named(self, name: str) -> Schema:
        if name.endswith("|null"):
            return nullable(self._named(name.removesuffix("|null")))
        if name.startswith("="):
            return {"const": name[1:]}
        if name not in self.schemas:
            own = self._tables.get("schemas", {})
            if self._base and name not in own:
                return self._base.schema(name)
            self.schemas[name] = self.schema(own[name])
        return self.schemas[name]

    def fields(self, value: str | Mapping[str, Any]) -> Fields:
        """Return the `Fields` of *value*, the name of an entry of the table `fields` or an entry.

        An entry has a pointer or a list of pointers for each field.
        """
        table = self._tables.get("fields", {})
        if self._base and isinstance(value, str) and value not in table:
            return self._base.fields(value)
        row: Mapping[str, Any] = table[value] if isinstance(value, str) else value
        own: dict[str, Any] = {
            name: _pointers(name, places) for name, places in row.items() if name != "like"
        }
        return replace(self.fields(row["like"]) if "like" in row else Fields(), **own)

    def endpoints(
        self, dialect: str, prefix: str = "", table: str = "endpoints", **changes: Any
    ) -> dict[str, Endpoint]:
        """Return the endpoints of a table, by their names in the table.

        Args:
            dialect: The first part of each `Endpoint.name`, such as `zhipuai`; a dot and the name
                in the table follow.
            prefix: The regular expression before each path that begins with one slash.
            table: The name of the table in the file.
            **changes: Attributes of `Endpoint` that all of them get in place of those in the file.
        """
        made: dict[str, Endpoint] = {}
        for name in self._tables[table]:
            row = self._row(name)
            path = row.pop("path")
            is_rest = path.startswith("/") and not path.startswith("//")
            attributes: dict[str, Any] = {n: self._attribute(n, v) for n, v in row.items()}
            attributes["path"] = lazy_pattern(prefix + path if is_rest else path)
            made[name] = Endpoint(name=f"{dialect}.{name}", **{**attributes, **changes})
        return made

    def _row(self, name: str) -> dict[str, Any]:
        """Return an endpoint's attributes in the file, with those of the one that it is like."""
        row = self._rows[name]
        before = self._row(row["like"]) if "like" in row else {}
        return {**before, **{n: v for n, v in row.items() if n != "like"}}

    def _attribute(self, name: str, value: Any) -> Any:
        if name in _SCHEMAS:
            return self.schema(value) if value else None
        if name in _SETS:
            return frozenset(self.words(value))
        if name in _FUNCTIONS:
            return self._functions[value] if value else None
        if name in ("roles", "foreign", "refusal_types"):
            return self.words(value)
        if name == "fields":
            return self.fields(value)
        if name in ("statuses", "states"):
            return self._statuses() if name == "statuses" else _states(self._tables["states"])
        return Role(value) if name == "role" else value

    def _statuses(self) -> Mapping[str, frozenset[int]]:
        by_code: dict[str, frozenset[int]] = {}
        for status, codes in self._tables["statuses"].items():
            for code in codes:
                by_code[code] = by_code.get(code, frozenset()) | {int(status)}
        return by_code


def _states(rows: Mapping[str, list[str]]) -> States:
    return States(**{name: tuple(states) for name, states in rows.items()})


def _pointers(name: str, value: str | list[str]) -> str | tuple[str, ...]:
    """Return the pointers of a field; of `choices` and `parameters`, which have one, that one."""
    if name in ("choices", "parameters"):
        return str(value)
    return (value,) if isinstance(value, str) else tuple(value)
