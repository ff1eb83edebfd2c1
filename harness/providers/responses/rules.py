"""Rules for OpenAI's Responses format, at every service that offers it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from harness.analysis.endpoint import Part
from harness.analysis.exchange import AnalyzedExchange
from harness.providers.responses.endpoints import ENDED, read
from harness.rules.rule import WARNING, Rule, exchange_rule, show, stream_rule
from harness.types import Failure, Finding, Json
from harness.wire import MISSING, Missing, query, resolve


def _is_response(reading: AnalyzedExchange) -> bool:
    return reading.endpoint is not None and reading.endpoint.read is read


def _events(reading: AnalyzedExchange) -> tuple[Part, ...]:
    """Return the events of a stream in this format; empty if the answer is not one."""
    is_stream = reading.is_stream and reading.accepted
    return reading.parts if is_stream and _is_response(reading) else ()


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
        actual = show(begins)
        yield reading.violation("response.created as the first event", actual, parts[0], "/type")
    for part in parts:
        kind = resolve(part.value, "/type")
        if ended:
            yield reading.violation("nothing after the last event", show(kind), part, "/type")
            return
        ended = kind in ENDED
    failed = any(resolve(part.value, "/type") == "error" for part in parts)
    if parts and not ended and not failed and reading.exchange.broken_off is None:
        expected = "response.completed, response.incomplete or response.failed at the end"
        kind = resolve(parts[-1].value, "/type")
        yield reading.violation(expected, show(kind), parts[-1], "/type")


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
            expected = f"the sequence number {before + 1}"
            yield reading.violation(expected, number, part, "/sequence_number")
            return
        before = number


def _from_the_start(reading: AnalyzedExchange) -> tuple[Part, ...]:
    """Return the events of a stream; empty if a client resumed it and so lacks the first ones."""
    parts = _events(reading)
    return parts if parts and resolve(parts[0].value, "/type") == "response.created" else ()


def items_are_added_first(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that each event about an item follows the `output_item.added` with its index and id.

    Indices rise from 0; an item that is done gets no further events, and has its id, its type and
    its name from the beginning. A stream that a client resumed is not checked.
    """
    items = _Items()
    for part in _from_the_start(reading):
        index = resolve(part.value, "/output_index")
        if type(index) is not int:
            continue
        if problem := items.problem(part, index):
            yield reading.violation(problem.expected, problem.actual, part, problem.pointer)
            return
        if resolve(part.value, "/type") == "response.output_item.done":
            yield from _changed_members(reading, part, items.added[index])


class _Problem(NamedTuple):
    """What an event should have at a JSON pointer, and what it has there."""

    expected: str
    actual: object
    pointer: str


@dataclass
class _Items:
    """The items of a stream up to an event.

    Attributes:
        added: The items as they were added, by output index.
        done: The output indices of the items that are done.
        part_counts: The number of content parts of each item so far, by output index.
    """

    added: dict[int, Json] = field(default_factory=dict)
    done: set[int] = field(default_factory=set)
    part_counts: dict[int, int] = field(default_factory=dict)

    def problem(self, part: Part, index: int) -> _Problem | None:
        """Add an event about the item *index*; return why it may not follow the earlier events."""
        kind, content_index = resolve(part.value, "/type"), resolve(part.value, "/content_index")
        if type(content_index) is int:
            count = self.part_counts.get(index, 0) + (kind == "response.content_part.added")
            if content_index < 0 or 0 < count <= content_index:
                expected = f"an index from 0 to {max(count, 1) - 1}"
                return _Problem(expected, content_index, "/content_index")
            self.part_counts[index] = count
        if kind == "response.output_item.added":
            if index != len(self.added):
                return _Problem(f"the output index {len(self.added)}", index, "/output_index")
            self.added[index] = _item(part)
            return None
        if index not in self.added or index in self.done:
            expected = "events of items that were added and are not done"
            return _Problem(expected, index, "/output_index")
        own_id, item_id = resolve(self.added[index], "/id"), resolve(part.value, "/item_id")
        if own_id and MISSING not in (own_id, item_id) and item_id != own_id:
            return _Problem(f"the id {show(own_id)} of the item", show(item_id), "/item_id")
        if kind == "response.output_item.done":
            self.done.add(index)
        return None


def _item(part: Part) -> Json:
    """Return the member `item` of an event; None if it has none."""
    return next((item for _, item in query(part.value, "/item")), None)


