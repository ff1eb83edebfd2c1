"""What a report knows."""

from __future__ import annotations

import pytest

from harness.report import FILES, NAMES, Report, describe, headline
from harness.report.format import seconds, value
from harness.types import Finding, Json, Origin, Place, Problem, Severity
from harness.wire import MISSING, Missing
from harness.wire.text import count, cut, plain

from .samples import exchange, sample, told


def test_an_error_or_a_problem_makes_a_report_not_ok() -> None:
    """A report is ok unless it has an error or a problem; a warning is told only."""
    assert Report("r").ok
    assert Report("r", findings=(Finding("m", severity=Severity.WARNING),)).ok
    assert not Report("r", findings=(Finding("m"),)).ok
    assert not Report("r", problems=(Problem("s", "t", "x"),)).ok


def test_turns_and_exchanges_are_counted() -> None:
    """All turns and exchanges of all transcripts are counted."""
    one = exchange({})
    report = Report("r", (told([one], [one, one]), told([one])))
    assert (report.turns, report.exchanges) == (3, 4)


@pytest.mark.parametrize(
    ("origins", "words"),
    [
        ([], ""),
        ([Origin.LIVE], "Recorded from the live providers."),
        ([Origin.SANDBOX], "Recorded from the sandbox, not from the live providers."),
        (
            [Origin.UNKNOWN, Origin.LIVE],
            "Partly recorded from the live providers, "
            "partly recorded by another tool; its origin is unknown.",
        ),
    ],
)
def test_the_origin_is_said_in_words(origins: list[Origin], words: str) -> None:
    """A report says honestly where its recordings come from."""
    assert Report("r", tuple(told(origin=origin) for origin in origins)).origin == words


def test_scenarios_and_targets_come_from_everything() -> None:
    """A target of which there is only a problem is one of the report's targets too."""
    report = sample()
    assert report.scenarios == ("问候",)
    assert report.targets["问候"] == ("ours/one", "ours/two", "ours/three", "ours/four")


def test_the_table_of_files_is_written_by_hand() -> None:
    """Five forms are written to files, each has a name in a folder, and each can be written."""
    assert list(FILES) == ["html", "markdown", "junit", "json", "lines"]
    assert set(NAMES) == set(FILES)
    assert all(render(sample()) for render in FILES.values())


def test_a_finding_is_described_with_how_to_read_more() -> None:
    """A finding's paragraph has severity, rule, message, place and the next command."""
    found = Finding("bad", Place(2, pointer="/x"), "adds_up", Severity.ERROR, "s", "t", "a.yaml")
    assert describe(found) == (
        "error: adds_up\nbad\n  scenario: s\n  target: t\n  place: turn 2, /x\n"
        "  recording: a.yaml\n  read more: harness rules --explain adds_up"
    )
    assert headline(found) == "adds_up (turn 2, /x): bad"


def test_a_finding_without_a_rule_has_nothing_to_read_more() -> None:
    """What is not known of a finding is left out."""
    assert describe(Finding("bad")) == "error: finding\nbad"


def test_text_that_steers_a_terminal_is_made_harmless() -> None:
    """Escapes, halves of characters and marks that turn the writing round are replaced."""
    assert plain("a\x1b[2J\ud800\u202eb\r\nc\t") == "a\ufffd[2J\ufffd\ufffdb\nc\t"


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (MISSING, "–"),
        (None, "null"),
        (True, "true"),
        (1, "1"),
        ([], "[]"),
        ("a\n b", "a b"),
        ("字" * 200, "字" * 120 + "… (200 characters)"),
    ],
)
def test_a_value_is_told_on_a_short_line(told: Json | Missing, words: str) -> None:
    """Values are told as JSON would, long texts cut."""
    assert value(told) == words


def test_numbers_are_readable() -> None:
    """Times and counts are told in words."""
    assert [seconds(None), seconds(0.0123), seconds(1.25)] == ["–", "12 ms", "1.25 s"]
    assert [count(1, "turn"), count(2, "turn")] == ["1 turn", "2 turns"]
    assert cut("abcdef", 3) == "abc… (6 characters)"
