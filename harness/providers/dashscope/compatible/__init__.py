"""The endpoints of DashScope's API that is compatible with OpenAI's, with their schemas.

B1 to B7 are sections of docs/WIRE_FACTS.md. The tags are explained in `harness.providers`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from harness.analysis.endpoint import Endpoint, Role, Schema
from harness.analysis.json_schema import STRING, nullable, object_of
from harness.providers.openai import endpoints as openai_endpoints
from harness.providers.openai.session import RERANK as RERANKS
from harness.types import CallKind, Json
from harness.wire import resolve
from harness.wire.patterns import lazy_pattern

# [FIELD] B7
STATUSES = {
    "invalid_api_key": frozenset({401}),
    "insufficient_quota": frozenset({429}),
}

# [REC] 6 of 6: param and code are there, and null where no key was sent.
REFUSAL: Schema = object_of(
    {
        "error": object_of(
            {"message": STRING, "type": nullable(STRING)},
            {"param": nullable(STRING), "code": nullable(STRING)},
        )
    },
    {"request_id": STRING},
)

SERVER_TOOLS = ("enable_search", "enable_code_interpreter")
"""The parameters by which the service searches or runs code [DOC] C4."""


def runs_tools(request: Json) -> bool:
    """Return whether the service itself searches the web or runs code to answer *request*.

    It does if `enable_search` or `enable_code_interpreter` is true: [DOC], section C4 of
    docs/WIRE_FACTS.md.
    """
    return any(resolve(request, f"/{name}") is True for name in SERVER_TOOLS)


def counts_reasoning(request: Json) -> bool:
    """Return whether answers of the model of *request* count the tokens of their reasoning.

    Those of the models since qwen3.5 do: [DOC], section C1 of docs/WIRE_FACTS.md. Whether those of
    earlier models do is unknown, and the result for them is False.
    """
    names = ("qwen3.5-", "qwen3.6-", "qwen3.7-", "qwen3.8-")
    return str(resolve(request, "/model")).startswith(names)


def keeps_reasoning(request: Json) -> bool:
    """Return whether *request* asks the model to read earlier reasoning: `preserve_thinking`.

    [DOC], section C1 of docs/WIRE_FACTS.md.
    """
    return resolve(request, "/preserve_thinking") is True


def translates(request: Json) -> bool:
    """Return whether *request* names a translation model (qwen-mt).

    Some of these models send cumulative streams, whatever the request says.
    """
    return str(resolve(request, "/model")).startswith("qwen-mt")


def cumulative(request: Json) -> bool | None:
    """Return whether each event of a stream repeats the text so far: False, or None if unknown.

    It is unknown for a translation model (qwen-mt).
    """
    return None if translates(request) else False


_post = partial(Endpoint, method="POST", role=Role.ANSWER, refusal=REFUSAL, statuses=STATUSES)

CHAT = _post(
    name="compatible.chat",
    # [DOC] C3: the hosts of coding plans have another path.
    path=lazy_pattern(
        r"(?:.*/compatible-mode|//coding(?:-intl)?\.dashscope\.aliyuncs\.com)/v1/chat/completions"
    ),
    answer=openai_endpoints.WHOLE,  # [REC] 21 of 21
    # [REC] 250 of 250: usage is null until an event of its own, whose `choices` are empty.
    event=openai_endpoints.CHUNK,
    ends_with_done=True,  # [REC] 33 of 33
    volatile=openai_endpoints.VOLATILE,
    # [REC]; `content_filter` and `function_call` were never recorded.
    finish_reasons=openai_endpoints.FINISH_REASONS,
    cumulative=cumulative,
    fields=openai_endpoints.FIELDS,
    objects=openai_endpoints.OBJECTS,
    keeps_reasoning=keeps_reasoning,
    counts_reasoning=counts_reasoning,
    runs_tools=runs_tools,
    tells_usage=openai_endpoints.asks_for_usage,  # [REC]
)

# The path and the schema follow those of the chat; never recorded here.
EMBEDDINGS = _post(
    name="compatible.embeddings",
    path=lazy_pattern(r".*/compatible-mode/v1/embeddings"),
    answer=openai_endpoints.EMBEDDING,
    volatile=frozenset({"/id", "/request_id"}),
    fields=openai_endpoints.EMBEDDING_FIELDS,
)

# [DOC] text rerank: below `compatible-api`, not `compatible-mode`.
RERANK = _post(
    name="compatible.rerank",
    path=lazy_pattern(r".*/compatible-(?:api|mode)/v1/reranks?"),
    answer=openai_endpoints.RANKING,
    refusal=openai_endpoints.SERVICE_REFUSAL,
    volatile=frozenset({"/id"}),
    fields=openai_endpoints.RANKING_FIELDS,
)

ENDPOINTS = (CHAT, EMBEDDINGS, RERANK)

OPERATIONS = {
    "rerank": (
        CallKind.RERANK,
        replace(RERANKS, path="/reranks", other_base=("/compatible-mode/", "/compatible-api/")),
    )
}
"""The operations that differ from those of OpenAI's format, by the end of an endpoint's name."""
