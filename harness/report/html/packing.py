"""Large reports: each scenario is compressed, and unpacked by the script when it is shown."""

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
    """A packed scenario, and its text, which is searched."""

    data: str
    text: str


def packs(render: Callable[[T], str], sections: Sequence[T], processes: int) -> list[Pack]:
    """Return the sections rendered and packed, without secrets.

    Where processes are forked, up to *processes* of them share the work.
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
    """Return the texts of all scenarios packed as one: a line for each scenario, in their order."""
    return pack("\n".join(one.text for one in packs))


def pack(text: str) -> str:
    """Return a text compressed by gzip, in Base64."""
    return b64encode(gzip.compress(text.encode("utf-8", "replace"), 6, mtime=0)).decode("ascii")


def masked(page: str) -> str:
    """Return a page without secrets, whose packed scenarios have none."""
    packed = iter(_PACKED.findall(page))
    rest = text_masker()(_PACKED.sub("", page))
    return _PACKED.sub(lambda _: next(packed, ""), rest)
