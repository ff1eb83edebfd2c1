"""A report as Markdown."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.report import Report, markdown
from harness.report.markdown import MAX_FINDINGS, code
from harness.types import Finding, Severity

from .samples import exchange, sample, told


def test_a_summary_tells_what_happened() -> None:
    """Verdict, sums, a row per recording, what could not be played, findings, the worst first."""
    text = markdown.report(sample())
    assert text.startswith("## ❌ `check 你好`\n\n3 transcripts, 3 turns, 3 exchanges, 1 error")
    row = (
        "| `问候` | `ours/one` | ❌ failed | sandbox | `2026-07-01` | 1 | 0 | 1 | 1 | 1 | 1.50 s |"
    )
    assert row in text
    assert "| `问候` | `ours/two` | ⚠️ warned | sandbox | `2026-07-01` | 0 | 1 | 0 |" in text
    assert "- `问候` `ours/four`: `no cassette: 你好`" in text
    assert "- **error** `adds_up` `问候` `ours/one`, `turn 1, exchange 1, byte 3, /x`: " in text
    assert text.index("**error**") < text.index("**warning**")


def test_a_summary_has_the_verdicts_of_drift() -> None:
    """A row per target, with how many changes of each weight."""
    text = markdown.report(sample())
    assert "| `问候` | `ours/one` | breaking | 2 | – | 1 |" in text
    assert "| `问候` | `ours/two` | same | – | – | – |" in text


def test_a_run_where_nothing_broke_is_short() -> None:
    """No headings without anything below them."""
    text = markdown.report(Report("r", (told([exchange({"text": "a"})]),)))
    assert text.startswith("## ✅ `r`")
    assert "Findings" not in text


def test_what_was_recorded_lays_out_nothing() -> None:
    """Neither links, nor HTML, nor tables, nor names that would be called."""
    text = markdown.report(sample("`a` | @everyone [x](http://there) <b>\n# c"))
    outside = re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", "", text)
    assert not re.search(r"@|<b>|\]\(|^# ", outside, re.MULTILINE)


@given(st.text("`a |\n", max_size=9))
@settings(max_examples=60)
def test_a_code_span_holds_any_text(text: str) -> None:
    """Its fence is longer than any run of backticks in it, and it is on one line."""
    made = code(text)
    fence = re.match("`+", made)
    assert fence is not None
    inside = made[len(fence[0]) : -len(fence[0])]
    assert not re.search(rf"(?<!`){fence[0]}(?!`)", inside)
    assert not set("\n|") & set(made)


def test_many_findings_are_cut_with_a_number() -> None:
    """A summary has a limit."""
    found = tuple(Finding(f"m{n}", severity=Severity.ERROR) for n in range(MAX_FINDINGS + 7))
    text = markdown.report(Report("r", findings=found))
    assert text.count("**error**") == MAX_FINDINGS
    assert "And 7 more." in text
