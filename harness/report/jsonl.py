"""A report as JSON Lines: a line about all of it, then one for each thing that it tells of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from harness.report import json_report
from harness.report.report import Report


def report(report: Report) -> str:
    """A report as JSON Lines; each line says by `type` what it is."""
    return "".join(f"{_line(told)}\n" for told in _told(report))


def _told(report: Report) -> Iterator[dict[str, Any]]:
    whole = json_report.document(report)
    forms, fields = whole["fields"]["forms"], whole.pop("fields")["fields"]
    about = {name: told for name, told in whole.items() if not isinstance(told, list)}
    yield {"type": "report", **about, "recorded_from": whole["recorded_from"]}
    for kind in ("transcript", "problem", "finding", "model", "drift"):
        yield from ({"type": kind, **told} for told in whole[f"{kind}s"])
    yield from ({"type": "ignored", **told} for told in whole["ignored"])
    yield from ({"type": "form", "form": number, **told} for number, told in enumerate(forms))
    yield from ({"type": "field", **told} for told in fields)


def _line(told: dict[str, Any]) -> str:
    return json.dumps(json.loads(json_report.dumps(told)), ensure_ascii=False)
