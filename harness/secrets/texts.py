"""Conversions of texts for the search, and the encodings in which a secret may be written.

Everything is searched with each of its UTF-8 bytes as one character (latin-1): the offset of a
character is the offset of its byte, and any bytes can be searched as a text.
"""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from json.decoder import scanstring  # type: ignore[attr-defined]  # typeshed has not all
from typing import Any, NamedTuple, TypeAlias

from harness.secrets.runs import Run, offsets
from harness.secrets.shapes import PLACEHOLDER
from harness.types import Json
from harness.wire import Event, escape, read_events, read_lines
from harness.wire.codings import Coding, compressed
from harness.wire.patterns import lazy_pattern
from harness.wire.spans import Span, span


def latin(text: str) -> str:
    """Return a text with one character for each UTF-8 byte of *text*."""
    return text if text.isascii() else text.encode("utf-8", "surrogatepass").decode("latin-1")


def unlatin(text: str) -> str:
    """Return the text from which `latin` made *text*; lone surrogates are kept.

    If it is not UTF-8, the invalid bytes are replaced.
    """
    raw = text.encode("latin-1")
    try:
        return raw.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return raw.decode("utf-8", "replace")


def from_latin(text: str) -> str:
    """Return *text*, which has one character for each UTF-8 byte, decoded (see `latin`).

    Each byte of a lone surrogate or of invalid UTF-8, and each character above U+00FF, becomes `?`.
    """
    return (
        text.encode("latin-1", "replace")
        .decode("utf-8", "surrogateescape")
        .encode("utf-8", "replace")
        .decode("utf-8")
    )


def readable(content: bytes) -> str:
    """Return a file's content with one character for each byte, without a byte order mark.

    UTF-16 is converted to UTF-8 first.
    """
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        content = content.decode("utf-16", "replace").encode("utf-8", "replace")
    return content.removeprefix(b"\xef\xbb\xbf").decode("latin-1")


# ------------------------------------------------------------------------------------ escapes

MAX_READINGS = 8
"""Largest number of escapes, one inside the other, that are undone."""


@dataclass(frozen=True, slots=True)
class _Escape:
    """One way to escape characters in a text.

    Attributes:
        sign: The characters that begin each escape.
        run: Matches neighbouring escapes: they are undone together, which is quicker.
        one: Matches one escape.
        undo: Returns the text that neighbouring escapes stand for.
    """

    sign: str
    run: re.Pattern[str]
    one: re.Pattern[str]
    undo: Callable[[str], str]

    def without(self, text: str) -> str:
        """Return a text with all these escapes undone."""
        if self.undo is _undo_json:
            with suppress(ValueError):
                return _without_json(text)
        return self.run.sub(lambda match: self.undo(match[0]), text)


def _without_json(text: str) -> str:
    """Return a text with all escapes of JSON undone, by the reader of Python, which is quickest.

    Raises ValueError if other letters follow a backslash, or only one half of a character does.
    """
    pieces: list[str] = []
    at, quoted = 0, text + '"'
    while (start := text.find("\\", at)) >= 0:
        piece, end = scanstring(quoted, start, False)  # up to the next quote
        pieces += text[at:start], piece, '"'
        at = end
    plain = "".join((*pieces, quoted[at:]))[:-1]
    if "\\u" in text:
        if not text.isascii():
            raise ValueError("characters of two meanings")
        return plain.encode().decode("latin-1")
    return plain


