"""The provider Alibaba DashScope (Model Studio): endpoints, SDKs, rules, sandbox, samples."""

from dataclasses import replace

from harness.config.services import Service
from harness.providers.dashscope import compatible, parsers, session
from harness.providers.dashscope.endpoints import COMPATIBLE_FURTHER, ENDPOINTS, FURTHER, TABLE
from harness.providers.dashscope.functions import has_async, media_of
from harness.providers.openai.service import declare
from harness.providers.provider import Provider, call_modes

PROVIDER = Provider(
    package=__name__,
    name="dashscope",
    about="Alibaba DashScope: Qwen, Wanx",
    distribution="dashscope",
    key_variable="DASHSCOPE_API_KEY",
    key_modules=("dashscope", "dashscope.common.env"),
    address_variable="DASHSCOPE_HTTP_BASE_URL",
    address="https://dashscope.aliyuncs.com/api/v1",
    can=call_modes(
        chat="sync stream",
        prompt="sync stream",
        image="sync async",
        video="async",
        embedding="sync",
        rerank="sync",
        speech="sync",
        transcription="sync stream async",
    ),
    open=session.DashScopeSession,
    endpoints=ENDPOINTS,
    further=FURTHER,
    headers=frozenset(TABLE.words("headers")),
    reasoning=session.reasoning,
    parsers=(parsers.SDK_PARSER, parsers.CLIENT_PARSER),
    asynchronous=has_async,
    media=media_of,
)

COMPATIBLE = replace(
    declare(
        Service(
            "dashscope-compatible",
            form="openai",
            base_url="https://dashscope.aliyuncs.com/compatible-mode/v1",
            key_variable=PROVIDER.key_variable,
        ),
        compatible.ENDPOINTS,
        compatible.OPERATIONS,
    ),
    package=compatible.__name__,
    further=COMPATIBLE_FURTHER,
    about="Alibaba DashScope in OpenAI's format: Qwen",
)
"""DashScope's API in OpenAI's format: a declared service whose facts are recorded."""
