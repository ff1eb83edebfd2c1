"""Two recordings, and what changed from the old one to the new one.

Order of keys, number of events in a stream, and polls of a task that still runs are no drift. What
a model chose to do (calling a tool or answering in words) is no drift either, where it says so by
another finish reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from harness.contracts.documented import documented
from harness.contracts.sections import REFUSAL, Section
from harness.contracts.words import is_word
from harness.drift.nouns import Change, Drift, Kind, Verdict
from harness.drift.samples import FILE, Key, Sample, below, general, samples
from harness.reading import Read, Reading, ReadTurn, Role
from harness.types import Failure, Finding, Reply, Severity
from harness.wire import at, shape

Allowed = Callable[[Section, str, str, str], bool]
"""Whether a state (a type, or `absent`) was seen in a section at a path for a family of models."""

WEIGHTS = {
    Severity.ERROR: Verdict.BREAKING,
    Severity.WARNING: Verdict.NEW_FIELD,
    Severity.INFO: Verdict.WORDING,
}
"""What a broken rule weighs. A word nobody knows is a warning, and an addition."""

_NEVER_ODD = {"contract_new_field": Verdict.NEW_FIELD}


def nothing_is_known(section: Section, path: str, state: str, family: str) -> bool:
    """What is `Allowed` without a contract: nothing but what the old recording shows."""
    return False


def drift(
    old: Read,
    new: Read,
    before: Iterable[Finding] = (),
    after: Iterable[Finding] = (),
    allowed: Allowed = nothing_is_known,
) -> Drift:
    """What changed. `before` and `after` are what rules, and a contract, find in each of them."""
    ours = {turn.turn.number: turn for turn in old.turns}
    theirs = {turn.turn.number: turn for turn in new.turns}
    changes: list[Change] = []
    for number in sorted({*ours, *theirs}):
        changes += _turn(number, old, ours.get(number), new, theirs.get(number), allowed)
    changes += _rules(before, after)
    told = new.transcript
    return Drift(
        scenario=told.scenario,
        target=told.target,
        old=old.transcript.source,
        new=told.source,
        changes=tuple(sorted(changes, key=lambda c: -c.verdict.rank)),
        notes=tuple(_notes(old, new)),
    )


def _notes(old: Read, new: Read) -> Iterator[str]:
    ours, theirs = old.transcript.provenance, new.transcript.provenance
    if ours.recorded_from is not theirs.recorded_from:
        yield f"the old one is from: {ours.recorded_from}, the new one: {theirs.recorded_from}"
    if ours.script and theirs.script and ours.script != theirs.script:
        yield "the scenario changed in between: what was asked is not the same"
        return
    for left, right in zip(old.readings, new.readings, strict=False):
        parted = sorted(_asked(left) ^ _asked(right))
        if parted and left.endpoint is right.endpoint:
            yield f"exchange {right.number} asks otherwise: {', '.join(parted[:_NAMED])}"


_NAMED = 5


def _asked(reading: Reading) -> set[str]:
    """How a question is put, apart from the conversation: which parameters, and which model."""
    endpoint, value = reading.endpoint, reading.asked.value
    told = map(general, endpoint.fields.messages) if endpoint else ()
    held = [holder.rpartition("/")[0] if holder.endswith("[]") else holder for holder in told]
    model = at(value, "/model")
    return {path for path in shape(value) if not below(path, held)} | {f"model {model}"}


# ---------------------------------------------------------------------------------- one turn


def _turn(
    number: int,
    old: Read,
    ours: ReadTurn | None,
    new: Read,
    theirs: ReadTurn | None,
    allowed: Allowed,
) -> Iterator[Change]:
    if ours is None or theirs is None:
        gone = theirs is None
        verdict = Verdict.BREAKING if gone else Verdict.NEW_FIELD
        kind = Kind.NO_ANSWER if gone else Kind.OTHER_ANSWER
        sides = ("a turn", "") if gone else ("", "a turn")
        yield Change(verdict, kind, number, "", "", *sides)
        return
    left, right = samples(old, ours), samples(new, theirs)
    yield from _forms(number, left, right)
    yield from _status(number, ours, theirs)
    otherwise = _ended_otherwise(ours, theirs)
    for key in sorted(left.keys() & right.keys()):
        compared = _Compared(number, key, left[key], right[key], otherwise, allowed)
        yield from compared.changes()


def _forms(number: int, left: dict[Key, Sample], right: dict[Key, Sample]) -> Iterator[Change]:
    """Forms of answer that one side only has. A task's state on the way, and a refusal that was
    asked again until it passed, are matters of the moment."""
    lasting = (
        {k for k, s in left.items() if not s.passing},
        {k for k, s in right.items() if not s.passing},
    )
    answered = [{key for key in side if key.form != REFUSAL} for side in lasting]
    moment = bool(answered[0]) and answered[0] == answered[1]
    why = "a refusal that passed" if moment else ""
    for key in sorted(lasting[0] - lasting[1]):
        verdict = Verdict.WORDING if moment else Verdict.BREAKING
        yield Change(verdict, Kind.NO_ANSWER, number, str(key), "", "present", "", why=why)
    for key in sorted(lasting[1] - lasting[0]):
        verdict = Verdict.WORDING if moment else Verdict.NEW_FIELD
        yield Change(verdict, Kind.OTHER_ANSWER, number, str(key), "", "", "present", why=why)


def _status(number: int, ours: ReadTurn, theirs: ReadTurn) -> Iterator[Change]:
    before, after = _final_status(ours), _final_status(theirs)
    if before != after:
        yield Change(Verdict.BREAKING, Kind.STATUS, number, "", "", str(before), str(after))


def _final_status(turn: ReadTurn) -> int:
    told = [r for r in turn.readings if r.endpoint is None or r.endpoint.role is not Role.FILE]
    return (told or list(turn.readings))[-1].exchange.response.status if turn.readings else 0


def _ended_otherwise(ours: ReadTurn, theirs: ReadTurn) -> str:
    """In which words an answer ended otherwise; empty where it did not, or nobody says."""
    before, after = ours.outcome, theirs.outcome
    if isinstance(before, Reply) and isinstance(after, Reply):
        reasons = before.finish_reason, after.finish_reason
        if all(reasons) and reasons[0] != reasons[1]:
            return f"the answer ended otherwise: {reasons[0]} -> {reasons[1]}"
    if isinstance(before, Failure) and isinstance(after, Failure) and before.code != after.code:
        return f"another refusal: {before.code} -> {after.code}"
    return ""


# ---------------------------------------------------------------------------------- one form


class _Compared:
    """Two samples of one form."""

    def __init__(
        self,
        turn: int,
        key: Key,
        old: Sample,
        new: Sample,
        otherwise: str,
        allowed: Allowed,
    ) -> None:
        self.turn, self.key, self.old, self.new = turn, key, old, new
        self.otherwise, self.allowed = otherwise, allowed

    def changes(self) -> Iterator[Change]:
        """Every place where the new sample is not as the old one."""
        for path in self.old.paths:
            yield from self._kept(path) if self.new.at(path) else self._removed(path)
        for path in self.new.paths:
            if not self.old.at(path):
                yield from self._added(path)
        if not self.new.passing:
            yield from self._values()

    def _change(self, verdict: Verdict, kind: Kind, path: str, why: str = "") -> Change:
        sides = (_types(self.old.at(path)), _types(self.new.at(path)))
        return Change(verdict, kind, self.turn, str(self.key), path, *sides, why=why)

    def _removed(self, path: str) -> Iterator[Change]:
        holder = path.rpartition("/")[0]
        if path.endswith("/[]"):
            if "array" in self.new.at(holder):
                yield self._change(Verdict.WORDING, Kind.COUNT, path, "the array is empty now")
        elif "object" in self.new.at(holder):
            yield self._excused(Kind.REMOVED, path, "absent")

    def _added(self, path: str) -> Iterator[Change]:
        holder = path.rpartition("/")[0]
        if path.endswith("/[]"):
            if "array" in self.old.at(holder):
                yield self._change(Verdict.WORDING, Kind.COUNT, path, "the array was empty")
        elif "object" in self.old.at(holder):
            chosen = bool(self.otherwise) and below(path, self.new.moving)
            verdict = Verdict.WORDING if chosen else Verdict.NEW_FIELD
            yield self._change(verdict, Kind.ADDED, path, self.otherwise if chosen else "")

    def _kept(self, path: str) -> Iterator[Change]:
        before, after = self.old.at(path), self.new.at(path)
        more = after - before
        if before == {"null"} and more:
            known = self._documents(path, more)
            verdict = Verdict.WORDING if known else Verdict.NEW_FIELD
            yield self._change(verdict, Kind.FILLED, path, "documented" if known else "")
            return
        if "null" in more and not self._is_of_a_position(path):
            yield self._excused(Kind.NEWLY_NULL, path, "null")
        odd = more - {"null"} - ({"integer"} if "number" in before else set())
        for kind in sorted(odd):
            if kind == "number" and "integer" in before and self._documents(path, {"number"}):
                continue
            if self.allowed(self.new.section, path, kind, self.new.family):
                yield self._change(Verdict.WORDING, Kind.RETYPED, path, "the contract knows it")
            else:
                yield self._change(Verdict.BREAKING, Kind.RETYPED, path)

    def _excused(self, kind: Kind, path: str, state: str) -> Change:
        """A breaking change, unless the model chose it or the contract has seen it."""
        if self.otherwise and below(path, self.old.moving):
            return self._change(Verdict.WORDING, kind, path, self.otherwise)
        if self.allowed(self.new.section, path, state, self.new.family):
            return self._change(Verdict.WORDING, kind, path, "the contract knows it")
        return self._change(Verdict.BREAKING, kind, path)

    def _is_of_a_position(self, path: str) -> bool:
        """Whether a null is documented, and only in positions that the old stream had no event
        at: a stream of one event is its own first and last."""
        cases = {case for case, told in self.new.types.items() if "null" in told.get(path, ())}
        return not cases & self.old.types.keys() and self._documents(path, {"null"})

    def _documents(self, path: str, kinds: Iterable[str]) -> bool:
        place = documented(self.new.section)
        for step in path.split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            place = place.items() if step == "[]" else place.field(key)
        return all(place.allows(kind) for kind in kinds)

    def _values(self) -> Iterator[Change]:
        if self.old.count != self.new.count:
            sides = str(self.old.count), str(self.new.count)
            part = str(self.key)
            yield Change(Verdict.WORDING, Kind.COUNT, self.turn, part, "", *sides)
        for path in sorted(self.old.values.keys() & self.new.values.keys()):
            if self.old.values[path] != self.new.values[path]:
                yield self._value(path)

    def _value(self, path: str) -> Change:
        """Another value: of a vocabulary, or any other."""
        ours, theirs = self.old.words.get(path, set()), self.new.words.get(path, set())
        part = str(self.key)
        if self.key.form == FILE and path == "/media type":
            sides = _listed(self.old.values[path]), _listed(self.new.values[path])
            return Change(Verdict.BREAKING, Kind.RETYPED, self.turn, part, path, *sides)
        new = theirs - ours
        if new and ours and all(map(is_word, ours | theirs)):
            known = new <= self.new.documented_words
            verdict = Verdict.WORDING if known else Verdict.NEW_FIELD
            sides, why = (_listed(ours), _listed(theirs)), "documented" if known else ""
            return Change(verdict, Kind.NEW_VALUE, self.turn, part, path, *sides, why=why)
        return self._change(Verdict.WORDING, Kind.VALUE, path)


def _types(kinds: Iterable[str]) -> str:
    return "|".join(sorted(kinds))


def _listed(words: Iterable[str]) -> str:
    return ", ".join(sorted(words))


# ------------------------------------------------------------------------------------- rules


def _rules(before: Iterable[Finding], after: Iterable[Finding]) -> Iterator[Change]:
    """Every rule that is broken and was not there; the first place of each tells it."""
    known = {_spot(finding) for finding in before}
    for finding in after:
        spot = _spot(finding)
        if spot in known:
            continue
        known.add(spot)
        verdict = _NEVER_ODD.get(finding.rule, WEIGHTS[finding.severity])
        path, text = general(finding.place.pointer), finding.message
        turn = finding.place.turn
        yield Change(verdict, Kind.RULE, turn, "", path, "", text, rule=finding.rule)


def _spot(finding: Finding) -> tuple[str, int | None, str]:
    return finding.rule, finding.place.turn, general(finding.place.pointer)
