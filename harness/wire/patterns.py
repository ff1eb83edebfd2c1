"""Regular expressions that are compiled when they are used first.

Python compiles a pattern in up to a millisecond, and most programs need few of a table of patterns.
"""

from __future__ import annotations

import re
from typing import Any, AnyStr, cast


class _LazyPattern:
    """A compiled pattern, once one of its attributes is used."""

    def __init__(self, pattern: Any, flags: int) -> None:
        self._arguments = pattern, flags

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # what copying and pickling look for
            raise AttributeError(name)
        value = getattr(re.compile(*self._arguments), name)
        setattr(self, name, value)  # the next time it is found without this method
        return value


def lazy_pattern(pattern: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """Return a regular expression that is compiled when one of its attributes is first used.

    *pattern* and *flags* are the arguments of `re.compile`.
    """
    return cast("re.Pattern[AnyStr]", _LazyPattern(pattern, flags))
