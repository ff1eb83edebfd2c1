"""Files that answers link to, fetched from wherever the link leads."""

from __future__ import annotations

import re

from harness.analysis.endpoint import Endpoint, Role

FILE = Endpoint(
    name="files.file",
    method="GET",
    path=re.compile(r".*\.(?:png|jpe?g|webp|gif|bmp|mp4|webm|mp3|wav)", re.IGNORECASE),
    role=Role.FILE,
    answer={},
    refusal={},
)

ENDPOINTS = (FILE,)
