"""Comparison of what a client returns for a changed and for the unchanged answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, is_dataclass

from harness.faults.client import Client, ClientRequest
from harness.faults.delivery import Verdict, content_of
from harness.types import Failure, Reply

_MAX_LENGTH = 160


@dataclass(frozen=True, slots=True)
class Observation:
    """The verdict on a client's reaction to one answer.

    Attributes:
        verdict: How the client reacted.
        detail: What the client returned or raised, as text; empty if the verdict is SAME.
    """

    verdict: Verdict
    detail: str = ""


def observe_reference(client: Client, request: ClientRequest) -> tuple[Observation, object]:
    """Request the unchanged answer with a client, and return its verdict and value.

    The verdict is SAME if the client returned a value, with which others can be compared; else
    ERROR or CRASH.
    """
    value, error = _send(client, request)
    return error or Observation(Verdict.SAME), value


def observe(
    client: Client, request: ClientRequest, reference: object, counts_raised: int
) -> Observation:
    """Request a changed answer with a client, and compare its value with the reference.

    Args:
        client: The client.
        request: The request that it sends.
        reference: The value that it returned for the unchanged answer.
        counts_raised: The number that the fault added to token counts; 0 for none.
    """
    value, error = _send(client, request)
    if error is not None:
        return error
    expected, actual = _plain(reference, counts_raised), _plain(value, counts_raised)
    if equal(expected, actual):
        return Observation(Verdict.SAME)
    return Observation(Verdict.WRONG, _difference(expected, actual))


def equal(left: object, right: object) -> bool:
    """Return whether two values are equal; False if the comparison raises."""
    try:
        return bool(left == right)
    except Exception:  # noqa: BLE001 - a user's own comparison may raise anything
        return False


def _send(client: Client, request: ClientRequest) -> tuple[object, Observation | None]:
    """Return the client's value, and an observation if it raised or reported a refusal, else None.

    The value has no stream pieces and SDK views; it is None if the client raised.
    """
    try:
        value = client.send(request)
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is the result
        verdict = Verdict.ERROR if client.is_typed(error) else Verdict.CRASH
        return None, Observation(verdict, describe_error(error))
    if isinstance(value, Failure):
        detail = _short(f"refused: {value.status} {value.code} {value.message}")
        return content_of(value), Observation(Verdict.ERROR, detail)
    return (content_of(value) if isinstance(value, Reply) else value), None


def describe_error(error: BaseException) -> str:
    """Return the full name of an error's class and its message, shortened."""
    kind = type(error)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return _short(f"{module}{kind.__qualname__}: {error}".rstrip(": "))


def _plain(value: object, raised: int) -> object:
    """Return a value as plain JSON types, with raised token counts lowered to the recorded ones.

    Integers of at least *raised* are raised counts; totals were raised by twice as much.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value), raised)
    if isinstance(value, Mapping):
        return {name: _plain(child, raised) for name, child in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(child, raised) for child in value]
    if type(value) is int and raised and value >= raised:
        return value - (2 * raised if value >= 2 * raised else raised)
    return value


def _difference(expected: object, actual: object, path: str = "") -> str:
    """Return the first difference between two values, as text."""
    if isinstance(expected, dict) and isinstance(actual, dict) and expected.keys() == actual.keys():
        name = next(name for name in expected if expected[name] != actual[name])
        return _difference(expected[name], actual[name], f"{path}.{name}")
    where = f"{path.lstrip('.')}: " if path else ""
    return _short(
        f"{where}expected {_excerpt(expected, actual)}, actual {_excerpt(actual, expected)}"
    )


def _excerpt(value: object, other: object) -> str:
    """Return a value as text; of a string, 40 characters around its first difference to *other*."""
    if not isinstance(value, str) or not isinstance(other, str):
        return _short(repr(value), 60)
    pairs = enumerate(zip(value, other, strict=False))
    shortest = min(len(value), len(other))
    begin = max(0, next((n for n, (a, b) in pairs if a != b), shortest) - 10)
    return ("…" if begin else "") + repr(value[begin : begin + 40])


def _short(text: str, most: int = _MAX_LENGTH) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"
