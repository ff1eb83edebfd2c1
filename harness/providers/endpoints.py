"""The endpoints of all providers, and functions that find one."""

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
"""The endpoint of files that answers link to, such as generated images, on any host."""

ENDPOINTS = (*(e for provider in PROVIDERS.values() for e in provider.endpoints), FILE)
"""Every endpoint."""

HEADERS = frozenset(name for provider in PROVIDERS.values() for name in provider.headers)
"""The names, in lower case, of the providers' own headers; a recording keeps them."""

recognise = recogniser(ENDPOINTS)
"""A function that returns the endpoint of an exchange by its method and path, on any host.

It returns None if there is no such endpoint.
"""

_BY_NAME = {endpoint.name: endpoint for endpoint in ENDPOINTS}


def endpoint(name: str) -> Endpoint:
    """Return the endpoint *name*, such as `zhipuai.chat`.

    Raises:
        HarnessError: There is no such endpoint.
    """
    if name not in _BY_NAME:
        raise HarnessError(f"unknown endpoint {name!r}; known are {', '.join(_BY_NAME)}")
    return _BY_NAME[name]
