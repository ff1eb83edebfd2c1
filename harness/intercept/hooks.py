"""The caller's hooks: one changes requests before matching, one changes exchanges before storing.

The types of their results are checked, so that no value of a wrong type reaches a cassette.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import replace

from harness.errors import BadHook
from harness.types import Exchange, Request, Response
from harness.wire.codings import with_changed_body

NormalizeRequest = Callable[[Request], Request]
"""A function that returns a copy of a request for matching, without the values that may differ."""
BeforeRecord = Callable[[Exchange], Exchange | None]
"""A function that returns the exchange to store instead of its argument; None to store nothing."""


def identity(request: Request) -> Request:
    """Return *request* unchanged, so that all of it is compared in matching."""
    return request


def keep_all(exchange: Exchange) -> Exchange:
    """Return *exchange* unchanged, so that all of it is stored."""
    return exchange


def normalized(normalize_request: NormalizeRequest, request: Request) -> Request:
    """Return what *normalize_request* returns for *request*, after a check that it is a request.

    Raises:
        BadHook: the hook raised an exception or returned an invalid value. The retry loops of SDKs
            do not catch this error.
    """
    try:
        result = normalize_request(request)
    except Exception as error:
        file, line, *_ = traceback.extract_tb(error.__traceback__)[-1]
        what = f"{type(error).__name__}: {error} ({file}:{line})"
        raise BadHook(f"normalize_request raised {what}") from error
    if not isinstance(result, Request):
        raise _wrong("normalize_request", "a Request", type(result).__name__)
    _check_types("normalize_request", result)
    return result


def filtered(before_record: BeforeRecord, exchange: Exchange) -> Exchange | None:
    """Return the result of *before_record* for *exchange*; None if nothing is to be stored.

    The request keeps the method of *exchange*. The sizes of chunks are dropped if the hook changed
    the response body.

    Raises:
        BadHook: the hook returned an invalid value. Exceptions of the hook are not caught.
    """
    result = before_record(exchange)
    if result is None or result is exchange:
        return result
    if not isinstance(result, Exchange):
        raise _wrong("before_record", "an Exchange or None", type(result).__name__)
    _check_types("before_record", result.request)
    _check_types("before_record", result.response)
    has_same_body = result.response.body == exchange.response.body
    request = replace(result.request, method=exchange.request.method)
    changed = replace(exchange, request=request, response=result.response)
    return changed if has_same_body else with_changed_body(changed)


def _check_types(hook: str, result: object) -> None:
    """Raise BadHook if *result* is no request or response, or has a field of a wrong type."""
    if not isinstance(result, Request | Response):
        raise _wrong(hook, "an Exchange of a Request and a Response", type(result).__name__)
    kind = type(result).__name__
    for name, expected in _FIELD_TYPES.items():
        value = getattr(result, name, None)
        if hasattr(result, name) and (not isinstance(value, expected) or isinstance(value, bool)):
            wanted = f"a {kind} whose {name} is {expected.__name__}"
            raise _wrong(hook, wanted, type(value).__name__)
    for pair in result.headers:
        is_pair = isinstance(pair, tuple) and len(pair) == 2
        if not is_pair or not all(isinstance(text, str) for text in pair):
            raise _wrong(hook, "headers as pairs of name and value", type(pair).__name__)


def _wrong(hook: str, expected: str, actual: str) -> BadHook:
    return BadHook(f"{hook} has to return {expected}, actual: {actual}")


_FIELD_TYPES: dict[str, type] = {
    **dict.fromkeys(("method", "uri", "reason"), str),
    **{"body": bytes, "headers": tuple, "status": int},
}
