"""All targets of one scenario side by side: their differences, formats, times and costs.

The figures of a turn are its tokens, its times, its cost, and the shares of Chinese and Latin
letters in its answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.analysis.endpoint import Part
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.reply import read_answer
from harness.analysis.transcript import AnalyzedTranscript, AnalyzedTurn
from harness.comparison import summary
from harness.comparison.pairs import compare_all, pairs_of
from harness.comparison.types import Comparison, Layer
from harness.config.prices import NO_PRICES, Cost, Price, Prices
from harness.types import Choice, Failure, Outcome, Provenance, Reply, Timing, ToolCall
from harness.wire.patterns import lazy_pattern


@dataclass(frozen=True, slots=True)
class TargetPair:
    """The comparison of two targets of a matrix.

    Attributes:
        left: The index of one target in `Matrix.targets`.
        right: The index of the other target.
        comparison: Their differences.
    """

    left: int
    right: int
    comparison: Comparison

    @property
    def shape(self) -> int:
        """The number of differences in format: in paths and types of the answers' JSON."""
        return len(self.comparison.of(Layer.SHAPE))

    @property
    def answer(self) -> int:
        """The number of differences in outcome, such as in texts and finish reasons."""
        return len(self.comparison.of(Layer.ANSWER))


@dataclass(frozen=True, slots=True)
class PathRow:
    """One path in the answers, with the types of its values for each target.

    Attributes:
        path: A JSON pointer in which `[]` stands for every item of an array.
        types: For each target, the types such as `integer|null`; empty if the target lacks the
            path.
    """

    path: str
    types: tuple[str, ...]

    @property
    def differs(self) -> bool:
        """Whether the types at this path differ between targets."""
        return len(set(self.types)) > 1


@dataclass(frozen=True, slots=True)
class PathTable:
    """The JSON types at each path in the responses of one kind of exchange, for all targets.

    Attributes:
        part: The kind of exchange, such as `answer`, `event` (of a stream) or `refusal`.
        present: For each target, in the order of `Matrix.targets`, whether it has such an exchange.
        rows: One row for each path that any target has, sorted by path.
    """

    part: str
    present: tuple[bool, ...]
    rows: tuple[PathRow, ...]

    @property
    def differing(self) -> tuple[PathRow, ...]:
        """The rows in which the types differ between targets that have this kind of exchange."""
        return tuple(row for row in self.rows if len(self._variants(row)) > 1)

    def _variants(self, row: PathRow) -> set[str]:
        return {types for types, has in zip(row.types, self.present, strict=True) if has}


@dataclass(frozen=True, slots=True)
class Matrix:
    """All targets of one scenario, compared.

    Attributes:
        scenario: The scenario's name; empty if the transcripts have several.
        targets: The targets' names.
        pairs: A comparison for each pair of targets; of many, for each with the first.
        tables: The formats of all targets, by kind of exchange.
        figures: The figures of every turn of every target.
    """

    scenario: str
    targets: tuple[str, ...]
    pairs: tuple[TargetPair, ...]
    tables: tuple[PathTable, ...]
    figures: tuple[TurnFigures, ...]


def matrix(
    transcripts: Sequence[AnalyzedTranscript],
    prices: Prices = NO_PRICES,
    repeats: Sequence[AnalyzedTranscript] = (),
) -> Matrix:
    """Compare all targets of one scenario, pair by pair.

    Args:
        transcripts: One transcript for each target.
        prices: The prices by which the costs are computed.
        repeats: Further recordings of the same targets. Values that vary between a target and its
            repeats do not count as differences.
    """
    turns = [summary.summarize_all(transcript) for transcript in transcripts]
    targets = summary.names(transcripts)
    sides = pairs_of(len(transcripts))
    return Matrix(
        scenario=summary.common_scenario(transcripts),
        targets=targets,
        pairs=tuple(
            TargetPair(i, j, comparison)
            for (i, j), comparison in zip(
                sides, compare_all(transcripts, turns, repeats), strict=True
            )
        ),
        tables=tuple(_tables(turns)),
        figures=tuple(
            replace(turn_figures(transcript, turn, prices), target=target)
            for target, transcript in zip(targets, transcripts, strict=True)
            for turn in transcript.turns
        ),
    )


