"""An order: pictures asked for as a task, where they hang, and what the task tells."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, replace
from datetime import datetime

from starlette.requests import Request

from harness.providers.dashscope.sandbox.questions import RANGES
from harness.sandbox.house import House, now
from harness.sandbox.listening import check_content, check_ranges, member, read_model, read_size
from harness.sandbox.pictures import Wish
from harness.sandbox.refusal import Reason, Refused
from harness.sandbox.tasks import Stage, Task
from harness.types import LooseJson

_MODEL = re.compile(
    r"wanx-v1|wanx?2\.\d-t2i-(?:turbo|plus|flash|preview)|flux-(?:schnell|dev|merged)"
    r"|stable-diffusion-(?:xl|v1\.5|3\.5-large(?:-turbo)?)|qwen-image(?:-plus)?"
)


@dataclass(frozen=True, slots=True)
class Order:
    """Pictures asked for: what, how many, and why they will not be drawn."""

    wish: Wish
    n: int
    failure: tuple[str, str] | None = None


TIMEOUT = (  # [DOC] with the page's own spelling
    "InternalError.Timeout",
    "An internal timeout error has occured during execution, please try again later or contact "
    "service support.",
)
_WANX_SIZES = ("1024*1024", "720*1280", "1280*720")
_BAD_SIZE = ("InvalidParameter", f"The size is not match the allowed size {list(_WANX_SIZES)}")


def hear_order(body: dict[str, LooseJson]) -> Order:
    """A request's body as an order. [DOC] a wrong size makes a task that fails."""
    model = read_model(body.get("model"), _MODEL)
    asked, parameters = member(body, "input"), member(body, "parameters")
    prompt = asked.get("prompt")
    if not isinstance(prompt, str) or not prompt.strip():
        raise Refused(Reason.BAD_PARAMETER, "Required parameter(s) missing or invalid: prompt")
    check_ranges(parameters, {"n": RANGES["n"]})
    check_content([prompt])
    size = parameters.get("size") or "1024*1024"
    width, height = read_size(size, "*") or (0, 0)
    wish = Wish(prompt, width, height, f"{model}/{parameters.get('seed')}")
    # [REC] wanx-v1 draws four when nobody says how many
    n = parameters.get("n") or (4 if model.startswith("wan") else 1)
    return Order(wish, n, None if _allowed(model, size, width, height) else _BAD_SIZE)


def _allowed(model: str, size: LooseJson, width: int, height: int) -> bool:
    """[DOC] wanx-v1 has a list of sizes; later models take 512 to 1440 pixels on each side."""
    if model == "wanx-v1":
        return size in _WANX_SIZES
    return all(512 <= side <= 1440 for side in (width, height))


def hang(house: House, request: Request, wish: Wish, number: int) -> str:
    """[REC] the shape of links to drawn pictures; [REC] they are signed and expire in a day."""
    made, part = now(), uuid.uuid4().hex
    name = f"dashscope/1d/{part[:2]}/{made:%Y%m%d}/{part[2:10]}/{uuid.uuid4()}-1.png"
    url = house.hang(request, name, replace(wish, seed=f"{wish.seed}/{number}"))
    expires = int(made.timestamp()) + 86400
    return f"{url}?Expires={expires}&OSSAccessKeyId=sandbox{part[10:24]}&Signature={part}%3D"


def task_output(task: Task) -> LooseJson:
    """[REC] a task's state: Beijing times without a zone, and how many pictures there are."""
    state = {Stage.DONE: "SUCCEEDED"}.get(task.stage, task.stage.upper())
    output: dict[str, LooseJson] = {"task_id": task.id, "task_status": state}
    times = {
        "submit_time": task.submitted,
        "scheduled_time": task.scheduled,
        "end_time": task.ended,
    }
    output |= {name: _local(time) for name, time in times.items() if time}
    if task.stage is Stage.DONE:
        output["results"] = [{"url": url} for url in task.result["urls"]]
    if task.stage is Stage.FAILED and task.failure:
        # [DOC] code and message inside output; the HTTP status stays 200
        output["code"], output["message"] = task.failure
    n = task.result["n"]
    succeeded, failed = n * (task.stage is Stage.DONE), n * (task.stage is Stage.FAILED)
    output["task_metrics"] = {"TOTAL": n, "SUCCEEDED": succeeded, "FAILED": failed}
    return output


def _local(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}.{time.microsecond // 1000:03d}"
