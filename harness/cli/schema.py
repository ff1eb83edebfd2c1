"""The command `schema`: print the JSON Schema of scenario files."""

from __future__ import annotations

from harness.cli import app


def schema() -> None:
    """Print the JSON Schema of scenario files, for editors."""
    from harness.scenario.schema_model import json_schema

    app.print_json(json_schema())
