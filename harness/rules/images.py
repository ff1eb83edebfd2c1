"""Are the pictures there, whole, and as many and as large as asked for?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from harness.analysis.endpoint import Endpoint, Role
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.reply import seen
from harness.analysis.transcript import AnalyzedTranscript
from harness.rules.rule import answered, answers, show, spoken, violation
from harness.types import Finding, Reply
from harness.wire.images import decode_image, inspect_image


def image_link_is_absolute(reading: AnalyzedExchange) -> Iterator[Finding]:
    """The link to a picture is an absolute http or https address."""
    endpoint = spoken(reading)
    if endpoint is None:
        return
    for part in answers(reading):
        for pointer, link in seen(part.value, endpoint.fields.images):
            if not _absolute(link):
                expected = "an absolute http or https address"
                yield violation(expected, show(link), reading.place(pointer, part))


def _absolute(link: object) -> bool:
    try:
        split = urlsplit(link) if isinstance(link, str) else urlsplit("")
        return split.scheme in ("http", "https") and bool(split.hostname)
    except ValueError:
        return False


def is_picture(reading: AnalyzedExchange) -> bool:
    """Whether a fetched file is a picture, and not a film or a sound."""
    if reading.endpoint is not None and reading.endpoint.role is not Role.FILE:
        return False
    kind = reading.exchange.response.header("content-type") or ""
    if reading.endpoint is None or kind.startswith(("video/", "audio/")):
        return kind.startswith("image/")
    return not urlsplit(reading.exchange.request.uri).path.endswith(
        (".mp4", ".webm", ".mp3", ".wav")
    )


def image_decodes(reading: AnalyzedExchange) -> Iterator[Finding]:
    """A picture that was fetched can be decoded, to its last line.

    A link that has expired gives a refusal in place of the picture.
    """
    if not is_picture(reading):
        return
    status = reading.exchange.response.status
    if not reading.accepted:
        if status >= 400:
            yield violation("a picture", f"HTTP {status}", reading.place())
        return
    size = decode_image(reading.exchange.response.body)
    if isinstance(size, str):
        yield violation("a picture that can be decoded", size, reading.place())


_SIZE = re.compile(r"([0-9]{1,5})[x*X×]([0-9]{1,5})")


def image_has_asked_size(read: AnalyzedTranscript) -> Iterator[Finding]:
    """A picture that was fetched is as large as was asked for."""
    for asked in answered(read):
        wanted = asked.asks("size")
        match = _SIZE.fullmatch(wanted) if isinstance(wanted, str) else None
        turn = [r for r in read.readings if r.turn == asked.answer.turn]
        for reading in turn if match else []:
            info = inspect_image(reading.exchange.response.body) if is_picture(reading) else None
            size = (info.width, info.height) if info and info.width else None
            if match and size and size != (int(match[1]), int(match[2])):
                yield violation(f"a picture of {wanted}", f"{size[0]}x{size[1]}", reading.place())


def _finished(reply: Reply, endpoint: Endpoint) -> bool:
    """Whether an answer holds all its pictures: at once, or as a task that succeeded."""
    ended = not reply.states or reply.states[-1] in endpoint.states.succeeded
    return ended and bool(reply.images)


def image_count_as_asked(read: AnalyzedTranscript) -> Iterator[Finding]:
    """As many pictures are answered as were asked for, those that failed included."""
    for asked in answered(read):
        wanted, endpoint = asked.asks("count"), asked.answer.endpoint
        if type(wanted) is not int or endpoint is None or not _finished(asked.reply, endpoint):
            continue
        part = asked.answer.parts[-1]
        pointers = endpoint.fields.results or endpoint.fields.images
        found = sum(1 for _ in seen(part.value, pointers))
        if found != wanted:
            place = asked.answer.place("", part)
            yield violation(f"{wanted} results, as asked for", str(found), place)
