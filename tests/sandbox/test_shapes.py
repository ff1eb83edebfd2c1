"""The sandbox is held to real recordings: the same paths, types and header names.

Recordings and sandbox answers are sorted into kinds by the request and the kind of answer. In
each kind, what the sandbox sends must have been recorded at least once, and what every recording
has must be sent by the sandbox.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import httpx
import pytest
import yaml

from harness.types import Json
from harness.wire import read_events, read_json, shape

from .client import WEATHER, Dash, Zhipu, user

RECORDINGS = Path(__file__).parents[3] / "shared" / "recordings"

KNOWN: Mapping[str, str] = {
    "* extra header x-sandbox": "the mark that tells the sandbox from the real service",
    "zhipu stream extra header transfer-encoding": (
        "the recorder took it off; a body without a length has to say how it is framed"
    ),
    "zhipu chat tools missing /choices/[]/message/content": (
        "left out beside tool calls, as the documentation has it and glm-4.6 does it in "
        "recordings; glm-4.5 says a sentence"
    ),
    "dashscope * missing header content-length": (
        "written by the recorder when it unpacked gzip; the wire is chunked"
    ),
    "dashscope generation stream tools first event missing": "",
}
"""Every known difference, by name, and its reason. One that no longer occurs has to go."""


@dataclass(frozen=True)
class Answer:
    """An answer, recorded or sent by the sandbox."""

    headers: frozenset[str]
    values: tuple[Json, ...]


Kinds = dict[str, list[Answer]]


def kind_of(method: str, uri: str, asked: Json, status: int, is_stream: bool) -> str:
    """Which answers are to be compared with each other; "" for those the sandbox has not."""
    stream = " stream" if is_stream else ""
    if status != 200:
        return f"dashscope refusal {status}" if "dashscope" in uri else f"zhipu refusal {status}"
    if uri.endswith("/chat/completions"):
        return f"zhipu chat{stream}"
    if uri.endswith("/text-generation/generation"):
        parameters = asked["parameters"]
        form = parameters.get("result_format") or "text"
        with_tools = " tools" if parameters.get("tools") else ""
        return f"dashscope {form}{with_tools}{stream}"
    if uri.endswith("/image-synthesis"):
        return "dashscope order"
    return "dashscope poll" if "/tasks/" in uri and method == "GET" else ""
