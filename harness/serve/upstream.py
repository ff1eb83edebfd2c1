"""Connections to the services behind the recording proxy."""

from __future__ import annotations

import asyncio
import select
import ssl
import time
from base64 import b64encode
from collections import deque
from collections.abc import Iterable
from typing import Any, cast
from urllib.parse import unquote_to_bytes
from urllib.request import getproxies, proxy_bypass

import httpcore
import httpx

Headers = list[tuple[bytes, bytes]]
_Connection = httpcore.AsyncHTTPConnection | httpcore.AsyncConnectionPool
"""A connection to a service, or a pool of one connection through a proxy."""

TIMEOUT = {"connect": 60.0, "read": 600.0, "write": 600.0, "pool": 600.0}
"""Seconds; hundreds of clients that begin at once wait for each other before they connect."""

KEPT = 2.0
"""Seconds that a connection is kept after a response, if its body did not take longer.

Servers close it five seconds after their last byte, which may have waited here for a while.
"""

_SAFE = ("GET", "HEAD", "OPTIONS")
"""Methods that change nothing and cost nothing (RFC 9110, section 9.2.1)."""

_READ = 2**16
"""Bytes that may wait here before no more is taken from a service, or given to it."""


class Service:
    """A service, with connections to it, each of which has one request at a time.

    One pool for all would look through all its connections whenever a request begins or ends.

    Attributes:
        origin: The scheme and the host of the service.
    """

    def __init__(self, address: str, context: ssl.SSLContext) -> None:
        url = httpx.URL(address)
        port = b":%d" % url.port if url.port else b""
        self._host = (
            b"[%s]%s" % (url.raw_host, port) if b":" in url.raw_host else url.raw_host + port
        )
        self.origin = f"{url.scheme}://{self._host.decode('ascii')}"
        self._scheme, self._name, self._port = url.raw_scheme, url.raw_host, url.port
        login = unquote_to_bytes(url.userinfo)
        self._authorization = b"Basic " + b64encode(login) if login else b""
        self._context = context
        self._idle: list[_Connection] = []

    def headers(self, method: str, sent: Iterable[tuple[bytes, bytes]], body: bytes) -> Headers:
        """Return the headers of a request whose client sent the headers *sent*."""
        headers = [(b"host", self._host)]
        if not body and method in ("POST", "PUT", "PATCH"):
            headers.append((b"content-length", b"0"))
        for name, value in sent:
            if name != b"authorization" or not self._authorization:
                headers.append((name, value))
        if self._authorization:
            headers.append((b"authorization", self._authorization))
        if body:
            headers.append((b"content-length", b"%d" % len(body)))
        return headers

    async def send(
        self, method: str, target: str, headers: Headers, body: bytes
    ) -> UpstreamResponse:
        """Send a request, and return the response as soon as its head has arrived.

        A service may close a kept connection while a request is on its way there. Nobody can tell
        whether it has read that request, so only a request of a safe method is sent again.

        Raises an exception of httpcore if there is no response.
        """
        url = httpcore.URL(
            scheme=self._scheme, host=self._name, port=self._port, target=target.encode("latin-1")
        )
        request = httpcore.Request(
            method, url, headers=headers, content=body, extensions={"timeout": TIMEOUT}
        )
        kept = await self._kept()
        if kept is None:
            return await self._send_by(self._new(), request)
        try:
            return await self._send_by(kept, request)
        except (httpcore.NetworkError, httpcore.RemoteProtocolError):
            if method not in _SAFE:
                raise
        return await self._send_by(self._new(), request)

    async def _send_by(
        self, connection: _Connection, request: httpcore.Request
    ) -> UpstreamResponse:
        try:
            response = await connection.handle_async_request(request)
        except BaseException:
            await connection.aclose()
            raise
        return UpstreamResponse(response, connection, self._idle)

    async def _kept(self) -> _Connection | None:
        """Return the connection that was used last, if it is still open."""
        while self._idle:
            connection = self._idle.pop()
            if isinstance(connection, httpcore.AsyncConnectionPool) or not connection.has_expired():
                return connection
            await connection.aclose()
        return None

    def _new(self) -> _Connection:
        options: dict[str, Any] = {"ssl_context": self._context, "keepalive_expiry": KEPT}
        address = self._proxy()
        if not address:
            origin = httpcore.URL(
                scheme=self._scheme, host=self._name, port=self._port, target=b"/"
            ).origin
            return httpcore.AsyncHTTPConnection(origin, network_backend=_Network(), **options)
        proxy = httpx.Proxy(address)
        kind = httpcore.AsyncHTTPProxy
        if proxy.url.scheme.startswith("socks"):
            kind = cast("type[httpcore.AsyncHTTPProxy]", httpcore.AsyncSOCKSProxy)
        return kind(f"{proxy.url}", proxy_auth=proxy.raw_auth, max_connections=1, **options)

    def _proxy(self) -> str:
        """Return the URL of the proxy that the environment names for the service; "" for none."""
        if proxy_bypass(self._host.decode("ascii")):
            return ""
        proxies = getproxies()
        address = proxies.get(self._scheme.decode("ascii")) or proxies.get("all") or ""
        return address if "://" in address or not address else f"http://{address}"


