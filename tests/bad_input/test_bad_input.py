"""Whatever a user gets wrong: one message that says what and where, code 2, nothing changed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.providers import PROVIDERS
from harness.providers.servers import PROVIDER_SERVERS
from harness.sandbox import Options, serve
from harness.scenario.schema_model import StepForm

if TYPE_CHECKING:
    from conftest import Harness

FILES = Path(__file__).parent / "files"
CASSETTE = "cassettes/good/zhipuai-glm-5.3-flash.yaml"
GOOD = {"scenarios/good.yaml": "good.yaml", CASSETTE: "cassette.yaml"}
WHOLE = (FILES / "cassette.yaml").read_bytes()


@dataclass(frozen=True)
class Case:
    """Files by their place in the folder (a name in `files/`, or bytes), and what is asked.

    `err` is all of stderr. A report goes to stdout, and so does what it could not read: `out` is
    one of its lines.
    """

    id: str
    files: Mapping[str, str | bytes]
    arguments: str
    err: str = ""
    out: str = ""
    env: Mapping[str, str] = field(default_factory=dict)


def scenario(id: str, file: str, err: str, arguments: str = "replay") -> Case:
    """A scenario file that is not what it should be."""
    return Case(id, {f"scenarios/{file}": file}, arguments, f"harness: scenarios/{file}{err}\n")


def cassette(id: str, content: bytes, told: str) -> list[Case]:
    """A cassette that cannot be read, shown, checked and replayed."""
    files: dict[str, str | bytes] = {**GOOD, CASSETTE: content}
    message = f"{CASSETTE}{told}"
    return [
        Case(f"{id}, shown", files, "show good", f"harness: {message}\n"),
        Case(f"{id}, checked", files, f"check {CASSETTE}", out=message),
        Case(f"{id}, replayed", files, "replay", out=f"good, zhipuai/glm-5.3-flash: {message}"),
    ]


NEVER = (
    "good with zhipuai/glm-5.3-flash was never recorded: there is no cassettes/good/zhipuai-glm-5.3-flash.yaml; "  # noqa: E501
    "record it with: harness record good --target zhipuai-glm-5.3-flash"
    " (a live recording costs money; with --sandbox it does not)"
)
NO_KEY = (
    "harness: recording live from zhipuai needs a key: set ZHIPUAI_API_KEY (in the environment or "
    "in .env), or record from the sandbox with --sandbox\n"
)
STEP_KEYS = ", ".join(StepForm.model_fields)

CASES = [
    # ------------------------------------------------------------------------------- scenarios
    scenario(
        "an unknown key",
        "typo.yaml",
        f":6: unknown key 'expct' in steps[0]; did you mean 'expect'? allowed: {STEP_KEYS}",
        "record --sandbox",
    ),
    scenario(
        "a wrong type",
        "wrong-type.yaml",
        ":3: targets must be a list, not 'zhipuai/glm-5.3-flash' (and 1 more)",
    ),
    scenario(
        "an unknown provider",
        "stranger.yaml",
        ":3: unknown provider 'zipuai' in targets[0]; did you mean 'zhipuai'? "
        f"allowed: {', '.join(sorted(PROVIDERS))}",
        "list",
    ),
    scenario(
        "no YAML",
        "not-yaml.yaml",
        ":3: not valid YAML: expected ',' or ']', but got '<stream end>'",
    ),
    Case(
        "an empty scenario",
        {"scenarios/empty.yaml": b""},
        "replay",
        "harness: scenarios/empty.yaml: the file is empty; a scenario begins with 'name:'\n",
    ),
    Case(
        "a name twice",
        {"a/twice.yaml": "twice.yaml", "b/twice.yaml": "twice.yaml"},
        "record --sandbox a/twice.yaml b/twice.yaml",
        "harness: b/twice.yaml:1: the name 'twice' is already that of a/twice.yaml\n",
    ),
    Case(
        "a name that is not the file's",
        {"scenarios/once.yaml": "twice.yaml"},
        "list",
        "harness: scenarios/once.yaml:1: name is 'twice', but the file is 'once.yaml'; "
        "they must agree\n",
    ),
    Case(
        "no folder of scenarios",
        {},
        "record --scenarios nowhere",
        "harness: there is no folder nowhere here; say where scenarios are with --scenarios DIR, "
        "or write a first one with: harness init; tests are replayed by pytest\n",
    ),
    Case(
        "a folder without scenarios",
        {"scenarios/readme.txt": b"hello"},
        "list",
        "harness: scenarios: the folder holds no scenario (*.yaml)\n",
    ),
    Case(
        "an unknown scenario",
        GOOD,
        "record bad --sandbox",
        "harness: there is no scenario 'bad' in scenarios; there are: good; "
        "cassettes of tests are checked by: harness check\n",
    ),
    Case(
        "an unknown file",
        GOOD,
        "replay scenarios/nowhere.yaml",
        "harness: scenarios/nowhere.yaml: cannot be read: No such file or directory\n",
    ),
    Case(
        "an unknown target",
        GOOD,
        "record good --target gpt-4 --sandbox",
        "harness: no scenario here has a target 'gpt-4'; there are: zhipuai-glm-5.3-flash\n",
    ),
    # ---------------------------------------------------------------------------------- keys
    Case("no key", GOOD, "record", NO_KEY, "recorded 0 of 1 from the live service to cassettes"),
    Case(
        "a blank key",
        {**GOOD, ".env": b"ZHIPUAI_API_KEY='  '\n"},
        "record",
        NO_KEY,
        "recorded 0 of 1 from the live service to cassettes",
    ),
    Case(
        "a refused key",
        GOOD,
        "record",
        "harness: good with zhipuai/glm-5.3-flash, step 1: refused (HTTP 401, code 401): "
        "令牌已过期或验证不正确; nothing was written\n",
        "recorded 0 of 1 from the live service to cassettes",
        {"ZHIPUAI_API_KEY": f"{'0' * 32}.wrongwrongwrong1"},
    ),
    # ----------------------------------------------------------------------------- cassettes
    Case(
        "never recorded, replayed",
        {"scenarios/good.yaml": "good.yaml"},
        "replay",
        out=f"good, zhipuai/glm-5.3-flash: {NEVER}",
    ),
    Case(
        "never recorded, shown",
        {"scenarios/good.yaml": "good.yaml"},
        "show good",
        f"harness: {NEVER}\n",
    ),
    Case(
        "never recorded, compared",
        {"scenarios/good.yaml": "good.yaml"},
        "compare good",
        f"harness: {NEVER}\n",
    ),
    *cassette(
        "a truncated cassette",
        WHOLE.removesuffix(b"version: 1\n"),
        ": the file was cut off: the key version, which stands last, is missing",
    ),
    *cassette(
        "a cassette cut in a line",
        WHOLE[: WHOLE.index(b"x-log-id") + 2],
        ":44: not YAML: could not find expected ':'",
    ),
    *cassette(
        "a cassette that is no YAML", b"a: [", ":2: not YAML: did not find expected node content"
    ),
    *cassette(
        "a cassette of another version",
        WHOLE.replace(b"\nversion: 1\n", b"\nversion: 9\n"),
        ":51: version: vcrpy format 9; this reads 1",
    ),
    *cassette(
        "an empty cassette",
        b"",
        ": the file is empty; a cassette has the keys interactions and version",
    ),
    *cassette(
        "a binary cassette",
        b"\x00\x01\xff\xfe",
        ": not YAML: not UTF-8 (at byte 2)",
    ),
    Case(
        "a scenario that changed",
        {
            **GOOD,
            "scenarios/good.yaml": (FILES / "good.yaml")
            .read_bytes()
            .replace(b": \xe4", b": 1\xe4"),
        },
        "replay",
        out='good, zhipuai/glm-5.3-flash: scenarios/good.yaml:5: step 1 (user "1你好") changed since '  # noqa: E501
        f"{CASSETTE} was recorded; record it again: harness record good --target zhipuai-glm-5.3-flash --sandbox",  # noqa: E501
    ),
    # --------------------------------------------------------------------------------- paths
    Case(
        "a check of nothing",
        GOOD,
        "check nowhere",
        "harness: nowhere: there is no such file or folder\n",
    ),
    Case(
        "a check of a folder without cassettes",
        {"none/readme.txt": b"hello"},
        "check none",
        "harness: none: no cassette (*.yaml) in this folder\n",
    ),
    Case(
        "sides without a common target",
        {
            **GOOD,
            "scenarios/two.yaml": (FILES / "other.yaml")
            .read_bytes()
            .replace(b"other", b"two")
            .replace(b"qwen-flash", b"qwen-flash, dashscope/qwen-plus"),
            "cassettes/two/dashscope-qwen-flash.yaml": "cassette.yaml",
            "cassettes/two/dashscope-qwen-plus.yaml": "cassette.yaml",
        },
        "compare good two",
        "harness: no target is on both sides: zhipuai/glm-5.3-flash and dashscope/qwen-flash, "
        "dashscope/qwen-plus; name one on each side, as scenario/target\n",
    ),
    Case(
        "a report below a device",
        GOOD,
        "replay --report /dev/null/x.xml",
        "harness: /dev/null/x.xml cannot be written: File exists\n",
        "Replay",
    ),
    Case(
        "a report below a file",
        GOOD,
        "check cassettes --report scenarios/good.yaml/page.html",
        "harness: scenarios/good.yaml/page.html cannot be written: File exists\n",
        "Check",
    ),
    Case(
        "cassettes below a file",
        GOOD,
        "record --sandbox --cassettes scenarios/good.yaml",
        "harness: scenarios/good.yaml/good/zhipuai-glm-5.3-flash.yaml cannot be written: Not a directory\n",  # noqa: E501
        "recorded 0 of 1 from the sandbox to scenarios/good.yaml",
    ),
    Case(
        "an unknown rule",
        GOOD,
        "rules nope",
        "harness: there is no rule 'nope'; `harness rules` lists them\n",
    ),
    Case(
        "a port that is none",
        {},
        "sandbox --port 99999",
        "harness: the server cannot listen on 127.0.0.1:99999: bind(): port must be 0-65535; "
        "name another port: --port\n",
    ),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder."""
    return tmp_path / "work"


