"""Transcripts of curl: what `curl --trace FILE`, `curl --trace-ascii FILE` and `curl -v` print.

A trace has every byte, as hexadecimal; with `--trace-ascii`, a dot stands for each byte that is no
printable ASCII. `curl -v` has no request body; it is taken from the command
line before it (`$ curl ... -d '{...}'`) if there is one.
"""

from __future__ import annotations

import io
import re
import shlex
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.convert.cassettes import NO_PIECES
from harness.convert.converted import Converted
from harness.errors import BadCassette
from harness.types import Exchange, Request, Response
from harness.wire.codings import undo_coding, with_plain_body

_TRACE = re.compile(
    r"^(?:[\d:.]+ )?(?:\[[\w-]+\] )?(=>|<=) (?:Send|Recv) (header|data), (\d+) bytes",
    re.MULTILINE,
)
_HEX = re.compile(r"^[0-9a-f]{4,}: ((?:[0-9a-f]{2} ){1,16})")
_ASCII = re.compile(r"^([0-9a-f]{4,}): (.*)")
_VERBOSE = re.compile(r"^> (\S+ \S+ HTTP/[\d.]+)\r?$", re.MULTILINE)
_DOT_AT_LINE_END = re.compile(rb"\.(?=\.?(?:(?:data|event|id|retry):|:|$))")
_PROMPT = re.compile(r"^([^\"'{}<]{0,80}?[$#%>]\s*|\s*)(curl(?:\.exe)?\s.*)$")
_REMARK = re.compile(r"^(?:\*|[>{}<] ?\[?|  % Total)(?: |$)")
_METER = re.compile(r"^[\r ]*(?:% Total|Dload|\d+ .*(?:--:--:--|\d:\d\d:\d\d))")
_GLUED = re.compile(r"\* (?:Connection #\d+ to host|Closing connection|shutting down conn).*$")
"""A remark of curl that follows a body without a line end."""
_TAKEN = ("-d", "--data", "--data-raw", "--data-binary", "--data-ascii", "--json")
_OTHER_DATA = ("-F", "--form", "--form-string", "--data-urlencode", "-T", "--upload-file")
_DOTS = (
    "bytes that are no printable ASCII: --trace-ascii prints dots, taken for line ends in streams"
)
_NO_REQUEST_BODY = "the request body, which `curl -v` does not print"
_OTHER_LENGTH = "the request body as it was sent: that of the command line has another length"


@dataclass
class _Raw:
    """The bytes of one exchange."""

    sent: bytes = b""
    data: bytes = b""
    received: bytes = b""
    body: bytes = b""
    scheme: str = "https"
    known_data: bool = True
    is_exact: bool = True


def reads(text: str) -> bool:
    """Return whether a text is a transcript of curl."""
    return bool(_TRACE.search(text) or _VERBOSE.search(text))


def read(content: bytes, source: str) -> Converted:
    """Return the exchanges in *content*, the bytes of a transcript of curl.

    *source* is the name of the file for messages; requests without a response, and tunnels through
    a proxy, are noted as skipped.

    Raises:
        BadCassette: The text is no transcript of curl.
    """
    text = content.decode("utf-8", "surrogateescape")
    if not reads(text):
        raise BadCassette(
            "not a transcript of curl: made with --trace FILE, --trace-ascii FILE or -v", source
        )
    converted = Converted()
    raws = _traced(text) if _TRACE.search(text) else _verbose(text)
    for number, raw in enumerate(raws, start=1):
        exchange = _exchange(raw)
        if exchange is None:
            converted.skip(f"{source}, request {number}", "it got no response")
            continue
        if exchange.request.method == "CONNECT":
            converted.skip(f"{source}, request {number}", "a tunnel (CONNECT) through a proxy")
            continue
        converted.lose(NO_PIECES)
        length = dict(exchange.request.headers).get("Content-Length", "")
        if not raw.known_data:
            converted.lose(_NO_REQUEST_BODY)
        elif length.isdecimal() and int(length) != len(raw.data):
            converted.lose(_OTHER_LENGTH)
        if not raw.is_exact:
            converted.lose(_DOTS)
        converted.exchanges.append(exchange)
    return converted


def _traced(text: str) -> Iterator[_Raw]:
    """Yield the exchanges of a trace."""
    raw, scheme = _Raw(), "https"
    for kind, size, lines in _blocks(text):
        for line in lines if not kind else ():
            scheme = _scheme(line, scheme)
        data = _data(lines, size) if kind else b""
        if kind == "=> header":
            if raw.received:
                yield raw
                raw = _Raw()
            raw.sent += data
            raw.scheme = scheme
        elif kind == "=> data":
            raw.data += data
        elif kind == "<= header":
            raw.received += data
        elif kind == "<= data":
            raw.body += data
        raw.is_exact = raw.is_exact and (not data or _is_hex(lines))
    yield raw


def _blocks(text: str) -> Iterator[tuple[str, int, list[str]]]:
    """Yield the kind, the size and the lines of each part of a trace; remarks have no kind."""
    kind, size, lines = "", 0, list[str]()
    for line in text.split("\n"):
        match = _TRACE.match(line)
        if match or not _ASCII.match(line):
            yield kind, size, lines
            kind, size, lines = "", 0, [line]
        if match:
            kind, size, lines = f"{match[1]} {match[2]}", int(match[3]), []
        elif _ASCII.match(line):
            lines.append(line.removesuffix("\r"))
    yield kind, size, lines


def _is_hex(lines: Sequence[str]) -> bool:
    return all(_HEX.match(line) for line in lines)


