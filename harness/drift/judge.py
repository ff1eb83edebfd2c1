"""Comparison of an old and a new recording: each change, with what it means for clients.

The order of keys, the number of events in a stream and the polls of a running task are ignored. If
the finish reason differs, changes in tool calls and texts count as wording: the model chose to do
something else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.analysis.difference import ChangeKind, Verdict
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.shape import shape
from harness.analysis.transcript import AnalyzedTranscript
from harness.config.settings import RuleSelection
from harness.contracts.clause import ClauseTree, clause_trees
from harness.contracts.contract import Contract
from harness.contracts.files import load
from harness.contracts.judge import Judge
from harness.contracts.sections import REFUSAL, Section, as_path, documented
from harness.contracts.words import is_word
from harness.drift.samples import (
    FILE_SAMPLES,
    RecordedTurn,
    Sample,
    SampleKey,
    is_within,
    merged,
    recorded_turn,
)
from harness.drift.types import Drift, DriftChange, most_severe_first
from harness.providers.rules import examine, project_rules
from harness.types import Failure, Finding, Severity
from harness.wire import resolve, tokens

Allowed = Callable[[Section, str, str, str], bool]
"""A function of (section, path, state, family of models) that returns whether a contract allows the
state: a JSON type, or `absent`."""

VERDICT_OF = {
    Severity.ERROR: Verdict.BREAKING,
    Severity.WARNING: Verdict.NEW_FIELD,
    Severity.INFO: Verdict.WORDING,
}
"""The verdict on a new violation of a rule, by its severity; an unknown word is a warning."""

_VERDICTS_BY_RULE = {"contract_new_field": Verdict.NEW_FIELD}


def find_drift(
    old: AnalyzedTranscript,
    new: AnalyzedTranscript,
    before: Iterable[Finding] = (),
    after: Iterable[Finding] = (),
    allowed: Allowed = lambda section, path, state, family: False,
    repeats: Sequence[AnalyzedTranscript] = (),
) -> Drift:
    """Return the changes from an old recording to a new one.

    Args:
        old: The old recording.
        new: The new recording.
        before: The findings (violated rules and clauses) in the old recording.
        after: The findings in the new recording; a finding that is not in *before* is a change.
        allowed: A function that returns whether a contract allows the new state of a field: a JSON
            type, or `absent`. It gets a section, path, state and family of models. Changes to
            allowed states have the verdict `WORDING`.
        repeats: Repeats of the old recording. Values that vary between *old* and its repeats are
            ignored.
    """
    recorded = (old, *repeats)
    changes: list[DriftChange] = []
    numbers = {turn.turn.number for transcript in (*recorded, new) for turn in transcript.turns}
    for number in sorted(numbers):
        changes += _turn(number, recorded, new, allowed)
    changes += _rules(before, after)
    return Drift(
        scenario=new.transcript.scenario,
        target=new.transcript.target,
        old=old.transcript.source,
        new=new.transcript.source,
        changes=most_severe_first(changes),
        notes=tuple(_notes(old, new)),
        recorded_at=(
            old.transcript.provenance.recorded_at,
            new.transcript.provenance.recorded_at,
        ),
    )


_MAX_PARAMETERS = 5


def _notes(old: AnalyzedTranscript, new: AnalyzedTranscript) -> Iterator[str]:
    left, right = old.transcript.provenance, new.transcript.provenance
    if left.recorded_from is not right.recorded_from:
        yield f"recorded from: {left.recorded_from} (old), {right.recorded_from} (new)"
    if left.script and right.script and left.script != right.script:
        yield "the scenario changed in between: the requests are not the same"
        return
    for before, after in zip(old.readings, new.readings, strict=False):
        differing = sorted(_parameters(before) ^ _parameters(after))
        if differing and before.endpoint is after.endpoint:
            listed = ", ".join(differing[:_MAX_PARAMETERS])
            yield f"the request of exchange {after.number} has other parameters: {listed}"


def _parameters(exchange: AnalyzedExchange) -> set[str]:
    """Return the paths of the parameters of a request, and its model; messages are left out."""
    endpoint, value = exchange.endpoint, exchange.request_json.value
    paths = map(as_path, endpoint.fields.messages) if endpoint else ()
    messages = [path.rpartition("/")[0] if path.endswith("[]") else path for path in paths]
    model = resolve(value, "/model")
    return {path for path in shape(value) if not is_within(path, messages)} | {f"model {model}"}


# ------------------------------------------------------------------------------ one turn


def _turn(
    number: int,
    recorded: Sequence[AnalyzedTranscript],
    new: AnalyzedTranscript,
    allowed: Allowed,
) -> Iterator[DriftChange]:
    before, after = recorded_turn(number, recorded), recorded_turn(number, [new])
    if before is None or after is None:
        if after is not None:
            yield _change(Verdict.NEW_FIELD, ChangeKind.ANSWER_ADDED, number, after="a turn")
        elif before is not None and len(before.turns) == len(recorded):
            yield _change(Verdict.BREAKING, ChangeKind.ANSWER_REMOVED, number, before="a turn")
        return
    yield from _forms(number, before, after)
    yield from _status(number, before, after)
    ending = _other_ending(before, after)
    (new_samples,) = after.samples
    for key in sorted(new_samples):
        if old_samples := before.of(key):
            yield from _FormPair(
                number, key, old_samples, new_samples[key], ending, allowed
            ).changes()


def _change(
    verdict: Verdict, kind: ChangeKind, turn: int | None, part: str = "", **details: Any
) -> DriftChange:
    texts = {"before": "", "after": "", **details}
    return DriftChange(verdict=verdict, kind=kind, turn=turn, part=part, **texts)


def _forms(number: int, before: RecordedTurn, after: RecordedTurn) -> Iterator[DriftChange]:
    """Yield a change for each form of answer that only one side has.

    The change counts as wording if both sides have the same forms apart from refusals: one side
    was refused and repeated the request. The states of a running task are not compared.
    """
    (forms,) = after.forms
    answers = [{key for key in side if key.form != REFUSAL} for side in (*before.forms, forms)]
    passed = bool(answers[-1]) and answers[-1] in answers[:-1]
    reason = "a refusal that passed" if passed else ""
    for key in sorted(before.forms_of_all - forms):
        verdict = Verdict.WORDING if passed else Verdict.BREAKING
        kind, part = ChangeKind.ANSWER_REMOVED, str(key)
        yield _change(verdict, kind, number, part, before="present", reason=reason)
    for key in sorted(forms - before.forms_of_any):
        verdict = Verdict.WORDING if passed else Verdict.NEW_FIELD
        kind, part = ChangeKind.ANSWER_ADDED, str(key)
        yield _change(verdict, kind, number, part, after="present", reason=reason)


def _status(number: int, before: RecordedTurn, after: RecordedTurn) -> Iterator[DriftChange]:
    """Yield a change if the new HTTP status is not in the old recordings.

    The change has the code and the message of a refusal.
    """
    (status,) = after.statuses
    ((_, turn),) = after.turns
    if status in before.statuses:
        return
    refusal = turn.outcome
    details = f", code {refusal.code}: {refusal.message}" if isinstance(refusal, Failure) else ""
    old, new = str(before.statuses[0]), f"{status}{details}"
    yield _change(Verdict.BREAKING, ChangeKind.STATUS, number, before=old, after=new)


def _other_ending(before: RecordedTurn, after: RecordedTurn) -> str:
    """Return how the finish reason or the error code changed, as a phrase; empty if unchanged."""
    for old, new, text in (
        (before.finish_reasons, after.finish_reasons, "the answer ended differently"),
        (before.codes, after.codes, "another refusal"),
    ):
        if old and new and new[0] not in old:
            return f"{text}: {old[0]} -> {new[0]}"
    return ""


# ------------------------------------------------------------------------------ one form


class _FormPair:
    """The old samples and the new sample of one form of answer, to be compared."""

    def __init__(
        self,
        turn: int,
        key: SampleKey,
        recorded: Sequence[Sample],
        new: Sample,
        ending: str,
        allowed: Allowed,
    ) -> None:
        self.turn, self.key, self.recorded, self.new = turn, key, recorded, new
        self.old = merged(recorded)
        self.ending, self.allowed = ending, allowed

    def changes(self) -> Iterator[DriftChange]:
        """Yield a change for each path at which the new sample differs from the old ones."""
        for path in self.old.paths:
            yield from self._kept(path) if self.new.at(path) else self._removed(path)
        for path in self.new.paths:
            if not self.old.at(path):
                yield from self._added(path)
        if not self.new.passing:
            yield from self._values()

    def _change(
        self, verdict: Verdict, kind: ChangeKind, path: str = "", **details: str
    ) -> DriftChange:
        types = {"before": _types(self.old.at(path)), "after": _types(self.new.at(path))}
        part = str(self.key)
        return _change(verdict, kind, self.turn, part, path=path, **{**types, **details})

    def _removed(self, path: str) -> Iterator[DriftChange]:
        holder = path.rpartition("/")[0]
        if path.endswith("/[]"):
            if "array" in self.new.at(holder):
                reason = "the array is empty now"
                yield self._change(Verdict.WORDING, ChangeKind.COUNT, path, reason=reason)
        elif "object" in self.new.at(holder) and not self._was_absent(path, holder):
            yield self._unless_excused(ChangeKind.REMOVED, path, "absent")

    def _was_absent(self, path: str, holder: str) -> bool:
        """Return whether an old recording has the object that contains *path*, but not *path*."""
        return any("object" in one.at(holder) and not one.at(path) for one in self.recorded)

    def _added(self, path: str) -> Iterator[DriftChange]:
        holder = path.rpartition("/")[0]
        if path.endswith("/[]"):
            if "array" in self.old.at(holder):
                reason = "the array was empty"
                yield self._change(Verdict.WORDING, ChangeKind.COUNT, path, reason=reason)
        elif "object" in self.old.at(holder):
            chosen = bool(self.ending) and is_within(path, self.new.moving)
            verdict = Verdict.WORDING if chosen else Verdict.NEW_FIELD
            reason = self.ending if chosen else ""
            yield self._change(verdict, ChangeKind.ADDED, path, reason=reason)

    def _kept(self, path: str) -> Iterator[DriftChange]:
        before, after = self.old.at(path), self.new.at(path)
        more = after - before
        if before == {"null"} and more:
            known = self._documents(path, more)
            verdict = Verdict.WORDING if known else Verdict.NEW_FIELD
            reason = "documented" if known else ""
            yield self._change(verdict, ChangeKind.NO_LONGER_NULL, path, reason=reason)
            return
        if "null" in more and not self._is_null_by_position(path):
            yield self._unless_excused(ChangeKind.NEWLY_NULL, path, "null")
        for name in sorted(more - {"null"} - ({"integer"} if "number" in before else set())):
            if name == "number" and "integer" in before and self._documents(path, {"number"}):
                continue
            if self.allowed(self.new.section, path, name, self.new.family):
                reason = "seen by the contract"
                yield self._change(Verdict.WORDING, ChangeKind.RETYPED, path, reason=reason)
            else:
                yield self._change(Verdict.BREAKING, ChangeKind.RETYPED, path)

    def _unless_excused(self, kind: ChangeKind, path: str, state: str) -> DriftChange:
        """Return the change of a path to *state*, which is `absent` or `null`.

        It is breaking, unless the model chose to answer otherwise or a contract allows the state:
        then it counts as wording.
        """
        if self.ending and is_within(path, self.old.moving):
            return self._change(Verdict.WORDING, kind, path, reason=self.ending)
        if self.allowed(self.new.section, path, state, self.new.family):
            return self._change(Verdict.WORDING, kind, path, reason="seen by the contract")
        return self._change(Verdict.BREAKING, kind, path)

    def _is_null_by_position(self, path: str) -> bool:
        """Return whether null was only seen at stream positions that the old stream lacks.

        The old stream may have one event, at the position `only`, and the new one a first and a
        last event. False if null is not documented.
        """
        cases = {case for case, types in self.new.types.items() if "null" in types.get(path, ())}
        return not cases & self.old.types.keys() and self._documents(path, {"null"})

    def _documents(self, path: str, types: Iterable[str]) -> bool:
        place = documented(self.new.section)
        for step in tokens(path):
            place = place.items() if step == "[]" else place.field(step)
        return all(place.allows(name) for name in types)

    def _values(self) -> Iterator[DriftChange]:
        counts = {sample.count for sample in self.recorded}
        if len(counts) == 1 and self.new.count not in counts:
            before, after = str(*counts), str(self.new.count)
            yield self._change(Verdict.WORDING, ChangeKind.COUNT, before=before, after=after)
        for path in sorted(self.old.values.keys() & self.new.values.keys()):
            recorded = [one.values[path] for one in self.recorded if path in one.values]
            if self.new.values[path] not in recorded:
                varies = any(values != recorded[0] for values in recorded)
                yield from self._value(path, varies)

    def _value(self, path: str, varies: bool) -> Iterator[DriftChange]:
        """Yield a change for the values at a path, which differ from all old ones.

        If *varies*, the old recordings have several values, and only a new word is a change.
        """
        before, after = self.old.words.get(path, set()), self.new.words.get(path, set())
        new = after - before
        if self.key.form == FILE_SAMPLES and path == "/media type":
            if self.new.values[path].keys() - self.old.values[path].keys():
                types = {
                    "before": ", ".join(sorted(self.old.values[path])),
                    "after": ", ".join(sorted(self.new.values[path])),
                }
                yield self._change(Verdict.BREAKING, ChangeKind.RETYPED, path, **types)
        elif new and before and all(map(is_word, before | after)):
            known = new <= self.new.documented_words
            verdict = Verdict.WORDING if known else Verdict.NEW_FIELD
            words = {"before": ", ".join(sorted(before)), "after": ", ".join(sorted(after))}
            reason = "documented" if known else ""
            yield self._change(verdict, ChangeKind.NEW_VALUE, path, **words, reason=reason)
        elif not varies:
            yield self._change(Verdict.WORDING, ChangeKind.VALUE, path)


def _types(names: Iterable[str]) -> str:
    return "|".join(sorted(names))


# --------------------------------------------------------------------------------- rules


def _rules(before: Iterable[Finding], after: Iterable[Finding]) -> Iterator[DriftChange]:
    """Yield a change for each violation in *after* that is not in *before*.

    Violations of one rule in the same turn and at the same path count as one.
    """
    known = {_violation(finding) for finding in before}
    for finding in after:
        violation = rule, turn, path = _violation(finding)
        if violation in known:
            continue
        known.add(violation)
        verdict = _VERDICTS_BY_RULE.get(rule, VERDICT_OF[finding.severity])
        details = {"path": path, "after": finding.message, "rule": rule}
        yield _change(verdict, ChangeKind.RULE, turn, **details)


def _violation(finding: Finding) -> tuple[str, int | None, str]:
    return finding.rule, finding.place.turn, as_path(finding.place.pointer)


# ------------------------------------------------------------------ what a contract allows


def allowed_by(contract: Contract) -> Allowed:
    """Return a function that says whether *contract* allows a state of a field, for `find_drift`.

    It takes a section, path, state (`absent` or a JSON type) and family of models. A field may be
    absent if the contract allows that in every section that has the field. A type is
    allowed if the contract allows it in any section. For a stream's event, the sections of events
    at all positions are looked up together.
    """
    trees = clause_trees(contract)

    def allowed(section: Section, path: str, state: str, family: str) -> bool:
        tops = [top for known, top in trees.items() if _is_alike(known, section)]
        places = [place for top in tops if (place := _place_at(top, path)) is not None]
        if state == "absent":
            return bool(places) and not any(place.against(state, family) for place in places)
        seen = (place for place in places if state in place.node.types)
        return any(not place.against(state, family) for place in seen)

    return allowed


def _is_alike(known: Section, section: Section) -> bool:
    """Return whether both are the same section, or events of one endpoint at any positions."""
    if section.form == "event":
        return (known.endpoint, known.form) == (section.endpoint, section.form)
    return known == section


def _place_at(top: ClauseTree, path: str) -> ClauseTree | None:
    place: ClauseTree | None = top
    for step in tokens(path):
        if place is None:
            return None
        place = place.items if step == "[]" else place.fields.get(step) or place.values
    return place


# -------------------------------------------------------------------------------------- criteria


@dataclass(frozen=True)
class Criteria:
    """The rules and the contract that recordings are checked against to find drift.

    Attributes:
        rules: The project's selection of rules.
        contract: The contract; None if there is none.
    """

    rules: RuleSelection
    contract: Contract | None = None

    def compare(
        self,
        old: AnalyzedTranscript,
        new: AnalyzedTranscript,
        repeats: Sequence[AnalyzedTranscript] = (),
    ) -> Drift:
        """Return the changes from the recording *old* to *new*.

        Values that vary between *old* and its *repeats* are ignored.
        """
        sides = [self._examined(one) for one in (old, new, *repeats)]
        (own, before), (fresh, after), *others = sides
        found = before + tuple(finding for _, findings in others for finding in findings)
        again = [read for read, _ in others]
        if self.contract is None:
            return find_drift(own, fresh, found, after, repeats=again)
        return find_drift(own, fresh, found, after, allowed_by(self.contract), again)

    @cached_property
    def _judge(self) -> Judge | None:
        return None if self.contract is None else Judge(self.contract)

    def _examined(
        self, transcript: AnalyzedTranscript
    ) -> tuple[AnalyzedTranscript, tuple[Finding, ...]]:
        """Return the transcript as the rules read it, so that its bodies are parsed once."""
        read, judged = examine(transcript.transcript, self.rules)
        more = self._judge.check(read) if self._judge else ()
        return read, (*judged.findings, *more)


def project_criteria(contract: Path | None) -> Criteria:
    """Return criteria with the current project's rules and the contract in the file *contract*.

    If *contract* is None, the criteria have no contract.

    Raises:
        BadSettings: The project's settings are invalid.
        BadContract: The contract is invalid.
        HarnessError: The contract does not exist.
    """
    return Criteria(project_rules(Path.cwd()), None if contract is None else load(contract))
