"""The clauses for one place of an answer, computed from evidence and documentation.

A clause says that something never happened: a field was never missing, a value never null, a
string never outside a vocabulary. A clause that held in all of n exchanges holds in general with a
probability of at least n / (n + 3.84), the lower bound of the Wilson score interval (95 %). The
severity of a violation follows from this bound:

    at least 0.8   16 exchanges or more   an error
    at least 0.5   4 to 15 exchanges      a warning
    below 0.5      up to 3 exchanges      a note

A clause is promised if its violation is an error or a warning.

Exchanges are counted and not events: the thousand events of one stream are one observation. The
real rate of false alarms is far below what the bound allows, as most fields are either always
present or follow a rule; a test measures it on halves of real recordings.

In the JSON Schema of a contract (draft 2020-12), fields are required, and formats and enumerations
listed, only if the clause is promised. Types are listed even if a single exchange had them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import comb
from typing import Any

from harness.contracts import words
from harness.contracts.contract import Contract
from harness.contracts.evidence import Counts, Node
from harness.contracts.sections import Documented, Section, documented
from harness.rules.rule import show
from harness.types import Severity
from harness.wire import escape
from harness.wire.text import count

EVERY = "*"
"""Stands for all families of models in the evidence together."""

_Z = 1.96
_ERROR = 0.8
_WARNING = 0.5
_CHANCE = 0.05


def lower_bound(held: int) -> float:
    """Return the least probability (with 95 % confidence) with which a clause holds in general.

    It held in all of *held* exchanges. The result, from 0 to 1, is the lower bound of the Wilson
    score interval.
    """
    return held / (held + _Z**2)


def severity(held: int) -> Severity:
    """Return the severity of violating a clause that held in all of *held* exchanges.

    It is an error from 16 exchanges on, a warning from 4 on, else a note.
    """
    bound = lower_bound(held)
    if bound >= _ERROR:
        return Severity.ERROR
    return Severity.WARNING if bound >= _WARNING else Severity.INFO


def one_step_less(level: Severity) -> Severity:
    """Return the severity below *level*: a warning if *level* is an error, else a note."""
    return Severity.WARNING if level is Severity.ERROR else Severity.INFO


def against(counts: Counts, state: str, family: str) -> int:
    """Return the number of exchanges that are evidence against a state; 0 if the state is allowed.

    A state that exchanges of *family* had is allowed. A state that only other families had is
    allowed, too, unless the families differ significantly. For a family without evidence, a state
    that any family had is allowed; against any other state, the number of families is returned
    instead, as the exchanges of one family are not independent evidence for another family.

    Args:
        counts: The number of exchanges at a place, by family of models and state.
        state: A JSON type, or `absent`.
        family: The family of models whose answers are checked; `*` for all families.
    """
    having = frozenset(name for name, states in counts.items() if states.get(state))
    if family not in counts and family != EVERY:
        return 0 if having else len(counts)
    if having and (family in having or family == EVERY or not _differ(counts, state, having)):
        return 0
    return sum(s.get("present", 0) for name, s in counts.items() if name not in having)


def witnesses(counts: Counts, state: str, family: str) -> int:
    """Return the number of exchanges that had *state*, of all families of models together.

    *counts* has the numbers of exchanges by family and state. If *family* is not in it, return the
    number of families with the state instead.
    """
    if family in counts or family == EVERY:
        return sum(states.get(state, 0) for states in counts.values())
    return sum(1 for states in counts.values() if states.get(state))


def _differ(counts: Counts, state: str, having: frozenset[str]) -> bool:
    """Return whether the families *having* a state differ significantly (5 %) from the others.

    By Fisher's exact test: the probability that all exchanges with the state belong to these
    families by chance, times the number of ways to choose as many families.
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
    """The amount of evidence for a clause, and the severity of violating it.

    As a condition, it is false without evidence.

    Attributes:
        witnesses: Number of exchanges, or of families of models, that comply with the clause.
        severity: The severity of a violation.
        noun: The name of one witness, such as `exchange`.
    """

    witnesses: int
    severity: Severity
    noun: str = "exchange"

    def __bool__(self) -> bool:
        return self.witnesses > 0

    def __str__(self) -> str:
        return f"in {count(self.witnesses, self.noun)}"

    @property
    def is_promise(self) -> bool:
        """Whether the clause is promised: its violation is an error or a warning."""
        return self.witnesses > 0 and self.severity is not Severity.INFO


