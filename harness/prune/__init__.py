"""The search for unused cassettes, artefacts and temporary files, and their deletion.

A file counts as unused only if that is certain. A cassette names its owner, a scenario or a test.
It is unused if the owner was searched for and does not exist, or uses another cassette. Cassettes
that name no owner, such as those of `harness.use_cassette`, never count as unused.
"""

from harness.prune.owners import Owners, find_owners
from harness.prune.search import TEMPORARY_FOR, SearchResult, UnusedFile, delete, search
from harness.prune.tests import Tests, cassette_folders, collect

__all__ = [
    "TEMPORARY_FOR",
    "Owners",
    "SearchResult",
    "Tests",
    "UnusedFile",
    "cassette_folders",
    "collect",
    "delete",
    "find_owners",
    "search",
]
