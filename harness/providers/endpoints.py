"""The endpoints of all providers."""

from __future__ import annotations

import re

from harness.analysis.endpoint import Endpoint, Role, recogniser
from harness.errors import HarnessError
from harness.providers import PROVIDERS

FILE = Endpoint(
    name="files.file",
    method="GET",
    path=re.compile(r".*\.(?:png|jpe?g|webp|gif|bmp|mp4|webm|mp3|wav)", re.IGNORECASE),
    role=Role.FILE,
    answer={},
    refusal={},
)
"""A file that an answer links to, wherever the link leads."""

ENDPOINTS = (*(e for provider in PROVIDERS.values() for e in provider.endpoints), FILE)

HEADERS = frozenset(name for provider in PROVIDERS.values() for name in provider.headers)
"""The headers, in lower case, that a recording keeps because a provider sends them."""

recognise = recogniser(ENDPOINTS)
"""Finds an exchange's endpoint by its method and path, whatever the host."""

_BY_NAME = {endpoint.name: endpoint for endpoint in ENDPOINTS}


def endpoint(name: str) -> Endpoint:
    """Return the endpoint with this name, such as `zhipuai.chat`.

    Raises:
        HarnessError: There is no such endpoint.
    """
    if name not in _BY_NAME:
        raise HarnessError(f"unknown endpoint {name!r}; known are {', '.join(_BY_NAME)}")
    return _BY_NAME[name]