@dataclass(frozen=True)
class ClauseTree:
    """The clauses for one place (a JSON path) of an answer, with a tree for each place below it.

    Attributes:
        node: The evidence from recordings.
        documented: The provider's documentation of the place.
    """

    node: Node
    documented: Documented = UNDOCUMENTED
    _known: dict[tuple[str, str], Support] = field(default_factory=dict, compare=False, repr=False)

    def against(self, state: str, family: str) -> Support:
        """Return how well recordings support that this place never has *state*.

        A state is a JSON type or `absent`; *family* is the family of models whose answers count.
        The `Support` has no witnesses, and is false as a condition, if the state is allowed.
        """
        key = (state, family)
        if key not in self._known:
            self._known[key] = self._against(state, family)
        return self._known[key]

    def _against(self, state: str, family: str) -> Support:
        if state == "integer" and "number" in self.node.types:
            return Support(0, Severity.INFO)
        held = against(self.node.counts, state, family)
        says_nothing = set(self.node.types) == {"null"}
        is_open = says_nothing or self.documented.allows(state)
        level = Severity.INFO if is_open else severity(held)
        return Support(held, level, self._noun(family))

    def _noun(self, family: str) -> str:
        known = family == EVERY or family in self.node.counts
        return "exchange" if known else "other family of model"

    def types(self, family: str) -> tuple[str, ...]:
        """Return the JSON types that are allowed for *family*, a family of models."""
        return tuple(name for name in self.node.types if not self.against(name, family))

    @cached_property
    def fields(self) -> Mapping[str, ClauseTree]:
        """The clauses for each field of an object, sorted by the field's key."""
        members = sorted(self.node.members.items())
        return {key: ClauseTree(child, self.documented.field(key)) for key, child in members}

    @cached_property
    def items(self) -> ClauseTree | None:
        """The clauses for every item of an array; None if no item was seen."""
        return ClauseTree(self.node.items, self.documented.items()) if self.node.items else None

    @cached_property
    def values(self) -> ClauseTree | None:
        """The clauses for every value of an object that is a map; None if it is not a map.

        The keys of a map are data, such as ids, and not names of fields.
        """
        return ClauseTree(self.node.values) if self.node.values else None

    @cached_property
    def formats(self) -> Mapping[str, str]:
        """The formats that values must have, each with its JSON type: `{"uuid": "string"}`."""
        states = {f: "integer" if f == words.EPOCH else "string" for f in sorted(self.node.formats)}
        return {name: state for name, state in states.items() if self._promised(state)}

    @cached_property
    def vocabulary(self) -> Mapping[str, int]:
        """The strings that are allowed here, each with the number of exchanges that had it.

        Empty if any string is allowed.
        """
        if not self._promised("string") or not words.is_known_in_full(self.node.words):
            return {}
        return self.node.words or {}

    def _promised(self, state: str) -> bool:
        held = self.node.total(state)
        return Support(held, severity(held)).is_promise

    def form(self, state: str, family: str) -> Support:
        """Return the evidence for a clause on the allowed strings or the format of values.

        It counts the exchanges that have a value of the JSON type *state* here, or the families of
        models that do if *family* (`*` for all) has no evidence. The severity is one step lower
        than for a clause on a type: most programs cope with a new word.
        """
        held = witnesses(self.node.counts, state, family)
        return Support(held, one_step_less(severity(held)), self._noun(family))


def clause_tree(section: Section, node: Node) -> ClauseTree:
    """Return the clauses for answers of *section*, computed from *node*, the evidence for them."""
    return ClauseTree(node, documented(section))


def clause_trees(contract: Contract) -> dict[Section, ClauseTree]:
    """Return the clauses of a contract for the answers of each section, sorted by section."""
    return {
        section: clause_tree(section, node) for section, node in sorted(contract.sections.items())
    }


def each(top: ClauseTree, path: str = "") -> Iterator[tuple[str, ClauseTree]]:
    """Yield (path, clauses) for the place of *top* and every place below it, parents first.

    *path* is the path of *top*. In a path, `[]` stands for the items of an array, `*` for the
    values of a map.
    """
    yield path, top
    for key, child in top.fields.items():
        yield from each(child, f"{path}/{escape(key)}")
    if top.values:
        yield from each(top.values, f"{path}/*")
    if top.items:
        yield from each(top.items, f"{path}/[]")


# -------------------------------------------------------------------------------------- JSON Schema


DRAFT = "https://json-schema.org/draft/2020-12/schema"


def schema(tree: ClauseTree, family: str = EVERY) -> dict[str, Any]:
    """Return the JSON Schema of *tree*, a place in answers and all places below it.

    It is the schema for *family*, a family of models; by default for all families.
    """
    return {**promise(tree, family), **_below(tree, family)}


def promise(tree: ClauseTree, family: str = EVERY) -> dict[str, Any]:
    """Return the JSON Schema of the top place of *tree*, without its fields and items.

    It is the schema for *family*, a family of models; by default for all families.
    """
    types = tree.types(family) or tree.node.types
    promised: dict[str, Any] = {}
    if types:
        promised["type"] = types[0] if len(types) == 1 else list(types)
    promised |= _format(tree) | _enumeration(tree)
    absences = {key: child.against("absent", family) for key, child in tree.fields.items()}
    required = [key for key, support in absences.items() if support.is_promise]
    return {**promised, "required": required} if required else promised


