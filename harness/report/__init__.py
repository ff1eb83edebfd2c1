"""Reports: the result of a run, and every form that it can be rendered in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

from harness.cassette.store import write_text
from harness.config import plugins
from harness.report import json_report, junit, markdown
from harness.report.format import describe, headline
from harness.report.model import Report


def _page(report: Report) -> str:
    """Return the report as an HTML page. Raises MissingExtra."""
    from harness.report import html

    return html.report(report)


@dataclass(frozen=True, slots=True)
class ReportFile:
    """A form of a report that another package adds, by an entry point of `harness.reports`.

    Attributes:
        file: The file name in a folder that has all forms, such as `findings.csv`.
        render: Returns the text of a report.
    """

    file: str
    render: Callable[[Report], str]


def _added() -> dict[str, ReportFile]:
    """Return the forms of other packages, by the names of their entry points.

    Raises:
        HarnessError: A plug-in cannot be used.
    """
    added: dict[str, ReportFile] = {}
    for plugin in plugins.load("harness.reports", ReportFile):
        form, names = plugin.value, {*NAMES.values(), *(other.file for other in added.values())}
        if plugin.name in (*FILES, *added) or form.file in names:
            raise plugin.broken(
                f"there is a report {plugin.name!r}, or a file {form.file!r} of a report, already"
            )
        if not form.file or Path(form.file).name != form.file:
            raise plugin.broken(f"{form.file!r} is not the name of a file")
        added[plugin.name] = ReportFile(form.file, partial(_rendered, plugin))
    return added


def _rendered(plugin: plugins.Plugin[ReportFile], report: Report) -> str:
    try:
        text = plugin.value.render(report)
    except Exception as error:
        raise plugin.broken(f"it failed with {type(error).__name__}: {error}") from error
    if not isinstance(text, str):
        raise plugin.broken(f"it returned a {type(text).__name__} instead of a text")
    return text


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
    """Write a report to a folder in every form, those of other packages included.

    Raises:
        CannotWrite: A file cannot be written.
        HarnessError: A plug-in cannot be used.
    """
    forms = {name: FILES[form] for form, name in NAMES.items()}
    forms |= {form.file: form.render for form in _added().values()}
    for name, render in forms.items():
        _write(folder / name, render(report))


ENDINGS: Mapping[str, str] = MappingProxyType(
    {
        ".html": "html",
        ".htm": "html",
        ".md": "markdown",
        ".xml": "junit",
        ".json": "json",
        ".jsonl": "lines",
    }
)
"""The form of a report by the ending of its file's name."""


def write(report: Report, path: Path) -> Path:
    """Write a report to a file in the form of its ending, or else to a folder in every form.

    Returns:
        The file to look at first: *path*, or the page in the folder.

    Raises:
        CannotWrite: A file cannot be written.
        HarnessError: A plug-in cannot be used.
    """
    form = ENDINGS.get(path.suffix.lower())
    if form is None:
        write_folder(report, path)
        return path / NAMES["html"]
    _write(path, FILES[form](report))
    return path


def _write(path: Path, text: str) -> None:
    """Write a text to a file with its secrets masked."""
    from harness.providers.masking import text_masker

    write_text(path, text_masker()(text))


__all__ = [
    "ENDINGS",
    "FILES",
    "NAMES",
    "Report",
    "ReportFile",
    "describe",
    "headline",
    "write",
    "write_folder",
]
