"""What is made up is valid, nasty and small; what is broken breaks the rule it names."""

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
from harness.providers.operations import API_FORMS
from harness.providers.rules import check
from harness.strategies import BrokenExchanges
from harness.strategies.exchanges import refused
from harness.types import Cassette, Exchange, Failure, Reply, Request, Response, Transcript
from harness.wire import read_json, resolve

SOME = settings(deadline=None, max_examples=15)
FEW = settings(deadline=None, max_examples=8)
UNSHRUNK = settings(
    deadline=None, max_examples=500, database=None, derandomize=True, phases=[Phase.generate]
)
WAYS = pytest.mark.parametrize("way", strategies.WAYS, ids="-".join)
CHATS = pytest.mark.parametrize(
    ("provider", "mode"),
    [(name, mode) for name, mode, kind in strategies.WAYS if kind == "chat" and mode != "async"],
)


def told(*exchanges: Exchange) -> Transcript:
    """Exchanges as a cassette of another tool holds them."""
    return transcript_of(Cassette(exchanges), recognise)


def reading(exchange: Exchange) -> AnalyzedExchange:
    """An exchange, read."""
    return AnalyzedExchange(exchange, recognise(exchange))


@WAYS
def test_what_is_made_breaks_no_rule(way: tuple[str, str, str]) -> None:
    """Every provider, mode and kind: not even a hint; and it says yes."""

    @SOME
    @given(strategies.exchanges(*way))
    def valid(exchange: Exchange) -> None:
        assert check(told(exchange)) == ()
        assert exchange.response.status == 200

    valid()


@CHATS
def test_a_conversation_breaks_no_rule(provider: str, mode: str) -> None:
    """Several turns, with tools called and answered; each request is longer than the one before."""

    @FEW
    @given(strategies.conversations(provider, mode))
    def valid(exchanges: tuple[Exchange, ...]) -> None:
        assert check(told(*exchanges)) == ()
        assert 2 <= len(exchanges) <= 3

    valid()


@pytest.mark.parametrize("provider", ["zhipuai", "dashscope"])
def test_a_task_breaks_no_rule(provider: str) -> None:
    """From its submission to its end, whichever it is."""

    @SOME
    @given(strategies.tasks(provider))
    def valid(exchanges: tuple[Exchange, ...]) -> None:
        assert check(told(*exchanges)) == ()
        roles = [one.endpoint.role for one in map(reading, exchanges) if one.endpoint]
        assert roles == [Role.SUBMIT] + [Role.POLL] * (len(exchanges) - 1)

    valid()


@WAYS
def test_a_refusal_breaks_no_rule(way: tuple[str, str, str]) -> None:
    """Its status is the one its code comes with, and the harness reads it as a failure."""
    api, operation = strategies._operation(*way)

    @FEW
    @given(refused(api, operation))
    def valid(exchange: Exchange) -> None:
        assert check(told(exchange)) == ()
        outcome = reading(exchange).outcome
        assert isinstance(outcome, Failure)
        assert outcome.status == exchange.response.status >= 400
        assert outcome.code in operation.endpoint.statuses

    valid()


@WAYS
def test_what_is_broken_breaks_the_rule_it_names(way: tuple[str, str, str]) -> None:
    """By the answer of one exchange, which is the one that is pointed at."""

    @FEW
    @given(strategies.broken(*way))
    def broken(example: BrokenExchanges) -> None:
        assert example.rule in {finding.rule for finding in check(told(*example.exchanges))}
        assert example.exchange in example.exchanges
        assert example.description

    broken()


def test_many_rules_are_broken() -> None:
    """Not always by the same mutation."""
    rules = set()

    @settings(deadline=None, max_examples=120, database=None, derandomize=True)
    @given(strategies.broken("zhipuai", "stream"))
    def broken(example: BrokenExchanges) -> None:
        rules.add(example.rule)

    broken()
    assert len(rules) >= 10, rules


def test_every_endpoint_with_an_answer_is_made() -> None:
    """What nobody asks for as a call of a model is left out by name."""
    operations = [operation for api in API_FORMS.values() for operation in api.operations]
    made = {operation.endpoint.name for operation in operations}
    made |= {operation.poll.name for operation in operations if operation.poll}
    left_out = {
        "dashscope.cancel",
        "dashscope.multimodal-embedding",
        "dashscope.websocket",
        "files.file",
    }
    assert made == {endpoint.name for endpoint in ENDPOINTS} - left_out