def _below(tree: ClauseTree, family: str) -> dict[str, Any]:
    children: dict[str, Any] = {}
    members = {key: schema(child, family) for key, child in tree.fields.items()}
    if members:
        children["properties"] = members
    if tree.values:
        children["additionalProperties"] = schema(tree.values, family)
    if tree.items:
        children["items"] = schema(tree.items, family)
    return children


def _format(tree: ClauseTree) -> dict[str, Any]:
    keywords: dict[str, Any] = {}
    for name in tree.formats:
        if name in words.STANDARD:
            keywords["format"] = name
        elif name in words.TEXT_FORMATS:
            keywords["pattern"] = f"^(?:{words.TEXT_FORMATS[name].pattern})$"
    return keywords


def _enumeration(tree: ClauseTree) -> dict[str, Any]:
    listed: list[str | None] = [*sorted(tree.vocabulary)]
    if not listed or set(tree.node.types) - {"string", "null"}:
        return {}
    return {"enum": listed + ([None] if "null" in tree.node.types else [])}


# ------------------------------------------------------------ differing families of models

Overlay = tuple[tuple[str, ...], dict[str, Any]]
"""Families of models, and the JSON Schema keywords that hold for them and not for all families."""


def overlays(tree: ClauseTree) -> list[Overlay]:
    """Return the JSON Schema keywords that hold for some families of models only.

    Each item is a pair (families, keywords); families with the same keywords share an item.
    """
    overlays: list[Overlay] = []
    common = schema(tree)
    for family in sorted(tree.node.counts):
        more = _more(common, schema(tree, family))
        same = next((i for i, (_, other) in enumerate(overlays) if other == more), None)
        if same is not None:
            overlays[same] = ((*overlays[same][0], family), more)
        elif more:
            overlays.append(((family,), more))
    return overlays


def _more(common: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of the schema *own* that the schema *common* lacks; empty if none."""
    more: dict[str, Any] = {}
    if own.get("type") != common.get("type"):
        more["type"] = own["type"]
    required = [key for key in own.get("required", ()) if key not in common.get("required", ())]
    if required:
        more["required"] = required
    members = own.get("properties", {})
    parts = {key: _more(common["properties"][key], child) for key, child in members.items()}
    if any(parts.values()):
        more["properties"] = {key: part for key, part in parts.items() if part}
    for name in ("additionalProperties", "items"):
        part = _more(common[name], own[name]) if name in own else {}
        if part:
            more[name] = part
    return more


# ---------------------------------------------------------- differences of two contracts

Clauses = Mapping[tuple[str, str], Any]
"""The value of each JSON Schema keyword, by path and keyword."""


def clauses(contract: Contract, section: Section) -> Clauses:
    """Return all clauses of a section by (path, keyword): `{("/id", "type"): "string"}`.

    A keyword is one of JSON Schema, or `known` for a field that was seen. If the clause holds for
    one family of models only, its name is added: `required for glm-4`.
    """
    top = clause_tree(section, contract.sections[section])
    promised = dict(_clauses(schema(top), "", ""))
    for names, more in overlays(top):
        for name in names:
            promised.update(_clauses(more, "", f" for {name}"))
    return promised


def _clauses(
    schema: Mapping[str, Any], path: str, family: str
) -> Iterator[tuple[tuple[str, str], Any]]:
    for keyword in ("type", "format", "pattern", "enum"):
        if keyword in schema:
            yield (path, keyword + family), schema[keyword]
    for key in schema.get("required", ()):
        yield (f"{path}/{key}", "required" + family), True
    for key, child in schema.get("properties", {}).items():
        if not family:
            yield (f"{path}/{key}", "known"), True
        yield from _clauses(child, f"{path}/{key}", family)
    for keyword, step in (("additionalProperties", "*"), ("items", "[]")):
        if keyword in schema:
            yield from _clauses(schema[keyword], f"{path}/{step}", family)


def changes(old: Contract, new: Contract) -> list[str]:
    """Return a line for every clause that *new* adds to *old* (+), drops (-) or changes (~).

    The list is empty if there is only more evidence for the same clauses.
    """
    lines: list[str] = []
    for section in sorted({**old.sections, **new.sections}):
        if section not in old.sections:
            exchanges = count(new.sections[section].total("of"), "exchange")
            lines.append(f"+ {section}: new, {exchanges}")
            continue
        before, after = clauses(old, section), clauses(new, section)
        lines += [f"{line} ({section})" for line in _changed(before, after)]
    return lines


def _changed(old: Clauses, new: Clauses) -> Iterator[str]:
    for path, keyword in sorted({**old, **new}):
        before, after = old.get((path, keyword)), new.get((path, keyword))
        where = path or "(the whole answer)"
        if before is None:
            yield f"+ {where}: {_clause(keyword, after)}"
        elif after is None:
            yield f"- {where}: no longer {_clause(keyword, before)}"
        elif before != after:
            yield f"~ {where}: {keyword} {show(before)} becomes {show(after)}"


def _clause(keyword: str, value: Any) -> str:
    return keyword if value is True else f"{keyword} {show(value)}"
