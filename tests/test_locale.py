"""The catalogues: complete, not stale, and in the words that Chinese developers use."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from conftest import one_process, results

from harness import locale
from harness.analysis.difference import ChangeKind, Verdict
from harness.cassette import age
from harness.comparison.fields import FIELDS, RESPONSES, Presence
from harness.comparison.pairs import REASONS
from harness.comparison.summary import PARTS
from harness.providers.rules import RULES
from harness.report.model import State
from harness.report.rule_texts import LABELS, RULE_TEXTS
from harness.types import Severity

if TYPE_CHECKING:
    from conftest import Python

ROOT = Path(__file__).parent.parent
CATALOGUES = sorted(ROOT.glob("harness/locale/*/LC_MESSAGES/*.po"))
(KEYWORDS,) = re.findall(r"^KEYWORDS := ((?:.*\\\n)*.*)$", (ROOT / "Makefile").read_text(), re.M)

SAME_IN_CHINESE = {"DashScope", "HTTP", "ID", "JSON", "SDK", "SSE", "Schema", "UTF", "token"}
"""Words that are not translated; other English stands between backticks."""

_CODE = re.compile("`([^`]+)`")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """The messages that are in the code now."""
    path = tmp_path_factory.mktemp("catalogue") / "harness.pot"
    command = [sys.executable, "-m", "babel.messages.frontend", "-q", "extract"]
    command += ["-F", "pyproject.toml", *KEYWORDS.replace("\\", "").split(), "-o", str(path), "."]
    subprocess.run(command, cwd=ROOT, check=True, timeout=300)  # noqa: S603 - Babel
    with path.open("rb") as file:
        return read_po(file)


def catalogue(path: Path) -> Catalog:
    """A catalogue of the package."""
    with path.open("rb") as file:
        return read_po(file)


@pytest.mark.slow
@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])
def test_a_catalogue_has_the_messages_of_the_code(path: Path, template: Catalog) -> None:
    """A catalogue has every message, translated, and no other. Run `make catalogues` to update.

    An error message may lack a translation until the next update: it is then shown in English.
    """
    every = [message for message in catalogue(path) if message.id]
    messages = {message.id: message for message in every if message.context != locale.ERROR}
    wanted = {message.id for message in template if message.id and not message.context}
    assert sorted(map(str, wanted - set(messages))) == []
    assert sorted(map(str, set(messages) - wanted)) == []
    assert [m.id for m in messages.values() if m.fuzzy or not all(m.string or [""])] == []


@pytest.mark.slow
def test_functions_that_print_are_known_by_their_names() -> None:
    """Messages of a function that was renamed would be lost at the next extraction."""
    source = (ROOT / "scripts/extract.py").read_text(encoding="utf-8")
    names = re.findall(r'"(\w+)"', re.findall(r"^PRINTING = \((.*)\)$", source, re.M)[0])
    code = "".join(path.read_text("utf-8") for path in ROOT.glob("harness/**/*.py"))
    assert [name for name in names if f"def {name}(" not in code] == []


def test_each_rule_text_is_in_the_catalogue(template: Catalog) -> None:
    """What reports print of a rule is what the extractor takes from its docstring."""
    assert {text for text in RULE_TEXTS.values() if text not in template} == set()


@pytest.mark.parametrize("text", RULE_TEXTS.values(), ids=RULE_TEXTS)
def test_the_chinese_text_of_a_rule(text: str) -> None:
    """It is one Chinese sentence with the code and the numbers of the English one."""
    chinese = locale.translate(text)
    words = _CODE.sub("", chinese)
    assert len(re.findall("[\u4e00-\u9fff]", words)) >= 6
    assert set(re.findall("[A-Za-z]+", words)) <= SAME_IN_CHINESE
    assert chinese.endswith("。")
    assert not re.search("[\u4e00-\u9fff] ?[,.:;()?!]", chinese)
    assert "  " not in chinese
    assert set(_CODE.findall(text)) <= set(_CODE.findall(chinese))
    assert set(re.findall("[0-9]+", text)) <= set(re.findall("[0-9]+", chinese))


def test_no_two_rules_have_the_same_chinese_text() -> None:
    """A sentence copied to a second rule would be wrong there."""
    assert len({locale.translate(text) for text in RULE_TEXTS.values()}) == len(RULE_TEXTS)


def test_findings_that_no_rule_makes_have_a_text() -> None:
    """Age and each kind of drift are described like rules."""
    others = {"rule", "reordered", "outcome", "missing turn", "out of format", "unlisted"}
    kinds = {f"drift_{kind.replace(' ', '_')}" for kind in ChangeKind if kind not in others}
    assert kinds | {"drift_missing", age.RULE} <= set(RULE_TEXTS)
    assert {rule.name for rule in RULES} <= set(RULE_TEXTS)


VALUES = {
    *(field.name for field in FIELDS),
    *(reason for _, reason in REASONS),
    *RESPONSES.values(),
    *PARTS,
    *ChangeKind,
    *Presence,
    *Severity,
    *State,
    *Verdict,
}


@pytest.mark.parametrize("value", sorted(map(str, VALUES)))
def test_a_value_of_the_page_is_translated(value: str) -> None:
    """Each value that the page shows has its Chinese word."""
    message = LABELS.get(value, value)
    assert locale.translate(message) != message


@pytest.mark.slow
def test_an_error_message_is_translated_with_its_values(template: Catalog) -> None:
    """Each value stands in the Chinese message, in whatever order; English elsewhere."""
    messages = {str(message.id) for message in template if message.context == locale.ERROR}
    known = {str(m.id) for m in catalogue(CATALOGUES[0]) if m.context == locale.ERROR and m.string}
    assert len(messages & known) > 0.9 * len(messages) > 150
    for message in messages & known:
        values = [f"值{number}" for number in range(message.count("{}"))]
        english = message.format(*values)
        with locale.in_language(locale.Language.ZH):
            chinese = locale.localized_error(english)
        assert (
            re.search("[\u4e00-\u9fff]", re.sub("值[0-9]", "", chinese))
            or "tool" in message
            or message.startswith("Value")
        )
        assert sorted(re.findall("值[0-9]", chinese)) == values
        assert locale.localized_error(english) == english


def test_what_stands_before_an_error_message_is_kept() -> None:
    """A path and a line, a place in a scenario, and a message within a message."""
    with locale.in_language(locale.Language.ZH):
        assert locale.localized_error("a b.yaml:3: not YAML: found a tab") == (
            "a b.yaml:3: 不是 YAML：found a tab"
        )
        assert locale.localized_error("x: it rains") == "x: it rains"
        message = "scenarios/x.yaml:3: targets[0].label must be text, not 5 (and 2 more)"
        assert locale.localized_error(message) == (
            "scenarios/x.yaml:3: targets[0].label 应为文本，而不是 5（还有 2 处）"
        )


def test_without_a_translation_a_message_is_english() -> None:
    """A missing catalogue or sentence is no error."""
    assert locale.translate("No such message.") == "No such message."
    assert locale.translate("Findings", "xx") == "Findings"
    assert locale.translate("") == ""
    assert locale.translate_count("{} turn", "{} turns", 2, "xx") == "{} turns"


NEW_RULE = """
from harness.providers import rules
from harness.rules.rule import exchange_rule