def without_texts(compared: Matrix) -> Matrix:
    """Return the figures in *compared* that rankings and lists of prices need, and nothing else.

    Of a single target, which no ranking has, these are the turns with a cost.
    """
    needed = (one for one in compared.figures if len(compared.targets) > 1 or one.cost)
    figures = tuple(map(_without_text, needed))
    return replace(compared, pairs=(), tables=(), figures=figures)


def _without_text(figures: TurnFigures) -> TurnFigures:
    return replace(figures, content=None, tool_calls=(), other_choices=())


def _tables(targets: Sequence[Sequence[summary.TurnSummary]]) -> Iterator[PathTable]:
    for part in summary.PARTS:
        formats = [_format(turns, part) for turns in targets]
        if any(formats):
            yield PathTable(part, tuple(map(bool, formats)), path_rows(formats))


def path_rows(formats: Sequence[Mapping[str, set[str]]]) -> tuple[PathRow, ...]:
    """Return a row for each path that any target has, sorted by path.

    *formats* has one mapping for each target: the JSON types of the values at each path.
    """
    paths = sorted({path for types in formats for path in types})
    sides = (["|".join(sorted(types.get(path, ()))) for types in formats] for path in paths)
    return tuple(PathRow(path, tuple(types)) for path, types in zip(paths, sides, strict=True))


def _format(turns: Sequence[summary.TurnSummary], part: str) -> dict[str, set[str]]:
    """Return the types by path of one kind of exchange, collected from all turns."""
    joined: dict[str, set[str]] = {}
    for turn in turns:
        for path, types in turn.shapes.get(part, {}).items():
            joined.setdefault(path, set()).add(types)
    return {path: {*"|".join(types).split("|")} for path, types in joined.items()}


# ----------------------------------------------------------------------- figures of one turn


@dataclass(frozen=True, slots=True)
class TurnFigures:
    """The figures of one turn of one target; None where a figure is unknown.

    Attributes:
        target: The target's name, such as `zhipuai/glm-4.5`.
        turn: The turn's number in the conversation, from 1.
        outcome: `reply`, `failure 429 1302` (HTTP status and error code) or `unknown`.
        delivery: `sync`, `stream` or `task`.
        content_length: Number of characters of the answer's text.
        finish_reason: The reason as the provider names it, such as `stop`.
        input_tokens: Number of input tokens, as the answer states it.
        output_tokens: Number of output tokens, as the answer states it.
        first_byte: Seconds from the turn's first request to the answer's first byte.
        total: Seconds from the turn's first request to its last byte, waits between polls included.
        events: Number of server-sent events in the turn's streams; 0 without a stream.
        exchanges: Number of HTTP exchanges of the turn.
        first_token: Seconds from the turn's first request to the first event with content; without
            a stream, the same as `first_byte`.
        han: Share of Chinese characters among the letters of the answer's text, from 0 to 1.
        latin: Share of Latin letters among the letters of the answer's text, from 0 to 1.
        tool_calls: The calls that the model asks for.
        images: Number of images in the answer.
        price: The model's price on the day of the recording.
        cost: The cost of the turn by `price`; None also if the answer does not state its usage.
        content: The answer's text.
        other_choices: The choices after the first. The text, length, tool calls, finish reason and
            shares of letters above describe the first choice.
    """

    target: str
    turn: int
    outcome: str
    delivery: str
    content_length: int | None = None
    finish_reason: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    first_byte: float | None = None
    total: float | None = None
    events: int = 0
    exchanges: int = 0
    first_token: float | None = None
    han: float | None = None
    latin: float | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    images: int = 0
    price: Price | None = None
    cost: Cost | None = None
    content: str | None = None
    other_choices: tuple[Choice, ...] = ()

    @property
    def is_further(self) -> bool:
        """Whether these are the figures of one of several answers to a request, but not the first.

        Such figures are made by `by_choice`.
        """
        return self.outcome.startswith("choice ")

    @property
    def by_choice(self) -> tuple[TurnFigures, ...]:
        """These figures, then those of each further choice; its outcome is such as `choice 1`."""
        others = (
            TurnFigures(
                self.target, self.turn, f"choice {one.index}", self.delivery, **_choice_facts(one)
            )
            for one in self.other_choices
        )
        return (self, *others)


