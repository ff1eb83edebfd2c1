"""A report, a conversation and the difference of two texts on a console."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import unified_diff
from itertools import groupby

from rich.console import Console
from rich.text import Text

from harness.analysis.transcript import AnalyzedTranscript
from harness.report import comparison_text, tables
from harness.report import conversation as conversations
from harness.report.console import draw, put, say
from harness.report.format import headline, number, seconds
from harness.report.model import Report
from harness.types import Finding, Reply, Severity, ToolCall
from harness.wire.text import count, plain

SHOWN = 5
"""The largest number of warnings or notes of one rule per transcript; the JSON report has all."""

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}


def report(console: Console, report: Report) -> None:
    """Print a report; whether it is ok or failed comes last."""
    console.print(Text(plain(report.title), "bold"))
    if report.origin:
        console.print(Text(report.origin, "dim"))
    if report.outlines:
        console.print()
        counts = ("turns", "exchanges", "errors", "warnings")
        table = tables.overview(report.overview)
        draw(console, table.only("scenario", "target", "state", "from", *counts))
    for cell in report.overview:
        for reason in cell.skipped:
            say(console, f"skipped in {cell.scenario} with {cell.target}: {reason}", "dim")
    _findings(console, report)
    matrices = [matrix for matrix in report.matrices if len(matrix.targets) > 1]
    for matrix in matrices:
        comparison_text.pairs(console, matrix)
    comparison_text.rankings(console, report.rankings)
    comparison_text.sources(console, matrices)
    for comparison in report.comparisons:
        comparison_text.comparison(console, comparison)
    for problem in report.problems:
        where = ", ".join(filter(None, (problem.scenario, problem.target)))
        say(console, f"{where}: {problem.text}" if where else problem.text, "bold red")
    _verdict(console, report)


def _findings(console: Console, report: Report) -> None:
    for cell in report.overview:
        if cell.findings:
            names = " with ".join(filter(None, (cell.scenario, cell.target)))
            say(console, f"\n{names}", "bold")
        for severity in Severity:
            _listed(console, [f for f in cell.findings if f.severity is severity])


def _listed(console: Console, findings: Sequence[Finding]) -> None:
    by_rule = sorted(findings, key=lambda f: f.rule)
    for rule, group in groupby(by_rule, key=lambda f: f.rule):
        every = list(group)
        severity = every[0].severity
        shown = every if severity is Severity.ERROR else every[:SHOWN]
        for finding in shown:
            text = Text.assemble((severity.value, _STYLES[severity]), " ", headline(finding))
            put(console, text, indent=2)
        if len(every) > len(shown):
            say(console, f"and {len(every) - len(shown)} more of {rule}", "dim", indent=2)


def _verdict(console: Console, report: Report) -> None:
    word, style = ("ok", "bold green") if report.ok else ("failed", "bold red")
    put(console, Text.assemble("\n", (word, style), ": ", report.sums))


def conversation(console: Console, read: AnalyzedTranscript) -> None:
    """Print a transcript as a conversation."""
    transcript = read.transcript
    names = " with ".join(filter(None, (transcript.scenario, transcript.target)))
    say(console, names or transcript.source, "bold")
    for turn in conversations.conversation(read):
        say(console, f"\nturn {turn.number}", "bold")
        for message in turn.messages:
            _message(console, message.role, message.text, message.tool_calls, "cyan")
        _answer(console, turn)
        say(console, _figures(turn), "dim", indent=2)
    for reason in transcript.skipped:
        say(console, f"skipped: {reason}", "dim")


def difference(console: Console, left: Sequence[str], right: Sequence[str]) -> bool:
    """Print a unified diff of two texts, and return whether they differ."""
    names = (left[0], right[0]) if left and right else ("", "")
    lines = list(unified_diff(left, right, *names, lineterm="", n=3))
    for line in lines:
        say(console, line, _SIGNS.get(line[:1], ""))
    return bool(lines)


_SIGNS = {"+": "green", "-": "red", "@": "cyan"}


def _message(
    console: Console, role: str, text: str, calls: tuple[ToolCall, ...], style: str
) -> None:
    say(console, role or "(no role)", style, indent=2)
    if text.strip():
        say(console, text.strip("\n"), indent=4)
    for call in calls:
        say(console, f"calls {call.name}({call.arguments})", "magenta", indent=4)


def _answer(console: Console, turn: conversations.ConversationTurn) -> None:
    if turn.states:
        states = (state if times == 1 else f"{state} ×{times}" for state, times in turn.states)
        say(console, "task: " + " → ".join(states), "dim", indent=2)
    if turn.failure:
        status = f"refused: HTTP {turn.failure.status}" if turn.failure.status else "failed:"
        refused = f"{status} {turn.failure.code}"
        say(console, f"{refused.rstrip()}: {turn.failure.message}", "red", indent=2)
    elif turn.reply:
        _reply(console, turn.reply)
    else:
        say(console, "unreadable response", "red", indent=2)


def _reply(console: Console, reply: Reply) -> None:
    for choice in reply.choices:
        role = f"assistant, choice {choice.index}" if reply.other_choices else "assistant"
        if choice.reasoning:
            _message(console, f"{role}, thinking", choice.reasoning, (), "dim")
        _message(console, role, choice.content or "", choice.tool_calls, "green")
    for image in reply.images:
        say(console, f"image {image.url}", "magenta", indent=4)


def _figures(turn: conversations.ConversationTurn) -> str:
    facts = turn.facts
    figures = [facts.delivery]
    if facts.finish_reason:
        figures.append(f"finish reason {facts.finish_reason}")
    if facts.input_tokens is not None or facts.output_tokens is not None:
        figures.append(
            f"{number(facts.input_tokens)} input tokens, "
            f"{number(facts.output_tokens)} output tokens"
        )
    if facts.events:
        figures.append(count(facts.events, "event"))
    if facts.total is not None:
        figures.append(f"first byte {seconds(facts.first_byte)}, total {seconds(facts.total)}")
    return ", ".join(figures)
