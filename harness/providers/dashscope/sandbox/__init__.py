"""DashScope's language: text and multimodal generation, pictures as tasks, and tasks."""

from __future__ import annotations

import hmac
import uuid
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response

from harness.analysis.endpoint import Endpoint
from harness.providers.dashscope.endpoints import GENERATION, MULTIMODAL
from harness.providers.dashscope.sandbox.answers import generation
from harness.providers.dashscope.sandbox.form import Form
from harness.providers.dashscope.sandbox.headers import (
    answer_headers,
    headers,
    poll_headers,
    stream_headers,
)
from harness.providers.dashscope.sandbox.pictures import TIMEOUT, hang, hear_order, task_output
from harness.providers.dashscope.sandbox.questions import hear
from harness.providers.dashscope.sandbox.refusals import broken, no_such_path, refuse
from harness.providers.dashscope.sandbox.streams import stream_events
from harness.sandbox import mind
from harness.sandbox.house import House, said, streamed
from harness.sandbox.listening import last_question, read_object
from harness.sandbox.refusal import Reason, Refused
from harness.sandbox.speaker import ProviderServer, arrival
from harness.sandbox.tasks import Stage
from harness.types import LooseJson

__all__ = ["KEY", "SERVER"]

KEY = "sk-sandbox0000000000000000000000000"
"""The key this sandbox accepts; the real service knows nothing of it."""


def check_key(token: str, key: str) -> None:
    """Let in who sends the key."""
    if not hmac.compare_digest(token.encode(), key.encode()):
        raise Refused(Reason.WRONG_KEY)


async def generate(house: House, request: Request) -> Response:
    """Answer a model of the text endpoint, at once or as a stream."""
    return await _chat(house, request, GENERATION)


async def see(house: House, request: Request) -> Response:
    """Answer a model of the multimodal endpoint; of what it is sent only the texts count."""
    return await _chat(house, request, MULTIMODAL)


async def _chat(house: House, request: Request, endpoint: Endpoint) -> Response:
    call = hear(await read_object(request), endpoint)
    house.check_rate(last_question(call))
    form = Form.of(call, str(uuid.uuid4()))
    reply, arrived = mind.answer(call), arrival(request)
    if _is_stream(request):
        events = house.stream(stream_events(reply, form))
        return streamed(events, stream_headers(form.request_id, arrived))
    return said(generation(reply, form), 200, answer_headers(form.request_id, arrived))


def _is_stream(request: Request) -> bool:
    """[DOC] either header does."""
    asked = request.headers.get("x-dashscope-sse", "").lower() == "enable"
    return asked or request.headers.get("accept", "").lower().startswith("text/event-stream")


async def submit(house: House, request: Request) -> Response:
    """Take on the drawing of pictures. [REC] `x-dashscope-finished` is not sent here."""
    if request.headers.get("x-dashscope-async", "").lower() != "enable":
        raise Refused(Reason.NOT_ASYNC)
    order = hear_order(await read_object(request))
    house.check_rate(order.wish.prompt)
    id, request_id = str(uuid.uuid4()), str(uuid.uuid4())
    if house.fails(order.wish.prompt):
        order = replace(order, failure=TIMEOUT)
    urls = [] if order.failure else [hang(house, request, order.wish, n) for n in range(order.n)]
    house.tasks.submit(id, {"urls": urls, "n": order.n}, order.failure)
    output = {"task_id": id, "task_status": "PENDING"}
    sent = headers(request_id, arrival(request), [("x-dashscope-call-gateway", "true")])
    return said({"request_id": request_id, "output": output}, 200, sent)


async def poll(house: House, request: Request) -> Response:
    """Tell how a task is doing. [REC] every answer has a fresh request_id of its own."""
    id, request_id = request.path_params["id"], str(uuid.uuid4())
    task = house.tasks.poll(id)
    if task is None or "urls" not in task.result:
        # [REC] also an id that never was is answered with HTTP 200
        body: LooseJson = {
            "request_id": request_id,
            "output": {"task_id": id, "task_status": "UNKNOWN"},
        }
    else:
        body = {"request_id": request_id, "output": task_output(task)}
        if task.stage is Stage.DONE:
            body["usage"] = {"image_count": len(task.result["urls"])}
    return said(body, 200, poll_headers(request_id, arrival(request)))


SERVER = ProviderServer(
    prefix="/api/v1",
    key=KEY,
    check_key=check_key,
    endpoints=(
        ("POST", "/services/aigc/text-generation/generation", generate),
        ("POST", "/services/aigc/multimodal-generation/generation", see),
        ("POST", "/services/aigc/text2image/image-synthesis", submit),
        ("GET", "/tasks/{id}", poll),
    ),
    refuse=refuse,
    no_such_path=no_such_path,
    broken=broken,
)
