"""The parts of a message's content: texts, and images, audio and videos by URL or file."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.scenario.schema_model import PartForm
from harness.types import ContentPart, Json, Medium

MAX_FILE_BYTES = 20_000_000
"""The maximum size of a file in a message."""

_URL = re.compile(r"(https?|oss|data):", re.IGNORECASE)


def content_part(form: PartForm, folder: Path) -> ContentPart:
    """Return the part that *form* describes; its file is relative to *folder*."""
    value = str(getattr(form, form.medium))
    is_url = bool(_URL.match(value)) or "{{" in value  # a reference is to a URL
    path = (folder / value).resolve() if form.medium is not Medium.TEXT and not is_url else None
    return ContentPart(form.medium, value, path, form.members)


def joined_texts(parts: Iterable[ContentPart]) -> str:
    """Return the texts of *parts* as one text."""
    return "".join(part.value for part in parts if part.medium is Medium.TEXT)


def file_problem(part: ContentPart) -> str:
    """Return why the file of *part* cannot be sent; empty if it can, or if there is no file."""
    if part.path is None:
        return ""
    if not part.path.is_file():
        return f"names the file {part.value!r}, but {part.path} is not a file"
    size = part.path.stat().st_size
    if not 0 < size <= MAX_FILE_BYTES:
        return f"names the file {part.value!r} of {size} bytes; expected 1 to {MAX_FILE_BYTES}"
    return ""


def fingerprints(parts: Iterable[ContentPart]) -> Iterator[Json]:
    """Yield each part as JSON for a digest; a file counts by its content, not by its name."""
    for part in parts:
        value = part.value if part.path is None else _hash(part.path)
        yield [part.medium.value, value, dict(part.members)]


def _hash(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:  # the file has gone since the scenario was read
        return ""
