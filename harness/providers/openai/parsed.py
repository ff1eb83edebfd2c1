"""Chat answers in the form OpenAI gave them, read from an SDK's objects by their attributes."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from harness.providers.openai.messages import tool_calls
from harness.providers.parser import items, see, text, texts, tokens, whole
from harness.types import Failure, LooseJson, Reply, View

TOKENS = ("prompt_tokens", "completion_tokens", "total_tokens")


SETTINGS = frozenset({"extra_body", "extra_headers", "extra_query", "timeout"})
"""Arguments that say how to ask; a recorded body cannot."""


def arguments(function: Callable[..., Any], body: LooseJson) -> dict[str, Any]:
    """A recorded body as arguments; what the SDK's function does not take goes in `extra_body`.

    A copy: an SDK may change what it is given.
    """
    known = inspect.signature(function).parameters.keys() - SETTINGS
    told = copy.deepcopy(body)
    sent: dict[str, Any] = {name: value for name, value in told.items() if name in known}
    more = {name: value for name, value in told.items() if name not in known}
    return {**sent, "extra_body": more} if more else sent


def dump(thing: Any) -> View:
    """An SDK's object as it dumps itself; what is no object of an SDK, as it is."""
    return View(thing.model_dump(warnings=False) if hasattr(thing, "model_dump") else thing)


def reply(answer: Any) -> Reply:
    """An answer that came at once."""
    said = see(answer, "choices", 0, "message")
    view = dump(answer)
    return Reply(
        id=text(answer, "id"),
        model=text(answer, "model"),
        content=text(said, "content"),
        reasoning=text(said, "reasoning_content"),
        tool_calls=tool_calls(_calls(said)),
        finish_reason=text(answer, "choices", 0, "finish_reason"),
        usage=tokens(see(answer, "usage"), *TOKENS),
        views=(view,),
    )


def streamed(chunks: Sequence[Any]) -> Reply:
    """An answer that came in pieces, put together the way the services' own examples do it."""
    deltas = [see(chunk, "choices", 0, "delta") for chunk in chunks]
    pieces = texts(deltas, "content")
    reasons = texts(chunks, "choices", 0, "finish_reason")
    counts = [tokens(see(chunk, "usage"), *TOKENS) for chunk in chunks]
    return Reply(
        id=next(iter(texts(chunks, "id")), None),
        model=next(iter(texts(chunks, "model")), None),
        content=whole(pieces),
        reasoning=whole(texts(deltas, "reasoning_content")),
        tool_calls=tool_calls(call for delta in deltas for call in _calls(delta)),
        finish_reason=reasons[-1] if reasons else None,
        usage=next((count for count in reversed(counts) if count), None),
        pieces=tuple(pieces),
        views=tuple(dump(chunk) for chunk in chunks),
    )


def _calls(said: Any) -> list[LooseJson]:
    return [dump(call).value for call in items(said, "tool_calls")]


def failure(status: int, told: Any) -> Failure:
    """The `error` of a refusal, as an SDK hands it on."""
    error = told if isinstance(told, Mapping) else {}
    code, message = error.get("code") or error.get("type"), error.get("message")
    return Failure(
        status=status,
        code=str(code) if isinstance(code, str | int) else "",
        message=message if isinstance(message, str) else "",
    )
