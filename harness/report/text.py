"""Functions that print a report, a conversation or a diff of two texts on a console."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import unified_diff
from itertools import chain, groupby

from rich.console import Console
from rich.text import Text

from harness.analysis.transcript import AnalyzedTranscript
from harness.locale import localized, localized_error
from harness.report import comparison_text, tables
from harness.report import conversation as conversations
from harness.report.console import draw, print_lines, print_message, print_styled, print_text
from harness.report.format import headline, number, seconds
from harness.report.model import Cell, Report, State
from harness.types import Finding, Problem, Reply, Severity, ToolCall, Verbosity
from harness.wire.text import count, plain

SHOWN = 5
"""The largest number of warnings or notes of one rule per transcript; the JSON report has all."""

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}


MANY = 20
"""The number of rows and notes from which on those that passed are summed up."""


def report(console: Console, report: Report, verbosity: Verbosity = Verbosity.NORMAL) -> None:
    """Print a report; whether it is ok or failed comes last.

    `Verbosity.QUIET` prints errors and problems only. Only `Verbosity.FULL` prints comparisons and
    rankings of the targets, and all rows of long lists.
    """
    is_full = verbosity is Verbosity.FULL
    if verbosity is not Verbosity.QUIET:
        _overview(console, report, is_full)
    _findings(console, report, verbosity)
    if is_full:
        matrices = [matrix for matrix in report.matrices if len(matrix.targets) > 1]
        for matrix in matrices:
            comparison_text.pairs(console, matrix)
        comparison_text.rankings(console, report.rankings)
        comparison_text.sources(console, matrices)
    for problem in report.problems:
        print_text(console, describe_problem(problem), "bold red")
    _verdict(console, report)


def _overview(console: Console, report: Report, is_full: bool) -> None:
    console.print(Text(plain(localized(report.title)), "bold"))
    if report.origin:
        console.print(Text(report.local_origin, "dim"))
    cells = report.overview
    if len(cells) > MANY and not is_full:
        cells = tuple(cell for cell in cells if cell.state is not State.PASSED)
    if report.outlines and cells:
        console.print()
        counts = ("turns", "exchanges", "errors", "warnings")
        table = tables.overview(cells)
        draw(console, table.only("scenario", "target", "state", "from", *counts))
    if passed := len(report.overview) - len(cells):
        print_text(console, localized("{} passed; -v lists all").format(passed), "dim")
    _skipped(console, report.overview, is_full)


def _skipped(console: Console, cells: Sequence[Cell], is_full: bool) -> None:
    lines = [
        localized("skipped in {} with {}: {}").format(cell.scenario, cell.target, reason)
        for cell in cells
        for reason in cell.skipped
    ]
    shown = lines if is_full or len(lines) <= MANY else lines[:SHOWN]
    for line in shown:
        print_text(console, line, "dim")
    if rest := len(lines) - len(shown):
        print_text(console, localized("{} more were skipped; -v lists all").format(rest), "dim")


def _findings(console: Console, report: Report, verbosity: Verbosity) -> None:
    severities = [Severity.ERROR] if verbosity is Verbosity.QUIET else [*Severity]
    for cell in report.overview:
        findings = [f for f in cell.findings if f.severity in severities]
        if findings:
            print_text(
                console, f"\n{' · '.join(filter(None, (cell.scenario, cell.target)))}", "bold"
            )
        for severity in severities:
            mine = [f for f in findings if f.severity is severity]
            _listed(console, mine, verbosity is Verbosity.FULL)


def _listed(console: Console, findings: Sequence[Finding], is_full: bool) -> None:
    by_rule = sorted(findings, key=lambda f: f.rule)
    for rule, group in groupby(by_rule, key=lambda f: f.rule):
        every = list(group)
        severity = every[0].severity
        shown = every if is_full or severity is Severity.ERROR else every[:SHOWN]
        for finding in shown:
            word = (localized(severity.value), _STYLES[severity])
            print_styled(console, Text.assemble(word, " ", headline(finding)), indent=2)
        if rest := len(every) - len(shown):
            more = localized("and {} more of {}; -v lists all").format(rest, rule)
            print_text(console, more, "dim", indent=2)


def describe_problem(problem: Problem) -> str:
    """Return the text of a problem for the user, as in `scenario, target: text`."""
    where = ", ".join(filter(None, (problem.scenario, problem.target)))
    text = localized_error(problem.text)
    return f"{where}: {text}" if where else text


def reason(report: Report) -> str:
    """Return why a report failed: its first problem or error, on one line; empty if it is ok."""
    if report.ok:
        return ""
    errors = (headline(finding) for finding in report.of(Severity.ERROR))
    first = next(chain(map(describe_problem, report.problems), errors))
    return localized("failed: {}; the first: {}").format(report.local_sums, first)


def _verdict(console: Console, report: Report) -> None:
    ok, failed = (localized("ok"), "bold green"), (localized("failed"), "bold red")
    print_styled(
        console,
        Text.assemble("\n", ok if report.ok else failed, localized(": "), report.local_sums),
    )


def conversation(console: Console, read: AnalyzedTranscript) -> None:
    """Print the transcript *read* as a conversation."""
    transcript = read.transcript
    names = localized(" with ").join(filter(None, (transcript.scenario, transcript.target)))
    print_text(console, names or transcript.source, "bold")
    if transcript.provenance.parent:
        print_message(console, f"continues {transcript.provenance.parent}", "dim")
    for turn in conversations.conversation(read):
        print_message(console, f"\nturn {turn.number}", "bold")
        for message in turn.messages:
            _message(console, message.role, message.text, message.tool_calls, "cyan")
        _answer(console, turn)
        print_text(console, _figures(turn), "dim", indent=2)
    for reason in transcript.skipped:
        print_message(console, f"skipped: {reason}", "dim")


def difference(console: Console, left: Sequence[str], right: Sequence[str]) -> bool:
    """Print a unified diff of two texts, and return whether they differ.

    *left* and *right* are the lines of the texts; the first line of each is also its name.
    """
    names = (left[0], right[0]) if left and right else ("", "")
    lines = list(unified_diff(left, right, *names, lineterm="", n=3))
    print_lines(console, ((_SIGNS.get(line[:1], ""), line) for line in lines))
    return bool(lines)


_SIGNS = {"+": "green", "-": "red", "@": "cyan"}


def _message(
    console: Console, role: str, text: str, calls: tuple[ToolCall, ...], style: str
) -> None:
    print_message(console, role or "(no role)", style, indent=2)
    if text.strip():
        print_text(console, text.strip("\n"), indent=4)
    for call in calls:
        print_message(console, f"calls {call.name}({call.arguments})", "magenta", indent=4)


def _answer(console: Console, turn: conversations.ConversationTurn) -> None:
    if turn.states:
        states = (state if times == 1 else f"{state} ×{times}" for state, times in turn.states)
        print_message(console, f"task: {' → '.join(states)}", "dim", indent=2)
    if turn.failure:
        status = f"refused: HTTP {turn.failure.status}" if turn.failure.status else "failed:"
        refused = f"{status} {turn.failure.code}"
        print_text(
            console, f"{localized_error(refused.rstrip())}: {turn.failure.message}", "red", indent=2
        )
    elif turn.reply:
        _reply(console, turn.reply)
    else:
        print_message(console, "unreadable response", "red", indent=2)


def _reply(console: Console, reply: Reply) -> None:
    said = [one for one in reply.choices if one.content or one.reasoning or one.tool_calls]
    choices = (said or reply.choices[:1]) if reply.files else reply.choices
    for choice in choices:
        role = f"assistant, choice {choice.index}" if len(choices) > 1 else "assistant"
        if choice.reasoning:
            _message(console, f"{role}, thinking", choice.reasoning, (), "dim")
        _message(console, role, choice.content or "", choice.tool_calls, "green")
    for file in reply.files:
        print_text(console, f"{file.medium} {file.url}".rstrip(), "magenta", indent=4)
    if reply.vectors:
        text = f"{count(len(reply.vectors), 'vector')} of {number(len(reply.vectors[0]))} numbers"
        print_message(console, text, "magenta", indent=4)
    for one in reply.ranking:
        print_message(console, f"document {one.index}: score {one.score:g}", "magenta", indent=4)


def _figures(turn: conversations.ConversationTurn) -> str:
    figures = turn.figures
    parts = [figures.delivery]
    if figures.finish_reason:
        parts.append(f"finish reason {figures.finish_reason}")
    if figures.input_tokens is not None or figures.output_tokens is not None:
        parts.append(
            f"{number(figures.input_tokens)} input tokens, "
            f"{number(figures.output_tokens)} output tokens"
        )
    if figures.events:
        parts.append(count(figures.events, "event"))
    if figures.total is not None:
        parts.append(f"first byte {seconds(figures.first_byte)}, total {seconds(figures.total)}")
    return localized(", ").join(map(localized_error, parts))
