"""The documentation site: its pages are made from the code, and the published schemas hold."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from harness.cli import COMMANDS
from harness.providers.rules import RULES
from scripts import site

if TYPE_CHECKING:
    from conftest import Harness

ROOT = Path(__file__).parent.parent.parent
CASSETTES = sorted(ROOT.glob("cassettes/*/*.yaml"))
MKDOCS = ROOT / ".venv" / "docs" / "bin" / "mkdocs"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages of the site."""
    folder = tmp_path_factory.mktemp("site") / "docs"
    site.main(folder)
    return folder


@pytest.mark.slow
def test_references_have_everything(pages: Path) -> None:
    """Each command, each rule in both languages, each key of a scenario, each public name."""
    cli = (pages / "reference" / "cli.md").read_text(encoding="utf-8")
    assert all(f"\n## `harness {command.name}`\n" in cli for command in COMMANDS)
    assert "\n### `harness contract learn`\n" in cli
    for name in ("rules.md", "rules.zh-CN.md"):
        text = (pages / "reference" / name).read_text(encoding="utf-8")
        assert re.findall(r"^## `(\w+)`", text, re.MULTILINE) == [rule.name for rule in RULES]
    assert "输入与输出的 token 数相加等于总数。" in text
    keys = (pages / "reference" / "scenarios.md").read_text(encoding="utf-8")
    assert "| `targets` (required) |" in keys
    assert "\n## `use_cassette`\n" in (pages / "reference" / "api.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_links_of_the_site_lead_to_its_pages(pages: Path) -> None:
    """Every page is in the navigation; links to files that the site has not are text."""
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2]
    english = {str(p.relative_to(pages)) for p in pages.rglob("*.md") if ".zh-CN" not in p.name}
    assert english == {*re.findall(r"- (\S+\.md)", nav)}
    for page in pages.rglob("*.md"):
        for _, _, address in site.LINK.findall(page.read_text(encoding="utf-8")):
            path = address.partition("#")[0]
            assert "://" in path or not path or (page.parent / path).exists(), (page, address)


@pytest.mark.slow
def test_the_site_is_built(pages: Path, tmp_path: Path) -> None:
    """Strictly, in both languages."""
    if not MKDOCS.exists():
        pytest.skip("mkdocs is not in .venv/docs: run make docs")
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    config = tmp_path / "mkdocs.yml"
    config.write_text(text.replace("build/docs", str(pages)).replace("build/site", "site"), "utf-8")
    command = [str(MKDOCS), "build", "--strict", "--quiet", "--config-file", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "tutorial.html").is_file()
    assert "教程" in (tmp_path / "site" / "zh-CN" / "tutorial.html").read_text(encoding="utf-8")


# ----------------------------------------------------------------------------------- schemas


def validator(name: str) -> Draft202012Validator:
    """A published schema."""
    text = (ROOT / "docs" / "reference" / f"{name}.schema.json").read_text(encoding="utf-8")
    schema = json.loads(text)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def plain(value: Any) -> Any:
    """A value of YAML as JSON has it."""
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    return value.decode("latin-1") if isinstance(value, bytes) else value


@pytest.mark.slow
@pytest.mark.parametrize("path", CASSETTES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_cassette_fits_the_published_schema(path: Path) -> None:
    """Read by PyYAML alone; and one without its last key does not."""
    document = plain(yaml.safe_load(path.read_bytes()))
    schema = validator("cassette")
    assert [error.message for error in schema.iter_errors(document)] == []
    del document["version"]
    assert not schema.is_valid(document)


@pytest.mark.slow
def test_outputs_fit_the_published_schemas(harness: Harness, tmp_path: Path) -> None:
    """Those of a check with a finding and of a drift."""
    shutil.copytree(ROOT / "cassettes" / "slogan", tmp_path / "old")
    shutil.copytree(tmp_path / "old", tmp_path / "new")
    for path in (tmp_path / "new").glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace('"total_tokens":', '"total_token":'), encoding="utf-8")
    checked = json.loads(harness("check", "new", "--json", folder=tmp_path).out)
    assert checked["findings"]
    assert [e.message for e in validator("report").iter_errors(checked)] == []
    drifted = json.loads(harness("drift", "old", "new", "--json", folder=tmp_path).out)
    assert drifted["counts"]["breaking"] == 2
    assert [e.message for e in validator("drift").iter_errors(drifted)] == []


OUTPUTS = {
    "list": "list",
    "scan": "scan .",
    "prune": "prune",
    "doctor": "doctor",
    "rules": "rules",
    "show": "show multi-turn/zhipuai",
    "show_difference": "show multi-turn/zhipuai multi-turn/dashscope",
    "compare": "compare multi-turn",
    "compare_sides": "compare multi-turn/zhipuai multi-turn/dashscope",
    "compare_fields": "compare --fields multi-turn",
    "parse": "parse cassettes/multi-turn",
    "faults": "faults cassettes --cases 1 --sdk openai --fault connection_reset",
    "plan": "record multi-turn --plan",
    "adopt": "adopt recording.yaml --scenarios adopted",
    "import": "import recording.yaml --cassettes imported",
}
"""The command of each output in `outputs.schema.json`; `record` and `serve` take their time."""


@pytest.mark.slow
def test_other_outputs_fit_their_published_schemas(harness: Harness, tmp_path: Path) -> None:
    """Those of commands that make no report."""
    schema = json.loads((ROOT / "docs" / "reference" / "outputs.schema.json").read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    assert {*schema["$defs"]} == {*OUTPUTS, "list_tests", "record", "serve"}
    (tmp_path / "scenarios").mkdir()
    shutil.copy(ROOT / "scenarios" / "multi-turn.yaml", tmp_path / "scenarios")
    recordings = tmp_path / "cassettes" / "multi-turn"
    shutil.copytree(ROOT / "cassettes" / "multi-turn", recordings)
    shutil.copy(recordings / "zhipuai-glm-5.3-flash.yaml", tmp_path / "recording.yaml")
    for name, command in OUTPUTS.items():
        done = harness(*command.split(), "--json", folder=tmp_path)
        errors = Draft202012Validator(schema["$defs"][name]).iter_errors(json.loads(done.out))
        assert [f"{error.json_path}: {error.message}" for error in errors] == [], name
    shutil.rmtree(tmp_path / "scenarios")
    for name, *others in (["list_tests"], ["prune"], ["compare", str(UNPRICED)]):
        done = harness(name.partition("_")[0], *others, "--json", folder=tmp_path)
        assert Draft202012Validator(schema["$defs"][name]).is_valid(json.loads(done.out)), name


UNPRICED = ROOT / "examples" / "kinds" / "cassettes" / "weather-forms"
"""Recordings of models of which some have no price."""


@pytest.mark.slow
def test_fixtures_can_be_read_without_the_harness(pages: Path) -> None:
    """By PyYAML and the page that specifies the format: the same bodies, cut at the same places."""
    fixtures = sorted((pages / "reference" / "fixtures").glob("*.yaml"))
    assert len(fixtures) == len(site.FIXTURES)
    for path in fixtures:
        expected = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        document = yaml.safe_load(path.read_bytes())
        facts = document["metadata"]["harness"]["exchanges"]
        for want, item, fact in zip(expected, document["interactions"], facts, strict=True):
            body = item["response"]["body"]["string"].encode()
            assert want["body"] == sha256(body).hexdigest()
            for piece, size in zip(want["pieces"], fact["chunks"], strict=True):
                assert piece == sha256(body[:size]).hexdigest()
                body = body[size:]
            assert body == b""
