"""The addresses in use in 2026 are recognised, and faults in their answers are found."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from exchanges import USER, data_events, exchange, post

from harness.analysis.endpoint import Role
from harness.analysis.transcript import transcript_of
from harness.providers.endpoints import recognise
from harness.providers.rules import check
from harness.types import Cassette, Exchange, Finding, Json
from harness.wire import compact_bytes

QWEN = "https://dashscope.aliyuncs.com"
EMBED = f"{QWEN}/api/v1/services/embeddings"
GLM = "https://open.bigmodel.cn/api"
ADDRESSES = f"""\
openai.chat POST https://api.openai.com/v1/chat/completions
deepseek.chat POST https://api.deepseek.com/chat/completions
moonshot.chat POST https://api.moonshot.cn/v1/chat/completions
ark.chat POST https://ark.cn-beijing.volces.com/api/v3/chat/completions
minimax.chat POST https://api.minimaxi.com/v1/chat/completions
vllm.chat POST http://127.0.0.1:8000/v1/chat/completions
ollama.native-chat POST http://127.0.0.1:11434/api/chat
ollama.chat POST http://localhost:11434/v1/chat/completions
openrouter.chat POST https://openrouter.ai/api/v1/chat/completions
siliconflow.chat POST https://api.siliconflow.cn/v1/chat/completions
zhipuai.chat POST https://api.z.ai/api/paas/v4/chat/completions
zhipuai.chat POST https://api.z.ai/api/coding/paas/v4/chat/completions
zhipuai.chat POST {GLM}/paas/v4/chat/completions
zhipuai.chat POST {GLM}/coding/paas/v4/chat/completions
zhipuai-anthropic.messages POST https://api.z.ai/api/anthropic/v1/messages
zhipuai-anthropic.messages POST {GLM}/anthropic/v1/messages
zhipuai-responses.responses POST https://api.z.ai/api/v1/responses
compatible.chat POST {QWEN}/compatible-mode/v1/chat/completions
compatible.chat POST https://dashscope-us.aliyuncs.com/compatible-mode/v1/chat/completions
compatible.chat POST https://ws1.ap-southeast-1.maas.aliyuncs.com/compatible-mode/v1/chat/completions
compatible.chat POST https://coding.dashscope.aliyuncs.com/v1/chat/completions
compatible-responses.responses POST {QWEN}/api/v2/apps/protocols/compatible-mode/v1/responses
compatible-responses.responses POST https://ws1.ap-southeast-1.maas.aliyuncs.com/compatible-mode/v1/responses
compatible-responses.responses POST {QWEN}/compatible-mode/v1/responses
compatible.completions POST {QWEN}/compatible-mode/v1/completions
dashscope-anthropic.messages POST {QWEN}/apps/anthropic/v1/messages
dashscope-anthropic.messages POST https://coding-intl.dashscope.aliyuncs.com/apps/anthropic/v1/messages
dashscope-claude-code.messages POST https://dashscope-intl.aliyuncs.com/api/v2/apps/claude-code-proxy/v1/messages
dashscope.generation POST {QWEN}/api/v1/services/aigc/text-generation/generation
dashscope.multimodal POST {QWEN}/api/v1/services/aigc/multimodal-generation/generation
dashscope.video POST {QWEN}/api/v1/services/aigc/video-generation/video-synthesis
dashscope.video POST {QWEN}/api/v1/services/aigc/image2video/video-synthesis
dashscope.image-generation POST {QWEN}/api/v1/services/aigc/image-generation/generation
dashscope.background POST {QWEN}/api/v1/services/aigc/background-generation/generation/
dashscope.out-painting POST {QWEN}/api/v1/services/aigc/image2image/out-painting
dashscope.virtual-model POST {QWEN}/api/v1/services/aigc/virtualmodel/generation
dashscope.embedding POST {EMBED}/text-embedding/text-embedding
dashscope.multimodal-embedding POST {EMBED}/multimodal-embedding/multimodal-embedding
dashscope.rerank POST {QWEN}/api/v1/services/rerank/text-rerank/text-rerank
dashscope.transcription POST {QWEN}/api/v1/services/audio/asr/transcription
dashscope.voices POST {QWEN}/api/v1/services/audio/tts/customization
dashscope.speech POST {QWEN}/api/v1/services/audio/tts/SpeechSynthesizer
dashscope.application POST {QWEN}/api/v1/apps/abc123/completion
dashscope.tasks GET {QWEN}/api/v1/tasks/8a1e
dashscope.task-list GET {QWEN}/api/v1/tasks?page_no=1
dashscope.uploads GET {QWEN}/api/v1/uploads?action=getPolicy&model=qwen-vl-plus
dashscope.tokenizer POST {QWEN}/api/v1/tokenizer
dashscope.files POST {QWEN}/api/v1/files
dashscope.managed-get GET {QWEN}/api/v1/models?page_no=1
dashscope.managed-post POST {QWEN}/api/v1/fine-tunes/ft-1/cancel
dashscope.file-removal DELETE {QWEN}/api/v1/files/file-fe-5d5e
compatible.embeddings POST {QWEN}/compatible-mode/v1/embeddings
compatible.files POST {QWEN}/compatible-mode/v1/files
compatible.batches POST {QWEN}/compatible-mode/v1/batches
compatible.models GET {QWEN}/compatible-mode/v1/models
compatible.rerank POST {QWEN}/compatible-api/v1/reranks
zhipuai.embeddings POST {GLM}/paas/v4/embeddings
zhipuai.rerank POST {GLM}/paas/v4/rerank
zhipuai.images POST {GLM}/paas/v4/images/generations
zhipuai.videos POST {GLM}/paas/v4/videos/generations
zhipuai.transcriptions POST {GLM}/paas/v4/audio/transcriptions
zhipuai.speech POST {GLM}/paas/v4/audio/speech
zhipuai.web-search POST {GLM}/paas/v4/web_search
zhipuai.files POST {GLM}/paas/v4/files
zhipuai.batches POST {GLM}/paas/v4/batches
zhipuai.tools POST {GLM}/paas/v4/tools
zhipuai.reader POST {GLM}/paas/v4/reader
zhipuai.moderations POST {GLM}/paas/v4/moderations
zhipuai.assistant POST {GLM}/paas/v4/assistant
zhipuai.layout-parsing POST {GLM}/paas/v4/layout_parsing
zhipuai.tokenizer POST {GLM}/paas/v4/tokenizer
zhipuai.fine-tuning POST {GLM}/paas/v4/fine_tuning/jobs
zhipuai.parsed GET {GLM}/paas/v4/files/parser/result/1/text
zhipuai.fine-tunings GET {GLM}/paas/v4/fine_tuning/jobs
zhipuai.agents POST {GLM}/v1/agents
zhipuai.mcp POST {GLM}/mcp/web_search_prime/mcp
gemini.generate POST https://generativelanguage.googleapis.com/v1beta/models/gemini-3:generateContent
huggingface.models GET https://huggingface.co/api/models/Qwen/Qwen3-8B?expand=inferenceProviderMapping
anthropic.messages POST https://api.anthropic.com/v1/messages
openai.responses POST https://api.openai.com/v1/responses
"""
ROWS = [line.split(" ") for line in ADDRESSES.splitlines()]
by_row = pytest.mark.parametrize(
    ("name", "method", "uri"), ROWS, ids=[f"{name} {uri}" for name, _, uri in ROWS]
)


def findings(*exchanges: Exchange) -> tuple[Finding, ...]:
    """Return what the rules find in exchanges that another tool recorded."""
    return check(transcript_of(Cassette(exchanges), recognise))


def rules(*exchanges: Exchange) -> set[str]:
    """Return the names of the rules that find something."""
    return {finding.rule for finding in findings(*exchanges)}


@by_row
def test_an_address_in_use_is_recognised(name: str, method: str, uri: str) -> None:
    """With schemas of the answer and of the refusal that refuse a wrong one."""
    request: Json = {"model": "m"} if method == "POST" else None
    whole = exchange(method, uri, request, b"[7]")
    endpoint = recognise(whole)
    assert endpoint is not None
    assert endpoint.name == name
    assert "answer_fits_schema" in rules(whole)
    assert "refusal_fits_schema" in rules(exchange(method, uri, request, b'{"a": 1}', status=400))


# -------------------------------------------------------------------------------- chats

CHAT: Json = {"model": "m", "messages": [USER]}


def dumped(value: Json) -> bytes:
    """Return a value as JSON."""
    return compact_bytes(value)


def openai_chat() -> tuple[dict[str, Any], list[Any]]:
    """Return a whole answer in OpenAI's format, and the events of a stream."""
    head = {"id": "1", "created": 1760000000, "model": "m", "request_id": "r"}
    usage = {"prompt_tokens": 8, "completion_tokens": 4, "total_tokens": 12}
    message = {"role": "assistant", "content": "Hello there."}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    whole = {**head, "object": "chat.completion", "choices": [choice], "usage": usage}

    def event(delta: Any, reason: str | None = None, **more: Any) -> Any:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        return {**head, "object": "chat.completion.chunk", "choices": [choice], **more}

    role = {"role": "assistant"}
    last = event({**role, "content": ""}, "stop", usage=usage)
    return whole, [event({**role, "content": text}) for text in ("Hello", " there.")] + [last]


