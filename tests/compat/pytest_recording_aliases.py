"""A pytest plugin: pytest-recording's modules by their names, for its own tests of our plugin."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from harness.pytest_plugin import vcr

package = sys.modules["pytest_recording"] = ModuleType("pytest_recording")
package.__path__ = []
for name in ("_vcr", "network", "plugin"):
    setattr(package, name, vcr)
    sys.modules[f"pytest_recording.{name}"] = vcr


@pytest.fixture(autouse=True)
def compat_setting(request: pytest.FixtureRequest) -> None:
    """Write the setting for the runs of pytest that a test starts."""
    if "testdir" in request.fixturenames:
        request.getfixturevalue("pytester").makeini("[pytest]\nharness_compat = vcr\n")
