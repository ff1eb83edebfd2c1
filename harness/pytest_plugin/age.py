"""The age limit of cassettes, `--cassette-max-age`: older ones cause a warning or a failure."""

from __future__ import annotations

from argparse import ArgumentTypeError
from typing import TYPE_CHECKING

import pytest

from harness.errors import HarnessError
from harness.locale import localized_error

if TYPE_CHECKING:
    from harness.cassette.age import Limit
    from harness.types import Provenance


class CassetteAgeWarning(pytest.PytestWarning):
    """The warning that a test's cassette is older than allowed, or of unknown age.

    As any warning, it fails tests where `filterwarnings` has `error`.
    """


def parse_option(text: str) -> Limit:
    """Return the age limit for *text*, the value of `--cassette-max-age`, such as `30d` or `12h`.

    Raises ArgumentTypeError if *text* is not a valid age.
    """
    from harness.cassette.age import parse_limit

    try:
        return parse_limit(text, fails=False)
    except HarnessError as error:
        raise ArgumentTypeError(localized_error(str(error))) from None


def check_options(config: pytest.Config) -> None:
    """Raise pytest.UsageError if `--cassette-max-age-fails` is set without `--cassette-max-age`."""
    if config.getoption("--cassette-max-age-fails") and not config.getoption("--cassette-max-age"):
        raise pytest.UsageError(
            localized_error(
                "--cassette-max-age-fails requires --cassette-max-age, "
                "such as --cassette-max-age=30d"
            )
        )


def check_age(item: pytest.Item, cassette: str, provenance: Provenance) -> None:
    """Warn, or fail the test, if its cassette is older than allowed or of unknown age.

    Do nothing without `--cassette-max-age`.

    Args:
        item: The test.
        cassette: The path of its cassette, for the message.
        provenance: The provenance of its cassette, with the time of recording.
    """
    limit: Limit | None = item.config.getoption("--cassette-max-age")
    if limit is None:
        return
    from harness.cassette.age import findings, utc_now

    for finding in findings(provenance, limit, utc_now()):
        message = f"{cassette}: {finding.message}"
        if item.config.getoption("--cassette-max-age-fails"):
            pytest.fail(message, pytrace=False)
        item.warn(CassetteAgeWarning(message))
