"""Endpoints, field locations and schemas that are read from a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.analysis.endpoint import Fields, Role, States
from harness.analysis.endpoint_table import EndpointTable
from harness.analysis.json_schema import INTEGER, NAME, STRING, array, either, having, object_of
from harness.types import Json

TABLES = """
[words]
ids = ["/id"]

[statuses]
400 = ["bad"]
500 = ["broken", "bad"]

[states]
running = ["RUNNING"]

[schemas]
refusal = {message = "string", "code?" = "integer|null"}
answer = {id = "name", why = "refusal"}
longer = {"$like" = "refusal", id = "name"}

[fields.task]
id = "/id"
choices = "/choices"
code = ["/a", "/b"]

[fields.other]
like = "task"
id = []

[templates.call]
method = "POST"
role = "answer"
refusal = "refusal"

[endpoints.ask]
like = "call"
path = "/ask"
answer = "answer"
fields = "other"
volatile = "ids"
statuses = true
states = true
runs_tools = "runs_tools"
event = false

[endpoints.away]
like = "ask"
path = "//host/ask"
tells_usage = "always"
"""


def runs_tools(request: Json) -> bool:
    """Return whether the request is null."""
    return request is None


@pytest.fixture
def table(tmp_path: Path) -> EndpointTable:
    file = tmp_path / "endpoints.toml"
    file.write_text(TABLES, encoding="utf-8")
    return EndpointTable(file, runs_tools)


@pytest.mark.parametrize(
    ("shape", "schema"),
    [
        ("name", NAME),
        ("string|null", {"type": ["string", "null"]}),
        ("=x", {"const": "x"}),
        ([["integer"], 1], array(array(INTEGER), 1)),
        ({}, object_of({})),
        ({"a": "string", "b?": {}}, object_of({"a": STRING}, {"b": object_of({})})),
        ({"$having": ["a"]}, having("a")),
        ({"$either": ["x", "name", "integer"]}, either("x", NAME, INTEGER)),
        (
            {"$if": {"$properties": {"a": "=b"}}, "$then": "name"},
            {"if": {"properties": {"a": {"const": "b"}}}, "then": NAME},
        ),
        (
            {"$by_type": {"x": "name"}},
            {"allOf": [{"if": {"properties": {"type": {"const": "x"}}}, "then": NAME}]},
        ),
        ({"$type": "array", "$items": "name", "$maxItems": 2}, {**array(NAME), "maxItems": 2}),
        (
            {"$allOf": ["name"], "$by_type": {"x": "name"}},
            {
                "allOf": [
                    {"if": {"properties": {"type": {"const": "x"}}}, "then": NAME},
                    NAME,
                ]
            },
        ),
        ({"$not": {"$anyOf": ["name"]}}, {"not": {"anyOf": [NAME]}}),
    ],
    ids=str,
)
def test_a_shape_is_a_schema(
    table: EndpointTable, shape: object, schema: dict[str, object]
) -> None:
    """A shape of a table is the JSON Schema that it stands for."""
    assert {"minItems": 0, **table.schema(shape)} == {"minItems": 0, **schema}


def test_a_schema_names_others(table: EndpointTable) -> None:
    """A named schema is put in place of its name, and extended by members of its own."""
    why = object_of({"message": STRING}, {"code": {"type": ["integer", "null"]}})
    assert table.schema("answer") == object_of({"id": NAME, "why": why})
    assert table.schema("longer")["required"] == ["message", "id"]


def test_endpoints_are_read_with_what_they_name(table: EndpointTable) -> None:
    """An endpoint has the fields, schemas and functions that its row names."""
    ask, away = table.endpoints("x", ".*/v1").values()
    assert (ask.name, ask.path.pattern, ask.role) == ("x.ask", ".*/v1/ask", Role.ANSWER)
    assert (away.name, away.path.pattern, ask.event) == ("x.away", "//host/ask", None)
    assert ask.fields == Fields(choices="/choices", code=("/a", "/b"))
    assert ask.statuses == {"bad": {400, 500}, "broken": {500}}
    assert (ask.states, ask.volatile) == (States(running=("RUNNING",)), frozenset({"/id"}))
    assert (ask.runs_tools(None), ask.tells_usage({}), away.tells_usage({})) == (True, False, True)


def test_names_that_a_file_lacks_are_those_of_its_base(
    table: EndpointTable, tmp_path: Path
) -> None:
    """A file that builds on another has its names too."""
    file = tmp_path / "own.toml"
    file.write_text('[schemas]\nanswer = "refusal"\n', encoding="utf-8")
    own = EndpointTable(file, base=table)
    assert own.schema("answer") == table.schema("refusal") == own.schema("refusal")
    assert (own.fields("task"), own.words("ids")) == (table.fields("task"), ("/id",))
