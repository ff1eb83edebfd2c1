"""What each command prints and with which code it ends."""

from __future__ import annotations

import json
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness import __version__
from harness.cassette.journal import JournalHead, exchange_record, head_record
from harness.cassette.reader import loads
from harness.cli import COMMANDS, doctor
from harness.config.packages import Installed
from harness.providers import PROVIDERS
from harness.sandbox import LIFELIKE

if TYPE_CHECKING:
    from conftest import Harness

pytestmark = pytest.mark.slow

JOBS = 6
"""How many scenarios with targets the folder has."""


@pytest.mark.parametrize("name", [name for name, *_ in COMMANDS])
def test_every_command_explains_itself(harness: Harness, folder: Path, name: str) -> None:
    """With an example that begins with its name."""
    done = harness(name, "--help", folder=folder)
    assert done.code == 0
    assert done.err == ""
    assert f"Usage: harness {name}" in done.out
    assert f"Example: harness {name}" in " ".join(done.out.split())
    assert harness(name, "-h", folder=folder).out == done.out


def test_no_command_at_all(harness: Harness, folder: Path) -> None:
    """The list of commands, and the code for wrong use."""
    done = harness(folder=folder)
    assert done.code == 2
    assert all(f" {name} " in done.out for name, *_ in COMMANDS)
    assert harness("--help", folder=folder).code == 0


def test_a_command_that_is_none(harness: Harness, folder: Path) -> None:
    """One message on stderr."""
    done = harness("rerecord", folder=folder)
    assert (done.code, done.out) == (2, "")
    assert "No such command 'rerecord'" in done.err


def test_the_version(harness: Harness, folder: Path) -> None:
    """As the package has it."""
    done = harness("--version", folder=folder)
    assert (done.code, done.out, done.err) == (0, f"harness {__version__}\n", "")


@pytest.mark.parametrize(
    "arguments",
    [
        ["record", "slogan", "--sandbox"],
        ["replay"],
        ["check", "cassettes"],
        ["compare", "slogan"],
        ["compare", "slogan/zhipuai", "slogan/dashscope"],
        ["compare", "--fields"],
        ["show", "slogan"],
        ["list"],
        ["rules"],
        ["rules", "usage_adds_up"],
        ["doctor"],
    ],
    ids=" ".join,
)
def test_json_for_machines(harness: Harness, folder: Path, arguments: list[str]) -> None:
    """It parses, and is all there is; no terminal, no colour, nothing on stderr."""
    plain = harness(*arguments, folder=folder)
    assert (plain.code, plain.err) == (0, "")
    assert "\x1b" not in plain.out
    done = harness(*arguments, "--json", folder=folder)
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out)


# -------------------------------------------------------------------------------------- record


def test_a_recording_from_the_sandbox(harness: Harness, folder: Path) -> None:
    """Says how many, from where and to where; the sandbox takes a little time, as services do."""
    done = harness("record", "slogan", "--sandbox", "--cassettes", "new", folder=folder)
    assert (done.code, done.err) == (0, "")
    assert done.out == "recorded 2 of 2 from the sandbox to new\n"
    assert sorted(p.name for p in (folder / "new" / "slogan").iterdir()) == [
        "dashscope-qwen-flash.yaml",
        "zhipuai-glm-5.3-flash.yaml",
    ]
    recorded = (folder / "new" / "slogan" / "zhipuai-glm-5.3-flash.yaml").read_bytes()
    (timing,) = [exchange.timing for exchange in loads(recorded, "").exchanges]
    assert timing is not None
    assert timing.first_byte >= LIFELIKE.latency


@pytest.mark.parametrize(
    ("targets", "files"),
    [
        (["zhipuai"], ["zhipuai-glm-5.3-flash"]),
        (["qwen-flash"], ["dashscope-qwen-flash"]),
        (["zhipuai-glm-5.3-flash", "dashscope"], ["dashscope-qwen-flash", "zhipuai-glm-5.3-flash"]),
    ],
    ids=" ".join,
)
def test_only_some_targets(
    harness: Harness, folder: Path, targets: list[str], files: list[str]
) -> None:
    """By provider, model or slug; several may be named."""
    chosen = [word for target in targets for word in ("--target", target)]
    done = harness("record", "slogan", "--sandbox", "--cassettes", "new", *chosen, folder=folder)
    assert done.code == 0
    assert sorted(path.stem for path in folder.glob("new/*/*.yaml")) == files


