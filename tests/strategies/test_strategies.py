"""Strategies generate valid, varied and small examples, and broken ones with their rule."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import accumulate

import pytest
from hypothesis import Phase, find, given, settings

from harness import strategies
from harness.analysis.endpoint import Role
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.transcript import AnalyzedTranscript, analyze, transcript_of
from harness.errors import Unsupported
from harness.providers.endpoints import ENDPOINTS, recognise
from harness.providers.rules import check
from harness.providers.samples import API_FORMS
from harness.strategies import BrokenExchanges
from harness.types import Cassette, Exchange, Failure, Reply, Request, Response, Transcript

pytestmark = pytest.mark.slow

SOME = settings(max_examples=4)
FEW = settings(max_examples=2)
UNSHRUNK = settings(
    deadline=None, max_examples=500, database=None, derandomize=True, phases=[Phase.generate]
)
WAYS = pytest.mark.parametrize("way", strategies.WAYS, ids="-".join)
CHATS = pytest.mark.parametrize(
    ("provider", "mode"),
    [(name, mode) for name, mode, kind in strategies.WAYS if kind == "chat" and mode != "async"],
)


def transcript(*exchanges: Exchange) -> Transcript:
    """Return exchanges as a transcript, as if from a cassette of another tool."""
    return transcript_of(Cassette(exchanges), recognise)


def analyzed(exchange: Exchange) -> AnalyzedExchange:
    """Analyze an exchange."""
    return AnalyzedExchange(exchange, recognise(exchange))


@WAYS
def test_exchanges_violate_no_rule(way: tuple[str, str, str]) -> None:
    """Exchanges of every provider, mode and kind are successful and have no findings."""

    @SOME
    @given(strategies.exchanges(*way))
    def valid(exchange: Exchange) -> None:
        assert check(transcript(exchange)) == ()
        assert exchange.response.status == 200

    valid()


@CHATS
def test_conversations_violate_no_rule(provider: str, mode: str) -> None:
    """They have two or three turns and no findings."""

    @FEW
    @given(strategies.conversations(provider, mode))
    def valid(exchanges: tuple[Exchange, ...]) -> None:
        assert check(transcript(*exchanges)) == ()
        assert 2 <= len(exchanges) <= 3

    valid()


@pytest.mark.parametrize("provider", ["zhipuai", "dashscope"])
def test_tasks_violate_no_rule(provider: str) -> None:
    """They begin with a submission and go on with polls."""

    @SOME
    @given(strategies.tasks(provider))
    def valid(exchanges: tuple[Exchange, ...]) -> None:
        assert check(transcript(*exchanges)) == ()
        roles = [e.endpoint.role for e in map(analyzed, exchanges) if e.endpoint]
        assert roles == [Role.SUBMIT] + [Role.POLL] * (len(exchanges) - 1)

    valid()


@WAYS
def test_refusals_violate_no_rule(way: tuple[str, str, str]) -> None:
    """A refusal is read as a failure, and its code and status belong together."""

    @FEW
    @given(strategies._refused(*way))
    def valid(exchange: Exchange) -> None:
        assert check(transcript(exchange)) == ()
        outcome = analyzed(exchange).outcome
        assert isinstance(outcome, Failure)
        assert outcome.status == exchange.response.status >= 400
        endpoint = analyzed(exchange).endpoint
        assert endpoint is not None
        assert outcome.code in endpoint.statuses or not endpoint.statuses

    valid()


@WAYS
def test_broken_exchanges_violate_their_rule(way: tuple[str, str, str]) -> None:
    """The faulty exchange is one of the exchanges."""

    @FEW
    @given(strategies.broken(*way))
    def broken(example: BrokenExchanges) -> None:
        assert example.rule in {finding.rule for finding in check(transcript(*example.exchanges))}
        assert example.exchange in example.exchanges
        assert example.description

    broken()


@pytest.mark.slow
def test_many_rules_are_violated() -> None:
    """300 examples violate ten rules or more; which ones depends on the modules imported before."""
    rules = set()

    @settings(deadline=None, max_examples=300, database=None, derandomize=True)
    @given(strategies.broken("zhipuai", "stream"))
    def broken(example: BrokenExchanges) -> None:
        rules.add(example.rule)

    broken()
    assert len(rules) >= 10, rules


def test_every_endpoint_has_an_operation() -> None:
    """Endpoints that no operation uses are listed here."""
    operations = [operation for api in API_FORMS.values() for operation in api.operations]
    made = {operation.endpoint.name for operation in operations}
    made |= {operation.poll.name for operation in operations if operation.poll}
    left_out = {
        "dashscope.cancel",
        "dashscope.image-generation",
        "dashscope.multimodal-embedding",
        "dashscope.websocket",
        "files.file",
        "files.transcript",
    }
    assert made == {endpoint.name for endpoint in ENDPOINTS} - left_out


# -------------------------------------------------------------------------- variety and size


def answer(exchange: Exchange) -> Reply:
    """Return the reply that the harness reads in an answer."""
    outcome = analyzed(exchange).outcome
    assert isinstance(outcome, Reply)
    return outcome


UNUSUAL: dict[str, tuple[str, str, Callable[[Exchange], object]]] = {
    "emoji": ("zhipuai", "sync", lambda e: "𠮷" in (answer(e).content or "")),
    "line separator": ("compatible", "stream", lambda e: "\u2028".encode() in e.response.body),
    "empty": ("dashscope", "sync", lambda e: answer(e).content == ""),
    "long": ("zhipuai", "stream", lambda e: len(answer(e).content or "") > 1000),
    "reasoning": ("compatible", "stream", lambda e: answer(e).reasoning),
    "two calls": ("dashscope", "stream", lambda e: len(answer(e).tool_calls) == 2),
    "call in pieces": ("zhipuai", "stream", lambda e: e.response.body.count(b'"arguments"') > 2),
    "cumulative": ("dashscope", "stream", lambda e: answer(e).cumulative),
    "increments": (
        "dashscope",
        "stream",
        lambda e: not answer(e).cumulative and len(answer(e).pieces) > 3,
    ),
    "usage requested": ("compatible", "stream", lambda e: answer(e).usage),
    "usage not requested": ("compatible", "stream", lambda e: not answer(e).usage),
    "cut in a character": (
        "zhipuai",
        "stream",
        lambda e: any(_is_inside(e.response.body, n) for n in accumulate(e.chunks)),
    ),
    "tool results": ("zhipuai", "sync", lambda e: b'"tool_call_id"' in e.request.body),
}


def _is_inside(body: bytes, offset: int) -> bool:
    return offset < len(body) and body[offset] & 0xC0 == 0x80


@pytest.mark.parametrize("name", UNUSUAL)
def test_unusual_examples_are_generated(name: str) -> None:
    """Each unusual form is among the first 500 examples."""
    provider, mode, holds = UNUSUAL[name]
    assert find(strategies.exchanges(provider, mode), lambda e: bool(holds(e)), settings=UNSHRUNK)


@pytest.mark.parametrize("end", ["SUCCEEDED", "FAILED", "CANCELED", "UNKNOWN"])
def test_tasks_end_in_every_way(end: str) -> None:
    """Every final state of the endpoint is generated."""
    assert find(
        strategies.tasks("dashscope", "image"),
        lambda exchanges: f'"{end}"'.encode() in exchanges[-1].response.body,
        settings=UNSHRUNK,
    )


def test_the_smallest_example_is_small() -> None:
    """Hypothesis shrinks to a readable example."""
    small = find(
        strategies.exchanges("dashscope"),
        lambda exchange: True,
        settings=settings(UNSHRUNK, max_examples=1),
    )
    assert json.loads(small.request.body) == {
        "model": "qwen-flash",
        "input": {"messages": [{"role": "user", "content": "It is sunny."}]},
        "parameters": {"result_format": "message"},
    }
    assert answer(small).content == "OK"
    assert len(small.response.body) < 300


@given(strategies.chunks("compatible"))
@FEW
def test_chunks_join_to_a_stream(chunks: tuple[bytes, ...]) -> None:
    """The stream ends with [DONE]."""
    assert b"".join(chunks).endswith(b"data: [DONE]\n\n")


@given(strategies.replies("dashscope", "async", "image") | strategies.refusals("dashscope"))
@FEW
def test_replies_and_refusals_can_be_combined(response: Response) -> None:
    """Both are responses with a JSON body."""
    assert isinstance(json.loads(response.body), dict)
    assert (response.header("content-type") or "").startswith("application/json")


@given(strategies.requests("dashscope", "stream", "prompt"))
@FEW
def test_requests_go_to_their_endpoint(request: Request) -> None:
    """A stream is requested by DashScope's header."""
    endpoint = recognise(Exchange(request, Response(200)))
    assert endpoint is not None
    assert endpoint.name == "dashscope.generation"
    assert ("X-DashScope-SSE", "enable") in request.headers
    assert "prompt" in json.loads(request.body)["input"]