# --------------------------------------------------------------------------- how rich, how small


def answer(exchange: Exchange) -> Reply:
    """What the harness reads in an answer."""
    outcome = reading(exchange).outcome
    assert isinstance(outcome, Reply)
    return outcome


def asked(exchange: Exchange, pointer: str) -> object:
    """What a request holds."""
    return resolve(read_json(exchange.request.body).value, pointer)


NASTY: dict[str, tuple[str, str, Callable[[Exchange], object]]] = {
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
    "usage asked for": ("compatible", "stream", lambda e: answer(e).usage),
    "usage not asked for": ("compatible", "stream", lambda e: not answer(e).usage),
    "cut in a character": (
        "zhipuai",
        "stream",
        lambda e: any(_is_inside(e.response.body, n) for n in accumulate(e.chunks)),
    ),
    "tool results": ("zhipuai", "sync", lambda e: b'"tool_call_id"' in e.request.body),
}


def _is_inside(body: bytes, offset: int) -> bool:
    return offset < len(body) and body[offset] & 0xC0 == 0x80


@pytest.mark.parametrize("name", NASTY)
def test_it_is_found_sooner_or_later(name: str) -> None:
    """What a parser may fall over is among the first few hundred examples."""
    provider, mode, holds = NASTY[name]
    assert find(strategies.exchanges(provider, mode), lambda e: bool(holds(e)), settings=UNSHRUNK)


@pytest.mark.parametrize("end", ["SUCCEEDED", "FAILED", "CANCELED", "UNKNOWN"])
def test_tasks_end_in_every_way(end: str) -> None:
    """Those of the dialect's table."""
    assert find(
        strategies.tasks("dashscope", "image"),
        lambda exchanges: f'"{end}"'.encode() in exchanges[-1].response.body,
        settings=UNSHRUNK,
    )


def test_the_smallest_example_is_small() -> None:
    """Somebody has to read what makes their parser fail."""
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
    assert answer(small).content == ""
    assert len(small.response.body) < 300


@given(strategies.chunks("compatible"))
@FEW
def test_chunks_join_to_a_stream(chunks: tuple[bytes, ...]) -> None:
    """Of events, closed by the marker."""
    assert b"".join(chunks).endswith(b"data: [DONE]\n\n")


@given(strategies.replies("dashscope", "async", "image") | strategies.refusals("dashscope"))
@FEW
def test_replies_and_refusals_are_responses(response: Response) -> None:
    """They can be given to a parser together."""
    assert isinstance(json.loads(response.body), dict)
    assert (response.header("content-type") or "").startswith("application/json")


@given(strategies.requests("dashscope", "stream", "prompt"))
@FEW
def test_requests_go_to_their_endpoint(request: Request) -> None:
    """And ask for a stream as the service wants to be asked."""
    endpoint = recognise(Exchange(request, Response(200)))
    assert endpoint is not None
    assert endpoint.name == "dashscope.generation"
    assert ("X-DashScope-SSE", "enable") in request.headers
    assert "prompt" in json.loads(request.body)["input"]


# ------------------------------------------------------------------------------------ wrong use


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("nobody",), "'chat' as 'sync' is not supported for 'nobody'"),
        (("zhipuai", "streaming"), "'chat' as 'streaming' is not supported for 'zhipuai'"),
        (("dashscope", "async"), "'chat' as 'async' is not supported for 'dashscope'"),
    ],
)
def test_what_there_is_not_is_told_with_what_there_is(wrong: tuple[str, ...], said: str) -> None:
    """In one line, when the test is written and not when it runs."""
    with pytest.raises(Unsupported) as caught:
        strategies.replies(*wrong)
    assert str(caught.value).startswith(
        said + "; supported: zhipuai: sync (chat, image, embedding)"
    )
    assert "dashscope: sync (chat, prompt, image, embedding, rerank), stream (chat, prompt)" in str(
        caught.value
    )


def test_a_provider_without_tasks_is_told() -> None:
    """The same for tasks of any kind."""
    with pytest.raises(Unsupported, match="is not supported for 'compatible'"):
        strategies.tasks("compatible")


def test_a_conversation_is_read() -> None:
    """Reading a whole one gives a turn for each question."""
    talk = find(
        strategies.conversations("zhipuai"), lambda turns: len(turns) == 3, settings=UNSHRUNK
    )
    whole: AnalyzedTranscript = analyze(told(*talk), recognise)
    assert len(whole.turns) == 3
