"""Fetching the pictures an answer links to, over the same tape as everything else."""

from __future__ import annotations

import httpx

from harness.providers.tls import trusted

LARGEST = 64 * 2**20
"""Bytes; a larger picture is not fetched to its end."""

TIMEOUT = 60.0
"""Seconds."""


def download(url: str) -> bytes | None:
    """The file behind a link; None if there is none to be had.

    Links come from recorded or live answers and so are not trusted: httpx follows none but those
    of the web, no redirect is followed, and a file larger than `LARGEST` is given up.
    """
    body = bytearray()
    try:
        with httpx.stream("GET", url, timeout=TIMEOUT, verify=trusted()) as response:
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > LARGEST:
                    return None
        return bytes(body) if response.is_success else None
    except (httpx.HTTPError, httpx.InvalidURL):
        return None
