"""Pictures as parts of a page: known by their first bytes, limited in size and number."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping

from harness.wire.images import inspect_image

MAX_PICTURE = 2_000_000
"""Bytes; a larger picture is not shown."""

MAX_PICTURES = 20_000_000
"""Bytes of all pictures of a page together."""


def embedded(data: bytes) -> str:
    """Return a picture as a data URL; empty if it is too large or not a picture."""
    shown = inspect_image(data)
    if shown is None or len(data) > MAX_PICTURE:
        return ""
    return f"data:{shown.media_type};base64,{base64.b64encode(data).decode('ascii')}"


def album(files: Iterable[bytes]) -> Mapping[bytes, str]:
    """Return the data URLs of the files that are shown."""
    shown: dict[bytes, str] = {}
    room = MAX_PICTURES
    for data in files:
        if data not in shown and len(data) <= room and (url := embedded(data)):
            shown[data] = url
            room -= len(data)
    return shown
