"""Recorded exchanges through the SDKs: the verdicts, the table, the smallest examples."""

from __future__ import annotations

import json
from dataclasses import replace

from harness.analysis.exchange import AnalyzedExchange
from harness.parse import PARSERS, Parser, RecordedRequest
from harness.parse.run import ParseVerdict, can_ask, defects, parse_all, rows
from harness.providers.endpoints import recognise
from harness.types import Exchange, Outcome, Reply, Request, Response, View

SUBMIT = "https://host/api/v1/services/aigc/text2image/image-synthesis"
ASKED = {"model": "wanx-v1", "input": {"prompt": "猫"}, "parameters": {}}
JSON = (("content-type", "application/json"),)

DASHSCOPE = PARSERS["dashscope"]


def submission(task: str, *, body: bytes | None = None, status: int = 200) -> AnalyzedExchange:
    """Return the submission of a task, to whose answer dashscope adds a list of results."""
    value = {"request_id": "1", "output": {"task_id": task, "task_status": "PENDING"}}
    sent = json.dumps(ASKED).encode() if body is None else body
    request = Request("POST", SUBMIT, (("accept", "application/json"),), sent)
    exchange = Exchange(request, Response(status, "OK", JSON, json.dumps(value).encode()))
    return AnalyzedExchange(exchange, recognise(exchange))


def answering(outcome: Outcome) -> Parser:
    """Return a parser that gives this outcome."""
    return replace(DASHSCOPE, name="sure", ask=lambda asked: outcome)


def failing(error: Exception) -> Parser:
    """Return a parser that makes the request and raises at the answer."""

    def parse(asked: RecordedRequest) -> Outcome:
        DASHSCOPE.parse(asked)
        raise error

    return replace(DASHSCOPE, name="failing", ask=parse, error="builtins:KeyError")


def verdicts(*readings: AnalyzedExchange, parser: Parser = DASHSCOPE) -> list[ParseVerdict]:
    """Return the verdict on each exchange."""
    return [one.verdict for one in parse_all("file", readings, [parser])]


def test_a_real_sdk_is_asked() -> None:
    """A real SDK, asked through its HTTP library, invents a list of results."""
    (told,) = parse_all("file", [submission("1")], [DASHSCOPE])
    assert told.verdict is ParseVerdict.DIFFERENT
    assert [one.path for one in told.disagreements] == ["/output/results"]


def test_the_verdicts() -> None:
    """A result is the same, different or crashed."""
    reading = submission("1")
    same = Reply(
        id="1", task_id="1", states=("PENDING",), views=(View(reading.response_json.value),)
    )
    assert verdicts(reading, parser=answering(same)) == [ParseVerdict.SAME]
    assert verdicts(reading, parser=answering(replace(same, id="2"))) == [ParseVerdict.DIFFERENT]
    assert verdicts(reading, parser=failing(ZeroDivisionError("?"))) == [ParseVerdict.CRASHED]
    assert verdicts(reading, parser=failing(KeyError("?"))) == [ParseVerdict.DIFFERENT]


def test_what_cannot_be_asked_is_not_applicable() -> None:
    """Odd bodies, redirects, other endpoints and missing SDKs are not applicable."""
    odd = [submission("1", body=b"[1]"), submission("1", body=b"\xff"), submission("1", status=302)]
    assert verdicts(*odd) == [ParseVerdict.NOT_APPLICABLE] * 3
    assert not can_ask(PARSERS["zhipuai"], submission("1"))
    assert not can_ask(replace(DASHSCOPE, distribution="no-such-thing"), submission("1"))


def test_a_request_that_an_sdk_refuses_is_not_applicable() -> None:
    """A request that the SDK refuses to make is not applicable."""
    assert verdicts(submission("1", body=b"{}")) == [ParseVerdict.NOT_APPLICABLE]


def test_the_smallest_example_is_kept() -> None:
    """A defect has its smallest example and the number of exchanges that show it."""
    long, short = submission("1" * 40), submission("1")
    told = [
        *parse_all("long", [long, long], [DASHSCOPE]),
        *parse_all("short", [short], [DASHSCOPE]),
    ]
    (defect,) = defects(told)
    assert (defect.example.source, defect.exchanges) == ("short", 3)
    assert defect.size == len(short.exchange.response.body)
    assert defect.signature == (
        "dashscope",
        "dashscope.text2image",
        "invented",
        "wire",
        "/output/results",
    )


def test_the_table_counts_verdicts() -> None:
    """The table counts verdicts by endpoint, mode and parser."""
    told = [*parse_all("file", [submission("1"), submission("2")], [DASHSCOPE])]
    told += [replace(told[0], number=3, verdict=ParseVerdict.SAME, disagreements=())]
    (row,) = rows(told)
    assert (row.endpoint, row.mode, row.parser) == ("dashscope.text2image", "sync", "dashscope")
    assert row.exchanges == 3
    assert row.verdicts == {ParseVerdict.DIFFERENT: 2, ParseVerdict.SAME: 1}
