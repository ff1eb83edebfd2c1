"""Sessions through the real SDKs: with the sandbox, and with a server that a test scripts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from harness.providers import PROVIDERS, Session
from harness.providers.servers import PROVIDER_SERVERS
from harness.types import Call, Failure, Message, Outcome, Reply

from .scripted import Answer, Server, serve_answers

HELLO = (Message("user", "你好"),)

NAMED = (
    Message("user", "我叫小明"),
    Message("assistant", "你好，小明"),
    Message("user", "我叫什么名字？"),
)
"""A conversation whose answer contains 小明."""

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
def sandbox_session(provider: str, base: str) -> Iterator[Session]:
    """Open a session with a running sandbox, with the key it accepts; its waits take no time."""
    server = PROVIDER_SERVERS[provider]
    with PROVIDERS[provider].open(server.key, base + server.prefix, lambda _: None) as session:
        yield session


@dataclass
class CallResult:
    """The outcome of one call to a scripted server, the server, and the waits in seconds."""

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


def ask(provider: str, call: Call, *answers: Answer) -> CallResult:
    """Make one call to a server that gives these answers."""
    slept: list[float] = []
    with serve_answers(*answers) as server:
        key = "0123456789abcdef.secretsecret"
        with PROVIDERS[provider].open(key, server.address, slept.append) as session:
            return CallResult(session.send(call), server, slept)


def reply_of(outcome: Outcome) -> Reply:
    """Return the outcome, which is a reply."""
    assert isinstance(outcome, Reply), outcome
    return outcome
