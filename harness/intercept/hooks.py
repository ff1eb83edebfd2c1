"""The caller's hooks: how a request is compared, and what of an exchange is kept.

What they give back is looked at, and so told by the hook's name, before it could reach a cassette.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from harness.errors import BadHook
from harness.types import Exchange, Request, Response

Match = Callable[[Request], Request]
"""A request as it is to be compared: without what does not count."""
BeforeRecord = Callable[[Exchange], Exchange | None]
"""An exchange as it is to be kept: its request and response may be others; None keeps nothing."""


def identity(request: Request) -> Request:
    """The request: all of it counts."""
    return request


def keep_all(exchange: Exchange) -> Exchange:
    """The exchange: everything is kept."""
    return exchange


def compared(match: Match, request: Request) -> Request:
    """A request as `match` gives it back. Raises BadHook, for no SDK may try again."""
    try:
        told = match(request)
    except Exception as error:
        raise BadHook(f"match raised {type(error).__name__}: {error}") from error
    if not isinstance(told, Request):
        raise BadHook(f"match has to give back a Request, not {type(told).__name__}")
    _prove("match", told)
    return told


def chosen(before_record: BeforeRecord, heard: Exchange) -> Exchange | None:
    """What `before_record` makes of an exchange, in what it may change. Raises BadHook."""
    told = before_record(heard)
    if told is None or told is heard:
        return told
    if not isinstance(told, Exchange):
        kind = type(told).__name__
        raise BadHook(f"before_record has to give back an Exchange or None, not {kind}")
    _prove("before_record", told.request)
    _prove("before_record", told.response)
    same = told.response.body == heard.response.body
    request = replace(told.request, method=heard.request.method)
    chunks = heard.chunks if same else ()
    return replace(heard, request=request, response=told.response, chunks=chunks)


def _prove(hook: str, told: object) -> None:
    """Raise BadHook where a field is not of its kind."""
    if not isinstance(told, Request | Response):
        raise BadHook(f"{hook} gave back an exchange with {type(told).__name__} for a half of it")
    for name, kind in _KINDS.items():
        value = getattr(told, name, None)
        if hasattr(told, name) and (not isinstance(value, kind) or isinstance(value, bool)):
            half = type(told).__name__
            raise BadHook(f"{hook} gave back a {half} whose {name} is {type(value).__name__}")
    for pair in told.headers:
        if not (isinstance(pair, tuple) and len(pair) == _PAIR and all(map(_is_text, pair))):
            raise BadHook(f"{hook} gave back headers that are no pairs of name and value")


_KINDS = {
    **dict.fromkeys(("method", "uri", "reason"), str),
    **{"body": bytes, "headers": tuple, "status": int},
}
_PAIR = 2


def _is_text(value: object) -> bool:
    return isinstance(value, str)
