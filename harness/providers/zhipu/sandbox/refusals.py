"""The refusals: what the service says to each reason, and the form in which it says it."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from harness.providers.zhipu.sandbox.headers import headers, new_id
from harness.sandbox.house import now, said
from harness.sandbox.refusal import Reason, Refused, Wording, worded
from harness.types import LooseJson

REFUSALS: Wording = {
    # [DOC] docs.z.ai/api-reference/api-code
    Reason.NO_KEY: (401, "1001", "Header中未收到Authorization参数，无法进行身份验证。"),
    # [FIELD] captured live, 2026-07-30
    Reason.MALFORMED_KEY: (
        401,
        "1002",
        "Authorization Token非法，请确认Authorization Token正确传递。",
    ),
    # [FIELD] zhipuai/zhipuai-sdk-python issue #25
    Reason.WRONG_KEY: (401, "401", "令牌已过期或验证不正确"),
    # [FIELD] MetaGLM/zhipuai-sdk-python-v4 issue #8
    Reason.EXPIRED_KEY: (401, "1003", "Authorization Token已过期，请重新生成/获取。"),
    # [FIELD] the Chinese wording of 1302; [REC] for status and code
    Reason.THROTTLED: (
        429,
        "1302",
        "您当前使用该API的并发数过高，请降低并发，或联系客服增加限额。",
    ),
    Reason.NOT_JSON: (400, "1210", "API 调用参数有误，请检查文档。"),  # [FIELD]
    Reason.UNKNOWN_MODEL: (400, "1211", "模型不存在，请检查模型代码。"),  # [DOC]
    Reason.BAD_MESSAGES: (400, "1214", "messages 参数非法。请检查文档。"),  # [FIELD] dify #16337
    Reason.NO_MESSAGES: (400, "1214", "messages 参数非法。请检查文档。"),
    Reason.STRAY_TOOL_MESSAGE: (400, "1214", "messages 参数非法。请检查文档。"),
    # [FIELD] chatchat-space/Langchain-Chatchat #2815 has the same text with "prompt"
    Reason.BAD_PARAMETER: (400, "1214", "{detail} 参数非法。请检查文档。"),
    # [FIELD] the text clients match for, which is cut there
    Reason.FORBIDDEN: (400, "1301", "系统检测到输入或生成内容可能包含不安全或敏感内容"),
    Reason.NO_SUCH_TASK: (400, "1214", "id 参数非法。请检查文档。"),  # no evidence
}


async def refuse(request: Request, refused: Refused) -> Response:
    """[FIELD] a refusal: its code is a string, always; also a stream is refused in plain JSON."""
    status, code, message = worded(refused, REFUSALS)
    body: LooseJson = {"error": {"code": code, "message": message}}
    if refused.reason is Reason.FORBIDDEN:
        # [DOC] role: where it was seen; level: 0 is the most severe
        body["contentFilter"] = [{"level": 1, "role": "user"}]
    sent = headers(new_id())
    if refused.reason is Reason.THROTTLED:
        sent.append(("retry-after", "1"))
    return said(body, status, sent)


async def no_such_path(request: Request, error: HTTPException) -> Response:
    """A path or method the service does not know; users report this shape, no recording has it."""
    status = error.status_code
    told = {404: "Not Found", 405: "Method Not Allowed"}.get(status, "Bad Request")
    stamp = now().isoformat(timespec="milliseconds")
    body = {"timestamp": stamp, "status": status, "error": told, "path": request.url.path}
    return said(body, status, headers(new_id()))


async def broken(request: Request, error: Exception) -> Response:
    """[DOC] 500; Starlette raises the error again after this, so that it is seen."""
    return said({"error": {"code": "500", "message": "内部错误"}}, 500, headers(new_id()))
