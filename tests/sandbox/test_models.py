"""The sandbox refuses what the services refuse: models elsewhere, retired ones, thinking."""

from __future__ import annotations

from typing import Any

import pytest

from harness.types import Json

from .client import Dash, Zhipu

WRONG_ENDPOINT = (
    "url error, please check url！ For details, see: "
    "https://help.aliyun.com/zh/model-studio/error-code#error-url"
)
UNKNOWN = "Model not exist."
SERVICES = "/services/aigc"
TEXT, SEEN = (
    f"{SERVICES}/text-generation/generation",
    f"{SERVICES}/multimodal-generation/generation",
)
DRAWN = f"{SERVICES}/image-generation/generation"
PAINTED = f"{SERVICES}/text2image/image-synthesis"
TASK = {"X-DashScope-Async": "enable"}


def body(model: str, path: str, **parameters: Json) -> dict[str, Any]:
    """The body of a request in the form of an endpoint."""
    text: Json = "你好" if path == TEXT else [{"text": "你好"}]
    given: Json = {"messages": [{"role": "user", "content": text}]}
    if path == PAINTED:
        given = {"prompt": "你好"}
    return {"model": model, "input": given, "parameters": parameters}


@pytest.mark.parametrize(
    ("model", "path", "headers", "message"),
    [
        ("qwen3.7-plus", TEXT, {}, WRONG_ENDPOINT),
        ("qwen-plus", SEEN, {}, WRONG_ENDPOINT),
        ("qwen-image", TEXT, {}, WRONG_ENDPOINT),
        ("wan2.7-image", PAINTED, TASK, WRONG_ENDPOINT),
        ("wan2.2-t2i-flash", DRAWN, TASK, WRONG_ENDPOINT),
        ("no-such-model", TEXT, {}, UNKNOWN),
        ("no-such-model", SEEN, {}, UNKNOWN),
        ("qwen-turbo", TEXT, {}, UNKNOWN),
        ("qwen-vl-max", SEEN, {}, UNKNOWN),
    ],
)
def test_a_model_at_the_wrong_endpoint(
    dash: Dash, model: str, path: str, headers: dict[str, str], message: str
) -> None:
    """The texts are those of the service; what it answers for a retired model is not known."""
    answer = dash.post(path, body(model, path), headers)
    told = answer.json()
    assert (answer.status_code, told["code"], told["message"]) == (
        400,
        "InvalidParameter",
        message,
    )


@pytest.mark.parametrize(
    ("model", "parameters", "message"),
    [
        (
            "qwen3-14b",
            {"enable_thinking": True},
            "parameter.enable_thinking must be set to false for non-streaming calls",
        ),
        ("qwen3-14b", {}, "parameter.enable_thinking must be set to false for non-streaming calls"),
        (
            "qwq-32b",
            {},
            "This model only support stream mode, please enable the stream parameter to access "
            "the model.",
        ),
        ("qwen3-14b", {"enable_thinking": False}, ""),
        ("qwen-plus", {"enable_thinking": True}, ""),
    ],
)
def test_thinking_without_a_stream(
    dash: Dash, model: str, parameters: dict[str, Json], message: str
) -> None:
    """Open Qwen3 refuses it; commercial models answer."""
    answer = dash.post(TEXT, body(model, TEXT, result_format="message", **parameters))
    assert answer.json().get("message", "") == message


def test_reasoning_is_beside_the_text(dash: Dash) -> None:
    """And its tokens are counted apart, within the output tokens."""
    sent = body("qwen-plus", TEXT, result_format="message", enable_thinking=True)
    answer = dash.post(TEXT, sent).json()
    assert answer["output"]["choices"][0]["message"]["reasoning_content"]
    usage = answer["usage"]
    assert 0 < usage["output_tokens_details"]["reasoning_tokens"] < usage["output_tokens"]


@pytest.mark.parametrize(("model", "status"), [("glm-5.3", 400), ("glm-4.6", 200)])
def test_thinking_that_cannot_be_switched_off(zhipu: Zhipu, model: str, status: int) -> None:
    """glm-5.3 always thinks."""
    sent = {
        "model": model,
        "messages": [{"role": "user", "content": "你好"}],
        "thinking": {"type": "disabled"},
    }
    answer = zhipu.post("/chat/completions", sent)
    assert answer.status_code == status
    if status == 400:
        assert answer.json()["error"] == {
            "code": "1210",
            "message": "该模型始终思考，不支持关闭思考；请使用 low、high 或 max。",
        }
