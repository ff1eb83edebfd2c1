"""The page put together: template, style and script, and a policy that allows nothing else."""

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
from harness.report.field_map import topics
from harness.report.html import drift, evidence, fields, messages, pictures, sections
from harness.report.html.prose import prose
from harness.report.overview import Cell, State, cells
from harness.report.ranking import contests, races, sources
from harness.report.report import Report
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
"""Characters of a text where not all of it is to be shown."""

_CHINESE = re.compile("[\u3400-\u9fff]")


def report(report: Report) -> str:
    """A report as an HTML page."""
    made = sections.sections(report)
    album = pictures.album(sections.pictures(made))
    glance = cells(report)
    told = contests(report)
    drifts = drift.drifted(report, made)
    style, script = _ours("page.css"), _ours("page.js")
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            report=report,
            sandbox=Origin.SANDBOX in report.origins,
            severities=[(s.value, len(report.of(s))) for s in Severity],
            sections=made,
            findings=[told for section in made for told in section.findings],
            album=album,
            gallery=list(sections.gallery(made, album)),
            matrix=list(_matrix(report, made, glance)),
            signs=SIGNS,
            targets=_targets(glance),
            providers=list(_providers(_targets(glance))),
            contests=told,
            sources=sources(told),
            races=races(report),
            drifts=drifts,
            verdicts=drift.STYLES,
            verdict_counts=drift.counts(drifts),
            tables=fields.fields(report.reads),
            topics=topics(report.reads),
            evidence=evidence.anchors(report, made),
            max_paths=sections.MAX_PATHS,
            policy=_policy(style, script),
            style=style,
            script=script,
        )
    )


def _targets(glance: Sequence[Cell]) -> list[str]:
    """Every target, those of one provider side by side."""
    targets = dict.fromkeys(cell.target for cell in glance)
    providers = list(dict.fromkeys(target.partition("/")[0] for target in targets))
    return sorted(targets, key=lambda target: providers.index(target.partition("/")[0]))


def _providers(targets: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """The providers in the order of their targets, and the models of each."""
    for provider, mine in groupby(targets, key=_provider):
        yield provider, [target.removeprefix(f"{provider}/") for target in mine]


def _provider(target: str) -> str:
    """The provider of a target: what stands before its model, which may have a place beside it."""
    return target.partition(" (")[0].rpartition("/")[0]


Row = tuple[sections.Section, list[tuple[Cell | None, str]]]


def _matrix(
    report: Report, made: Sequence[sections.Section], glance: Sequence[Cell]
) -> Iterator[Row]:
    """A row per scenario, a cell per target, with the anchor of what it tells of."""
    known = {(cell.scenario, cell.target): cell for cell in glance}
    for scenario, section in zip(report.scenarios, made, strict=True):
        anchors = {column.target: column.anchor for column in reversed(section.columns)}
        row = [(known.get((scenario, t)), anchors.get(t, section.anchor)) for t in _targets(glance)]
        yield section, row


def _policy(style: Markup, script: Markup) -> str:
    """Nothing is loaded, nothing runs and nothing is styled but what is ours, to the byte."""
    return (
        f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; "
        f"script-src '{_hash(script)}'; base-uri 'none'; form-action 'none'"
    )


def _hash(text: Markup) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


@cache
def _ours(name: str) -> Markup:
    """A file beside this one."""
    text = files("harness.report.html").joinpath(name).read_text(encoding="utf-8")
    return Markup(text)  # noqa: S704 - no word of a recording is in it


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("harness.report", "html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda told: plain(told) if type(told) is str else told,
    )
    made.globals |= {
        "t": messages.text,
        "word": messages.word,
        "plural": messages.plural,
        "label": messages.label,
        "place": messages.place,
    }
    made.filters |= {
        "seconds": format.seconds,
        "number": format.number,
        "money": format.money,
        "letters": format.letters,
        "breakable": breakable,
        "amount": lambda told: f"{told:g}",
        "language": language,
        "prose": prose,
        "size": size,
        "short": lambda told: cut(line(told), _SHORT),
        "day": lambda told: told[:10],
        "rule_text": RULE_TEXTS.get,
        "chinese": translate,
        "origin_text": messages.ORIGINS.get,
        "coded": coded,
        "detail": detail,
    }
    return made


def breakable(path: str) -> Markup:
    """A path that may be broken before its dots, and so nowhere else where there is room."""
    return Markup("<wbr>.").join(path.split("."))


def language(text: str) -> str:
    """The language a text is marked with, so that its signs are drawn as its readers expect."""
    return "zh-Hans" if _CHINESE.search(text) else "en"


def detail(found: Finding) -> str:
    """What a message says beside what was expected and found; nothing if it says no more."""
    both = f"expected {found.expected}, actual {found.actual}"
    return "" if found.message == both and len(both) <= _SHORT else found.message


def coded(text: str) -> Markup:
    """A text of ours, what stands between backticks set as code."""
    parts = (escape(part) for part in text.split("`"))
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else part
        for number, part in enumerate(parts)
    )


def size(number: int) -> str:
    """Bytes, readable: `812 B`, `3.4 kB`."""
    return f"{number} B" if number < 1000 else f"{number / 1000:.1f} kB"
