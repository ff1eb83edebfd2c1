"""Which fields the requests and answers of each provider have, over all scenarios.

Columns are ways of asking: a provider's messages, its prompt, its pictures. Only what asks for the
same kind of thing stands in one table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.compare.portrait import PARTS, portrait
from harness.reading import Read, ReadTurn
from harness.types import Kind
from harness.wire import shape, walk

MAX_FIELDS = 500
"""So many fields of one table are listed."""

Shape = dict[str, set[str]]


@dataclass(frozen=True, slots=True, order=True)
class Form:
    """A way of asking: in which form (`messages`, `prompt`, `image`), and of whom."""

    image: bool
    provider: str
    asked: str

    def __str__(self) -> str:
        return f"{self.provider} · {self.asked}"

    @property
    def topic(self) -> str:
        """What it asks for: `image` or `text`."""
        return "image" if self.image else "text"


@dataclass(frozen=True, slots=True)
class Field:
    """A path and its types with each form; an empty text where a form has it never."""

    path: str
    types: tuple[str, ...]

    @property
    def differs(self) -> bool:
        """Whether the forms do not all have the same types there."""
        return len(set(self.types)) > 1


@dataclass(frozen=True, slots=True)
class Fields:
    """All fields of one kind of part, for one topic."""

    topic: str
    part: str
    forms: tuple[Form, ...]
    fields: tuple[Field, ...]

    @property
    def differing(self) -> int:
        """How many fields differ."""
        return sum(field.differs for field in self.fields)


def fields(reads: Sequence[Read]) -> tuple[Fields, ...]:
    """A table for each topic and kind of part that at least two forms have."""
    found: dict[tuple[str, str], dict[Form, Shape]] = {}
    for read in reads:
        for turn in read.turns:
            asked = form(read, turn)
            for part, path, types in _paths(turn):
                by_form = found.setdefault((asked.topic, part), {})
                by_form.setdefault(asked, {}).setdefault(path, set()).update(types)
    order = [(topic, part) for topic in ("text", "image") for part in (*PARTS, "request")]
    return tuple(_table(*key, found[key]) for key in order if len(found.get(key, ())) > 1)


def _paths(turn: ReadTurn) -> Iterator[tuple[str, str, set[str]]]:
    for part, paths in portrait(turn).shapes.items():
        yield from ((part, path, set(types.split("|"))) for path, types in paths.items())
    asked = turn.readings[0].asked if turn.readings else None
    if asked is not None and not asked.problem:
        yield from (("request", path, set(types)) for path, types in shape(asked.value).items())


def form(read: Read, turn: ReadTurn) -> Form:
    """How a turn was asked, and of whom."""
    known = next((r.endpoint for r in turn.readings if r.endpoint), None)
    provider = known.dialect if known else read.transcript.target.partition("/")[0]
    asked = _asked(turn)
    return Form(asked == Kind.IMAGE, provider or "?", asked)


def _asked(turn: ReadTurn) -> str:
    call = turn.turn.call
    if call is not None:
        return "messages" if call.kind is Kind.CHAT else call.kind.value
    first = turn.readings[0].asked if turn.readings else None
    paths = [pointer for pointer, _ in walk(first.value)] if first and not first.problem else []
    if any(path.endswith("/messages") for path in paths):
        return "messages"
    return "prompt" if any(path.endswith("/prompt") for path in paths) else "other"


def _table(topic: str, part: str, found: dict[Form, Shape]) -> Fields:
    forms = tuple(sorted(found))
    paths = sorted({path for known in found.values() for path in known})[:MAX_FIELDS]
    rows = (Field(p, tuple("|".join(sorted(found[f].get(p, ()))) for f in forms)) for p in paths)
    return Fields(topic, part, forms, tuple(rows))