class UpstreamResponse:
    """A response of a service, whose body is still to be read.

    Attributes:
        status: The status.
        reason: The reason phrase.
        headers: The headers, as they came.
    """

    def __init__(
        self,
        response: httpcore.Response,
        connection: _Connection,
        idle: list[_Connection],
    ) -> None:
        self._response, self._connection, self._idle = response, connection, idle
        self._arrived, self._is_open = time.monotonic(), True
        self.status: int = response.status
        self.reason: str = response.extensions["reason_phrase"].decode("ascii", "ignore")
        self.headers: Headers = response.headers
        self.chunks = response.aiter_stream()

    async def aclose(self) -> None:
        """End the response; its connection is kept for the next one if that is possible."""
        await self._response.aclose()
        if self._is_open:
            self._is_open = False
            is_fresh = time.monotonic() - self._arrived < KEPT
            one = self._connection
            is_usable = isinstance(one, httpcore.AsyncConnectionPool) or one.is_available()
            if is_fresh and is_usable:
                self._idle.append(one)
            else:
                await one.aclose()


class _Network(httpcore.AsyncNetworkBackend):
    """Connections by asyncio alone: httpcore's own take longer than the rest of a request."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Return a connection to a service."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                _, stream = await loop.create_connection(
                    _Stream, host, port, happy_eyeballs_delay=0.25
                )
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"{error}") from error
        except OSError as error:
            raise httpcore.ConnectError(f"{error}") from error
        return stream


class _Stream(asyncio.Protocol, httpcore.AsyncNetworkStream):
    """A connection to a service, as httpcore uses it."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._read: deque[bytes] = deque()
        self._written: list[bytes] = []
        self._changed = asyncio.Event()
        self._ended = False
        self._error: Exception | None = None
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the connection."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Keep what has come until it is read; no more is taken from the service before that."""
        self._read.append(data)
        self._transport.pause_reading()
        self._changed.set()

    def eof_received(self) -> None:
        """Note that nothing more will come."""
        self._ended = True
        self._changed.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the connection has ended."""
        self._ended, self._error = True, exc
        self._changed.set()
        self._writable.set()

    def pause_writing(self) -> None:
        """Wait before more is written."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Write on."""
        self._writable.set()

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write data, with the next data if there is little of it."""
        self._written.append(buffer)
        if sum(map(len, self._written)) > _READ:
            self._flush()
            try:
                async with asyncio.timeout(timeout):
                    await self._writable.wait()
            except TimeoutError as error:
                raise httpcore.WriteTimeout(f"{error}") from error

    def _flush(self) -> None:
        data, self._written = b"".join(self._written), []
        if data and not self._ended:
            self._transport.write(data)
        elif data:
            raise httpcore.WriteError(f"{self._error or ''}") from self._error

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return the next data; b"" at the end of the connection."""
        self._flush()
        if not self._read and not self._ended:
            self._changed.clear()
            self._transport.resume_reading()
            try:
                async with asyncio.timeout(timeout):
                    await self._changed.wait()
            except TimeoutError as error:
                raise httpcore.ReadTimeout(f"{error}") from error
        if self._read:
            data = self._read.popleft()
            if len(data) > max_bytes:
                self._read.appendleft(data[max_bytes:])
                data = data[:max_bytes]
            return data
        if self._error is not None:
            raise httpcore.ReadError(f"{self._error}") from self._error
        return b""

    async def aclose(self) -> None:
        """Close the connection."""
        self._transport.close()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Return the connection once it is encrypted."""
        loop = asyncio.get_running_loop()
        try:
            transport = await loop.start_tls(
                self._transport,
                self,
                ssl_context,
                server_hostname=server_hostname,
                ssl_handshake_timeout=timeout,
            )
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"{error}") from error
        except OSError as error:  # ssl.SSLError is one
            self._transport.close()
            raise httpcore.ConnectError(f"{error}") from error
        self._transport = cast("asyncio.Transport", transport)
        return self

    def get_extra_info(self, info: str) -> Any:
        """Return what httpcore asks for: the TLS object, and whether the service has closed."""
        if info == "ssl_object":
            return self._transport.get_extra_info("ssl_object")
        if info == "is_readable":
            return bool(self._read or self._ended) or _is_readable(self._transport)
        return None


def _is_readable(transport: asyncio.Transport) -> bool:
    """Return whether the system has data, or the end, of a connection that is not being read."""
    number = transport.get_extra_info("socket").fileno()
    if number < 0:
        return True
    if not hasattr(select, "poll"):
        return bool(select.select([number], [], [], 0)[0])
    poll = select.poll()
    poll.register(number, select.POLLIN)
    return bool(poll.poll(0))
