"""Scenarios, files and folders with Chinese names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Harness

SCENARIO = "name: 天气\ntargets: [zhipuai/glm-4.6]\nsteps:\n  - user: 你好\n"


def test_a_full_width_colon_is_named(harness: Harness, tmp_path: Path) -> None:
    """The line, and what to write."""
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "天气.yaml").write_text(SCENARIO.replace("name: ", "name："), "utf-8")
    told = harness("list", folder=tmp_path)
    assert told.code == 2
    assert "line 1 has a full-width colon, write 'name: '" in told.err


@pytest.mark.slow
def test_a_scenario_may_have_a_chinese_name(harness: Harness, tmp_path: Path) -> None:
    """It is recorded, replayed, shown, listed and reported by it, in a folder named likewise."""
    folder = tmp_path / "对话 测试"
    (folder / "scenarios").mkdir(parents=True)
    (folder / "scenarios" / "天气.yaml").write_text(SCENARIO, "utf-8")
    assert harness("record", "--sandbox", "天气", folder=folder).code == 0
    assert (folder / "cassettes" / "天气" / "zhipuai-glm-4.6.yaml").is_file()
    assert "天气" in harness("replay", "天气", "--report", "报告", folder=folder).out
    assert "天气" in (folder / "报告" / "index.html").read_text("utf-8")
    assert "你好" in harness("show", "天气", folder=folder).out
    assert "天气" in harness("list", folder=folder).out
    assert harness("prune", "--exit-code", folder=folder).code == 0
