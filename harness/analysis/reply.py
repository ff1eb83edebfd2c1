"""From the parts of an answer to a `Reply` or a `Failure`, led by an endpoint's `Fields`.

Reading never raises: a field of the wrong type is read as absent, and a rule tells of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from harness.analysis.endpoint import Fields, Part, Pointers, States
from harness.types import Failure, Image, LooseJson, Outcome, Reply, ToolCall, Usage
from harness.wire import find

NONE_YET = "null"
"""The string that stands for "no finish reason yet" in a stream, beside the absent key and null."""

FUNCTION = "function"
"""The type of a tool call that is the caller's to carry out."""

ReadParts = Callable[[Sequence[Part], LooseJson], Outcome | None]
Refuse = Callable[[int, LooseJson], Failure]


def never(asked: LooseJson) -> bool | None:
    """No stream of this endpoint is cumulative."""
    return False


NO_STATES = States()


def reader(
    fields: Fields,
    states: States = NO_STATES,
    cumulative: Callable[[LooseJson], bool | None] = never,
) -> ReadParts:
    """A function that reads the parts of a 2xx answer."""

    def read(parts: Sequence[Part], asked: LooseJson) -> Outcome | None:
        refused = next((part for part in parts if is_refusal(part, fields)), None)
        if refused is not None:
            return _failure(status_of(refused), refused.value, fields)
        if not any(isinstance(part.value, dict) for part in parts):
            return None
        state = _last_text(parts, fields.state)
        if state in states.failed:
            failure = _failure(200, parts[-1].value, fields)
            return failure if failure.code else _coded(failure, state or "")
        told = cumulative(asked)
        return _reply(parts, fields, grows(parts, fields) if told is None else told)

    return read


def grows(parts: Sequence[Part], fields: Fields) -> bool:
    """Whether most events repeat the text so far: what models do that were not told otherwise.

    Of a call, pieces leave out the name; what is repeated has it, under the same id.
    """
    steps = [
        after.startswith(before)
        for pointers in (fields.content, fields.reasoning)
        for before, after in pairwise(filter(None, _texts(parts, pointers)))
    ]
    told = [calls[0] for part in parts if (calls := _tool_calls((part,), fields, cumulative=True))]
    steps += [bool(call.name) and call.id == told[0].id for call in told[1:]]
    return 2 * sum(steps) >= len(steps)


def refuser(fields: Fields) -> Refuse:
    """A function that reads the body of a refusal."""

    def refuse(status: int, body: LooseJson) -> Failure:
        return _failure(status, body, fields)

    return refuse


def unread(parts: Sequence[Part], asked: LooseJson) -> None:
    """The reader of an endpoint whose answers are not looked into."""


def is_refusal(part: Part, fields: Fields) -> bool:
    """Whether a part says no; a task that tells its state is an answer, even if it failed."""
    refused = any(value for _, value in seen(part.value, fields.refused))
    return refused and first(part.value, fields.state) is None


def seen(value: LooseJson, pointers: Pointers) -> Iterator[tuple[str, LooseJson]]:
    """Every (pointer, value) that any of the pointers leads to, nulls left out."""
    for pattern in pointers:
        for found in find(value, pattern):
            if found[1] is not None:
                yield found


def first(value: LooseJson, pointers: Pointers) -> LooseJson:
    """The first value that any of the pointers leads to, or None."""
    for pattern in pointers:
        for _, found in find(value, pattern):
            if found is not None:
                return found
    return None


