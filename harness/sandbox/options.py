"""Options of a sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.types import EMPTY

HOST = "127.0.0.1"
"""The only address that a sandbox listens on."""

DEFAULT_PORT = 8765
"""The port of a sandbox if no other is requested; any free port if this one is in use."""


@dataclass(frozen=True, slots=True)
class Options:
    """Options of a sandbox; times are in seconds.

    Attributes:
        port: The port to listen on. 0 means any free port; None means `DEFAULT_PORT` or, if that
            is in use, any free port.
        latency: The wait before each response.
        chunk_gap: The mean time between two events of a stream.
        pending_polls: The number of polls of a task that report the state "pending".
        running_polls: The number of polls after these that report the state "running".
        throttle_every: Refuse every N-th request with HTTP 429; 0 refuses none.
        throttle_on: Refuse requests that contain this text with HTTP 429; "" refuses none.
        fail_tasks_on: Tasks whose prompt contains this text fail; with "" none fails.
        keys: The accepted API keys by provider name, instead of `ProviderServer.key`.
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
"""Options with latencies that are long enough to measure, and short enough to record quickly."""
