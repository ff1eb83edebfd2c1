"""Rules for OpenAI's Responses format, at every service that offers it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from harness.analysis.endpoint import Part
from harness.analysis.exchange import AnalyzedExchange
from harness.providers.responses.endpoints import ENDED, read
from harness.rules.rule import WARNING, Rule, exchange_rule, show, stream_rule, violation
from harness.types import Failure, Finding, Json
from harness.wire import MISSING, Missing, query, resolve


def _events(reading: AnalyzedExchange) -> tuple[Part, ...]:
    """Return the events of a stream in this format; empty if the answer is not one."""
    is_response = reading.endpoint is not None and reading.endpoint.read is read
    return reading.parts if is_response and reading.is_stream and reading.accepted else ()


_BEGINNINGS = ("response.created", "error", *ENDED)
"""The types of the first event; a stream that ended at once has its last one only."""


def response_ends_once(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that a stream ends with one `response.completed`, `.incomplete` or `.failed`.

    A client stops reading there, and waits for it [DOC], [REC]. It begins with `response.created`,
    unless a client resumes it.
    """
    parts, ended = _events(reading), False
    begins = resolve(parts[0].value, "/type") if parts else None
    if reading.exchange.request.method == "POST" and begins not in (None, *_BEGINNINGS):
        place = reading.place("/type", parts[0])
        yield violation("response.created as the first event", show(begins), place)
    for part in parts:
        kind = resolve(part.value, "/type")
        if ended:
            place = reading.place("/type", part)
            yield violation("nothing after the last event", show(kind), place)
            return
        ended = kind in ENDED
    failed = any(resolve(part.value, "/type") == "error" for part in parts)
    if parts and not ended and not failed and reading.exchange.broken_off is None:
        expected = "response.completed, response.incomplete or response.failed at the end"
        kind = resolve(parts[-1].value, "/type")
        yield violation(expected, show(kind), reading.place("/type", parts[-1]))


