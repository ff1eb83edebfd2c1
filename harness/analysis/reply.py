"""The conversion of an answer's JSON values to a `Reply` or `Failure`.

The locations of the fields are data (`Fields`). Recorded bodies and the copies of SDK objects are
read by the same code, so that they can be compared. Reading never raises: a field of the wrong type
is treated as absent, and a rule reports it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TypeAlias, cast

from harness.analysis.endpoint import Endpoint, Fields, Part, Pointers, Role
from harness.types import (
    Choice,
    Failure,
    GeneratedFile,
    Json,
    Medium,
    Outcome,
    Ranked,
    Reply,
    ToolCall,
    Usage,
)
from harness.wire import Missing, query, read_json, resolve
from harness.wire.pointer import ITEMS, MISSING

NONE_YET = "null"
"""The finish reason that DashScope sends while there is none; others send "", null or no key."""

FUNCTION = "function"
"""The type of a tool call that the client executes, not the service."""


def read_answer(endpoint: Endpoint, parts: Sequence[Part], request: Json) -> Outcome | None:
    """Return the reply or failure in a 2xx answer; None if it has neither.

    Args:
        endpoint: The endpoint that answered.
        parts: The JSON values of the answer, in order: one body, or the data of each event.
        request: The JSON body of the request; None if there was none.
    """
    if endpoint.role in (Role.FILE, Role.OTHER):
        return None
    if endpoint.read is not None:
        return endpoint.read(parts, request)
    fields = endpoint.fields
    for part in parts:
        if is_refusal(part, fields):
            return read_refusal(endpoint, status_of(part), part.value)
    if not any(isinstance(part.value, dict) for part in parts):
        return None
    if len(parts) == 1 and not is_whole(parts[0]):
        reply = _reply_of_texts(parts[0], fields, endpoint.cumulative(request))
        if reply is not None:
            return reply
    parts = [_without_whole(part) if is_whole(part) else part for part in parts]
    state = _first_text([part.found(fields) for part in reversed(parts)], fields.state)
    if state in endpoint.states.failed:
        failure = read_refusal(endpoint, 200, parts[-1].value)
        message = failure.message or f"the task ended as {state}"
        return replace(failure, code=failure.code or state or "", message=message)
    return _reply(parts, fields, endpoint.cumulative(request))


_SPOKEN = "transcript.text.done"


def is_whole(part: Part) -> bool:
    """Return whether *part* is an event that repeats the whole answer.

    The last event of MiniMax's streams does [FIELD], and that of a transcription [DOC].
    """
    value = part.value
    if part.event is None or not isinstance(value, dict):
        return False
    return value.get("object") == "chat.completion" or value.get("type") == _SPOKEN


def _without_whole(part: Part) -> Part:
    """Return *part* without the message or text in an event that repeats the whole answer."""
    if not isinstance(part.value, dict):
        return part
    if part.value.get("type") == _SPOKEN:
        return replace(part, value={**part.value, "text": None})
    choices: list[Json] = [
        {name: member for name, member in choice.items() if name != "message"}
        for _, choice in query(part.value, "/choices/[]")
        if isinstance(choice, dict)
    ]
    return replace(part, value={**part.value, "choices": choices})


def read_refusal(endpoint: Endpoint, status: int, body: Json) -> Failure:
    """Return the failure in an error response of *endpoint* with this HTTP status and JSON body."""
    fields = endpoint.fields
    code = _first_said(body, fields.code)
    message = body if isinstance(body, str) else _first_said(body, fields.message)
    request_id = _first_said(body, fields.request_id)
    return Failure(
        status=status,
        code=str(code) if isinstance(code, str | int) else "",
        message=message if isinstance(message, str) else "",
        request_id=request_id if isinstance(request_id, str) else None,
    )


def _first_said(body: Json, pointers: Pointers) -> Json:
    """Return the first value at *pointers* that is neither null nor ""; None if there is none.

    Some SDKs have "" for an absent value.
    """
    return next((value for _, value in seen(body, pointers) if value != ""), None)


def is_refusal(part: Part, fields: Fields) -> bool:
    """Return whether *part* is an API error, by the values that only these have (*fields*).

    The report of a failed task, which has a state, is not one.
    """
    found = part.found(fields)
    for pattern in fields.refused:
        if pattern in found and any(value for _, value in all_seen(part, fields, (pattern,))):
            return not any(pointer in found for pointer in fields.state)
    return False


def seen(value: Json, pointers: Pointers) -> Iterator[tuple[str, Json]]:
    """Yield (pointer, value) of each value at *pointers*, except nulls.

    In *pointers*, `[]` stands for all items of an array.
    """
    for pattern in pointers:
        for pointer, item in query(value, pattern):
            if item is not None:
                yield pointer, item


def all_seen(part: Part, fields: Fields, pointers: Pointers) -> Iterator[tuple[str, Json]]:
    """Yield what `seen` does of the value of *part*, for *pointers* that are in *fields*."""
    found = part.found(fields)
    for pattern in pointers:
        if pattern in found:
            if ITEMS in pattern:
                yield from seen(part.value, (pattern,))
            else:
                yield pattern, found[pattern]


def pointer_to(part: Part, pointers: Pointers) -> str:
    """Return the JSON pointer of the first value at *pointers* in a part; empty if it has none."""
    return next((pointer for pointer, _ in seen(part.value, pointers)), "")


def first(value: Json, pointers: Pointers) -> Json:
    """Return the first value at *pointers* that is not null; None if there is none."""
    for pattern in pointers:
        if ITEMS not in pattern:  # the common case, without a list and pointers
            item = resolve(value, pattern)
            if item is not None and item is not MISSING:
                return item  # type: ignore[return-value]  # MISSING is the only one of its type
        else:
            for _, match in query(value, pattern):
                if match is not None:
                    return match
    return None


def text_of(content: Json | Missing) -> str | None:
    """Return the text of a message's content, which is a string or a list of pieces.

    Returns None for any other value.
    """
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return None
    texts = [piece.get("text") for piece in content if isinstance(piece, dict)]
    return "".join(text for text in texts if isinstance(text, str))


_STATUS = re.compile(r"\s*HTTP_STATUS/([0-9]{3})\s*")


def joined(texts: Iterable[str | None]) -> str | None:
    """Return the texts concatenated, without those that are None; None if there is no text."""
    found = [text for text in texts if text is not None]
    return "".join(found) if found else None


def status_of(part: Part) -> int:
    """Return the status that a comment of an event has, 400 for `HTTP_STATUS/400`; else 200."""
    matches = (_STATUS.fullmatch(comment) for comment in part.comments)
    return next((int(match.group(1)) for match in matches if match), 200)


_Found: TypeAlias = Mapping[str, Json]
"""What `Part.found` returns: by pointer, the first value of a part that is not null."""


def _reply_of_texts(part: Part, fields: Fields, cumulative: bool | None) -> Reply | None:
    """Return what `_reply` returns of one event that has nothing but texts.

    Most events of a stream are such ones, and are read in a third of the time. Returns None for any
    other part.
    """
    found = part.found(fields)
    choices = found.get(fields.choices) if fields.choices else None
    index = _value_of(found, fields.index)
    is_first = type(index) is not int or index == 0
    is_only = not (isinstance(choices, list) and len(choices) > 1)
    if part.event is None or not (is_first and is_only and fields.of_texts.issuperset(found)):
        return None
    id_, model = _value_of(found, fields.id), _value_of(found, fields.model)
    reason = _value_of(found, fields.finish_reason)
    content = text_of(_value_of(found, fields.content))
    return Reply(
        id=id_ if isinstance(id_, str) else None,
        model=model if isinstance(model, str) else None,
        content=content,
        reasoning=text_of(_value_of(found, fields.reasoning)),
        finish_reason=reason if isinstance(reason, str) and reason not in ("", NONE_YET) else None,
        pieces=() if content is None else (content,),
        cumulative=cumulative is not False,
    )


def _value_of(found: _Found, pointers: Pointers) -> Json:
    """Return the first value at *pointers*; None if there is none."""
    for pointer in pointers:
        if pointer in found:
            return found[pointer]
    return None


def _reply(parts: Sequence[Part], fields: Fields, cumulative: bool | None) -> Reply:
    by_index = _by_choice(parts, fields)
    founds = [part.found(fields) for part in parts]
    from_end = founds[::-1]
    own = by_index.pop(0, [])
    is_cumulative = _grows(own, fields) if cumulative is None else cumulative
    texts = _texts(own, fields.content)
    choice = _choice(0, own, texts, fields, is_cumulative)
    streamed = parts[0].event is not None
    state = _first_text(from_end, fields.state)
    usage, characters = None, None
    if not all(map(fields.counts.isdisjoint, founds)):
        usage = _usage(from_end, fields)
        characters = _first_count(from_end, fields.characters)
    return Reply(
        id=_first_text(founds, fields.id),
        model=_first_text(founds, fields.model),
        content=choice.content,
        reasoning=choice.reasoning,
        tool_calls=choice.tool_calls,
        finish_reason=choice.finish_reason,
        usage=usage,
        characters=characters,
        files=() if all(map(fields.links.isdisjoint, founds)) else tuple(_files(parts, fields)),
        vectors=tuple(_vectors(parts, fields)) if fields.vectors else (),
        ranking=tuple(_ranking(parts, fields)) if fields.scores else (),
        task_id=_first_text(founds, fields.task_id),
        states=(state,) if state is not None else (),
        pieces=tuple(texts) if streamed else (),
        cumulative=is_cumulative and streamed,
        other_choices=tuple(
            [
                _choice(index, founds, _texts(founds, fields.content), fields, is_cumulative)
                for index, founds in sorted(by_index.items())
            ]
        ),
    )


def _by_choice(parts: Iterable[Part], fields: Fields) -> dict[int, list[_Found]]:
    """Return what was found in the parts, grouped by the index of their choice.

    A part with several choices is split to parts with one choice each.
    """
    by_index: dict[int, list[_Found]] = {}
    for part in parts:
        found = part.found(fields)
        choices = found.get(fields.choices) if fields.choices else None
        several = choices if isinstance(choices, list) and len(choices) > 1 else [None]
        for position, choice in enumerate(several):
            if choice is not None:
                found = only_choice(part, fields, choice).found(fields)
            indices = _each((found,), fields.index)
            index = indices[0] if indices else None
            by_index.setdefault(index if type(index) is int else position, []).append(found)
    return by_index


def only_choice(part: Part, fields: Fields, choice: Json) -> Part:
    """Return a copy of *part* with *choice* as the only item of its array of choices.

    *fields* has the location of that array.
    """

    def changed(value: Json, keys: Sequence[str]) -> Json:
        if not keys or not isinstance(value, dict):
            return [choice]
        return {**value, keys[0]: changed(value[keys[0]], keys[1:])}

    return replace(part, value=changed(part.value, fields.choices.split("/")[1:]))


def _choice(
    index: int, founds: Sequence[_Found], texts: Sequence[str], fields: Fields, cumulative: bool
) -> Choice:
    """Return the choice of which *founds* are the parts; *texts* are the pieces of its content."""
    said = _each(founds, fields.finish_reason)
    reasons = [one for one in said if isinstance(one, str) and one not in ("", NONE_YET)]
    return Choice(
        index=index,
        content=_joined(texts, cumulative),
        reasoning=_joined(_texts(founds, fields.reasoning), cumulative),
        tool_calls=_tool_calls(founds, fields, cumulative),
        finish_reason=reasons[-1] if reasons else None,
    )


def _grows(founds: Sequence[_Found], fields: Fields) -> bool:
    """Return whether at least half of the events repeat the text so far (a cumulative stream).

    *founds* are the events, in which *fields* locate the texts. A tool call is repeated if it has
    the same id as in the first event, and a name; later pieces of an incremental tool call have no
    name.
    """
    if len(founds) < 2:
        return True
    steps = [
        after.startswith(before)
        for pointers in (fields.content, fields.reasoning)
        for before, after in pairwise(filter(None, _texts(founds, pointers)))
    ]
    calls = [calls[0] for found in founds if (calls := _tool_calls((found,), fields, True))]
    steps += [bool(call.name) and call.id == calls[0].id for call in calls[1:]]
    return 2 * sum(steps) >= len(steps)


def _each(founds: Iterable[_Found], pointers: Pointers) -> list[Json]:
    """Return the first value at *pointers* in each part that has one."""
    values: list[Json] = []
    for found in founds if pointers else ():
        for pointer in pointers:
            if pointer in found:
                values.append(found[pointer])
                break
    return values


def _texts(founds: Iterable[_Found], pointers: Pointers) -> list[str]:
    texts = [text_of(value) for value in _each(founds, pointers)]
    return [text for text in texts if text is not None]


def _first_text(founds: Iterable[_Found], pointers: Pointers) -> str | None:
    for value in _each(founds, pointers) if pointers else ():
        if isinstance(value, str):
            return value
    return None


def _joined(pieces: Sequence[str], cumulative: bool) -> str | None:
    if not pieces:
        return None
    return pieces[-1] if cumulative else "".join(pieces)


def _usage(from_end: Sequence[_Found], fields: Fields) -> Usage | None:
    given = _first_count(from_end, fields.input_tokens)
    made = _first_count(from_end, fields.output_tokens)
    total = _first_count(from_end, fields.total_tokens)
    return None if given is made is total is None else Usage(given, made, total)


def _first_count(founds: Sequence[_Found], pointers: Pointers) -> int | None:
    for value in _each(founds, pointers) if pointers else ():
        if type(value) is int:
            return value
    return None


def _files(parts: Sequence[Part], fields: Fields) -> Iterator[GeneratedFile]:
    for medium, pointers in (
        (Medium.IMAGE, fields.images),
        (Medium.VIDEO, fields.videos),
        (Medium.AUDIO, fields.sounds),
        (Medium.TEXT, fields.transcripts),
    ):
        for part in parts if pointers else ():
            for _, link in all_seen(part, fields, pointers):
                if isinstance(link, str) and link:
                    yield GeneratedFile(link, medium=medium)


def with_words(reply: Reply, bodies: Iterable[bytes], fields: Fields) -> Reply:
    """Return *reply* with the transcripts that it links to as its content.

    *bodies* are the downloaded files, in which *fields* locate the words. Without any words,
    *reply* is returned unchanged.
    """
    texts = (text for body in bodies for _, text in seen(read_json(body).value, fields.words))
    words = "\n".join(text for text in texts if isinstance(text, str))
    return replace(reply, content=words) if words else reply


def _numbers(value: Json) -> tuple[float, ...]:
    items = value if isinstance(value, list) else ()
    if {*map(type, items)} <= {int, float}:
        return tuple(cast("list[float]", items))
    return tuple(n for n in items if isinstance(n, int | float) and not isinstance(n, bool))


def _vectors(parts: Iterable[Part], fields: Fields) -> Iterator[tuple[float, ...]]:
    for part in parts:
        for _, vector in all_seen(part, fields, fields.vectors):
            if isinstance(vector, list):
                yield _numbers(vector)


def _ranking(parts: Iterable[Part], fields: Fields) -> Iterator[Ranked]:
    for part in parts:
        places = (
            [value for _, value in all_seen(part, fields, f)]
            for f in (fields.positions, fields.scores)
        )
        for index, score in zip(*places, strict=False):
            if type(index) is int and isinstance(score, int | float):
                yield Ranked(index, score)


def _tool_calls(founds: Iterable[_Found], fields: Fields, cumulative: bool) -> tuple[ToolCall, ...]:
    """Return the tool calls in the parts *founds*.

    The pieces of a streamed call are joined; of a cumulative stream, only the last event is read.
    """
    lists = [calls for calls in _each(founds, fields.tool_calls) if isinstance(calls, list)]
    if not lists:
        return ()
    joined: list[tuple[Json, ToolCall]] = []
    for calls in lists[-1:] if cumulative else lists:
        for position, call in enumerate(calls):
            _join(joined, position, call)
    return tuple(call for _, call in joined)


def _join(joined: list[tuple[Json, ToolCall]], position: int, value: Json) -> None:
    """Add a tool call, or a piece of one, to *joined*, the calls by index.

    A piece is appended to the last call with the same index, unless it has another id; then it is a
    new call. Calls with another type than `function` are skipped, because the service executes them
    itself.

    Args:
        joined: (index, call) of the calls so far.
        position: The position in the array of tool calls; the index if *value* has none.
        value: The JSON of the call or piece.
    """
    if not isinstance(value, dict) or value.get("type") not in (None, "", FUNCTION):
        return
    index = value.get("index", position)
    piece = _piece(value)
    for n, (known, call) in reversed(list(enumerate(joined))):
        if known == index and piece.id in ("", call.id):
            arguments = call.arguments + piece.arguments
            joined[n] = (index, ToolCall(call.id, call.name or piece.name, arguments))
            return
    joined.append((index, piece))


def _piece(value: dict[str, Json]) -> ToolCall:
    function = value.get("function")
    members = function if isinstance(function, dict) else {}
    texts = (value.get("id"), members.get("name"), members.get("arguments"))
    return ToolCall(*(text if isinstance(text, str) else "" for text in texts))
