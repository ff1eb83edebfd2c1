"""The known names of parameters and of their members, by which a misspelt one is recognised.

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

_SAME: Mapping[str, str] = {
    "extra_body": "",
    **dict.fromkeys(
        (
            *("tools.[].function.parameters", "tools.[].parameters", "tools.[].input_schema"),
            *("response_format.json_schema.schema", "text.format.schema"),
            *("output_config.format.schema", "$.items", "$.additionalProperties", "$.not"),
            *("$.properties.*", "$.$defs.*", "$.definitions.*"),
            *("$.anyOf.[]", "$.oneOf.[]", "$.allOf.[]", "$.prefixItems.[]"),
        ),
        "$",
    ),
}
"""The path in `members.txt` of paths with the members of another one; `$` is a JSON Schema."""

_FREE = ("$.properties", "$.$defs", "$.definitions")
"""The paths of objects whose members may have any name."""


@lru_cache(maxsize=1)
def _known() -> Mapping[str, tuple[str, ...]]:
    """Return the known members by path, and the known values by the path and an equals sign."""
    known = {"": tuple(KNOWN_PARAMETERS)}
    for line in _FILE.with_name("members.txt").read_text(encoding="utf-8").splitlines():
        head, *words = line.split() if line and line[0] != "#" else [""]
        if head:
            known[head.removesuffix(":") + "=" * (words[0] == "=")] = tuple(words)
    return known


def misspelt(
    value: Json | Mapping[str, Json], path: str = "", place: str = ""
) -> Iterator[tuple[str, str]]:
    """Yield (misspelt, corrected) for each misspelt name or text value in parameters.

    Both are texts that begin with the place: `("tools[0].functon", "tools[0].function")`.

    Args:
        value: The parameters, or a part of them.
        path: The path of the part in `members.txt`; empty for all parameters.
        place: The names and indices that lead to the part, such as `tools[0].function`.
    """
    path = _SAME.get(path, path)
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from misspelt(item, f"{path}.[]", f"{place}[{number}]")
    elif isinstance(value, Mapping):
        for name, member in value.items():
            meant = "" if path in _FREE else _meant(name, path)
            start = f"{place}." if place else ""
            if meant:
                yield start + name, start + meant
            inner = "*" if path in _FREE else name
            yield from misspelt(member, f"{path}.{inner}" if path else inner, start + name)
    elif isinstance(value, str) and (word := _meant(value, f"{path}=")):
        yield f"{place}: {value}", f"{place}: {word}"


@lru_cache(maxsize=512)
def _meant(name: str, path: str) -> str:
    """Return the known name at *path* that an unknown one nearly is; empty if there is none."""
    known = _known().get(path, ())
    if name in known:
        return ""
    near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=_SIMILARITY)
    return near[0] if near and not _is_variant(name, near[0]) else ""


def _is_variant(name: str, known: str) -> bool:
    """Return whether *name* has a further word, such as `top_p_min`, and so is another name."""
    return set(known.split("_")) < set(name.split("_"))


def warnings(named: Iterable[tuple[str, Mapping[str, Json]]]) -> Iterator[str]:
    """Yield a warning for each misspelt parameter, without repetitions.

    *named* has pairs of a place, such as `chat.yaml:7`, and the parameters there. A warning begins
    with the place and suggests the probable name.
    """
    seen: set[str] = set()
    for place, parameters in named:
        for name, known in misspelt(parameters):
            text = f"{place}: unknown parameter {name!r}; did you mean {known!r}?"
            if text not in seen:
                seen.add(text)
                yield text
