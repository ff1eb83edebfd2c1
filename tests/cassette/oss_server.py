"""A small server of Alibaba Cloud OSS on loopback, for the requests that its documentation names.

It lists (ListObjectsV2), puts, gets, looks at and deletes objects of buckets, whose names are the
first part of the path, as oss2 asks servers whose address is a number. Errors have OSS's codes.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, unquote, urlsplit

KEY = "LTAI-testing-key-id"
_TIME = "2026-01-01T00:00:00.000Z"
"""OSS gives times in seconds; here all files are of one second."""


class OssServer(ThreadingHTTPServer):
    """A running server; `buckets` has the contents of objects, by bucket and key."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.buckets: dict[str, dict[str, bytes]] = {}
        self.requests: list[tuple[str, str]] = []
        self.lock = threading.Lock()
        self.address = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore clients that disconnect."""


@contextmanager
def serving_oss() -> Iterator[OssServer]:
    """Run a server inside."""
    with OssServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: OssServer

    def answer(self) -> None:
        """Respond to one request."""
        url = urlsplit(self.path)
        bucket, _, key = unquote(url.path).strip("/").partition("/")
        query = {name: values[0] for name, values in parse_qs(url.query, True).items()}
        content = self.rfile.read(int(self.headers.get("content-length") or 0))
        with self.server.lock:
            self.server.requests.append((self.command, self.path))
            self._answer(bucket, key, query, content)

    do_GET = do_PUT = do_HEAD = do_DELETE = answer

    def _answer(self, bucket: str, key: str, query: dict[str, str], content: bytes) -> None:
        objects = self.server.buckets.get(bucket)
        if not self.headers.get("authorization", "").startswith(f"OSS {KEY}:"):
            self._error(403, "InvalidAccessKeyId")
        elif objects is None:
            self._error(404, "NoSuchBucket")
        elif not key:
            self._list(bucket, objects, query)
        elif self.command == "PUT":
            if self.headers.get("x-oss-forbid-overwrite") == "true" and key in objects:
                self._error(409, "FileAlreadyExists")
                return
            objects[key] = content
            self._send(200, b"", {"ETag": _etag(content)})
        elif self.command == "DELETE":
            objects.pop(key, None)
            self._send(204, b"", {})
        elif key not in objects:
            self._error(404, "NoSuchKey")
        else:
            self._send(200, objects[key], {"ETag": _etag(objects[key])})

    def _list(self, bucket: str, objects: dict[str, bytes], query: dict[str, str]) -> None:
        after = unquote(query.get("continuation-token", ""))
        prefix = query.get("prefix", "")
        names = sorted(name for name in objects if name.startswith(prefix) and name > after)
        page = names[: int(query.get("max-keys", "100"))]
        contents = "".join(
            f"<Contents><Key>{quote(name)}</Key><LastModified>{_TIME}</LastModified>"
            f"<ETag>{_etag(objects[name])}</ETag><Type>Normal</Type>"
            f"<Size>{len(objects[name])}</Size><StorageClass>Standard</StorageClass></Contents>"
            for name in page
        )
        more = "true" if len(names) > len(page) else "false"
        token = f"<NextContinuationToken>{quote(page[-1])}</NextContinuationToken>" if page else ""
        xml = (
            f"<ListBucketResult><Name>{bucket}</Name><EncodingType>url</EncodingType>"
            f"<IsTruncated>{more}</IsTruncated>{token}{contents}</ListBucketResult>"
        )
        self._send(200, xml.encode(), {"Content-Type": "application/xml"})

    def _error(self, status: int, code: str) -> None:
        xml = f"<Error><Code>{code}</Code><Message>about {KEY}</Message></Error>"
        self._send(status, xml.encode(), {"Content-Type": "application/xml"})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        length = {} if status == 204 else {"Content-Length": str(len(body))}
        for name, value in {**headers, **length}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


def _etag(content: bytes) -> str:
    return f'"{hashlib.md5(content, usedforsecurity=False).hexdigest().upper()}"'
