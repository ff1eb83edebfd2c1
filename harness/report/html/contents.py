"""Recorded contents on the page: Markdown as HTML, and images as data URLs of limited size.

HTML in Markdown is shown as text. There are no links, images and other references, so that a page
links to and loads nothing that a recording chose.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape

from harness.wire.images import inspect_image
from harness.wire.text import plain

MAX_PROSE = 20_000
"""The largest number of characters that are formatted; a longer text is shown as it is."""

_LEFT_AS_WRITTEN = ["link", "image", "autolink", "html_inline", "html_block", "reference", "entity"]
_HEADING = re.compile("h[1-6]")


def prose(text: str) -> Markup:
    """Return a Markdown text as HTML, everything in it escaped."""
    shown = plain(text).strip()
    if len(shown) > MAX_PROSE:
        return Markup('<p class="as-is">') + escape(shown) + Markup("</p>")
    tokens = _harmless(_markdown().parse(shown))
    return Markup(_markdown().renderer.render(tokens, _markdown().options, {}))  # noqa: S704 - escaped by markdown-it, which makes no HTML of its own but that of its rules


@cache
def _markdown() -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"html": False, "breaks": True, "langPrefix": "language-"})
    return markdown.enable(["table", "strikethrough"]).disable(_LEFT_AS_WRITTEN)


def _harmless(tokens: Sequence[Token]) -> Sequence[Token]:
    """Remove the attributes from the tokens except `start`, and turn headings into paragraphs.

    Returns the same tokens, changed in place.
    """
    for token in tokens:
        token.attrs = {name: value for name, value in token.attrs.items() if name == "start"}
        token.info = ""
        if _HEADING.fullmatch(token.tag):
            token.tag = "p"
            token.attrs = {"class": "heading"} if token.nesting == 1 else {}
    return tokens


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
    """Return the data URL of each file that the page shows, by the file's bytes.

    Files that are not images, and images that are too large, have no entry.
    """
    shown: dict[bytes, str] = {}
    room = MAX_PICTURES
    for data in files:
        if data not in shown and len(data) <= room and (url := embedded(data)):
            shown[data] = url
            room -= len(data)
    return shown