def completion() -> tuple[dict[str, Any], list[Any]]:
    """Return a whole completion of a prompt, and the events of a stream."""
    head = {"id": "1", "object": "text_completion", "created": 1760000000, "model": "m"}
    usage = {"prompt_tokens": 8, "completion_tokens": 4, "total_tokens": 12}

    def answer(text: str, reason: str | None = None, **more: Any) -> dict[str, Any]:
        return {**head, "choices": [{"index": 0, "text": text, "finish_reason": reason}], **more}

    pieces = [answer("Hello"), answer(" there."), answer("", "stop", usage=usage)]
    return answer("Hello there.", "stop", usage=usage), pieces


def agent_chat() -> tuple[dict[str, Any], list[Any]]:
    """Return a whole answer of an agent."""
    said = {"role": "assistant", "content": {"type": "text", "text": "Hello there."}}
    return {
        **{"id": "1", "agent_id": "a", "status": "success"},
        "choices": [{"index": 0, "finish_reason": "stop", "messages": [said]}],
        "usage": {"prompt_tokens": 8, "completion_tokens": 4, "total_tokens": 12},
    }, []


def messages_chat() -> tuple[dict[str, Any], list[Any]]:
    """Return a whole answer in Anthropic's format, and the events of a stream."""
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m"}
    usage = {"input_tokens": 8, "output_tokens": 4}
    ended = {"stop_reason": "end_turn", "stop_sequence": None}
    whole = {**head, "content": [{"type": "text", "text": "Hello there."}], **ended, "usage": usage}
    started: dict[str, Any] = {
        **head,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    block = {"type": "text", "text": ""}
    events = [
        {"type": "message_start", "message": started},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "ping"},
        *(
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "text_delta", "text": text},
            }
            for text in ("Hello", " there.")
        ),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": ended, "usage": {"output_tokens": 4}},
        {"type": "message_stop"},
    ]
    return whole, events


