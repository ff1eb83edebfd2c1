"""Reports: what one run has to say, and every form it can be rendered in."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from harness.report import html, json_report, jsonl, junit, markdown
from harness.report.findings import describe, headline
from harness.report.report import Report

FILES: Mapping[str, Callable[[Report], str]] = MappingProxyType(
    {
        "json": json_report.report,
        "junit": junit.report,
        "html": html.report,
        "markdown": markdown.report,
        "lines": jsonl.report,
    }
)
"""The forms of a report that are written to a file. `reports.text` prints one on a console."""

NAMES: Mapping[str, str] = MappingProxyType(
    {
        "html": "index.html",
        "markdown": "summary.md",
        "junit": "junit.xml",
        "json": "report.json",
        "lines": "report.jsonl",
    }
)
"""What each form is called in a folder that has all of them."""

__all__ = ["FILES", "NAMES", "Report", "describe", "headline"]
