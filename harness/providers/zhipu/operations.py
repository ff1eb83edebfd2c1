"""The calls of Zhipu's API, as data for strategies.

Letters with a number, such as A1, are sections of docs/WIRE_FACTS.md.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

from harness.providers.operation import ApiForm, frame_data_events, read_operations
from harness.providers.zhipu.endpoints import ENDPOINTS

_BEIJING = timezone(timedelta(hours=8))


def _time_id(created: int, number: int) -> str:
    """Return an id in the format of [REC]: the Beijing time of *created*, and 16 hex digits."""
    return f"{datetime.fromtimestamp(created, _BEIJING):%Y%m%d%H%M%S}{number % 16**16:016x}"


def _number_id(created: int, number: int) -> str:
    """Return an id in the format of [DOC] A1: a number of 19 digits."""
    return str(8 * 10**18 + number % 10**18)


def _task_id(number: int) -> str:
    """Return a task's id in the format of A4: a prefix and a number, which may be negative."""
    id = number % 10**18
    return f"1019{-id if number % 2 else id}"


ZHIPU = ApiForm(
    models=("glm-4", "glm-4.7"),
    ids=(_time_id, _number_id),
    task_id=_task_id,
    frame=frame_data_events,  # A2
    headers=lambda head, milliseconds: (("x-log-id", head.id),),
    operations=read_operations(Path(__file__).with_suffix(".toml"), "zhipuai", ENDPOINTS),
)

API_FORMS = {"zhipuai": ZHIPU}
