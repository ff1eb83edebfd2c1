"""Images embedded in a page as data URLs, limited in size."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping

from harness.wire.images import inspect_image

MAX_PICTURE = 2_000_000
"""The largest size of an image that is shown, in bytes."""

MAX_PICTURES = 20_000_000
"""The largest size of all images of a page together, in bytes."""


def embedded(data: bytes) -> str:
    """Return an image as a data URL; empty if it is too large or is not an image."""
    shown = inspect_image(data)
    if shown is None or len(data) > MAX_PICTURE:
        return ""
    return f"data:{shown.media_type};base64,{base64.b64encode(data).decode('ascii')}"


def album(files: Iterable[bytes]) -> Mapping[bytes, str]:
    """Return the data URL of each file that is shown, by its bytes; others have no entry."""
    shown: dict[bytes, str] = {}
    room = MAX_PICTURES
    for data in files:
        if data not in shown and len(data) <= room and (url := embedded(data)):
            shown[data] = url
            room -= len(data)
    return shown
