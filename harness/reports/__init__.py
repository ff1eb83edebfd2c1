"""Reports: what one run has to say, and every form it can be rendered in."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from harness.reports import html, junit, machine
from harness.reports.findings import describe, headline
from harness.reports.report import Problem, Report

FILES: Mapping[str, Callable[[Report], str]] = MappingProxyType(
    {
        "json": machine.report,
        "junit": junit.report,
        "html": html.report,
    }
)
"""The forms of a report that are written to a file. `reports.text` prints one on a console."""

__all__ = ["FILES", "Problem", "Report", "describe", "headline"]
