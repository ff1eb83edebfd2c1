"""Whether anybody uses a cassette."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.batch import Job, with_repeats
from harness.cassette.store import Store
from harness.prune.places import real
from harness.prune.tests import Tests
from harness.types import Provenance


class Unknown(Exception):
    """Nobody can say who uses a cassette: it stays."""


@dataclass(frozen=True, slots=True)
class Judge:
    """Who may use cassettes: scenarios, of which `owned` are the cassettes in `home`, and tests.

    What was not looked at is None, and its cassettes stay.
    """

    home: Path
    owned: frozenset[Path] | None
    tests: Tests | None

    def why(self, path: Path, told: Provenance) -> str:
        """Why nobody uses a cassette, by what it tells of itself; empty where somebody does.

        Raises Unknown.
        """
        place = real(path)
        if place in (self.owned or ()) or (self.tests and place in self.tests.used):
            return ""
        why = self._gone_test(place, told.test) if told.test else self._gone_scenario(place, told)
        return "" if self.tests and self.tests.names(path) else why

    def _gone_scenario(self, place: Path, told: Provenance) -> str:
        """It has to lie where its scenario would look for it: others may use copies of it."""
        if self.owned is None or not told.scenario or place.parent != self.home / told.scenario:
            raise Unknown
        return f"no scenario {told.scenario} with {told.target or place.stem}"

    def _gone_test(self, place: Path, told: str) -> str:
        """The test is not trusted to be where the cassette says: it is only compared."""
        where, _, name = told.partition("::")
        file = Path(os.path.normpath(place.parent / where))
        if self.tests is None or not any(file.is_relative_to(root) for root in self.tests.roots):
            raise Unknown
        if file not in self.tests.files:
            if os.path.lexists(file):
                raise Unknown  # as a module that is skipped here, but not elsewhere
            return f"its tests are gone: {file.name}"
        if (file, name) not in self.tests.cassettes:
            return f"no test {name} in {file.name}"
        if self.tests.cassettes[file, name] is None:
            raise Unknown  # it may ask for the cassette only while it runs
        return f"the test {name} in {file.name} has another"


def judge(home: Path, jobs: Sequence[Job] | None, tests: Tests | None) -> Judge:
    """By the scenarios whose cassettes are in `home`, and by tests; None was not looked at."""
    store = Store(home)
    every = with_repeats(jobs or (), store)
    paths = [job.own(store).path(job.scenario.name, job.target) for job in every]
    return Judge(real(home), None if jobs is None else frozenset(map(real, paths)), tests)