def responses_chat() -> tuple[dict[str, Any], list[Any]]:
    """Return a whole answer in the Responses format, and the events of a stream."""
    head = {"id": "resp_1", "object": "response", "created_at": 1760000000, "model": "m"}
    usage = {"input_tokens": 8, "output_tokens": 4, "total_tokens": 12}
    text = {"type": "output_text", "text": "Hello there.", "annotations": []}
    item = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed"}
    done = {**item, "content": [text]}
    whole = {**head, "status": "completed", "output": [done], "usage": usage}
    begun = {**head, "status": "in_progress", "output": [], "usage": None}
    where = {"output_index": 0, "item_id": "msg_1", "content_index": 0}
    kinds: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": {**item, "content": []},
        },
        {"type": "response.output_text.delta", **where, "delta": "Hello"},
        {"type": "response.output_text.delta", **where, "delta": " there."},
        {"type": "response.output_text.done", **where, "text": "Hello there."},
        {"type": "response.output_item.done", "output_index": 0, "item": done},
        {"type": "response.completed", "response": whole},
    ]
    return whole, [{**kind, "sequence_number": n} for n, kind in enumerate(kinds)]


def dashscope_chat() -> tuple[dict[str, Any], list[Any]]:
    """Return a whole answer in DashScope's own format, and the events of a stream."""
    usage = {"input_tokens": 8, "output_tokens": 4, "total_tokens": 12}

    def answer(text: str, reason: str) -> dict[str, Any]:
        message = {"role": "assistant", "content": text}
        output = {"choices": [{"finish_reason": reason, "message": message}]}
        return {"output": output, "usage": usage, "request_id": "r"}

    texts = (("Hello", "null"), ("Hello there.", "null"), ("Hello there.", "stop"))
    return answer("Hello there.", "stop"), [answer(*each) for each in texts]


