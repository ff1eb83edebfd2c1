"""The endpoints of DashScope's API that is compatible with OpenAI's, with their schemas.

B1 to B7 are sections of docs/WIRE_FACTS.md. The tags are explained in `harness.providers`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.analysis.endpoint_table import EndpointTable
from harness.providers.openai import endpoints as openai_endpoints
from harness.providers.openai.session import OPERATIONS as OPENAI_OPERATIONS
from harness.types import CallKind, Json
from harness.wire import resolve

SERVER_TOOLS = ("enable_search", "enable_code_interpreter")
"""The parameters by which the service searches or runs code [DOC] C4."""


def runs_tools(request: Json) -> bool:
    """Return whether the service itself searches the web or runs code to answer *request*.

    It does if `enable_search` or `enable_code_interpreter` is true: [DOC], section C4 of
    docs/WIRE_FACTS.md.
    """
    return any(resolve(request, f"/{name}") is True for name in SERVER_TOOLS)


def counts_reasoning(request: Json) -> bool:
    """Return whether the model of *request* reports how many tokens its reasoning has.

    Answers of models since qwen3.5 do: [DOC], section C1 of docs/WIRE_FACTS.md. It is unknown
    whether answers of earlier models do; the result for them is False.
    """
    names = ("qwen3.5-", "qwen3.6-", "qwen3.7-", "qwen3.8-")
    return str(resolve(request, "/model")).startswith(names)


def keeps_reasoning(request: Json) -> bool:
    """Return whether *request* sets `preserve_thinking: true`.

    The model then reads the reasoning of earlier answers that the request sends back: [DOC],
    section C1 of docs/WIRE_FACTS.md.
    """
    return resolve(request, "/preserve_thinking") is True


def translates(request: Json) -> bool:
    """Return whether *request* names a translation model (qwen-mt).

    Some of these models send cumulative streams, whatever the request says.
    """
    return str(resolve(request, "/model")).startswith("qwen-mt")


def cumulative(request: Json) -> bool | None:
    """Return whether each event of a stream repeats the text so far.

    The result is None (unknown) for a translation model (qwen-mt), and False for all others.
    """
    return None if translates(request) else False


TABLE = EndpointTable(
    Path(__file__).with_name("endpoints.toml"),
    *(cumulative, keeps_reasoning, counts_reasoning, runs_tools, openai_endpoints.asks_for_usage),
    base=openai_endpoints.TABLE,
)
ENDPOINTS = tuple(TABLE.endpoints("compatible").values())
CHAT = ENDPOINTS[0]

_BASE = ("/compatible-mode/", "/compatible-api/")
_RERANK = replace(OPENAI_OPERATIONS["rerank"][1], path="/reranks", other_base=_BASE)
OPERATIONS = {"rerank": (CallKind.RERANK, _RERANK)}
"""The operations that differ from those of OpenAI's format, by the end of an endpoint's name."""