def _changed_members(reading: AnalyzedExchange, part: Part, added: Json) -> Iterator[Finding]:
    """Yield a violation for each member of the item in *part* that is not as in *added*."""
    for name in _KEPT:
        before, now = resolve(added, name), resolve(part.value, f"/item{name}")
        if before and now is not MISSING and before != now:
            expected = f"{show(before)} as it was added"
            yield reading.violation(expected, show(now), part, f"/item{name}")


_KEPT = ("/id", "/type", "/call_id", "/name", "/container_id")
"""What an item has when it is added, and keeps."""


@dataclass(frozen=True, slots=True)
class _Text:
    """A text that a stream sends in deltas.

    Attributes:
        member: The member of the event `done` that has the whole text.
        index: The JSON pointer of the text's index in an event; "" if an item has one such text.
        place: The JSON pointer of the text in its item, with `{}` for the index.
    """

    member: str
    index: str
    place: str


_TEXTS = {
    "response.output_text": _Text("text", "/content_index", "/content/{}/text"),
    "response.refusal": _Text("refusal", "/content_index", "/content/{}/refusal"),
    "response.reasoning_text": _Text("text", "/content_index", "/content/{}/text"),
    "response.reasoning_summary_text": _Text("text", "/summary_index", "/summary/{}/text"),
    "response.function_call_arguments": _Text("arguments", "", "/arguments"),
    "response.custom_tool_call_input": _Text("input", "", "/input"),
    "response.code_interpreter_call_code": _Text("code", "", "/code"),
}
"""The texts by the types of their events, without `.delta` and `.done`."""

_PARTS = {
    "response.content_part.done": "response.output_text",
    "response.reasoning_summary_part.done": "response.reasoning_summary_text",
}
"""The name of the text in a part that is done, by the type of the event."""

_TextKey = tuple[str, str, str]
"""The name of a text in `_TEXTS`, the output index of its item, and its index in the item."""


