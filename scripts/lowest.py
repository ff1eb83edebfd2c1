"""Check that the lowest allowed version of each package that users need is installed.

`make oldest` runs it: a version that another package raises is a bound that nothing was run with.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from packaging.version import Version

from harness.config.packages import this_environment

STORES = frozenset({"s3", "oss", "dask"})
"""The extras whose packages ask for other versions of aiohttp; their tests have an environment."""


def main(arguments: Sequence[str]) -> int:
    """Print each package whose lower bound is not the installed version; return 1 if there is one.

    zai-sdk may be missing: it cannot be installed beside zhipuai.

    Args:
        arguments: The names of packages of which another version is meant to be installed. With
            `--stores` the packages of the extras `s3`, `oss` and `dask` are looked at, and only
            these; without it, all others.
    """
    of_stores = "--stores" in arguments
    wrong = [
        f"{one.name}: pyproject.toml allows {one.lowest or 'any'}, and {one.installed} is installed"
        for one in this_environment().packages
        if one.name not in ("zai-sdk", *arguments)
        and STORES.issuperset(one.extras) == of_stores
        and Version(one.lowest or "0") != Version(one.installed or "0")
    ]
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
