"""Commands that are run beside a server, and the wait for the signal that ends a server."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue

from harness.errors import HarnessError


def run_command(command: Sequence[str], variables: Mapping[str, str]) -> int:
    """Run a command with the environment *variables* set, and return its exit code.

    It is 128 plus the signal's number if a signal ended the command.

    Raises:
        HarnessError: The command cannot be started.
    """
    own = {name: _with_loopback(os.environ.get(name, "")) for name in ("NO_PROXY", "no_proxy")}
    try:
        process = subprocess.Popen(  # noqa: S603 - the user's own command
            command, env={**os.environ, **own, **variables}
        )
    except OSError as error:
        raise HarnessError(
            f"{command[0]} cannot be started: {error.strerror}; check the command after --"
        ) from None
    with _on_signals(lambda number: process.send_signal(number)):
        code = process.wait()
    return code if code >= 0 else 128 - code


def _with_loopback(hosts: str) -> str:
    return ",".join(filter(None, (hosts, "127.0.0.1", "localhost")))


def wait_for_signal(announce: Callable[[], None]) -> None:
    """Call *announce*, then wait for SIGINT, SIGTERM or SIGHUP.

    A signal that comes during the call is noticed, too.
    """
    # A handler may interrupt the wait itself: an Event would wait for its own lock then.
    signals = SimpleQueue[int]()
    with _on_signals(signals.put):
        announce()
        while True:  # a wait without end would hold back the handlers
            with suppress(Empty):
                signals.get(timeout=0.2)
                return


@contextmanager
def _on_signals(react: Callable[[int], None]) -> Iterator[None]:
    """Call *react* with the number of each signal to end during the `with` block.

    Ctrl-C reaches a command that was started from the same terminal by itself. The end of a
    terminal is such a signal, too, unless it is ignored (`nohup`).
    """
    numbers = [signal.SIGINT, signal.SIGTERM]
    hangup = getattr(signal, "SIGHUP", None)
    if hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN:
        numbers.append(hangup)
    before = [signal.signal(n, lambda number, frame: react(number)) for n in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
