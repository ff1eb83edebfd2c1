"""The seam in urllib3: its connection pools, which requests and so dashscope stand on."""

from __future__ import annotations

import io
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any

import urllib3

from harness.errors import RecordingFailed
from harness.tape.context import chunks_of, letting_through, on_the_way, tape_for
from harness.tape.recorder import Listener
from harness.types import Exchange, Request


def on_tape(original: Callable[..., Any]) -> Callable[..., Any]:
    """`HTTPConnectionPool.urlopen`, asking the tape first and letting it hear the answer."""

    def urlopen(
        self: urllib3.HTTPConnectionPool,
        method: str,
        url: str,
        body: Any = None,
        headers: Any = None,
        **options: Any,
    ) -> Any:
        if on_the_way.get():  # urllib3 asks again after a broken connection: heard already
            return original(self, method, url, body, headers, **options)
        asked = _request(self, method, url, body, headers)
        tape = tape_for(asked.method, asked.uri)
        found = tape.find(asked)
        if found is not None:
            return _Played(found, preload=options.get("preload_content", True), method=method)
        listener = tape.listen(asked)
        with letting_through():
            response = original(self, method, url, body, headers, **options)
        _hear(response, listener, preloaded=options.get("preload_content", True))
        return response

    return urlopen


def _request(
    pool: urllib3.HTTPConnectionPool, method: str, url: str, body: Any, headers: Any
) -> Request:
    default = {"http": 80, "https": 443}.get(pool.scheme)
    port = f":{pool.port}" if pool.port and pool.port != default else ""
    host = f"[{pool.host}]" if ":" in pool.host else pool.host
    uri = url if "://" in url else f"{pool.scheme}://{host}{port}{url}"
    sent = body.encode() if isinstance(body, str) else body
    if sent is not None and not isinstance(sent, bytes):
        raise RecordingFailed(f"{method} {uri}: a body of {type(body).__name__} cannot be kept")
    pairs = tuple((str(n), _header_text(v)) for n, v in dict(headers or {}).items())
    return Request(method.upper(), uri, pairs, sent or b"")


def _header_text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _hear(response: Any, listener: Listener, *, preloaded: bool) -> None:
    """Hear an answer that urllib3 hands out; `stream` is what requests reads its body by."""
    headers = tuple(response.headers.items())
    if preloaded:  # read and decoded already
        headers = tuple((n, v) for n, v in headers if n.lower() != "content-encoding")
    listener.head(response.status, response.reason or "", headers)
    if preloaded:
        listener.chunk(response.data)
        listener.end()
    else:
        response.stream = _heard(response, listener)


def _heard(response: Any, listener: Listener) -> Callable[..., Iterator[bytes]]:
    stream = response.stream

    def heard(amt: int | None = 2**16, decode_content: bool | None = None) -> Iterator[bytes]:
        # Heard as it came over the network; where it is compressed, the caller gets it decoded.
        raw = _passing(stream(amt, decode_content=False), listener)
        coding = response.headers.get("content-encoding", "identity")
        plain = coding.lower() == "identity" or not decode_content
        try:
            yield from raw if plain else _decoded(raw, coding)
        finally:
            listener.end()

    return heard


def _passing(raw: Iterator[bytes], listener: Listener) -> Iterator[bytes]:
    for chunk in raw:
        listener.chunk(chunk)
        yield chunk


def _decoded(raw: Iterator[bytes], coding: str) -> Iterator[bytes]:
    headers = {"content-encoding": coding}
    response = urllib3.HTTPResponse(_Readable(raw), headers=headers, preload_content=False)
    return response.stream(2**16)


class _Readable(io.RawIOBase):
    """An iterator of chunks as a file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._left = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            return self._left + b"".join(self._chunks)
        self._left = self._left or next(self._chunks, b"")
        data, self._left = self._left[:size], self._left[size:]
        return data


_FRAMING = frozenset({"transfer-encoding", "content-length"})


def _headers(pairs: Iterable[tuple[str, str]]) -> urllib3.HTTPHeaderDict:
    return urllib3.HTTPHeaderDict([(n, v) for n, v in pairs if n.lower() not in _FRAMING])


class _Played(urllib3.HTTPResponse):
    """A recorded answer as urllib3 would have given it."""

    def __init__(self, found: Exchange, *, preload: bool, method: str) -> None:
        answer = found.response
        self._found = found
        super().__init__(
            io.BytesIO(answer.body),
            headers=_headers(answer.headers),
            status=answer.status,
            reason=answer.reason,
            preload_content=preload,
            request_method=method,
        )

    def stream(
        self, amt: int | None = 2**16, decode_content: bool | None = None
    ) -> Generator[bytes, None, None]:
        if "content-encoding" in self.headers:
            yield from super().stream(amt, decode_content)
            return
        yield from chunks_of(self._found)
        self.close()
