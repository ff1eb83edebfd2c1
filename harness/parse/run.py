"""The repetition of recorded requests through each SDK, answered with the recorded bytes.

A response is compared with what an SDK returned for it at two levels. The first (level "wire") is
of each JSON value in the response with the object that the SDK made of it. If these are equal, the
second one (level "reply") compares the outcome that the harness read in the response with the SDK's
outcome. A null, an object without members and a missing member count as equal, since an attribute
of an SDK's object needs some value.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic import PlainSerializer, PlainValidator

from harness.analysis.difference import Change, ChangeKind, compare_json, leaves
from harness.analysis.exchange import AnalyzedExchange
from harness.parse import Parser, recorded_request
from harness.parse.answering import ADDRESS, Answering, answered
from harness.types import Failure, Json, Outcome, Reply
from harness.wire import MISSING, Missing, resolve, type_name
from harness.wire.text import ellipsized


class Kind(StrEnum):
    """The kind of a difference between a response and what an SDK returned for it.

    Attributes:
        LOST: A value of the response is missing in the SDK's object.
        RETYPED: A value has another JSON type.
        CHANGED: A value of the same type differs.
        INVENTED: The SDK's object has a value that is not in the response.
        CRASHED: The SDK raised an error that is not one of its own.
        REFUSED: The SDK reported a failure for a successful response.
        ACCEPTED: The SDK reported a success for an error response.
        HIDDEN: The SDK reported a success, but returned no object for the response.
    """

    LOST = "lost"
    RETYPED = "retyped"
    CHANGED = "changed"
    INVENTED = "invented"
    CRASHED = "crashed"
    REFUSED = "refused though accepted"
    ACCEPTED = "accepted though refused"
    HIDDEN = "hidden"


class Level(StrEnum):
    """The level of a comparison.

    `wire` compares the JSON values of the response with those of the SDK's object, `reply` the
    replies or failures that the harness and the SDK made of it.
    """

    REPLY = "reply"
    WIRE = "wire"


if TYPE_CHECKING:
    _Value: TypeAlias = Json | Missing
else:  # pydantic does not know the type, and needs no more than this
    _Value = Annotated[
        object,
        PlainSerializer(lambda value: None if isinstance(value, Missing) else json.dumps(value)),
        PlainValidator(lambda text: MISSING if text is None else json.loads(text)),
    ]
"""A value that may be missing; as JSON it is a text of JSON, or null."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One difference between a response and what an SDK returned for it.

    Attributes:
        kind: The kind of the difference.
        level: The level of the comparison.
        path: The path of the value, a JSON pointer with `[]` for all items of an array; for a
            crash, the name of the error's class.
        at: The JSON pointer of the value, such as `/choices/0/index`; in a stream, after the number
            of its event: `event 2 /choices/0/index`.
        expected: The value in the response, or in the outcome that the harness read.
        actual: The value in what the SDK returned.
    """

    kind: Kind
    level: Level
    path: str = ""
    at: str = ""
    expected: _Value = MISSING
    actual: _Value = MISSING


@dataclass(frozen=True, slots=True)
class Raised:
    """An error that an SDK raised for a response.

    Attributes:
        error: The error, as `<class>: <message>`.
        documented: Whether its class is one of the SDK's own error classes.
    """

    error: str
    documented: bool


_KINDS: Mapping[ChangeKind, Kind] = {
    ChangeKind.REMOVED: Kind.LOST,
    ChangeKind.ADDED: Kind.INVENTED,
    ChangeKind.RETYPED: Kind.RETYPED,
}
"""Maps a kind of change to a kind of disagreement; every other change is `Kind.CHANGED`."""


def disagreements(reading: AnalyzedExchange, sdk: Outcome | Raised) -> Iterator[Disagreement]:
    """Yield each difference between an exchange and what an SDK returned for it.

    Args:
        reading: The harness's analysis of the exchange.
        sdk: The outcome that the SDK returned, or the error that it raised.
    """
    wire = reading.outcome
    if isinstance(sdk, Raised):
        yield from _raised(wire, sdk)
        return
    kind = _kind(wire, sdk)
    if kind is not None:
        yield Disagreement(kind, Level.REPLY, expected=_plain(wire), actual=_plain(sdk))
    in_values = tuple(_in_values(reading, sdk))
    yield from in_values
    if kind is None and not in_values:
        yield from _compared(_plain(wire or Reply()), _plain(sdk), Level.REPLY)


def _kind(wire: Outcome | None, sdk: Outcome) -> Kind | None:
    """Return the kind of difference of outcomes that cannot be compared by member, else None."""
    if wire is not None and isinstance(sdk, Reply) and not sdk.views:
        return Kind.HIDDEN
    if isinstance(wire, Failure) and isinstance(sdk, Reply):
        return Kind.ACCEPTED
    if isinstance(wire, Reply) and isinstance(sdk, Failure):
        return Kind.REFUSED
    return None


def _raised(wire: Outcome | None, sdk: Raised) -> Iterator[Disagreement]:
    """Yield a disagreement for an error that an SDK raised.

    Yield nothing if the error is documented and the harness read no outcome in the response either.
    """
    if not sdk.documented:
        name = sdk.error.partition(":")[0]
        yield Disagreement(Kind.CRASHED, Level.REPLY, name, expected=_plain(wire), actual=sdk.error)
    elif wire is not None:
        kind = Kind.REFUSED if isinstance(wire, Reply) else Kind.LOST
        yield Disagreement(kind, Level.REPLY, expected=_plain(wire), actual=sdk.error)


def _in_values(reading: AnalyzedExchange, sdk: Outcome) -> Iterator[Disagreement]:
    """Yield the differences between each JSON value of the response and the SDK's object for it."""
    unshown = reading.endpoint.unshown if reading.endpoint else frozenset()
    parts = [part for part in reading.parts if resolve(part.value, "/type") not in unshown]
    views = sdk.views
    if not views or (isinstance(sdk, Failure) and len(parts) != len(views)):
        return
    if len(parts) != len(views):
        kind = Kind.LOST if len(views) < len(parts) else Kind.INVENTED
        yield Disagreement(kind, Level.WIRE, "events", expected=len(parts), actual=len(views))
        return
    for number, (part, view) in enumerate(zip(parts, views, strict=True), start=1):
        where = f"event {number} " if reading.is_stream else ""
        yield from _compared(part.value, view.value, Level.WIRE, where)


