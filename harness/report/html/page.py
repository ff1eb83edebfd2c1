"""The page: its templates, its style and script, and a policy that blocks all other content."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from harness.comparison.matrix import Matrix
from harness.locale import LANGUAGE, Language, localized, translate
from harness.providers.masking import text_masker
from harness.providers.rules import Examined
from harness.report import format
from harness.report.forks import Forks, Recording
from harness.report.html import bodies, charts, contents, messages, packing, sections
from harness.report.model import ORIGINS, Cell, Pack, Report
from harness.report.rule_texts import RULE_TEXTS
from harness.report.trends import FIELDS, FINDINGS, Trend, trends
from harness.types import Finding, Origin, Provenance, Severity
from harness.wire.text import cut, line, plain

STYLES: Mapping[str, Mapping[str, str]] = json.loads(
    Path(__file__).with_name("styles.json").read_text(encoding="utf-8")
)
"""The signs and CSS classes of states, roles and verdicts of drift."""

_SHORT = 300
"""The largest number of characters that are shown of a long text."""

_CHINESE = re.compile("[\u3400-\u9fff]")


def report(
    report: Report, home: str = "", refresh: int = 0, others: Sequence[Recording] = ()
) -> str:
    """Return a report as an HTML page with its secrets masked; see `pieces`."""
    return "".join(pieces(report, home, refresh, others))


def pieces(
    report: Report, home: str = "", refresh: int = 0, others: Sequence[Recording] = ()
) -> Iterator[str]:
    """Return the text of an HTML page of a report in pieces, with its secrets masked.

    The page is rendered when this is called.

    Args:
        report: The report.
        home: The address of the list of recordings, to which the page links; empty for no link.
        refresh: After how many seconds a browser loads the page again; 0 for never.
        others: Recordings on other pages that recordings of the report may continue.
    """
    shown = sections.sections(report)
    album = contents.album(sections.pictures(shown))
    targets = _targets(report.overview)
    style, script = _file("page.css"), _file("page.js")
    findings = [one for section in shown for one in section.findings]
    rules = _rules(findings)
    drifts = sections.shown_drifts(report, shown)
    shown_trends = trends(report.history)
    context = {
        "report": report,
        "home": home,
        "refresh": refresh,
        "trends": shown_trends,
        "changed": _changed(shown_trends),
        "sandbox": Origin.SANDBOX in report.origins,
        "severities": [(s.value, len(report.of(s))) for s in Severity],
        "sections": shown,
        "forks": Forks((*sections.recordings(shown), *others)),
        "findings": findings,
        "album": album,
        "gallery": list(sections.gallery(shown, album)),
        "matrix": list(_matrix(report, shown, targets)),
        "targets": targets,
        "providers": list(_providers(targets)),
        "rules": rules,
        "rule_anchors": {name: f"rule-{number}" for number, name in enumerate(rules, start=1)},
        "rankings": () if report.is_list else report.rankings,
        "scenario_rankings": () if report.is_list else report.scenario_rankings,
        "drifts": drifts,
        "drift_anchors": {one.drift: one.anchor for one in drifts},
        "evidence": sections.evidence_anchors(shown),
        "policy": _policy(style, script),
        "style": style,
        "script": script,
    }
    template = _environment().get_template
    is_large = len(report.reads) >= packing.LARGE or report.exchanges >= packing.MANY
    if not is_large and not report.drawn.packs:
        return iter([text_masker()(template("page.html.j2").render(context, is_packed=False))])
    drawn = report.drawn
    scenario = template("packed.html.j2")
    packs = packing.packs(
        lambda section: scenario.render(context, section=section.fresh),
        [section for section in shown if section.name not in drawn.numbers],
        report.processes,
        report.is_masked,
    )
    page = text_masker()(template("page.html.j2").render(context, is_packed=True))
    early, late = iter(drawn.packs), iter(packs)
    both = (next(early if section.name in drawn.numbers else late) for section in shown)
    return packing.filled(page, both)


@dataclass(frozen=True, slots=True)
class SectionDrawer:
    """A function that draws the section of a scenario while its recordings are in memory.

    What a section says of others is not known then. So none is drawn that has findings, which are
    numbered, or shows images, which have a largest size together, or forks.

    Attributes:
        parents: The names of the recordings that others continue.
    """

    parents: frozenset[str]

    def __call__(self, number: int, examined: Sequence[Examined], compared: Matrix) -> Pack | None:
        """Return the section with this *number* on the page; None if it cannot be drawn yet.

        *examined* are the recordings of its scenario, with masked secrets.
        """
        reads = [one.transcript for one in examined]
        own = [Recording.of(read.transcript.provenance) for read in reads]
        if any(one.parent or one.name in self.parents for one in own):
            return None
        if any(one.judged.findings for one in examined):
            return None
        shown = sections.section_of(compared.scenario, number, reads, compared)
        if any(column.outline.files for column in shown.columns):
            return None
        template = _environment().get_template("packed.html.j2")
        html = template.render(section=shown, forks=Forks(()), album={})
        return packing.packed(html, is_masked=True)


def drawer(recordings: Sequence[Provenance]) -> SectionDrawer | None:
    """Return a function that draws the sections of a page about *recordings* one by one.

    None if the page is not large, so that its sections are not packed.
    """
    if len(recordings) < packing.LARGE:
        return None
    return SectionDrawer(frozenset(Recording.of(one).parent for one in recordings) - {""})


def _changed(trends: Mapping[str, Sequence[Trend]]) -> Mapping[str, Sequence[Trend]]:
    """Return the findings and fields that are not as in every earlier run."""
    found = {t: [one for one in trends.get(t, ()) if one.changed] for t in (FINDINGS, FIELDS)}
    return {title: changed for title, changed in found.items() if changed}


def index(**values: object) -> str:
    """Return the list of recordings of `harness view` as an HTML page, which has no script.

    Its secrets are masked. *values* are the variables of the template.
    """
    style = _file("page.css")
    return text_masker()(
        _environment()
        .get_template("index.html.j2")
        .render(
            **values,
            lang="zh-Hans" if LANGUAGE.get() is Language.ZH else "en",
            policy=_policy(style, Markup(""), form="'self'"),
            style=style,
        )
    )


def _rules(
    findings: Sequence[sections.NumberedFinding],
) -> Mapping[str, list[sections.NumberedFinding]]:
    """Return the findings of each rule, the rule with the most of them first."""
    broken: dict[str, list[sections.NumberedFinding]] = {}
    for one in findings:
        broken.setdefault(one.finding.rule, []).append(one)
    return dict(sorted(broken.items(), key=lambda item: -len(item[1])))


def _targets(cells: Sequence[Cell]) -> list[str]:
    """Return the names of all targets, sorted so that those of one provider are adjacent."""
    targets = dict.fromkeys(cell.target for cell in cells)
    providers: dict[str, int] = {}
    for target in targets:
        providers.setdefault(target.partition("/")[0], len(providers))
    return sorted(targets, key=lambda target: providers[target.partition("/")[0]])


def _providers(targets: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield each provider in the order of *targets*, with the names of its models."""
    for provider, mine in groupby(targets, key=_provider):
        yield provider, [target.removeprefix(f"{provider}/") for target in mine]


