"""Failures of tests by an `InterceptError`, and reports of tests without secrets.

The error is about a request that has no recorded answer, or a hook that failed. The report of any
failure may show secrets from a cassette of another tool.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest


@contextmanager
def kept_failure(fixturedef: pytest.FixtureDef[Any], request: Any) -> Iterator[None]:
    """Run the `with` block, the set-up of a fixture, and keep an `InterceptError` as its result.

    pytest itself keeps only an `Exception`. It would not tear the fixture down, and would fail the
    next test that uses it by an assertion of its own.
    """
    try:
        yield
    except BaseException as error:
        if _is_intercept_error(error):
            kept: Any = (error, error.__traceback__)
            fixturedef.cached_result = (None, fixturedef.cache_key(request), kept)
        raise


def shortened(
    report: pytest.TestReport, item: pytest.Item, call: pytest.CallInfo[None]
) -> pytest.TestReport:
    """Return *report*; for an InterceptError, with only the caller's lines of code and the message.

    The frames of HTTP libraries, of pytest and of the harness are left out, as are exceptions that
    led to the error or followed from it. Options such as `--tb=long` and `--full-trace` show
    everything.

    Args:
        report: The report of a phase of a test.
        item: The test.
        call: The result of the phase.
    """
    option = item.config.option
    found = call.excinfo
    if found is None or option.tbstyle != "auto" or option.fulltrace:
        return report
    if _is_intercept_error(found.value):
        frames = _frames_of_caller(found)
        report.longrepr = found.getrepr(
            style="short" if frames else "value",
            funcargs=False,
            chain=False,
            tbfilter=lambda info: frames or info.traceback[-1:],
        )
    return report


def _is_intercept_error(error: BaseException) -> bool:
    errors = sys.modules.get("harness.errors")
    return errors is not None and isinstance(error, errors.InterceptError)


def _frames_of_caller(info: pytest.ExceptionInfo[BaseException]) -> Any:
    """Return the frames of code that is not installed, else those of the cause's."""
    from harness.intercept.context import is_installed

    own = info.traceback.filter(lambda entry: not is_installed(str(entry.path)))
    if not own and (cause := info.value.__cause__) is not None and cause.__traceback__ is not None:
        return _frames_of_caller(pytest.ExceptionInfo.from_exception(cause))
    return own


# ------------------------------------------------------------------------------------------ secrets


_PYTEST_MODULE = "_pytest._code"
"""The module of the objects that pytest describes a failure with."""


class ReportMask:
    """A plugin that masks secrets in the report of each test, if a test has used the harness."""

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
