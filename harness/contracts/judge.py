"""Checks of recordings against a contract: the clauses that their answers violate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType

from harness.analysis.difference import ChangeKind
from harness.analysis.endpoint import Part, Pointers
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.reply import pointer_to
from harness.analysis.transcript import AnalyzedTranscript
from harness.contracts import words
from harness.contracts.clause import ClauseTree, Support, clause_trees, one_step_less, severity
from harness.contracts.contract import Contract
from harness.contracts.evidence import DEEPEST, Node, schema_type
from harness.contracts.sections import Section, exchange_context, sections
from harness.locale import mark
from harness.rules.rule import show
from harness.types import Finding, Json, Severity
from harness.wire import escape, resolve
from harness.wire.text import count

_CLAUSES = {
    ChangeKind.REMOVED: mark("A field that was always there is there."),
    ChangeKind.NEWLY_NULL: mark("What was never null is not null."),
    ChangeKind.RETYPED: mark("A value has one of the types it was seen with."),
    ChangeKind.NEW_VALUE: mark("A word is one of the vocabulary that was seen."),
    ChangeKind.OUT_OF_FORMAT: mark("A value has the format that all before it had."),
    ChangeKind.ADDED: mark("Every field was seen before. An addition breaks no reader."),
}

RULES: Mapping[ChangeKind, str] = MappingProxyType(
    {kind: f"contract_{kind.replace(' ', '_')}" for kind in _CLAUSES}
    | {ChangeKind.ADDED: "contract_new_field"}
)
"""The rule that is violated by each kind of change."""

FACTOR = 6
"""A documented state of a task is a finding only after this many times as many exchanges.

