"""Do embeddings and rankings fit what was to be embedded and ranked?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from harness.analysis.endpoint import Endpoint, Fields, Part
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.reply import first, seen
from harness.rules.rule import answers, show, spoken, violation
from harness.types import Finding, LooseJson


def _vectors(reading: AnalyzedExchange) -> Iterator[tuple[Part, Endpoint]]:
    endpoint = spoken(reading)
    if endpoint is not None and endpoint.fields.vectors:
        yield from ((part, endpoint) for part in answers(reading))


def _asked(reading: AnalyzedExchange, fields: Fields) -> int | None:
    """How many texts or documents a request sends; None where it does not say."""
    texts = first(reading.request_json.value, fields.texts)
    if isinstance(texts, str):
        return 1
    return len(texts) if isinstance(texts, list) and texts else None


def embedding_for_each_text(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Each text that was sent has one vector, under its own number, counted from 0.

    A program puts text and vector together by that number.
    """
    for part, endpoint in _vectors(reading):
        asked = _asked(reading, endpoint.fields)
        told = [number for _, number in seen(part.value, endpoint.fields.positions)]
        if asked is None or not told or _names(told) == _names(range(asked)):
            continue
        # Several pictures and texts may become one vector together.
        if len(told) == 1 and isinstance(
            first(reading.request_json.value, endpoint.fields.texts), list
        ):
            texts = first(reading.request_json.value, endpoint.fields.texts)
            if any(isinstance(text, dict) for text in texts):
                continue
        place = reading.place(_parent(part, endpoint.fields.positions), part)
        yield violation(f"the numbers 0 to {asked - 1}, each once", show(told), place)


def _names(numbers: object) -> Counter[str]:
    return Counter(map(repr, numbers)) if isinstance(numbers, list | range) else Counter()


def _parent(part: Part, pointers: tuple[str, ...]) -> str:
    """The pointer of the array whose items hold a field."""
    held = next(seen(part.value, pointers), ("", None))[0]
    return held.rpartition("/")[0].rpartition("/")[0]


def embeddings_have_one_length(reading: AnalyzedExchange) -> Iterator[Finding]:
    """All vectors of an answer have the same length.

    Vectors of different lengths cannot be compared with each other.
    """
    for part, endpoint in _vectors(reading):
        told = [held for held in seen(part.value, endpoint.fields.vectors) if _is_list(held[1])]
        for pointer, vector in told[1:]:
            if len(vector) != len(told[0][1]):
                place = reading.place(pointer, part)
                yield violation(f"{len(told[0][1])} numbers as before", str(len(vector)), place)


def embedding_has_asked_length(reading: AnalyzedExchange) -> Iterator[Finding]:
    """A vector is as long as was asked for.

    Not every model can: text-embedding-v1 was asked for 512 numbers, and gave its 1536 without a
    word [REC]. A column in a database would not take them.
    """
    for part, endpoint in _vectors(reading):
        wanted = first(reading.request_json.value, endpoint.fields.dimension)
        for pointer, vector in seen(part.value, endpoint.fields.vectors):
            if _is_list(vector) and type(wanted) is int and len(vector) != wanted:
                place = reading.place(pointer, part)
                yield violation(f"{wanted} numbers, as asked for", str(len(vector)), place)
                return


def _is_list(vector: LooseJson) -> bool:
    return isinstance(vector, list)


def ranking_is_ordered(reading: AnalyzedExchange) -> Iterator[Finding]:
    """A ranking begins with the highest score, and names each document at most once.

    The numbers are those of the documents that were sent, counted from 0; no more are ranked than
    were asked for [REC].
    """
    endpoint = spoken(reading)
    if endpoint is None or not endpoint.fields.scores:
        return
    for part in answers(reading):
        places = [number for _, number in seen(part.value, endpoint.fields.positions)]
        scores = [score for _, score in seen(part.value, endpoint.fields.scores)]
        place = reading.place(_parent(part, endpoint.fields.scores), part)
        if _falls(scores) is False:
            yield violation("scores from the highest to the lowest", show(scores), place)
        asked = _asked(reading, endpoint.fields)
        if asked is not None and not _names(places) <= _names(range(asked)):
            yield violation(
                f"numbers from 0 to {asked - 1}, each once at most", show(places), place
            )
        most = first(reading.request_json.value, endpoint.fields.count)
        if type(most) is int and len(places) > most:
            yield violation(f"at most {most} results, as asked for", str(len(places)), place)


def _falls(scores: list[LooseJson]) -> bool | None:
    """Whether numbers never grow; None where they are none."""
    if not all(isinstance(score, int | float) for score in scores):
        return None
    return scores == sorted(scores, reverse=True)