def turn_figures(
    transcript: AnalyzedTranscript, turn: AnalyzedTurn, prices: Prices = NO_PRICES
) -> TurnFigures:
    """Return the figures of one turn of *transcript*.

    The turn's cost is computed by *prices*, as of the day of the recording.
    """
    waited = _wait(turn)
    answer = turn.answer
    timing = answer.exchange.timing if answer else None
    token = first_token(answer) if answer else None
    price = _price(transcript, turn, prices)
    return TurnFigures(
        target=summary.name(transcript),
        turn=turn.turn.number,
        outcome=_outcome(turn),
        delivery=summary.delivery(turn),
        first_byte=waited + timing.first_byte if timing else None,
        first_token=None if token is None else waited + token,
        total=duration(turn),
        events=summary.event_count(turn),
        exchanges=len(turn.readings),
        price=price,
        cost=_cost(turn.outcome, price),
        **_reply_facts(turn.outcome),
    )


def _wait(turn: AnalyzedTurn) -> float:
    """Return the seconds from a turn's first request to the request with the answer; 0 if unknown.

    The two requests differ after a retry, or when the answer is the last poll of a task.
    """
    starts = [e.exchange.timing.start for e in turn.readings if e.exchange.timing]
    timing = turn.answer.exchange.timing if turn.answer else None
    return max(0.0, round(timing.start - min(starts), 6)) if timing else 0.0


def duration(turn: AnalyzedTurn) -> float | None:
    """Return the seconds from a turn's first request to its last byte; None without timings."""
    timings = [e.exchange.timing for e in turn.readings if e.exchange.timing]
    start = min((timing.start for timing in timings), default=0.0)
    ends = (round(timing.start - start, 6) + timing.total for timing in timings)
    return max(ends, default=None)


def _outcome(turn: AnalyzedTurn) -> str:
    outcome = turn.outcome
    if isinstance(outcome, Failure):
        return f"failure {outcome.status} {outcome.code}".rstrip()
    return "reply" if isinstance(outcome, Reply) else "unknown"


def _reply_facts(outcome: Outcome | None) -> dict[str, Any]:
    if not isinstance(outcome, Reply):
        return {}
    usage = outcome.usage
    return {
        **_choice_facts(outcome),
        "images": len(outcome.images),
        "input_tokens": usage.input_tokens if usage else None,
        "output_tokens": usage.output_tokens if usage else None,
        "other_choices": outcome.other_choices,
    }


def _choice_facts(choice: Reply | Choice) -> dict[str, Any]:
    han, latin = scripts(choice.content or "")
    return {
        "content": choice.content,
        "content_length": None if choice.content is None else len(choice.content),
        "han": han,
        "latin": latin,
        "finish_reason": choice.finish_reason,
        "tool_calls": choice.tool_calls,
    }


def scripts(text: str) -> tuple[float | None, float | None]:
    """Return the share of Han letters and the share of Latin letters; (None, None) without letters.

    >>> scripts("GLM 好")
    (0.25, 0.75)
    """
    of_ascii = len(text.encode("ascii", "ignore").translate(None, _NO_LETTERS))
    of_han, others = (0, {}) if text.isascii() else _other_letters(text)
    total = of_ascii + of_han + sum(others.values())
    if not total:
        return None, None
    han = of_han + sum(count for letter, count in others.items() if _is_han(letter))
    latin = of_ascii + sum(count for letter, count in others.items() if letter < "\u0250")
    return round(han / total, 3), round(latin / total, 3)


_COMMON_HAN = "\u3400-\u4db5\u4e00-\u9fef"
_COMMON = lazy_pattern(f"[\0-\x7f{_COMMON_HAN}]+")
_RARE = lazy_pattern(f"[^\0-\x7f{_COMMON_HAN}]")
_NO_LETTERS = bytes(byte for byte in range(128) if not chr(byte).isalpha())
_SLICE = 2**16
_MAX_SIGNS = 32
"""More signs of punctuation than most slices of a text have."""


def _other_letters(text: str) -> tuple[int, dict[str, int]]:
    """Return the number of common Han letters, and of each other letter that is not in ASCII."""
    of_han = 0
    others: Counter[str] = Counter()
    for start in range(0, len(text), _SLICE):
        part = text[start : start + _SLICE]
        # To count one sign in a slice, and remove it, is quicker than to look at each letter.
        for _ in range(_MAX_SIGNS):
            if (sign := _RARE.search(part)) is None:
                break
            others[sign[0]] += part.count(sign[0])
            part = part.replace(sign[0], "")
        rest = _COMMON.sub("", part)
        others.update(rest)
        of_han += len(part) - len(rest) - len(part.encode("ascii", "ignore"))
    return of_han, {letter: count for letter, count in others.items() if letter.isalpha()}