It may be in no recording only because no task was of the kind that has it.
"""

UNCOVERED = "contract_uncovered"
"""The rule that is violated by an answer without a section in the contract."""

CLAUSES: Mapping[str, str] = MappingProxyType(
    {RULES[kind]: text for kind, text in _CLAUSES.items()}
    | {UNCOVERED: mark("The contract says something of every answer.")}
)
"""The text of each rule in reports: what it requires."""


@dataclass(frozen=True, slots=True)
class Breach:
    """A clause that a value violates.

    Attributes:
        kind: How the value differs from those in earlier recordings, such as `removed`.
        pointer: The JSON pointer to the value in the answer, or to the missing field.
        path: The pointer with `[]` in place of each array index.
        expected: The values that the clause allows, as a phrase.
        actual: The actual value, as a phrase.
        node: The evidence for the clause.
        support: The number of exchanges that comply with the clause, and the severity of violating
            it.
    """

    kind: ChangeKind
    pointer: str
    path: str
    expected: str
    actual: str
    node: Node
    support: Support

    @property
    def message(self) -> str:
        """The expected and the actual value, and the exchanges that support the clause, as text."""
        cited = ", ".join(map(str, self.node.cites))
        values = f"expected {self.expected}, actual {self.actual}"
        return f"{values}; so it was {self.support}, such as {cited}"


@dataclass(frozen=True, slots=True)
class _Walk:
    """A check of a value against the clauses for one family of models."""

    family: str

    def value(self, tree: ClauseTree, value: Json, pointer: str, path: str) -> Iterator[Breach]:
        """Yield a breach for every clause that *value*, or a value within it, violates."""
        support = tree.against(schema_type(value), self.family)
        if support:
            kind = ChangeKind.NEWLY_NULL if value is None else ChangeKind.RETYPED
            types = " or ".join(tree.types(self.family)) or "another type"
            actual = "null" if value is None else f"{schema_type(value)} {show(value)}"
            yield Breach(kind, pointer, path, types, actual, tree.node, support)
            return
        yield from self._form(tree, value, pointer, path)
        if path.count("/") >= DEEPEST:
            return
        if isinstance(value, dict):
            yield from self._object(tree, value, pointer, path)
        elif isinstance(value, list) and tree.items:
            for number, item in enumerate(value):
                yield from self.value(tree.items, item, f"{pointer}/{number}", f"{path}/[]")

    def _form(self, tree: ClauseTree, value: Json, pointer: str, path: str) -> Iterator[Breach]:
        if tree.vocabulary and isinstance(value, str) and value not in tree.vocabulary:
            expected = f"one of {', '.join(map(show, sorted(tree.vocabulary)))}"
            support, kind = tree.form("string", self.family), ChangeKind.NEW_VALUE
            yield Breach(kind, pointer, path, expected, show(value), tree.node, support)
        for name, state in tree.formats.items():
            if not _has_format(name, value):
                expected, kind = f"the format {name}", ChangeKind.OUT_OF_FORMAT
                support = tree.form(state, self.family)
                yield Breach(kind, pointer, path, expected, show(value), tree.node, support)

    def _object(
        self, tree: ClauseTree, value: dict[str, Json], pointer: str, path: str
    ) -> Iterator[Breach]:
        for key, child in tree.fields.items():
            support = child.against("absent", self.family)
            if support and key not in value:
                step, expected = f"/{escape(key)}", f"a field {key!r}"
                place = pointer + step, path + step
                yield Breach(ChangeKind.REMOVED, *place, expected, "none", child.node, support)
        for key, item in value.items():
            child_tree = tree.fields.get(key) or tree.values
            place = f"{pointer}/{escape(key)}", f"{path}/{escape(key)}"
            if child_tree:
                yield from self.value(child_tree, item, *place)
            else:
                expected, actual = "only fields seen before", f"a field {key!r}"
                actual += f" ({schema_type(item)})"
                support = Support(tree.node.total("object"), Severity.INFO)
                yield Breach(ChangeKind.ADDED, *place, expected, actual, tree.node, support)


def _has_format(name: str, value: Json) -> bool:
    if isinstance(value, str) and name in words.TEXT_FORMATS:
        return words.TEXT_FORMATS[name].fullmatch(value) is not None
    if name == words.EPOCH and isinstance(value, int | float) and schema_type(value) == "integer":
        return bool(words.integer_formats([int(value)]))
    return True


def breaches(tree: ClauseTree, value: Json, family: str) -> list[Breach]:
    """Return a breach for every clause that *value*, or a value in it, violates.

    Args:
        tree: The clauses for an answer and the values in it, as `clause.clause_tree` returns them.
        value: The answer, as decoded JSON.
        family: The family of the model that answered.
    """
    return list(_Walk(family).value(tree, value, "", ""))


# ------------------------------------------------------------------------------ whole recordings

_Key = tuple[str, str]
"""The name of a rule, and the path or the section where it is violated."""


@dataclass(frozen=True)
class Judge:
    """A checker of recordings against one contract."""

    contract: Contract

    @cached_property
    def _trees(self) -> Mapping[Section, ClauseTree]:
        return clause_trees(self.contract)

    def check(self, transcript: AnalyzedTranscript) -> tuple[Finding, ...]:
        """Return a finding for every clause that a recording violates.

        A clause that several events of one stream violate is reported once, at the first of them.
        """
        about = transcript.transcript
        return tuple(
            replace(f, scenario=about.scenario, target=about.target, source=about.source)
            for turn in transcript.distinct.turns
            for exchange in turn.readings
            for f in self.judge(exchange, exchange_context(transcript, turn, exchange).family)
        )

    def judge(self, exchange: AnalyzedExchange, family: str) -> Iterator[Finding]:
        """Yield a finding for every clause that *exchange*, with a model of *family*, violates.

        Findings have no scenario, target and source yet; `check` adds them.
        """
        if not exchange.checked_endpoint or not exchange.parts:
            yield from _not_judged(exchange)
            return
        first: dict[_Key, Finding] = {}
        times: Counter[_Key] = Counter()
        for section, part in sections(exchange):
            for key, finding in self._part(exchange, section, part, family):
                first.setdefault(key, finding)
                times[key] += 1
        for key, finding in first.items():
            again = f" (and in {count(times[key] - 1, 'place')} more)" if times[key] > 1 else ""
            yield replace(finding, message=finding.message + again)

    def _part(
        self, exchange: AnalyzedExchange, section: Section, part: Part, family: str
    ) -> Iterator[tuple[_Key, Finding]]:
        trees = self._alternatives(section)
        if not trees:
            message = f"the contract does not cover {section}"
            place = exchange.place(part=part)
            yield (UNCOVERED, str(section)), Finding(message, place, UNCOVERED, Severity.INFO)
        elif section not in self._trees:
            yield from self._new_state(exchange, section, part)
        attempts = (breaches(each, part.value, family) for each in trees)
        for breach in min(attempts, key=_weight, default=[]):
            if _is_documented(breach, exchange, part):
                continue
            place, rule = exchange.place(breach.pointer, part), RULES[breach.kind]
            finding = Finding(breach.message, place, rule, breach.support.severity)
            yield (rule, breach.path), finding

    def _alternatives(self, section: Section) -> list[ClauseTree]:
        """Return the tree of *section*; if it was never seen, the trees of its other cases.

        The list is empty if the contract has none of them.
        """
        if section in self._trees:
            return [self._trees[section]]
        return [self._trees[other] for other in self._trees if _is_alike(other, section)]

    def _new_state(
        self, exchange: AnalyzedExchange, section: Section, part: Part
    ) -> Iterator[tuple[_Key, Finding]]:
        """Yield a finding for a task's state that was never seen.

        Each state has a section of its own, so an unknown section means an unknown state.
        """
        endpoint = exchange.endpoint
        pointer = pointer_to(part, endpoint.fields.state) if endpoint else ""
        if endpoint is None or not pointer or exchange.is_stream:
            return
        alike = {s: self._trees[s].node for s in self._trees if _is_alike(s, section)}
        held = sum(node.total("of") for node in alike.values())
        documented = section.case in endpoint.states
        level = one_step_less(severity(held // FACTOR if documented else held))
        listed = ", ".join(show(other.case) for other in alike)
        cited = ", ".join(str(cite) for node in alike.values() for cite in node.cites[:1])
        message = f"expected one of {listed}, actual {show(section.case)}"
        message += f"; so it was in {count(held, 'exchange')}, such as {cited}"
        rule = RULES[ChangeKind.NEW_VALUE]
        yield (rule, pointer), Finding(message, exchange.place(pointer, part), rule, level)


def _is_documented(breach: Breach, exchange: AnalyzedExchange, part: Part) -> bool:
    """Return whether a breach is a word that the provider documents, though it was never seen."""
    endpoint = exchange.endpoint
    if endpoint is None or breach.kind is not ChangeKind.NEW_VALUE:
        return False
    fields, states = endpoint.fields, endpoint.states
    documented: tuple[tuple[Pointers, Collection[object]], ...] = (
        (fields.finish_reason, endpoint.finish_reasons),
        (fields.object, endpoint.objects),
        (fields.code, endpoint.statuses),
        (fields.state, states.running + states.succeeded + states.failed),
    )
    word, key = resolve(part.value, breach.pointer), breach.pointer.rpartition("/")[2]
    return any(
        word in vocabulary and key in {pointer.rpartition("/")[2] for pointer in pointers}
        for pointers, vocabulary in documented
    )


def _not_judged(exchange: AnalyzedExchange) -> Iterator[Finding]:
    """Yield a finding that says why an exchange cannot be checked.

    Without it, a report would look as if the exchange complied.
    """
    request = exchange.exchange.request
    if exchange.endpoint is None:
        message = f"{request.method} to an unknown endpoint: no contract covers it"
        yield Finding(message, exchange.place(), UNCOVERED, Severity.INFO)
    elif exchange.checked_endpoint and not exchange.is_binary:
        message = "the answer has no JSON that could be checked against the contract"
        yield Finding(message, exchange.place(), UNCOVERED, Severity.WARNING)


def _is_alike(one: Section, other: Section) -> bool:
    return (one.endpoint, one.form) == (other.endpoint, other.form)


def _weight(found: Iterable[Breach]) -> tuple[int, ...]:
    levels = [breach.support.severity for breach in found]
    return tuple(levels.count(level) for level in Severity)
