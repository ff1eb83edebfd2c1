"""Rules for pictures: links, bytes, size and number; and for the bytes of sounds and films."""

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


def file_link_is_absolute(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that the link to a generated file is an absolute http or https URL.

    In a stream, the link to a sound is empty until there is one. A picture may be there in place of
    its link, as base64.
    """
    fields = fields_of(reading)
    links = (*fields.images, *fields.videos, *fields.sounds, *fields.transcripts)
    for part, pointer, link in values(reading, links):
        is_file = isinstance(link, str) and _BASE64.fullmatch(link)
        if not _is_absolute(link) and not is_file and not (link == "" and reading.is_stream):
            place = reading.place(pointer, part)
            yield violation("an absolute http or https URL", show(link), place)


_BASE64 = re.compile(r"(?:data:image/[a-z+]+;base64,)?[A-Za-z0-9+/]{40,}={0,2}")


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


_FORMATS = re.compile(r"(?:audio|video)/(?:x-)?(?:wave?|mpeg|mp3|ogg|flac|mp4|webm)\b")
"""The media types of sounds and films whose files begin in a known way."""

_ENDINGS = {".mp4": "video/mp4", ".webm": "video/webm", ".mp3": "audio/mp3", ".wav": "audio/wav"}
_BEGINNINGS = (b"RIFF", b"ID3", b"OggS", b"fLaC", b"\x1aE\xdf\xa3")


def media_type(reading: AnalyzedExchange) -> str:
    """Return the media type of the sound or film in an answer or download; "" if it is neither."""
    if reading.is_sound:
        return (reading.exchange.response.header("content-type") or "").lower()
    if reading.endpoint is None or reading.endpoint.role is not Role.FILE:
        return ""
    path = urlsplit(reading.exchange.request.uri).path.lower()
    return next((kind for ending, kind in _ENDINGS.items() if path.endswith(ending)), "")


def sound_or_film_is_one(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that a generated sound or film is not empty, and begins as files of its type do.

    A service that fails late may send an error in its place.
    """
    kind, body = media_type(reading), reading.exchange.response.body
    if not kind:
        return
    if not reading.accepted:
        if reading.exchange.response.status >= 400:
            actual = f"HTTP {reading.exchange.response.status}"
            yield violation("a sound or film", actual, reading.place())
    elif not body:
        yield violation("a sound or film", "an empty body", reading.place())
    elif _FORMATS.match(kind) and not _is_media(body):
        actual = f"bytes of another form: {body[:8]!r}"
        yield violation(f"a file of the type {kind.partition(';')[0]}", actual, reading.place())


def _is_media(body: bytes) -> bool:
    is_frame = body[0] == 0xFF and body[1:2] >= b"\xe0"  # of MPEG audio
    return body.startswith(_BEGINNINGS) or body[4:8] == b"ftyp" or is_frame


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
