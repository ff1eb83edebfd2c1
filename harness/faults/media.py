"""Faults in images, embedding vectors and rankings, and in the requests for them."""

from __future__ import annotations

import re
from collections.abc import Callable

from harness.analysis.edit import change_request, remove, with_body, with_status
from harness.analysis.edit import put as put_value
from harness.analysis.endpoint import Role
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.fault import exchange_fault, faults_of, transcript_fault, with_exchange
from harness.analysis.reply import first
from harness.analysis.transcript import AnalyzedTranscript
from harness.faults import select
from harness.rules.media import is_picture, media_type
from harness.rules.rule import Answered, answered
from harness.types import Exchange, Json, Transcript
from harness.wire import as_list, resolve

# ------------------------------------------------------------------------------------ images


@exchange_fault("file_link_is_absolute", "/123/a1.png", "file:///123/a1.png")
def link_not_absolute(analyzed: AnalyzedExchange, link: str) -> Exchange | None:
    """Replace the link to an image by a relative path, or by a `file:` link.

    Returns None if the answer has no link to an image. *link* is the new link.
    """
    return select.put(analyzed, select.field(analyzed, "images"), link)


def _is_image(analyzed: AnalyzedExchange) -> bool:
    return is_picture(analyzed) and analyzed.accepted and len(analyzed.exchange.response.body) > 40


