"""Breaking streams: what the events say together."""

from __future__ import annotations

from dataclasses import replace

from harness.analysis.endpoint import Part
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.transcript import AnalyzedTranscript
from harness.faults.breaks import edit
from harness.rules.rule import spoken, streamed
from harness.types import Exchange, LooseJson, Reply, Transcript
from harness.wire import resolve


def _whole(reading: AnalyzedExchange) -> Reply | None:
    told = spoken(reading) and streamed(reading)
    return reading.outcome if told and isinstance(reading.outcome, Reply) else None


def _counts(reading: AnalyzedExchange, name: str) -> list[tuple[Part, str, int]]:
    """Each count of a stream: the part, where it is, and how many."""
    endpoint = spoken(reading)
    told = []
    for part, _ in streamed(reading) if endpoint else []:
        pointer = edit.place(part, getattr(endpoint.fields, name)) if endpoint else ""
        count = resolve(part.value, pointer) if pointer else None
        if isinstance(count, int):
            told.append((part, pointer, count))
    return told


def _last_count(reading: AnalyzedExchange, name: str, change: int) -> Exchange | None:
    told = _counts(reading, name)
    if len(told) < 2 or told[-2][2] < 1:
        return None
    part, pointer, _ = told[-1]
    return edit.put(reading, part, pointer, told[-2][2] + change)


def output_shrinks(reading: AnalyzedExchange) -> Exchange | None:
    """The last count of output tokens is less than the one before."""
    return _last_count(reading, "output_tokens", -1)


def total_shrinks(reading: AnalyzedExchange) -> Exchange | None:
    """The last total is less than the one before."""
    return _last_count(reading, "total_tokens", -1)


def input_grows(reading: AnalyzedExchange) -> Exchange | None:
    """The last count of input tokens is one more than the one before."""
    return _last_count(reading, "input_tokens", 1)


def input_shrinks(reading: AnalyzedExchange) -> Exchange | None:
    """The last count of input tokens is one less than the one before."""
    return _last_count(reading, "input_tokens", -1)


def usage_is_left_out(reading: AnalyzedExchange) -> Exchange | None:
    """No event counts any tokens."""
    endpoint, whole = spoken(reading), _whole(reading)
    if endpoint is None or not whole or not whole.usage or not whole.finish_reason:
        return None
    if not endpoint.tells_usage(reading.request_json.value):
        return None
    return edit.put_all(reading, lambda value: edit.without(value, "/usage"))


def usage_is_null(reading: AnalyzedExchange) -> Exchange | None:
    """Every event says null for the tokens."""
    endpoint, whole = spoken(reading), _whole(reading)
    if endpoint is None or not whole or not whole.usage or not whole.finish_reason:
        return None
    if not endpoint.tells_usage(reading.request_json.value):
        return None
    return edit.put_all(reading, lambda value: edit.planted(value, "/usage", None))


def _identity(reading: AnalyzedExchange, position: int) -> Exchange | None:
    endpoint, told = spoken(reading), streamed(reading)
    if endpoint is None or len(told) < 2 or not endpoint.fields.constant:
        return None
    pointer = endpoint.fields.constant[position % len(endpoint.fields.constant)]
    began, ended = resolve(told[0][0].value, pointer), resolve(told[-1][0].value, pointer)
    if not began or not ended or not isinstance(ended, str | int):
        return None
    other = ended + 1 if isinstance(ended, int) else ended + "x"
    return edit.put(reading, told[-1][0], pointer, other)


def last_event_has_another_id(reading: AnalyzedExchange) -> Exchange | None:
    """The last event has the id of another answer."""
    return _identity(reading, 0)


def last_event_is_of_another_model(reading: AnalyzedExchange) -> Exchange | None:
    """The last event is of another model."""
    return _identity(reading, -1)


def _finishing(reading: AnalyzedExchange) -> list[Part]:
    endpoint = spoken(reading)
    told = streamed(reading) if endpoint and endpoint.finish_reasons else []
    return [part for part, reply in told if reply.finish_reason]


