"""A finding in words."""

from __future__ import annotations

from harness.types import Finding
from harness.wire.text import cut, line, plain


def headline(finding: Finding) -> str:
    """Rule, place and message on one line."""
    place = line(str(finding.place))
    where = f" ({place})" if place else ""
    return f"{finding.rule or 'finding'}{where}: {cut(line(finding.message), 2000)}"


def describe(finding: Finding) -> str:
    """A finding as a paragraph: what is wrong, where, and how to read more."""
    about = [f"{finding.severity.value}: {finding.rule or 'finding'}", plain(finding.message)]
    told = [
        ("scenario", finding.scenario),
        ("target", finding.target),
        ("place", str(finding.place)),
        ("expected", cut(line(finding.expected), 500)),
        ("actual", cut(line(finding.actual), 500)),
        ("recording", finding.source),
    ]
    about += [f"  {name}: {line(text)}" for name, text in told if text]
    if finding.rule:
        about.append(f"  read more: harness rules --explain {finding.rule}")
    return "\n".join(about)
