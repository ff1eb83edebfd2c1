"""One place of an answer: what was seen there beside what is documented of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from harness.contracts import words
from harness.contracts.documented import FACTOR, Documented, documented
from harness.contracts.evidence import Node
from harness.contracts.sections import Section
from harness.contracts.support import EVERY, against, lighter, severity, witnesses
from harness.types import Severity
from harness.wire import escape
from harness.wire.text import count

UNHEARD_OF = Documented()


@dataclass(frozen=True, slots=True)
class Held:
    """So many witnesses speak against something; 0 where nothing does."""

    witnesses: int
    severity: Severity
    kind: str = "exchange"

    def __bool__(self) -> bool:
        return self.witnesses > 0

    def __str__(self) -> str:
        return f"in {count(self.witnesses, self.kind)}"

    @property
    def is_promise(self) -> bool:
        """Whether that is enough to count on."""
        return self.witnesses > 0 and self.severity is not Severity.INFO


@dataclass(frozen=True)
class Spot:
    """The evidence for one place, and its documentation. What follows is worked out once."""

    node: Node
    told: Documented = UNHEARD_OF
    _known: dict[tuple[str, str], Held] = field(default_factory=dict, compare=False, repr=False)

    def against(self, state: str, family: str) -> Held:
        """What speaks against a state, which is a JSON type or `absent`."""
        key = (state, family)
        if key not in self._known:
            self._known[key] = self._against(state, family)
        return self._known[key]

    def _against(self, state: str, family: str) -> Held:
        if state == "integer" and "number" in self.node.types:
            return Held(0, Severity.INFO)
        held = against(self.node.counts, state, family)
        weight = severity(held // FACTOR if self.told.allows(state) else held)
        return Held(held, weight, self._witness(family))

    def _witness(self, family: str) -> str:
        met = family == EVERY or family in self.node.counts
        return "exchange" if met else "other family of model"

    def types(self, family: str) -> tuple[str, ...]:
        """The types that nothing speaks against."""
        return tuple(kind for kind in self.node.types if not self.against(kind, family))

    @cached_property
    def fields(self) -> Mapping[str, Spot]:
        """An object's fields, sorted."""
        members = sorted(self.node.members.items())
        return {key: Spot(child, self.told.field(key)) for key, child in members}

    @cached_property
    def items(self) -> Spot | None:
        """What is known of an array's items."""
        return Spot(self.node.items, self.told.items()) if self.node.items else None

    @cached_property
    def values(self) -> Spot | None:
        """What is known of a map's values."""
        return Spot(self.node.values) if self.node.values else None

    @cached_property
    def formats(self) -> Mapping[str, str]:
        """The formats that all values had, where that is a promise, and of which type they are."""
        states = {f: "integer" if f == words.EPOCH else "string" for f in sorted(self.node.formats)}
        return {name: state for name, state in states.items() if self._promised(state)}

    @cached_property
    def vocabulary(self) -> Mapping[str, int]:
        """The words that a string may be; empty where they are not known in full."""
        if not self._promised("string") or not words.is_known_in_full(self.node.words):
            return {}
        return self.node.words or {}

    def _promised(self, state: str) -> bool:
        held = self.node.total(state)
        return Held(held, severity(held)).is_promise

    def form(self, state: str, family: str) -> Held:
        """What speaks against another word or format; readers cope, so it weighs a step less."""
        held = witnesses(self.node.counts, state, family)
        return Held(held, lighter(severity(held)), self._witness(family))


def spot(section: Section, node: Node) -> Spot:
    """A section's evidence beside its documentation."""
    return Spot(node, documented(section))


def each(top: Spot, path: str = "") -> Iterator[tuple[str, Spot]]:
    """Every (path, place), parents first; array items share the path `[]`, a map's values `*`."""
    yield path, top
    for key, child in top.fields.items():
        yield from each(child, f"{path}/{escape(key)}")
    if top.values:
        yield from each(top.values, f"{path}/*")
    if top.items:
        yield from each(top.items, f"{path}/[]")
