"""Running the replay server or the recording proxy, until a command ends or a signal comes."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from harness.cassette.journal import journal_path, unfinished
from harness.cassette.remote import location
from harness.config.environment import NO_KEY
from harness.errors import HarnessError, UnfinishedRecording
from harness.faults import InjectedFault
from harness.providers.clients import base_paths
from harness.sandbox.server import run_in_thread
from harness.serve import proxy
from harness.serve.cassettes import ServedCassettes
from harness.serve.commands import run_command, wait_for_signal
from harness.serve.links import Links
from harness.serve.proxy import ProxyCassette, Upstream
from harness.serve.replay import Sessions, application
from harness.types import Cassette

Announce = Callable[[str, Mapping[str, str]], None]
"""Called when the server listens, with its address and the variables to set for clients."""


@dataclass(frozen=True)
class ServeResult:
    """What a replay server or a recording proxy did until it ended.

    Attributes:
        exit_code: The exit code of the command that was run; None without a command.
        answered: The number of requests that were answered or recorded.
        missed: The number of requests without a recorded answer.
        misses: A text for each of the first of them.
        unused: A text for each recorded exchange that answered nothing.
        status: For a replay, the answers, misses and unused exchanges of each session, as JSON.
        served: For a replay, the cassettes that answered, each with the exchanges that did.
    """

    exit_code: int | None = None
    answered: int = 0
    missed: int = 0
    misses: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    status: Mapping[str, Any] = field(default_factory=dict)
    served: Mapping[str, Cassette] = field(default_factory=dict)


def replay(
    cassettes: ServedCassettes,
    announce: Announce,
    command: Sequence[str] = (),
    port: int | None = None,
    pace: float = 0.0,
    links: Links | None = None,
    faults: Sequence[InjectedFault] = (),
) -> ServeResult:
    """Replay cassettes over HTTP until the command ends or, without one, until a signal.

    Args:
        cassettes: The cassettes.
        announce: Called when the server listens, with its address and the environment variables for
            clients.
        command: A command that is run with these variables set; empty for none.
        port: The port on 127.0.0.1; None for 8765 or, if that is in use, any free port.
        pace: The factor by which recorded latencies are multiplied; 0 is instant.
        links: The links that are rewritten in answers; None if answers are sent as recorded.
        faults: Faults that some requests of each session get instead of their answers.

    Raises:
        HarnessError: The port cannot be used, or the command cannot be started.
    """
    sessions = Sessions(cassettes, pace, links, faults)
    with run_in_thread(application(sessions), port) as address:
        variables = replay_variables(cassettes, address)
        code = _run_or_wait(command, variables, partial(announce, address, variables))
    opened = sessions.opened.items()
    return ServeResult(
        code,
        sum(session.answered for _, session in opened),
        sum(session.missed for _, session in opened),
        tuple(f"{_prefix(name)}{miss}" for (name, _), s in opened for miss in s.misses),
        tuple(f"{_prefix(name)}{text}" for (name, _), s in opened for text in s.unused_texts()),
        sessions.status(),
        sessions.served(),
    )


def replay_variables(cassettes: ServedCassettes, address: str) -> Mapping[str, str]:
    """Return environment variables that make the recorded clients use the server at *address*.

    They are the clients' base URLs, and placeholders for their API keys that are not set.
    """
    variables: dict[str, str] = {}
    for client, base in base_paths(cassettes.exchanges):
        for name in client.address_variables:
            variables.setdefault(name, f"{address}{base}")
        if not os.environ.get(client.key_variable, "").strip():
            variables.setdefault(client.key_variable, NO_KEY)
    return variables


def _prefix(session: str) -> str:
    return f"session {session}: " if session else ""


def record(
    path: Path,
    services: Sequence[Upstream],
    announce: Announce,
    command: Sequence[str] = (),
    port: int | None = None,
    mode: Literal["missing", "all"] = "all",
    afresh: bool = False,
) -> ServeResult:
    """Record the requests that clients send to a proxy, until the command ends or a signal comes.

    The cassette is written at the end; each answer is in the journal beside it as soon as it is
    complete.

    Args:
        path: The path of the cassette.
        services: The services to which requests are forwarded.
        announce: Called when the proxy listens, with its address and the environment variables for
            clients.
        command: A command that is run with these variables set; empty for none.
        port: The port on 127.0.0.1; None for 8765 or, if that is in use, any free port.
        mode: With `all`, every request is sent and recorded; with `missing`, only those that are
            not on the cassette.
        afresh: Whether the answers of an interrupted recording are discarded.

    Raises:
        HarnessError: The port cannot be used, the command cannot be started, or the cassette cannot
            be written.
        UnfinishedRecording: With the mode `all` and without *afresh*, there is an interrupted
            recording of the cassette.
    """
    if not path.name or path.is_dir():
        raise HarnessError(f"{path} is a folder; name the cassette as a file in it")
    if mode == "all" and not afresh and unfinished(path):
        raise UnfinishedRecording(
            f"{journal_path(path)}: an interrupted recording has left answers; use them with "
            "--resume, or throw them away with --afresh"
        )
    with (
        ProxyCassette(location(path), mode, allow_unused=True) as block,
        run_in_thread(proxy.application(services, block.stored), port) as address,
    ):
        variables = {
            name: s.proxied(address) for s in services for name in s.client.address_variables
        }
        code = _run_or_wait(command, variables, partial(announce, address, variables))
    return ServeResult(code, block.count)


def _run_or_wait(
    command: Sequence[str], variables: Mapping[str, str], announce: Callable[[], None]
) -> int | None:
    """Run a command and return its exit code; without one, wait for a signal and return None."""
    if command:
        announce()
        return run_command(command, variables)
    wait_for_signal(announce)
    return None
