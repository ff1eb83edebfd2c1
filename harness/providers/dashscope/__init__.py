"""The provider Alibaba DashScope (Model Studio): endpoints, SDKs, rules, sandbox, samples."""

from harness.providers.dashscope import client, compatible, session
from harness.providers.dashscope.endpoints import ENDPOINTS, HEADERS
from harness.providers.provider import Provider
from harness.types import CallKind, Mode

PROVIDER = Provider(
    package=__name__,
    name="dashscope",
    about="Alibaba DashScope: Qwen, Wanx",
    distribution="dashscope",
    key_variable="DASHSCOPE_API_KEY",
    key_modules=("dashscope", "dashscope.common.env"),
    address_variable="DASHSCOPE_HTTP_BASE_URL",
    address="https://dashscope.aliyuncs.com/api/v1",
    can=frozenset(
        {
            (CallKind.CHAT, Mode.SYNC),
            (CallKind.CHAT, Mode.STREAM),
            (CallKind.PROMPT, Mode.SYNC),
            (CallKind.PROMPT, Mode.STREAM),
            (CallKind.IMAGE, Mode.ASYNC),
        }
    ),
    open=session.DashScopeSession,
    endpoints=(*ENDPOINTS, *compatible.ENDPOINTS),
    headers=HEADERS,
    reasoning=session.reasoning,
    parsers=(session.PARSER, client.PARSER),
)