def application_chat() -> tuple[dict[str, Any], list[Any]]:
    """Return a whole answer of an application, and the events of a stream."""
    counts = {"model_id": "m", "input_tokens": 8, "output_tokens": 4, "total_tokens": 12}

    def answer(text: str, reason: str) -> dict[str, Any]:
        output = {"text": text, "finish_reason": reason, "session_id": "s"}
        return {"output": output, "usage": {"models": [counts]}, "request_id": "r"}

    return answer("Hello there.", "stop"), [
        answer("Hello", "null"),
        answer("Hello there.", "stop"),
    ]


def gemini_chat() -> tuple[dict[str, Any], list[Any]]:
    """Return a whole answer in Gemini's format, and the events of a stream."""
    usage = {
        "promptTokenCount": 8,
        "candidatesTokenCount": 1,
        "thoughtsTokenCount": 3,
        "totalTokenCount": 12,
    }

    def answer(text: str, **more: str) -> dict[str, Any]:
        content = {"role": "model", "parts": [{"text": text}]}
        candidate = {"content": content, "index": 0, **more}
        return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "m"}

    return answer("Hello there.", finishReason="STOP"), []


def ollama_chat() -> tuple[dict[str, Any], list[Any]]:
    """Return a whole answer in Ollama's format, and the lines of a stream."""
    counts = {"prompt_eval_count": 8, "eval_count": 4, "done_reason": "stop"}

    def answer(text: str, done: bool, **more: Any) -> dict[str, Any]:
        message = {"role": "assistant", "content": text}
        head = {"model": "m", "created_at": "2026-11-01T00:00:00Z", "done": done}
        return {**head, "message": message, **more}

    return answer("Hello there.", True, **counts), [
        answer("Hello", False),
        answer(" there.", False),
        answer("", True, **counts),
    ]


def named_events(*events: Any) -> bytes:
    """Return a stream of events with their types as names."""
    parts = (b"event: %s\ndata: %s\n\n" % (e["type"].encode(), dumped(e)) for e in events)
    return b"".join(parts)


def bare_events(*events: Any) -> bytes:
    """Return a stream of DashScope's events."""
    numbered = enumerate(events, start=1)
    return b"".join(b"id:%d\nevent:result\ndata:%s\n\n" % (n, dumped(e)) for n, e in numbered)


def lines(*events: Any) -> bytes:
    """Return a stream of JSON lines."""
    return b"".join(dumped(event) + b"\n" for event in events)


Made = Callable[[], tuple[dict[str, Any], list[Any]]]
Framed = Callable[..., bytes]
EVENTS = "text/event-stream"
FORMS: dict[str, tuple[Made, Framed, str, str, str]] = {
    # form: answers, framing, content type, the token count to change, the reason to change
    "openai": (openai_chat, data_events, EVENTS, '"total_tokens":12', '"stop"'),
    "completion": (completion, data_events, EVENTS, '"total_tokens":12', '"stop"'),
    "agent": (agent_chat, data_events, EVENTS, '"total_tokens":12', '"stop"'),
    "anthropic": (messages_chat, named_events, EVENTS, '"output_tokens":4', '"end_turn"'),
    "responses": (responses_chat, named_events, EVENTS, '"total_tokens":12', '"completed"'),
    "dashscope": (dashscope_chat, bare_events, EVENTS, '"total_tokens":12', '"stop"'),
    "application": (application_chat, bare_events, EVENTS, '"total_tokens":12', '"stop"'),
    "gemini": (gemini_chat, data_events, EVENTS, '"totalTokenCount":12', '"STOP"'),
    "ollama": (ollama_chat, lines, "application/x-ndjson", '"eval_count":4', '"stop"'),
}
OF_ENDPOINT = {
    "chat": "openai",
    "messages": "anthropic",
    "responses": "responses",
    "generation": "dashscope",
    "multimodal": "dashscope",
    "application": "application",
    "generate": "gemini",
    "native-chat": "ollama",
    "completions": "completion",
    "agents": "agent",
}
CHATS = [
    (uri, OF_ENDPOINT[kind]) for name, _, uri in ROWS if (kind := name.split(".")[1]) in OF_ENDPOINT
]
by_chat = pytest.mark.parametrize(("uri", "form"), CHATS, ids=[uri for uri, _ in CHATS])


def asked(uri: str, form: str, streamed: bool) -> Json:
    """Return the body of a request for a chat."""
    if "/api/v1/" in uri and form == "dashscope":
        return {"model": "m", "input": {"messages": [USER]}, "parameters": {}}
    return {**CHAT, "stream": streamed} if isinstance(CHAT, dict) else None


