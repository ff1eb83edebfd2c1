"""What a client made of an answer, held against what it made of the untouched one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any

from harness.faults.run.clients import Client, Question
from harness.faults.transport import Verdict, told
from harness.types import Failure, Reply

_LONGEST = 160


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of one question: the verdict, and in words what was returned or raised."""

    verdict: Verdict
    words: str = ""


def first_heard(client: Client, question: Question) -> tuple[Heard, Any]:
    """Ask for an untouched answer. The verdict is SAME where it can be a measure for others."""
    value, heard = _asked(client, question)
    if heard is None and isinstance(value, Failure):
        heard = Heard(Verdict.ERROR, _of_failure(value))
    return heard or Heard(Verdict.SAME), value


def judged(client: Client, question: Question, reference: Any, raised: int) -> Heard:
    """Ask for a changed answer, and compare it with the reference.

    `raised` is by how much token counts were raised.
    """
    value, heard = _asked(client, question)
    if heard is not None:
        return heard
    if isinstance(value, Failure):
        return Heard(Verdict.ERROR, _of_failure(value))
    left, right = _plain(reference, raised), _plain(value, raised)
    if equal(left, right):
        return Heard(Verdict.SAME)
    return Heard(Verdict.WRONG, _difference(left, right))


def equal(left: Any, right: Any) -> bool:
    """Whether two values are; what cannot be compared is not."""
    try:
        return bool(left == right)
    except Exception:  # noqa: BLE001 - somebody's own comparison may raise anything
        return False


def _asked(client: Client, question: Question) -> tuple[Any, Heard | None]:
    """What was returned, or what is to be said of what was raised."""
    try:
        value = client.ask(question)
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is the result
        verdict = Verdict.ERROR if client.typed(error) else Verdict.CRASH
        return None, Heard(verdict, named(error))
    return _without_travel(value), None


def _without_travel(value: Any) -> Any:
    """An outcome without its pieces and views: how an answer was cut is no part of it."""
    return told(value) if isinstance(value, Reply | Failure) else value


def named(error: BaseException) -> str:
    """An error in words, with its class as one imports it."""
    kind = type(error)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return _short(f"{module}{kind.__qualname__}: {error}".rstrip(": "))


def _of_failure(failure: Failure) -> str:
    return _short(f"refused: {failure.status} {failure.code} {failure.message}")


def _plain(value: Any, raised: int) -> Any:
    """A value as plain JSON where it is of dataclasses and containers, and counts as they were."""
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value), raised)
    if isinstance(value, Mapping):
        return {name: _plain(child, raised) for name, child in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(child, raised) for child in value]
    if type(value) is int and raised and value >= raised:
        return value - (2 * raised if value >= 2 * raised else raised)
    return value


def _difference(left: Any, right: Any, path: str = "") -> str:
    """The first place where two values part."""
    if isinstance(left, dict) and isinstance(right, dict) and left.keys() == right.keys():
        pairs = [(f"{path}.{name}", left[name], right[name]) for name in left]
        return next(_difference(a, b, where) for where, a, b in pairs if a != b)
    what = f"{path.lstrip('.')}: " if path else ""
    return _short(f"{what}{_end(right, left)} instead of {_end(left, right)}")


def _end(value: Any, other: Any) -> str:
    """A value as it is shown; of a long text, the part from where it differs from the other."""
    if not isinstance(value, str) or not isinstance(other, str):
        return _short(repr(value), 60)
    same = next((n for n, (a, b) in enumerate(zip(value, other, strict=False)) if a != b), None)
    at = min(len(value), len(other)) if same is None else same
    begin = max(0, at - 10)
    return ("…" if begin else "") + repr(value[begin : at + 30])


def _short(text: str, longest: int = _LONGEST) -> str:
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"
