"""What each service's wire looks like, written down as data; this is the table of contents."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from harness.dialects import compatible, dashscope, files, zhipuai
from harness.reading import Endpoint, recogniser

DIALECTS: Mapping[str, tuple[Endpoint, ...]] = MappingProxyType(
    {
        "zhipuai": zhipuai.ENDPOINTS,
        "dashscope": dashscope.ENDPOINTS,
        "compatible": compatible.ENDPOINTS,
        "files": files.ENDPOINTS,
    }
)
"""The endpoints of each dialect, by its name."""

ENDPOINTS: tuple[Endpoint, ...] = tuple(e for table in DIALECTS.values() for e in table)

HEADERS: frozenset[str] = zhipuai.HEADERS | dashscope.HEADERS
"""The headers, in lower case, that a recording keeps because one of these services sends them."""

recognise = recogniser(ENDPOINTS)
"""Finds an exchange's endpoint by method and path, whatever the host."""


def endpoint(name: str) -> Endpoint:
    """The endpoint of this name, such as `zhipuai.chat`; a KeyError where there is none."""
    return {known.name: known for known in ENDPOINTS}[name]
