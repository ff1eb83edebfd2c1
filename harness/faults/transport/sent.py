"""What goes out over a connection in place of a recorded answer, and how it comes to its end."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from harness.types import Response

UNFIT = frozenset(
    {
        "connection",
        "content-encoding",
        "content-length",
        "keep-alive",
        "set-cookie",
        "transfer-encoding",
    }
)
"""Headers, in lower case, that belonged to the recorded connection and not to the answer."""


class Ending(StrEnum):
    """How a connection ends: as HTTP says, closed or reset before that, or not at all."""

    WHOLE = "whole"
    CLOSED = "closed"
    RESET = "reset"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Sent:
    """One answer as it is sent: `what` says in words what was changed.

    `pieces` are the sizes in bytes of the packets, one packet if there are none; `wait` is the
    time before the first byte, as a share of the client's timeout; with `headless` nothing is sent
    at all. `declared` is a Content-Length that the body does not have. `packed` sends it in gzip.

    `keeps` says that all a client needs may still be in it, so that the same answer is right even
    after a harmful change. Token counts were `raised` by this number, the total by twice of it.
    """

    what: str
    response: Response
    pieces: tuple[int, ...] = ()
    ending: Ending = Ending.WHOLE
    wait: float = 0.0
    headless: bool = False
    declared: int | None = None
    packed: bool = False
    keeps: bool = False
    raised: int = 0
