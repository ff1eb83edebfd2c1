"""Open lines, through the real SDKs: to the sandbox, and to a server that a test scripts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from harness.providers import PROVIDERS, Session
from harness.providers.servers import PROVIDER_SERVERS
from harness.types import Call, Failure, Message, Outcome, Reply

from .servers import Answer, Server, answering

HELLO = (Message("user", "你好"),)

NAMED = (
    Message("user", "我叫小明"),
    Message("assistant", "你好，小明"),
    Message("user", "我叫什么名字？"),
)
"""The answer to this has 小明 in it."""

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_current_weather",
        "parameters": {
            "type": "object",
            "properties": {"location": {"type": "string"}},
            "required": ["location"],
        },
    },
}


@contextmanager
def to_sandbox(provider: str, base: str) -> Iterator[Session]:
    """A line to a running sandbox, with the key it accepts; no wait lasts."""
    speaker = PROVIDER_SERVERS[provider]
    with PROVIDERS[provider].open(speaker.key, base + speaker.prefix, lambda _: None) as line:
        yield line


@dataclass
class Heard:
    """What came of one call to a scripted server."""

    outcome: Outcome
    server: Server
    slept: list[float] = field(default_factory=list)

    @property
    def failure(self) -> Failure:
        """The outcome, which is a failure."""
        assert isinstance(self.outcome, Failure), self.outcome
        return self.outcome

    @property
    def reply(self) -> Reply:
        """The outcome, which is a reply."""
        assert isinstance(self.outcome, Reply), self.outcome
        return self.outcome


def ask(provider: str, call: Call, *answers: Answer) -> Heard:
    """Send one call to a server that gives these answers."""
    slept: list[float] = []
    with answering(*answers) as server:
        key = "0123456789abcdef.secretsecret"
        with PROVIDERS[provider].open(key, server.address, slept.append) as line:
            return Heard(line.send(call), server, slept)


def replied(outcome: Outcome) -> Reply:
    """The outcome, which is a reply."""
    assert isinstance(outcome, Reply), outcome
    return outcome
