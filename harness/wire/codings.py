"""Content codings of answers (gzip and the like): undone for readers, and where there is none."""

from __future__ import annotations

import io
from dataclasses import replace

import urllib3

from harness.types import Response

_TOLD = frozenset({"content-encoding", "content-length"})


def undone(raw: bytes, coding: str) -> bytes | None:
    """A body with its content coding undone; None where there is none, or it cannot be."""
    if not _is_known(coding):
        return None
    response = urllib3.HTTPResponse(
        io.BytesIO(raw), headers={"content-encoding": coding}, preload_content=False
    )
    try:
        return response.read(decode_content=True)
    except urllib3.exceptions.DecodeError:
        return None


def decoded(answer: Response, body: bytes) -> Response:
    """An answer with a body that is in no coding any more."""
    headers = tuple((name, value) for name, value in answer.headers if name.lower() not in _TOLD)
    return replace(answer, headers=headers, body=body)


def honest(answer: Response) -> Response:
    """An answer that tells of no coding its body is not in, as vcrpy keeps those of urllib3."""
    coding = answer.header("content-encoding")
    if coding is None or not _is_known(coding) or undone(answer.body, coding) is not None:
        return answer
    return decoded(answer, answer.body)


def _is_known(coding: str) -> bool:
    known = urllib3.HTTPResponse.CONTENT_DECODERS
    return all(name.strip().lower() in known for name in coding.split(","))
