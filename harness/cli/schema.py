"""The command `schema`: print the JSON Schema of scenario files."""

from __future__ import annotations

import typer


def schema() -> None:
    """Print the JSON Schema of scenario files, for editors."""
    from harness.report import json_report
    from harness.scenario.schema_model import json_schema

    typer.echo(json_report.dumps(json_schema()))
