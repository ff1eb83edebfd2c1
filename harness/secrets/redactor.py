"""Secrets taken out of what is to be kept, before the first byte reaches a disk.

Headers are kept by allow-list, known keys are replaced wherever they stand, and the signing
parameters of links are masked. Placeholders keep the form, so that an SDK still parses what is
left. Redacting twice changes nothing. What then still reads as a key, whoever's it is, is refused.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import quote, quote_plus

from harness.errors import SecretNotRedacted
from harness.types import Exchange, LooseJson, Request, Response
from harness.wire import escape, read_events
from harness.wire.codings import inflated_texts

PLACEHOLDER = "REDACTED"

REQUEST_HEADERS = frozenset({"accept", "content-type", "x-accel-buffering"})
"""Request headers that are kept. User agents are not: they name the recorder's machine."""

RESPONSE_HEADERS = frozenset(
    {
        "content-length",
        "content-type",
        "date",
        "location",
        "retry-after",
        "server",
        "transfer-encoding",
        "x-request-id",
        "x-sandbox",
    }
)
"""Response headers that are kept: what rules and readers need, no cookie."""

_NAMES = (
    r"(?:OSSAccessKeyId|Signature|security-token"
    r"|X-(?:Amz|OSS)-(?:Credential|Signature|Security-Token))"
)
_BEFORE = r"(?:(?<![A-Za-z0-9_])|(?<=%26)|(?<=%3F)|(?<=\\u0026)|(?<=\\u003F))"
SIGNED = re.compile(
    # As it is, or with = written as Java's and Go's JSON writers do; a value ends at any escape.
    rf"(?P<name>{_BEFORE}{_NAMES}(?:=|\\u003D))(?:[A-Za-z0-9+/=_.~-]++|%[0-9A-F]{{2}}|\\u003D)++"
    # Inside another URL, where the value's own %2B stands as %252B.
    rf"|(?P<inner>{_BEFORE}{_NAMES}%3D)(?:[A-Za-z0-9_.~-]++|%25[0-9A-F]{{2}}|%2[BF]|%3D)++",
    re.ASCII | re.IGNORECASE,
)
"""A parameter that signs a link, and its value. In bodies, bytes stand as one character each, so
that a letter of another alphabet must never be taken for a part of a word."""
_WORD = "[A-Za-z0-9_-]"
_JWT = re.compile(rf"eyJ{_WORD}{{4,}}\.{_WORD}{{4,}}\.{_WORD}{{4,}}")
SCHEME = re.compile(r"\s*(Bearer|Basic)\s+\S", re.ASCII | re.IGNORECASE)
SHORTEST = 8
"""Shorter texts are not taken for secrets: they stand in ordinary words."""


