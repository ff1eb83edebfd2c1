"""harness drift, and the age of cassettes, as a user runs them."""

from __future__ import annotations

import json
import re
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.providers.servers import PROVIDER_SERVERS
from harness.sandbox import Options, serve

if TYPE_CHECKING:
    from conftest import Done, Harness

pytestmark = pytest.mark.slow

ZHIPU_KEY = "5ec2e7c0ffee5ec2e7c0ffee5ec2e7c0.GEHEIMgeheim1234"
DASH_KEY = "sk-5ec2e7c0ffee4dadbeef4dad4dadbeef"
SLOGAN = Path("slogan") / "zhipuai-glm-5.3-flash.yaml"


@pytest.fixture
def old(folder: Path) -> Path:
    """A copy of all cassettes, as another checkout would have them."""
    return shutil.copytree(folder / "cassettes", folder / "old")


def edit(path: Path, before: str, after: str) -> None:
    """Write something else into a file, once."""
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), encoding="utf-8")


def verdicts(done: Done) -> dict[str, str]:
    """The verdict of each target."""
    told = json.loads(done.out)["drifts"]
    return {f"{one['scenario']}/{one['target']}": one["verdict"] for one in told}


def files(folder: Path) -> Mapping[str, bytes]:
    """Every file below a folder."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_two_checkouts(harness: Harness, folder: Path, old: Path) -> None:
    """A verdict for each target, with its evidence; 1 where one is breaking."""
    done = harness("drift", "old", "cassettes", folder=folder)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[-1] == "6 same"
    edit(folder / "cassettes" / SLOGAN, '"total_tokens":', '"all_tokens":')
    done = harness("drift", "old", "cassettes", "--report", "junit.xml", folder=folder)
    assert (done.code, done.err) == (1, "")
    renamed = "turn 1, zhipuai.chat answer, /usage/total_tokens: renamed -> /usage/all_tokens"
    assert f"breaking: {renamed}" in done.out
    assert "added" not in done.out
    assert done.out.splitlines()[-1] == "5 same, 1 breaking"
    suites = ET.parse(folder / "junit.xml").getroot()  # noqa: S314 - our own
    cases = suites.findall("testsuite/testcase")
    failed = [case for case in cases if case.find("failure") is not None]
    assert [(case.get("classname"), case.get("name")) for case in failed] == [
        ("slogan", "zhipuai/glm-5.3-flash")
    ]
    assert {f.get("type") for f in failed[0].findall("failure")} >= {"drift_removed"}
    told = harness("drift", "old", "cassettes", "--json", folder=folder)
    assert (told.code, told.err) == (1, "")
    assert verdicts(told)["slogan/zhipuai/glm-5.3-flash"] == "breaking"


def test_from_which_verdict_on_it_fails(harness: Harness, folder: Path, old: Path) -> None:
    """By default what breaks readers; what was added too, if asked for."""
    edit(old / SLOGAN, '"total_tokens":', '"all_tokens":')
    edit(folder / "cassettes" / SLOGAN, '"usage":{', '"usage":{"all_tokens":1,')
    edit(old / SLOGAN, '"all_tokens":', '"total_tokens":')
    assert harness("drift", "old", "cassettes", folder=folder).code == 0
    done = harness("drift", "old", "cassettes", "--fail-on", "new-field", folder=folder)
    assert done.code == 1
    assert done.out.splitlines()[-1] == "5 same, 1 new field"
    assert harness("drift", "old", "cassettes", "--fail-on", "wording", folder=folder).code == 2


def test_what_is_on_one_side_only(harness: Harness, folder: Path, old: Path) -> None:
    """It is told, on both sides; where nothing is on both, that is an error."""
    (folder / "cassettes" / SLOGAN).unlink()
    shutil.rmtree(old / "refusals")
    done = harness("drift", "old", "cassettes", folder=folder)
    assert (done.code, done.err) == (0, "")
    assert "only on the old side, not compared: slogan, zhipuai/glm-5.3-flash" in done.out
    assert "only on the new side, not compared: refusals, zhipuai/glm-5.3-flash" in done.out
    shutil.rmtree(folder / "cassettes" / "slogan")
    done = harness("drift", "old/slogan", "cassettes", folder=folder)
    assert (done.code, done.out) == (2, "")
    assert "nothing to compare" in done.err


def test_two_files(harness: Harness, folder: Path, old: Path) -> None:
    """Whatever they are called, and whoever recorded them."""
    one, two = old / SLOGAN, folder / "two.yaml"
    text = (folder / "cassettes" / SLOGAN).read_text(encoding="utf-8")
    two.write_text(re.sub(r"(?ms)^metadata:.*?^(?=\S)", "", text), encoding="utf-8")
    done = harness("drift", str(one), "two.yaml", folder=folder)
    assert done.code == 0, done.err
    assert done.out.splitlines()[-1] == "1 same"


def test_repeats_of_two_checkouts(harness: Harness, folder: Path, old: Path) -> None:
    """Of the old ones, each says what was seen before; of the new ones, each may have drifted."""
    again = SLOGAN.with_name("zhipuai-glm-5.3-flash~2.yaml")
    shutil.copy(old / SLOGAN, old / again)
    edit(old / again, '"usage":{', '"usage":{"extra":1,')
    shutil.copy(folder / "cassettes" / SLOGAN, folder / "cassettes" / again)
    edit(folder / "cassettes" / again, '"usage":{', '"usage":{"extra":1,')
    done = harness("drift", "old", "cassettes", folder=folder)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[-1] == "6 same"
    edit(folder / "cassettes" / again, '"total_tokens":', '"all_tokens":')
    done = harness("drift", "old", "cassettes", "--json", folder=folder)
    assert (done.code, verdicts(done)["slogan/zhipuai/glm-5.3-flash"]) == (1, "breaking")
    assert len(verdicts(done)) == len(json.loads(done.out)["drifts"]) == 6
    files = (str(old / SLOGAN), str(folder / "cassettes" / SLOGAN))
    assert harness("drift", *files, folder=folder).code == 0
    shutil.copy(old / SLOGAN, folder / "cassettes" / again)
    for path in (old / again, folder / "cassettes" / again):
        edit(path, '"finish_reason":"stop"', '"finish_reason":"odd"')
    done = harness("drift", "old", "cassettes", "--fail-on", "new-field", folder=folder)
    assert done.code == 0, done.out
    (old / again).write_text("interactions: [", encoding="utf-8")
    done = harness("drift", "old", "cassettes", folder=folder)
    assert done.code == 2
    assert "glm-5.3-flash~2.yaml" in done.out


def test_foreign_cassettes_by_their_path(harness: Harness, folder: Path, old: Path) -> None:
    """Nobody says which scenario it was."""
    for name in ("old", "new"):
        (folder / "foreign" / name / "a").mkdir(parents=True)
        text = (old / SLOGAN).read_text(encoding="utf-8")
        text = re.sub(r"(?ms)^metadata:.*?^(?=\S)", "", text)
        (folder / "foreign" / name / "a" / "b.yaml").write_text(text, encoding="utf-8")
    done = harness("drift", "foreign/old", "foreign/new", folder=folder)
    assert (done.code, done.err) == (0, "")
    assert "a/b.yaml" in done.out
    assert done.out.splitlines()[-1] == "1 same"


def test_a_cassette_that_cannot_be_read(harness: Harness, folder: Path, old: Path) -> None:
    """The others are compared, and the code is 2."""
    (old / SLOGAN).write_text("interactions: [", encoding="utf-8")
    done = harness("drift", "old", "cassettes", folder=folder)
    assert done.code == 2
    assert "old/slogan/zhipuai-glm-5.3-flash.yaml" in done.out
    assert done.out.splitlines()[-1] == "5 same"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "expected two cassettes or folders"),
        (["one"], "expected two cassettes or folders"),
        (["old", "nowhere"], "nowhere: there is no such file or folder"),
        (["old", "cassettes", "--budget", "3"], "need --live"),
        (["old", "cassettes", "--contract", "none.yaml"], "there is no contract none.yaml"),
        (["--live", "--sandbox"], "give one of them"),
        (["--plan", "--report", "build"], "--plan has no findings"),
        (["--live", "no-such"], "there is no scenario 'no-such'"),
        (["--live"], "set ZHIPUAI_API_KEY and DASHSCOPE_API_KEY"),
        (["--live", "--target", "dashscope"], "needs keys: set DASHSCOPE_API_KEY ("),
        (["--sandbox", "--out", "cassettes"], "holds the cassettes on file"),
        (["--sandbox", "--cassettes", "none"], "no recording on file to compare with"),
    ],
    ids=" ".join,
)
def test_wrong_use(
    harness: Harness, folder: Path, old: Path, arguments: list[str], said: str
) -> None:
    """One clear message, and nothing is written."""
    before = files(folder)
    done = harness("drift", *arguments, folder=folder)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("harness: ")
    assert said in done.err
    assert files(folder) == before


# ------------------------------------------------------------------------------- asked anew


def test_asked_anew(harness: Harness, folder: Path) -> None:
    """The same service says the same; what is on file is not touched, and nothing is left."""
    before = files(folder)
    done = harness("drift", "--sandbox", folder=folder)
    assert (done.code, done.err) == (0, "")
    assert re.search(r"\d same|\d wording only", done.out.splitlines()[-1])
    assert "breaking" not in done.out.splitlines()[-1]
    assert files(folder) == before


def test_a_service_that_changed(harness: Harness, folder: Path) -> None:
    """What is on file has a field that nobody answers any more; the new recording is kept."""
    edit(folder / "cassettes" / SLOGAN, '"usage":{', '"usage":{"cached_tokens":0,')
    before = files(folder)
    asked = ("slogan", "--target", "zhipuai", "--out", "anew")
    done = harness("drift", "--sandbox", *asked, "--json", folder=folder)
    assert (done.code, done.err) == (1, "")
    assert verdicts(done) == {"slogan/zhipuai/glm-5.3-flash": "breaking"}
    (change,) = (c for c in json.loads(done.out)["drifts"][0]["changes"] if c["kind"] == "removed")
    assert (change["turn"], change["path"]) == (1, "/usage/cached_tokens")
    assert (change["before"], change["after"]) == ("integer", "")
    assert {*files(folder)} - {*before} == {f"anew/{SLOGAN}"}
    assert harness("drift", "cassettes/slogan", "anew", folder=folder).code == 1


def test_a_plan_asks_nothing(harness: Harness, folder: Path) -> None:
    """It says what would be asked, what it takes, what is left out and why; it needs no keys."""
    done = harness("drift", "--plan", "--budget", "2", folder=folder)
    assert (done.code, done.err) == (0, "")
    assert (
        "omitted: refusals/zhipuai-glm-5.3-flash: costs 4 calls, 0 remaining; would exercise"
        in done.out
    )
    assert re.search(r"2 calls; exercises \d+ of \d+ checks \(\d\d%\)", done.out)
    told = json.loads(harness("drift", "--plan", "--budget", "2", "--json", folder=folder).out)
    assert told["calls"] == sum(one["calls"] for one in told["chosen"]) == 2
    assert len(told["chosen"]) + len(told["omitted"]) == 6
    assert 0 < told["exercises"] < told["of"] == told["exercises"] + len(told["not_exercised"])
    whole = json.loads(harness("drift", "--plan", "--json", folder=folder).out)
    assert (len(whole["chosen"]), whole["exercises"]) == (6, whole["of"])


def test_what_a_budget_asks(harness: Harness, folder: Path) -> None:
    """Only what the plan says; the rest is not compared. A contract adds its clauses."""
    assert harness("contract", "learn", "cassettes", folder=folder).code == 0
    budget = ("--budget", "2", "--contract", "contract.yaml", "--json")
    plan = json.loads(harness("drift", "--plan", "--sandbox", *budget, folder=folder).out)
    rules = harness("drift", "--plan", "--sandbox", "--json", folder=folder)
    assert plan["of"] > json.loads(rules.out)["of"]
    done = harness("drift", "--sandbox", *budget, folder=folder)
    assert done.code == 0
    told = json.loads(done.out)
    assert told["plan"] == plan
    assert len(told["drifts"]) == len(plan["chosen"]) == 2
    done = harness("drift", "--sandbox", "--budget", "1", "refusals", folder=folder)
    assert (done.code, done.out) == (2, "")
    assert "no recording can be made again with --budget 1" in done.err


@pytest.fixture
def service() -> Iterator[str]:
    """What takes the place of the live services: it knows the user's keys and no other."""
    with serve(
        Options(port=0, keys={"zhipuai": ZHIPU_KEY, "dashscope": DASH_KEY}), PROVIDER_SERVERS
    ) as base:
        yield base


