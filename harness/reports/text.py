"""A report in a terminal, or in a log: plain where nobody looks at colours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import unified_diff
from itertools import groupby
from typing import Literal

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.compare import Comparison, Difference, Layer, Matrix
from harness.reading import Read
from harness.reports import conversation as talks
from harness.reports import wire as wires
from harness.reports.findings import headline
from harness.reports.report import Report
from harness.reports.words import count, line, number, plain, seconds, value
from harness.types import Finding, Reply, Severity, ToolCall

SHOWN = 5
"""So many findings below an error are shown per rule and transcript; the JSON report has all."""

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}

_LEAST = {"path": 24, "finish": 10}
"""Columns whose words are not broken where it can be helped: so many cells at least."""

_LAYERS = {
    Layer.SHAPE: "Format: which paths exist, with which types",
    Layer.ANSWER: "Answer, in terms of no provider",
    Layer.CONTENT: "Values at paths that both have",
    Layer.VOLATILE: "Values that differ between any two answers",
}


def report(console: Console, report: Report) -> None:
    """Everything one run has to say, the verdict last."""
    console.print(Text(plain(report.title), "bold"))
    if report.origin:
        console.print(Text(f"{report.origin}.", "dim"))
    if report.reads:
        console.print()
        console.print(_transcripts(report))
    for told in (read.transcript for read in report.reads):
        for reason in told.skipped:
            _say(console, f"skipped in {told.scenario} with {told.target}: {reason}", "dim")
    _findings(console, report)
    for found in report.matrices:
        if len(found.targets) > 1:
            _pairs(console, found)
    for compared in report.comparisons:
        comparison(console, compared)
    for problem in report.problems:
        where = ", ".join(word for word in (problem.scenario, problem.target) if word)
        _say(console, f"{where}: {problem.text}" if where else problem.text, "bold red")
    _verdict(console, report)


def _say(console: Console, text: str, style: str = "", indent: int = 0) -> None:
    _put(console, Text(plain(text), style), indent)


def _put(console: Console, text: Text, indent: int) -> None:
    """Wrapped for a reader at a terminal; in a log, a line stays a line, so that it is found."""
    if console.is_terminal:
        console.print(Padding.indent(text, indent) if indent else text)
        return
    for part in text.split(allow_blank=True):
        console.print(Text(" " * indent).append_text(part), soft_wrap=True)


def _table(*columns: str, numbers: Sequence[str] = ()) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for column in columns:
        side: Literal["left", "right"] = "right" if column in numbers else "left"
        least = _LEAST.get(column)
        table.add_column(Text(line(column)), justify=side, overflow="fold", min_width=least)
    return table


def _row(table: Table, cells: Iterable[str], style: str = "") -> None:
    table.add_row(*(Text(plain(cell), style) for cell in cells))


def _transcripts(report: Report) -> Table:
    numbers = ("turns", "exchanges", "findings")
    table = _table("scenario", "target", "from", *numbers, numbers=numbers)
    for read in report.reads:
        told = read.transcript
        found = report.findings_of(told.scenario, told.target)
        failed = any(f.severity is Severity.ERROR for f in found)
        sizes = (len(read.turns), len(read.readings), len(found))
        origin = told.provenance.recorded_from.value
        cells = (told.scenario, told.target, origin, *map(str, sizes))
        _row(table, cells, "red" if failed else "")
    return table


def _findings(console: Console, report: Report) -> None:
    for scenario in report.scenarios:
        for target in report.targets(scenario):
            found = report.findings_of(scenario, target)
            if found:
                names = " with ".join(word for word in (scenario, target) if word)
                _say(console, f"\n{names}", "bold")
            for severity in Severity:
                _listed(console, [f for f in found if f.severity is severity])


def _listed(console: Console, found: Sequence[Finding]) -> None:
    by_rule = sorted(found, key=lambda f: f.rule)
    for rule, group in groupby(by_rule, key=lambda f: f.rule):
        all_of = list(group)
        severity = all_of[0].severity
        shown = all_of if severity is Severity.ERROR else all_of[:SHOWN]
        for finding in shown:
            told = Text.assemble((severity.value, _STYLES[severity]), " ", headline(finding))
            _put(console, told, indent=2)
        if len(all_of) > len(shown):
            _say(console, f"and {len(all_of) - len(shown)} more of {rule}", "dim", indent=2)


def _verdict(console: Console, report: Report) -> None:
    found = [count(len(report.of(s)), s.value) for s in Severity if report.of(s)]
    told = [
        count(len(report.reads), "transcript"),
        count(report.turns, "turn"),
        count(report.exchanges, "exchange"),
        *found,
        *([f"{len(report.ignored)} ignored"] if report.ignored else []),
        count(len(report.problems), "problem"),
        seconds(report.duration),
    ]
    word, style = ("ok", "bold green") if report.ok else ("failed", "bold red")
    _put(console, Text.assemble("\n", (word, style), ": ", ", ".join(told)), 0)


def matrix(console: Console, found: Matrix) -> None:
    """All targets of one scenario side by side: facts, pairs, and where their formats part."""
    _pairs(console, found)
    for table in found.tables:
        if not table.differing:
            continue
        _say(console, f"\n{table.part}: paths where the formats part", "bold")
        numbered = [f"[{number}]" for number in range(1, len(found.targets) + 1)]
        shown = _table("path", *numbered)
        for row in table.differing:
            sides = zip(row.types, table.present, strict=True)
            cells = [types or ("–" if there else "") for types, there in sides]
            _row(shown, (row.path or "(all of it)", *cells))
        console.print(shown)


def _pairs(console: Console, found: Matrix) -> None:
    _say(console, f"\n{found.scenario}: {count(len(found.targets), 'target')}", "bold")
    for position, target in enumerate(found.targets, start=1):
        _say(console, f"[{position}] {target}")
    console.print()
    console.print(_facts(found))
    if found.pairs:
        console.print()
        table = _table("pair", "format differs at", "answer differs at")
        for pair in found.pairs:
            names = f"[{pair.left + 1}] and [{pair.right + 1}]"
            _row(table, (names, count(pair.shape, "spot"), count(pair.answer, "spot")))
        console.print(table)


def _facts(found: Matrix) -> Table:
    numbers = ("chars", "in", "out", "events", "1st byte", "total")
    table = _table("target", "turn", "outcome", "finish", *numbers, numbers=("turn", *numbers))
    positions = {target: f"[{at}]" for at, target in enumerate(found.targets, start=1)}
    for told in found.facts:
        counted = (told.content_length, told.input_tokens, told.output_tokens, told.events or None)
        times = (told.first_byte, told.total)
        words = (positions.get(told.target, told.target), str(told.turn), told.outcome)
        finish = told.finish_reason or "–"
        _row(table, (*words, finish, *map(number, counted), *map(seconds, times)))
    return table


def comparison(console: Console, found: Comparison) -> None:
    """Two transcripts, and where they part, layer by layer."""
    names = f"{found.left} and {found.right}"
    _say(console, f"\n{found.scenario}: {names}" if found.scenario else f"\n{names}", "bold")
    if not found.told:
        _say(console, "no difference")
    for layer, words in _LAYERS.items():
        parted = found.of(layer)
        if parted:
            _say(console, f"\n{words}: {count(len(parted), 'difference')}", "bold")
            console.print(_differences(parted, length=max(24, console.width * 2 // 3)))


def _differences(parted: Sequence[Difference], length: int) -> Table:
    table = _table("turn", "part", "path", "left", "right", numbers=("turn",))
    for told in parted:
        spot = told.spot
        where = spot.path or ("(all of it)" if spot.part else "(the turn)")
        left, right = value(told.left, length), value(told.right, length)
        if told.similarity is not None:
            right += f" ({told.similarity:.0%} alike)"
        _row(table, (str(spot.turn), spot.part, where, left, right))
    return table


def conversation(console: Console, read: Read) -> None:
    """A transcript as the conversation it is."""
    told = read.transcript
    names = " with ".join(word for word in (told.scenario, told.target) if word)
    _say(console, names or told.source, "bold")
    for talk in talks.conversation(read):
        _say(console, f"\nturn {talk.number}", "bold")
        for said in talk.asked:
            _speak(console, said.role, said.text, said.tool_calls, "cyan")
        _answer(console, talk)
        _say(console, _figures(talk), "dim", indent=2)
    for reason in told.skipped:
        _say(console, f"skipped: {reason}", "dim")


_WIRE = {
    "exchange": ("", "bold"),
    "request": ("> ", "cyan"),
    "answer": ("< ", "green"),
    "event": ("< ", "green"),
    "note": ("  ", "dim"),
    "problem": ("! ", "bold red"),
}
"""How a line of each kind begins, and its style."""


def wire(console: Console, read: Read) -> None:
    """A transcript as it travelled."""
    for told in wires.wire(read):
        sign, style = _WIRE[told.kind]
        if told.kind == "exchange":
            console.print()
        _say(console, f"{sign}{told.text}", style)


def difference(console: Console, left: Sequence[str], right: Sequence[str]) -> bool:
    """Two texts line by line, and where they part, as `diff -u` tells it; whether they do."""
    names = (left[0], right[0]) if left and right else ("", "")
    parted = list(unified_diff(left, right, *names, lineterm="", n=3))
    for told in parted:
        _say(console, told, _SIGNS.get(told[:1], ""))
    return bool(parted)


_SIGNS = {"+": "green", "-": "red", "@": "cyan"}


def _speak(console: Console, role: str, text: str, calls: tuple[ToolCall, ...], style: str) -> None:
    _say(console, role or "(no role)", style, indent=2)
    if text.strip():
        _say(console, text.strip("\n"), indent=4)
    for call in calls:
        _say(console, f"calls {call.name}({call.arguments})", "magenta", indent=4)


def _answer(console: Console, talk: talks.Talk) -> None:
    if talk.states:
        seen = (state if times == 1 else f"{state} ×{times}" for state, times in talk.states)
        _say(console, "task: " + " → ".join(seen), "dim", indent=2)
    if talk.failure:
        refused = f"refused: HTTP {talk.failure.status} {talk.failure.code}"
        _say(console, f"{refused.rstrip()}: {talk.failure.message}", "red", indent=2)
    elif talk.reply:
        _reply(console, talk.reply)
    else:
        _say(console, "an answer that could not be read", "red", indent=2)


def _reply(console: Console, reply: Reply) -> None:
    if reply.reasoning:
        _speak(console, "assistant, thinking", reply.reasoning, (), "dim")
    _speak(console, "assistant", reply.content or "", reply.tool_calls, "green")
    for image in reply.images:
        _say(console, f"image {image.url}", "magenta", indent=4)


def _figures(talk: talks.Talk) -> str:
    facts = talk.facts
    told = [facts.delivery]
    if facts.finish_reason:
        told.append(f"finish reason {facts.finish_reason}")
    if facts.input_tokens is not None or facts.output_tokens is not None:
        told.append(f"{number(facts.input_tokens)} tokens in, {number(facts.output_tokens)} out")
    if facts.events:
        told.append(count(facts.events, "event"))
    if facts.total is not None:
        told.append(f"first byte {seconds(facts.first_byte)}, total {seconds(facts.total)}")
    return ", ".join(told)