@dataclass(frozen=True)
class Redactor:
    """Takes the given secrets, and everything that looks like a signature, out of exchanges.

    `headers` are kept besides those every service has; their names are in lower case.
    """

    secrets: tuple[str, ...] = field(repr=False, default=())
    headers: frozenset[str] = frozenset()
    _forms: tuple[str, ...] = field(init=False, repr=False, default=())

    def __post_init__(self) -> None:
        long_enough = [secret for secret in self.secrets if len(secret) >= SHORTEST]
        forms = {form for secret in long_enough for form in written(secret)}
        longest_first = sorted(sorted(forms), key=len, reverse=True)
        object.__setattr__(self, "_forms", tuple(longest_first))

    def exchange(self, exchange: Exchange) -> Exchange:
        """The exchange without secrets. Raises SecretNotRedacted if one is still to be seen."""
        self._refuse_compressed(exchange)
        clean = replace(
            exchange,
            request=self.request(exchange.request),
            response=self.response(exchange.response),
        )
        if clean.response.body != exchange.response.body:
            clean = replace(clean, chunks=())
        self._prove(clean)
        return clean

    def request(self, request: Request) -> Request:
        """The request without secrets; `authorization` keeps its scheme."""
        kept = [
            (name, _credentials(value) if name.lower() == "authorization" else self.text(value))
            for name, value in request.headers
            if name.lower() in REQUEST_HEADERS | self.headers | {"authorization"}
        ]
        return replace(
            request,
            uri=self.text(request.uri),
            headers=tuple(kept),
            body=self.body(request.body),
        )

    def response(self, response: Response) -> Response:
        """The response without secrets; its content length is that of the body that is left."""
        body = self.body(response.body)
        length = None if body == response.body else str(len(body))
        kept = [
            (name, length if length and name.lower() == "content-length" else self.text(value))
            for name, value in response.headers
            if name.lower() in RESPONSE_HEADERS | self.headers
        ]
        reason = self.text(response.reason)
        return replace(response, reason=reason, headers=tuple(kept), body=body)

    def body(self, body: bytes) -> bytes:
        """A body without secrets; every other byte stays as it is."""
        return self.text(body.decode("latin-1"), _latin).encode("latin-1") if body else body

    def text(self, text: str, form: Callable[[str], str] = str) -> str:
        """A text without secrets."""
        for secret in self._forms:
            text = text.replace(form(secret), PLACEHOLDER)
        text = SIGNED.sub(lambda m: f"{m['name'] or m['inner']}{PLACEHOLDER}", text)
        return _JWT.sub(PLACEHOLDER, text)

    def _refuse_compressed(self, exchange: Exchange) -> None:
        """What nobody can look into cannot be made safe."""
        coding = exchange.response.header("content-encoding") or "identity"
        if exchange.response.body and coding.lower() != "identity":
            raise SecretNotRedacted(
                f"what {exchange.request.method} answered came in the content coding "
                f"{coding[:40]}, which could not be undone to look for secrets; "
                "nothing was written"
            )

    def _prove(self, exchange: Exchange) -> None:
        """Look once more at all that would be written, as whoever reads it might."""
        method = exchange.request.method
        for where, text in _parts(exchange):
            for number, reading in enumerate(readings(text)):
                if any(_latin(form) in reading for form in self._forms):
                    raise SecretNotRedacted(
                        f"a key would still be readable in what {method} answered; "
                        "nothing was written"
                    )
                key = next(keys(reading), None)
                if key is not None:
                    at = f", byte {key.start}" if where.endswith(" body") and not number else ""
                    raise SecretNotRedacted(
                        f"what looks like {key.kind} would be written, in {where}{at} of a "
                        f"{method}; if it is one, give it to the harness in its variable or keep "
                        "it out of the conversation; nothing was written"
                    )


def _parts(exchange: Exchange) -> Iterator[tuple[str, str]]:
    """All that would be written of an exchange: where, and the text, its bytes as characters."""
    request, response = exchange.request, exchange.response
    yield "the address", _latin(request.uri)
    yield "the reason", _latin(response.reason)
    for whose, headers in (("request", request.headers), ("response", response.headers)):
        yield from ((f"the {whose} header {name}", _latin(value)) for name, value in headers)
    for whose, body in (("request", request.body), ("response", response.body)):
        text = body.decode("latin-1")
        yield f"the {whose} body", text
        for reading in readings(text):
            yield from (
                (f"what is packed in the {whose} body", inner) for inner in inflated_texts(reading)
            )
        for pointer, text in streamed(body):
            yield f"the joined pieces at {pointer} of the {whose} stream", _latin(text)


