"""Hypothesis strategies for the requests, answers, streams and tasks of each provider.

    from hypothesis import given
    import harness

    @given(harness.strategies.replies("dashscope", "stream"))
    def test_my_parser_reads_any_stream(response):
        my_parser(response.body)

The generated exchanges are valid: they fit the schemas, vocabularies and states of the endpoints,
and violate no rule of `harness.rules`. Their texts are unusual: with rare line separators, quotes
and emoji, empty or long. `broken` generates answers with one fault, with the name of the rule that
the fault violates.

Each strategy is for a provider or a format of API (`compatible`, `anthropic`, `responses`), a mode
(`sync`, `stream`, `async`) and a kind of call (`chat`, `prompt`, `image`, `video`, `embedding`,
`rerank`, `speech`, `transcription`). `WAYS` lists the supported combinations; any other raises
Unsupported.
"""

from __future__ import annotations

from harness.config.extras import extra

with extra("strategies"):
    from hypothesis import strategies as st
    from hypothesis.strategies import SearchStrategy

from harness.errors import Unsupported
from harness.providers.operation import ApiForm, Operation
from harness.providers.samples import API_FORMS
from harness.strategies import exchanges as _exchanges
from harness.strategies import other_formats
from harness.strategies.exchanges import BrokenExchanges, broken_exchanges
from harness.strategies.requests import GeneratedCall, calls
from harness.strategies.schema import splits, texts
from harness.types import Exchange, Request, Response

__all__ = [
    "WAYS",
    "BrokenExchanges",
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

WAYS: tuple[tuple[str, str, str], ...] = (
    *(
        (provider, operation.mode, operation.kind)
        for provider, api in API_FORMS.items()
        for operation in api.operations
    ),
    *((form, mode, "chat") for form in other_formats.FORMS for mode in ("sync", "stream")),
)
"""The supported combinations of provider, mode and kind."""


def requests(provider: str, mode: str = "sync", kind: str = "chat") -> SearchStrategy[Request]:
    """Generate requests. A chat may have several turns, tools and tool results.

    For a task, the request is the one that starts it. `WAYS` lists the supported (*provider*,
    *mode*, *kind*); any other raises Unsupported.
    """
    return _calls(provider, mode, kind).flatmap(_exchanges.requests)


def exchanges(provider: str, mode: str = "sync", kind: str = "chat") -> SearchStrategy[Exchange]:
    """Generate exchanges of a request and a valid response to it.

    For a task, the exchange is its submission or one of its polls. For a stream, `Exchange.chunks`
    has the sizes of the network chunks. `WAYS` lists the supported (*provider*, *mode*, *kind*);
    any other raises Unsupported.
    """
    return _exchanges.exchanges_of(_calls(provider, mode, kind)).flatmap(st.sampled_from)


def replies(provider: str, mode: str = "sync", kind: str = "chat") -> SearchStrategy[Response]:
    """Generate successful responses, with status, headers and body.

    They have text, reasoning or tool calls. Streams have one or several events, incremental or
    cumulative. Use `replies(...) | refusals(...)` to include refusals. `WAYS` lists the supported
    (*provider*, *mode*, *kind*); any other raises Unsupported.
    """
    return exchanges(provider, mode, kind).map(lambda exchange: exchange.response)


def chunks(provider: str, kind: str = "chat") -> SearchStrategy[tuple[bytes, ...]]:
    """Generate bodies of streams as tuples of chunks, cut anywhere, also inside characters.

    `WAYS` lists the supported *provider* and *kind* with the mode `stream`; any other raises
    Unsupported.
    """
    return replies(provider, "stream", kind).flatmap(lambda response: splits(response.body))


def refusals(provider: str, mode: str = "sync", kind: str = "chat") -> SearchStrategy[Response]:
    """Generate refusals, with any documented error code and one of its HTTP statuses.

    `WAYS` lists the supported (*provider*, *mode*, *kind*); any other raises Unsupported.
    """
    return _refused(provider, mode, kind).map(lambda exchange: exchange.response)


def _refused(provider: str, mode: str, kind: str) -> SearchStrategy[Exchange]:
    return _exchanges.refused(_calls(provider, mode, kind))


def tasks(provider: str, kind: str | None = None) -> SearchStrategy[tuple[Exchange, ...]]:
    """Generate the exchanges of whole tasks: the submission, and polls until success or failure.

    There may be one further poll after the end. If *kind* is None, the tasks are of any kind.
    `WAYS` lists the supported *provider* and *kind* with the mode `async`; any other raises
    Unsupported.
    """
    kinds = [kind] if kind is not None else _kinds(provider, "async")
    operations = [_operation(provider, "async", name) for name in kinds or [""]]
    return st.one_of([_exchanges.exchanges_of(calls(*operation)) for operation in operations])


def conversations(provider: str, mode: str = "sync") -> SearchStrategy[tuple[Exchange, ...]]:
    """Generate the exchanges of chats with two or three turns.

    Each request has all messages of the turns before. `WAYS` lists the supported *provider* and
    *mode* with the kind `chat`; any other raises Unsupported.
    """
    return _exchanges.conversations(_calls(provider, mode, "chat"))


def broken(
    provider: str, mode: str = "sync", kind: str = "chat"
) -> SearchStrategy[BrokenExchanges]:
    """Generate exchanges in which one answer violates a rule, with the name of that rule.

    The faults are those of `harness.faults`. `WAYS` lists the supported (*provider*, *mode*,
    *kind*); any other raises Unsupported.
    """
    return broken_exchanges(_exchanges.exchanges_of(_calls(provider, mode, kind)))


def _calls(provider: str, mode: str, kind: str) -> SearchStrategy[GeneratedCall]:
    """Generate the calls of a combination; raises Unsupported if there is none."""
    if other_formats.is_form(provider, mode, kind):
        return calls(*_operation("compatible", mode, kind), provider)
    return calls(*_operation(provider, mode, kind))


def _operation(provider: str, mode: str, kind: str) -> tuple[ApiForm, Operation]:
    """Return the API form and the operation for a combination.

    Raises:
        Unsupported: There is none; the message lists the supported combinations.
    """
    api = API_FORMS.get(provider)
    for operation in api.operations if api else ():
        if api and (operation.mode, operation.kind) == (mode, kind):
            return api, operation
    supported = []
    for name in API_FORMS:
        modes = dict.fromkeys(m for p, m, _ in WAYS if p == name)
        each = (f"{m} ({', '.join(_kinds(name, m))})" for m in modes)
        supported.append(f"{name}: {', '.join(each)}")
    raise Unsupported(
        f"{kind!r} as {mode!r} is not supported for {provider!r}; supported: {'; '.join(supported)}"
    )


def _kinds(provider: str, mode: str) -> list[str]:
    return [kind for name, other, kind in WAYS if (name, other) == (provider, mode)]
