"""The owners of cassettes, which are scenarios and tests."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.cassette.store import Store
from harness.prune.tests import Tests, real_path
from harness.runner.batch import Job, with_repeats
from harness.types import Provenance


class UnknownOwner(Exception):
    """The owner of a cassette cannot be known, so the cassette is kept."""


@dataclass(frozen=True, slots=True)
class Owners:
    """All scenarios and tests that may own cassettes.

    Attributes:
        folder: The folder of the scenarios' cassettes.
        by_scenarios: The paths of the scenarios' cassettes; None if scenarios were not searched.
        tests: The tests and their cassettes; None if tests were not searched.
    """

    folder: Path
    by_scenarios: frozenset[Path] | None
    tests: Tests | None

    def reason_unused(self, path: Path, provenance: Provenance) -> str:
        """Return why the cassette at *path* is unused, or "" if it is used.

        Raises UnknownOwner if it names no owner, or its owner was not searched for.
        """
        real = real_path(path)
        if real in (self.by_scenarios or ()) or (self.tests and real in self.tests.used):
            return ""
        if provenance.test:
            reasons = [self._missing_test(real, test) for test in provenance.test.splitlines()]
            reason = reasons[0] if all(reasons) else ""
        else:
            reason = self._missing_scenario(real, provenance)
        return "" if self.tests and self.tests.is_in_source(path) else reason

    def _missing_scenario(self, path: Path, provenance: Provenance) -> str:
        """Return why no scenario uses a cassette: the scenario or its target does not exist.

        Raises UnknownOwner if scenarios were not searched, the cassette names no scenario, or it is
        not in its scenario's folder, where it may be a copy.
        """
        scenario = provenance.scenario
        if self.by_scenarios is None or not scenario or path.parent != self.folder / scenario:
            raise UnknownOwner
        return f"no scenario {scenario} with {provenance.target or path.stem}"

    def _missing_test(self, path: Path, test: str) -> str:
        """Return why no test uses a cassette: its test does not exist or uses another cassette.

        Raises UnknownOwner if the test was not searched for, or may use the cassette although
        pytest did not collect it. The test's file is never opened.
        """
        relative, _, name = test.partition("::")
        file = Path(os.path.normpath(path.parent / relative))
        if self.tests is None or not any(file.is_relative_to(root) for root in self.tests.roots):
            raise UnknownOwner
        if file not in self.tests.files:
            if os.path.lexists(file):
                raise UnknownOwner  # such as a module that is skipped on this machine only
            return f"its tests are gone: {file.name}"
        if (file, name) not in self.tests.cassettes:
            return f"no test {name} in {file.name}"
        if self.tests.cassettes[file, name] is None:
            raise UnknownOwner  # the test may open the cassette while it runs
        return f"the test {name} in {file.name} has another"


def find_owners(folder: Path, jobs: Sequence[Job] | None, tests: Tests | None) -> Owners:
    """Return the owners of cassettes.

    Args:
        folder: The folder of the scenarios' cassettes.
        jobs: All scenarios with their targets; None if scenarios are not searched.
        tests: The tests and their cassettes; None if tests are not searched.
    """
    store = Store(folder)
    every = with_repeats(jobs or (), store)
    paths = [job.own(store).path(job.scenario.name, job.target) for job in every]
    by_scenarios = None if jobs is None else frozenset(map(real_path, paths))
    return Owners(real_path(folder), by_scenarios, tests)
