"""Every SDK, really called on loopback, reads what was recorded, and goes nowhere else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.parse import PARSERS, Parser, RecordedRequest
from harness.providers.endpoints import endpoint
from harness.providers.http import OtherAddress
from harness.providers.sdk import imported
from harness.sandbox.scripted_server import response_script, serve_scripts
from harness.types import Failure, GeneratedFile, Outcome, Reply, Response, Usage

JSON = (("content-type", "application/json"),)
EVENTS = (("content-type", "text/event-stream"),)

ASKED = {"model": "glm-4", "messages": [{"role": "user", "content": "你好"}]}
CHAT = ("zhipuai.chat", "/api/paas/v4/chat/completions")
OURS = {
    "model": "qwen-plus",
    "input": {"messages": [{"role": "user", "content": "你好"}]},
    "parameters": {"result_format": "message"},
}
SERVICES = "/api/v1/services/aigc"
GENERATION = ("dashscope.generation", f"{SERVICES}/text-generation/generation")
TASK = ("dashscope.tasks", "/api/v1/tasks/1")

IN_OPENAI_FORM = [p for p in PARSERS.values() if "zhipuai.chat" in p.endpoints]
OF_DASHSCOPE = [p for p in PARSERS.values() if "dashscope.generation" in p.endpoints]


def parsed(
    parser: Parser,
    operation: tuple[str, str],
    body: Any,
    answer: Response,
    *,
    stream: bool = False,
) -> Outcome:
    """Return what an SDK reads in an answer."""
    name, path = operation
    with serve_scripts(lambda head, body: response_script(answer)) as address:
        asked = RecordedRequest(address, path, endpoint(name), body, timeout=60, streamed=stream)
        return parser.parse(asked)


def says(value: Any, status: int = 200) -> Response:
    """Return an answer in JSON."""
    return Response(status, "OK", JSON, json.dumps(value).encode())


def streams(*values: Any, head: str = "data: ", end: str = "") -> Response:
    """Return a stream of events in JSON."""
    body = "".join(f"{head}{json.dumps(value)}\n\n" for value in values) + end
    return Response(200, "OK", EVENTS, body.encode())


def delta(content: str) -> Any:
    """Return one event in OpenAI's form."""
    choice = {"index": 0, "delta": {"role": "assistant", "content": content}}
    return {"id": "1", "created": 1, "model": "glm-4", "choices": [choice]}


def output(content: str) -> Any:
    """Return one answer or event of DashScope."""
    message = {"role": "assistant", "content": content}
    counts = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    choices = [{"finish_reason": "stop", "message": message}]
    return {"output": {"choices": choices}, "usage": counts, "request_id": "1"}


@pytest.mark.parametrize("parser", IN_OPENAI_FORM, ids=lambda parser: parser.name)
class TestInOpenAisForm:
    """zhipuai, zai-sdk, openai."""

    def test_an_answer_is_read(self, parser: Parser) -> None:
        """An answer's text, finish reason and tokens are read, and the SDK's object is kept."""
        choice = {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "你好！"},
        }
        counts = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
        value = {"id": "1", "created": 1, "model": "glm-4", "choices": [choice], "usage": counts}
        told = parsed(parser, CHAT, ASKED, says(value))
        assert isinstance(told, Reply)
        assert (told.content, told.finish_reason, told.usage) == ("你好！", "stop", Usage(1, 2, 3))
        assert told.views[0].value["id"] == "1"

    def test_a_stream_is_read(self, parser: Parser) -> None:
        """The pieces of a stream are read and joined."""
        answer = streams(delta("你"), delta("好"), end="data: [DONE]\n\n")
        told = parsed(parser, CHAT, {**ASKED, "stream": True}, answer)
        assert isinstance(told, Reply)
        assert (told.content, told.pieces, len(told.views)) == ("你好", ("你", "好"), 2)

    def test_a_refusal_is_a_failure(self, parser: Parser) -> None:
        """A refusal is a failure with its status, code and message, after one request."""
        asked: list[bytes] = []
        answer = says({"error": {"code": "1302", "message": "太快了"}}, 429)

        def respond(head: bytes, body: bytes) -> list[bytes]:
            asked.append(body)
            return [step for step in response_script(answer) if isinstance(step, bytes)]

        with serve_scripts(respond) as address:
            told = parser.parse(
                RecordedRequest(address, CHAT[1], endpoint(CHAT[0]), ASKED, timeout=60)
            )
        assert isinstance(told, Failure)
        assert (told.status, told.code, told.message) == (429, "1302", "太快了")
        assert len(asked) == 1

    def test_an_error_inside_a_stream_is_a_failure(self, parser: Parser) -> None:
        """An error inside a stream is a failure, whatever came before it."""
        answer = streams(delta("你"), {"error": {"code": "1302", "message": "太快了"}})
        told = parsed(parser, CHAT, {**ASKED, "stream": True}, answer)
        assert isinstance(told, Failure)
        assert told.code == "1302"


