"""Files beside recordings that nobody uses any more, and taking them away.

A file is unused only where that can be known; whatever is in doubt stays. A cassette says whose it
is: a scenario's, or that of a test's mark. It is unused if its owner was looked for and is gone, or
has another. Cassettes that say nothing, as those of `harness.use_cassette`, are never judged.
"""

from harness.prune.judging import Judge, judge
from harness.prune.searching import LEFT_AFTER, Pruning, Unused, delete, search
from harness.prune.tests import Tests, collect, folders

__all__ = [
    "LEFT_AFTER",
    "Judge",
    "Pruning",
    "Tests",
    "Unused",
    "collect",
    "delete",
    "folders",
    "judge",
    "search",
]
