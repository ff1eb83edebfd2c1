"""Failures of tests by an `InterceptError`, explanations of others, and reports without secrets.

The error is about a request that has no recorded answer, or a hook that failed. The report of any
failure may show secrets from a cassette of another tool.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from harness.errors import HarnessError, InterceptError
from harness.locale import localized
from harness.pytest_plugin.cassettes import has_cassette, open_context

if TYPE_CHECKING:
    from harness.api.use_cassette import CassetteContext

_MOST_FINDINGS = 10


@contextmanager
def kept_failure(fixturedef: pytest.FixtureDef[Any], request: Any) -> Iterator[None]:
    """Cache an `InterceptError` that the `with` block, the set-up of a fixture, raises.

    It is stored as the result of the fixture, as pytest stores an `Exception`. Without it, pytest
    would not tear the fixture down, and the next test that uses it would fail in pytest's own code.
    """
    try:
        yield
    except BaseException as error:
        if isinstance(error, InterceptError):
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
    if isinstance(found.value, InterceptError):
        frames = _frames_of_caller(found)
        report.longrepr = found.getrepr(
            style="short" if frames else "value",
            funcargs=False,
            chain=False,
            tbfilter=lambda info: frames or info.traceback[-1:],
        )
    return report


def explain(report: pytest.TestReport, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Add to *report* what may have made a test with a cassette fail: findings, a missing key.

    Nothing is added for an InterceptError, since its message is the explanation; nor in the
    teardown, since findings were reported when the cassette was closed.

    Args:
        report: The report of a phase of a test.
        item: The test.
        call: The result of the phase.
    """
    found = call.excinfo
    if found is None or isinstance(found.value, InterceptError):
        return
    if report.when == "teardown" or not report.failed:
        return
    context = open_context(item)
    if context is not None and context.used_network:
        return
    if context is not None and (findings := _findings(context)):
        report.sections.append((localized("findings"), findings))
    has_requests = context is not None and context.attempts
    records = item.config.getoption("--record") != "none" and has_cassette(item)
    if records and not has_requests and (hint := _missing_key(found)):
        report.sections.append((localized("missing API key"), hint))


def _findings(context: CassetteContext) -> str:
    """Describe the first findings in the replayed exchanges of a test, errors first."""
    from harness.report import describe
    from harness.types import Severity

    try:
        findings = context.judged.findings if context.replayed else ()
    except HarnessError:  # of the settings; the test's own failure is the one to report
        return ""
    ordered = sorted(findings, key=lambda one: one.severity is not Severity.ERROR)
    texts = [describe(one) for one in ordered[:_MOST_FINDINGS]]
    if len(ordered) > _MOST_FINDINGS:
        texts.append(localized("and {} more").format(len(ordered) - _MOST_FINDINGS))
    return "\n\n".join(texts)


def _missing_key(found: pytest.ExceptionInfo[BaseException]) -> str:
    """Return the sentence on the API key without which an SDK raised an error; "" if it is set."""
    from harness.api.placeholders import unset_variable

    frames = traceback.walk_tb(found.value.__traceback__)
    packages = {str(frame.f_globals.get("__name__")).partition(".")[0] for frame, _ in frames}
    variable = unset_variable(packages, found.exconly())
    sentence = localized(
        "{} is not set, which recording from the live service needs; "
        "`harness sandbox -- pytest --record=missing` needs no key, nor does `pytest` without "
        "--record once everything is recorded"
    )
    return sentence.format(variable) if variable else ""


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
