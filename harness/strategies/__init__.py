"""Strategies for Hypothesis: requests, answers, streams and tasks of each provider, made up.

    from hypothesis import given
    import harness

    @given(harness.strategies.replies("dashscope", "stream"))
    def test_my_parser_reads_any_stream(response):
        my_parser(response.body)

What is made is valid: it fits the schemas, vocabularies and states of the endpoints, and no
rule of `harness.rules` finds anything in it. It is also nasty: texts with the ends of lines that
only some know of, with quotes and emoji, empty and long ones. What `broken` makes is wrong in one
thing, and says which rule it breaks.

A provider is asked for a kind of call (`chat`, `prompt`, `image`, `video`, `embedding`, `rerank`)
in a mode (`sync`, `stream`, `async`); `WAYS` has what there is. Anything else is `Unsupported`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

try:
    from hypothesis import strategies as st
    from hypothesis.strategies import SearchStrategy
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "harness.strategies needs hypothesis: pip install 'llm-conversation-harness[strategies]'"
    ) from None

from harness.errors import Unsupported
from harness.strategies import dashscope, zhipuai
from harness.strategies.asking import asking, questions
from harness.strategies.broken import Mutant, mutants
from harness.strategies.exchanging import answered, refusing, talks
from harness.strategies.way import ProviderServer, Way
from harness.strategies.words import splits, texts
from harness.types import Exchange, Request, Response

__all__ = [
    "WAYS",
    "Mutant",
    "broken",
    "chunks",
    "conversations",
    "exchanges",
    "refusals",
    "replies",
    "requests",
    "splits",
    "tasks",
    "texts",
]

_SPEAKERS: Mapping[str, ProviderServer] = MappingProxyType(
    {
        "zhipuai": zhipuai.SPEAKER,
        "dashscope": dashscope.SPEAKER,
        "compatible": dashscope.COMPATIBLE,
    }
)

WAYS: tuple[tuple[str, str, str], ...] = tuple(
    (provider, way.mode, way.kind)
    for provider, speaker in _SPEAKERS.items()
    for way in speaker.ways
)
"""What there is: provider, mode and kind of each."""


def requests(provider: str, mode: str = "sync", kind: str = "chat") -> SearchStrategy[Request]:
    """Requests: several turns, tools, tools' results among them. A task's is its submission."""
    speaker, way = _way(provider, mode, kind)
    return questions(way).flatmap(lambda asked: asking(speaker, way, asked))


def exchanges(provider: str, mode: str = "sync", kind: str = "chat") -> SearchStrategy[Exchange]:
    """A request and its answer, which fits it; of a task, its submission or a poll.

    `chunks` has the sizes in which a stream arrived.
    """
    told = answered(*_way(provider, mode, kind))
    return told.flatmap(st.sampled_from)


def replies(provider: str, mode: str = "sync", kind: str = "chat") -> SearchStrategy[Response]:
    """Answers that say yes, as a client's parser gets them: status, headers and body in bytes.

    Text, reasoning and tool calls, in one or many events; DashScope's streams in increments and
    with the whole so far. `refusals` are apart: `replies(...) | refusals(...)` gives both.
    """
    return exchanges(provider, mode, kind).map(lambda exchange: exchange.response)


def chunks(provider: str, kind: str = "chat") -> SearchStrategy[tuple[bytes, ...]]:
    """A stream's body in the pieces that a network makes of it: cut anywhere, in characters too."""
    return replies(provider, "stream", kind).flatmap(lambda response: splits(response.body))


def refusals(provider: str, mode: str = "sync", kind: str = "chat") -> SearchStrategy[Response]:
    """Answers that say no: every documented code, with the status it comes with."""
    told = refusing(*_way(provider, mode, kind))
    return told.map(lambda exchange: exchange.response)


def tasks(provider: str, kind: str | None = None) -> SearchStrategy[tuple[Exchange, ...]]:
    """Whole tasks, of this kind or of any: submission, polls while it runs, its end.

    It succeeds or fails; after its end it may be asked for once more.
    """
    kinds = [kind] if kind is not None else _kinds(provider, "async")
    return st.one_of([answered(*_way(provider, "async", name)) for name in kinds])


def conversations(provider: str, mode: str = "sync") -> SearchStrategy[tuple[Exchange, ...]]:
    """Two or three turns of a chat: each request carries all that was said and called before."""
    return talks(*_way(provider, mode, "chat"))


def broken(provider: str, mode: str = "sync", kind: str = "chat") -> SearchStrategy[Mutant]:
    """Exchanges whose answer breaks one rule, and that rule's name; see `Mutant`.

    The ways to break it are those of `harness.faults.breaks`.
    """
    return mutants(answered(*_way(provider, mode, kind)))


def _way(provider: str, mode: str, kind: str) -> tuple[ProviderServer, Way]:
    """How a provider is asked for this; `Unsupported` names what there is."""
    for way in _SPEAKERS[provider].ways if provider in _SPEAKERS else ():
        if (way.mode, way.kind) == (mode, kind):
            return _SPEAKERS[provider], way
    raise Unsupported(f"there is no {provider!r} with {kind!r} as {mode!r}; there is {_known()}")


def _kinds(provider: str, mode: str) -> list[str]:
    told = [kind for name, other, kind in WAYS if (name, other) == (provider, mode)]
    return told or [""]


def _known() -> str:
    """Everything there is, in one line: provider, and its modes with their kinds."""
    told = []
    for provider in _SPEAKERS:
        modes = dict.fromkeys(mode for name, mode, _ in WAYS if name == provider)
        each = (f"{mode} ({', '.join(_kinds(provider, mode))})" for mode in modes)
        told.append(f"{provider}: {', '.join(each)}")
    return "; ".join(told)
