"""How a sandbox is set up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.types import NOTHING

HOST = "127.0.0.1"
"""The sandbox never listens anywhere else."""

USUAL_PORT = 8765
"""Where a sandbox listens unless asked otherwise, and unless somebody else is there already."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a sandbox behaves. Times are in seconds; `chunk_gap` is a mean, see `House.stream`.

    `port` None is the usual one, or any free one where that is taken; 0 is any free one. A task
    answers `pending_polls` and then `running_polls` questions before it is done. `throttle_every`
    N refuses each N-th request (0: none). `throttle_on` and `fail_tasks_on` are texts that, found
    in what is asked, make a request throttled or a task fail; empty switches them off. `keys`
    replaces the accepted key of a provider, by its name in the table of speakers.
    """

    port: int | None = None
    latency: float = 0.0
    chunk_gap: float = 0.001
    pending_polls: int = 1
    running_polls: int = 1
    throttle_every: int = 0
    throttle_on: str = "触发限流"
    fail_tasks_on: str = "任务失败"
    keys: Mapping[str, str] = field(default_factory=lambda: NOTHING)


LIFELIKE = Options(latency=0.03, chunk_gap=0.012)
"""Slow enough that the times of a recording are worth a look, and quick enough to wait for."""