_SHORT = {'"': '"', "/": "/", "n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


def _undo_json(run: str) -> str:
    if run[1] != "u":
        return _SHORT.get(run[1], run[1])
    plain = bytes.fromhex(run.replace("\\u", "")).decode("utf-16-be", "replace")
    return plain.encode("utf-8").decode("latin-1")


def _undo_url(run: str) -> str:
    return bytes.fromhex(run.replace("%", "")).decode("latin-1")


def _undo_hex(run: str) -> str:
    return bytes.fromhex(run.replace("\\x", "")).decode("latin-1")


def _undo_html(run: str) -> str:
    return html.unescape(run).encode("utf-8", "surrogatepass").decode("latin-1")


_UNICODE = r"\\u[0-9A-Fa-f]{4}"
_PAIR = r"\\u[Dd][89ABab][0-9A-Fa-f]{2}\\u[Dd][C-Fc-f][0-9A-Fa-f]{2}"
_REFERENCE = r"&#(?:[0-9]{1,7}|[xX][0-9A-Fa-f]{1,6});"
_ESCAPES = (
    _Escape(
        "\\",
        lazy_pattern(rf'(?:{_UNICODE})++|\\["\\/nrtbf]'),
        lazy_pattern(rf'{_PAIR}|{_UNICODE}|\\["\\/nrtbf]'),
        _undo_json,
    ),
    _Escape(
        "%",
        lazy_pattern(r"(?:%[0-9A-Fa-f]{2})++"),
        lazy_pattern(r"%[0-9A-Fa-f]{2}"),
        _undo_url,
    ),
    _Escape(
        "\\x",
        lazy_pattern(r"(?:\\x[0-9A-Fa-f]{2})++"),
        lazy_pattern(r"\\x[0-9A-Fa-f]{2}"),
        _undo_hex,
    ),
    _Escape(
        "&#",
        lazy_pattern(rf"(?:{_REFERENCE})++"),
        lazy_pattern(_REFERENCE),
        _undo_html,
    ),
)


@dataclass(frozen=True, slots=True)
class Reading:
    """A text with some of its escapes undone.

    Attributes:
        text: The text.
        inner: The text as it was before `escape` was undone; None for the original text.
        escape: The kind of escape that was undone last; None for the original text.
    """

    text: str
    inner: Reading | None = None
    escape: _Escape | None = None

    def origin(self, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """Return where *spans* of this text are in the original text, whose escapes are not undone.

        A span is (offset of the first character, offset after the last). *spans* must be in order,
        and must not overlap.
        """
        if self.inner is None or self.escape is None:
            return list(spans)
        return self.inner.origin([*_origins(self.inner.text, self.escape, spans)])


def _origins(
    text: str, escape: _Escape, spans: Sequence[tuple[int, int]]
) -> Iterator[tuple[int, int]]:
    """Yield where spans of the unescaped *text* are in *text* itself."""
    escapes = escape.one.finditer(text)
    match = next(escapes, None)
    shift = 0  # how many characters fewer the unescaped text has had so far
    width = len(escape.undo(match[0])) if match else 0
    for start, end in spans:
        edges = []
        for offset, is_end in ((start, False), (end, True)):
            while match and match.start() - shift + width <= offset - is_end:
                shift += match.end() - match.start() - width
                match = next(escapes, None)
                width = len(escape.undo(match[0])) if match else 0
            inside = match is not None and match.start() - shift <= offset - is_end
            edge = offset + shift
            if match and inside:
                edge = match.end() if is_end else match.start()
            edges.append(edge)
        yield edges[0], edges[1]


def readings(text: str, most: int = MAX_READINGS) -> Iterator[Reading]:
    """Yield *text*, then up to *most* versions of it, each with one more kind of escape undone.

    The kinds are those of JSON (also of JSON within JSON), URLs (such as `%2F`), string literals in
    programs, and HTML (such as `&#47;`).
    """
    reading = Reading(text)
    yield reading
    for _ in range(most):
        plain = reading.text
        for way in _ESCAPES:
            if way.sign[0] in plain and way.sign in plain:
                plain = _without(way, plain)
                if plain != reading.text:
                    reading = Reading(plain, reading, way)
                    break
        else:
            return
        yield reading


_SLICE = 2**16
_NO_ESCAPE = lazy_pattern(r'[^\\A-Za-z0-9%&#;"/]|(?<!\\)\\u(?![Dd][C-Fc-f])')
"""Matches where no escape goes on, so that a text can be cut there."""


def _without(escape: _Escape, text: str) -> str:
    """Return *text* without an escape, slice by slice: `sub` keeps all that is between matches."""
    plain, slices = "", list[str]()
    for start, end in _slices(text):
        slices.append(escape.without(text[start:end]))
        if len(slices) == _JOINED or end == len(text):
            plain += "".join(slices)  # in a loop of `for`, CPython lets the text grow in its place
            slices.clear()
    return plain


def _slices(text: str) -> Iterator[tuple[int, int]]:
    """Yield where slices of *text* start and end; no escape goes on from one to the next."""
    end = 0
    while end < len(text):
        start = end
        cut = _NO_ESCAPE.search(text, start + _SLICE)
        end = cut.start() if cut else len(text)
        yield start, end


_JOINED = 64
"""The number of slices that are joined at once: all of them would be a second copy of the text."""


# ------------------------------------------------------------------------------- known secrets

_ENCODERS = (base64.b64encode, base64.urlsafe_b64encode)
_WIDE = ("utf-16-le", "utf-16-be")


def written_forms(secret: str) -> set[str]:
    """Return the forms in which *secret* may be written, besides those that `readings` undoes.

    They are the secret itself, with `+` in place of spaces, in HTML, hexadecimal, base64 and
    UTF-16.
    """
    raw = secret.encode("utf-8", "surrogatepass")
    return {
        secret,
        secret.replace(" ", "+"),
        html.escape(secret),
        html.escape(secret).replace("&#x27;", "&#39;").replace("&quot;", "&#34;"),
        *(raw.hex(), raw.hex(" "), raw.hex(":")),
        *(secret.encode(form, "surrogatepass").decode("latin-1") for form in _WIDE),
        raw.hex().upper(),
        *(form for encode in _ENCODERS for form in _base64_forms(raw, encode)),
    }


def _base64_forms(raw: bytes, encode: Callable[[bytes], bytes]) -> Iterator[str]:
    """Yield the base64 of *raw* itself, and within longer data at each of three alignments."""
    yield encode(raw).decode()
    yield encode(raw).decode().rstrip("=")
    for before in range(3):
        text = encode(b"\0" * before + raw).decode()
        yield text[-(-8 * before // 6) : 8 * (before + len(raw)) // 6]


# -------------------------------------------------------------------------------- packed data

_BASE64_REST = lazy_pattern(r"[A-Za-z0-9+/_-]*+(?:\r?\n[ \t]*+[A-Za-z0-9+/_-]{16,}+)*+={0,2}")
"""Matches base64 from any of its letters on, or from the end of its first line."""
_NOT_OF_BASE64 = ".=~"
"""What is in long runs, and not in base64."""
_BASE64_START = lazy_pattern("(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{16}")
MIN_PACKED = 20
"""The smallest length of base64 that is searched."""
_MAX_PATH = 1000
_MIN_HEX = 28
_COMPRESSED = ("H4sI", "KLUv", "eJ", "eN", "eA", "eF")
"""The beginnings of gzip, zstd and zlib in base64; they may have slashes themselves."""
_COMPRESSED_HEX = ("1f8b08", "28b52ffd", "7801", "785e", "789c", "78da")
"""The same in hexadecimal."""
_HEX = lazy_pattern(rf"(?<![0-9a-f])(?:{'|'.join(_COMPRESSED_HEX)})(?:[0-9a-f]{{2}}){{12,}}+")


@dataclass(frozen=True, slots=True)
class Packed:
    """Data that is encoded or compressed in a text.

    Attributes:
        start: The offset of its first character.
        end: The offset after its last character.
        plain: The decoded data, with one character for each byte.
        pack: Encodes or compresses other data in the same way.
    """

    start: int
    end: int
    plain: str
    pack: Callable[[str], str]


class DecodedRuns:
    """The base64 texts in a text that were decoded."""

    def __init__(self) -> None:
        self._short: set[str] = set()
        self._long: list[tuple[str, Run]] = []  # neither copied nor hashed, which takes long

    def __contains__(self, part: tuple[str, Run]) -> bool:
        text, (start, end) = part
        if end - start < _SLICE:
            return text[start:end] in self._short
        return any(
            end - start == last - first and text.startswith(other[first:last], start)
            for other, (first, last) in self._long
        )

    def add(self, text: str, runs: Iterable[Run]) -> None:
        """Add the *runs* in *text*."""
        for start, end in runs:
            if end - start < _SLICE:
                self._short.add(text[start:end])
            else:
                self._long.append((text, (start, end)))


def packed(text: str, runs: Sequence[Run], seen: DecodedRuns) -> Iterator[Packed]:
    """Yield the base64 data in *text*, and the compressed data, also if it is in hexadecimal.

    *runs* is the result of `runs.long_runs` for *text*. Base64 texts in *seen* are skipped; at the
    end, those in *text* are added to it.
    """
    here: list[Run] = []
    if not text.isascii() or not text[:64].isprintable() or text.startswith(("x", "--")):
        for start, end, coding, raw in compressed(text.encode("latin-1", "replace")):
            yield Packed(start, end, raw.decode("latin-1"), _packer(coding))
    for start, end in _base64_runs(text, runs):
        if (text, (start, end)) not in seen:
            here.append((start, end))
            if (plain := _base64_text(text, start, end)) is not None:
                yield Packed(start, end, plain, _base64_packer(text, start, end))
    for match in _hex_data(text, runs):
        yield Packed(*match.span(), bytes.fromhex(match[0]).decode("latin-1"), _as_hex)
    seen.add(text, here)


_AS_HEX = bytes(b"a"[0] if byte in b"0123456789abcdef" else 0 for byte in range(256))
_HALF_OF_HEX = b"a" * (_MIN_HEX // 2)


def _hex_data(text: str, runs: Sequence[Run]) -> Iterator[re.Match[str]]:
    """Yield the matches of `_HEX` in *runs* of *text*, in order."""
    for start, end in runs:
        done = start
        for first in range(start, end - _MIN_HEX + 1, _SLICE):
            part = text[first : min(first + _SLICE + _MIN_HEX, end)]
            # Every second character suffices to see that there is no long number.
            if _HALF_OF_HEX in part[::2].encode("latin-1").translate(_AS_HEX):
                for at in sorted(at for sign in _COMPRESSED_HEX for at in offsets(part, sign)):
                    match = _HEX.match(text, first + at) if first + at >= done else None
                    if match:
                        yield match
                        done = match.end()


def _as_hex(plain: str) -> str:
    return plain.encode("latin-1").hex()


def _base64_runs(text: str, runs: Sequence[Run]) -> Iterator[Run]:
    """Yield what may be base64: also the parts of what may be a path.

    *runs* are the long runs in *text*, in which it is.
    """
    end = 0
    for first, last in runs:
        while found := _BASE64_START.search(text, max(first, end), last):
            start = found.start()
            end = _end_of_base64(text, start, last)
            if end - start >= MIN_PACKED:
                yield start, end
            if end - start < _MAX_PATH and text.find("/", start, end) >= 0:
                yield from _parts_of_path(text, start, end)


def _end_of_base64(text: str, start: int, last: int) -> int:
    """Return the end of the base64 that begins at *start*, in a run that ends at *last*."""
    if last - start > _MAX_PATH:  # without a look at each letter
        for sign in _NOT_OF_BASE64:
            at = text.find(sign, start, last)
            last = last if at < 0 else at
        start = last
    match = _BASE64_REST.match(text, start)
    return match.end() if match else start


def _parts_of_path(text: str, start: int, end: int) -> Iterator[Run]:
    """Yield the parts, between slashes, of what may be a path, and what may be compressed data."""
    first = start
    for part in text[start:end].split("/"):
        if MIN_PACKED <= len(part) < end - start:
            yield first, first + len(part)
        if first > start and part.startswith(_COMPRESSED):
            yield first, end
        first += len(part) + 1


_PRINTABLE = bytes(b"a"[0] if byte in b"\t\n\r" or 32 <= byte < 127 else 0 for byte in range(256))


def has_words(text: str) -> bool:
    """Return whether *text* has five printable ASCII characters in a row.

    Every secret, or its name, has them. An id that looks like base64 rarely has them when decoded.
    """
    starts = range(0, len(text), _SLICE)
    return any(b"aaaaa" in _printable(text[start : start + _SLICE + 4]) for start in starts)


def _printable(text: str) -> bytes:
    return text.encode("latin-1", "replace").translate(_PRINTABLE)


def _packer(coding: Coding) -> Callable[[str], str]:
    return lambda plain: coding.compress(plain.encode("latin-1")).decode("latin-1")


def _base64_packer(text: str, start: int, end: int) -> Callable[[str], str]:
    """Return a function that encodes data with the letters and the padding of a part of *text*.

    The placeholder alone stays as it is: it is base64, and can be read.
    """
    is_url_safe = text.find("_", start, end) >= 0 or text.find("-", start, end) >= 0
    encode = base64.urlsafe_b64encode if is_url_safe else base64.b64encode
    padding = "=" if text[end - 1] == "=" or (end - start) % 4 == 0 else ""

    def pack(plain: str) -> str:
        if plain == PLACEHOLDER:
            return plain
        encoded = encode(plain.encode("latin-1")).decode()
        return encoded if padding else encoded.rstrip("=")

    return pack


def base64_bytes(text: str) -> bytes | None:
    """Return the decoded bytes of a text that is entirely base64; None for any other text."""
    if len(text) >= _LONG_BASE64:
        from pybase64 import b64decode  # ten times as fast as binascii

        with suppress(ValueError):  # its letters or its padding are not quite those of base64
            return b64decode(text, validate=True)
    if not text.isascii() or any(sign in text for sign in _OTHER_SIGNS):
        text = "".join(text.split()).replace("-", "+").replace("_", "/")
    if len(text) % 4 or text.endswith("==="):
        text = text.rstrip("=")
        text = text[: len(text) - (len(text) % 4 == 1)]
        text += "=" * (-len(text) % 4)
    try:
        return binascii.a2b_base64(text)  # a long text is not copied, unless it has to be
    except ValueError:
        return None


_LONG_BASE64 = 2**12
_OTHER_SIGNS = "-_ \t\r\n\v\f\x1c\x1d\x1e\x1f"


def _base64_text(text: str, start: int, end: int) -> str | None:
    """Return the decoded bytes of base64 in *text*, as `base64_bytes` does, in latin-1."""
    # Slices of a line are whole groups of four letters, and take less memory than all of it.
    size = end - start if text.find("\n", start, end) >= 0 else _SLICE
    parts: list[str] = []
    for first in range(start, end, size):
        raw = base64_bytes(text[first : min(first + size, end)])
        if raw is None:
            return None
        parts.append(raw.decode("latin-1"))
    return "".join(parts)


# ---------------------------------------------------------------------------------- streams

_MAX_REPEATS = 300
"""Largest number of equal pieces in a row that are joined: each event repeats ids and names."""


class _Piece(NamedTuple):
    """A text in one event of a stream.

    Attributes:
        event: The event.
        pointer: Where the text is in the JSON of the event; None if the event is no JSON.
        text: The text.
    """

    event: Event
    pointer: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Pieces:
    """A text that a stream sends in pieces.

    Attributes:
        place: The location of the pieces in their events, for example a JSON pointer.
        text: The pieces, joined as a client joins them.
        body: The body of the stream.
        pieces: The pieces, in the order of their events.
    """

    place: str
    text: str
    body: bytes
    pieces: tuple[_Piece, ...]

    def replaced(self, parts: Sequence[tuple[int, int, str]]) -> bytes:
        """Return the body of the stream with parts of the joined text replaced.

        Each of *parts* is (start, end, new text), with offsets in the joined text in latin-1. If a
        part is in several pieces, the first one gets the new text, and the others get shorter.
        """
        body, end = self.body, sum(len(latin(piece.text)) for piece in self.pieces)
        for piece in reversed(self.pieces):  # from the end, so that offsets stay right
            old = latin(piece.text)
            start, new, done = end - len(old), "", end - len(old)
            for first, last, text in parts:
                if first < end and last > start:
                    new += old[done - start : max(first - start, 0)]
                    new += text if first >= start else ""
                    done = min(last, end)
            new += old[done - start :]
            if new != old:
                body = _with_piece(body, piece, from_latin(new))
            end = start
        return body


def _with_piece(body: bytes, piece: _Piece, text: str) -> bytes:
    """Return the body of a stream with another text in one piece; unchanged if that cannot be."""
    data = piece.event.data.encode("utf-8", "replace")
    place = Span(0, len(data)) if piece.pointer is None else span(data, piece.pointer)
    if place is None:
        return body
    start, end = piece.event.byte(place.start), piece.event.byte(place.end)
    if body[start:end] != data[place.start : place.end]:
        return body
    new = text if piece.pointer is None else json.dumps(text)
    return body[:start] + new.encode() + body[end:]


_FIRST_OBJECT = re.compile(rb"\s*+\{")
_NEXT_OBJECT = re.compile(rb"\}[ \t\r]*+\n\s*+\{")


def streams(body: bytes) -> Iterator[Pieces]:
    """Yield each text that a stream (events or JSON lines) sends in pieces, joined as clients do.

    Pieces are joined by JSON pointer, by the `index` of choices, tool calls and content blocks, and
    by names, ids and kinds, since the pieces of several texts may alternate. Each joined text is
    yielded once, with the first place that gives it. Nothing is yielded for any other body.
    """
    is_lines = _is_json_lines(body)
    if not is_lines and not _has_data(body):
        return
    by_place: dict[str, _Joined] = {}
    seen: set[str] = set()
    for event, pointer, text, all_joined in _joins(
        (read_lines if is_lines else read_events)(body).events, by_place
    ):
        piece = _Piece(event, pointer, text)
        for one in all_joined:
            one.repeats = one.repeats + 1 if one.pieces and one.pieces[-1].text == text else 1
            if one.repeats <= _MAX_REPEATS:
                one.pieces.append(piece)
    for place, one in by_place.items():
        joined = "".join([piece.text for piece in one.pieces])
        if len(one.pieces) > 1 and joined not in seen:
            seen.add(joined)
            yield Pieces(place, joined, body, tuple(one.pieces))


def _has_data(body: bytes) -> bool:
    """Return whether *body* has the name of a field of events, `data:`."""
    # A colon is found in a tenth of the time that the name takes.
    slices = (body[max(0, at - 4) : at + _SLICE] for at in range(0, len(body), _SLICE))
    return any(b":" in part and b"data:" in part for part in slices)


@dataclass(slots=True)
class _Joined:
    """The pieces of one text.

    Attributes:
        pieces: The pieces so far.
        repeats: How many pieces in a row are equal to the last one.
    """

    pieces: list[_Piece] = field(default_factory=list)
    repeats: int = 0


_Targets = list[tuple[str | None, tuple[_Joined, ...]]]
"""For each text of an event: its pointer, and what it is a piece of."""
_MAX_SHAPES = 1024


def _joins(
    events: Iterable[Event], by_place: dict[str, _Joined]
) -> Iterator[tuple[Event, str | None, str, tuple[_Joined, ...]]]:
    """Yield (event, pointer, text, what it is a piece of) for each text in *events*.

    What a text is a piece of is a value of *by_place*, which is made where there is none. It is
    found once for all events of the same shape, as most of a stream are, and so are its texts for
    equal ones, which have the same document.
    """
    known: dict[tuple[str, bool, _Shape], _Targets] = {}
    equal: dict[tuple[str, int], tuple[_Targets, list[str]]] = {}
    for event in events:
        document = event.json
        own = event.event, id(document)
        if own in equal:
            for (pointer, all_joined), text in zip(*equal[own], strict=True):
                yield event, pointer, text, all_joined
            continue
        is_text = bool(document.problem)
        value = event.data if is_text else document.value
        texts: list[str] = []
        try:
            shape = event.event, is_text, _shape(value, texts)
        except _NoShapeError:
            shape = None
        targets = known.get(shape) if shape else None
        if targets is None:
            located = [*_texts(value, event.event)]
            texts = [text for _, text in located]
            targets = [
                (
                    None if is_text else places[0],
                    tuple(by_place.setdefault(place, _Joined()) for place in dict.fromkeys(places)),
                )
                for places, _ in located
            ]
            if shape:
                if len(known) >= _MAX_SHAPES:
                    known.clear()
                known[shape] = targets
        if len(equal) >= _MAX_SHAPES:
            equal.clear()
        equal[own] = targets, texts
        for (pointer, all_joined), text in zip(targets, texts, strict=True):
            yield event, pointer, text, all_joined


def _is_json_lines(body: bytes) -> bool:
    """Return whether *body* begins with the lines of two JSON objects."""
    first = _FIRST_OBJECT.match(body)
    end = body.find(b"\n", first.end()) if first else -1
    last = body.rfind(b"}", first.end(), end) if first and end >= 0 else -1
    return last >= 0 and _NEXT_OBJECT.match(body, last) is not None


_Places = tuple[str, str, str, str]
"""Four descriptions of where a text is, by each of which its pieces may be joined.

The JSON pointer; the pointer with the `index` members of the objects above it in place of array
positions; the pointer with `[]` and the item's own `index` or `id` in place of array positions; and
with all members that tell the objects above it from others, after the name of the event.
"""


_Shape: TypeAlias = "tuple[Any, ...] | bool | None"
"""The names in a JSON value, and the members that tell its objects from others.

The places of all texts follow from it and the name of the event.
"""


class _NoShapeError(Exception):
    """A value has an object of many members, or one told by other values than texts and numbers."""


def _shape(node: Json, texts: list[str]) -> _Shape:
    """Return the shape of a value, and append its texts to *texts*, as `_texts` yields them.

    Raises _NoShapeError if it has none.
    """
    if type(node) is str:
        texts.append(node)
        return True
    if type(node) is dict:
        names = tuple(node)
        if len(names) >= _FEW:
            raise _NoShapeError
        told = [node[name] for name in _telling(names)]
        for value in told:
            if type(value) is not str and type(value) is not int and value is not None:
                raise _NoShapeError
        return (names, *told, *[_shape(child, texts) for child in node.values()])
    if type(node) is list:
        return (None, *[_shape(child, texts) for child in node])
    return None


def _texts(value: Json, name: str) -> Iterator[tuple[_Places, str]]:
    """Yield (places, text) for each string in the JSON value of the event *name*, in its order."""
    stack: list[tuple[_Places, Json]] = [(("", "", "", name), value)]
    while stack:
        places, node = stack.pop()
        if isinstance(node, str):
            yield places, node
        elif isinstance(node, dict):
            members = _places_of_few if len(node) < _FEW else _places_of_members
            below = members(places, tuple(node), _index(node), _kind(node))
            for inner, child in zip(reversed(below), reversed(node.values()), strict=True):
                if isinstance(child, str | dict | list):
                    stack.append((inner, child))
        elif isinstance(node, list):
            for number, item in reversed([*enumerate(node)]):
                index = _index(item)
                stack.append((_place_of_item(places, number, index, index or _id(item)), item))


def _places_of_members(
    places: _Places, names: tuple[str, ...], index: str, kind: str
) -> tuple[_Places, ...]:
    """Return the places of the members of an object, which has an index and a kind."""
    pointer, by_index, by_item, by_kind = places
    steps = (f"/{escape(name)}" for name in names)
    return tuple(
        (pointer + step, by_index + index + step, by_item + step, by_kind + kind + step)
        for step in steps
    )


_places_of_few = lru_cache(maxsize=512)(_places_of_members)


@lru_cache(maxsize=512)
def _place_of_item(places: _Places, number: int, index: str, own: str) -> _Places:
    """Return the places of an item of an array, which has an index, or else an id, of its own."""
    pointer, by_index, by_item, by_kind = places
    position = "/[]" if index else f"/{number}"
    return f"{pointer}/{number}", by_index + position, f"{by_item}/[]{own}", f"{by_kind}/[]"


_KIND = re.compile("(?:[a-z_]+_)?(?:id|index)|[a-z]+I[dD]|type|event|role|kind|channel|thought")
_MAX_KIND = 64
_FEW = 32


class _Names(NamedTuple):
    """The names of an object's members that tell it from others.

    Attributes:
        kinds: The names of members that tell the object from others.
        indexes: The names of members that may be its index.
    """

    kinds: tuple[str, ...]
    indexes: tuple[str, ...]

    @classmethod
    def of(cls, names: tuple[str, ...]) -> _Names:
        """Return the names of an object's members."""
        return cls(
            tuple(name for name in names if len(name) < _MAX_KIND and _KIND.fullmatch(name)),
            tuple(name for name in names if name == "index" or name.endswith("_index")),
        )


_names_of_few = lru_cache(maxsize=256)(_Names.of)


@lru_cache(maxsize=256)
def _telling(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return those names of an object's members on whose values places depend."""
    own = _names_of_few(names)
    return tuple(name for name in names if name in {*own.kinds, *own.indexes, "id", "item_id"})


def _names(node: dict[str, Json]) -> _Names:
    return (_names_of_few if len(node) < _FEW else _Names.of)(tuple(node))


def _kind(node: dict[str, Json]) -> str:
    """Return the members of an object that tell it from others as text, such as `[type=answer]`."""
    kinds = _names(node).kinds
    members = [(name, node[name]) for name in kinds] if kinds else ()
    return "".join(
        [
            f"[{name}={str(value)[:_MAX_KIND]}]"
            for name, value in members
            if isinstance(value, str | int)
        ]
    )


def _index(node: Json) -> str:
    """Return the index members of an object as text, such as `[index=0]`, else its `item_id`."""
    if not isinstance(node, dict):
        return ""
    names = _names(node).indexes
    indexes = [(name, node[name]) for name in names] if names else ()
    found = "".join([f"[{name}={value}]" for name, value in indexes if str(value).isdecimal()])
    return found or _id(node, "item_id")


def _id(node: Json, name: str = "id") -> str:
    """Return the id of an object as text, such as `[id=call_1]`; empty without any."""
    return f"[{name}={node[name]}]" if isinstance(node, dict) and name in node else ""