@pytest.mark.parametrize("parser", OF_DASHSCOPE, ids=lambda parser: parser.name)
class TestOfDashScope:
    """dashscope and dashscope.Client."""

    def test_an_answer_is_read(self, parser: Parser) -> None:
        """An answer's text, finish reason and tokens are read, and the SDK's object is kept."""
        told = parsed(parser, GENERATION, OURS, says(output("你好！")))
        assert isinstance(told, Reply)
        assert (told.id, told.content, told.finish_reason) == ("1", "你好！", "stop")
        assert told.usage == Usage(1, 2, 3)

    @pytest.mark.parametrize("incremental", [True, False])
    def test_a_stream_is_read(self, parser: Parser, incremental: bool) -> None:
        """The pieces of a stream are read and joined."""
        body = {**OURS, "parameters": {"incremental_output": True} if incremental else {}}
        second = "好" if incremental else "你好"
        answer = streams(output("你"), output(second), head="id:1\nevent:result\ndata:")
        told = parsed(parser, GENERATION, body, answer, stream=True)
        assert isinstance(told, Reply)
        assert (told.content, told.pieces) == ("你好", ("你", second))

    def test_a_refusal_is_a_failure(self, parser: Parser) -> None:
        """A refusal is a failure with its status, code and message, after one request."""
        refused = {"code": "Throttling", "message": "slow", "request_id": "1"}
        told = parsed(parser, GENERATION, OURS, says(refused, 429))
        assert isinstance(told, Failure)
        assert (told.status, told.code) == (429, "Throttling")
        assert (told.message, told.request_id) == ("slow", "1")

    def test_a_finished_task_is_read(self, parser: Parser) -> None:
        """A finished task has its state and the links of its images."""
        done = {
            "task_id": "1",
            "task_status": "SUCCEEDED",
            "results": [{"url": "https://example.com/1.png"}],
            "task_metrics": {"TOTAL": 1},
        }
        told = parsed(parser, TASK, None, says({"request_id": "2", "output": done}))
        assert isinstance(told, Reply)
        assert told.images == (GeneratedFile("https://example.com/1.png"),)
        assert (told.task_id, told.states) == ("1", ("SUCCEEDED",))

    def test_a_task_that_failed_is_a_failure(self, parser: Parser) -> None:
        """A failed task is a failure with the code and message of its output."""
        failed = {"task_id": "1", "task_status": "FAILED", "code": "Bad", "message": "no"}
        told = parsed(parser, TASK, None, says({"request_id": "2", "output": failed}))
        assert isinstance(told, Failure)
        assert (told.code, told.message) == ("Bad", "no")

    def test_recorded_settings_lead_nowhere(self, parser: Parser) -> None:
        """A recorded body cannot set the SDK's address, key or headers."""
        hostile = {"base_address": "http://192.0.2.1", "api_key": "x", "headers": {"a": "b"}}
        body = {**OURS, "parameters": {**hostile, "result_format": "message"}}
        assert isinstance(parsed(parser, GENERATION, body, says(output("你好"))), Reply)

    def test_recorded_paths_are_not_read(self, parser: Parser, tmp_path: Path) -> None:
        """Files of this disk that a recorded message names are not uploaded."""
        (tmp_path / "secret").write_text("secret")
        sent: list[bytes] = []

        def respond(head: bytes, body: bytes) -> list[bytes]:
            sent.append(head + body)
            return [
                step for step in response_script(says(output("你好"))) if isinstance(step, bytes)
            ]

        content = [{"image": f"file://{tmp_path}/secret"}, {"text": "?"}]
        body = {**OURS, "input": {"messages": [{"role": "user", "content": content}]}}
        operation = "multimodal-generation/generation"
        with serve_scripts(respond) as address:
            where = endpoint("dashscope.multimodal")
            parser.parse(
                RecordedRequest(address, f"{SERVICES}/{operation}", where, body, timeout=60)
            )
        assert len(sent) == 1
        assert b"secret" not in sent[0]


REDIRECTED = [(p, CHAT, ASKED) for p in IN_OPENAI_FORM] + [
    (p, operation, body)
    for p in OF_DASHSCOPE
    for operation, body in ((GENERATION, OURS), (TASK, None))
]


@pytest.mark.parametrize(
    ("parser", "operation", "body"), REDIRECTED, ids=lambda value: getattr(value, "name", "")
)
def test_no_answer_leads_to_another_address(
    parser: Parser, operation: tuple[str, str], body: Any
) -> None:
    """A redirect is not followed, or is stopped."""
    answer = Response(302, "Found", (("location", "http://192.0.2.1/elsewhere"),))
    try:
        told = parsed(parser, operation, body, answer)
    except (OtherAddress, ValueError):
        return
    assert isinstance(told, Failure)


def test_a_proxy_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy is used, whatever the environment says."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for parser in IN_OPENAI_FORM:
        assert isinstance(parsed(parser, CHAT, ASKED, says(delta("?"))), Reply)
    for parser in OF_DASHSCOPE:
        assert isinstance(parsed(parser, GENERATION, OURS, says(output("?"))), Reply)


def test_each_sdk_knows_its_own_errors() -> None:
    """An error of the SDK's own is told from any other."""
    for parser in PARSERS.values():
        own = imported(parser.error)
        assert parser.documents(own.__new__(own))
        assert not parser.documents(ValueError())


def test_choices_that_travel_in_turns_are_kept_apart() -> None:
    """OpenAI's SDK reads a stream of two choices as the harness does."""
    chunks = [
        {**delta(text), "choices": [{"index": index, "delta": {"content": text}}]}
        for text, index in (("On", 0), ("Two", 1), ("e", 0))
    ]
    answer = streams(*chunks, end="data: [DONE]\n\n")
    reply = parsed(PARSERS["openai"], CHAT, {**ASKED, "stream": True, "n": 2}, answer)
    assert isinstance(reply, Reply)
    assert [choice.content for choice in reply.choices] == ["One", "Two"]


def test_openais_sdk_reads_the_chats_of_services() -> None:
    """Of the well-known services as of the two with packages of their own."""
    read = PARSERS["openai"].endpoints
    assert {"openai.chat", "groq.chat", "openrouter.chat", "openai.responses"} <= read
    assert {"compatible.chat", "zhipuai.chat"} <= read
