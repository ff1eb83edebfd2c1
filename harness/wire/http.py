"""The head of an HTTP/1.1 response as text, and addresses."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from harness.types import Response


def head_text(response: Response, length: int | None = None) -> str:
    """Return the status line and the headers of *response*, with the empty line after them.

    Args:
        response: The response.
        length: The value of Content-Length, where the recorded one is not that of the body.
    """
    is_chunked = "chunked" in (response.header("transfer-encoding") or "").lower()
    lines = [f"HTTP/1.1 {response.status} {response.reason}"]
    for name, value in response.headers:
        is_length = name.lower() == "content-length"
        if not (is_length and is_chunked):
            shown = value if length is None or not is_length else str(length)
            lines.append(f"{name}: {' '.join(shown.splitlines())}")
    return "\r\n".join([*lines, "", ""])


_PLAIN_ADDRESS = re.compile(r"[A-Za-z][\w+.-]*://[\w.-]+(?::[0-9]{1,4})?+(?![^/?#])", re.ASCII)


def is_address(uri: str) -> bool:
    """Return whether Python can take an address apart: not `http://[::1/`, nor port 99999."""
    if _PLAIN_ADDRESS.match(uri):
        return True
    try:
        port = urlsplit(uri).port
    except ValueError:
        return False
    return port is None or port >= 0
