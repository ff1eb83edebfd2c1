"""Recorded requests, made once more through each SDK and answered with the recorded bytes."""

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

TIMEOUT = 20.0
"""Seconds that an SDK may wait for an answer from this machine."""


class Verdict(StrEnum):
    """The result for one exchange and one parser."""

    SAME = "same"
    DIFFERENT = "different"
    CRASHED = "crashed"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True)
class ParsedExchange:
    """One recorded exchange, read by one SDK.

    Attributes:
        source: The cassette it is from.
        reading: The exchange.
        parser: The parser's name; empty if no parser can make the request.
        verdict: The result.
        disagreements: The differences.
    """

    source: str
    reading: AnalyzedExchange
    parser: str
    verdict: Verdict
    disagreements: tuple[Disagreement, ...] = ()

    @property
    def endpoint(self) -> str:
        """The name of the endpoint."""
        return self.reading.endpoint.name if self.reading.endpoint else "unknown"


def parse_all(
    source: str, readings: Iterable[AnalyzedExchange], parsers: Iterable[Parser]
) -> Iterator[ParsedExchange]:
    """Yield what each parser reads in each exchange; one result where no parser can ask."""
    candidates = tuple(parsers)
    for reading in readings:
        able = [parser for parser in candidates if can_ask(parser, reading)]
        if not able:
            yield ParsedExchange(source, reading, "", Verdict.NOT_APPLICABLE)
        for parser in able:
            yield _parsed(source, reading, parser)


def _parsed(source: str, reading: AnalyzedExchange, parser: Parser) -> ParsedExchange:
    sdk = ask(parser, reading)
    if sdk is None:
        return ParsedExchange(source, reading, parser.name, Verdict.NOT_APPLICABLE)
    differences = tuple(disagreements(reading, sdk))
    verdict = Verdict.DIFFERENT if differences else Verdict.SAME
    if any(difference.kind is Kind.CRASHED for difference in differences):
        verdict = Verdict.CRASHED
    return ParsedExchange(source, reading, parser.name, verdict, differences)


def can_ask(parser: Parser, reading: AnalyzedExchange) -> bool:
    """Return whether an SDK can make this request, and its answer leads to no other address."""
    if reading.endpoint is None or reading.endpoint.name not in parser.endpoints:
        return False
    request, status = reading.exchange.request, reading.exchange.response.status
    has_body = request.method.upper() == "GET" or isinstance(reading.request_json.value, dict)
    return parser.installed and has_body and not 300 <= status < 400


def ask(parser: Parser, reading: AnalyzedExchange) -> Outcome | Raised | None:
    """Make a recorded request through an SDK, which is answered with the recorded bytes.

    Returns:
        What the SDK reads or raises; None if it raised before it sent the request.
    """
    exchange = reading.exchange
    script = response_script(exchange.response, exchange.chunks)
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
class Row:
    """The number of each verdict, over all exchanges of one endpoint and mode with one parser."""

    endpoint: str
    mode: str
    parser: str
    verdicts: Mapping[Verdict, int]

    @property
    def exchanges(self) -> int:
        """The number of exchanges."""
        return sum(self.verdicts.values())


@dataclass(frozen=True)
class Defect:
    """A disagreement, with the smallest of the `exchanges` that show it."""

    example: ParsedExchange
    disagreement: Disagreement
    exchanges: int = 1

    @property
    def signature(self) -> Signature:
        """What identifies it."""
        kind, level = self.disagreement.kind.value, self.disagreement.level.value
        return self.example.parser, self.example.endpoint, kind, level, self.disagreement.path

    @property
    def size(self) -> int:
        """The size of the example's body, in bytes."""
        return len(self.example.reading.exchange.response.body)


def rows(parsed: Iterable[ParsedExchange]) -> list[Row]:
    """Return a row for each endpoint, mode and parser, sorted."""
    counts: dict[tuple[str, str, str], Counter[Verdict]] = {}
    for result in parsed:
        mode = "stream" if result.reading.is_stream else "sync"
        key = (result.endpoint, mode, result.parser)
        counts.setdefault(key, Counter())[result.verdict] += 1
    return [Row(*key, counts[key]) for key in sorted(counts)]


def defects(parsed: Iterable[ParsedExchange]) -> list[Defect]:
    """Return each disagreement once, sorted by signature."""
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