def _compared(
    expected: Json, actual: Json, level: Level, where: str = ""
) -> Iterator[Disagreement]:
    """Yield a disagreement for each differing leaf: a value that is no object and no array.

    *where* is put before its JSON pointer, such as "event 2 ".
    """
    if _agree(expected, actual):
        return
    for change in compare_json(_without_empty(expected), _without_empty(actual)).changes:
        kind = _KINDS.get(change.kind, Kind.CHANGED)
        for leaf in _leaves_of(change):
            at = where + leaf.pointer
            yield Disagreement(kind, level, leaf.path, at, leaf.before, leaf.after)


def _agree(left: Json, right: Json) -> bool:
    """Return True only if two values are equal without their members that are null or empty.

    It is a fast answer for most values; False says nothing.
    """
    if type(left) is not type(right):
        return False
    if isinstance(left, dict) and isinstance(right, dict):
        kept = 0
        for key, member in left.items():
            if member is not None and member != {}:
                if key not in right or not _agree(member, right[key]):
                    return False
                kept += 1
        return kept == sum([member is not None and member != {} for member in right.values()])
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_agree, left, right))
    if isinstance(left, float):  # their texts tell 0.0 from -0.0, and are the same for two NaN
        return left == right != 0 or repr(left) == repr(right)
    return left == right


def _leaves_of(change: Change) -> Iterator[Change]:
    """Yield *change* or, if it adds or removes a subtree, a change for each leaf of the subtree."""
    if not isinstance(change.before, Missing) and not isinstance(change.after, Missing):
        yield change
        return
    subtree = change.after if isinstance(change.before, Missing) else change.before
    for pointer, path, leaf in [] if isinstance(subtree, Missing) else leaves(subtree):
        sides = (MISSING, leaf) if subtree is change.after else (leaf, MISSING)
        yield Change(change.kind, change.path + path, change.pointer + pointer, *sides)


