"""The page: template, style and script, and a policy that allows nothing else."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from itertools import groupby

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from harness.locale import translate
from harness.report import format
from harness.report.html import drift, messages, pictures, sections
from harness.report.html.prose import prose
from harness.report.model import ORIGINS, Report
from harness.report.overview import Cell, State
from harness.report.rule_texts import RULE_TEXTS
from harness.types import Finding, Origin, Severity
from harness.wire.text import cut, line, plain

SIGNS: Mapping[str, str] = {
    State.PASSED.value: "✓",
    State.WARNED.value: "!",
    State.FAILED.value: "✗",
    State.PROBLEM.value: "✗",
}

_SHORT = 300
"""How many characters of a long text are shown."""

_CHINESE = re.compile("[\u3400-\u9fff]")


def report(report: Report) -> str:
    """Return a report as an HTML page."""
    shown = sections.sections(report)
    album = pictures.album(sections.pictures(shown))
    targets = _targets(report.overview)
    style, script = _file("page.css"), _file("page.js")
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            report=report,
            sandbox=Origin.SANDBOX in report.origins,
            severities=[(s.value, len(report.of(s))) for s in Severity],
            sections=shown,
            findings=[one for section in shown for one in section.findings],
            album=album,
            gallery=list(sections.gallery(shown, album)),
            matrix=list(_matrix(report, shown, targets)),
            signs=SIGNS,
            targets=targets,
            providers=list(_providers(targets)),
            rankings=report.rankings,
            price_sources=report.price_sources,
            races=report.races,
            drifts=drift.shown_drifts(report, shown),
            verdicts=drift.STYLES,
            verdict_counts=report.verdicts,
            field_tables=report.field_tables,
            topics=report.topics,
            evidence=sections.evidence_anchors(report, shown),
            max_paths=sections.MAX_PATHS,
            policy=_policy(style, script),
            style=style,
            script=script,
        )
    )


def _targets(cells: Sequence[Cell]) -> list[str]:
    """Return every target, those of one provider side by side."""
    targets = dict.fromkeys(cell.target for cell in cells)
    providers = list(dict.fromkeys(target.partition("/")[0] for target in targets))
    return sorted(targets, key=lambda target: providers.index(target.partition("/")[0]))


def _providers(targets: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield the providers in the order of their targets, and the models of each."""
    for provider, mine in groupby(targets, key=_provider):
        yield provider, [target.removeprefix(f"{provider}/") for target in mine]


def _provider(target: str) -> str:
    """Return the provider of a target, whose model may have a label: `zhipuai/glm-4 (june)`."""
    return target.partition(" (")[0].rpartition("/")[0]


Row = tuple[sections.Section, list[tuple[Cell | None, str]]]


def _matrix(
    report: Report, shown: Sequence[sections.Section], targets: Sequence[str]
) -> Iterator[Row]:
    """Yield a row per scenario with a cell per target and the anchor of its conversation."""
    known = {(cell.scenario, cell.target): cell for cell in report.overview}
    for scenario, section in zip(report.scenarios, shown, strict=True):
        anchors = {column.target: column.anchor for column in reversed(section.columns)}
        row = [(known.get((scenario, t)), anchors.get(t, section.anchor)) for t in targets]
        yield section, row


def _policy(style: Markup, script: Markup) -> str:
    """Return a policy that allows this script and this style by their hashes, and nothing else."""
    return (
        f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; "
        f"script-src '{_hash(script)}'; base-uri 'none'; form-action 'none'"
    )


def _hash(text: Markup) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


@cache
def _file(name: str) -> Markup:
    """Return a file of this folder."""
    text = files("harness.report.html").joinpath(name).read_text(encoding="utf-8")
    return Markup(text)  # noqa: S704 - no word of a recording is in it


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("harness.report", "html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: plain(value) if type(value) is str else value,
    )
    environment.globals |= {
        "t": messages.text,
        "word": messages.word,
        "plural": messages.plural,
        "label": messages.label,
        "place": messages.place,
    }
    environment.filters |= {
        "seconds": format.seconds,
        "number": format.number,
        "money": format.money,
        "script": format.script,
        "breakable": breakable,
        "amount": lambda number: f"{number:g}",
        "language": language,
        "prose": prose,
        "size": size,
        "short": lambda text: cut(line(text), _SHORT),
        "day": lambda time: time[:10],
        "rule_text": RULE_TEXTS.get,
        "chinese": translate,
        "origin_text": ORIGINS.get,
        "coded": coded,
        "detail": detail,
    }
    return environment


def breakable(path: str) -> Markup:
    """Return a path that may be broken before its dots."""
    return Markup("<wbr>.").join(path.split("."))


def language(text: str) -> str:
    """Return the language of a text, for the shapes of its characters."""
    return "zh-Hans" if _CHINESE.search(text) else "en"


def detail(finding: Finding) -> str:
    """Return what a message says besides the expected and the actual value; empty if nothing."""
    both = f"expected {finding.expected}, actual {finding.actual}"
    return "" if finding.message == both and len(both) <= _SHORT else finding.message


def coded(text: str) -> Markup:
    """Return a text with what stands between backticks as code."""
    parts = (escape(part) for part in text.split("`"))
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else part
        for number, part in enumerate(parts)
    )


def size(number: int) -> str:
    """Return a number of bytes as text: `812 B`, `3.4 kB`."""
    return f"{number} B" if number < 1000 else f"{number / 1000:.1f} kB"
