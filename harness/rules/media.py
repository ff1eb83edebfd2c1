"""Rules for pictures (links, bytes, size, number), bytes of sounds and films, and vectors."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from harness.analysis.endpoint import Part, Pointers, Role
from harness.analysis.exchange import AnalyzedExchange, violation
from harness.analysis.reply import all_seen, first, pointer_to, seen
from harness.analysis.transcript import AnalyzedTranscript
from harness.rules.rule import answered, show
from harness.types import Finding, Json
from harness.wire import as_list
from harness.wire.images import decode_image, inspect_image


def file_link_is_absolute(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that the link to a generated file is an absolute http or https URL.

    In a stream, the link to a sound is empty until there is one. A picture may be there in place of
    its link, as base64.
    """
    fields = reading.fields
    links = (*fields.images, *fields.videos, *fields.sounds, *fields.transcripts)
    for part, pointer, link in reading.values(links):
        is_file = isinstance(link, str) and _BASE64.fullmatch(link)
        if not _is_absolute(link) and not is_file and not (link == "" and reading.is_stream):
            yield reading.violation("an absolute http or https URL", show(link), part, pointer)


_BASE64 = re.compile(r"(?:data:image/[a-z+]+;base64,)?[A-Za-z0-9+/]{40,}={0,2}")


def _is_absolute(link: object) -> bool:
    try:
        url = urlsplit(link) if isinstance(link, str) else urlsplit("")
        return url.scheme in ("http", "https") and bool(url.hostname)
    except ValueError:
        return False


def is_picture(reading: AnalyzedExchange) -> bool:
    """Return whether an exchange is the download of a picture, by its Content-Type or its URL."""
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
    for turn in answered(analyzed):
        requested = turn.requested("size")
        match = _SIZE.fullmatch(requested) if isinstance(requested, str) else None
        if match and not by_turn:
            for reading in analyzed.readings:
                by_turn.setdefault(reading.turn, []).append(reading)
        for reading in by_turn[turn.answer.turn] if match else ():
            info = inspect_image(reading.exchange.response.body) if is_picture(reading) else None
            if match is None or not info or not info.width:
                continue
            if (info.width, info.height) != (int(match[1]), int(match[2])):
                yield violation(f"a picture of {requested}", info.size, reading.place())


def image_count_as_asked(analyzed: AnalyzedTranscript) -> Iterator[Finding]:
    """Check that an answer has as many pictures as were requested, failed ones included."""
    for turn in answered(analyzed):
        requested = turn.requested("count") if turn.reply.images else None
        endpoint, states = turn.answer.endpoint, turn.reply.states
        if type(requested) is not int or endpoint is None:
            continue
        if states and states[-1] not in endpoint.states.succeeded:
            continue
        part = turn.answer.parts[-1]
        actual = sum(1 for _ in seen(part.value, endpoint.fields.results or endpoint.fields.images))
        if actual != requested:
            yield turn.answer.violation(f"{requested} results as requested", actual, part)


# ------------------------------------------------------------------------------------------ vectors


def _texts(reading: AnalyzedExchange) -> list[Json]:
    """Return the texts or documents of a request; empty if there are none.

    A list of numbers is one text, as tokens.
    """
    texts = first(reading.request_json.value, reading.fields.texts)
    items = as_list(texts)
    is_one = isinstance(texts, str) or (items and all(type(item) is int for item in items))
    return [texts] if is_one else items


def _values(part: Part, pointers: Pointers) -> list[Json]:
    return [value for _, value in seen(part.value, pointers)]


def _vectors(reading: AnalyzedExchange, part: Part) -> list[tuple[str, list[Json]]]:
    """Return (pointer, vector) for each vector in a part."""
    vectors = all_seen(part, reading.fields, reading.fields.vectors)
    return [(pointer, vector) for pointer, vector in vectors if isinstance(vector, list)]


def _counts(numbers: Iterable[object]) -> Counter[str]:
    return Counter(map(repr, numbers))


def _array(part: Part, pointers: Pointers) -> str:
    """Return the JSON pointer of the array whose items have a field; empty if none has it."""
    return pointer_to(part, pointers).rpartition("/")[0].rpartition("/")[0]


def measured(analyzed: AnalyzedTranscript) -> list[AnalyzedExchange]:
    """Return the exchanges with endpoints that answer with embeddings or scores."""
    return [one for one in analyzed.readings if one.fields.vectors or one.fields.scores]


def embedding_for_each_text(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that each text of a request has one vector, with the index of the text from 0.

    A program matches texts and vectors by this index.
    """
    fields, texts = reading.fields, _texts(reading)
    for part in reading.answers if fields.vectors and texts else ():
        numbers = _values(part, fields.positions)
        # Several pictures and texts may become one vector together.
        is_joint = len(numbers) == 1 < len(texts) and any(isinstance(t, dict) for t in texts)
        if numbers and not is_joint and _counts(numbers) != _counts(range(len(texts))):
            expected = f"the numbers 0 to {len(texts) - 1}, each once"
            yield reading.violation(expected, show(numbers), part, _array(part, fields.positions))


def embeddings_have_one_length(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that all vectors of an answer have the same length.

    Vectors of different lengths cannot be compared.
    """
    for part in reading.answers if reading.fields.vectors else ():
        vectors = _vectors(reading, part)
        for pointer, vector in vectors[1:]:
            length = len(vectors[0][1])
            if len(vector) != length:
                yield reading.violation(f"{length} numbers as before", len(vector), part, pointer)


def embedding_has_asked_length(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that a vector has the length that was requested.

    Not every model can: text-embedding-v1 was requested to return 512 numbers and returned 1536
    without an error [REC]. A database column of fixed length would not accept them.
    """
    length = first(reading.request_json.value, reading.fields.dimension)
    for part in reading.answers if type(length) is int else ():
        wrong = [item for item in _vectors(reading, part) if len(item[1]) != length]
        for pointer, vector in wrong[:1]:
            yield reading.violation(f"{length} numbers as requested", len(vector), part, pointer)


def ranking_is_ordered(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that a ranking begins with the highest score and has each document at most once.

    A document is identified by its index in the request, from 0; as many are ranked as requested,
    or all [REC].
    """
    fields, documents = reading.fields, len(_texts(reading))
    limit = first(reading.request_json.value, fields.count) or None  # [DOC] Zhipu: 0 is all
    for part in reading.answers if fields.scores else ():
        numbers, scores = _values(part, fields.positions), _values(part, fields.scores)
        place = reading.place(_array(part, fields.scores), part)
        known = [score for score in scores if isinstance(score, int | float)]
        if len(known) == len(scores) and known != sorted(known, reverse=True):
            yield violation("scores from the highest to the lowest", show(scores), place)
        if documents and not _counts(numbers) <= _counts(range(documents)):
            expected = f"numbers from 0 to {documents - 1}, each once at most"
            yield violation(expected, show(numbers), place)
        if type(limit) is int and len(numbers) > limit:
            yield violation(f"at most {limit} results as requested", len(numbers), place)
        elif limit is None and len(numbers) < documents:
            yield violation(f"a result for each of {documents} documents", len(numbers), place)
