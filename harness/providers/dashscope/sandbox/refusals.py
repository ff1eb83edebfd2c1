"""The refusals: what the service says to each reason, and the form in which it says it."""

from __future__ import annotations

import uuid

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from harness.providers.dashscope.sandbox.headers import headers
from harness.sandbox.house import said
from harness.sandbox.refusal import Reason, Refused, Wording, worded
from harness.sandbox.speaker import arrival

_MODEL_NOT_EXIST = (400, "InvalidParameter", "Model not exist.")  # [REC] rerank
_BAD_KEY = (401, "InvalidApiKey", "Invalid API-key provided.")  # [REC]
_BAD_ROLE = "Role must be user or assistant and Content length must be greater than 0"  # [REC]
_BAD_BODY = "Required body invalid, please check the request body format."  # [DOC] error-code
_NO_INPUT = 'Either "prompt" or "messages" must exist and cannot both be none'  # [DOC] error-code
_STRAY = (  # [FIELD] alibaba/spring-ai-alibaba #3139
    '<400> InternalError.Algo.InvalidParameter: messages with role "tool" must be a response to a '
    'preceeding message with "tool_calls".'
)

REFUSALS: Wording = {
    Reason.NO_KEY: (401, "InvalidApiKey", "No API-key provided."),  # [DOC] error-code
    Reason.MALFORMED_KEY: _BAD_KEY,
    Reason.WRONG_KEY: _BAD_KEY,
    # [DOC] help.aliyun.com/en/model-studio/error-code; no recorded body known
    Reason.THROTTLED: (
        429,
        "Throttling.RateQuota",
        "Requests rate limit exceeded, please try again later.",
    ),
    Reason.NOT_JSON: (400, "InvalidParameter", _BAD_BODY),
    Reason.UNKNOWN_MODEL: _MODEL_NOT_EXIST,
    Reason.BAD_MESSAGES: (400, "InvalidParameter", _BAD_ROLE),
    Reason.NO_MESSAGES: (400, "InvalidParameter", _NO_INPUT),
    Reason.STRAY_TOOL_MESSAGE: (400, "InvalidParameter", _STRAY),
    Reason.BAD_PARAMETER: (400, "InvalidParameter", "{detail}"),
    # [FIELD] HTTP 400
    Reason.FORBIDDEN: (
        400,
        "DataInspectionFailed",
        "Input data may contain inappropriate content.",
    ),
    # [DOC] text-to-image-api-reference
    Reason.NOT_ASYNC: (
        403,
        "AccessDenied",
        "current user api does not support synchronous calls.",
    ),
    # [FIELD] alibaba/spring-ai-alibaba #2400
    Reason.NO_SUCH_PATH: (400, "InvalidParameter", "url error, please check url！"),
    # [FIELD] agentscope-ai/agentscope #1258 (2026-02), #1394
    Reason.WRONG_ENDPOINT: (
        400,
        "InvalidParameter",
        "url error, please check url！ For details, see: "
        "https://help.aliyun.com/zh/model-studio/error-code#error-url",
    ),
    Reason.WRONG_METHOD: (405, "InvalidParameter", "Request method is not supported."),
}


async def refuse(request: Request, refused: Refused) -> Response:
    """[REC] a refusal is flat; also a stream is refused in plain JSON (2025-12)."""
    return _refusal(request, *worded(refused, REFUSALS))


async def no_such_path(request: Request, error: HTTPException) -> Response:
    """A path or method the service does not know."""
    reason = Reason.WRONG_METHOD if error.status_code == 405 else Reason.NO_SUCH_PATH
    return _refusal(request, *REFUSALS[reason])


async def broken(request: Request, error: Exception) -> Response:
    """[DOC] 500; Starlette raises the error again after this, so that it is seen."""
    return _refusal(request, 500, "InternalError", "An internal error has occured.")


def _refusal(request: Request, status: int, code: str, message: str) -> Response:
    request_id = str(uuid.uuid4())
    body = {"code": code, "message": message, "request_id": request_id}
    sent = headers(request_id, arrival(request), [])
    if status == 401:
        # [REC] a bad key is turned away before the gateway: fewer headers
        dropped = ("set-cookie", "x-dashscope-timeout", "vary")
        sent = [(name, value) for name, value in sent if name not in dropped]
        sent.append(("vary", "Accept-Encoding"))
    if status == 429:
        sent.append(("retry-after", "1"))
    return said(body, status, sent)