def _without_empty(value: Json) -> Json:
    """Return a value without its members that are null or an empty object."""
    if isinstance(value, list):
        return [_without_empty(item) for item in value]
    if not isinstance(value, dict):
        return value
    members = ((key, _without_empty(member)) for key, member in value.items())
    return {key: member for key, member in members if member is not None and member != {}}


_NOT_COMPARED = frozenset({"views", "cumulative", "retry_after"})


def _plain(outcome: Outcome | None) -> Json:
    """Return an outcome as JSON, without null, empty texts, empty lists and `_NOT_COMPARED`.

    Return an empty object for None.
    """
    if outcome is None:
        return {}
    members = {
        field.name: _as_json(getattr(outcome, field.name))
        for field in fields(outcome)
        if field.name not in _NOT_COMPARED
    }
    return {name: value for name, value in members.items() if value not in (None, [], "")}


def _as_json(value: Any) -> Json:
    """Return a value of an outcome as JSON: objects for dataclasses, lists for tuples.

    `dataclasses.asdict` would copy each number of a vector by `copy.deepcopy`.
    """
    if isinstance(value, tuple | list):
        return [_as_json(item) for item in value]
    if is_dataclass(value):
        return {field.name: _as_json(getattr(value, field.name)) for field in fields(value)}
    return str(value) if isinstance(value, StrEnum) else value


def shown_value(value: Json | Missing, longest: int = 90) -> str:
    """Return a value's type and at most *longest* characters of it; "nothing" for MISSING."""
    if isinstance(value, Missing):
        return "nothing"
    return f"{type_name(value)} {ellipsized(repr(value), longest)}"


TIMEOUT = 20.0
"""Seconds that an SDK waits for a response from the local server before it fails."""


class ParseVerdict(StrEnum):
    """The result of the comparison for one exchange and one parser.

    `SAME` is without, `DIFFERENT` with disagreements; in `CRASHED`, the SDK raised an error that is
    not one of its own; `NOT_APPLICABLE`: the parser cannot make the request.
    """

    SAME = "same"
    DIFFERENT = "different"
    CRASHED = "crashed"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True)
class ParsedExchange:
    """The result of one recorded exchange that was repeated through one SDK.

    Attributes:
        source: The cassette of the exchange.
        number: The position of the exchange in the cassette, from 1.
        endpoint: The name of its endpoint; `unknown` if it is not recognised.
        mode: `stream` or `sync`.
        size: The size of the response body, in bytes.
        parser: The SDK parser's name; empty if no parser can make the request.
        verdict: The result of the comparison.
        disagreements: The differences between the response and what the SDK returned.
    """

    source: str
    number: int
    endpoint: str
    mode: str
    size: int
    parser: str
    verdict: ParseVerdict
    disagreements: tuple[Disagreement, ...] = ()


def parse_all(
    source: str, readings: Iterable[AnalyzedExchange], parsers: Iterable[Parser]
) -> Iterator[ParsedExchange]:
    """Yield a result for each exchange and each parser that can make its request.

    An exchange whose request no parser can make yields one result, `not applicable`. *source* is
    the cassette of the exchanges.
    """
    candidates = tuple(parsers)
    for reading in readings:
        able = [one for one in candidates if can_ask(one, reading)]
        if not able:
            yield _parsed(source, reading)
            continue
        with answered(reading.exchange) as answering:  # not while a result is yielded
            parsed = [_parsed(source, reading, one, ask(one, reading, answering)) for one in able]
        yield from parsed


def _parsed(
    source: str,
    reading: AnalyzedExchange,
    parser: Parser | None = None,
    sdk: Outcome | Raised | None = None,
) -> ParsedExchange:
    """Return the result of an exchange that *parser* read as *sdk*."""
    differences = () if sdk is None else tuple(disagreements(reading, sdk))
    if sdk is None:
        verdict = ParseVerdict.NOT_APPLICABLE
    elif any(difference.kind is Kind.CRASHED for difference in differences):
        verdict = ParseVerdict.CRASHED
    else:
        verdict = ParseVerdict.DIFFERENT if differences else ParseVerdict.SAME
    return ParsedExchange(
        source,
        reading.number,
        reading.endpoint.name if reading.endpoint else "unknown",
        "stream" if reading.is_stream else "sync",
        len(reading.exchange.response.body),
        parser.name if parser else "",
        verdict,
        differences,
    )


