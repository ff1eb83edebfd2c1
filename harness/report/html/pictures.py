"""Pictures as parts of a page: only what is one by its first bytes, and only so many."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping

from harness.wire.images import inspect_image

MAX_PICTURE = 2_000_000
"""A larger picture, in bytes, is told of and not shown."""

MAX_PICTURES = 20_000_000
"""Once so many bytes are shown on a page, no further picture is."""


def embedded(data: bytes) -> str:
    """A picture as a data URL; empty for what is no picture, or a large one."""
    shown = inspect_image(data)
    if shown is None or len(data) > MAX_PICTURE:
        return ""
    return f"data:{shown.media_type};base64,{base64.b64encode(data).decode('ascii')}"


def album(files: Iterable[bytes]) -> Mapping[bytes, str]:
    """Those of the files that are shown, each with its data URL."""
    shown: dict[bytes, str] = {}
    room = MAX_PICTURES
    for data in files:
        if data not in shown and len(data) <= room and (url := embedded(data)):
            shown[data] = url
            room -= len(data)
    return shown
