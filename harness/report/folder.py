"""A report as files: a folder that has it in every form there is."""

from __future__ import annotations

from pathlib import Path

from harness.cassette.store import write_text
from harness.report import FILES, NAMES, Report


def write_folder(report: Report, folder: Path) -> None:
    """Write a report to a folder in every form. Raises CannotWrite."""
    for form, name in NAMES.items():
        write_text(folder / name, FILES[form](report))