def sequence_numbers_rise_by_one(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that the `sequence_number` of events rises by 1.

    It begins with 0, or where a client resumed a stream [DOC]. A gap is a lost event.
    """
    before: int | None = None
    for part in _events(reading):
        number = resolve(part.value, "/sequence_number")
        if type(number) is not int:
            continue
        if before is not None and number != before + 1:
            place = reading.place("/sequence_number", part)
            yield violation(f"the sequence number {before + 1}", number, place)
            return
        before = number


def items_are_added_first(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that each event about an item follows the `output_item.added` with its index and id.

    Indices rise from 0; an item that is done gets no further events, and has its id, its type and
    its name from the beginning. A stream that a client resumed is not checked.
    """
    added: dict[object, object] = {}
    begun: dict[object, Json] = {}
    contents: dict[int, int] = {}
    done: set[object] = set()
    parts = _events(reading)
    if not parts or resolve(parts[0].value, "/type") != "response.created":
        return
    for part in parts:
        kind, index = resolve(part.value, "/type"), resolve(part.value, "/output_index")
        if type(index) is not int:
            continue
        index_place = partial(reading.place, "/output_index", part)
        item_id = resolve(part.value, "/item_id")
        content_index = resolve(part.value, "/content_index")
        if type(content_index) is int:
            begun_parts = contents.get(index, 0) + (kind == "response.content_part.added")
            if content_index < 0 or 0 < begun_parts <= content_index:
                expected = f"an index from 0 to {max(begun_parts, 1) - 1}"
                at_content = reading.place("/content_index", part)
                yield violation(expected, content_index, at_content)
                return
            contents[index] = begun_parts
        if kind == "response.output_item.added":
            if index != len(added):
                yield violation(f"the output index {len(added)}", index, index_place())
                return
            added[index] = resolve(part.value, "/item/id")
            begun[index] = next((item for _, item in query(part.value, "/item")), None)
        elif index not in added or index in done:
            yield violation(
                "events of items that were added and are not done", index, index_place()
            )
            return
        elif item_id is not MISSING and added[index] and item_id != added[index]:
            place = reading.place("/item_id", part)
            yield violation(f"the id {show(added[index])} of the item", show(item_id), place)
            return
        if kind == "response.output_item.done":
            done.add(index)
            for name in _KEPT:
                before, now = resolve(begun.get(index), name), resolve(part.value, f"/item{name}")
                if before and now is not MISSING and before != now:
                    place = reading.place(f"/item{name}", part)
                    yield violation(f"{show(before)} as it was added", show(now), place)


_KEPT = ("/id", "/type", "/call_id", "/name", "/container_id")
"""What an item has when it is added, and keeps."""

_JOINED = {
    "response.output_text": ("text", "content_index", "/content/{}/text"),
    "response.refusal": ("refusal", "content_index", "/content/{}/refusal"),
    "response.reasoning_text": ("text", "content_index", "/content/{}/text"),
    "response.reasoning_summary_text": ("text", "summary_index", "/summary/{}/text"),
    "response.function_call_arguments": ("arguments", "", "/arguments"),
    "response.custom_tool_call_input": ("input", "", "/input"),
    "response.code_interpreter_call_code": ("code", "", "/code"),
}
"""For the events of each text: its member when done, its index in the item, and its place there."""


_PARTS: Mapping[object, tuple[str, str, str]] = {
    "response.content_part.done": ("response.output_text", "/content_index", "/part/text"),
    "response.reasoning_summary_part.done": (
        "response.reasoning_summary_text",
        "/summary_index",
        "/part/text",
    ),
}
"""For the events of a part that is done: the name of its texts, its index and its text."""


def deltas_join_to_items(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that the deltas of a text join to the text when it is done, and in the final items.

    A program that shows the deltas shows something else than one that reads the answer [DOC].
    """
    joined: dict[tuple[str, str, str], str] = {}
    parts = _events(reading)
    if not parts or resolve(parts[0].value, "/type") != "response.created":
        return
    for part in parts:
        kind = str(resolve(part.value, "/type"))
        name, _, step = kind.rpartition(".")
        if name in _JOINED:
            member, index, _place = _JOINED[name]
            number = resolve(part.value, f"/{index}") if index else 0
            key = (name, str(resolve(part.value, "/output_index")), str(number))
            piece = resolve(part.value, "/delta")
            if step == "delta" and isinstance(piece, str):
                joined[key] = joined.get(key, "") + piece
            whole = resolve(part.value, f"/{member}")
            if step == "done" and key in joined and whole != joined[key]:
                place = reading.place(f"/{member}", part)
                yield violation(f"the joined deltas {show(joined[key])}", show(whole), place)
        elif kind in _PARTS:
            name, index, pointer = _PARTS[kind]
            key = (name, str(resolve(part.value, "/output_index")), str(resolve(part.value, index)))
            whole = resolve(part.value, pointer)
            if key in joined and whole is not MISSING and whole != joined[key]:
                place = reading.place(pointer, part)
                yield violation(f"the joined deltas {show(joined[key])}", show(whole), place)
        elif kind == "response.output_item.done":
            number = resolve(part.value, "/output_index")
            yield from _final(reading, part, "/item", str(number), joined)
        elif kind in ENDED and not isinstance(reading.outcome, Failure):
            for at, (pointer, _) in enumerate(query(part.value, "/response/output/[]")):
                yield from _final(reading, part, pointer, str(at), joined)


def _final(
    reading: AnalyzedExchange,
    part: Part,
    pointer: str,
    number: str,
    joined: dict[tuple[str, str, str], str],
) -> Iterator[Finding]:
    """Yield a violation for each text of the final item at *pointer* that is not its deltas."""
    for (name, index, position), text in joined.items():
        if index != number:
            continue
        place = pointer + _JOINED[name][2].format(position)
        actual = resolve(part.value, place)
        if actual is not MISSING and actual != text:
            expected = f"the joined deltas {show(text)}"
            yield violation(expected, show(actual), reading.place(place, part))


def items_end_as_they_were_done(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that the last event repeats each item that was done, by its type, names and state.

    Programs read the output of the last event and ignore the others. Items may be done in another
    order than they were added [REC OpenRouter].
    """
    done: dict[int, Json] = {}
    parts = _events(reading)
    if not parts or resolve(parts[0].value, "/type") != "response.created":
        return
    for part in parts:
        kind = resolve(part.value, "/type")
        index = resolve(part.value, "/output_index")
        if kind == "response.output_item.done" and type(index) is int:
            done[index] = next((item for _, item in query(part.value, "/item")), None)
        elif kind == "response.completed":
            final = [item for _, item in query(part.value, "/response/output/[]")]
            expected = [done[index] for index in sorted(done)]
            place = reading.place("/response/output", part)
            if final and _types(final) != _types(expected):
                yield violation(f"the items {show(_types(expected))}", show(_types(final)), place)
                continue
            for number, (before, now) in enumerate(zip(expected, final, strict=False)):
                for name in (*_KEPT, "/status"):
                    was, actual = resolve(before, name), resolve(now, name)
                    if was and was is not MISSING and actual != was:
                        place = reading.place(f"/response/output/{number}{name}", part)
                        yield violation(f"{show(was)} as it was done", _shown(actual), place)


def _types(items: Sequence[Json]) -> list[Json]:
    return [next((kind for _, kind in query(item, "/type")), None) for item in items]


def _shown(value: Json | Missing) -> str:
    return "nothing" if value is MISSING else show(value)


def status_fits_details(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that a response says why it is incomplete or failed, and only then.

    `incomplete_details.reason` is `max_output_tokens`, `content_filter` or another [DOC]. The last
    event of a stream has the state in its name.
    """
    endpoint = reading.endpoint
    if endpoint is None or endpoint.read is not read or not reading.accepted:
        return
    for part in reading.parts:
        kind = resolve(part.value, "/type")
        for pointer in ("", "/response"):
            status = resolve(part.value, f"{pointer}/status")
            if pointer and kind in ENDED and kind != f"response.{status}":
                place = reading.place("/response/status", part)
                yield violation(f"the state in {show(kind)}", show(status), place)
            if status == "failed" and not resolve(part.value, f"{pointer}/error"):
                place = reading.place(f"{pointer}/error", part)
                yield violation("an error of a failed response", "none", place)
            details = resolve(part.value, f"{pointer}/incomplete_details")
            details_place = partial(reading.place, f"{pointer}/incomplete_details", part)
            if status == "completed" and isinstance(details, dict) and details.get("reason"):
                yield violation("no reason of a completed response", show(details), details_place())
            elif status == "incomplete" and not isinstance(details, dict):
                yield violation(
                    "a reason of an incomplete response", show(details), details_place()
                )


_ITEM_STATES = (
    *("in_progress", "completed", "incomplete", "failed"),
    *("searching", "interpreting", "calling", "generating"),
)


def items_are_as_documented(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that items have ids of their own and known states, and run in the requested container.

    A program finds an item by its id, and waits for the states `completed`, `incomplete` or
    `failed` [SDK]; a container that is named by its id has the files of earlier answers [DOC].
    """
    endpoint, request = reading.endpoint, reading.request_json.value
    if endpoint is None or endpoint.read is not read:
        return
    named = {c for _, c in query(request, "/tools/[]/container") if isinstance(c, str)}
    for part in reading.answers if reading.accepted else ():
        for pattern in ("/output/[]", "/item", "/response/output/[]"):
            ids: set[str] = set()
            for pointer, item in query(part.value, pattern):
                item_id = resolve(item, "/id")
                if isinstance(item_id, str) and item_id:
                    if item_id in ids:
                        place = reading.place(f"{pointer}/id", part)
                        yield violation(
                            "a unique id for each item", f"{show(item_id)} twice", place
                        )
                    ids.add(item_id)
                state = resolve(item, "/status")
                if state is not MISSING and state not in (None, *_ITEM_STATES):
                    place = reading.place(f"{pointer}/status", part)
                    yield violation(f"one of {', '.join(_ITEM_STATES)}", show(state), place)
                container = resolve(item, "/container_id")
                if named and isinstance(container, str) and container not in named:
                    place = reading.place(f"{pointer}/container_id", part)
                    yield violation(", ".join(map(show, named)), show(container), place)


RULES: tuple[Rule, ...] = (
    stream_rule(response_ends_once, "C8"),
    stream_rule(sequence_numbers_rise_by_one, "C8"),
    stream_rule(items_are_added_first, "C8"),
    stream_rule(deltas_join_to_items, "C8"),
    stream_rule(items_end_as_they_were_done, "C8"),
    exchange_rule(status_fits_details, "C8"),
    exchange_rule(items_are_as_documented, "C8", WARNING),
)
