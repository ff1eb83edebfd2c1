"""Options of a sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.types import EMPTY

HOST = "127.0.0.1"
"""The only address that a sandbox listens on."""

DEFAULT_PORT = 8765
"""The port of a sandbox unless another is requested or this one is taken."""


@dataclass(frozen=True, slots=True)
class Options:
    """Options of a sandbox; times are in seconds.

    Attributes:
        port: The port to listen on; 0 is any free port, None the default port or, where that is
            taken, any free one.
        latency: The wait before each response.
        chunk_gap: The mean time between two events of a stream.
        pending_polls: How many polls of a task are answered with "pending".
        running_polls: How many polls after those are answered with "running".
        throttle_every: Refuse each N-th request as one too many; 0 refuses none.
        throttle_on: Refuse requests that contain this text as too many; "" refuses none.
        fail_tasks_on: Let tasks fail whose prompt contains this text; "" fails none.
        keys: Accepted API keys by provider name, in place of the provider servers' own.
    """

    port: int | None = None
    latency: float = 0.0
    chunk_gap: float = 0.001
    pending_polls: int = 1
    running_polls: int = 1
    throttle_every: int = 0
    throttle_on: str = "触发限流"
    fail_tasks_on: str = "任务失败"
    keys: Mapping[str, str] = field(default_factory=lambda: EMPTY)


LIFELIKE = Options(latency=0.03, chunk_gap=0.012)
"""Options with which recorded latencies are measurable and a recording is still quick."""