def finish_is_left_out(reading: AnalyzedExchange) -> Exchange | None:
    """No event says why the answer ended."""
    ends, endpoint = _finishing(reading), reading.endpoint
    if not ends or endpoint is None:
        return None
    pointers = [p for part in ends for p, _ in edit.held(part, endpoint.fields.finish_reason)]

    def open_ended(value: LooseJson) -> LooseJson:
        for pointer in pointers:
            value = edit.planted(value, pointer, "null") if resolve(value, pointer) else value
        return value

    return edit.put_all(reading, open_ended)


def finishes_twice(reading: AnalyzedExchange) -> Exchange | None:
    """The answer ends twice, for two reasons."""
    ends, endpoint = _finishing(reading), reading.endpoint
    if not ends or endpoint is None or ends[-1].event is None:
        return None
    pointer = edit.place(ends[-1], endpoint.fields.finish_reason)
    other = "length" if resolve(ends[-1].value, pointer) != "length" else "stop"
    changed = edit.put(reading, ends[-1], pointer, other)
    if changed is None:
        return None
    added = edit.blocks(replace(reading, exchange=changed))[ends[-1].event - 1]
    told = edit.blocks(reading)
    return edit.with_blocks(reading, [*told[: ends[-1].event], added, *told[ends[-1].event :]])


def text_follows_the_finish(reading: AnalyzedExchange) -> Exchange | None:
    """A piece of text comes again after the end."""
    ends = _finishing(reading)
    texts = [p for p, reply in streamed(reading) if reply.content and not reply.finish_reason]
    if not ends or not texts or ends[-1].event is None or texts[0].event is None:
        return None
    told = edit.blocks(reading)
    again = told[texts[0].event - 1]
    return edit.with_blocks(reading, [*told[: ends[-1].event], again, *told[ends[-1].event :]])


def finish_comes_first(reading: AnalyzedExchange) -> Exchange | None:
    """The end comes before the text."""
    ends = _finishing(reading)
    texts = [p for p, reply in streamed(reading) if reply.content and not reply.finish_reason]
    if not ends or not texts or ends[0].event is None or texts[0].event is None:
        return None
    told = edit.blocks(reading)
    last = told.pop(ends[0].event - 1)
    return edit.with_blocks(reading, [last, *told])


def _so_far(reading: AnalyzedExchange) -> list[tuple[Part, str, str]]:
    """The texts of a cumulative stream, enough of them to tell that it is one."""
    endpoint, whole = spoken(reading), _whole(reading)
    if endpoint is None or whole is None or not whole.cumulative:
        return []
    told = [(p, edit.place(p, endpoint.fields.content), r.content) for p, r in streamed(reading)]
    texts = [
        (p, pointer, text)
        for p, pointer, text in told
        if text and resolve(p.value, pointer) == text
    ]
    return texts if len({text for _, _, text in texts}) > 2 else []


def last_event_has_only_its_piece(reading: AnalyzedExchange) -> Exchange | None:
    """The last event has not the whole text so far but another."""
    texts = _so_far(reading)
    if not texts:
        return None
    part, pointer, _ = texts[-1]
    return edit.put(reading, part, pointer, "\u2603")


def text_shrinks(reading: AnalyzedExchange) -> Exchange | None:
    """In the midst of a cumulative stream the text is shorter than before."""
    texts = [told for told in _so_far(reading) if len(told[2]) > 1]
    after = [told for told in texts if told[2] != texts[0][2]] if texts else []
    if not after:
        return None
    part, pointer, text = after[0]
    return edit.put(reading, part, pointer, text[:1])


def _calls_so_far(reading: AnalyzedExchange) -> list[tuple[Part, str]]:
    endpoint, whole = spoken(reading), _whole(reading)
    if endpoint is None or whole is None or not whole.cumulative:
        return []
    told = [
        (p, edit.place(p, endpoint.fields.tool_calls)) for p, r in streamed(reading) if r.tool_calls
    ]
    return told if len(told) > 1 else []