# ------------------------------------------------------------------------ unsupported arguments


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nobody",), "'chat' as 'sync' is not supported for 'nobody'"),
        (("zhipuai", "streaming"), "'chat' as 'streaming' is not supported for 'zhipuai'"),
        (("dashscope", "async"), "'chat' as 'async' is not supported for 'dashscope'"),
    ],
)
def test_an_unsupported_combination_lists_the_supported_ones(
    arguments: tuple[str, ...], message: str
) -> None:
    """The error is raised when the strategy is made, not when it is drawn from."""
    with pytest.raises(Unsupported) as caught:
        strategies.replies(*arguments)
    text = str(caught.value)
    assert text.startswith(f"{message}; supported: zhipuai: sync (chat, image, embedding, rerank")
    assert "dashscope: sync (chat, prompt, image, embedding, rerank" in text


def test_a_provider_without_tasks_is_unsupported() -> None:
    """It is an error for tasks of any kind too."""
    with pytest.raises(Unsupported, match="is not supported for 'compatible'"):
        strategies.tasks("compatible")


def test_a_conversation_has_a_turn_per_exchange() -> None:
    """Analyzing three exchanges of a chat returns three turns."""
    talk = find(
        strategies.conversations("zhipuai"), lambda turns: len(turns) == 3, settings=UNSHRUNK
    )
    whole: AnalyzedTranscript = analyze(transcript(*talk), recognise)
    assert len(whole.turns) == 3