def no_greeting(reading):
    \"\"\"No greeting is sent.\"\"\"
    return iter(())

rules.RULES = (*rules.RULES, exchange_rule(no_greeting))
"""
"""The start of a program with one more rule, which is a function and nothing else."""

CASSETTE = str(ROOT / "cassettes" / "slogan" / "zhipuai-glm-5.3-flash.yaml")


@pytest.mark.slow
def test_a_rule_with_nothing_but_its_function_works(python: Python, tmp_path: Path) -> None:
    """No command fails because a translation, a sample or a source is missing."""
    lacks = "still lacks: evidence, sample, translation"
    expected = {
        ("rules",): ("No greeting is sent.", f"no_greeting: {lacks}"),
        ("rules", "no_greeting"): (lacks,),
        ("rules", "no_greeting", "--json"): ('"lacks": [',),
        ("check", CASSETTE, "--report", "page.html"): ("ok: 1 transcript",),
        ("rules", "--lang", "zh"): ("No greeting is sent.", "no_greeting: 尚缺：依据, 样例, 译文"),
        ("rules", "--lang", "zh", "--json"): ('"chinese": "No greeting is sent."',),
    }
    flag, program, commands = one_process(expected)
    ended = results(python(flag, NEW_RULE + program, commands, folder=tmp_path))
    for (command, texts), done in zip(expected.items(), ended, strict=True):
        assert (done.code, done.err) == (0, ""), command
        assert [text for text in texts if text not in done.out] == [], command
