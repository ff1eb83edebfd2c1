"""The known names of parameters, by which a misspelt one is recognised.

An unknown name may be new, so it counts as misspelt only if it is similar to a known one. A test
compares the known names with the arguments of the SDKs.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from harness.types import Json

_FILE = Path(__file__).with_suffix(".txt")

KNOWN_PARAMETERS = frozenset(_FILE.read_text(encoding="utf-8").split())
"""The names of parameters of the services and SDKs."""

_SIMILARITY = 0.8


def misspelt(parameters: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    """Yield each misspelt name among *parameters*, with the name that is probably meant."""
    for name in parameters:
        meant = "" if name in KNOWN_PARAMETERS else _meant(name)
        if meant:
            yield name, meant


@lru_cache(maxsize=256)
def _meant(name: str) -> str:
    """Return the known name that an unknown one nearly is; empty if there is none."""
    near = difflib.get_close_matches(name.lower(), KNOWN_PARAMETERS, n=1, cutoff=_SIMILARITY)
    return near[0] if near and not _is_variant(name, near[0]) else ""


def _is_variant(name: str, known: str) -> bool:
    """Return whether *name* has a further word, such as `top_p_min`, and so is another name."""
    return set(known.split("_")) < set(name.split("_"))


def warnings(named: Iterable[tuple[str, Mapping[str, Json]]]) -> Iterator[str]:
    """Yield a sentence for each misspelt parameter, none twice.

    *named* has (place, parameters by name); a sentence begins with the place.
    """
    seen: set[str] = set()
    for place, parameters in named:
        for name, known in misspelt(parameters):
            text = f"{place}: unknown parameter {name!r}; did you mean {known!r}?"
            if text not in seen:
                seen.add(text)
                yield text
