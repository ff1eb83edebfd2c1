"""A report as JSON and JSON Lines. Fields may be added; a change of meaning raises `VERSION`."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, is_dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any, TypeAlias

from harness.analysis.transcript import AnalyzedTranscript
from harness.comparison.fields import FieldCell, FieldMatrix
from harness.comparison.matrix import Matrix, Outline, outline
from harness.comparison.types import Comparison, Difference, Divergence
from harness.report import conversation as conversations
from harness.report.conversation import ConversationTurn
from harness.report.format import encodable
from harness.report.model import Report
from harness.report.ranking import Ranking
from harness.types import Failure, Json, Message, Reply, Severity
from harness.wire import MISSING

if TYPE_CHECKING:
    from harness.drift.types import Drift

JsonObject: TypeAlias = dict[str, Any]
"""A JSON object whose values may still be dates, dataclasses and so on; `dumps` converts them."""

VERSION = 1
FORMAT = "llm-conversation-harness/report"


def report(report: Report) -> str:
    """Return a report as JSON text."""
    return dumps(document(report))


def lines(report: Report) -> str:
    """Return a report as JSON Lines: one line of totals, then one per transcript, finding etc."""
    return "".join(f"{json.dumps(_sound(part), ensure_ascii=False)}\n" for part in _parts(report))


def _parts(report: Report) -> Iterator[JsonObject]:
    whole = document(report)
    fields = whole.pop("fields")
    about = {name: part for name, part in whole.items() if not isinstance(part, list)}
    yield {"type": "report", **about, "recorded_from": whole["recorded_from"]}
    for kind in ("transcript", "problem", "finding", "model", "drift"):
        yield from ({"type": kind, **part} for part in whole[f"{kind}s"])
    yield from ({"type": "ignored", **part} for part in whole["ignored"])
    yield from ({"type": "form", "form": n, **form} for n, form in enumerate(fields["forms"]))
    yield from ({"type": "field", **field} for field in fields["fields"])


def dumps(value: object) -> str:
    """Return *value* as indented JSON text; dataclasses become objects, dates become strings."""
    return f"{_text(value)}\n"


def _text(value: object) -> str:
    return json.dumps(_sound(value), ensure_ascii=False, indent=2, allow_nan=False)


def pieces(value: object, margin: str = "\n") -> Iterator[str]:
    """Yield the text of *value* as `dumps` returns it, without its last line feed, in pieces.

    An iterator in an object is an array, of which each item is a piece. No piece ends between a
    name and its text. *margin* is a line feed and the indentation of *value*.
    """
    inner = f"{margin}  "
    if isinstance(value, Iterator):
        start = "["
        for item in value:
            yield start + inner
            yield from pieces(item, inner)
            start = ","
        yield "[]" if start == "[" else f"{margin}]"
    elif isinstance(value, dict) and any(isinstance(item, Iterator) for item in value.values()):
        start = "{"
        for name, item in value.items():
            before = f"{start}{inner}{json.dumps(name, ensure_ascii=False)}: "
            if isinstance(item, Iterator):
                yield before
                yield from pieces(item, inner)
            else:
                yield before + "".join(pieces(item, inner))
            start = ","
        yield f"{margin}}}"
    else:
        yield _text(value).replace("\n", margin)  # without a name: it is long, and not kept


def document(report: Report) -> JsonObject:
    """Return a report as the JSON object that `report` writes as text."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "title": report.title,
        "made": asdict(report.made),
        "ok": report.ok,
        "recorded_from": [origin.value for origin in report.origins],
        "duration": report.duration,
        "counts": {
            "transcripts": len(report.outlines),
            "turns": report.turns,
            "exchanges": report.exchanges,
            "problems": len(report.problems),
            **{f"{severity}s": len(report.of(severity)) for severity in Severity},
            "ignored": len(report.ignored),
        },
        "transcripts": [transcript(one) for one in report.outlines],
        "problems": [asdict(problem) for problem in report.problems],
        "findings": [asdict(found) for found in report.findings],
        "ignored": [asdict(found) for found in report.ignored],
        "matrices": [matrix(found) for found in report.matrices],
        "pages": [{"title": title, "address": address} for title, address in report.pages],
        "models": [entry for found in report.rankings for entry in ranking(found)],
        "fields": fields(report.field_matrix),
        "drifts": [drift(found) for found in report.drifts],
    }


def transcript(one: Outline) -> JsonObject:
    """Return the outline of a transcript as a JSON object, without the figures of its turns."""
    origin = one.provenance
    sdk = origin.sdk and {"name": origin.sdk.name, "version": origin.sdk.version}
    return {
        "scenario": one.scenario,
        "target": one.target,
        "source": one.source,
        "recorded_from": origin.recorded_from.value,
        "recorded_at": origin.recorded_at,
        "sdk": sdk,
        "turns": one.turns,
        "exchanges": one.exchanges,
        "unused": one.unused,
        "skipped": list(one.skipped),
        "ignored": one.ignored,
    }


def ranking(found: Ranking) -> Iterator[JsonObject]:
    """Yield a JSON object for each target of a ranking: tokens, times, costs; the fastest first."""
    for entry in found.entries:
        yield {
            **asdict(entry),
            "scenarios": list(found.scenarios),
            "costs": [{"amount": c.amount, "currency": c.currency} for c in entry.costs],
            "fastest": entry.target == found.fastest,
            "cheapest": entry.target == found.cheapest,
            "undecided": found.undecided,
            "sandbox": found.sandbox,
        }


