"""One place of an answer: its evidence beside its documentation, and what follows from both.

A clause says that something never happened: a field was never missing, a value never null, a
string never outside a vocabulary. One bound tells how much every kind of clause can be relied on:
after n exchanges without it, the Wilson score interval (95 %) says that what held n times out of n
holds at least with probability n / (n + 3.84). From that follows how severe it is when it happens:

    at least 0.8   from 16 exchanges   an error
    at least 0.5   from 4 exchanges    a warning
    below          3 and fewer         a note

Exchanges are counted, never events: the thousand events of one stream are one observation. Most
fields are there always or by a rule of their own, so the real rate of false alarms is far below
what the bound alone allows; a test measures it on halves of real recordings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import comb

from harness.contracts import words
from harness.contracts.evidence import Counts, Node
from harness.contracts.sections import FACTOR, Documented, Section, documented
from harness.types import Severity
from harness.wire import escape
from harness.wire.text import count

EVERY = "*"
"""All families of models in the evidence, taken together."""

_Z = 1.96
_ERROR = 0.8
_WARNING = 0.5
_CHANCE = 0.05


def lower_bound(held: int) -> float:
    """Return the Wilson lower bound (95 %) of what held each of *held* times."""
    return held / (held + _Z**2)


def severity(held: int) -> Severity:
    """Return how severe it is that something happened that never did in *held* exchanges."""
    bound = lower_bound(held)
    if bound >= _ERROR:
        return Severity.ERROR
    return Severity.WARNING if bound >= _WARNING else Severity.INFO


def one_step_less(level: Severity) -> Severity:
    """Return a warning for an error, else a note."""
    return Severity.WARNING if level is Severity.ERROR else Severity.INFO


def against(counts: Counts, state: str, family: str) -> int:
    """Return how many exchanges speak against a state; 0 where it was seen and so is allowed.

    A state that some families of models show and others never do is held against the others only
    where chance does not explain it. For a family without evidence, each family with evidence is
    one witness: its exchanges have in common what another family may not have.
    """
    having = frozenset(name for name, states in counts.items() if states.get(state))
    if family not in counts and family != EVERY:
        return 0 if having else len(counts)
    if having and (family in having or family == EVERY or not _differ(counts, state, having)):
        return 0
    return sum(s.get("present", 0) for name, s in counts.items() if name not in having)


def witnesses(counts: Counts, state: str, family: str) -> int:
    """Return how many exchanges showed a state; for an unknown family, how many families."""
    if family in counts or family == EVERY:
        return sum(states.get(state, 0) for states in counts.values())
    return sum(1 for states in counts.values() if states.get(state))


def _differ(counts: Counts, state: str, having: frozenset[str]) -> bool:
    """Return whether families really differ: Fisher's exact test, corrected for their choice.

    The probability that all exchanges with the state fall into these families by chance, times the
    number of ways to choose as many families.
    """
    of = "of" if state == "absent" else "present"
    total = sum(states.get(of, 0) for states in counts.values())
    theirs = sum(counts[name].get(of, 0) for name in having)
    seen = sum(counts[name].get(state, 0) for name in having)
    chance = comb(theirs, seen) / comb(total, seen) if total >= seen else 1.0
    return chance * comb(len(counts), len(having)) <= _CHANCE


UNDOCUMENTED = Documented()


@dataclass(frozen=True, slots=True)
class Support:
    """How many witnesses speak against something, and how severe it therefore is."""

    witnesses: int
    severity: Severity
    noun: str = "exchange"

    def __bool__(self) -> bool:
        return self.witnesses > 0

    def __str__(self) -> str:
        return f"in {count(self.witnesses, self.noun)}"

    @property
    def is_promise(self) -> bool:
        """Whether that is enough to rely on."""
        return self.witnesses > 0 and self.severity is not Severity.INFO


@dataclass(frozen=True)
class Spot:
    """The evidence for one place, and its documentation; what follows is computed once."""

    node: Node
    documented: Documented = UNDOCUMENTED
    _known: dict[tuple[str, str], Support] = field(default_factory=dict, compare=False, repr=False)

    def against(self, state: str, family: str) -> Support:
        """Return what speaks against a state, which is a JSON type or `absent`."""
        key = (state, family)
        if key not in self._known:
            self._known[key] = self._against(state, family)
        return self._known[key]

    def _against(self, state: str, family: str) -> Support:
        if state == "integer" and "number" in self.node.types:
            return Support(0, Severity.INFO)
        held = against(self.node.counts, state, family)
        level = severity(held // FACTOR if self.documented.allows(state) else held)
        return Support(held, level, self._noun(family))

    def _noun(self, family: str) -> str:
        known = family == EVERY or family in self.node.counts
        return "exchange" if known else "other family of model"

    def types(self, family: str) -> tuple[str, ...]:
        """Return the types that nothing speaks against."""
        return tuple(name for name in self.node.types if not self.against(name, family))

    @cached_property
    def fields(self) -> Mapping[str, Spot]:
        """An object's fields, sorted by key."""
        members = sorted(self.node.members.items())
        return {key: Spot(child, self.documented.field(key)) for key, child in members}

    @cached_property
    def items(self) -> Spot | None:
        """The spot of all items of an array."""
        return Spot(self.node.items, self.documented.items()) if self.node.items else None

    @cached_property
    def values(self) -> Spot | None:
        """The spot of all values of a map."""
        return Spot(self.node.values) if self.node.values else None

    @cached_property
    def formats(self) -> Mapping[str, str]:
        """The formats that all values had, where that is a promise, and the type of each."""
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
        return Support(held, severity(held)).is_promise

    def form(self, state: str, family: str) -> Support:
        """Return what speaks against another word or format; one step less, as readers cope."""
        held = witnesses(self.node.counts, state, family)
        return Support(held, one_step_less(severity(held)), self._noun(family))


def spot(section: Section, node: Node) -> Spot:
    """Return a section's evidence beside its documentation."""
    return Spot(node, documented(section))


def each(top: Spot, path: str = "") -> Iterator[tuple[str, Spot]]:
    """Yield (path, spot), parents first; array items share the step `[]`, a map's values `*`."""
    yield path, top
    for key, child in top.fields.items():
        yield from each(child, f"{path}/{escape(key)}")
    if top.values:
        yield from each(top.values, f"{path}/*")
    if top.items:
        yield from each(top.items, f"{path}/[]")