def whole_answer(uri: str, form: str) -> Exchange:
    """Return an exchange with a whole answer."""
    return post(uri, asked(uri, form, False), FORMS[form][0]()[0])


def streamed_answer(uri: str, form: str, *more: Any) -> Exchange:
    """Return an exchange with a stream; *more* are events after its end."""
    make, frame, content_type, _, _ = FORMS[form]
    return exchange("POST", uri, asked(uri, form, True), frame(*make()[1], *more), content_type)


def changed(whole: Exchange, old: str, new: str) -> Exchange:
    """Return the exchange with *old* replaced in its answer, wherever it occurs."""
    body = whole.response.body
    assert old.encode() in body
    sent = json.loads(whole.request.body)
    headers = whole.response.headers
    content_type = dict(headers)["Content-Type"]
    return exchange(
        "POST", whole.request.uri, sent, body.replace(old.encode(), new.encode()), content_type
    )


@by_chat
def test_a_valid_chat_breaks_no_rule(uri: str, form: str) -> None:
    """Neither a whole answer nor a stream."""
    assert findings(whole_answer(uri, form)) == ()
    if FORMS[form][0]()[1]:
        assert findings(streamed_answer(uri, form)) == ()


@by_chat
def test_wrong_tokens_of_a_chat_are_found(uri: str, form: str) -> None:
    """A total that is none, or text without tokens where there is no total."""
    count = FORMS[form][3]
    wrong = count.replace("12", "13").replace("4", "0")
    expected = "usage_adds_up" if "12" in count else "output_is_counted"
    assert expected in rules(changed(whole_answer(uri, form), count, wrong))
    if FORMS[form][0]()[1]:
        assert expected in rules(changed(streamed_answer(uri, form), count, wrong))


@by_chat
def test_an_unknown_finish_reason_of_a_chat_is_found(uri: str, form: str) -> None:
    """In a whole answer and in a stream."""
    reason = FORMS[form][4]
    assert "finish_reason_is_known" in rules(changed(whole_answer(uri, form), reason, '"bored"'))
    if FORMS[form][0]()[1]:
        streamed = changed(streamed_answer(uri, form), reason, '"bored"')
        assert "finish_reason_is_known" in rules(streamed)


@by_chat
def test_a_piece_after_the_end_of_a_chat_is_found(uri: str, form: str) -> None:
    """The piece is a second copy of one that the stream had."""
    events = FORMS[form][0]()[1]
    if not events:
        return
    piece = next(event for event in events[1:] if "there." in json.dumps(event))
    late = {
        "nothing_after_finish",
        "message_events_are_in_order",
        "response_ends_once",
        "stream_finishes_once",
        "cumulative_stream_only_grows",
    }
    assert rules(streamed_answer(uri, form, piece)) & late


def test_an_endpoint_that_is_no_answer_of_a_model_is_checked_all_the_same() -> None:
    """A list of files has a schema, and a file that is binary is not read as JSON."""
    files = f"{QWEN}/compatible-mode/v1/files"
    assert recognise(post(files, None, {"id": "file-1"})).role is Role.LOOKUP  # type: ignore[union-attr]
    assert rules(post(files, None, {"id": "file-1"})) == set()
    speech = f"{GLM}/paas/v4/audio/speech"
    sound = exchange("POST", speech, {"model": "glm-tts"}, b"RIFF\x00\xff", "audio/wav")
    assert rules(sound) == set()


def test_reasoning_beside_the_output_tokens_is_known_at_other_services() -> None:
    """xAI counts it in the total only; a total that fits neither way is found, and so at Zhipu."""
    request: Json = {"model": "m", "messages": [USER]}

    def used(uri: str, total: int) -> set[str]:
        whole = openai_chat()[0]
        details: Json = {"reasoning_tokens": 30}
        usage: dict[str, Json] = {"prompt_tokens": 8, "completion_tokens": 4}
        usage["completion_tokens_details"] = details
        return rules(post(uri, request, {**whole, "usage": {**usage, "total_tokens": total}}))

    xai, zhipu = "https://api.x.ai/v1/chat/completions", f"{GLM}/paas/v4/chat/completions"
    assert used(xai, 42) == set()
    assert "usage_adds_up" in used(xai, 41)
    assert "usage_adds_up" in used(zhipu, 42)