def drift(found: Drift) -> JsonObject:
    """Return what changed between two recordings, and its verdict, as a JSON object."""
    return {**asdict(found), "verdict": found.verdict}


def matrix(found: Matrix) -> JsonObject:
    """Return the comparison of all targets of a scenario as a JSON object.

    In `formats`, each path has a list with the types of each target; null if it lacks the path.
    """
    return {
        "scenario": found.scenario,
        "targets": list(found.targets),
        "pairs": [comparison(pair.comparison) for pair in found.pairs],
        "formats": {
            table.part: {row.path: [types or None for types in row.types] for row in table.rows}
            for table in found.tables
        },
        "facts": [asdict(figures) for figures in found.figures],
    }


def fields(found: FieldMatrix) -> JsonObject:
    """Return the paths of each field as a JSON object.

    A number `form` in it is the position, from 0, in its list `forms`.
    """
    return {
        "forms": [{**asdict(column.form), "answers": column.answers} for column in found.columns],
        "fields": [
            {
                "field": row.field.name,
                "opentelemetry": row.field.otel,
                "forms": [_cell(position, cell) for position, cell in enumerate(row.cells)],
            }
            for row in found.rows
        ],
    }


def _cell(position: int, cell: FieldCell) -> JsonObject:
    return {
        "form": position,
        "presence": cell.presence.value,
        "present": cell.present,
        "of": cell.of,
        "places": [{**asdict(site), "presence": site.presence.value} for site in cell.sites],
        "looked_at": list(cell.pointers),
    }


def comparison(found: Comparison) -> JsonObject:
    """Return the differences of two transcripts as a JSON object."""
    return {
        "scenario": found.scenario,
        "left": found.left,
        "right": found.right,
        "same_shape": found.same_shape,
        "same_content": found.same_content,
        "divergence": found.divergence and _divergence(found.divergence),
        "similarity": {str(turn.number): turn.similarity for turn in found.turns},
        "differences": [difference(each) for each in found.all_differences],
    }


def _divergence(found: Divergence) -> JsonObject:
    return {"turn": found.turn, "reason": found.reason, "difference": difference(found.difference)}


def difference(found: Difference) -> JsonObject:
    """Return a difference of two transcripts as a JSON object, with the values `left` and `right`.

    `left` or `right` is left out if that transcript has no value there.
    """
    document: JsonObject = {
        "turn": found.turn,
        "part": found.part,
        "path": found.where,
        "layer": found.layer.value,
        "kind": found.kind.value,
    }
    sides = {"left": found.before, "right": found.after}
    document |= {name: side for name, side in sides.items() if side is not MISSING}
    if found.varies:
        document["varies_between_repeats"] = True
    if found.similarity is not None:
        document |= {"similarity": found.similarity, "lengths": list(found.lengths or ())}
    return document


def conversation(read: AnalyzedTranscript) -> JsonObject:
    """Return the transcript *read* as a JSON object; its member `conversation` is an iterator.

    That yields the turns, each with its messages and its answer.
    """
    about = transcript(outline(replace(read, turns=())))
    parent = read.transcript.provenance.parent
    return {
        **about,
        "turns": len(read.turns),
        "exchanges": len(read.readings),
        **({"parent": parent} if parent else {}),
        "conversation": map(_turn, conversations.conversation(read)),
    }


def _turn(turn: ConversationTurn) -> JsonObject:
    return {
        "turn": turn.number,
        "asked": [_message(message) for message in turn.messages],
        "outcome": _outcome(turn),
        "states": [{"state": state, "times": times} for state, times in turn.states],
        "facts": {k: v for k, v in asdict(turn.figures).items() if k not in _IN_OUTCOME},
    }


_IN_OUTCOME = ("content", "tool_calls", "other_choices")
"""The figures that a turn's `outcome` has already."""


def _message(message: Message) -> JsonObject:
    calls = [asdict(call) for call in message.tool_calls]
    return {"role": message.role, "text": message.text, "tool_calls": calls}


def _outcome(turn: ConversationTurn) -> JsonObject | None:
    outcome = turn.outcome
    if isinstance(outcome, Failure):
        return {"status": outcome.status, "code": outcome.code, "message": outcome.message}
    if isinstance(outcome, Reply):
        values = {
            "files": [{"medium": file.medium, "url": file.url} for file in outcome.files],
            "vectors": [len(vector) for vector in outcome.vectors],
            "ranking": [asdict(one) for one in outcome.ranking],
        }
        own = {name: value for name, value in values.items() if value}
        images = [image.url for image in outcome.images]
        first, *others = map(asdict, outcome.choices)
        del first["index"]
        return {**first, "images": images, **own, **({"other_choices": others} if others else {})}
    return None


def _sound(value: Any) -> Json:
    """Return *value* as JSON: dataclasses as objects, dates and infinite numbers as text.

    Lone surrogates, which UTF-8 cannot hold, are replaced.
    """
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, date):
        return value.isoformat()
    if is_dataclass(value) and not isinstance(value, type):
        return _sound(asdict(value))
    if isinstance(value, dict):
        return {encodable(str(key)): _sound(item) for key, item in value.items()}
    return [_sound(item) for item in value] if isinstance(value, list | tuple) else value
