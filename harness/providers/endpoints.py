"""What each service's wire looks like, written down as data; this is the table of contents."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from harness.analysis.endpoint import Endpoint, recogniser
from harness.providers import files
from harness.providers.dashscope import compatible
from harness.providers.dashscope import endpoints as dashscope_endpoints
from harness.providers.zhipu import endpoints as zhipu_endpoints

DIALECTS: Mapping[str, tuple[Endpoint, ...]] = MappingProxyType(
    {
        "zhipuai": zhipu_endpoints.ENDPOINTS,
        "dashscope": dashscope_endpoints.ENDPOINTS,
        "compatible": compatible.ENDPOINTS,
        "files": files.ENDPOINTS,
    }
)
"""The endpoints of each dialect, by its name."""

ENDPOINTS: tuple[Endpoint, ...] = tuple(e for table in DIALECTS.values() for e in table)

HEADERS: frozenset[str] = zhipu_endpoints.HEADERS | dashscope_endpoints.HEADERS
"""The headers, in lower case, that a recording keeps because one of these services sends them."""

recognise = recogniser(ENDPOINTS)
"""Finds an exchange's endpoint by method and path, whatever the host."""


def endpoint(name: str) -> Endpoint:
    """The endpoint of this name, such as `zhipuai.chat`; a KeyError where there is none."""
    return {known.name: known for known in ENDPOINTS}[name]
