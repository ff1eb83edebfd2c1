"""What a provider is, and what all of them share: polling, and reading an SDK's objects."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from harness.types import (
    AccessFailure,
    Call,
    CallKind,
    Failure,
    LooseJson,
    Mode,
    Outcome,
    Poll,
    Usage,
    View,
)

Sleep = Callable[[float], None]


class Session(Protocol):
    """An open line to a provider: one narrow method."""

    def send(self, call: Call) -> Outcome:
        """Ask through the official SDK, and copy what it answers out of its objects at once."""


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider, as data: how to reach it, and which calls it knows.

    `key_variable` and `address_variable` are the SDK's own environment variables; `address` is
    where the SDK goes when the latter is not set. `can` says which kinds of calls can be asked in
    which modes. `open` begins a fresh session with (key, address, sleep); the SDK is imported
    there and not before. `key_modules` are the SDK's modules that read the key once, when imported,
    into `api_key`. `secrets` lists every part of a key that must never be written.
    """

    name: str
    about: str
    distribution: str
    key_variable: str
    address_variable: str
    address: str
    can: frozenset[tuple[CallKind, Mode]]
    open: Callable[[str, str, Sleep], AbstractContextManager[Session]]
    secrets: Callable[[str], tuple[str, ...]] = field(default=lambda key: (key,))
    key_modules: tuple[str, ...] = ()


NO_KEY = "replay-asks.nobody-for-a-key"
"""What an SDK is given as a key where nothing is sent."""


def ask_until_ended(
    submitted: View,
    fetch: Callable[[], View | Failure],
    task: Task,
    policy: Poll,
    sleep: Sleep,
) -> tuple[View, ...] | Failure:
    """Ask for a task's state until it has ended or the policy's patience has.

    Returns the submission and every state that was told, the last one an end. An answer that was
    refused with 429 or 5xx counts as one question: the task goes on.
    """
    seen = [submitted]
    for _ in range(policy.limit):
        sleep(policy.interval)
        told = fetch()
        if isinstance(told, View):
            seen.append(told)
            if task.ended(told):
                return tuple(seen)
        elif not is_passing(told):
            return told
    state = task.state(seen[-1])
    message = f"the task is still {state} after {policy.limit} polls, {policy.interval} s apart"
    return Failure(status=0, code="PollLimit", message=message, views=tuple(seen))


@dataclass(frozen=True, slots=True)
class Task:
    """Where a provider tells a task's state, which states are ends, and where a result stands.

    An answer with a result is an end, whatever its state says.
    """

    path: tuple[str, ...]
    ends: frozenset[str]
    result: tuple[str, ...]

    def ended(self, view: View) -> bool:
        """Whether there is nothing left to wait for."""
        return self.state(view) in self.ends or bool(dig(view.value, *self.result))

    def state(self, view: View) -> str:
        """The state a view tells."""
        return str(dig(view.value, *self.path))


def is_passing(failure: Failure) -> bool:
    """Whether a refusal may be gone a moment later: too many requests, or a server's fault."""
    return failure.status == 429 or failure.status >= 500


def seconds(header: str | None) -> float | None:
    """A Retry-After header's seconds; None where it has none (its other form is a date)."""
    return float(header) if header and header.replace(".", "", 1).isdecimal() else None


_STEP = re.compile(r"\.?([A-Za-z_]\w*)|\[(\d+)\]")


def access(thing: Any, paths: Iterable[str]) -> Mapping[str, LooseJson | AccessFailure]:
    """The value at each documented access path, walked on the SDK's real object."""
    return {path: _walk(thing, path) for path in paths}


def _walk(thing: Any, path: str) -> LooseJson | AccessFailure:
    try:
        for name, index in _STEP.findall(path):
            thing = getattr(thing, name) if name else thing[int(index)]
    except (AttributeError, LookupError, TypeError) as error:
        return AccessFailure(f"{type(error).__name__}: {error}")
    return thing


def failed(error: Exception) -> Failure:
    """What an SDK raised before or instead of an answer, as a failure; its cause says more."""
    told, cause = str(error), str(error.__cause__ or "")
    message = f"{told} ({cause})" if cause and cause not in told else told
    return Failure(status=0, code=type(error).__name__, message=message)


def texts(views: Iterable[View], *path: str | int) -> list[str]:
    """The texts found at `path` in each view, where there is one."""
    found = (dig(view.value, *path) for view in views)
    return [text for text in found if isinstance(text, str)]


def text(thing: LooseJson, name: str) -> str | None:
    """The text under a key, if there is one and it is one."""
    value = dig(thing, name)
    return value if isinstance(value, str) else None


def usage(counts: LooseJson, *names: str) -> Usage | None:
    """Tokens by the names a provider gives to input, output and total; None where it has none."""
    return Usage(*(counts.get(name) for name in names)) if isinstance(counts, dict) else None


def dig(value: LooseJson, *path: str | int) -> LooseJson:
    """The value at a path of keys and indices, or None."""
    for key in path:
        if isinstance(value, dict) and isinstance(key, str):
            value = value.get(key)
        elif isinstance(value, list) and isinstance(key, int) and -len(value) <= key < len(value):
            value = value[key]
        else:
            return None
    return value
