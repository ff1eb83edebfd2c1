"""A report in a terminal, or in a log: plain where nobody looks at colours."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import unified_diff
from itertools import groupby

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.analysis.transcript import AnalyzedTranscript
from harness.report import conversation as talks
from harness.report import ranking_text
from harness.report import wire as wires
from harness.report.comparing import comparison, pairs, sources
from harness.report.console import add, columns, draw, put, say
from harness.report.findings import headline
from harness.report.format import number, seconds
from harness.report.ranking import contests
from harness.report.report import Report
from harness.types import Finding, Reply, Severity, ToolCall
from harness.wire.text import count, plain

SHOWN = 5
"""So many findings below an error are shown per rule and transcript; the JSON report has all."""

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}


def report(console: Console, report: Report) -> None:
    """Everything one run has to say, the verdict last."""
    console.print(Text(plain(report.title), "bold"))
    if report.origin:
        console.print(Text(f"{report.origin}.", "dim"))
    if report.reads:
        console.print()
        draw(console, _transcripts(report))
    for told in (read.transcript for read in report.reads):
        for reason in told.skipped:
            say(console, f"skipped in {told.scenario} with {told.target}: {reason}", "dim")
    _findings(console, report)
    several = [found for found in report.matrices if len(found.targets) > 1]
    for found in several:
        pairs(console, found)
    ranking_text.contests(console, contests(report))
    sources(console, several)
    for compared in report.comparisons:
        comparison(console, compared)
    for problem in report.problems:
        where = ", ".join(word for word in (problem.scenario, problem.target) if word)
        say(console, f"{where}: {problem.text}" if where else problem.text, "bold red")
    _verdict(console, report)


def _transcripts(report: Report) -> Table:
    numbers = ("turns", "exchanges", "findings")
    table = columns("scenario", "target", "from", *numbers, numbers=numbers)
    for read in report.reads:
        told = read.transcript
        found = report.findings_of(told.scenario, told.target)
        failed = any(f.severity is Severity.ERROR for f in found)
        sizes = (len(read.turns), len(read.readings), len(found))
        origin = told.provenance.recorded_from.value
        cells = (told.scenario, told.target, origin, *map(str, sizes))
        add(table, cells, "red" if failed else "")
    return table


def _findings(console: Console, report: Report) -> None:
    for scenario in report.scenarios:
        for target in report.targets(scenario):
            found = report.findings_of(scenario, target)
            if found:
                names = " with ".join(word for word in (scenario, target) if word)
                say(console, f"\n{names}", "bold")
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
            put(console, told, indent=2)
        if len(all_of) > len(shown):
            say(console, f"and {len(all_of) - len(shown)} more of {rule}", "dim", indent=2)


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
    put(console, Text.assemble("\n", (word, style), ": ", ", ".join(told)), 0)


def conversation(console: Console, read: AnalyzedTranscript) -> None:
    """A transcript as the conversation it is."""
    told = read.transcript
    names = " with ".join(word for word in (told.scenario, told.target) if word)
    say(console, names or told.source, "bold")
    for talk in talks.conversation(read):
        say(console, f"\nturn {talk.number}", "bold")
        for said in talk.asked:
            _speak(console, said.role, said.text, said.tool_calls, "cyan")
        _answer(console, talk)
        say(console, _figures(talk), "dim", indent=2)
    for reason in told.skipped:
        say(console, f"skipped: {reason}", "dim")


_WIRE = {
    "exchange": ("", "bold"),
    "request": ("> ", "cyan"),
    "answer": ("< ", "green"),
    "event": ("< ", "green"),
    "note": ("  ", "dim"),
    "problem": ("! ", "bold red"),
}
"""How a line of each kind begins, and its style."""


def wire(console: Console, read: AnalyzedTranscript) -> None:
    """A transcript as it travelled."""
    for told in wires.wire(read):
        sign, style = _WIRE[told.kind]
        if told.kind == "exchange":
            console.print()
        say(console, f"{sign}{told.text}", style)


def difference(console: Console, left: Sequence[str], right: Sequence[str]) -> bool:
    """Two texts line by line, and where they part, as `diff -u` tells it; whether they do."""
    names = (left[0], right[0]) if left and right else ("", "")
    parted = list(unified_diff(left, right, *names, lineterm="", n=3))
    for told in parted:
        say(console, told, _SIGNS.get(told[:1], ""))
    return bool(parted)


_SIGNS = {"+": "green", "-": "red", "@": "cyan"}


def _speak(console: Console, role: str, text: str, calls: tuple[ToolCall, ...], style: str) -> None:
    say(console, role or "(no role)", style, indent=2)
    if text.strip():
        say(console, text.strip("\n"), indent=4)
    for call in calls:
        say(console, f"calls {call.name}({call.arguments})", "magenta", indent=4)


def _answer(console: Console, talk: talks.Talk) -> None:
    if talk.states:
        seen = (state if times == 1 else f"{state} ×{times}" for state, times in talk.states)
        say(console, "task: " + " → ".join(seen), "dim", indent=2)
    if talk.failure:
        refused = f"refused: HTTP {talk.failure.status} {talk.failure.code}"
        say(console, f"{refused.rstrip()}: {talk.failure.message}", "red", indent=2)
    elif talk.reply:
        _reply(console, talk.reply)
    else:
        say(console, "an answer that could not be read", "red", indent=2)


def _reply(console: Console, reply: Reply) -> None:
    for choice in reply.choices:
        role = f"assistant, choice {choice.index}" if reply.other_choices else "assistant"
        if choice.reasoning:
            _speak(console, f"{role}, thinking", choice.reasoning, (), "dim")
        _speak(console, role, choice.content or "", choice.tool_calls, "green")
    for image in reply.images:
        say(console, f"image {image.url}", "magenta", indent=4)


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