_HAN = (
    ("\u3400", "\u4dbf"),
    ("\u4e00", "\u9fff"),
    ("\uf900", "\ufaff"),
    ("\U00020000", "\U000323af"),
)
"""The first and the last character of each block of CJK ideographs in Unicode."""


def _is_han(letter: str) -> bool:
    return any(first <= letter <= last for first, last in _HAN)


def first_token(exchange: AnalyzedExchange) -> float | None:
    """Return the seconds from the request to the first event with content; None without timings.

    If the answer is not a stream, or if no event has content, return the time to the first byte.
    """
    timing = exchange.exchange.timing
    if timing is None:
        return None
    event = next(_events_with_content(exchange), None) if timing.arrived else None
    return timing.first_byte if event is None else _arrival(exchange, timing, event)


def _events_with_content(exchange: AnalyzedExchange) -> Iterator[Part]:
    """Yield the events of a stream that have content, reasoning or a tool call, in order.

    Nothing is yielded for a refusal, or for an answer that is not a stream.
    """
    endpoint = exchange.endpoint
    if endpoint is None or not exchange.is_stream or not exchange.accepted:
        return
    for part in exchange.parts:
        outcome = read_answer(endpoint, (part,), exchange.request_json.value)
        if isinstance(outcome, Reply) and (
            outcome.content or outcome.reasoning or outcome.tool_calls
        ):
            yield part


def _arrival(exchange: AnalyzedExchange, timing: Timing, part: Part) -> float:
    """Return the seconds from the request to the arrival of the chunk with an event's last byte."""
    event = exchange.stream.events[(part.event or 1) - 1]
    end = event.data_offset + len(event.data.encode())
    received = 0
    for size, arrived in zip(exchange.exchange.chunks, timing.arrived, strict=False):
        received += size
        if received >= end:
            return arrived
    return timing.total


def _price(transcript: AnalyzedTranscript, turn: AnalyzedTurn, prices: Prices) -> Price | None:
    if not turn.readings or not prices.table:
        return None
    provider, model = summary.model_of(transcript, turn.readings[0])
    return prices.price(provider, model, transcript.transcript.provenance.recorded_at)


def _cost(outcome: Outcome | None, price: Price | None) -> Cost | None:
    if price is None or not isinstance(outcome, Reply):
        return None
    return price.of_reply(outcome)


# ------------------------------------------------------------------- outline of a transcript


@dataclass(frozen=True, slots=True)
class Outline:
    """A summary of a transcript in figures, without its texts and exchanges.

    Attributes:
        scenario: The name of the scenario.
        target: The target, such as `zhipuai/glm-4.5`.
        source: The path of the cassette.
        provenance: The provenance of the cassette.
        exchanges: The number of exchanges.
        unused: The number of recorded exchanges whose requests were not made.
        skipped: A sentence for each skipped step.
        ignored: The names of the rules that the scenario ignores, each with the reason.
        models: The models that requests name, each once.
        turns: The number of turns.
        figures: The figures of each turn, without the texts and tool calls of answers; empty if no
            report needs them.
        files: The number of files that were downloaded, such as images.
    """

    scenario: str
    target: str
    source: str
    provenance: Provenance
    exchanges: int
    unused: int
    skipped: tuple[str, ...]
    ignored: dict[str, str]
    models: tuple[str, ...]
    turns: int
    figures: tuple[TurnFigures, ...]
    files: int = 0


def outline(read: AnalyzedTranscript) -> Outline:
    """Return the summary in figures of the transcript *read*."""
    transcript = read.transcript
    models = (one.model for one in read.readings)
    figures: list[TurnFigures] = []
    files = 0
    for part in read.parts():
        figures += (_without_text(turn_figures(read, turn)) for turn in part.turns)
        files += sum(one.is_binary and one.accepted for one in part.readings)
    return Outline(
        transcript.scenario,
        transcript.target,
        transcript.source,
        transcript.provenance,
        len(read.readings),
        len(transcript.unused),
        transcript.skipped,
        dict(transcript.ignored),
        tuple(dict.fromkeys(model for model in models if model is not None)),
        len(read.turns),
        tuple(figures),
        files,
    )