def test_live(
    harness: Harness, folder: Path, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the user's keys, at the SDKs' addresses. Steps for the sandbox only are not asked, and
    not missed. No key is told."""

    def run(*arguments: str) -> Done:
        harness("list", folder=folder)  # clears the variables
        monkeypatch.setenv("ZHIPUAI_API_KEY", ZHIPU_KEY)
        monkeypatch.setenv("DASHSCOPE_API_KEY", DASH_KEY)
        monkeypatch.setenv("ZHIPUAI_BASE_URL", f"{service}/api/paas/v4")
        monkeypatch.setenv("DASHSCOPE_HTTP_BASE_URL", f"{service}/api/v1")
        return harness(*arguments, folder=folder)

    before = files(folder)
    done = run("drift", "--live", "refusals", "slogan", "--json", "--out", "anew")
    assert (done.code, done.err) == (0, "")
    assert len(verdicts(done)) == 4
    assert set(verdicts(done).values()) <= {"same", "wording only"}
    notes = {note for one in json.loads(done.out)["drifts"] for note in one["notes"]}
    assert notes == set()  # the recording knows that a sandbox answered
    assert {name for name in files(folder) if not name.startswith("anew/")} == {*before}
    kept = "".join(path.read_text(encoding="utf-8") for path in (folder / "anew").rglob("*.yaml"))
    for secret in (ZHIPU_KEY, ZHIPU_KEY.split(".")[1], DASH_KEY.removeprefix("sk-")):
        assert secret not in done.out + kept


def test_a_service_that_refuses(harness: Harness, folder: Path) -> None:
    """What it answered before is refused now: breaking, with the refusal's words."""
    edit(folder / "scenarios" / "slogan.yaml", "zhipuai/glm-5.3-flash", "zhipuai/no-such-model")
    path = folder / "cassettes" / "slogan"
    shutil.copy(path / "zhipuai-glm-5.3-flash.yaml", path / "zhipuai-no-such-model.yaml")
    done = harness("drift", "--sandbox", "slogan", folder=folder)
    assert (done.code, done.err) == (1, "")
    assert "status: 200 -> 400, code 1211: 模型不存在" in done.out
    assert re.search(r"\n1 (same|wording only), 1 breaking$", done.out.rstrip())


# -------------------------------------------------------------------------------------- age


def test_ages_in_the_list(harness: Harness, folder: Path) -> None:
    """In days; unknown is told as such."""
    path = folder / "cassettes" / SLOGAN
    recorded_at = re.search(r"recorded_at: *'?([^'\n]+)", path.read_text(encoding="utf-8"))
    assert recorded_at is not None
    edit(path, recorded_at[1], "yesterday")
    done = harness("list", folder=folder)
    assert re.search(r"slogan\s+zhipuai/glm-5.3-flash\s+ok\s+yesterday\s+unknown", done.out)
    assert re.search(r"slogan\s+dashscope/qwen-flash\s+ok\s+\S+\s+0 d", done.out)
    ages = {r["age_days"] for r in json.loads(harness("list", "--json", folder=folder).out)}
    assert ages == {0, None}


@pytest.mark.parametrize("command", [["replay"], ["check", "cassettes"]], ids=" ".join)
def test_old_cassettes(harness: Harness, folder: Path, command: list[str]) -> None:
    """A warning, or an error; and nothing where all are young enough."""
    for path in (folder / "cassettes").rglob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        dated = re.sub(r"(recorded_at: *'?)[0-9T:+-]+", r"\g<1>2026-01-01T00:00:00+00:00", text)
        path.write_text(dated, encoding="utf-8")
    assert "cassette_age" not in harness(*command, folder=folder).out
    done = harness(*command, "--max-age", "3000w", folder=folder)
    assert (done.code, "cassette_age" in done.out) == (0, False)
    done = harness(*command, "--max-age", "12h", folder=folder)
    assert (done.code, done.err) == (0, "")
    assert "warning cassette_age" in done.out
    assert "(recorded 2026-01-01T00:00:00+00:00)" in done.out
    done = harness(*command, "--max-age", "12h", "--max-age-fails", folder=folder)
    assert done.code == 1
    assert "error cassette_age" in done.out
    assert harness(*command, "--max-age-fails", folder=folder).code == 2
    done = harness(*command, "--max-age", "soon", folder=folder)
    assert (done.code, done.out) == (2, "")
    assert "'soon' is not a valid age" in done.err


def test_the_age_is_explained(harness: Harness, folder: Path) -> None:
    """As the report says: harness rules NAME."""
    done = harness("rules", "--explain", "cassette_age", folder=folder)
    assert (done.code, done.err) == (0, "")
    assert "cassette_age (--max-age)" in done.out