def _provider(target: str) -> str:
    """Return the provider in a target's name: `zhipuai` for `zhipuai/glm-5.3 (june)`; or empty."""
    provider, slash, _ = target.partition(" (")[0].partition("/")
    return provider if slash else ""


MatrixRow = tuple[sections.ScenarioSection, list[tuple[Cell | None, str]]]


def _matrix(
    report: Report, shown: Sequence[sections.ScenarioSection], targets: Sequence[str]
) -> Iterator[MatrixRow]:
    """Yield a row per scenario: for each target its cell, None if absent, and an anchor.

    The anchor is that of the conversation or, where there is none, of the scenario. In the rows of
    a list there are no absent cells: it may have as many targets as scenarios.
    """
    known = {(cell.scenario, cell.target): cell for cell in report.overview}
    order, is_list = {target: number for number, target in enumerate(targets)}, report.is_list
    for scenario, section in zip(report.scenarios, shown, strict=True):
        anchors = {column.target: column.anchor for column in reversed(section.columns)}
        own = sorted(report.targets[scenario], key=order.__getitem__) if is_list else targets
        yield section, [(known.get((scenario, t)), anchors.get(t, section.anchor)) for t in own]


def _policy(style: Markup, script: Markup, form: str = "'none'") -> str:
    """Return a content security policy that allows only this style, this script and data images.

    *form* is the source to which forms may be sent.
    """
    return (
        f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; "
        f"script-src '{_hash(script)}'; base-uri 'none'; form-action {form}"
    )