def deltas_join_to_items(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that the deltas of a text join to the text when it is done, and in the final items.

    A program that shows the deltas shows something else than one that reads the answer [DOC].
    """
    joined: dict[_TextKey, str] = {}
    for part in _from_the_start(reading):
        kind = str(resolve(part.value, "/type"))
        name, _, step = kind.rpartition(".")
        piece = resolve(part.value, "/delta")
        if name in _TEXTS and step == "delta" and isinstance(piece, str):
            key = _key(part, name)
            joined[key] = joined.get(key, "") + piece
        if kind in ENDED and isinstance(reading.outcome, Failure):
            continue
        for pointer, text in _repeated_texts(part, kind, joined):
            actual = resolve(part.value, pointer)
            if actual != text and (actual is not MISSING or name in _TEXTS):
                expected = f"the joined deltas {show(text)}"
                yield reading.violation(expected, show(actual), part, pointer)


def _key(part: Part, name: str) -> _TextKey:
    index = resolve(part.value, _TEXTS[name].index) if _TEXTS[name].index else 0
    return name, str(resolve(part.value, "/output_index")), str(index)


def _repeated_texts(
    part: Part, kind: str, joined: Mapping[_TextKey, str]
) -> Iterator[tuple[str, str]]:
    """Yield (JSON pointer, joined deltas) of each text that an event of the type *kind* repeats."""
    name, _, step = kind.rpartition(".")
    if name in _TEXTS and step == "done" and (key := _key(part, name)) in joined:
        yield f"/{_TEXTS[name].member}", joined[key]
    elif kind in _PARTS and (key := _key(part, _PARTS[kind])) in joined:
        yield "/part/text", joined[key]
    elif kind == "response.output_item.done":
        yield from _item_texts("/item", str(resolve(part.value, "/output_index")), joined)
    elif kind in ENDED:
        for number, (pointer, _) in enumerate(query(part.value, "/response/output/[]")):
            yield from _item_texts(pointer, str(number), joined)


def _item_texts(
    pointer: str, number: str, joined: Mapping[_TextKey, str]
) -> Iterator[tuple[str, str]]:
    """Yield (JSON pointer, joined deltas) of each text in the item *number*, at *pointer*."""
    for (name, index, position), text in joined.items():
        if index == number:
            yield pointer + _TEXTS[name].place.format(position), text


def items_end_as_they_were_done(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that the last event repeats each item that was done, by its type, names and state.

    Programs read the output of the last event and ignore the others. Items may be done in another
    order than they were added [REC OpenRouter].
    """
    done: dict[int, Json] = {}
    for part in _from_the_start(reading):
        kind, index = resolve(part.value, "/type"), resolve(part.value, "/output_index")
        if kind == "response.output_item.done" and type(index) is int:
            done[index] = _item(part)
        elif kind == "response.completed":
            yield from _changed_output(reading, part, [done[index] for index in sorted(done)])


def _changed_output(
    reading: AnalyzedExchange, part: Part, items: Sequence[Json]
) -> Iterator[Finding]:
    """Yield a violation for what the output in *part* has in place of *items*, the done ones."""
    output = [item for _, item in query(part.value, "/response/output/[]")]
    if output and _types(output) != _types(items):
        expected = f"the items {show(_types(items))}"
        yield reading.violation(expected, show(_types(output)), part, "/response/output")
        return
    for number, (before, now) in enumerate(zip(items, output, strict=False)):
        for name in (*_KEPT, "/status"):
            was, actual = resolve(before, name), resolve(now, name)
            if was and was is not MISSING and actual != was:
                expected, pointer = (
                    f"{show(was)} as it was done",
                    f"/response/output/{number}{name}",
                )
                yield reading.violation(expected, _shown(actual), part, pointer)


def _types(items: Sequence[Json]) -> list[Json]:
    return [next((kind for _, kind in query(item, "/type")), None) for item in items]


def _shown(value: Json | Missing) -> str:
    return "nothing" if value is MISSING else show(value)


def status_fits_details(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that a response says why it is incomplete or failed, and only then.

    `incomplete_details.reason` is `max_output_tokens`, `content_filter` or another [DOC]. The last
    event of a stream has the state in its name.
    """
    for part in reading.parts if _is_response(reading) and reading.accepted else ():
        kind = resolve(part.value, "/type")
        for pointer in ("", "/response"):
            status = resolve(part.value, f"{pointer}/status")
            if pointer and kind in ENDED and kind != f"response.{status}":
                expected = f"the state in {show(kind)}"
                yield reading.violation(expected, show(status), part, "/response/status")
            if status == "failed" and not resolve(part.value, f"{pointer}/error"):
                expected = "an error of a failed response"
                yield reading.violation(expected, "none", part, f"{pointer}/error")
            reason_at = f"{pointer}/incomplete_details"
            details = resolve(part.value, reason_at)
            if status == "completed" and isinstance(details, dict) and details.get("reason"):
                expected = "no reason of a completed response"
                yield reading.violation(expected, show(details), part, reason_at)
            elif status == "incomplete" and not isinstance(details, dict):
                expected = "a reason of an incomplete response"
                yield reading.violation(expected, show(details), part, reason_at)


_ITEM_STATES = (
    *("in_progress", "completed", "incomplete", "failed"),
    *("searching", "interpreting", "calling", "generating"),
)


def items_are_as_documented(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that items have ids of their own and known states, and run in the requested container.

    A program finds an item by its id, and waits for the states `completed`, `incomplete` or
    `failed` [SDK]; a container that is named by its id has the files of earlier answers [DOC].
    """
    if not _is_response(reading):
        return
    tools = query(reading.request_json.value, "/tools/[]/container")
    named = {container for _, container in tools if isinstance(container, str)}
    for part in reading.answers:
        for pattern in ("/output/[]", "/item", "/response/output/[]"):
            ids: set[Json] = set()
            for pointer, item in query(part.value, pattern):
                for problem in _undocumented(item, ids, named):
                    at = pointer + problem.pointer
                    yield reading.violation(problem.expected, problem.actual, part, at)


def _undocumented(item: Json, ids: set[Json], named: set[str]) -> Iterator[_Problem]:
    """Yield what is wrong with the id, the state and the container of an item.

    *ids* has the ids of the items before, and is updated; *named* the containers of the request.
    """
    item_id, state = resolve(item, "/id"), resolve(item, "/status")
    if isinstance(item_id, str) and item_id:
        if item_id in ids:
            yield _Problem("a unique id for each item", f"{show(item_id)} twice", "/id")
        ids.add(item_id)
    if state is not MISSING and state not in (None, *_ITEM_STATES):
        yield _Problem(f"one of {', '.join(_ITEM_STATES)}", show(state), "/status")
    container = resolve(item, "/container_id")
    if named and isinstance(container, str) and container not in named:
        yield _Problem(", ".join(map(show, named)), show(container), "/container_id")


RULES: tuple[Rule, ...] = (
    stream_rule(response_ends_once, "C8"),
    stream_rule(sequence_numbers_rise_by_one, "C8"),
    stream_rule(items_are_added_first, "C8"),
    stream_rule(deltas_join_to_items, "C8"),
    stream_rule(items_end_as_they_were_done, "C8"),
    exchange_rule(status_fits_details, "C8"),
    exchange_rule(items_are_as_documented, "C8", WARNING),
)
