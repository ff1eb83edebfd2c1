"""Rules for embeddings and rankings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from harness.analysis.endpoint import Part, Pointers
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.reply import first, seen
from harness.rules.rule import answers, fields_of, pointer_to, show, violation
from harness.types import Finding, Json


def _texts(reading: AnalyzedExchange) -> list[Json]:
    """Return the texts or documents of a request; empty if there are none.

    A list of numbers is one text, as tokens.
    """
    texts = first(reading.request_json.value, fields_of(reading).texts)
    if isinstance(texts, list) and texts and all(type(item) is int for item in texts):
        return [texts]
    return texts if isinstance(texts, list) else [texts] if isinstance(texts, str) else []


def _values(part: Part, pointers: Pointers) -> list[Json]:
    return [value for _, value in seen(part.value, pointers)]


def _vectors(reading: AnalyzedExchange, part: Part) -> list[tuple[str, list[Json]]]:
    """Return (pointer, vector) for each vector in a part."""
    vectors = seen(part.value, fields_of(reading).vectors)
    return [(pointer, vector) for pointer, vector in vectors if isinstance(vector, list)]


def _counts(numbers: Iterable[object]) -> Counter[str]:
    return Counter(map(repr, numbers))


def _array(part: Part, pointers: Pointers) -> str:
    """Return the JSON pointer of the array whose items have a field; empty if none has it."""
    return pointer_to(part, pointers).rpartition("/")[0].rpartition("/")[0]


def embedding_for_each_text(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that each text of a request has one vector, with the index of the text from 0.

    A program matches texts and vectors by this index.
    """
    fields, texts = fields_of(reading), _texts(reading)
    for part in answers(reading) if fields.vectors and texts else ():
        numbers = _values(part, fields.positions)
        # Several pictures and texts may become one vector together.
        is_joint = len(numbers) == 1 < len(texts) and any(isinstance(t, dict) for t in texts)
        if numbers and not is_joint and _counts(numbers) != _counts(range(len(texts))):
            place = reading.place(_array(part, fields.positions), part)
            yield violation(f"the numbers 0 to {len(texts) - 1}, each once", show(numbers), place)


def embeddings_have_one_length(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that all vectors of an answer have the same length.

    Vectors of different lengths cannot be compared.
    """
    for part in answers(reading):
        vectors = _vectors(reading, part)
        for pointer, vector in vectors[1:]:
            length = len(vectors[0][1])
            if len(vector) != length:
                place = reading.place(pointer, part)
                yield violation(f"{length} numbers as before", len(vector), place)


def embedding_has_asked_length(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that a vector has the length that was requested.

    Not every model can: text-embedding-v1 was requested to return 512 numbers and returned 1536
    without an error [REC]. A database column of fixed length would not accept them.
    """
    length = first(reading.request_json.value, fields_of(reading).dimension)
    for part in answers(reading) if type(length) is int else ():
        wrong = [item for item in _vectors(reading, part) if len(item[1]) != length]
        for pointer, vector in wrong[:1]:
            place = reading.place(pointer, part)
            yield violation(f"{length} numbers as requested", len(vector), place)


def ranking_is_ordered(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that a ranking begins with the highest score and has each document at most once.

    A document is identified by its index in the request, from 0; no more are ranked than requested
    [REC].
    """
    fields, documents = fields_of(reading), len(_texts(reading))
    limit = first(reading.request_json.value, fields.count)
    for part in answers(reading) if fields.scores else ():
        numbers, scores = _values(part, fields.positions), _values(part, fields.scores)
        place = reading.place(_array(part, fields.scores), part)
        known = [score for score in scores if isinstance(score, int | float)]
        if len(known) == len(scores) and known != sorted(known, reverse=True):
            yield violation("scores from the highest to the lowest", show(scores), place)
        if documents and not _counts(numbers) <= _counts(range(documents)):
            expected = f"numbers from 0 to {documents - 1}, each once at most"
            yield violation(expected, show(numbers), place)
        if type(limit) is int and len(numbers) > limit:
            yield violation(f"at most {limit} results as requested", len(numbers), place)
