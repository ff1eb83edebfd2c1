"""Every SDK, really called on loopback, reads what was recorded."""

from __future__ import annotations

from harness.dialects import endpoint
from harness.loopback import answering, plain
from harness.parsers import PARSERS, Asked, Parser
from harness.types import Failure, Outcome, Reply, Response, Usage

ASKED = {"model": "glm-4", "messages": [{"role": "user", "content": "你好"}]}
JSON = (("content-type", "application/json"),)
EVENTS = (("content-type", "text/event-stream"),)


def parsed(parser: Parser, name: str, path: str, body: object, answer: Response) -> Outcome:
    """What an SDK makes of an answer."""
    with answering(lambda head, body: plain(answer)) as address:
        return parser.parse(Asked(address, path, endpoint(name), body, timeout=10))


CHAT = "/api/paas/v4/chat/completions"
IN_OPENAI_FORM = [name for name, p in PARSERS.items() if "zhipuai.chat" in p.endpoints]


def test_an_answer_is_read() -> None:
    """By each SDK of the form OpenAI gave, alike."""
    body = (
        '{"id":"1","request_id":"1","created":1,"model":"glm-4","choices":[{"index":0,'
        '"finish_reason":"stop","message":{"role":"assistant","content":"你好！"}}],'
        '"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}'
    )
    answer = Response(200, "OK", JSON, body.encode())
    for name in IN_OPENAI_FORM:
        told = parsed(PARSERS[name], "zhipuai.chat", CHAT, ASKED, answer)
        assert isinstance(told, Reply)
        assert (told.content, told.finish_reason) == ("你好！", "stop")
        assert told.usage == Usage(1, 2, 3)
        assert told.views[0].value["id"] == "1"


def test_a_stream_is_read() -> None:
    """Piece by piece, and put together."""
    deltas = ('{"role":"assistant","content":"你"}', '{"content":"好"}')
    body = "".join(
        f'data: {{"id":"1","created":1,"model":"glm-4","choices":[{{"index":0,"delta":{d}}}]}}\n\n'
        for d in deltas
    )
    answer = Response(200, "OK", EVENTS, f"{body}data: [DONE]\n\n".encode())
    for name in IN_OPENAI_FORM:
        told = parsed(PARSERS[name], "zhipuai.chat", CHAT, {**ASKED, "stream": True}, answer)
        assert isinstance(told, Reply)
        assert (told.content, told.pieces) == ("你好", ("你", "好"))


def test_a_refusal_is_a_failure() -> None:
    """With its status, code and message; no SDK asks again."""
    body = '{"error":{"code":"1302","message":"太快了"}}'
    answer = Response(429, "Too Many Requests", JSON, body.encode())
    for name in IN_OPENAI_FORM:
        told = parsed(PARSERS[name], "zhipuai.chat", CHAT, ASKED, answer)
        assert isinstance(told, Failure)
        assert (told.status, told.code, told.message) == (429, "1302", "太快了")
