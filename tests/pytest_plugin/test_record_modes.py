"""Record modes of other tools: what is allowed is said."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

pytest_plugins = ["pytester"]


@pytest.mark.parametrize(
    "option",
    ["--record=once", "--record=on-error", "--record=", "--record-mode=none", "--record-mode"],
)
def test_a_mode_of_another_tool(pytester: pytest.Pytester, option: str) -> None:
    """It is a usage error that names the three modes."""
    if "mode" in option and find_spec("pytest_recording") is not None:
        pytest.skip("pytest-recording is installed, whose option this is")
    done = pytester.runpytest_inprocess(option)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["*allowed: --record=none, --record=missing, --record=all*"])