def streamed(body: bytes) -> Iterator[tuple[str, str]]:
    """Yield (place, text) for each text that a stream sends in pieces, joined as a client does.

    Pieces are joined by JSON pointer, and by the `index` of choices, tool calls and content blocks:
    pieces of several may alternate. A text is yielded once, with the first place that gives it.
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
        # Ids and names are the same in every event; as many of them as a key is long are enough.
        joined = "".join(texts if len(set(texts)) > 1 else texts[:_LONGEST_KEY])
        if len(texts) > 1 and joined not in seen:
            seen.add(joined)
            yield place, joined


_Places = tuple[str, str, str]
"""Where a text stands: its JSON pointer; the same with the indexes of all objects above it, in
place of positions; and with those of array items only, all other items of an array as one."""


def _texts(value: LooseJson) -> Iterator[tuple[_Places, str]]:
    """Yield the texts in a JSON value in their order, each with its places."""
    stack: list[tuple[_Places, LooseJson]] = [(("", "", ""), value)]
    while stack:
        (at, by_index, by_item), node = stack.pop()
        if isinstance(node, str):
            yield (at, by_index, by_item), node
        elif isinstance(node, dict):
            steps = [(f"/{escape(name)}", child) for name, child in reversed(node.items())]
            by_index += _index(node)
            stack.extend(((at + s, by_index + s, by_item + s), child) for s, child in steps)
        elif isinstance(node, list):
            for number, item in reversed([*enumerate(node)]):
                index = _index(item)
                position = "/[]" if index else f"/{number}"
                places = (f"{at}/{number}", by_index + position, f"{by_item}/[]{index}")
                stack.append((places, item))


def _index(node: LooseJson) -> str:
    """Return what a piece says about which text it belongs to, such as `[index=0]`, or nothing."""
    if not isinstance(node, dict):
        return ""
    return "".join(
        f"[{name}={node[name]}]"
        for name in node
        if (name == "index" or name.endswith("_index")) and str(node[name]).isdecimal()
    )


def readings(text: str) -> Iterator[str]:
    """A text as it is, and with the escapes of JSON, of URLs, and of URLs in JSON undone."""
    yield text
    plain = _JSON_ESCAPE.sub(_unescaped, text) if "\\" in text else text
    if plain != text:
        yield plain
    for _ in range(2):  # an address in an address is escaped twice
        again = _URL_ESCAPE.sub(lambda escape: chr(int(escape[0][1:], 16)), plain)
        if again == plain:
            return
        yield (plain := again)


_URL_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_JSON_ESCAPE = re.compile(r'\\(?:u([0-9A-Fa-f]{4})|(["\\/]))')


def _unescaped(escape: re.Match[str]) -> str:
    # Characters beyond Latin-1 stand as their bytes do elsewhere; halves of pairs are no text.
    if escape[1] is None:
        return escape[2]
    return chr(int(escape[1], 16)).encode("utf-8", "replace").decode("latin-1")


@dataclass(frozen=True, slots=True)
class Key:
    """A key that nobody told us of, known by its form; where it stands in the text."""

    start: int
    end: int
    kind: str


_SHAPES: Mapping[str, re.Pattern[str]] = {
    "an sk- key": re.compile(
        r"(?<![A-Za-z0-9_-])sk-(?:[A-Za-z0-9]{1,15}+[_-])*+[A-Za-z0-9]{16}[\w-]*", re.A
    ),
    "an id.secret key": re.compile(r"(?<![A-Za-z0-9])[0-9a-f]{32}\.[A-Za-z0-9]{16}(?![A-Za-z0-9])"),
    "an access key id": re.compile(
        r"(?<![A-Za-z0-9])(?:LTAI[A-Za-z0-9]{12,26}|(?:AKIA|ASIA)[A-Z0-9]{16})(?![A-Za-z0-9])"
    ),
    "a token": _JWT,
    "a private key": re.compile(
        r"-----BEGIN (?:(?!PRIVATE KEY(?: BLOCK)?-)[A-Z0-9]++ )*+PRIVATE KEY(?: BLOCK)?-----"
        r"[^-]{0,200}?[A-Za-z0-9+/]{40}"
    ),
}
_BASE64_RUN = re.compile(r"[A-Za-z0-9+/]*")
_LONGEST_KEY = 300


def keys(text: str) -> Iterator[Key]:
    """Keys by their form, whoever's they are; those made up for show are left out."""
    for kind, shape in _SHAPES.items():
        for found in shape.finditer(text):
            if kind in _ALSO and not _ALSO[kind](found):
                continue
            if not made_up(found[0]):
                yield Key(found.start(), found.end(), kind)


