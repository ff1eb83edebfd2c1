"""Changes between old and new recordings; a change in several recordings becomes one group."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from harness.analysis.difference import ChangeKind, Verdict
from harness.locale import mark

if TYPE_CHECKING:
    from harness.drift.types import Drift, DriftChange

RENAMED = mark("renamed")

_Key = tuple[Verdict, str, str, str, str, str]
"""The first fields of a group."""


@dataclass(frozen=True, slots=True)
class ChangeGroup:
    """One change, such as a removed field, with all recordings in which it was found.

    Attributes:
        verdict: What the change means for programs that read the format.
        kind: `renamed`, or a value of `ChangeKind`, such as `removed`.
        part: The kind of answer; empty for a broken rule.
        path: The path of the field, or the name of the broken rule.
        before: The types or the value in the old recordings.
        after: The types or the value in the new recordings; of a renamed field its new path.
        drifts: The drifts that contain the change; each compares an old and a new recording.
        rules: The names of the rules that are broken because of the change.
    """

    verdict: Verdict
    kind: str
    part: str
    path: str
    before: str
    after: str
    drifts: tuple[Drift, ...]
    rules: tuple[str, ...] = ()

    @property
    def since(self) -> tuple[str, str]:
        """(Date of the last recording without the change, date of the first recording with it).

        An unknown date is empty. If both are the same day, the time is added: `2026-11-29 02:10`.
        """
        old = [drift.recorded_at[0] for drift in self.drifts if drift.recorded_at[0]]
        new = [drift.recorded_at[1] for drift in self.drifts if drift.recorded_at[1]]
        last, first = max(old, default=""), min(new, default="")
        length = 16 if last[:10] == first[:10] else 10
        return last[:length].replace("T", " "), first[:length].replace("T", " ")


def change_groups(drifts: Iterable[Drift]) -> tuple[ChangeGroup, ...]:
    """Return the changes in formats and rules, grouped: the most severe and most frequent first.

    Changes with the verdict `WORDING`, such as in texts and ids, are not returned.

    A removed field and an added one are one change, a renaming, if they have the same types and are
    in the same object and the same recordings. A broken rule whose message names a changed field
    belongs to that field's change; all violations of any other rule are one change.
    """
    found: dict[_Key, list[Drift]] = {}
    for drift in drifts:
        severe = (c for c in drift.changes if c.verdict.rank > Verdict.WORDING.rank)
        for key in dict.fromkeys(map(_key, severe)):
            found.setdefault(key, []).append(drift)
    groups = [ChangeGroup(*key, tuple(same)) for key, same in found.items()]
    fields = _renamed([group for group in groups if group.kind != ChangeKind.RULE])
    rules = [group for group in groups if group.kind == ChangeKind.RULE]
    explained = {rule: field for rule in rules for field in fields if _explains(field, rule)}
    fields = [_with_rules(field, explained) for field in fields]
    order = [*fields, *_by_rule(rule for rule in rules if rule not in explained)]
    return tuple(sorted(order, key=lambda group: (-group.verdict.rank, -len(group.drifts))))


def _key(change: DriftChange) -> _Key:
    before, after = str(change.before or ""), str(change.after or "")
    return (
        change.verdict,
        change.kind.value,
        change.part,
        change.rule or change.path,
        before,
        after,
    )


def _renamed(groups: Sequence[ChangeGroup]) -> list[ChangeGroup]:
    """Return *groups* with each pair of a removed field and its replacement merged into one."""
    left = list(groups)
    for gone in (group for group in groups if group.kind == ChangeKind.REMOVED):
        candidates = [new for new in left if new.kind == ChangeKind.ADDED and _replaces(new, gone)]
        if candidates:
            new = max(candidates, key=lambda one: _alike(one.path, gone.path))
            left.remove(new)
            left[left.index(gone)] = replace(gone, kind=RENAMED, after=new.path)
    return left


def _replaces(new: ChangeGroup, gone: ChangeGroup) -> bool:
    same = new.part == gone.part and _parent(new.path) == _parent(gone.path)
    return same and new.after == gone.before and new.drifts == gone.drifts


def _alike(left: str, right: str) -> float:
    return SequenceMatcher(None, left, right, autojunk=False).ratio()


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def _explains(field: ChangeGroup, rule: ChangeGroup) -> bool:
    name = field.path.rpartition("/")[2]
    return bool(name) and name in rule.after and all(drift in field.drifts for drift in rule.drifts)


def _by_rule(broken: Iterable[ChangeGroup]) -> Iterator[ChangeGroup]:
    """Yield each broken rule once, with all its recordings, and its message if it has but one."""
    same: dict[tuple[Verdict, str], list[ChangeGroup]] = {}
    for group in broken:
        same.setdefault((group.verdict, group.path), []).append(group)
    for first, *others in same.values():
        drifts = dict.fromkeys(drift for group in (first, *others) for drift in group.drifts)
        yield replace(first, after="" if others else first.after, drifts=tuple(drifts))


def _with_rules(field: ChangeGroup, explained: Mapping[ChangeGroup, ChangeGroup]) -> ChangeGroup:
    broken = (rule.path for rule, cause in explained.items() if cause is field)
    return replace(field, rules=tuple(dict.fromkeys(broken)))