def text_of(content: LooseJson) -> str | None:
    """The text of a message's content: a string, or a list of pieces some of which are text."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return None
    texts = [piece.get("text") for piece in content if isinstance(piece, dict)]
    return "".join(text for text in texts if isinstance(text, str))


_STATUS = re.compile(r"\s*HTTP_STATUS/([0-9]{3})\s*")


def status_of(part: Part) -> int:
    """The HTTP status that an event tells in a comment; 200 where it tells none."""
    told = (_STATUS.fullmatch(comment) for comment in part.comments)
    return next((int(match.group(1)) for match in told if match), 200)


def _failure(status: int, body: LooseJson, fields: Fields) -> Failure:
    code = first(body, fields.code)
    message = first(body, fields.message)
    request_id = first(body, fields.request_id)
    return Failure(
        status=status,
        code=str(code) if isinstance(code, str | int) else "",
        message=message if isinstance(message, str) else "",
        request_id=request_id if isinstance(request_id, str) else None,
    )


def _coded(failure: Failure, code: str) -> Failure:
    return Failure(failure.status, code, failure.message, failure.request_id)


def _reply(parts: Sequence[Part], fields: Fields, cumulative: bool) -> Reply:
    chosen = [part for part in parts if first(part.value, fields.index) in (None, 0)]
    pieces = _texts(chosen, fields.content)
    state = _last_text(parts, fields.state)
    streamed = any(part.event is not None for part in parts)
    return Reply(
        id=_first_text(parts, fields.id),
        model=_first_text(parts, fields.model),
        content=_joined(pieces, cumulative),
        reasoning=_joined(_texts(chosen, fields.reasoning), cumulative),
        tool_calls=_tool_calls(chosen, fields, cumulative),
        finish_reason=_finish_reason(chosen, fields),
        usage=_usage(parts, fields),
        images=_images(parts, fields),
        task_id=_first_text(parts, fields.task_id),
        states=(state,) if state is not None else (),
        pieces=tuple(pieces) if streamed else (),
        cumulative=cumulative and streamed,
    )


def _each(parts: Sequence[Part], pointers: Pointers) -> Iterator[LooseJson]:
    """What one field holds in each part that has it; no further than somebody wants to know."""
    for part in parts if pointers else ():
        value = first(part.value, pointers)
        if value is not None:
            yield value


def _first_text(parts: Sequence[Part], pointers: Pointers) -> str | None:
    return next((v for v in _each(parts, pointers) if isinstance(v, str)), None)


def _last_text(parts: Sequence[Part], pointers: Pointers) -> str | None:
    return _first_text(parts[::-1], pointers)


def _texts(parts: Sequence[Part], pointers: Pointers) -> list[str]:
    texts = (text_of(value) for value in _each(parts, pointers))
    return [text for text in texts if text is not None]


def _joined(pieces: Sequence[str], cumulative: bool) -> str | None:
    if not pieces:
        return None
    return pieces[-1] if cumulative else "".join(pieces)


def _finish_reason(parts: Sequence[Part], fields: Fields) -> str | None:
    reasons = (v for v in _each(parts[::-1], fields.finish_reason) if isinstance(v, str))
    return next((reason for reason in reasons if reason != NONE_YET), None)


def _usage(parts: Sequence[Part], fields: Fields) -> Usage | None:
    pointers = (fields.input_tokens, fields.output_tokens, fields.total_tokens)
    counts = [_last_count(parts, pointer) for pointer in pointers]
    return None if all(count is None for count in counts) else Usage(*counts)


def _last_count(parts: Sequence[Part], pointers: Pointers) -> int | None:
    return next((v for v in _each(parts[::-1], pointers) if type(v) is int), None)


def _images(parts: Sequence[Part], fields: Fields) -> tuple[Image, ...]:
    links = (link for part in parts for _, link in seen(part.value, fields.images))
    return tuple(Image(link) for link in links if isinstance(link, str))


def _tool_calls(parts: Sequence[Part], fields: Fields, cumulative: bool) -> tuple[ToolCall, ...]:
    """The tool calls, streamed pieces joined; a cumulative stream repeats them whole."""
    told = [calls for calls in _each(parts, fields.tool_calls) if isinstance(calls, list)]
    joined: list[tuple[LooseJson, ToolCall]] = []
    for calls in told[-1:] if cumulative else told:
        for position, call in enumerate(calls):
            _join(joined, position, call)
    return tuple(call for _, call in joined)


def _join(joined: list[tuple[LooseJson, ToolCall]], position: int, value: LooseJson) -> None:
    """Add one piece to the call it continues: the last one with its index and no other id.

    A tool of the service's own, such as a search, is named by the type and is no call of ours.
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


def _piece(value: dict[str, LooseJson]) -> ToolCall:
    function = value.get("function")
    held = function if isinstance(function, dict) else {}
    texts = (value.get("id"), held.get("name"), held.get("arguments"))
    return ToolCall(*(text if isinstance(text, str) else "" for text in texts))