def can_ask(parser: Parser, reading: AnalyzedExchange) -> bool:
    """Return whether *parser* can make the request of an exchange.

    It has to be installed and support the endpoint, and the request needs a JSON object as body
    unless it is a GET. Redirects are excluded: the SDK would follow them to another address.
    """
    if reading.endpoint is None or reading.endpoint.name not in parser.endpoints:
        return False
    request, status = reading.exchange.request, reading.exchange.response.status
    has_body = request.method.upper() == "GET" or isinstance(reading.request_json.value, dict)
    return parser.installed and has_body and not 300 <= status < 400


def ask(parser: Parser, reading: AnalyzedExchange, answering: Answering) -> Outcome | Raised | None:
    """Make a recorded request through an SDK, with the recorded response from *answering*.

    Returns:
        The outcome that the SDK returned, or the error that it raised; None if it raised before it
        sent the request.
    """
    before = answering.requests
    try:
        return parser.parse(recorded_request(reading, answering.address, TIMEOUT))
    except Exception as error:  # noqa: BLE001 - an SDK may raise anything: that is the finding
        text = f"{type(error).__name__}: {error}".replace(answering.address, ADDRESS)
        is_sent = answering.requests > before
        return Raised(text, parser.documents(error)) if is_sent else None


# ------------------------------------------------------------------------------------- summary

Signature = tuple[str, str, str, str, str]
"""(parser, endpoint, kind, level, path): equal for two disagreements with the same cause."""


@dataclass(frozen=True, slots=True)
class ParseRow:
    """The number of exchanges by verdict, for one endpoint, mode and parser.

    Attributes:
        endpoint: The name of the endpoint.
        mode: `stream` or `sync`.
        parser: The name of the SDK parser; empty for exchanges that no parser can request.
        verdicts: The number of exchanges with each verdict.
    """

    endpoint: str
    mode: str
    parser: str
    verdicts: Mapping[ParseVerdict, int]

    @property
    def exchanges(self) -> int:
        """The number of all exchanges."""
        return sum(self.verdicts.values())


@dataclass(frozen=True)
class Defect:
    """A disagreement that one or more exchanges show.

    Attributes:
        example: The result for the exchange with the smallest response body that shows it.
        disagreement: The disagreement in that exchange.
        exchanges: The number of exchanges that show it.
    """

    example: ParsedExchange
    disagreement: Disagreement
    exchanges: int = 1

    @property
    def signature(self) -> Signature:
        """(parser, endpoint, kind, level, path), which identifies the defect."""
        kind, level = self.disagreement.kind.value, self.disagreement.level.value
        return self.example.parser, self.example.endpoint, kind, level, self.disagreement.path

    @property
    def size(self) -> int:
        """The size of the example's response body, in bytes."""
        return self.example.size


def rows(parsed: Iterable[ParsedExchange]) -> list[ParseRow]:
    """Return a row for each combination of endpoint, mode and parser, sorted by these."""
    counts: dict[tuple[str, str, str], Counter[ParseVerdict]] = {}
    for result in parsed:
        key = (result.endpoint, result.mode, result.parser)
        counts.setdefault(key, Counter())[result.verdict] += 1
    return [ParseRow(*key, counts[key]) for key in sorted(counts)]


def defects(parsed: Iterable[ParsedExchange]) -> list[Defect]:
    """Return a defect for all disagreements with the same `signature`, sorted by signature."""
    smallest: dict[Signature, Defect] = {}
    counts: Counter[Signature] = Counter()
    for result in parsed:
        shown = [Defect(result, difference) for difference in reversed(result.disagreements)]
        for signature, defect in {defect.signature: defect for defect in shown}.items():
            counts[signature] += 1
            known = smallest.setdefault(signature, defect)
            if (defect.size, result.source) < (known.size, known.example.source):
                smallest[signature] = defect
    return [replace(smallest[s], exchanges=counts[s]) for s in sorted(smallest)]
