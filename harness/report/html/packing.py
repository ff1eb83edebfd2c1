"""Large reports: each scenario is compressed, and the page's script unpacks it to show it.

The text of each scenario, which the page's script searches, is compressed beside it.
"""

from __future__ import annotations

import gzip
import re
import sys
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from harness.cassette.workers import in_order
from harness.providers.masking import text_masker
from harness.report.model import Pack
from harness.report.spool import Pickled, Spool

T = TypeVar("T")

LARGE = 200
"""The number of transcripts from which on a page's scenarios are packed."""

MANY = 1000
"""The number of exchanges from which on they are packed, too: each takes about 20 kB of a page."""

_TAG = re.compile(r"<[^>]*>")
_RECORDED = re.compile(r'(<pre class="(?:headers|body)">.*?</pre>)', re.DOTALL)
"""Headers and bodies of the raw HTTP. What is inside is escaped, but for marks and tokens."""
_LEVEL = 4
"""Of gzip. The default, 6, makes a page smaller by a fifteenth and takes nearly twice as long."""
_UNESCAPED = {"&lt;": "<", "&gt;": ">", "&#34;": '"', "&#39;": "'", "&quot;": '"', "&amp;": "&"}
_EMPTY = ' data-packed="" data-text=""'


def packs(
    render: Callable[[T], str], sections: Sequence[T], processes: int, is_masked: bool
) -> Sequence[Pack]:
    """Return the packed sections with secrets masked.

    *render* returns the HTML of a section. *is_masked* is whether the recorded headers and bodies
    in it are masked already. On Linux, up to *processes* processes share the work.
    """

    def packed_section(number: int) -> Pickled:
        return Pickled.of(packed(render(sections[number]), is_masked))

    workers = processes if sys.platform == "linux" else 1
    found = Spool[Pack]()
    for pickled in in_order(packed_section, range(len(sections)), workers):
        found.append(pickled)
    return found


def packed(html: str, is_masked: bool) -> Pack:
    """Return a section packed, with its secrets masked; *is_masked* is as of `packs`."""
    mask = text_masker()
    parts = [_plain(part) for part in _RECORDED.split(html)]
    text = " ".join(filter(None, parts))
    checked = " ".join(filter(None, parts[::2])) if is_masked else text
    if mask(checked) != checked:
        html, text = mask(html), mask(text)
    return Pack(pack(html), pack(text))


def _plain(html: str) -> str:
    """Return the text of HTML as one line."""
    text = " ".join(_TAG.sub(" ", html).split())
    for entity, character in _UNESCAPED.items():
        text = text.replace(entity, character)
    return text


def pack(text: str) -> str:
    """Return a text compressed by gzip, in Base64."""
    return b64encode(gzip.compress(_bytes(text), _LEVEL, mtime=0)).decode("ascii")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def filled(page: str, packs: Iterable[Pack]) -> Iterator[str]:
    """Yield the text of a page in pieces, with the packs in the attributes that are empty in it."""
    first, *others = page.split(_EMPTY)
    yield first
    for pack, rest in zip(packs, others, strict=True):
        yield f' data-packed="{pack.html}" data-text="{pack.text}"'
        yield rest