def arguments_begin_anew(reading: AnalyzedExchange) -> Exchange | None:
    """The arguments of a call do not continue those of the event before."""
    told = _calls_so_far(reading)
    if not told:
        return None
    return edit.put(reading, told[-1][0], f"{told[-1][1]}/0/function/arguments", "\u2603")


def call_changes_its_name(reading: AnalyzedExchange) -> Exchange | None:
    """A call has another name than in the event before."""
    told = _calls_so_far(reading)
    if not told:
        return None
    return edit.put(reading, told[-1][0], f"{told[-1][1]}/0/function/name", "another")


def _repeated(reading: AnalyzedExchange, name: str) -> Exchange | None:
    """Each piece becomes the whole text so far."""
    endpoint, whole = spoken(reading), _whole(reading)
    if (
        endpoint is None
        or whole is None
        or endpoint.cumulative(reading.request_json.value) is not False
    ):
        return None
    pieces = [text for _, reply in streamed(reading) if (text := getattr(reply, name))]
    if len(pieces) < 3 or len("".join(pieces)) < 10:
        return None
    so_far = ""
    told = {}
    for part, reply in streamed(reading):
        pointer = edit.place(part, getattr(endpoint.fields, name))
        piece = getattr(reply, name)
        if piece and resolve(part.value, pointer) == piece:
            so_far += piece
            told[part.event] = (pointer, so_far)
    events = iter([part.event for part in reversed(reading.parts)])

    def repeat(value: LooseJson) -> LooseJson:
        held = told.get(next(events))
        return edit.planted(value, *held) if held else value

    return edit.put_all(reading, repeat) if len(told) == len(pieces) else None


def pieces_repeat_the_text(reading: AnalyzedExchange) -> Exchange | None:
    """Each event repeats the whole text so far although pieces were asked for."""
    return _repeated(reading, "content")


def pieces_repeat_the_reasoning(reading: AnalyzedExchange) -> Exchange | None:
    """Each event repeats the whole reasoning so far although pieces were asked for."""
    return _repeated(reading, "reasoning")


def _differs(read: AnalyzedTranscript, name: str, change: object) -> Transcript | None:
    """The stream of a pair, changed: a question asked once as a stream and once whole."""
    for reading in read.readings:
        endpoint = spoken(reading)
        whole = _whole(reading)
        if endpoint is None or whole is None or not _has_twin(read, reading):
            continue
        pointers = edit.concrete(getattr(endpoint.fields, name))
        if not any(resolve(part.value, p) for part in reading.parts for p in pointers):
            continue

        def changed(value: LooseJson, pointers: list[str] = pointers) -> LooseJson:
            for pointer in pointers:
                told = resolve(value, pointer)
                if told and callable(change):
                    value = edit.planted(value, pointer, change(told))
            return value

        exchange = edit.put_all(reading, changed)
        if exchange is not None:
            return edit.swapped(read, reading, exchange)
    return None


def _has_twin(read: AnalyzedTranscript, stream: AnalyzedExchange) -> bool:
    """Whether the same was asked for a whole answer."""
    others = [r for r in read.readings if not r.is_stream and isinstance(r.outcome, Reply)]
    return any(_question(r) == _question(stream) for r in others)


def _question(reading: AnalyzedExchange) -> LooseJson:
    asked = reading.request_json.value
    for name in ("/stream", "/stream_options", "/parameters/incremental_output"):
        asked = edit.without(asked, name)
    name = reading.endpoint.name if reading.endpoint else ""
    return [name, asked]


def stream_is_of_another_model(read: AnalyzedTranscript) -> Transcript | None:
    """The stream is of another model than the whole answer."""
    return _differs(read, "model", lambda told: f"{told}-x")


def stream_was_asked_more(read: AnalyzedTranscript) -> Transcript | None:
    """The stream counts more input tokens than the whole answer to the same question."""
    return _differs(read, "input_tokens", lambda told: told + 1)
