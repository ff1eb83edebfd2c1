"""Reports of tests without secrets: a failure may show what a cassette of another tool holds."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from typing import Any

import pytest

_PYTEST_MODULE = "_pytest._code"
"""The module of the objects that pytest describes a failure with."""


class ReportMask:
    """Plugin: masks secrets in the report of each test, if a test has used the harness."""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Return the report with its texts masked: the failure, and the captured output."""
        report = yield
        if "harness.api.use_cassette" in sys.modules and (report.longrepr or report.sections):
            from harness.providers.masking import text_masker

            mask = text_masker()
            report.longrepr = _masked(report.longrepr, mask)
            report.sections = _masked(report.sections, mask)
        return report


def _masked(value: Any, mask: Callable[[str], str]) -> Any:
    """Return *value* with the texts in it masked; pytest's own objects are changed in place."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, list | tuple):
        return type(value)(_masked(item, mask) for item in value)
    if type(value).__module__.startswith(_PYTEST_MODULE):
        for name, item in vars(value).items():
            setattr(value, name, _masked(item, mask))
    return value
