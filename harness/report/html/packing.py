"""Large reports: each scenario is compressed, and the page's script unpacks it to show it."""

from __future__ import annotations

import gzip
import re
import sys
from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from harness.cassette.workers import in_order
from harness.providers.masking import text_masker

T = TypeVar("T")

LARGE = 200
"""The number of transcripts from which on a page's scenarios are packed."""

_TAG = re.compile(r"<[^>]*>")
_UNESCAPED = {"&lt;": "<", "&gt;": ">", "&#34;": '"', "&#39;": "'", "&quot;": '"', "&amp;": "&"}
_PACKED = re.compile('(?<= data-packed=")[^"]*')


class Pack(NamedTuple):
    """A packed scenario.

    Attributes:
        data: The HTML, compressed by gzip, in Base64.
        text: The plain text, for the search.
    """

    data: str
    text: str


def packs(render: Callable[[T], str], sections: Sequence[T], processes: int) -> list[Pack]:
    """Return a pack for each section: its HTML and its plain text, both with secrets masked.

    *render* returns the HTML of a section. A pack has it gzipped and encoded in Base64; its text is
    for the search.
    On Linux, up to *processes* processes share the work.
    """

    def packed(number: int) -> Pack:
        return _packed(render(sections[number]), text_masker())

    workers = processes if sys.platform == "linux" else 1
    return list(in_order(packed, range(len(sections)), workers))


def _packed(html: str, mask: Callable[[str], str]) -> Pack:
    text = " ".join(_TAG.sub(" ", html).split())
    for entity, character in _UNESCAPED.items():
        text = text.replace(entity, character)
    masked = mask(text)
    return Pack(pack(html if masked == text else mask(html)), masked)


def index(packs: Sequence[Pack]) -> str:
    """Return the plain texts of all packs as one line each, compressed by gzip, in Base64."""
    return pack("\n".join(one.text for one in packs))


def pack(text: str) -> str:
    """Return a text compressed by gzip, in Base64."""
    return b64encode(gzip.compress(text.encode("utf-8", "replace"), 6, mtime=0)).decode("ascii")


def masked(page: str) -> str:
    """Return an HTML page with secrets masked; packed scenarios in it are not changed."""
    packed = iter(_PACKED.findall(page))
    rest = text_masker()(_PACKED.sub("", page))
    return _PACKED.sub(lambda _: next(packed, ""), rest)
