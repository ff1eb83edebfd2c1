"""The environment variables by which clients in any language find a service: base URL and key."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from harness.types import Exchange


@dataclass(frozen=True, slots=True)
class ClientVariables:
    """The environment variables of one family of clients.

    Attributes:
        name: A short name, used in the paths of a recording proxy.
        address_variable: The variable with the base URL.
        key_variable: The variable with the API key.
        address: The base URL that the clients use if the variable is not set.
        paths: Matches the path of a request; its group `base` is the path of the base URL.
    """

    name: str
    address_variable: str
    key_variable: str
    address: str
    paths: re.Pattern[str]

    def base(self, exchange: Exchange) -> str | None:
        """Return the path of the base URL that the request was sent to; None if it is not ours."""
        match = self.paths.fullmatch(urlsplit(exchange.request.uri).path)
        return match["base"] if match else None


_V4 = re.compile(r"(?P<base>.*/paas/v4)/.+")

CLIENTS = (
    ClientVariables(
        "zhipuai",
        "ZHIPUAI_BASE_URL",
        "ZHIPUAI_API_KEY",
        "https://open.bigmodel.cn/api/paas/v4",
        _V4,
    ),
    ClientVariables(
        "zai", "ZAI_BASE_URL", "ZAI_API_KEY", "https://open.bigmodel.cn/api/paas/v4", _V4
    ),
    ClientVariables(
        "dashscope",
        "DASHSCOPE_HTTP_BASE_URL",
        "DASHSCOPE_API_KEY",
        "https://dashscope.aliyuncs.com/api/v1",
        re.compile(r"(?P<base>.*/api/v1)/(?:services|tasks|uploads|files|apps)\b.*"),
    ),
    ClientVariables(
        "openai",
        "OPENAI_BASE_URL",
        "OPENAI_API_KEY",
        "https://api.openai.com/v1",
        re.compile(
            r"(?P<base>.*?)/(?:chat/completions|completions|responses|embeddings|models|files|batches"
            r"|images/generations|audio/\w+|moderations)(?:/.*)?"
        ),
    ),
    ClientVariables(
        "anthropic",
        "ANTHROPIC_BASE_URL",
        "ANTHROPIC_API_KEY",
        "https://api.anthropic.com",
        re.compile(r"(?P<base>.*)/v1/messages(?:/.*)?"),
    ),
)
"""The clients whose variables are set or printed, from `docs/WIRE_FACTS.md` and the SDKs."""


def base_paths(exchanges: Iterable[Exchange]) -> list[tuple[ClientVariables, str]]:
    """Return the clients that could make these requests, each with the path of its base URL.

    A client that was used with several base URLs stands there once for each, the first used first.
    """
    seen: dict[tuple[str, str], tuple[ClientVariables, str]] = {}
    for exchange in exchanges:
        for client in CLIENTS:
            base = client.base(exchange)
            if base is not None:
                seen.setdefault((client.name, base), (client, base))
    order = [client.name for client in CLIENTS]
    return sorted(seen.values(), key=lambda item: order.index(item[0].name))
