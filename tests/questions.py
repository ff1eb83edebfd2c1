"""Scenarios of one question, for tests of what is done with many of them."""

from __future__ import annotations

from pathlib import Path


def write(folder: Path, name: str, targets: str = "zhipuai/glm-5.3-flash", more: str = "") -> Path:
    """A scenario of one question."""
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.yaml"
    text = f"name: {name}\nabout: A question.\ntargets: [{targets}]\nsteps:\n  - user: 你好\n{more}"
    file.write_text(text, encoding="utf-8")
    return file


def silent(_: str) -> None:
    """Nobody is told."""


def two_scenarios(folder: Path) -> Path:
    """A folder with the scenarios `one`, of two targets, and `two`, of one."""
    write(folder, "one", "zhipuai/glm-5.3-flash, dashscope/qwen-flash")
    write(folder, "two", "dashscope/qwen-plus")
    return folder
