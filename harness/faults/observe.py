"""What a client makes of a changed answer, compared with what it made of the unchanged one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, is_dataclass

from harness.faults.client import Client, ClientRequest
from harness.faults.delivery import Verdict, content_of
from harness.types import Failure, Reply

_MAX_LENGTH = 160


@dataclass(frozen=True, slots=True)
class Observation:
    """The verdict on one answer; `detail` is what was returned or raised, in words."""

    verdict: Verdict
    detail: str = ""


def observe_reference(client: Client, request: ClientRequest) -> tuple[Observation, object]:
    """Request the unchanged answer; the verdict is SAME where others can be compared with it."""
    value, error = _send(client, request)
    return error or Observation(Verdict.SAME), value


def observe(
    client: Client, request: ClientRequest, reference: object, counts_raised: int
) -> Observation:
    """Request a changed answer, and compare it with the reference."""
    value, error = _send(client, request)
    if error is not None:
        return error
    expected, actual = _plain(reference, counts_raised), _plain(value, counts_raised)
    if equal(expected, actual):
        return Observation(Verdict.SAME)
    return Observation(Verdict.WRONG, _difference(expected, actual))


def equal(left: object, right: object) -> bool:
    """Return whether two values are equal; values that cannot be compared are not."""
    try:
        return bool(left == right)
    except Exception:  # noqa: BLE001 - a user's own comparison may raise anything
        return False


def _send(client: Client, request: ClientRequest) -> tuple[object, Observation | None]:
    """Return what was returned, without its delivery, and what to say of an error or refusal."""
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
    """Return an error in words, its class as it is imported."""
    kind = type(error)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return _short(f"{module}{kind.__qualname__}: {error}".rstrip(": "))


def _plain(value: object, raised: int) -> object:
    """Return dataclasses and containers as plain JSON, raised counts as they were recorded."""
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
    """Return the first difference between two values, in words."""
    if isinstance(expected, dict) and isinstance(actual, dict) and expected.keys() == actual.keys():
        name = next(name for name in expected if expected[name] != actual[name])
        return _difference(expected[name], actual[name], f"{path}.{name}")
    where = f"{path.lstrip('.')}: " if path else ""
    return _short(f"{where}expected {_end(expected, actual)}, actual {_end(actual, expected)}")


def _end(value: object, other: object) -> str:
    """Return a value in words; of a long text, the part around the first difference."""
    if not isinstance(value, str) or not isinstance(other, str):
        return _short(repr(value), 60)
    pairs = enumerate(zip(value, other, strict=False))
    shortest = min(len(value), len(other))
    begin = max(0, next((n for n, (a, b) in pairs if a != b), shortest) - 10)
    return ("…" if begin else "") + repr(value[begin : begin + 40])


def _short(text: str, most: int = _MAX_LENGTH) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"
