"""Conversions of texts for the search, and the encodings in which a secret may be written.

Everything is searched with each of its UTF-8 bytes as one character (latin-1): the offset of a
character is the offset of its byte, and any bytes can be searched as a text.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterator
from urllib.parse import quote, quote_plus

from harness.types import Json
from harness.wire import escape, read_events
from harness.wire.codings import MAX_INFLATED


def latin(text: str) -> str:
    """Return a text with one character for each UTF-8 byte of *text*."""
    return text.encode("utf-8", "surrogatepass").decode("latin-1")


def from_latin(text: str) -> str:
    """Return the text that `latin` converted; bytes that are not UTF-8 are replaced."""
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


_URL_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_JSON_ESCAPE = re.compile(r'\\(?:u([0-9A-Fa-f]{4})|(["\\/]))')


def readings(text: str) -> Iterator[str]:
    """Yield *text*, then its versions without the escapes of JSON, of URLs, of URLs in URLs.

    A version is only yielded if it differs.
    """
    yield text
    plain = _JSON_ESCAPE.sub(_unescaped, text) if "\\" in text else text
    if plain != text:
        yield plain
    for _ in range(2):  # a URL in a URL is escaped twice
        again = _URL_ESCAPE.sub(lambda match: chr(int(match[0][1:], 16)), plain)
        if again == plain:
            return
        yield (plain := again)


def _unescaped(match: re.Match[str]) -> str:
    if match[1] is None:
        return match[2]
    return chr(int(match[1], 16)).encode("utf-8", "replace").decode("latin-1")


_BASE64 = (base64.b64encode, base64.urlsafe_b64encode)


def written_forms(secret: str) -> set[str]:
    """Return the forms in which *secret* may be written: plain, escaped (URL, JSON), base64."""
    quoted = {quote(secret, safe=""), quote(secret), quote_plus(secret)}
    return {
        secret,
        *quoted,
        *(_URL_ESCAPE.sub(lambda match: match[0].lower(), form) for form in quoted),
        *(json.dumps(secret, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)),
        json.dumps(secret)[1:-1].replace("/", "\\/"),
        *(form for encode in _BASE64 for form in _base64_forms(secret.encode(), encode)),
    }


def _base64_forms(raw: bytes, encode: Callable[[bytes], bytes]) -> Iterator[str]:
    """Yield the base64 of *raw* itself, and within longer data at each of three alignments."""
    yield encode(raw).decode()
    yield encode(raw).decode().rstrip("=")
    for before in range(3):
        text = encode(b"\0" * before + raw).decode()
        yield text[-(-8 * before // 6) : 8 * (before + len(raw)) // 6]


_BASE64_TEXT = re.compile(r"(?:data:[^,]{1,80};base64,)?([A-Za-z0-9+/_-]{16,}={0,2})")


def base64_bytes(text: str) -> bytes | None:
    """Return the bytes of a text that is entirely base64; None for any other text."""
    match = _BASE64_TEXT.fullmatch(re.sub(r"\s", "", text)) if len(text) < MAX_INFLATED else None
    if match is None:
        return None
    digits = match[1].rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(digits + "=" * (-len(digits) % 4))
    except (binascii.Error, ValueError):
        return None


# ---------------------------------------------------------------------------------- streams

_MAX_REPEATS = 300
"""Largest number of equal pieces that are joined: ids and names repeat in every event."""


def joined_pieces(body: bytes) -> Iterator[tuple[str, str]]:
    """Yield (place, text) for each text that a stream sends in pieces, joined as a client does.

    Pieces are joined by JSON pointer, and by the `index` of choices, tool calls and content blocks,
    since the pieces of several texts may alternate. Each joined text is yielded once, with the
    first place that gives it; nothing is yielded if *body* is no stream.
    """
    if b"data:" not in body:
        return
    pieces: dict[str, list[str]] = {}
    for event in read_events(body).events:
        document = event.json
        for places, text in _texts(event.data if document.problem else document.value):
            for place in dict.fromkeys(places):
                pieces.setdefault(place, []).append(text)
    seen: set[str] = set()
    for place, texts in pieces.items():
        joined = "".join(texts if len(set(texts)) > 1 else texts[:_MAX_REPEATS])
        if len(texts) > 1 and joined not in seen:
            seen.add(joined)
            yield place, joined


_Places = tuple[str, str, str]
"""Three descriptions of where a text is, by each of which its pieces may be joined.

The JSON pointer; the pointer with the `index` members of the objects above it in place of array
positions; and the pointer with `[]` and the item's own `index` in place of array positions.
"""


def _texts(value: Json) -> Iterator[tuple[_Places, str]]:
    """Yield (places, text) for each string in a JSON value, in its order."""
    stack: list[tuple[_Places, Json]] = [(("", "", ""), value)]
    while stack:
        (pointer, by_index, by_item), node = stack.pop()
        if isinstance(node, str):
            yield (pointer, by_index, by_item), node
        elif isinstance(node, dict):
            steps = [(f"/{escape(name)}", child) for name, child in reversed(node.items())]
            by_index += _index(node)
            stack.extend(((pointer + s, by_index + s, by_item + s), child) for s, child in steps)
        elif isinstance(node, list):
            for number, item in reversed([*enumerate(node)]):
                index = _index(item)
                position = "/[]" if index else f"/{number}"
                places = (f"{pointer}/{number}", by_index + position, f"{by_item}/[]{index}")
                stack.append((places, item))


def _index(node: Json) -> str:
    """Return the index members of an object as text, such as `[index=0]`; empty without any."""
    if not isinstance(node, dict):
        return ""
    return "".join(
        f"[{name}={node[name]}]"
        for name in node
        if (name == "index" or name.endswith("_index")) and str(node[name]).isdecimal()
    )