def prepare(folder: Path, files: Mapping[str, str | bytes]) -> None:
    """Put a case's files in place."""
    folder.mkdir()
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else (FILES / content).read_bytes())


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file and folder below, byte for byte."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b"(folder)"
        for path in folder.rglob("*")
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_bad_input(
    case: Case, folder: Path, harness: Harness, monkeypatch: pytest.MonkeyPatch, sandbox: str
) -> None:
    """One message, code 2, and nothing on the disk is touched."""
    prepare(folder, case.files)
    before = snapshot(folder)
    monkeypatch.setenv("COLUMNS", "500")
    harness("--version", folder=folder)  # clears the keys
    for name, value in case.env.items():
        monkeypatch.setenv(name, value)
        monkeypatch.setenv("ZHIPUAI_BASE_URL", f"{sandbox}/api/paas/v4")
    done = harness(*case.arguments.split(), folder=folder)
    assert done.err == case.err
    assert done.code == 2
    assert "Traceback" not in done.out
    assert case.out in done.out.splitlines() or not case.out
    assert bool(done.out) == bool(case.out)
    assert snapshot(folder) == before


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("replay --nope", "No such option"),
        ("check", "Missing argument 'PATH'."),
        ("record --target", "Option '--target' requires an argument."),
        ("sandbox --port abc", "Invalid value for '--port'"),
        ("sandbox --latency -1", "Invalid value for '--latency'"),
    ],
)
def test_wrong_use(arguments: str, told: str, harness: Harness, tmp_path: Path) -> None:
    """Usage and what is wrong; its frame is typer's."""
    done = harness(*arguments.split(), folder=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert told in done.err
    assert "Traceback" not in done.err


@pytest.mark.skipif(os.getuid() == 0, reason="root may read every file")
@pytest.mark.parametrize("name", ["scenarios/good.yaml", CASSETTE])
def test_a_file_that_may_not_be_read(name: str, folder: Path, harness: Harness) -> None:
    """Says so."""
    prepare(folder, GOOD)
    (folder / name).chmod(0)
    done = harness("show", "good", folder=folder)
    assert (done.code, done.out) == (2, "")
    assert done.err == f"harness: {name}: cannot be read: Permission denied\n"


def test_a_disk_that_refuses(folder: Path, harness: Harness) -> None:
    """A file where the scenario's folder of cassettes should be."""
    prepare(folder, {"scenarios/good.yaml": "good.yaml", "cassettes/good": b"in the way"})
    before = snapshot(folder)
    done = harness("record", "--sandbox", folder=folder)
    assert done.code == 2
    assert done.err == (
        "harness: cassettes/good/zhipuai-glm-5.3-flash.yaml cannot be written: File exists\n"
    )
    assert snapshot(folder) == before


def test_a_service_that_is_not_there(
    folder: Path, harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Says which and why; a provider's address may be wrong."""
    prepare(folder, GOOD)
    before = snapshot(folder)
    with serve(Options(port=0), PROVIDER_SERVERS) as gone:
        pass
    harness("--version", folder=folder)
    monkeypatch.setenv("ZHIPUAI_API_KEY", f"{'0' * 32}.wrongwrongwrong1")
    monkeypatch.setenv("ZHIPUAI_BASE_URL", gone)
    done = harness("record", folder=folder)
    assert done.code == 2
    assert done.err == (
        "harness: good with zhipuai/glm-5.3-flash, step 1: refused (code APIConnectionError): Connection "  # noqa: E501
        "error. ([Errno 111] Connection refused); nothing was written\n"
    )
    assert snapshot(folder) == before


def test_the_good_case_is_good(folder: Path, harness: Harness) -> None:
    """So that the others are refused for what they say, and for nothing else."""
    prepare(folder, GOOD)
    assert harness("replay", folder=folder).code == 0
    shutil.rmtree(folder)
