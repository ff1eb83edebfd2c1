"""Breaking pictures, vectors and rankings."""

from __future__ import annotations

import re
from collections.abc import Callable

from harness.analysis.endpoint import Part, Role
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.reply import first
from harness.analysis.transcript import AnalyzedTranscript
from harness.faults.breaks import edit
from harness.rules.images import is_picture
from harness.rules.rule import Answered, answered, answers, spoken
from harness.types import Exchange, LooseJson, Transcript
from harness.wire import resolve


def _link(reading: AnalyzedExchange, link: str) -> Exchange | None:
    endpoint = spoken(reading)
    for part in answers(reading) if endpoint else []:
        pointer = edit.place(part, endpoint.fields.images) if endpoint else ""
        if pointer:
            return edit.put(reading, part, pointer, link)
    return None


def link_is_relative(reading: AnalyzedExchange) -> Exchange | None:
    """The link to a picture begins nowhere."""
    return _link(reading, "/123/a1.png")


def link_is_a_files(reading: AnalyzedExchange) -> Exchange | None:
    """The link to a picture leads into the file system."""
    return _link(reading, "file:///123/a1.png")


def _fetched(reading: AnalyzedExchange) -> bool:
    return is_picture(reading) and reading.accepted and len(reading.exchange.response.body) > 40