def without_keys(text: str) -> str:
    """A text to be shown, with whatever reads as a key replaced."""
    end = len(text)
    for key in sorted(keys(text), key=lambda key: key.start, reverse=True):
        text = text[: key.start] + PLACEHOLDER + text[min(key.end, end) :]
        end = key.start
    return text


def _is_apart(found: re.Match[str]) -> bool:
    """Not a piece of a file in base64, where any letters may stand."""
    text, start = found.string, found.start()
    before = _BASE64_RUN.match(text[max(0, start - _LONGEST_KEY) : start][::-1])
    after = _BASE64_RUN.match(text, found.end(), found.end() + _LONGEST_KEY)
    return len(before[0] if before else "") + len(after[0] if after else "") < _LONGEST_KEY


def _has_a_head(found: re.Match[str]) -> bool:
    """A token's first part says how it was signed."""
    head = found[0].partition(".")[0]
    try:
        told = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return False
    return isinstance(told, dict) and "alg" in told


def _has_digits(found: re.Match[str]) -> bool:
    """Words joined by hyphens have none, or one of a version."""
    return sum(letter.isdigit() for letter in found[0]) > 1


_ALSO: Mapping[str, Callable[[re.Match[str]], bool]] = {
    "an sk- key": _has_digits,
    "an access key id": _is_apart,
    "a token": _has_a_head,
}
"""What a form alone does not say."""

_STANDS_IN = re.compile(
    r"redacted|masked|dummy|^deleted$|sandbox|placeholder|x{6}|\*{3}|\.\.\.|^(?:sk-)?(?:test|your|my)[_-]"
    r"|^[<$\[{].*|^$",
    re.IGNORECASE,
)
_FEWEST = 8
"""A key that somebody uses has more different characters than this."""


def stands_in(value: str) -> bool:
    """Whether words or signs say that something was here, or is to be put here."""
    return bool(_STANDS_IN.search(value))


def made_up(value: str) -> bool:
    """Whether a key is none but stands for one: a placeholder, a row of zeros."""
    return stands_in(value) or len(set(value.removeprefix("sk-"))) < _FEWEST


def _latin(text: str) -> str:
    """A text's UTF-8 bytes as one character each."""
    return text.encode("utf-8", "surrogatepass").decode("latin-1")


def _credentials(value: str) -> str:
    scheme = SCHEME.match(value)
    return f"{scheme[1]} {PLACEHOLDER}" if scheme else PLACEHOLDER


def written(secret: str) -> set[str]:
    """A secret as it may be written: as it is, escaped for URLs and JSON, in base64."""
    quoted = {quote(secret, safe=""), quote(secret), quote_plus(secret)}
    return {
        secret,
        *quoted,
        *(_ESCAPE.sub(lambda escape: escape[0].lower(), form) for form in quoted),
        *(json.dumps(secret, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)),
        json.dumps(secret)[1:-1].replace("/", "\\/"),
        *(form for encode in _BASE64 for form in _encoded(secret.encode(), encode)),
    }


_ESCAPE = re.compile("%[0-9A-F]{2}")
_BASE64 = (base64.b64encode, base64.urlsafe_b64encode)


def _encoded(raw: bytes, encode: Callable[[bytes], bytes]) -> Iterator[str]:
    """Base64 of the whole, and what it is inside a longer text, wherever it begins there."""
    yield encode(raw).decode()
    yield encode(raw).decode().rstrip("=")
    for before in range(3):
        text = encode(b"\0" * before + raw).decode()
        yield text[-(-8 * before // 6) : 8 * (before + len(raw)) // 6]