def _data(lines: Sequence[str], size: int) -> bytes:
    """Return the bytes that lines of a trace show, as hexadecimal or as text.

    A line of text ends where the next one begins: two bytes that are not shown are CR and LF.
    """
    if _is_hex(lines):
        return b"".join(bytes.fromhex(m[1]) for line in lines if (m := _HEX.match(line)))
    found = [match for line in lines if (match := _ASCII.match(line))]
    ends = [*(int(match[1], 16) for match in found[1:]), size]
    return b"".join(
        match[2].encode("latin-1", "replace")
        + (b"\r\n" if end - int(match[1], 16) == len(match[2]) + 2 else b"")
        for match, end in zip(found, ends, strict=True)
    )


def _scheme(line: str, known: str) -> str:
    """Return the scheme that a line of curl's remarks shows, else *known*."""
    connected = re.search(r"port (\d+)", line) if "onnect" in line else None
    if connected is None:
        return known
    return "https" if connected[1] == "443" else "http"


def _verbose(text: str) -> Iterator[_Raw]:
    """Yield the exchanges of what `curl -v` printed."""
    raw, command_data, scheme, is_body = _Raw(known_data=False), None, "https", False
    lines = deque(io.StringIO(text, newline="\n"))  # a carriage return alone ends no line
    while lines:
        line = lines.popleft()
        bare = line.rstrip("\r\n")
        prompt = _PROMPT.match(bare)
        if prompt and (prompt[1].strip() or not is_body):
            command_data, is_body = _data_of(_command(prompt[2], lines)), False
        elif bare.startswith("> ") or bare == ">":
            if raw.received:
                yield raw
                raw, is_body = _Raw(known_data=False), False
            raw.sent += bare[2:].encode("utf-8", "surrogateescape") + b"\r\n"
            raw.scheme = scheme
            if command_data is not None:
                raw.data, raw.known_data = command_data, True
        elif bare.startswith("< ") or bare == "<":
            raw.received += bare[2:].encode("utf-8", "surrogateescape") + b"\r\n"
            is_body, command_data = bare.strip() == "<", None
        elif bare.startswith(("* ", "{ [", "} [")):
            scheme = _scheme(bare, scheme)
        elif bare.strip() == "```":  # around a transcript in Markdown
            is_body = False
        elif is_body and not _METER.match(bare):
            glued = _GLUED.search(bare)
            raw.body += (bare[: glued.start()] if glued else line).encode(
                "utf-8", "surrogateescape"
            )
    yield raw


def _command(first: str, lines: deque[str]) -> str:
    """Return a command line that begins with *first*; take its further lines from *lines*."""
    command = first
    while lines and not _REMARK.match(lines[0]) and not _is_whole(command):
        command += "\n" + lines.popleft().rstrip("\r\n")
    return command


def _is_whole(command: str) -> bool:
    try:
        shlex.split(command)
    except ValueError:
        return False
    return not command.endswith(("\\", "^", "`"))


def _data_of(command: str) -> bytes | None:
    """Return the data of a curl command line; None if it is not all there, as if in a file."""
    try:
        words = shlex.split(re.sub(r"[\^`]\n", "\n", command))
    except ValueError:
        return None
    found: list[str] = []
    for word, following in zip(words, [*words[1:], ""], strict=True):
        name, equals, value = word.partition("=")
        if name in _OTHER_DATA:
            return None
        if word in _TAKEN:
            found.append(following)
        elif equals and name in _TAKEN:
            found.append(value)
        elif re.match(r"-d.", word):
            found.append(word[2:])
    if any(value.startswith("@") for value in found):
        return None
    return "&".join(found).encode("utf-8", "surrogateescape")


def _exchange(raw: _Raw) -> Exchange | None:
    start, headers = _head(raw.sent)
    # A redirect or an interim response (100 Continue) has a head of its own before the last one.
    heads = [part for part in re.split(rb"(?=^HTTP/)", raw.received, flags=re.MULTILINE) if part]
    if not start or not heads:
        return None
    status_line, received = _head(heads[-1])
    method, _, rest = start.partition(" ")
    target = rest.rpartition(" ")[0]
    host = next((value for name, value in headers if name.lower() == "host"), "localhost")
    uri = target if "://" in target else f"{raw.scheme}://{host}{target}"
    _, _, status = status_line.partition(" ")
    code, _, reason = status.partition(" ")
    if not code.isdecimal():
        return None
    response = Response(int(code), reason, received)
    received_body = _without_chunks(raw.body) if response.header("transfer-encoding") else raw.body
    if not raw.is_exact and "event-stream" in (response.header("content-type") or ""):
        received_body = _DOT_AT_LINE_END.sub(b"\n", received_body)
    length = response.header("content-length") or ""
    if length.isdecimal() and not response.header("content-encoding"):
        received_body = received_body[: int(length)]
    body = undo_coding(received_body, response.header("content-encoding") or "identity")
    request = Request(method, uri, headers, raw.data)
    return Exchange(request, with_plain_body(response, received_body if body is None else body))


def _without_chunks(body: bytes) -> bytes:
    """Return a body without the framing of chunks, which some versions of curl print too."""
    rest, plain = body, b""
    while match := re.match(rb"([0-9a-fA-F]{1,8})(?:;[^\r\n]*)?\r\n", rest):
        size = int(match[1], 16)
        plain += rest[match.end() : match.end() + size]
        rest = rest[match.end() + size + 2 :]
        if size == 0:
            return plain
    return body


def _head(data: bytes) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return the first line of a request or response, and its headers."""
    first, *lines = data.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines if ":" in line)
    return first, tuple((name.strip(), value.strip()) for name, _, value in pairs)
