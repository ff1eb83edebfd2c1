"""Reports: the result of a run, and every form that it can be rendered in."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from harness.cassette.store import write_text, write_texts
from harness.config import plugins
from harness.report import json_report, junit, markdown
from harness.report.format import describe, headline
from harness.report.model import Report


def _page(report: Report) -> str:
    """Return the report as an HTML page with its secrets masked. Raises MissingExtra."""
    return "".join(_pieces(report))


def _pieces(report: Report) -> Iterator[str]:
    """Return the text of that page in pieces, of which few are in memory. Raises MissingExtra."""
    from harness.report import html

    return html.pieces(report)


@dataclass(frozen=True, slots=True)
class ReportFile:
    """A file format for reports that another package adds, by an entry point of `harness.reports`.

    Attributes:
        file: The name of this format's file in a folder with a file of every format, such as
            `findings.csv`.
        render: A function that returns the text of a report in this format.
    """

    file: str
    render: Callable[[Report], str]


def added() -> tuple[plugins.Plugin[ReportFile], ...]:
    """Return the report formats that other packages add, each named after its entry point.

    Raises:
        HarnessError: A plug-in cannot be loaded, or its name or file name is taken or invalid.
    """
    found = plugins.load("harness.reports", ReportFile)
    origins = dict.fromkeys((*FILES, *NAMES.values()), plugins.OWN)
    for plugin in found:
        file = plugin.value.file
        for kind, name in (("report", plugin.name), ("report's file", file)):
            if name in origins:
                raise plugin.broken(f"there is a {kind} {name!r} of {origins[name]} already")
            origins[name] = plugin.origin
        if not file or Path(file).name != file:
            raise plugin.broken(f"{file!r} is not the name of a file")
    return found


def _rendered(plugin: plugins.Plugin[ReportFile], report: Report) -> str:
    try:
        text = plugin.value.render(report)
    except Exception as error:
        raise plugin.broken(f"it failed with {type(error).__name__}: {error}") from error
    if not isinstance(text, str):
        raise plugin.broken(f"it returned a {type(text).__name__} instead of a text")
    return text


class _Form(NamedTuple):
    """A form of report: its function, its file in a folder with all, the endings of its files."""

    render: Callable[[Report], str]
    name: str
    endings: tuple[str, ...]


_FORMS = {
    "html": _Form(_page, "index.html", (".html", ".htm")),
    "markdown": _Form(markdown.report, "summary.md", (".md",)),
    "junit": _Form(junit.report, "junit.xml", (".xml",)),
    "json": _Form(json_report.report, "report.json", (".json",)),
    "lines": _Form(json_report.lines, "report.jsonl", (".jsonl",)),
}

FILES = MappingProxyType({form: own.render for form, own in _FORMS.items()})
"""The forms of a report that are written to files, each with the function that returns its text.

`harness.report.text` prints a report on a console instead.
"""

NAMES = MappingProxyType({form: own.name for form, own in _FORMS.items()})
"""The file name of each form in a folder that has all of them."""


def write_folder(report: Report, folder: Path) -> None:
    """Write a report to a folder, one file for each format, also for formats of other packages.

    Raises:
        CannotWrite: A file cannot be written.
        HarnessError: A plug-in cannot be used.
    """
    forms = {name: FILES[form] for form, name in NAMES.items()}
    forms |= {plugin.value.file: partial(_rendered, plugin) for plugin in added()}
    for name, render in forms.items():
        _write(folder / name, render, report)


ENDINGS = MappingProxyType({end: form for form, own in _FORMS.items() for end in own.endings})
"""The form of a report by the ending of its file's name."""


def write(report: Report, path: Path) -> Path:
    """Write a report to the file *path*, in the form that its ending names, such as `.html`.

    If the ending names no form, *path* is a folder, and the report is written there in every form.

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
    _write(path, FILES[form], report)
    return path


def _write(path: Path, render: Callable[[Report], str], report: Report) -> None:
    """Write a report to a file with its secrets masked."""
    from harness.providers.masking import text_masker

    if render is _page:
        write_texts(path, _pieces(report))
    else:
        write_text(path, text_masker()(render(report)))


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
