"""Rules for pictures: their links, bytes, size and number."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from harness.analysis.endpoint import Role
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.reply import seen
from harness.analysis.transcript import AnalyzedTranscript
from harness.rules.rule import answered, fields_of, show, values, violation
from harness.types import Finding
from harness.wire.images import decode_image, inspect_image


def image_link_is_absolute(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that the link to a picture is an absolute http or https URL."""
    for part, pointer, link in values(reading, fields_of(reading).images):
        if not _is_absolute(link):
            place = reading.place(pointer, part)
            yield violation("an absolute http or https URL", show(link), place)


def _is_absolute(link: object) -> bool:
    try:
        url = urlsplit(link) if isinstance(link, str) else urlsplit("")
        return url.scheme in ("http", "https") and bool(url.hostname)
    except ValueError:
        return False


def is_picture(reading: AnalyzedExchange) -> bool:
    """Return whether an exchange is the download of a picture, not of another file."""
    if reading.endpoint is not None and reading.endpoint.role is not Role.FILE:
        return False
    media_type = reading.exchange.response.header("content-type") or ""
    if reading.endpoint is None or media_type.startswith(("video/", "audio/")):
        return media_type.startswith("image/")
    path = urlsplit(reading.exchange.request.uri).path
    return not path.endswith((".mp4", ".webm", ".mp3", ".wav", ".json"))


def image_decodes(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that a fetched picture can be decoded completely.

    An expired link returns a refusal in place of the picture.
    """
    if not is_picture(reading):
        return
    response = reading.exchange.response
    if not reading.accepted:
        if response.status >= 400:
            yield violation("a picture", f"HTTP {response.status}", reading.place())
        return
    size = decode_image(response.body)
    if isinstance(size, str):
        yield violation("a picture that can be decoded", size, reading.place())


_SIZE = re.compile(r"([0-9]{1,5})[x*X×]([0-9]{1,5})")


def image_has_asked_size(analyzed: AnalyzedTranscript) -> Iterator[Finding]:
    """Check that a fetched picture has the size that was requested."""
    by_turn: dict[int | None, list[AnalyzedExchange]] = {}
    for reading in analyzed.readings:
        by_turn.setdefault(reading.turn, []).append(reading)
    for turn in answered(analyzed):
        requested = turn.requested("size")
        match = _SIZE.fullmatch(requested) if isinstance(requested, str) else None
        for reading in by_turn[turn.answer.turn] if match else ():
            info = inspect_image(reading.exchange.response.body) if is_picture(reading) else None
            if match is None or not info or not info.width:
                continue
            if (info.width, info.height) != (int(match[1]), int(match[2])):
                yield violation(f"a picture of {requested}", info.size, reading.place())


def image_count_as_asked(analyzed: AnalyzedTranscript) -> Iterator[Finding]:
    """Check that an answer has as many pictures as were requested, failed ones included."""
    for turn in answered(analyzed):
        requested, endpoint, states = (
            turn.requested("count"),
            turn.answer.endpoint,
            turn.reply.states,
        )
        if type(requested) is not int or endpoint is None or not turn.reply.images:
            continue
        if states and states[-1] not in endpoint.states.succeeded:
            continue
        part = turn.answer.parts[-1]
        actual = sum(1 for _ in seen(part.value, endpoint.fields.results or endpoint.fields.images))
        if actual != requested:
            yield violation(
                f"{requested} results as requested", actual, turn.answer.place("", part)
            )