def test_what_could_not_be_recorded(harness: Harness, folder: Path) -> None:
    """The rest is; and the code says that something was wrong."""
    path = folder / "scenarios" / "slogan.yaml"
    text = path.read_text(encoding="utf-8").replace(
        "zhipuai/glm-5.3-flash", "zhipuai/no-such-model"
    )
    path.write_text(text, encoding="utf-8")
    done = harness("record", "slogan", "--sandbox", folder=folder)
    assert done.code == 2
    assert done.out == "recorded 1 of 2 from the sandbox to cassettes\n"
    assert done.err == (
        "harness: slogan with zhipuai/no-such-model, step 5: refused (HTTP 400, code 1211): "
        "模型不存在，请检查模型代码。; nothing was written\n"
    )
    done = harness("record", "slogan", "--sandbox", "--json", folder=folder)
    told = json.loads(done.out)
    assert (done.code, done.err) == (2, "")
    assert (told["recorded"], told["from"], len(told["problems"])) == (1, "sandbox", 1)


@pytest.mark.parametrize("command", [["record", "--sandbox"], ["replay"]], ids=" ".join)
def test_many_at_once(harness: Harness, folder: Path, command: list[str]) -> None:
    """They say the same; none at once is no number."""
    one = harness(*command, folder=folder)
    many = harness(*command, "--jobs", "6", folder=folder)
    assert (many.code, many.err) == (one.code, one.err) == (0, "")
    assert _untimed(many.out) == _untimed(one.out)
    for wrong in ("0", "-1", "two"):
        done = harness(*command, "-j", wrong, folder=folder)
        assert (done.code, done.out) == (2, "")
        assert "--jobs" in done.err


def _untimed(text: str) -> str:
    return re.sub(r"[\d.]+ m?s\b", "", text)


# -------------------------------------------------------------------------------------- replay


def test_a_good_replay(harness: Harness, folder: Path) -> None:
    """Everything, in plain text, with code 0; it says where the recordings come from."""
    done = harness("replay", folder=folder)
    assert (done.code, done.err) == (0, "")
    assert "Recorded from the sandbox, not from the live providers." in done.out
    assert f"ok: {JOBS} transcripts" in done.out


def test_a_replay_at_a_pace(harness: Harness, folder: Path) -> None:
    """Any pace that is one; what is none is told."""
    done = harness("replay", "--pace", "0.001", folder=folder)
    assert (done.code, done.err) == (0, "")
    for wrong in ("-1", "nan", "inf"):
        done = harness("replay", f"--pace={wrong}", folder=folder)
        assert done.code == 2
        assert "is not a valid pace; expected 0 (instant), 1 (as recorded)" in done.err
    assert harness("replay", "--pace=fast", folder=folder).code == 2


def test_a_replay_with_findings(harness: Harness, folder: Path) -> None:
    """Code 1, and the rule's name."""
    path = folder / "scenarios" / "slogan.yaml"
    text = path.read_text(encoding="utf-8").replace("contains: 智谱", "contains: 火星")
    path.write_text(text, encoding="utf-8")
    done = harness("replay", "slogan", folder=folder)
    assert (done.code, done.err) == (1, "")
    assert done.out.count("expected_words") >= 2
    assert "Traceback" not in done.out


