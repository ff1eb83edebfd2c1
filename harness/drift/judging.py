"""Two recordings, and what changed from the old one, and its repeats, to the new one.

Order of keys, number of events in a stream, and polls of a task that still runs are no drift. What
a model chose to do (calling a tool or answering in words) is no drift either, where it says so by
another finish reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.shape import shape
from harness.analysis.transcript import AnalyzedTranscript
from harness.contracts.documented import documented
from harness.contracts.sections import REFUSAL, Section
from harness.contracts.words import is_word
from harness.drift.samples import FILE, Key, Sample, below, general
from harness.drift.seen import Seen, seen, together
from harness.drift.types import Change, Drift, Kind, Verdict
from harness.types import Failure, Finding, Severity
from harness.wire import resolve, tokens

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
    old: AnalyzedTranscript,
    new: AnalyzedTranscript,
    before: Iterable[Finding] = (),
    after: Iterable[Finding] = (),
    allowed: Allowed = nothing_is_known,
    repeats: Sequence[AnalyzedTranscript] = (),
) -> Drift:
    """What changed. `before` and `after` are what rules, and a contract, find in each of them.

    `repeats` are other recordings of the old one's script: what any of them had is no news, and
    what any of them lacked is not gone.
    """
    every = (old, *repeats)
    changes: list[Change] = []
    for number in sorted({turn.turn.number for one in (*every, new) for turn in one.turns}):
        changes += _turn(number, every, new, allowed)
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


def _notes(old: AnalyzedTranscript, new: AnalyzedTranscript) -> Iterator[str]:
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


def _asked(reading: AnalyzedExchange) -> set[str]:
    """How a question is put, apart from the conversation: which parameters, and which model."""
    endpoint, value = reading.endpoint, reading.request_json.value
    told = map(general, endpoint.fields.messages) if endpoint else ()
    held = [holder.rpartition("/")[0] if holder.endswith("[]") else holder for holder in told]
    model = resolve(value, "/model")
    return {path for path in shape(value) if not below(path, held)} | {f"model {model}"}


# ---------------------------------------------------------------------------------- one turn


def _turn(
    number: int, every: Sequence[AnalyzedTranscript], new: AnalyzedTranscript, allowed: Allowed
) -> Iterator[Change]:
    ours, theirs = seen(number, every), seen(number, [new])
    if ours is None or theirs is None:
        if theirs is not None:
            yield Change(Verdict.NEW_FIELD, Kind.OTHER_ANSWER, number, "", "", "", "a turn")
        elif ours is not None and len(ours.turns) == len(every):
            yield Change(Verdict.BREAKING, Kind.NO_ANSWER, number, "", "", "a turn", "")
        return
    yield from _forms(number, ours, theirs)
    yield from _status(number, ours, theirs)
    otherwise = _ended_otherwise(ours, theirs)
    (right,) = theirs.samples
    for key in sorted(right):
        if before := ours.of(key):
            yield from _Compared(number, key, before, right[key], otherwise, allowed).changes()


def _forms(number: int, ours: Seen, theirs: Seen) -> Iterator[Change]:
    """Forms of answer that one side only has. A task's state on the way, and a refusal that was
    asked again until it passed, are matters of the moment."""
    (right,) = theirs.lasting
    answered = [{key for key in side if key.form != REFUSAL} for side in (*ours.lasting, right)]
    moment = bool(answered[-1]) and answered[-1] in answered[:-1]
    why = "a refusal that passed" if moment else ""
    for key in sorted(ours.always - right):
        verdict = Verdict.WORDING if moment else Verdict.BREAKING
        yield Change(verdict, Kind.NO_ANSWER, number, str(key), "", "present", "", why=why)
    for key in sorted(right - ours.ever):
        verdict = Verdict.WORDING if moment else Verdict.NEW_FIELD
        yield Change(verdict, Kind.OTHER_ANSWER, number, str(key), "", "", "present", why=why)


def _status(number: int, ours: Seen, theirs: Seen) -> Iterator[Change]:
    """Another HTTP status; of a refusal, with what the service said."""
    before, (after,) = ours.statuses, theirs.statuses
    ((_, turn),) = theirs.turns
    if after in before:
        return
    said = turn.outcome
    words = f", code {said.code}: {said.message}" if isinstance(said, Failure) else ""
    sides = str(before[0]), f"{after}{words}"
    yield Change(Verdict.BREAKING, Kind.STATUS, number, "", "", *sides)


def _ended_otherwise(ours: Seen, theirs: Seen) -> str:
    """In which words an answer ended otherwise; empty where it did not, or nobody says."""
    for before, after, what in (
        (ours.reasons, theirs.reasons, "the answer ended otherwise"),
        (ours.codes, theirs.codes, "another refusal"),
    ):
        if before and after and after[0] not in before:
            return f"{what}: {before[0]} -> {after[0]}"
    return ""


# ---------------------------------------------------------------------------------- one form


class _Compared:
    """Samples of one form: all of before, and one of now."""

    def __init__(
        self,
        turn: int,
        key: Key,
        before: Sequence[Sample],
        new: Sample,
        otherwise: str,
        allowed: Allowed,
    ) -> None:
        self.turn, self.key, self.before, self.new = turn, key, before, new
        self.old = together(before)
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
        elif "object" in self.new.at(holder) and not self._was_absent(path, holder):
            yield self._excused(Kind.REMOVED, path, "absent")

    def _was_absent(self, path: str, holder: str) -> bool:
        """Whether the object that holds it was there before without it."""
        return any("object" in one.at(holder) and not one.at(path) for one in self.before)

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
        for key in tokens(path):
            place = place.items() if key == "[]" else place.field(key)
        return all(place.allows(kind) for kind in kinds)

    def _values(self) -> Iterator[Change]:
        counts = {one.count for one in self.before}
        if len(counts) == 1 and self.new.count not in counts:
            sides = str(*counts), str(self.new.count)
            part = str(self.key)
            yield Change(Verdict.WORDING, Kind.COUNT, self.turn, part, "", *sides)
        for path in sorted(self.old.values.keys() & self.new.values.keys()):
            told = [one.values[path] for one in self.before if path in one.values]
            if self.new.values[path] not in told:
                yield from self._value(path, varies=any(one != told[0] for one in told))

    def _value(self, path: str, varies: bool) -> Iterator[Change]:
        """Another value: of a vocabulary, or any other, unless it varies anyway."""
        ours, theirs = self.old.words.get(path, set()), self.new.words.get(path, set())
        part = str(self.key)
        new = theirs - ours
        if self.key.form == FILE and path == "/media type":
            if self.new.values[path].keys() - self.old.values[path].keys():
                sides = _listed(self.old.values[path]), _listed(self.new.values[path])
                yield Change(Verdict.BREAKING, Kind.RETYPED, self.turn, part, path, *sides)
        elif new and ours and all(map(is_word, ours | theirs)):
            known = new <= self.new.documented_words
            verdict = Verdict.WORDING if known else Verdict.NEW_FIELD
            sides, why = (_listed(ours), _listed(theirs)), "documented" if known else ""
            yield Change(verdict, Kind.NEW_VALUE, self.turn, part, path, *sides, why=why)
        elif not varies:
            yield self._change(Verdict.WORDING, Kind.VALUE, path)


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
