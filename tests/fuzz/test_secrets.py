"""No planted secret is written, and nothing else is changed: by position, encoding, splitting.

500 plantings in every run, 10,000 in `make fuzz`; the same ones every time.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import random
import re
import string
import sysconfig
import uuid
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

import pytest
import yaml

from harness.errors import SecretNotRedacted
from harness.secrets.redactor import Redactor
from harness.secrets.scanner import Scanner
from harness.types import Exchange, Request, Response
from harness.wire.codings import codings

pytestmark = pytest.mark.slow

COUNT = 10_000 if os.environ.get("HARNESS_FUZZ") else 500
RECORDINGS = Path(__file__).parents[3] / "shared" / "recordings"
STANDARD_LIBRARY = Path(sysconfig.get_paths()["stdlib"])
HEX, LETTERS = "0123456789abcdef", string.ascii_letters + string.digits

Chance = random.Random


def pick(chance: Chance, letters: str, count: int) -> str:
    """Return so many letters."""
    return "".join(chance.choice(letters) for _ in range(count))


# -------------------------------------------------------------------------------- what is planted

KNOWN: tuple[Callable[[Chance], str], ...] = (
    lambda c: f"sk-{pick(c, HEX, 32)}",
    lambda c: f"{pick(c, HEX, 32)}.{pick(c, LETTERS, 16)}",
    lambda c: pick(c, LETTERS + '/+=&"\\ü ', 24).strip() + "x9",
    lambda c: pick(c, LETTERS, 12),
)
SHAPES: tuple[Callable[[Chance], str], ...] = (
    *KNOWN[:2],
    lambda c: f"ghp_{pick(c, LETTERS, 36)}",
    lambda c: f"hf_{pick(c, LETTERS, 34)}",
    lambda c: f"AIza{pick(c, LETTERS, 35)}",
    lambda c: f"xoxb-{pick(c, string.digits, 12)}-{pick(c, LETTERS, 24)}",
    lambda c: f"AKID{pick(c, LETTERS, 32)}",
    lambda c: f"LTAI5t{pick(c, LETTERS, 18)}",
    lambda c: f"STS.{pick(c, LETTERS, 24)}",
    lambda c: f"glpat-{pick(c, LETTERS, 20)}",
    lambda c: f"pat_{pick(c, LETTERS, 64)}",
)
NAMES = (
    *("access_token", "refresh_token", "client_secret", "api_key", "password", "AccessKeySecret"),
    *("SecurityToken", "secret_key", "x-api-key", "accessToken", "AccessKeyId", "private_key"),
)

# ------------------------------------------------------------------------------------- encodings


def shifted(encode: Callable[[bytes], bytes]) -> Callable[[Chance, str], str]:
    """Return an encoder that puts up to two bytes before the key, and some after it."""

    def write(chance: Chance, text: str) -> str:
        raw = b"; "[: chance.randrange(3)] + text.encode() + b":more"[: chance.randrange(5)]
        return encode(raw).decode().rstrip("=" if chance.random() < 0.5 else "")

    return write


def packed(compress: Callable[[bytes], bytes]) -> Callable[[Chance, str], str]:
    """Return an encoder that compresses, and writes that as base64."""
    return lambda chance, text: base64.b64encode(compress(b'{"a":"%b"}' % text.encode())).decode()


ENCODINGS: dict[str, Callable[[Chance, str], str]] = {
    "raw": lambda c, t: t,
    "URL": lambda c, t: quote(t, safe=""),
    "URL, every letter": lambda c, t: "".join(f"%{byte:02x}" for byte in t.encode()),
    "URL twice": lambda c, t: quote(quote(t, safe=""), safe=""),
    "JSON": lambda c, t: "".join(f"\\u{ord(letter):04x}" for letter in t),
    "JSON in JSON in JSON": lambda c, t: json.dumps(json.dumps(json.dumps({"a": t}))),
    "base64": shifted(base64.b64encode),
    "base64url": shifted(base64.urlsafe_b64encode),
    "data URL": lambda c, t: "data:text/plain;base64," + base64.b64encode(t.encode()).decode(),
    "hex": lambda c, t: t.encode().hex(),
    **{f"{coding.name} in base64": packed(coding.compress) for coding in codings() if coding.start},
}
FOR_UNKNOWN = [name for name in ENCODINGS if name != "hex"]

# ------------------------------------------------------------------------------------- positions

CHAT = "https://dashscope.aliyuncs.com/compatible-mode/v1/chat/completions"


def asked(body: bytes = b"{}", uri: str = CHAT, kind: str = "application/json") -> Exchange:
    """Return an exchange with this request."""
    return Exchange(Request("POST", uri, (("content-type", kind),), body), Response(200, "OK"))


def answered(body: bytes, *headers: tuple[str, str], reason: str = "OK") -> Exchange:
    """Return an exchange with this response."""
    return Exchange(Request("POST", CHAT), Response(200, reason, headers, body))


def field(name: str, value: bytes) -> bytes:
    """Return a multipart body with one field."""
    head = b'--b1\r\nContent-Disposition: form-data; name="%b"\r\n\r\n' % name.encode()
    return head + value + b"\r\n--b1--\r\n"


def quoted(text: str) -> str:
    """Return a text as it is in JSON; what is escaped for JSON already stays so."""
    return text if text.startswith("\\u") else json.dumps(text, ensure_ascii=False)[1:-1]


MULTIPART = "multipart/form-data; boundary=b1"
POSITIONS: dict[str, Callable[[str], Exchange]] = {
    "path": lambda t: asked(uri=f"https://host/v1/{quote(t, safe='%')}/x"),
    "query": lambda t: asked(uri=f"https://host/v1?a=1&k={quote(t, safe='%')}&b=2"),
    "header": lambda t: answered(b"", ("x-note", f"a {t}")),
    "reason": lambda t: answered(b"", reason=f"bad {t}"),
    "request value": lambda t: asked(f'{{"messages":[{{"content":"a {quoted(t)} b"}}]}}'.encode()),
    "request name": lambda t: asked(f'{{"a":{{"{quoted(t)}":1}}}}'.encode()),
    "answer": lambda t: answered(f'{{"output":{{"text":"你好 {quoted(t)}."}}}}'.encode()),
    "error text": lambda t: answered(f"<html>bad key: {t}</html>".encode()),
    "form": lambda t: asked(f"a=1&b={quote(t, safe='%')}".encode(), kind="application/x-www-form"),
    "field": lambda t: asked(field("a", t.encode()), kind=MULTIPART),
    "file": lambda t: asked(field("a", gzip.compress(t.encode())), kind=MULTIPART),
    **{
        f"body in {coding.name}": lambda t, pack=coding.compress: answered(  # type: ignore[misc]
            pack(f'{{"text": "{"more " * 20}", "key": "{quoted(t)}"}}'.encode())
        )
        for coding in codings()
        if coding.start
    },
}


def named(chance: Chance) -> tuple[str, Exchange]:
    """Return a secret, and an exchange with it beside a secret's name."""
    secret, name = pick(chance, LETTERS, chance.choice((16, 32, 40))), chance.choice(NAMES)
    forms = (
        lambda: asked(json.dumps({"a": [{name: secret}]}).encode()),
        lambda: answered(json.dumps({"text": json.dumps({name: secret})}).encode()),
        lambda: asked(f"{name}={secret}&b=1".encode(), kind="application/x-www-form-urlencoded"),
        lambda: asked(uri=f"https://host/x?a=1&{name}={secret}"),
        lambda: asked(field(name, secret.encode()), kind=MULTIPART),
        lambda: asked(uri=f"https://me:{secret}@host/x"),
        lambda: answered(b"", (name, secret)),
        lambda: answered(f"use Bearer {secret} for it".encode()),
    )
    return secret, chance.choice(forms)()


