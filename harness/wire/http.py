"""HTTP: the head of a response as text, addresses, and multipart bodies."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from harness.types import Json, Response


def head_text(response: Response, length: int | None = None) -> str:
    """Return the status line and the headers of *response*, with the empty line after them.

    Args:
        response: The response.
        length: The value to write for Content-Length; None for the recorded one.
    """
    is_chunked = "chunked" in (response.header("transfer-encoding") or "").lower()
    lines = [f"HTTP/1.1 {response.status} {response.reason}"]
    for name, value in response.headers:
        is_length = name.lower() == "content-length"
        if not (is_length and is_chunked):
            shown = value if length is None or not is_length else str(length)
            one_line = shown if shown.isprintable() else " ".join(shown.splitlines())
            lines.append(f"{name}: {one_line}")
    return "\r\n".join([*lines, "", ""])


_PLAIN_ADDRESS = re.compile(r"[A-Za-z][\w+.-]*://[\w.-]+(?::[0-9]{1,4})?+(?![^/?#])", re.ASCII)


def is_address(uri: str) -> bool:
    """Return whether Python can split *uri* into its parts.

    It cannot split `http://[::1/`, for example, or an address with the port 99999.
    """
    if _PLAIN_ADDRESS.match(uri):
        return True
    try:
        port = urlsplit(uri).port
    except ValueError:
        return False
    return port is None or port >= 0


def read_form(body: bytes) -> dict[str, Json] | None:
    """Return the fields of a multipart body by their names; None if *body* is not multipart.

    The value of a field is its text. That of a file, or of a field with further headers, is an
    object: `{"filename": "a.png", "headers": "...", "content": "..."}`. If several fields have the
    name `image`, the others are called `image[2]`, `image[3]` ...
    """
    boundary = body.partition(b"\r\n")[0]
    if not _BOUNDARY.fullmatch(boundary) or not body.rstrip().endswith(b"\r\n" + boundary + b"--"):
        return None
    fields: dict[str, Json] = {}
    counts: dict[str, int] = {}
    for part in (b"\r\n" + body).split(b"\r\n" + boundary + b"\r\n")[1:]:
        head, _, content = part.partition(b"\r\n\r\n")
        headers = head.decode("utf-8", "surrogateescape")
        text = content.partition(b"\r\n" + boundary + b"--")[0].decode("utf-8", "surrogateescape")
        match = _FIELD.search(headers)
        name = match[1] if match else ""
        counts[name] = counts.get(name, 0) + 1
        if counts[name] > 1:
            name = f"{name}[{counts[name]}]"
        file_name = _FILE_NAME.search(headers)
        rest = _FILE_NAME.sub("", _FIELD.sub("", headers))
        is_file = file_name is not None or rest.count("\r\n") > 0
        described: dict[str, Json] = {
            "filename": file_name[1] if file_name else "",
            "headers": rest,
        }
        fields[name] = {**described, "content": text} if is_file else text
    return fields


_BOUNDARY = re.compile(rb"--[\x20-\x7e]{1,70}")
_FIELD = re.compile(r"""(?<=;)\s*name="([^"\r\n]*)\"""")
_FILE_NAME = re.compile(r"""(?<=;)\s*filename="([^"\r\n]*)\"""")