def _hash(text: Markup) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


@cache
def _file(name: str) -> Markup:
    """Return the text of a file of this folder, not to be escaped."""
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
        **STYLES,
        "max_changes": sections.MAX_CHANGES,
        "max_paths": sections.MAX_PATHS,
        "max_body": bodies.MAX_BODY,
        "t": messages.text,
        "word": messages.word,
        "plural": messages.plural,
        "label": messages.label,
        "place": messages.place,
        "bilingual": messages.detail,
        "problem_text": messages.problem,
        "localized": localized,
    }
    own = (breakable, language, size, ticks, coded, command, indented, detail, headers)
    of_all = (format.seconds, format.number, format.money, format.script)
    filters = (*own, *of_all, contents.prose, charts.charts)
    environment.filters |= {function.__name__: function for function in filters}
    environment.filters |= {
        "body": bodies.html,
        "amount": lambda number: f"{number:g}",
        "short": short,
        "day": lambda time: time[:10],
        "rule_text": RULE_TEXTS.get,
        "chinese": translate,
        "origin_text": ORIGINS.get,
        "figure": lambda value: f"{value:.4g}",
        "query": urlencode,
    }
    return environment


def breakable(path: str) -> Markup:
    """Return *path* as HTML in which a browser may break the line before each dot."""
    return Markup("<wbr>.").join(path.split("."))


def language(text: str) -> str:
    """Return the value of `lang` for a text: `zh-Hans` if it has Chinese characters, else `en`."""
    return "zh-Hans" if _CHINESE.search(text) else "en"


def detail(finding: Finding) -> str:
    """Return a finding's message; empty if it only repeats the expected and the actual value."""
    both = f"expected {finding.expected}, actual {finding.actual}"
    return "" if finding.message == both and len(both) <= _SHORT else finding.message


def coded(text: str) -> Markup:
    """Return a text as HTML in which each passage between backticks is a `code` element."""
    parts = (escape(part) for part in text.split("`"))
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else part
        for number, part in enumerate(parts)
    )


def command(finding: Finding) -> str:
    """Return the command that reports *finding* again; empty if its file is not known."""
    return f"harness check {shlex.quote(finding.source)}" if finding.source else ""


def indented(text: str) -> str:
    """Return JSON text indented, with its numbers and strings unchanged; other text unchanged."""
    pieces = bodies.pieces(text.encode("utf-8", "replace"), ())
    return "".join(piece.text for piece in pieces)


def short(text: str) -> str:
    """Return the beginning of a long text, on one line."""
    return cut(line(text), _SHORT)


def headers(found: Iterable[tuple[str, str]]) -> Markup:
    """Return HTTP headers as HTML, a line for each, long values cut."""
    return Markup("".join(_header(name, value) for name, value in found))  # noqa: S704 - escaped


@lru_cache(4096)  # most exchanges have the same headers
def _header(name: str, value: str) -> str:
    return f"{escape(plain(name))}: {escape(short(value))}\n"


def size(number: int) -> str:
    """Return a number of bytes as text: `812 B`, `3.4 kB`."""
    return f"{number} B" if number < 1000 else f"{number / 1000:.1f} kB"


def ticks(chunks: Iterable[charts.Tick]) -> Markup:
    """Return the chunks of a stream as SVG rectangles, each with its time and size."""
    svg = (
        f'<rect class="tick" x="{one.x}%" y="{round(100 - one.height, 1)}%" width="2"'
        f' height="{one.height}%"><title>{format.seconds(one.at)}, {size(one.size)}</title></rect>'
        for one in chunks
    )
    return Markup("".join(svg))  # noqa: S704
