"""The repetition of recorded requests through each SDK, answered with the recorded bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from harness.analysis.exchange import AnalyzedExchange
from harness.parse import Parser, recorded_request
from harness.parse.disagreements import Disagreement, Kind, Raised, disagreements
from harness.sandbox.scripted_server import Script, response_script, serve_scripts
from harness.types import Outcome
from harness.wire.codings import drop_stale_content_encoding

TIMEOUT = 20.0
"""Seconds that an SDK waits for a response from the local server before it fails."""


class ParseVerdict(StrEnum):
    """The result of the comparison for one exchange and one parser."""

    SAME = "same"
    DIFFERENT = "different"
    CRASHED = "crashed"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True)
class ParsedExchange:
    """The result of one recorded exchange that was repeated through one SDK.

    Attributes:
        source: The cassette of the exchange.
        number: The position of the exchange in the cassette, from 1.
        endpoint: The name of its endpoint; `unknown` if it is not recognised.
        mode: `stream` or `sync`.
        size: The size of the response body, in bytes.
        parser: The SDK parser's name; empty if no parser can make the request.
        verdict: The result of the comparison.
        disagreements: The differences between the response and what the SDK returned.
    """

    source: str
    number: int
    endpoint: str
    mode: str
    size: int
    parser: str
    verdict: ParseVerdict
    disagreements: tuple[Disagreement, ...] = ()


def parsed_exchange(
    source: str,
    reading: AnalyzedExchange,
    parser: str,
    verdict: ParseVerdict,
    disagreements: tuple[Disagreement, ...] = (),
) -> ParsedExchange:
    """Return the result of one exchange that *parser* repeated."""
    return ParsedExchange(
        source,
        reading.number,
        reading.endpoint.name if reading.endpoint else "unknown",
        "stream" if reading.is_stream else "sync",
        len(reading.exchange.response.body),
        parser,
        verdict,
        disagreements,
    )


def parse_all(
    source: str, readings: Iterable[AnalyzedExchange], parsers: Iterable[Parser]
) -> Iterator[ParsedExchange]:
    """Yield a result for each exchange and each parser that can make its request.

    An exchange whose request no parser can make yields one result, `not applicable`.
    """
    candidates = tuple(parsers)
    for reading in readings:
        able = [parser for parser in candidates if can_ask(parser, reading)]
        if not able:
            yield parsed_exchange(source, reading, "", ParseVerdict.NOT_APPLICABLE)
        for parser in able:
            yield _parsed(source, reading, parser)


def _parsed(source: str, reading: AnalyzedExchange, parser: Parser) -> ParsedExchange:
    sdk = ask(parser, reading)
    if sdk is None:
        return parsed_exchange(source, reading, parser.name, ParseVerdict.NOT_APPLICABLE)
    differences = tuple(disagreements(reading, sdk))
    verdict = ParseVerdict.DIFFERENT if differences else ParseVerdict.SAME
    if any(difference.kind is Kind.CRASHED for difference in differences):
        verdict = ParseVerdict.CRASHED
    return parsed_exchange(source, reading, parser.name, verdict, differences)


def can_ask(parser: Parser, reading: AnalyzedExchange) -> bool:
    """Return whether *parser* can make the request of an exchange.

    It has to be installed and support the endpoint, and the request needs a JSON object as body
    unless it is a GET. Redirects are excluded: the SDK would follow them to another address.
    """
    if reading.endpoint is None or reading.endpoint.name not in parser.endpoints:
        return False
    request, status = reading.exchange.request, reading.exchange.response.status
    has_body = request.method.upper() == "GET" or isinstance(reading.request_json.value, dict)
    return parser.installed and has_body and not 300 <= status < 400


def ask(parser: Parser, reading: AnalyzedExchange) -> Outcome | Raised | None:
    """Make a recorded request through an SDK, with a local server that sends the recorded response.

    Returns:
        The outcome that the SDK returned, or the error that it raised; None if it raised before it
        sent the request.
    """
    exchange = reading.exchange
    script = response_script(drop_stale_content_encoding(exchange.response), exchange.chunks)
    requests: list[bytes] = []

    def respond(head: bytes, body: bytes) -> Script:
        requests.append(head)
        return script

    with serve_scripts(respond) as address:
        try:
            return parser.parse(recorded_request(reading, address, TIMEOUT))
        except Exception as error:  # noqa: BLE001 - an SDK may raise anything: that is the finding
            text = f"{type(error).__name__}: {error}".replace(address, "http://127.0.0.1")
            return Raised(text, parser.documents(error)) if requests else None


# ------------------------------------------------------------------------------------- summary

Signature = tuple[str, str, str, str, str]
"""(parser, endpoint, kind, level, path): equal for two disagreements with the same cause."""


@dataclass(frozen=True, slots=True)
class ParseRow:
    """The number of exchanges by verdict, for one endpoint, mode and parser.

    Attributes:
        endpoint: The name of the endpoint.
        mode: `stream` or `sync`.
        parser: The name of the SDK parser; empty for exchanges that no parser can request.
        verdicts: The number of exchanges with each verdict.
    """

    endpoint: str
    mode: str
    parser: str
    verdicts: Mapping[ParseVerdict, int]

    @property
    def exchanges(self) -> int:
        """The number of all exchanges."""
        return sum(self.verdicts.values())


@dataclass(frozen=True)
class Defect:
    """A disagreement that one or more exchanges show.

    Attributes:
        example: The result for the exchange with the smallest response body that shows it.
        disagreement: The disagreement in that exchange.
        exchanges: The number of exchanges that show it.
    """

    example: ParsedExchange
    disagreement: Disagreement
    exchanges: int = 1

    @property
    def signature(self) -> Signature:
        """The signature of the disagreement, which identifies the defect."""
        kind, level = self.disagreement.kind.value, self.disagreement.level.value
        return self.example.parser, self.example.endpoint, kind, level, self.disagreement.path

    @property
    def size(self) -> int:
        """The size of the example's response body, in bytes."""
        return self.example.size


def rows(parsed: Iterable[ParsedExchange]) -> list[ParseRow]:
    """Return a row for each combination of endpoint, mode and parser, sorted by these."""
    counts: dict[tuple[str, str, str], Counter[ParseVerdict]] = {}
    for result in parsed:
        key = (result.endpoint, result.mode, result.parser)
        counts.setdefault(key, Counter())[result.verdict] += 1
    return [ParseRow(*key, counts[key]) for key in sorted(counts)]


def defects(parsed: Iterable[ParsedExchange]) -> list[Defect]:
    """Return one defect for all disagreements with the same signature, sorted by signature."""
    smallest: dict[Signature, Defect] = {}
    counts: Counter[Signature] = Counter()
    for result in parsed:
        shown = [Defect(result, difference) for difference in reversed(result.disagreements)]
        for signature, defect in {defect.signature: defect for defect in shown}.items():
            counts[signature] += 1
            known = smallest.setdefault(signature, defect)
            if (defect.size, result.source) < (known.size, known.example.source):
                smallest[signature] = defect
    return [replace(smallest[s], exchanges=counts[s]) for s in sorted(smallest)]
