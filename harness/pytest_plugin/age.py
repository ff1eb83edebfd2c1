"""Cassettes that are older than `--max-cassette-age` allows: a warning, or a failure."""

from __future__ import annotations

from argparse import ArgumentTypeError
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from harness.cassette.age import Limit
    from harness.types import Provenance


class CassetteAgeWarning(pytest.PytestWarning):
    """A test was answered from a cassette that is older than it should be.

    As any warning, it fails tests where `filterwarnings` says `error`.
    """


def options(group: pytest.OptionGroup) -> None:
    """The options about age."""
    group.addoption(
        "--max-cassette-age",
        type=_limit,
        metavar="AGE",
        help="warn of answers from a cassette that is older, or of unknown age: 12h, 30d, 4w",
    )
    group.addoption(
        "--max-cassette-age-fails",
        action="store_true",
        help="with --max-cassette-age: fail instead",
    )


def _limit(text: str) -> Limit:
    from harness.cassette.age import limit
    from harness.errors import HarnessError

    try:
        return limit(text, fails=False)
    except HarnessError as error:
        raise ArgumentTypeError(str(error)) from None


def check_options(config: pytest.Config) -> None:
    """Raises pytest.UsageError where something should fail that is not asked for."""
    if config.getoption("--max-cassette-age-fails") and not config.getoption("--max-cassette-age"):
        raise pytest.UsageError(
            "--max-cassette-age-fails goes with --max-cassette-age, such as --max-cassette-age=30d"
        )


def tell_age(item: pytest.Item, cassette: str, told: Provenance) -> None:
    """Warn of a cassette that is too old, or fail."""
    allowed: Limit | None = item.config.getoption("--max-cassette-age")
    if allowed is None:
        return
    from harness.cassette.age import findings, now

    for finding in findings(told, allowed, now()):
        message = f"{cassette}: {finding.message}"
        if item.config.getoption("--max-cassette-age-fails"):
            pytest.fail(message, pytrace=False)
        item.warn(CassetteAgeWarning(message))
