"""A report as JSON, for programs. Fields may be added; a change of meaning raises `VERSION`."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from harness.analysis.transcript import AnalyzedTranscript
from harness.compare import (
    Cell,
    Comparison,
    Difference,
    Divergence,
    Facts,
    FieldMatrix,
    Matrix,
    Price,
    field_matrix,
)
from harness.report.conversation import Said, Talk
from harness.report.conversation import conversation as talks
from harness.report.format import encodable
from harness.report.ranking import Ranking, contests
from harness.report.report import Report
from harness.types import Choice, Failure, Finding, LooseJson, Reply, Severity, ToolCall
from harness.wire import MISSING

if TYPE_CHECKING:
    from harness.drift import Drift

VERSION = 1
FORMAT = "llm-conversation-harness/report"


def report(report: Report) -> str:
    """A report as JSON text."""
    return dumps(document(report))


def dumps(value: LooseJson) -> str:
    """JSON text that any reader accepts: Chinese as Chinese, nothing that is not JSON."""
    return json.dumps(_sound(value), ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def document(report: Report) -> dict[str, Any]:
    """A report as a JSON object."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "title": report.title,
        "ok": report.ok,
        "recorded_from": [origin.value for origin in report.origins],
        "duration": report.duration,
        "counts": {
            "transcripts": len(report.reads),
            "turns": report.turns,
            "exchanges": report.exchanges,
            "problems": len(report.problems),
            **{f"{severity}s": len(report.of(severity)) for severity in Severity},
            "ignored": len(report.ignored),
        },
        "transcripts": [transcript(read) for read in report.reads],
        "problems": [asdict(problem) for problem in report.problems],
        "findings": [finding(found) for found in report.findings],
        "ignored": [finding(found) for found in report.ignored],
        "matrices": [matrix(found) for found in report.matrices],
        "comparisons": [comparison(found) for found in report.comparisons],
        "pages": [{"title": title, "address": address} for title, address in report.pages],
        "models": [told for found in contests(report) for told in contest(found)],
        "fields": fields(field_matrix(report.reads)),
        "drifts": [drift(found) for found in report.drifts],
    }


def transcript(read: AnalyzedTranscript) -> dict[str, Any]:
    """Which transcript it is and how much it holds."""
    told = read.transcript
    origin = told.provenance
    sdk = origin.sdk and {"name": origin.sdk.name, "version": origin.sdk.version}
    return {
        "scenario": told.scenario,
        "target": told.target,
        "source": told.source,
        "recorded_from": origin.recorded_from.value,
        "recorded_at": origin.recorded_at,
        "sdk": sdk,
        "turns": len(read.turns),
        "exchanges": len(read.readings),
        "unused": len(told.unused),
        "skipped": list(told.skipped),
        "ignored": dict(told.ignored),
    }


def finding(found: Finding) -> dict[str, Any]:
    """A finding as a JSON object."""
    return {
        "rule": found.rule,
        "severity": found.severity.value,
        "message": found.message,
        "expected": found.expected,
        "actual": found.actual,
        "scenario": found.scenario,
        "target": found.target,
        "source": found.source,
        "place": asdict(found.place),
    }


def contest(found: Ranking) -> Iterator[dict[str, Any]]:
    """Each target of a contest as a JSON object, the fastest first."""
    for entry in found.entries:
        yield {
            "target": entry.target,
            "scenarios": list(found.scenarios),
            "turns": entry.turns,
            "input_tokens": asdict(entry.input_tokens),
            "output_tokens": asdict(entry.output_tokens),
            "first_token": entry.first_token,
            "total": entry.total,
            "costs": [{"amount": c.amount, "currency": c.currency} for c in entry.costs],
            "priced": entry.priced,
            "prices": [price(known) for known in entry.prices],
            "fastest": entry.target == found.fastest,
            "cheapest": entry.target == found.cheapest,
            "undecided": found.undecided and found.undecided.value,
            "sandbox": found.sandbox,
        }


def drift(found: Drift) -> dict[str, Any]:
    """What changed between two recordings, and its verdict, as a JSON object."""
    return {
        "scenario": found.scenario,
        "target": found.target,
        "verdict": found.verdict.value,
        "old": found.old,
        "new": found.new,
        "notes": list(found.notes),
        "changes": [asdict(change) for change in found.changes],
    }


def matrix(found: Matrix) -> dict[str, Any]:
    """A matrix as a JSON object; a path that a target does not have has the type null."""
    return {
        "scenario": found.scenario,
        "targets": list(found.targets),
        "pairs": [comparison(pair.comparison) for pair in found.pairs],
        "formats": {
            table.part: {row.path: [types or None for types in row.types] for row in table.rows}
            for table in found.tables
        },
        "facts": facts(found),
    }


