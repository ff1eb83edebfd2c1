"""The calls of DashScope's API, in its own format and in OpenAI's, as data for strategies.

Letters with a number, such as B3, are sections of docs/WIRE_FACTS.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from uuid import UUID

from harness.providers.dashscope import compatible
from harness.providers.dashscope.endpoints import ENDPOINTS
from harness.providers.operation import ApiForm, Head, Headers, frame_data_events, read_operations

_FILE = Path(__file__).with_suffix(".toml")
_MODELS = ("qwen-flash", "qwen-plus")


def _uuid(number: int) -> str:
    return str(UUID(int=number, version=4))


def frame_event(number: int, data: bytes) -> bytes:
    """Return the bytes of an event of DashScope with the id *number*, the name `result` and *data*.

    As from the service, a comment has the status 200, and no space follows a colon: [DOC],
    section B3 of docs/WIRE_FACTS.md.
    """
    return b"id:%d\nevent:result\n:HTTP_STATUS/200\ndata:%s\n\n" % (number, data)


def frame_events(events: Iterable[bytes]) -> bytes:
    """Return the body of a stream with one event for each item of *events*; ids count from 1."""
    return b"".join(frame_event(number, data) for number, data in enumerate(events, start=1))


def _headers(head: Head, milliseconds: int) -> Headers:
    """Return the headers with the request's id and with consistent times in milliseconds [REC]."""
    arrived = head.created * 1000
    return (
        ("x-request-id", head.id),
        ("req-arrive-time", str(arrived)),
        ("resp-start-time", str(arrived + milliseconds)),
        ("req-cost-time", str(milliseconds)),
    )


DASHSCOPE = ApiForm(
    models=_MODELS,
    ids=(lambda created, number: _uuid(number),),
    task_id=_uuid,
    frame=frame_events,
    headers=_headers,
    id_per_poll=True,
    operations=read_operations(_FILE, "dashscope", ENDPOINTS),
)

COMPATIBLE = ApiForm(
    models=_MODELS,
    ids=(lambda created, number: f"chatcmpl-{_uuid(number)}",),
    task_id=_uuid,
    frame=frame_data_events,
    usage_apart=True,
    operations=read_operations(_FILE, "compatible", compatible.ENDPOINTS),
)

API_FORMS = {"dashscope": DASHSCOPE, "compatible": COMPATIBLE}