# ------------------------------------------------------------------------------- pieces of streams

PIECES: dict[str, Callable[[int, str], object]] = {
    "choice": lambda n, t: {"choices": [{"index": n, "delta": {"content": t}}]},
    "tool call": lambda n, t: {
        "choices": [
            {"index": 0, "delta": {"tool_calls": [{"index": n, "function": {"arguments": t}}]}}
        ]
    },
    "block": lambda n, t: {"type": "content_block_delta", "index": n, "delta": {"text": t}},
    "output": lambda n, t: {"output": {"choices": [{"index": n, "message": {"content": t}}]}},
}


def in_pieces(chance: Chance, text: str) -> tuple[Exchange, Callable[[bytes], str]]:
    """Return a stream that sends a text in pieces among those of another, and its reader."""
    form = PIECES[chance.choice(list(PIECES))]
    index, cuts = (
        chance.randrange(2),
        sorted(chance.sample(range(1, len(text)), chance.randint(1, 6))),
    )
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    events = []
    for piece in pieces:
        events.append(form(index, piece))
        events += [form(1 - index, "other words ")] * chance.randrange(3)
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
    return answered(f"{body}data: [DONE]\n\n".encode()), lambda body: joined(body, index)


def joined(body: bytes, index: int) -> str:
    """Return the texts of one index of a stream, joined; written apart from the harness."""
    texts: list[str] = []

    def read(node: object, inside: bool) -> None:
        if isinstance(node, dict):
            own = node.get("index", -1)
            for value in node.values():
                read(value, inside or own == index)
        elif isinstance(node, list):
            for value in node:
                read(value, inside)
        elif isinstance(node, str) and inside:
            texts.append(node)

    for line in body.decode().split("\n"):
        if line.startswith("data: {"):
            read(json.loads(line[6:]), False)
    return "".join(texts)


