"""Either SDK serves by itself, in an environment without the other."""

from __future__ import annotations

import shutil
from pathlib import Path

import environments
import pytest
from conftest import clean_environment, one_process, results
from environments import ROOT

SANDBOX = ("h11", "httpx", "pillow", "pyjwt", "sniffio", "starlette", "uvicorn")


@pytest.mark.slow
@pytest.mark.parametrize(("sdk", "other"), [("zhipuai", "zai"), ("zai-sdk", "zhipuai")])
def test_one_sdk_records_and_replays(sdk: str, other: str, wheel: Path, tmp_path: Path) -> None:
    """The cassette names the SDK; the shipped one, recorded with `zhipuai`, replays with both."""
    alone = environments.create(tmp_path / "venv", wheel, [sdk, *SANDBOX])
    shutil.copytree(ROOT / "scenarios", tmp_path / "scenarios")
    shutil.copytree(ROOT / "cassettes", tmp_path / "shipped")

    missing = alone.run("-c", f"import {other}", folder=tmp_path, env=clean_environment())
    assert f"No module named '{other}'" in missing.stderr
    chosen = ("slogan", "weather-tool", "streaming", "fairy-tale-async", "-t", "zhipuai")
    replays = [("replay", *chosen, "--cassettes", folder) for folder in ("cassettes", "shipped")]
    program = one_process([("record", "--sandbox", *chosen), *replays])
    recorded, *replayed = results(alone.run(*program, folder=tmp_path, env=clean_environment()))
    assert (recorded.code, "recorded 4 of 4" in recorded.out) == (0, True), recorded
    assert [done.code for done in replayed] == [0, 0], replayed
    (path,) = (tmp_path / "cassettes" / "slogan").glob("*.yaml")
    assert f"name: {sdk}" in path.read_text(encoding="utf-8")