def facts(found: Matrix) -> list[dict[str, Any]]:
    """What each turn came to with each target, as JSON objects."""
    return [_facts(told) for told in found.facts]


def _facts(told: Facts) -> dict[str, Any]:
    return {**asdict(told), "price": told.price and price(told.price)}


def price(known: Price) -> dict[str, Any]:
    """A price as a JSON object; what of it is not known is null."""
    days = {"valid_from": known.valid_from, "seen": known.seen}
    return {**asdict(known), **{name: day and day.isoformat() for name, day in days.items()}}


def fields(found: FieldMatrix) -> dict[str, Any]:
    """Where each field stands, form by form; the forms are named by their position, from 0."""
    return {
        "forms": [
            {**asdict(form), "answers": answers}
            for form, answers in zip(found.forms, found.answers, strict=True)
        ],
        "fields": [
            {
                "field": row.field.name,
                "opentelemetry": row.field.otel,
                "forms": [_cell(position, cell) for position, cell in enumerate(row.cells)],
            }
            for row in found.rows
        ],
    }


def _cell(position: int, cell: Cell) -> dict[str, Any]:
    return {
        "form": position,
        "presence": cell.presence.value,
        "present": cell.present,
        "of": cell.of,
        "places": [{**asdict(site), "presence": site.presence.value} for site in cell.sites],
        "looked_at": list(cell.pointers),
    }


def comparison(found: Comparison) -> dict[str, Any]:
    """A comparison as a JSON object."""
    return {
        "scenario": found.scenario,
        "left": found.left,
        "right": found.right,
        "same_shape": found.same_shape,
        "same_content": found.same_content,
        "divergence": found.divergence and _divergence(found.divergence),
        "similarity": {str(turn.number): turn.similarity for turn in found.turns},
        "differences": [difference(parted) for parted in found.all_differences],
    }


def _divergence(found: Divergence) -> dict[str, Any]:
    return {"turn": found.turn, "reason": found.reason, "difference": difference(found.difference)}


def difference(parted: Difference) -> dict[str, Any]:
    """A difference as a JSON object; `left` or `right` is left out where there is nothing."""
    told: dict[str, Any] = {
        "turn": parted.turn,
        "part": parted.part,
        "path": parted.where,
        "layer": parted.layer.value,
        "kind": parted.kind.value,
    }
    sides = {"left": parted.before, "right": parted.after}
    told |= {name: side for name, side in sides.items() if side is not MISSING}
    if parted.varies:
        told["varies_between_repeats"] = True
    if parted.similarity is not None:
        told |= {"similarity": parted.similarity, "lengths": list(parted.lengths or ())}
    return told


def conversation(read: AnalyzedTranscript) -> dict[str, Any]:
    """A transcript as a conversation."""
    return {**transcript(read), "conversation": [_talk(talk) for talk in talks(read)]}


def _talk(talk: Talk) -> dict[str, Any]:
    return {
        "turn": talk.number,
        "asked": [_said(said) for said in talk.asked],
        "outcome": _outcome(talk),
        "states": [{"state": state, "times": times} for state, times in talk.states],
        "facts": {k: v for k, v in _facts(talk.facts).items() if k not in _IN_OUTCOME},
    }


_IN_OUTCOME = ("content", "tool_calls")
"""Facts that a conversation tells as its outcome."""


def _said(said: Said) -> dict[str, Any]:
    return {"role": said.role, "text": said.text, "tool_calls": _calls(said.tool_calls)}


def _outcome(talk: Talk) -> dict[str, Any] | None:
    outcome = talk.outcome
    if isinstance(outcome, Failure):
        return {"status": outcome.status, "code": outcome.code, "message": outcome.message}
    if isinstance(outcome, Reply):
        images = [image.url for image in outcome.images]
        others = [{"index": c.index, **_choice(c)} for c in outcome.other_choices]
        several = {"other_choices": others} if others else {}
        return {**_choice(outcome.choices[0]), "images": images, **several}
    return None


def _choice(choice: Choice) -> dict[str, Any]:
    return {
        "content": choice.content,
        "reasoning": choice.reasoning,
        "tool_calls": _calls(choice.tool_calls),
        "finish_reason": choice.finish_reason,
    }


def _calls(calls: tuple[ToolCall, ...]) -> list[dict[str, str]]:
    return [{"id": c.id, "name": c.name, "arguments": c.arguments} for c in calls]


def _sound(value: LooseJson) -> LooseJson:
    """What JSON can hold: a number too large becomes text, half a character is replaced."""
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {encodable(str(key)): _sound(item) for key, item in value.items()}
    return [_sound(item) for item in value] if isinstance(value, list | tuple) else value