def picture_is_cut_off(reading: AnalyzedExchange) -> Exchange | None:
    """Half of a picture is lost."""
    body = reading.exchange.response.body
    return edit.with_body(reading.exchange, body[: len(body) // 2]) if _fetched(reading) else None


def link_has_expired(reading: AnalyzedExchange) -> Exchange | None:
    """Instead of a picture comes a refusal."""
    return edit.with_status(reading.exchange, 403) if _fetched(reading) else None


def _sized(read: AnalyzedTranscript, size: str) -> Transcript | None:
    for asked in answered(read):
        endpoint = asked.asked.endpoint
        wanted = asked.asks("size")
        turn = [r for r in read.readings if r.turn == asked.answer.turn]
        fetched = any(_fetched(reading) for reading in turn)
        if endpoint is None or not isinstance(wanted, str) or not fetched:
            continue
        sign = re.sub(r"[0-9]", "", wanted)[:1] or "x"
        exchange = edit.ask(asked.asked, endpoint.fields.size[0], size.replace("x", sign))
        if exchange is not None:
            return edit.swapped(read, asked.asked, exchange)
    return None


def wider_picture_was_asked_for(read: AnalyzedTranscript) -> Transcript | None:
    """A picture of another width was asked for."""
    return _sized(read, "4321x4")


def higher_picture_was_asked_for(read: AnalyzedTranscript) -> Transcript | None:
    """A picture of another height was asked for."""
    return _sized(read, "8x4321")


def _counted(asked: Answered) -> bool:
    endpoint = asked.answer.endpoint
    told = asked.reply.states
    ended = endpoint is not None and (not told or told[-1] in endpoint.states.succeeded)
    return ended and bool(asked.reply.images) and type(asked.asks("count")) is int


def more_pictures_were_asked_for(read: AnalyzedTranscript) -> Transcript | None:
    """One picture more was asked for than came."""
    for asked in answered(read):
        endpoint = asked.asked.endpoint
        if endpoint is not None and _counted(asked):
            count = asked.asks("count") + 1
            exchange = edit.ask(asked.asked, endpoint.fields.count[0], count)
            return edit.swapped(read, asked.asked, exchange) if exchange else None
    return None


def picture_is_lost(read: AnalyzedTranscript) -> Transcript | None:
    """One picture less came than was asked for."""
    for asked in answered(read):
        endpoint = asked.answer.endpoint
        if endpoint is None or not _counted(asked):
            continue
        part = asked.answer.parts[-1]
        told = list(edit.held(part, endpoint.fields.results or endpoint.fields.images))
        if len(told) < 2:
            continue
        exchange = edit.put(asked.answer, part, "", edit.without(part.value, told[-1][0]))
        if exchange is not None:
            return edit.swapped(read, asked.answer, exchange)
    return None


# ------------------------------------------------------------------------ vectors, rankings


def _vector(reading: AnalyzedExchange) -> tuple[Part | None, str]:
    endpoint = spoken(reading)
    if endpoint is None or not endpoint.fields.vectors or endpoint.role is not Role.ANSWER:
        return None, ""
    part = next(iter(answers(reading)), None)
    return part, edit.place(part, endpoint.fields.vectors) if part else ""


def _asked(reading: AnalyzedExchange) -> LooseJson:
    return (
        first(reading.request_json.value, reading.endpoint.fields.texts)
        if reading.endpoint
        else None
    )


def vector_is_lost(reading: AnalyzedExchange) -> Exchange | None:
    """One text has no vector."""
    part, pointer = _vector(reading)
    endpoint = reading.endpoint
    texts = _asked(reading)
    plain = isinstance(texts, str) or (isinstance(texts, list) and isinstance(texts[0], str))
    if part is None or not pointer or endpoint is None or not plain:
        return None
    more = [texts, "another"] if isinstance(texts, str) else [*texts, "another"]
    return edit.ask(reading, endpoint.fields.texts[0], more)


def vector_is_numbered_wrongly(reading: AnalyzedExchange) -> Exchange | None:
    """A vector has the number of a text that was not sent."""
    part, _ = _vector(reading)
    endpoint = reading.endpoint
    plain = isinstance(_asked(reading), str) or isinstance(
        next(iter(_asked(reading) or []), 0), str
    )
    if part is None or endpoint is None or not plain:
        return None
    pointer = edit.place(part, endpoint.fields.positions)
    return edit.put(reading, part, pointer, 99) if pointer else None


def vectors_differ_in_length(reading: AnalyzedExchange) -> Exchange | None:
    """One vector is shorter than the others."""
    return _another_vector(reading, lambda vector: vector[:-1])


def one_vector_is_longer(reading: AnalyzedExchange) -> Exchange | None:
    """One vector is longer than the others."""
    return _another_vector(reading, lambda vector: [*vector, 0.5])


def _another_vector(
    reading: AnalyzedExchange, change: Callable[[list[LooseJson]], list[LooseJson]]
) -> Exchange | None:
    part, _ = _vector(reading)
    endpoint = reading.endpoint
    told = list(edit.held(part, endpoint.fields.vectors)) if part and endpoint else []
    if not told or not isinstance(told[0][1], list):
        return None
    array = told[0][0].rpartition("/")[0].rpartition("/")[0]
    vectors = resolve(part.value, array) if part else None
    if not isinstance(vectors, list):
        return None
    another = edit.planted(vectors[0], "/embedding", change(told[0][1]))
    return edit.put(reading, part, array, [*vectors, another])


def _longer(reading: AnalyzedExchange, by: int) -> Exchange | None:
    part, pointer = _vector(reading)
    endpoint = reading.endpoint
    vector = resolve(part.value, pointer) if part and pointer else None
    if endpoint is None or not isinstance(vector, list):
        return None
    return edit.ask(reading, endpoint.fields.dimension[0], len(vector) + by)


def longer_vectors_were_asked_for(reading: AnalyzedExchange) -> Exchange | None:
    """Longer vectors were asked for than came."""
    return _longer(reading, 1)


def shorter_vectors_were_asked_for(reading: AnalyzedExchange) -> Exchange | None:
    """Shorter vectors were asked for than came."""
    return _longer(reading, -1)


def _ranked(reading: AnalyzedExchange) -> tuple[Part | None, list[str]]:
    endpoint = spoken(reading)
    if endpoint is None or not endpoint.fields.scores:
        return None, []
    part = next(iter(answers(reading)), None)
    return part, [p for p, _ in edit.held(part, endpoint.fields.scores)] if part else []


def best_comes_last(reading: AnalyzedExchange) -> Exchange | None:
    """The last of a ranking has the highest score."""
    part, told = _ranked(reading)
    return edit.put(reading, part, told[-1], 123.0) if len(told) > 1 else None


def unknown_document_is_ranked(reading: AnalyzedExchange) -> Exchange | None:
    """A document is ranked that was not sent."""
    part, told = _ranked(reading)
    endpoint = reading.endpoint
    pointer = edit.place(part, endpoint.fields.positions) if part and endpoint else ""
    return edit.put(reading, part, pointer, 99) if told and pointer and _asked(reading) else None


def fewer_were_asked_for(reading: AnalyzedExchange) -> Exchange | None:
    """More documents are ranked than were asked for."""
    _, told = _ranked(reading)
    endpoint = reading.endpoint
    if not told or endpoint is None:
        return None
    return edit.ask(reading, endpoint.fields.count[0], len(told) - 1)
