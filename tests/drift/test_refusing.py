"""Which refusals say something of the service."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from drift.changed_recordings import recorded, with_exchanges
from harness.drift.live import refuses_the_request
from harness.types import Exchange

ZHIPU, DASH = "slogan/zhipuai-glm-5.3-flash", "slogan/dashscope-qwen-flash"
FORMS: dict[str, Any] = {
    ZHIPU: lambda code: {"error": {"code": code, "message": "no"}},
    DASH: lambda code: {"code": code, "message": "no", "request_id": "1"},
}


@pytest.mark.parametrize(
    ("name", "status", "code", "result"),
    [
        (ZHIPU, 400, "1211", True),
        (ZHIPU, 404, "1211", True),
        (ZHIPU, 422, "1214", True),
        (DASH, 400, "InvalidParameter", True),
        (DASH, 400, "DataInspectionFailed", True),
        (DASH, 400, "Arrearage", False),  # the account is in debt
        (ZHIPU, 401, "1002", False),
        (ZHIPU, 402, "1113", False),
        (DASH, 403, "AccessDenied", False),
        (ZHIPU, 408, "1234", False),
        (ZHIPU, 429, "1302", False),
        (ZHIPU, 500, "500", False),
        (DASH, 503, "ServiceUnavailable", False),
    ],
)
def test_by_status_and_code(name: str, status: int, code: str, result: bool) -> None:
    """What the service says of the request, and not of a key, an account or the moment."""
    body = json.dumps(FORMS[name](code)).encode()
    assert refuses_the_request(_answered(name, status, body)) is result


def test_what_is_not_in_its_form() -> None:
    """Somebody else may have said that."""
    assert not refuses_the_request(_answered(ZHIPU, 404, b"<html>not here</html>"))
    assert not refuses_the_request(_answered(ZHIPU, 400, b"{}"))
    assert not refuses_the_request(recorded(ZHIPU).turns[0])
    assert not refuses_the_request(replace(recorded(ZHIPU).turns[0], readings=()))


def _answered(name: str, status: int, body: bytes) -> Any:
    def changed(exchange: Exchange) -> Exchange:
        headers = (("content-type", "application/json"),)
        response = replace(exchange.response, status=status, headers=headers, body=body)
        return replace(exchange, response=response)

    return with_exchanges(recorded(name), changed).turns[0]