def test_a_replay_with_reports(harness: Harness, folder: Path) -> None:
    """JUnit and a page, beside what is printed."""
    done = harness(
        "replay", "--report", "out/junit.xml", "--report", "out/page.html", "--json", folder=folder
    )
    assert done.code == 0
    assert json.loads(done.out)["ok"] is True
    suite = ET.parse(folder / "out" / "junit.xml").getroot()  # noqa: S314 - our own file
    assert suite.find(".//testcase") is not None
    assert (folder / "out" / "page.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_a_check_with_findings(harness: Harness, folder: Path) -> None:
    """Code 1 for a broken wire, 2 where a file is none."""
    path = folder / "cassettes" / "slogan" / "zhipuai-glm-5.3-flash.yaml"
    text = path.read_text(encoding="utf-8")
    assert '"finish_reason":"stop"' in text
    path.write_text(text.replace('"finish_reason":"stop"', '"finish_reason":7'))
    done = harness("check", "cassettes", folder=folder)
    assert (done.code, done.err) == (1, "")
    ignored = '[tool.harness.rules]\nignore = {answer_fits_schema = "a proxy of ours"}\n'
    (folder / "pyproject.toml").write_text(ignored)
    done = harness("check", "cassettes", folder=folder)
    assert "1 ignored" in done.out
    (folder / "pyproject.toml").write_text('[tool.harness.rules]\nselect = ["no_such"]\n')
    done = harness("check", "cassettes", folder=folder)
    assert (done.code, done.out) == (2, "")
    assert "there is no rule 'no_such'" in done.err
    (folder / "pyproject.toml").unlink()
    path.write_text("")
    done = harness("check", "cassettes", folder=folder)
    assert done.code == 2
    assert str(path.relative_to(folder)) in done.out


def test_repeats(harness: Harness, folder: Path) -> None:
    """Recorded side by side, resumed, listed, replayed, kept by prune, noise in comparisons."""
    asked = ("record", "slogan", "--sandbox", "--repeat", "3")
    assert harness(*asked, folder=folder).out == "recorded 6 of 6 from the sandbox to cassettes\n"
    second = folder / "cassettes" / "slogan" / "zhipuai-glm-5.3-flash~2.yaml"
    second.unlink()
    assert "left as recorded before: 5" in harness(*asked, "--resume", folder=folder).out
    assert "ok ×3" in harness("list", folder=folder).out
    rows = json.loads(harness("list", "--json", folder=folder).out)
    assert {row["scenario"]: row["recordings"] for row in rows}["slogan"] == 3
    assert {row["cassette"] for row in rows} == {"ok"}
    assert "6 transcripts" in harness("replay", "slogan", folder=folder).out
    assert json.loads(harness("prune", "--json", folder=folder).out)["unused"] == []
    sides = ("slogan/zhipuai", "slogan/dashscope")
    first = second.with_name("zhipuai-glm-5.3-flash.yaml")
    text = re.sub(r'("completion_tokens": ?)[0-9]+', r"\g<1>7", first.read_text("utf-8"))
    first.write_text(text, "utf-8")
    noise = "1 of them also between repeats of one side"
    assert noise in harness("compare", *sides, folder=folder).out
    for repeat in (2, 3):
        first.with_name(f"zhipuai-glm-5.3-flash~{repeat}.yaml").unlink()
    assert noise not in harness("compare", *sides, folder=folder).out
    assert (
        len(json.loads(harness("compare", "cassettes/slogan/", "--json", folder=folder).out)) == 5
    )


# ------------------------------------------------------------------------------------- compare


@pytest.mark.parametrize(
    "sides",
    [
        ["slogan"],
        ["slogan/zhipuai", "slogan/dashscope"],
        ["single-turn-messages", "single-turn-prompt"],
        [
            "cassettes/slogan/zhipuai-glm-5.3-flash.yaml",
            "cassettes/slogan/dashscope-qwen-flash.yaml",
        ],
        ["slogan/glm-5.3-flash", "cassettes/slogan/dashscope-qwen-flash.yaml"],
        ["slogan/glm-5.3-flash", "slogan/qwen-flash", "single-turn-prompt"],
        ["cassettes/slogan"],
        ["--fields"],
        ["cassettes/slogan", "single-turn-prompt", "--fields"],
    ],
    ids=" ".join,
)
def test_sides_of_a_comparison(harness: Harness, folder: Path, sides: list[str]) -> None:
    """They differ, which is no fault unless one says so."""
    assert harness("compare", *sides, folder=folder).code == 0
    done = harness("compare", *sides, "--exit-code", folder=folder)
    assert (done.code, done.err) == (1, "")


def test_a_comparison_with_prices(harness: Harness, folder: Path) -> None:
    """Costs are by the project's table; where it has no price, by the shipped one."""
    (folder / "pyproject.toml").write_text('[tool.harness]\nprices = "prices.toml"\n', "utf-8")
    table = folder / "prices.toml"
    table.write_text(
        '[[price]]\nprovider = "zhipuai"\nmodel = "glm-5.3-flash"\ncurrency = "CNY"\ninput = 1000\n'
        'output = 1000\nvalid_from = 2020-01-01\nsource = "invented"\n',
        "utf-8",
    )
    found = json.loads(harness("compare", "slogan", "--json", folder=folder).out)["facts"]
    tokens = found[0]["input_tokens"] + found[0]["output_tokens"]
    cost = {"amount": tokens / 1000, "currency": "CNY"}
    assert found[0]["cost"] == cost | {"dated": "from 2020-01-01", "source": "invented"}
    assert found[1]["cost"]["source"].startswith("https://help.aliyun.com/")
    shown = harness("compare", "slogan", folder=folder).out
    assert f" {tokens / 1000:.6f} CNY" in shown
    assert (
        "\nzhipuai/glm-5.3-flash: from 2020-01-01, invented\ndashscope/qwen-flash: seen 20" in shown
    )
    table.write_text("[[price]]\n", "utf-8")
    done = harness("compare", "slogan", folder=folder)
    assert (done.code, done.out) == (2, "")
    assert f"{table}: price 1: provider: expected a text" in done.err


def test_two_sides_are_told_with_their_figures(harness: Harness, folder: Path) -> None:
    """Times, tokens and costs of each turn, and who was faster and cheaper; as JSON too."""
    sides = ("slogan/zhipuai", "slogan/dashscope")
    shown = harness("compare", *sides, folder=folder).out
    figures = shown[shown.index("\nTurns") :]
    assert "[1] zhipuai/glm-5.3-flash\n[2] dashscope/qwen-flash\n" in figures
    assert re.search("slogan, 1 turn each: fastest: .*; cheapest: dashscope/qwen-flash\n", figures)
    assert "Prices behind the costs, without guarantee" in figures
    (told,) = json.loads(harness("compare", *sides, "--json", folder=folder).out)
    assert [one["target"] for one in told["facts"]] == [
        "zhipuai/glm-5.3-flash",
        "dashscope/qwen-flash",
    ]
    assert all(one["cost"]["currency"] == "CNY" for one in told["facts"])
    two = harness("compare", "single-turn-messages", "single-turn-prompt", folder=folder).out
    assert "single-turn-messages ↔ single-turn-prompt, 1 turn each: fastest: " in two


def test_a_comparison_of_nothing(harness: Harness, folder: Path) -> None:
    """It needs a side, and fields need a cassette."""
    assert harness("compare", folder=folder).code == 2
    done = harness("compare", "--fields", "--cassettes", "new", folder=folder)
    assert (done.code, done.out) == (2, "")
    assert "no scenario of scenarios has a cassette in new" in done.err


@pytest.mark.parametrize("sides", [["slogan/zhipuai"] * 2, ["slogan"] * 2, ["single-turn-prompt"]])
def test_what_does_not_differ(harness: Harness, folder: Path, sides: list[str]) -> None:
    """Code 0 also with `--exit-code`."""
    done = harness("compare", *sides, "--exit-code", folder=folder)
    assert (done.code, done.err) == (0, "")


# ---------------------------------------------------------------------------------------- looks


def test_a_recording_is_shown(harness: Harness, folder: Path) -> None:
    """As a conversation, in the words that were said."""
    done = harness("show", "slogan/zhipuai", folder=folder)
    assert done.code == 0
    assert "智谱AI开放平台" in done.out
    assert "glm-5.3-flash" in done.out
    whole = harness("show", "slogan", folder=folder)
    assert "qwen-flash" in whole.out
    assert harness("show", "slogan", "--json", folder=folder).code == 0


def test_the_list(harness: Harness, folder: Path) -> None:
    """Missing, out of date, unreadable or ok."""
    changed = folder / "scenarios" / "single-turn-prompt.yaml"
    changed.write_text(changed.read_text(encoding="utf-8").replace("炒西红柿", "煮西红柿"))
    (folder / "cassettes" / "single-turn-messages" / "dashscope-qwen-flash.yaml").unlink()
    (folder / "cassettes" / "slogan" / "zhipuai-glm-5.3-flash.yaml").write_text("no cassette")
    rows = json.loads(harness("list", "--json", folder=folder).out)
    assert {(row["scenario"], row["target"]): row["cassette"] for row in rows} == {
        ("refusals", "zhipuai/glm-5.3-flash"): "ok",
        ("refusals", "dashscope/qwen-flash"): "ok",
        ("single-turn-messages", "dashscope/qwen-flash"): "missing",
        ("single-turn-prompt", "dashscope/qwen-flash"): "out of date",
        ("slogan", "zhipuai/glm-5.3-flash"): "unreadable",
        ("slogan", "dashscope/qwen-flash"): "ok",
    }
    told = json.loads(harness("doctor", "--json", folder=folder).out)
    assert told["cassettes"] == {"ok": 3, "missing": 1, "out of date": 1, "unreadable": 1}


def test_a_rule_in_full(harness: Harness, folder: Path) -> None:
    """Its name, what it weighs, and why it is there."""
    done = harness("rules", "usage_adds_up", folder=folder)
    assert done.code == 0
    assert done.out.startswith("usage_adds_up (error, ")
    assert harness("rules", "--explain", "usage_adds_up", folder=folder).out == done.out
    passes, fails = re.findall('"total_tokens":([0-9]+)', done.out)
    assert int(fails) == int(passes) + 1
    assert "docs/WIRE_FACTS.md, A1." in done.out
    machine = harness("rules", "--explain", "usage_adds_up", "--json", folder=folder)
    assert json.loads(machine.out)[0]["example"]["passes"].endswith(f":{passes}}}}}")
    done = harness("rules", "usage_adds", folder=folder)
    assert (done.code, done.out) == (2, "")
    assert done.err == "harness: there is no rule 'usage_adds'; did you mean usage_adds_up?\n"


def test_rules_in_chinese(harness: Harness, folder: Path) -> None:
    """What must hold, and the words around it; by default all is in English."""
    done = harness("rules", "--lang", "zh", folder=folder)
    assert re.search("\nusage_adds_up +错误 +输入与输出的 token 数相加等于总数。", done.out)
    assert "input and output tokens" in harness("rules", folder=folder).out
    done = harness("rules", "usage_adds_up", "--lang", "zh", folder=folder)
    assert done.out.startswith(
        "usage_adds_up（错误，单次交互）\n\n输入与输出的 token 数相加等于总数。\n\n两个服务"
    )
    assert "\n依据：\n  docs/WIRE_FACTS.md, A1." in done.out
    done = harness("rules", "contract_removed", "--lang", "zh", folder=folder)
    assert done.out.endswith("\n\n一直都有的字段仍然存在。\n")
    machine = json.loads(harness("rules", "--json", folder=folder).out)
    assert all(rule["chinese"].endswith("。") for rule in machine)
    assert harness("rules", "--lang", "fr", folder=folder).code == 2


def test_the_schema(harness: Harness, folder: Path) -> None:
    """That of the file which editors are pointed at."""
    done = harness("schema", folder=folder)
    import harness as package

    shipped = Path(str(package.__file__)).parent / "scenario" / "schema.json"
    assert json.loads(done.out) == json.loads(shipped.read_text(encoding="utf-8"))
    assert done.out.endswith("}\n")
    assert "\n\n" not in done.out


def test_the_doctor_knows_keys_but_does_not_tell_them(
    harness: Harness, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Set or not set; addresses are told."""
    monkeypatch.setenv("ZHIPUAI_API_KEY", "0123456789abcdef.SECRETsecret")
    (folder / ".env").write_text("DASHSCOPE_HTTP_BASE_URL=http://there/api/v1\n")
    for form in ([], ["--json"]):
        done = harness("doctor", *form, folder=folder)
        assert done.code == 0
        assert "ZHIPUAI_API_KEY is set" in done.out
        assert "DASHSCOPE_API_KEY is not set" in done.out
        assert "http://there/api/v1" in done.out
        assert PROVIDERS["zhipuai"].address in done.out
        assert "SECRET" not in done.out
        assert "0123456789abcdef" not in done.out


def test_the_doctor_says_what_is_installed_tested_and_clashes(
    harness: Harness, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one table, below it each extra, then what clashes; the same as JSON."""
    here = Installed(
        ("rich>=13", 'openai>=2,<4; extra == "openai"', 'uvicorn>=0.30; extra == "sandbox"'),
        {"rich": "14.1", "uvicorn": "0.50"},
        lambda name: {"rich": "14.0", "uvicorn": "0.60", "urllib3-future": "2.1"}.get(name, ""),
    )
    monkeypatch.setattr(doctor, "this_environment", lambda: here)
    lines = [" ".join(line.split()) for line in harness("doctor", folder=folder).out.splitlines()]
    assert lines[0].startswith("harness 0.")
    assert "package extras installed lowest tested newest tested state" in lines
    assert "rich core 14.0 13 14.1 ok" in lines
    assert "openai openai – 2 – not installed" in lines
    assert "uvicorn sandbox 0.60 0.30 0.50 newer than tested" in lines
    assert "[openai] lacks openai: pip install 'llm-conversation-harness[openai]'" in lines
    assert "[sandbox] ok" in lines
    assert any(line.startswith("clash: urllib3-future: it replaces urllib3") for line in lines)
    told = json.loads(harness("doctor", "--json", folder=folder).out)
    assert {"harness", "python", "platform", "providers", "cassettes"} <= {*told}
    assert told["extras"]["openai"]["missing"] == ["openai"]
    assert [row["state"] for row in told["packages"]] == [
        "ok",
        "not installed",
        "newer than tested",
    ]
    assert told["clashes"][0]["packages"] == ["urllib3-future"]


def test_the_doctor_works_without_an_sdk(
    harness: Harness, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The core alone is installed: it says so."""
    monkeypatch.setattr(doctor, "installed_version", lambda name: "")
    done = harness("doctor", "--json", folder=folder)
    assert {row["SDK"] for row in json.loads(done.out)["providers"]} == {"not installed"}


@pytest.mark.parametrize("command", [["list"], ["doctor"], ["record", "slogan", "--sandbox"]])
def test_a_retired_model_is_warned_of(harness: Harness, folder: Path, command: list[str]) -> None:
    """With its successor and the source; models that are not known pass."""
    path = folder / "scenarios" / "slogan.yaml"
    text = path.read_text(encoding="utf-8").replace("dashscope/qwen-flash", "dashscope/qwen-turbo")
    path.write_text(text.replace("zhipuai/glm-5.3-flash", "zhipuai/glm-99"), encoding="utf-8")
    done = harness(*command, folder=folder)
    warnings = [line for line in done.err.splitlines() if "warning" in line]
    assert warnings == [
        "harness: warning: dashscope/qwen-turbo was retired on 2026-10-10; use qwen-flash "
        "(source: https://www.alibabacloud.com/zh/notice, 731)"
    ]
    told = json.loads(harness(*command, "--json", folder=folder).out)
    rows = told if isinstance(told, list) else [told]
    assert sum(len(row["warnings"]) for row in rows) == 1


def test_the_doctor_needs_no_scenarios(harness: Harness, tmp_path: Path) -> None:
    """On a fresh machine."""
    done = harness("doctor", folder=tmp_path)
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith("cassettes in cassettes: no scenarios here\n")


def test_a_recording_that_was_interrupted(harness: Harness, folder: Path) -> None:
    """Is listed, is in the way, and is gone on with; what is recorded already stays as it is."""
    cassette = folder / "cassettes" / "slogan" / "zhipuai-glm-5.3-flash.yaml"
    recorded = loads(cassette.read_bytes(), "")
    journal = cassette.with_name(f".{cassette.name}.journal")
    head, (first, *_) = JournalHead(recorded.provenance, 1), recorded.exchanges
    journal.write_bytes(head_record(head) + exchange_record(0, first))
    assert "unfinished" in harness("list", folder=folder).out
    assert "1 unfinished" in harness("doctor", folder=folder).out
    done = harness("record", "slogan", "--sandbox", folder=folder)
    assert (done.code, "--resume" in done.err, "--afresh" in done.err) == (2, True, True)
    assert harness("record", "--resume", "--afresh", folder=folder).code == 2
    done = harness("record", "slogan", "--sandbox", "--resume", folder=folder)
    assert done.out == "recorded 1 of 1 from the sandbox to cassettes\nleft as recorded before: 1\n"
    assert not journal.exists()
    assert loads(cassette.read_bytes(), "").exchanges[0] == first


def test_a_command_is_run_beside_the_sandbox(harness: Harness, tmp_path: Path) -> None:
    """With its addresses and keys; the exit code is that of the command."""
    script = (
        "import os, sys\n"
        "assert os.environ['ZHIPUAI_API_KEY']\n"
        "assert os.environ['ZHIPUAI_BASE_URL'].startswith('http://127.0.0.1:')\n"
        "import openai\n"
        "said = [{'role': 'user', 'content': 'Hello'}]\n"
        "one = openai.OpenAI().chat.completions.create(model='gpt-5', messages=said)\n"
        "two = openai.OpenAI().responses.create(model='gpt-5', input='Hello')\n"
        "import anthropic\n"
        "three = anthropic.Anthropic().messages.create(model='a', max_tokens=9, messages=said)\n"
        "texts = one.choices[0].message.content, two.output_text, three.content[0].text\n"
        "sys.exit(7 if all(texts) else 1)"
    )
    done = harness("sandbox", "--port", "0", "--", sys.executable, "-c", script, folder=tmp_path)
    assert (done.code, done.out) == (7, "")
