"""Large reports: each scenario is compressed, and unpacked by the script when it is shown."""

from __future__ import annotations

import gzip
import re
from base64 import b64encode

LARGE = 200
"""The number of transcripts from which on a page's scenarios are packed."""

_TAG = re.compile(r"<[^>]*>")
_UNESCAPED = {"&lt;": "<", "&gt;": ">", "&#34;": '"', "&#39;": "'", "&quot;": '"', "&amp;": "&"}


class Packs:
    """The packed scenarios of a page, and their texts, which are searched."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def add(self, html: str) -> str:
        """Return the HTML of a scenario packed, and add its text to the index."""
        text = " ".join(_TAG.sub(" ", html).split())
        for entity, character in _UNESCAPED.items():
            text = text.replace(entity, character)
        self._texts.append(text)
        return pack(html)

    def index(self) -> str:
        """Return the texts of all scenarios packed, a line for each in their order."""
        return pack("\n".join(self._texts))


def pack(text: str) -> str:
    """Return a text compressed by gzip, in Base64."""
    return b64encode(gzip.compress(text.encode("utf-8", "replace"), 6, mtime=0)).decode("ascii")
