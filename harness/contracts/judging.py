"""Recordings judged by a contract: what was promised and is not so any more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from harness.analysis.endpoint import Part
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.transcript import AnalyzedTranscript
from harness.contracts import words
from harness.contracts.clause import Held, Spot, spot
from harness.contracts.contract import Contract
from harness.contracts.documented import FACTOR
from harness.contracts.evidence import DEEPEST, Node, kind
from harness.contracts.sections import Section, sections, witness
from harness.contracts.support import lighter, severity
from harness.rules.rule import checked_endpoint, pointer_to, show
from harness.types import Finding, LooseJson, Severity
from harness.wire import escape
from harness.wire.text import count


@dataclass(frozen=True, slots=True)
class Breach:
    """One clause that one value does not keep; `held` says what supports the clause."""

    rule: str
    pointer: str
    path: str
    expected: str
    actual: str
    node: Node
    held: Held

    @property
    def message(self) -> str:
        """What was expected, what was found, and which exchanges say so."""
        cited = ", ".join(map(str, self.node.cites))
        told = f"expected {self.expected}, actual {self.actual}"
        return f"{told}; so it was {self.held}, such as {cited}"


@dataclass(frozen=True, slots=True)
class _Walk:
    """Holds values to evidence, for one family of models."""

    family: str

    def value(self, spot: Spot, value: LooseJson, pointer: str, path: str) -> Iterator[Breach]:
        """Every clause that a value or anything in it does not keep."""
        held = spot.against(kind(value), self.family)
        if held:
            rule = "contract_newly_null" if value is None else "contract_retyped"
            kinds = " or ".join(spot.types(self.family)) or "another type"
            found = "null" if value is None else f"{kind(value)} {show(value)}"
            yield Breach(rule, pointer, path, kinds, found, spot.node, held)
            return
        yield from self._form(spot, value, pointer, path)
        if path.count("/") >= DEEPEST:
            return
        if isinstance(value, dict):
            yield from self._object(spot, value, pointer, path)
        elif isinstance(value, list) and spot.items:
            for number, item in enumerate(value):
                yield from self.value(spot.items, item, f"{pointer}/{number}", f"{path}/[]")

    def _form(self, spot: Spot, value: LooseJson, pointer: str, path: str) -> Iterator[Breach]:
        if spot.vocabulary and isinstance(value, str) and value not in spot.vocabulary:
            told = f"one of {', '.join(map(show, sorted(spot.vocabulary)))}"
            held = spot.form("string", self.family)
            yield Breach("contract_new_value", pointer, path, told, show(value), spot.node, held)
        for name, state in spot.formats.items():
            if not _has_format(name, value):
                told, held = f"the format {name}", spot.form(state, self.family)
                odd = "contract_out_of_format", pointer, path
                yield Breach(*odd, told, show(value), spot.node, held)

    def _object(
        self, spot: Spot, value: dict[str, LooseJson], pointer: str, path: str
    ) -> Iterator[Breach]:
        for key, child in spot.fields.items():
            held = child.against("absent", self.family)
            if held and key not in value:
                told, here = f"a field {key!r}", f"/{escape(key)}"
                gone = "contract_removed", pointer + here, path + here
                yield Breach(*gone, told, "none", child.node, held)
        for key, item in value.items():
            below = spot.fields.get(key) or spot.values
            here, there = f"{pointer}/{escape(key)}", f"{path}/{escape(key)}"
            if below:
                yield from self.value(below, item, here, there)
            else:
                told, found = "only fields seen before", f"a field {key!r} ({kind(item)})"
                held = Held(spot.node.total("object"), Severity.INFO)
                yield Breach("contract_new_field", here, there, told, found, spot.node, held)


def _has_format(name: str, value: LooseJson) -> bool:
    if isinstance(value, str) and name in words.TEXT_FORMATS:
        return words.TEXT_FORMATS[name].fullmatch(value) is not None
    if name == words.EPOCH and kind(value) == "integer":
        return bool(words.integer_formats([int(value)]))
    return True


def breaches(spot: Spot, value: LooseJson, family: str) -> list[Breach]:
    """Every clause of one section that a value does not keep."""
    return list(_Walk(family).value(spot, value, "", ""))


# ------------------------------------------------------------------------------ whole recordings


@dataclass(frozen=True)
class Judge:
    """Holds recordings to a contract."""

    contract: Contract

    @cached_property
    def _spots(self) -> Mapping[Section, Spot]:
        return {section: spot(section, node) for section, node in self.contract.sections.items()}

    def check(self, read: AnalyzedTranscript) -> tuple[Finding, ...]:
        """Every clause that a recording does not keep.

        What many events of one stream have in common is told once, at the first of them.
        """
        about = read.transcript
        return tuple(
            replace(f, scenario=about.scenario, target=about.target, source=about.source)
            for turn in read.turns
            for reading in turn.readings
            for f in self.judge(reading, witness(read, turn, reading).family)
        )

    def judge(self, reading: AnalyzedExchange, family: str) -> Iterator[Finding]:
        """The same for one exchange with a model of this family."""
        if not checked_endpoint(reading) or not reading.parts:
            yield from _silent(reading)
            return
        first: dict[tuple[str, str], Finding] = {}
        times: Counter[tuple[str, str]] = Counter()
        for section, part in sections(reading):
            for key, finding in self._part(reading, section, part, family):
                first.setdefault(key, finding)
                times[key] += 1
        for key, finding in first.items():
            again = f" (and in {count(times[key] - 1, 'place')} more)" if times[key] > 1 else ""
            yield replace(finding, message=finding.message + again)

    def _part(
        self, reading: AnalyzedExchange, section: Section, part: Part, family: str
    ) -> Iterator[tuple[tuple[str, str], Finding]]:
        clauses = self._clauses(section)
        if not clauses:
            name, message = "contract_uncovered", f"the contract says nothing of {section}"
            place = reading.place(part=part)
            yield (name, str(section)), Finding(message, place, name, Severity.INFO)
        elif section not in self._spots:
            yield from self._new_state(reading, section, part)
        tried = (breaches(clause, part.value, family) for clause in clauses)
        for breach in min(tried, key=_weight, default=[]):
            place = reading.place(breach.pointer, part)
            finding = Finding(breach.message, place, breach.rule, breach.held.severity)
            yield (breach.rule, breach.path), finding

    def _clauses(self, section: Section) -> list[Spot]:
        """The section's clauses; those of its other cases, where this one was never seen."""
        if section in self._spots:
            return [self._spots[section]]
        return [self._spots[other] for other in sorted(self._spots) if _alike(other, section)]

    def _new_state(
        self, reading: AnalyzedExchange, section: Section, part: Part
    ) -> Iterator[tuple[tuple[str, str], Finding]]:
        """A task's state is a word like any other, though each has clauses of its own."""
        known = reading.endpoint
        pointer = pointer_to(part, known.fields.state) if known else ""
        if known is None or not pointer or reading.is_stream:
            return
        alike = {s: self._spots[s].node for s in sorted(self._spots) if _alike(s, section)}
        held = sum(node.total("of") for node in alike.values())
        weight = lighter(severity(held // FACTOR if section.case in known.states else held))
        listed = ", ".join(show(other.case) for other in alike)
        cited = ", ".join(str(cite) for node in alike.values() for cite in node.cites[:1])
        message = f"expected one of {listed}, actual {show(section.case)}"
        message += f"; so it was in {count(held, 'exchange')}, such as {cited}"
        rule = "contract_new_value"
        yield (rule, pointer), Finding(message, reading.place(pointer, part), rule, weight)


def _silent(reading: AnalyzedExchange) -> Iterator[Finding]:
    """An exchange that a contract cannot be held against must not pass for one that keeps it."""
    request = reading.exchange.request
    if reading.endpoint is None:
        message = f"{request.method} to an endpoint that is not known: no contract speaks of it"
        yield Finding(message, reading.place(), "contract_uncovered", Severity.INFO)
    elif checked_endpoint(reading):
        message = "the answer holds no JSON that could be held to the contract"
        yield Finding(message, reading.place(), "contract_uncovered", Severity.WARNING)


def _alike(one: Section, other: Section) -> bool:
    return (one.endpoint, one.form) == (other.endpoint, other.form)


def _weight(found: Iterable[Breach]) -> tuple[int, ...]:
    told = [breach.held.severity for breach in found]
    return tuple(told.count(weight) for weight in Severity)
