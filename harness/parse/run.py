"""Recorded exchanges, asked again through every SDK that can: what each makes of the same bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from harness.analysis.exchange import AnalyzedExchange
from harness.parse import Parser, recorded_request
from harness.parse.disagreements import Disagreement, Kind, Raised, disagreements
from harness.sandbox.scripted_server import Script, response_script, serve_scripts
from harness.types import Outcome

TIMEOUT = 20.0
"""Seconds that an SDK may wait for an answer from this machine."""


class Verdict(StrEnum):
    """What came of one exchange with one parser."""

    SAME = "same"
    DIFFERENT = "different"
    CRASHED = "crashed"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True)
class Parsed:
    """One recorded exchange, read by one SDK. `source` is the cassette it is from."""

    source: str
    reading: AnalyzedExchange
    parser: str
    verdict: Verdict
    disagreements: tuple[Disagreement, ...] = ()


def parsed(
    source: str, readings: Iterable[AnalyzedExchange], parsers: Iterable[Parser]
) -> Iterator[Parsed]:
    """What each parser makes of each exchange; what none can be asked is told once."""
    able = tuple(parsers)
    for reading in readings:
        fitting = [parser for parser in able if askable(parser, reading)]
        if not fitting:
            yield Parsed(source, reading, "", Verdict.NOT_APPLICABLE)
        for parser in fitting:
            yield _parsed(source, reading, parser)


def _parsed(source: str, reading: AnalyzedExchange, parser: Parser) -> Parsed:
    theirs = ask(parser, reading)
    if theirs is None:
        return Parsed(source, reading, parser.name, Verdict.NOT_APPLICABLE)
    found = tuple(disagreements(reading, theirs))
    return Parsed(source, reading, parser.name, _verdict(found), found)


def askable(parser: Parser, reading: AnalyzedExchange) -> bool:
    """Whether this request can be made through this SDK, and its answer stays at this address."""
    if reading.endpoint is None or reading.endpoint.name not in parser.endpoints:
        return False
    exchange = reading.exchange
    asks = exchange.request.method.upper() == "GET" or isinstance(reading.request_json.value, dict)
    return parser.installed and asks and not 300 <= exchange.response.status < 400


def ask(parser: Parser, reading: AnalyzedExchange) -> Outcome | Raised | None:
    """The recorded request made once more through an SDK, answered with the recorded bytes.

    None where the SDK would not ask: what it raised is about the question then, not the answer.
    """
    exchange = reading.exchange
    script = response_script(exchange.response, exchange.chunks)
    heard: list[bytes] = []

    def respond(head: bytes, body: bytes) -> Script:
        heard.append(head)
        return script

    with serve_scripts(respond) as address:
        try:
            return parser.parse(recorded_request(reading, address, TIMEOUT))
        except Exception as error:  # noqa: BLE001 - an SDK may raise anything: that is the finding
            told = f"{type(error).__name__}: {error}".replace(address, "http://127.0.0.1")
            return Raised(told, parser.documents(error)) if heard else None


def _verdict(found: tuple[Disagreement, ...]) -> Verdict:
    if any(one.kind is Kind.CRASHED for one in found):
        return Verdict.CRASHED
    return Verdict.DIFFERENT if found else Verdict.SAME