@exchange_fault("image_decodes", when=_is_image)
def image_truncated(analyzed: AnalyzedExchange) -> Exchange | None:
    """Remove the second half of a downloaded image."""
    body = analyzed.exchange.response.body
    return with_body(analyzed.exchange, body[: len(body) // 2])


@exchange_fault("image_decodes", when=_is_image)
def image_refused(analyzed: AnalyzedExchange) -> Exchange | None:
    """Set the status of an image download to 403."""
    return with_status(analyzed.exchange, 403)


_REFUSED = b'{"code":"InternalError","message":"Broken."}'


@exchange_fault(
    "sound_or_film_is_one",
    b"",
    _REFUSED,
    when=lambda analyzed: media_type(analyzed) and analyzed.accepted,
)
def sound_or_film_replaced(analyzed: AnalyzedExchange, body: bytes) -> Exchange:
    """Replace a sound or film by nothing, or by an error.

    *body* is the new body.
    """
    return with_body(analyzed.exchange, body)


@transcript_fault("image_has_asked_size", (4321, 4), (8, 4321))
def other_size_requested(read: AnalyzedTranscript, size: tuple[int, int]) -> Transcript | None:
    """Change the requested size of an image that was downloaded.

    Returns None if no turn requests a size and downloads an image. *size* is the new width and
    height.
    """
    for turn in answered(read):
        own = turn.requested("size")
        fetched = any(r.turn == turn.answer.turn and _is_image(r) for r in read.readings)
        if isinstance(own, str) and fetched:
            sign = re.sub(r"[0-9]", "", own)[:1] or "x"
            place = select.pointers(turn.request, "size")[0]
            exchange = change_request(turn.request, place, f"{size[0]}{sign}{size[1]}")
            return with_exchange(read, turn.request, exchange)
    return None


def _is_counted(turn: Answered) -> bool:
    """Return whether a turn requests a number of images and has received images."""
    endpoint, states = turn.answer.endpoint, turn.reply.states
    ended = endpoint is not None and (not states or states[-1] in endpoint.states.succeeded)
    return ended and bool(turn.reply.images) and type(turn.requested("count")) is int


@transcript_fault("image_count_as_asked")
def more_images_requested(read: AnalyzedTranscript) -> Transcript | None:
    """Raise the requested number of images by one.

    Returns None if no turn requests a number of images and has received images.
    """
    for turn in filter(_is_counted, answered(read)):
        count = turn.requested("count")
        more = count + 1 if isinstance(count, int) else None
        exchange = change_request(turn.request, select.pointers(turn.request, "count")[0], more)
        return with_exchange(read, turn.request, exchange)
    return None


@transcript_fault("image_count_as_asked")
def image_missing(read: AnalyzedTranscript) -> Transcript | None:
    """Remove the last of several images.

    Returns None if no turn requests a number of images and has received several.
    """
    for turn in filter(_is_counted, answered(read)):
        part = turn.answer.parts[-1]
        name = "results" if select.pointers(turn.answer, "results") else "images"
        images = select.targets(turn.answer, part, name)
        if len(images) > 1:
            exchange = select.put_whole(turn.answer, part, remove(part.value, images[-1].pointer))
            return with_exchange(read, turn.answer, exchange)
    return None


# ------------------------------------------------------------------------ vectors, rankings


def _vector(analyzed: AnalyzedExchange) -> select.SelectedValue | None:
    endpoint = analyzed.checked_endpoint
    is_answer = endpoint is not None and endpoint.role is Role.ANSWER
    return select.in_part(analyzed, select.first_answer(analyzed), "vectors") if is_answer else None


def _texts(analyzed: AnalyzedExchange) -> list[Json]:
    """Return the texts of a request for vectors or a ranking; empty if there are none."""
    texts = first(analyzed.request_json.value, select.pointers(analyzed, "texts"))
    return [texts] if isinstance(texts, str) else as_list(texts)


def _embeds_strings(analyzed: AnalyzedExchange) -> bool:
    texts = _texts(analyzed)
    return _vector(analyzed) is not None and bool(texts) and isinstance(texts[0], str)


@exchange_fault("embedding_for_each_text", when=_embeds_strings)
def text_without_vector(analyzed: AnalyzedExchange) -> Exchange | None:
    """Add a text to the request, for which the answer then has no vector.

    Returns None if the request has no JSON object.
    """
    place = select.pointers(analyzed, "texts")[0]
    return change_request(analyzed, place, [*_texts(analyzed), "another"])


def _with_unknown_position(analyzed: AnalyzedExchange) -> Exchange | None:
    """Return the exchange with the index of the first vector or document set to 99, out of range.

    Returns None if the answer has no such index.
    """
    part = select.first_answer(analyzed)
    return select.put(analyzed, select.in_part(analyzed, part, "positions"), 99)


@exchange_fault("embedding_for_each_text", when=_embeds_strings)
def vector_of_unknown_text(analyzed: AnalyzedExchange) -> Exchange | None:
    """Set the index of the first vector to 99, though fewer texts were sent.

    Returns None if the answer's vectors have no index.
    """
    return _with_unknown_position(analyzed)


@exchange_fault("embeddings_have_one_length", lambda v: v[:-1], lambda v: [*v, 0.5], when=_vector)
def vector_of_other_length(
    analyzed: AnalyzedExchange, change: Callable[[Json], Json]
) -> Exchange | None:
    """Add a copy of the first vector that is one number shorter or longer.

    Returns None if the answer has no array of vectors. *change* returns the copy with a number
    removed or added.
    """
    target = _vector(analyzed)
    array = target.pointer.rpartition("/")[0].rpartition("/")[0] if target else ""
    items = resolve(target.part.value, array) if target else None
    if target is None or not isinstance(items, list) or not isinstance(target.value, list):
        return None
    copy = put_value(items[0], "/embedding", change(target.value))
    return select.put(analyzed, select.SelectedValue(target.part, array, items), [*items, copy])


@exchange_fault("embedding_has_asked_length", 1, -1, when=_vector)
def other_length_requested(analyzed: AnalyzedExchange, change: int) -> Exchange | None:
    """Set the requested vector length to one more, or one less, than the actual length.

    Returns None if the answer has no vector. *change* is the difference: 1 or -1.
    """
    target, place = _vector(analyzed), select.pointers(analyzed, "dimension")[0]
    if target is None or not isinstance(target.value, list):
        return None
    return change_request(analyzed, place, len(target.value) + change)


def _scores(analyzed: AnalyzedExchange) -> list[select.SelectedValue]:
    return select.targets(analyzed, select.first_answer(analyzed), "scores")


@exchange_fault("ranking_is_ordered", when=_scores)
def best_last(analyzed: AnalyzedExchange) -> Exchange | None:
    """Set the score of the last document in a ranking to the highest value.

    Returns None if the ranking has fewer than two documents.
    """
    scores = _scores(analyzed)
    return select.put(analyzed, scores[-1], 123.0) if len(scores) > 1 else None


@exchange_fault("ranking_is_ordered", when=_scores)
def unknown_document_ranked(analyzed: AnalyzedExchange) -> Exchange | None:
    """Set the index of the first ranked document to 99, though fewer documents were sent.

    Returns None if the request has no documents, or the ranking no index.
    """
    return _with_unknown_position(analyzed) if _texts(analyzed) else None


@exchange_fault("ranking_is_ordered", when=_scores)
def fewer_documents_requested(analyzed: AnalyzedExchange) -> Exchange | None:
    """Set the requested number of documents to one less than are ranked.

    Returns None if the request has no JSON object.
    """
    return change_request(
        analyzed, select.pointers(analyzed, "count")[0], len(_scores(analyzed)) - 1
    )


FAULTS = faults_of(vars())
