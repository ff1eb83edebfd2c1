"""Large reports: each scenario is compressed, and the page's script unpacks it to show it."""

from __future__ import annotations

import gzip
import re
import sys
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple, TypeVar

from harness.cassette.workers import in_order
from harness.providers.masking import text_masker
from harness.report.spool import Spool

T = TypeVar("T")

LARGE = 200
"""The number of transcripts from which on a page's scenarios are packed."""

MANY = 1000
"""The number of exchanges from which on they are packed, too: each takes about 20 kB of a page."""

_TAG = re.compile(r"<[^>]*>")
_UNESCAPED = {"&lt;": "<", "&gt;": ">", "&#34;": '"', "&#39;": "'", "&quot;": '"', "&amp;": "&"}
_EMPTY = ' data-packed=""'
_GZIP = 16 + zlib.MAX_WBITS


class Packs(NamedTuple):
    """The packed sections of a page.

    Attributes:
        sections: The HTML of each section, compressed by gzip, in Base64.
        texts: The plain text of each section as a line, for the search, packed in the same way.
    """

    sections: Sequence[str]
    texts: str


def packs(render: Callable[[T], str], sections: Sequence[T], processes: int) -> Packs:
    """Return the packed sections and their texts, both with secrets masked.

    *render* returns the HTML of a section.
    On Linux, up to *processes* processes share the work.
    """

    def packed(number: int) -> tuple[str, str]:
        return _packed(render(sections[number]), text_masker())

    workers = processes if sys.platform == "linux" else 1
    found, texts, compress = Spool[str](), bytearray(), zlib.compressobj(6, wbits=_GZIP)
    for data, text in in_order(packed, range(len(sections)), workers):
        texts += compress.compress(_bytes(f"\n{text}" if found else text))
        found.append(data)
    return Packs(found, b64encode(texts + compress.flush()).decode("ascii"))


def _packed(html: str, mask: Callable[[str], str]) -> tuple[str, str]:
    """Return the HTML of a section packed, and its plain text, both with secrets masked."""
    text = " ".join(_TAG.sub(" ", html).split())
    for entity, character in _UNESCAPED.items():
        text = text.replace(entity, character)
    masked = mask(text)
    return pack(html if masked == text else mask(html)), masked


def pack(text: str) -> str:
    """Return a text compressed by gzip, in Base64."""
    return b64encode(gzip.compress(_bytes(text), 6, mtime=0)).decode("ascii")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def filled(page: str, packs: Packs) -> Iterator[str]:
    """Yield the text of a page in pieces, with the packs in its empty `data-packed` attributes."""
    first, *others = page.split(_EMPTY)
    yield first
    for data, rest in zip(chain(packs.sections, [packs.texts]), others, strict=True):
        yield f'{_EMPTY[:-1]}{data}"'
        yield rest
