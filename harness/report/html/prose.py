"""Recorded text as HTML: Markdown, of which nothing leads away from the page.

The only file that knows markdown-it. HTML is shown as text. Links, pictures and references are left
as they were written: nobody is to be led by a recording, and nothing is to be fetched for one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape

from harness.wire.text import plain

MAX_PROSE = 20_000
"""A longer text is shown as it is: laying it out could take long."""

_LEFT_AS_WRITTEN = ["link", "image", "autolink", "html_inline", "html_block", "reference", "entity"]
_HEADING = re.compile("h[1-6]")


def prose(text: str) -> Markup:
    """A text laid out as Markdown says, everything in it escaped."""
    told = plain(text).strip()
    if len(told) > MAX_PROSE:
        return Markup('<p class="as-is">') + escape(told) + Markup("</p>")
    tokens = _harmless(_markdown().parse(told))
    return Markup(_markdown().renderer.render(tokens, _markdown().options, {}))  # noqa: S704 - escaped by markdown-it, which makes no HTML of its own but that of its rules


@cache
def _markdown() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False, "breaks": True, "langPrefix": "language-"})
    return made.enable(["table", "strikethrough"]).disable(_LEFT_AS_WRITTEN)


def _harmless(tokens: Sequence[Token]) -> Sequence[Token]:
    """Without attributes that a recording chose; its headings are none of the page."""
    for token in tokens:
        token.attrs = {name: value for name, value in token.attrs.items() if name == "start"}
        token.info = ""
        if _HEADING.fullmatch(token.tag):
            token.tag = "p"
            token.attrs = {"class": "heading"} if token.nesting == 1 else {}
    return tokens
