"""A process of its own in which a client asks: one that never comes back can be ended.

Run as `python -P -m harness.faults.run.worker FD CLIENT`, where FD is one end of a pipe.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from harness.errors import HarnessError
from harness.faults.run.clients import Client, Question, client, is_function
from harness.faults.run.judging import Heard, equal, first_heard, judged
from harness.faults.transport import Verdict


@dataclass(frozen=True, slots=True)
class Task:
    """One question. The untouched answer is asked for first, with `is_reference`; what was said
    to it is kept under `key`. After `limit` seconds without an answer the process is ended.
    """

    key: int
    question: Question
    limit: float
    raised: int = 0
    is_reference: bool = False


_LATE = 30.0
"""Seconds after which a process ends itself that should have been ended."""


def main(handle: int, name: str) -> None:
    """Answer every task until the other end is closed; first say who is here, or why not."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started this ends it
    if is_function(name):
        sys.path.insert(0, os.getcwd())  # an SDK is imported from where it is installed alone
    with Connection(handle) as line:
        try:
            asking = client(name)
        except HarnessError as error:
            line.send(error)
            return
        line.send((asking.endpoints,))
        _serve(line, asking)


def _serve(line: Connection, asking: Client) -> None:
    references: dict[int, Any] = {}
    while True:
        try:
            task: Task = line.recv()
        except EOFError:
            return
        # Should nobody be there to end the process, this does: the signal's default is to end it,
        # whatever it is caught in.
        signal.setitimer(signal.ITIMER_REAL, task.limit + _LATE)
        heard = _heard(asking, task, references)
        signal.setitimer(signal.ITIMER_REAL, 0)
        line.send(heard)


def _heard(asking: Client, task: Task, references: dict[int, Any]) -> Heard:
    if not task.is_reference:
        return judged(asking, task.question, references[task.key], task.raised)
    heard, value = first_heard(asking, task.question)
    if heard.verdict is Verdict.SAME:
        references.setdefault(task.key, value)
    if task.key in references and not equal(references[task.key], value):
        return Heard(Verdict.WRONG, "two answers to the same bytes differ")
    return heard


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
