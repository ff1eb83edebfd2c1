"""Reports: the result of a run, and every form that it can be rendered in."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from harness.cassette.store import write_text
from harness.report import json_report, junit, markdown
from harness.report.format import describe, headline
from harness.report.model import Report


def _page(report: Report) -> str:
    """Return the report as an HTML page. Raises MissingExtra."""
    from harness.report import html

    return html.report(report)


FILES: Mapping[str, Callable[[Report], str]] = MappingProxyType(
    {
        "html": _page,
        "markdown": markdown.report,
        "junit": junit.report,
        "json": json_report.report,
        "lines": json_report.lines,
    }
)
"""The forms of a report that are written to files, each with the function that returns its text.

`harness.report.text` prints a report on a console instead.
"""

NAMES: Mapping[str, str] = MappingProxyType(
    {
        "html": "index.html",
        "markdown": "summary.md",
        "junit": "junit.xml",
        "json": "report.json",
        "lines": "report.jsonl",
    }
)
"""The file name of each form in a folder that has all of them."""


def write_folder(report: Report, folder: Path) -> None:
    """Write a report to a folder in every form. Raises CannotWrite."""
    for form, name in NAMES.items():
        write_text(folder / name, FILES[form](report))


__all__ = ["FILES", "NAMES", "Report", "describe", "headline", "write_folder"]
