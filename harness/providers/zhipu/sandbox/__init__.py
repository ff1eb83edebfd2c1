"""Zhipu's language: chat/completions, its tasks, and images/generations."""

from __future__ import annotations

import uuid

from starlette.requests import Request
from starlette.responses import Response

from harness.providers.zhipu.sandbox.answers import completion, created, finished, status
from harness.providers.zhipu.sandbox.headers import headers, new_id, stream_headers
from harness.providers.zhipu.sandbox.keys import KEY, check_key
from harness.providers.zhipu.sandbox.pictures import hang, hear_wish
from harness.providers.zhipu.sandbox.questions import hear, thinks
from harness.providers.zhipu.sandbox.refusals import broken, no_such_path, refuse
from harness.providers.zhipu.sandbox.streams import stream_events
from harness.sandbox import mind
from harness.sandbox.house import House, said, streamed
from harness.sandbox.listening import last_question, read_object
from harness.sandbox.refusal import Reason, Refused
from harness.sandbox.speaker import ProviderServer
from harness.sandbox.tasks import Stage
from harness.types import Call, Mode

__all__ = ["KEY", "SERVER"]


async def _hear(house: House, request: Request) -> Call:
    call = hear(await read_object(request))
    house.check_rate(last_question(call))
    return call


async def chat(house: House, request: Request) -> Response:
    """Answer at once, or as a stream."""
    call, id = await _hear(house, request), new_id()
    reply = mind.answer(call, thinks=thinks(call))
    if call.mode is Mode.STREAM:
        events = house.stream(stream_events(reply, call.model, id))
        return streamed(events, stream_headers(id))
    asked_id = call.parameters.get("request_id")
    request_id = asked_id if isinstance(asked_id, str) and asked_id else id
    return said(completion(reply, call.model, id, request_id), 200, headers(id))


async def submit(house: House, request: Request) -> Response:
    """Take on a task. [DOC] its id is a prefix and a number that may be negative."""
    call = await _hear(house, request)
    number = uuid.uuid4().int % 10**19
    id, request_id = f"101002{-number}", str(-number - 1)
    failure = ("", "") if house.fails(last_question(call)) else None
    reply = mind.answer(call, thinks=thinks(call))
    house.tasks.submit(id, finished(reply, call.model, id, request_id), failure)
    return said(status(id, request_id, call.model, "PROCESSING"), 200, headers(new_id()))


async def poll(house: House, request: Request) -> Response:
    """Tell how a task is doing. [DOC] `model` is null while it is being worked on."""
    task = house.tasks.poll(request.path_params["id"])
    if task is None or "choices" not in task.result:
        raise Refused(Reason.NO_SUCH_TASK)
    result, sent = task.result, headers(new_id())
    if task.stage is Stage.DONE:
        return said(result, 200, sent)
    failed = task.stage is Stage.FAILED
    model = result["model"] if failed else None
    state = "FAIL" if failed else "PROCESSING"
    return said(status(result["id"], result["request_id"], model, state), 200, sent)


async def draw(house: House, request: Request) -> Response:
    """Draw a picture. [DOC] the answer has no id, no model and no usage."""
    wish = hear_wish(await read_object(request))
    house.check_rate(wish.prompt)
    url = hang(house, request, wish)
    return said({"created": created(), "data": [{"url": url}]}, 200, headers(new_id()))


SERVER = ProviderServer(
    prefix="/api/paas/v4",
    key=KEY,
    check_key=check_key,
    endpoints=(
        ("POST", "/chat/completions", chat),
        ("POST", "/async/chat/completions", submit),
        ("GET", "/async-result/{id}", poll),
        ("POST", "/images/generations", draw),
    ),
    refuse=refuse,
    no_such_path=no_such_path,
    broken=broken,
)