# --------------------------------------------------------------------------------------- the oracle


def readable(data: bytes, depth: int = 4) -> Iterator[bytes]:
    """Yield everything that somebody may read in *data*; written apart from the harness."""
    yield data
    if not depth:
        return
    further = {
        re.sub(
            rb"\\u([0-9a-fA-F]{4})", lambda m: chr(int(m[1], 16)).encode("utf-8", "ignore"), data
        ),
        re.sub(rb"\\(.)", rb"\1", data),
        unquote_to_bytes(data),
    }
    for run in re.findall(rb"[A-Za-z0-9+/_-]{10,}", data):
        for start in range(4):
            whole = run[start : start + (len(run) - start) // 4 * 4]
            further.add(base64.b64decode(whole.translate(bytes.maketrans(b"-_", b"+/"))))
            rest = run[start:].translate(bytes.maketrans(b"-_", b"+/"))
            with suppress(ValueError):
                further.add(base64.b64decode(rest + b"=" * (-len(rest) % 4)))
    for run in re.findall(rb"[0-9a-f]{16,}", data):
        further.add(bytes.fromhex(run[: len(run) // 2 * 2].decode()))
    for start in (0, data.find(b"\r\n\r\n") + 4):
        with suppress(zlib.error):
            further.add(zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(data[start:]))
    for other in further - {data}:
        if other:
            yield from readable(other, depth - 1)


def parts(exchange: Exchange) -> Iterator[bytes]:
    """Yield all that would be written."""
    request, response = exchange.request, exchange.response
    yield from (request.body, response.body, request.uri.encode(), response.reason.encode())
    for name, value in (*request.headers, *response.headers):
        yield from (name.encode(), value.encode())


def is_in(exchange: Exchange, secret: str) -> bool:
    """Return whether a secret can be read in an exchange."""
    forms = {secret.encode(), json.dumps(secret)[1:-1].encode()}
    return any(
        form in seen for part in parts(exchange) for seen in readable(part, 3) for form in forms
    )


def test_no_planted_secret_is_written() -> None:
    """It is masked, or the recording is refused; then `scan` finds nothing, either."""
    chance, came = Chance(20261129), Counter[str]()
    escaped, flagged = [], []
    for number in range(COUNT):
        kind = ("known", "known", "shape", "named", "pieces")[number % 5]
        known = chance.choice(KNOWN)(chance)
        where = how = ""
        reader: Callable[[bytes], str] | None = None
        if kind == "named":
            secret, exchange = named(chance)
        elif kind == "pieces":
            secret = known if chance.random() < 0.6 else chance.choice(SHAPES)(chance)
            exchange, reader = in_pieces(chance, secret)
        else:
            secret = known if kind == "known" else chance.choice(SHAPES)(chance)
            how = chance.choice([*ENCODINGS] if kind == "known" else FOR_UNKNOWN)
            where = chance.choice([*POSITIONS])
            exchange = POSITIONS[where](ENCODINGS[how](chance, secret))
        secrets = (known,) if kind != "shape" else ()
        try:
            clean = Redactor(secrets).exchange(exchange)
        except SecretNotRedacted:
            came["refused"] += 1
            continue
        came["masked"] += 1
        left = secret in reader(clean.response.body) if reader else is_in(clean, secret)
        if left:
            escaped.append((kind, secret, how, where))
        if any(Scanner(secrets).scan(part) for part in parts(clean)):
            flagged.append((kind, secret, how, where))
    assert escaped == []
    assert flagged == []
    assert came["refused"] <= COUNT / 1000


# ------------------------------------------------------------------------------- ordinary exchanges


def strings(value: object) -> Iterator[str]:
    """Yield each text in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)


def recorded_texts() -> list[str]:
    """Return texts of real recordings, without the links whose signatures they hold."""
    texts = []
    for path in sorted(RECORDINGS.glob("*/*.yaml")):
        document = yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)
        for each in document["interactions"]:
            for side in ("request", "response"):
                body = each[side]["body"]
                body = body.get("string", "") if isinstance(body, dict) else body
                texts += [body] if isinstance(body, str) else []
    return [text for text in texts if text and "Signature=" not in text]


def ordinary(chance: Chance, recorded: list[str], code: list[str]) -> str:
    """Return a text that holds no secret: prose, code, hashes, ids, base64."""
    raw = chance.randbytes(chance.choice((16, 32, 48, 300)))
    lines = chance.choice(code).split("\n")
    start = chance.randrange(max(1, len(lines) - 40))
    return chance.choice(
        (
            lambda: chance.choice(recorded)[:4000],
            lambda: "\n".join(lines[start : start + 40]),
            lambda: f"{chance.choice(('etag', 'id', 'nonce'))}: {hashlib.sha256(raw).hexdigest()}",
            lambda: f"commit {hashlib.sha1(raw).hexdigest()} {hashlib.md5(raw).hexdigest()}",  # noqa: S324
            lambda: json.dumps(
                {
                    "id": str(uuid.UUID(bytes=raw[:16])),
                    "Postman-Token": str(uuid.UUID(bytes=raw[-16:])),
                }
            ),
            lambda: base64.b64encode(raw).decode(),
            lambda: f"data:image/png;base64,{base64.b64encode(raw).decode()}",
            lambda: json.dumps({"type": "thinking", "signature": base64.b64encode(raw).decode()}),
            lambda: f"next_page_token={pick(chance, LETTERS, 40)}",
        )
    )()


@pytest.mark.skipif(not RECORDINGS.exists(), reason=f"no real recordings at {RECORDINGS}")
def test_ordinary_exchanges_are_unchanged() -> None:
    """Texts of real recordings, code, hashes, ids, base64: at most one is taken for a secret."""
    chance = Chance(17)
    recorded = recorded_texts()
    code = [
        path.read_text(encoding="utf-8", errors="replace")
        for path in sorted(STANDARD_LIBRARY.glob("*.py"))
    ]
    redactor, changed = Redactor(("sk-0f1e2d3c4b5a69788796a5b4c3d2e1f0",)), []
    for _ in range(COUNT):
        texts = [ordinary(chance, recorded, code) for _ in range(2)]
        exchange = Exchange(
            Request("POST", CHAT, (), json.dumps({"messages": [{"content": texts[0]}]}).encode()),
            Response(200, "OK", (), json.dumps({"output": {"text": texts[1]}}).encode()),
        )
        try:
            clean = redactor.exchange(exchange)
        except SecretNotRedacted:
            changed.append(("refused", *texts))
            continue
        if clean != exchange:
            changed.append(
                ("changed", *(part.decode() for part in (clean.request.body, clean.response.body)))
            )
    assert changed[1:] == []
