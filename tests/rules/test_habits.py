"""What services are known to send differs from their formats, and is no finding."""

from __future__ import annotations

from dataclasses import replace

import pytest
from exchanges import TOOL_CALL, TOOLS, USER, choices, data_events, exchange, get, post
from exchanges import stream as data_stream

from harness.providers.rules import check
from harness.types import Exchange, Json
from harness.wire import compact_bytes

from .making import edited, foreign

OPENAI = "https://api.openai.com/v1/chat/completions"
OPENROUTER = "https://openrouter.ai/api/v1"
HEAD: dict[str, Json] = {"id": "c", "object": "chat.completion", "created": 1, "model": "m"}
PIECE: dict[str, Json] = {**HEAD, "object": "chat.completion.chunk"}
COUNTS: dict[str, Json] = {"prompt_tokens": 8, "completion_tokens": 4, "total_tokens": 12}


def rules(*exchanges: Exchange) -> set[str]:
    """Return the names of the rules that have findings."""
    return {finding.rule for finding in check(foreign(*exchanges))}


def chat(uri: str, answer: Json, usage: Json = COUNTS, **request: Json) -> Exchange:
    """Return an exchange in OpenAI's format, with *answer* as `choices`."""
    asked: Json = {"model": "m", "messages": [USER], **request}
    return post(uri, asked, {**HEAD, "choices": answer, "usage": usage})


def piece(delta: Json, reason: Json = None, **more: Json) -> Json:
    """Return an event in OpenAI's format."""
    choice: Json = {"index": 0, "delta": delta, "finish_reason": reason}
    return {**PIECE, "choices": [choice], **more}


def interleaved_response(*, done: bool = True) -> Exchange:
    """Return a stream of OpenRouter: events without names, items done out of order, `[DONE]`."""
    response: dict[str, Json] = {
        **{"id": "gen-1", "object": "response", "created_at": 1, "model": "m"},
        **{"error": None, "incomplete_details": None},
    }
    text: Json = {"type": "output_text", "text": "4", "annotations": []}
    thought: Json = {"type": "reasoning", "id": "rs_1", "summary": []}
    said: dict[str, Json] = {"type": "message", "id": "msg_1", "role": "assistant"}
    whole: Json = {**said, "status": "completed", "content": [text]}
    usage: Json = {"input_tokens": 8, "output_tokens": 4, "total_tokens": 12}
    ended: Json = {
        **response,
        **{"status": "completed", "output": [thought, whole], "usage": usage},
    }
    events: list[dict[str, Json]] = [
        {
            "type": "response.created",
            "response": {**response, "status": "in_progress", "output": []},
        },
        {"type": "response.output_item.added", "output_index": 0, "item": thought},
        {
            "type": "response.output_item.added",
            "output_index": 1,
            "item": {**said, "content": []},
        },
        {"type": "response.output_item.done", "output_index": 1, "item": whole},
        {"type": "response.output_item.done", "output_index": 0, "item": thought},
        {"type": "response.completed", "response": ended},
    ]
    numbered = [{**event, "sequence_number": n} for n, event in enumerate(events)]
    body = data_events(*numbered[: len(numbered) if done else -1])
    asked: Json = {"model": "m", "input": [USER], "stream": True}
    return exchange(
        "POST",
        f"{OPENROUTER}/responses",
        asked,
        b": OPENROUTER PROCESSING\n\n" + body,
        "text/event-stream",
    )


THOUGHTS_IN_TOTAL: Json = {"prompt_tokens": 8, "completion_tokens": 4, "total_tokens": 91}
DEVELOPER: Json = {"role": "developer", "content": "Be brief."}
CALLING: Json = {"role": "assistant", "content": None, "function_call": {"name": "f"}}
CALLED: Json = {"role": "function", "name": "f", "content": "1"}
STREAMED: dict[str, Json] = {"model": "m", "messages": [USER], "stream": True}
ERROR: Json = {"code": 400, "message": "Token limit reached"}
AZURE = "https://x.openai.azure.com/openai/deployments/m/chat/completions?api-version=1"
GEMINI = "https://generativelanguage.googleapis.com/v1beta"
SILICONFLOW = "https://api.siliconflow.cn/v1/chat/completions"
ZHIPU = "https://open.bigmodel.cn/api/paas/v4/chat/completions"
MINIMAX = "https://api.minimax.io/v1/chat/completions"
QWEN = "https://dashscope.aliyuncs.com"
GENERATION = f"{QWEN}/api/v1/services/aigc/text-generation/generation"
MULTIMODAL = f"{QWEN}/api/v1/services/aigc/multimodal-generation/generation"
FILTERED: dict[str, Json] = {"index": 0, "content_filter_results": {}, "finish_reason": None}
NO_COUNTS: Json = {"total_tokens": 0, "total_characters": 0}
BARE_CALL: Json = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "now", "arguments": ""},
}
NOW: Json = [{"type": "function", "function": {"name": "now", "parameters": {"type": "object"}}}]
NOW_CALL: Json = {"name": "now", "arguments": {}}
STOPPED = {"finish_reason": "stop"}
SILENCE: Json = {"role": "assistant", "content": [], "annotations": [{"language": "zh"}]}
DRAWN: Json = {"role": "assistant", "content": [{"image": "iVBORw0KGgo" * 5}]}
FAILED: Json = {
    **{"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "output": []},
    **{"status": "failed", "error": {"code": "server_error", "message": "x"}},
}


def whole_at_the_end() -> Exchange:
    """Return a stream of MiniMax, whose last event has the whole message and the counts."""
    whole: Json = {"role": "assistant", "content": "Hello"}
    events: tuple[Json, ...] = (
        piece({"role": "", "content": "Hel"}, usage=NO_COUNTS),
        piece({"content": "lo"}, "stop"),
        {**HEAD, "choices": [{"index": 0, "message": whole}], "usage": COUNTS},
    )
    return data_stream(MINIMAX, STREAMED, data_events(*events))


def generated(*events: dict[str, Json]) -> Exchange:
    """Return a stream in DashScope's form."""
    parts = (
        b"id:%d\nevent:result\ndata:" % number + compact_bytes({**event, "request_id": "r"})
        for number, event in enumerate(events, 1)
    )
    asked: Json = {"model": "kimi", "input": {"messages": [USER]}}
    return data_stream(GENERATION, asked, b"\n\n".join(parts) + b"\n\n")


CALLS = "tool_calls"


def nameless(delta: Json, reason: Json, asked: int) -> Json:
    """Return an event as Gemini sent them in 2025, without an id."""
    usage: Json = {"prompt_tokens": asked, "completion_tokens": 4, "total_tokens": asked + 4}
    event = piece(delta, reason, usage=usage)
    assert isinstance(event, dict)
    return {name: value for name, value in event.items() if name != "id"}


def as_numbers(method: str, body: bytes) -> Exchange:
    """Return an exchange of Vertex AI whose client asks for the numbers of names."""
    uri = "https://us-central1-aiplatform.googleapis.com/v1/publishers/google/models"
    asked: Json = {"contents": [{"role": "user", "parts": [{"text": "2 + 2?"}]}]}
    return exchange("POST", f"{uri}/g:{method}?%24alt=json%3Benum-encoding%3Dint", asked, body)


def resumed(said: str) -> Exchange:
    """Return an exchange whose client sends *said* for the call it was answered with before."""
    repeated: Json = {"role": "assistant", "content": said}
    return chat(OPENAI, choices("8"), messages=[USER, repeated, USER], tools=TOOLS)


ANSWERED_BY_CALL = chat(OPENAI, choices(None, CALLS, tool_calls=[TOOL_CALL]), tools=TOOLS)
OLLAMA = "http://127.0.0.1:11434/api"
SEARCHED: Json = {
    **{"type": "message", "id": "msg_1", "role": "assistant", "model": "claude"},
    **{"content": [{"type": "text", "text": "4"}], "stop_reason": "end_turn"},
    "stop_sequence": None,
    "usage": {
        **{"input_tokens": 8, "output_tokens": 4, "cache_creation_input_tokens": 90},
        "cache_creation": {"ephemeral_5m_input_tokens": 30, "ephemeral_1h_input_tokens": 0},
        "server_tool_use": {"web_search_requests": 3},
    },
}
NUMBERED = (
    b'{"candidates": [{"content": {"role": "model", "parts": [{"text": "4"}]}, "finishReason": 1}]}'
)
SAID: dict[str, Json] = {"index": 0, "message": {"role": "assistant", "content": "4"}}
ANTHROPIC = "https://api.anthropic.com/v1/messages"
CODE: Json = {"name": "roll", "input_schema": {"type": "object"}}
CODE_CALL: dict[str, Json] = {
    **{"type": "message", "id": "msg_1", "role": "assistant", "model": "claude"},
    "content": [
        {
            **{"type": "tool_use", "id": "toolu_1", "name": "roll", "input": {}},
            "caller": {"type": "code_execution_20250825", "tool_id": "srvtoolu_1"},
        }
    ],
    **{"stop_reason": "tool_use", "stop_sequence": None},
    "usage": {"input_tokens": 0, "output_tokens": 0},
}


def undone(*values: Json) -> bytes:
    """Return a stream without `[DONE]`."""
    return data_events(*values).removesuffix(b"data: [DONE]\n\n")


def calling(number: int) -> Json:
    """Return an event with a call, and the finish reason."""
    call: Json = {**TOOL_CALL, "id": f"call_{number}", "index": number}
    return piece({"tool_calls": [call]}, CALLS)


def gemini() -> Exchange:
    """Return a stream of Gemini that counts the picture of the request in its last event."""
    number: Json = {"type": "OBJECT", "properties": {"x": {"type": "NUMBER"}}}
    asked: Json = {
        "contents": [{"role": "user", "parts": [{"text": "Double 2."}]}],
        "tools": [{"functionDeclarations": [{"name": "double", "parameters": number}]}],
    }
    call: Json = {"functionCall": {"name": "double", "args": {"x": 2}}}
    said: Json = {"role": "model", "parts": [call]}
    first: Json = {
        "candidates": [{"content": said}],
        "usageMetadata": {"promptTokenCount": 8, "totalTokenCount": 8},
    }
    last: Json = {
        "candidates": [{"content": {"role": "model", "parts": []}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 1089, "totalTokenCount": 1089},
    }
    uri = f"{GEMINI}/models/g:streamGenerateContent?alt=sse"
    return data_stream(uri, asked, undone(first, last))


def code_run(reason: Json, **tools: Json) -> Exchange:
    """Return a stream of Gemini that runs code, says a text, and ends for *reason*."""
    code: Json = {"executableCode": {"language": "PYTHON", "code": "print(4)"}}
    steps: list[tuple[Json, Json]] = [
        (code, "STOP"),
        ({"text": "4"}, None),
        ({"text": "."}, reason),
    ]
    events: list[Json] = [
        {
            "candidates": [
                {
                    "content": {"role": "model", "parts": [part]},
                    **({"finishReason": end} if end else {}),
                }
            ],
            "usageMetadata": {
                "promptTokenCount": 8,
                "candidatesTokenCount": 4,
                "totalTokenCount": 12,
            },
        }
        for part, end in steps
    ]
    asked: Json = {
        "contents": [{"role": "user", "parts": [{"text": "2 + 2?"}]}],
        "tools": [tools or {"codeExecution": {}}],
    }
    return data_stream(f"{GEMINI}/models/g:streamGenerateContent?alt=sse", asked, undone(*events))


def with_type(one: Exchange, kind: str) -> Exchange:
    """Return an exchange whose answer has another Content-Type."""
    return replace(one, response=replace(one.response, headers=(("Content-Type", kind),)))


HABITS = {
    "Gemini counts the thinking in the total only": chat(
        f"{GEMINI}/openai/chat/completions", choices("4"), THOUGHTS_IN_TOTAL
    ),
    "Ollama stops with a call": chat(
        "http://127.0.0.1:11434/v1/chat/completions",
        choices("", tool_calls=[TOOL_CALL]),
        tools=TOOLS,
    ),
    "OpenAI's roles of requests": chat(
        OPENAI, choices("4"), messages=[DEVELOPER, USER, CALLING, CALLED]
    ),
    "OpenRouter: an error with the token counts": data_stream(
        f"{OPENROUTER}/chat/completions",
        STREAMED,
        data_events(
            piece({"role": "assistant", "content": "We"}, "length"),
            piece({"content": ""}, error=ERROR, usage=COUNTS),
        ),
    ),
    "OpenRouter: items that are done in another order": interleaved_response(),
    "Azure: a first event about the request": data_stream(
        AZURE,
        STREAMED,
        data_events(
            {"id": "", "object": "", "created": 0, "model": "", "choices": []},
            piece({"role": "assistant", "content": "4"}),
            piece({}, "stop"),
        ),
    ),
    "OpenAI counts the tokens of a request": post(
        "https://api.openai.com/v1/responses/input_tokens",
        {"model": "m", "input": "?"},
        {"object": "response.input_tokens", "input_tokens": 8},
    ),
    "Azure: an event about the filter only": data_stream(
        AZURE,
        STREAMED,
        data_events(
            piece({"role": "assistant", "content": "4"}),
            {"id": "", "object": "", "created": 0, "model": "", "choices": [FILTERED]},
            piece({}, "stop"),
        ),
    ),
    "MiniMax: the whole answer at the end of a stream": whole_at_the_end(),
    "an empty finish reason until there is one": data_stream(
        "https://api.siliconflow.cn/v1/chat/completions",
        STREAMED,
        data_events(piece({"role": "assistant", "content": "4"}, ""), piece({}, "stop")),
    ),
    "no arguments for a function that needs none": chat(
        f"{OPENROUTER}/chat/completions",
        choices("", "tool_calls", tool_calls=[BARE_CALL]),
        tools=NOW,
    ),
    "several prompts, each with its choices": post(
        "https://api.openai.com/v1/completions",
        {"model": "m", "prompt": ["a", "b"], "n": 2},
        {"choices": [{"text": "x", "index": n, "finish_reason": "length"} for n in range(4)]},
    ),
    "a stored prompt with functions of its own": post(
        "https://api.openai.com/v1/responses",
        {"model": "m", "prompt": {"id": "pmpt_1"}},
        {
            **{"id": "resp_1", "object": "response", "created_at": 1, "model": "m"},
            **{"status": "completed"},
            "usage": {"input_tokens": 8, "output_tokens": 4, "total_tokens": 12},
            "output": [{"type": "function_call", "call_id": "c", "name": "now", "arguments": "{}"}],
        },
    ),
    "a response that failed": post(
        "https://api.openai.com/v1/responses", {"model": "m", "input": "?"}, FAILED
    ),
    "Gemini: vectors without counts": post(
        f"{GEMINI}/openai/embeddings",
        {"model": "m", "input": "x"},
        {"model": "m", "data": [{"index": 0, "embedding": [0.5]}]},
    ),
    "Kimi at DashScope: counts and a finish reason in the last event": generated(
        {"output": {"choices": [{"message": {"role": "assistant", "content": "4"}}]}},
        {
            "output": {"choices": [{"message": {"role": "assistant", "content": "42"}, **STOPPED}]},
            "usage": {"input_tokens": 8, "output_tokens": 4, "total_tokens": 12},
        },
    ),
    "qwen3-asr: a sound without words": post(
        MULTIMODAL,
        {"model": "qwen3-asr-flash", "input": {"messages": [USER]}},
        {"output": {"choices": [{"message": SILENCE, **STOPPED}]}, "usage": {}, "request_id": "r"},
    ),
    "Qwen: a picture as base64": post(
        MULTIMODAL,
        {"model": "qwen-image-3.0", "input": {"messages": [USER]}},
        {"output": {"choices": [{"message": DRAWN, **STOPPED}]}, "usage": {}, "request_id": "r"},
    ),
    "Gemini: stored contents": post(f"{GEMINI}/cachedContents", {"model": "m"}, {"name": "x"}),
    "Gemini: a list of models": get(f"{GEMINI}/models", {"models": [{"name": "models/g"}]}),
    "Gemini: tokens of a picture later, types in capitals": gemini(),
    "Gemini: a signature beside a call, and no text": chat(
        f"{GEMINI}/openai/chat/completions",
        [
            {
                "index": 0,
                "finish_reason": "tool_calls",
                "message": {
                    "role": "assistant",
                    "thought_signature": "EpAD",
                    "tool_calls": [TOOL_CALL],
                },
            }
        ],
        tools=TOOLS,
    ),
    "Gemini: an estimate that was too high": edited(gemini(), ":8", ":2000", 2),
    "glm-4.5: the finish reason with each call": data_stream(
        "https://api.z.ai/api/coding/paas/v4/chat/completions",
        {**STREAMED, "tools": TOOLS},
        data_events(*(calling(n) for n in (0, 1)), piece({"content": ""}, CALLS, usage=COUNTS)),
    ),
    "Hugging Face's router: no [DONE]": data_stream(
        "https://router.huggingface.co/v1/chat/completions",
        STREAMED,
        undone(piece({"role": "assistant", "content": "4"}, "stop", usage=COUNTS)),
    ),
    "MiniMax: no [DONE]": data_stream(
        MINIMAX,
        STREAMED,
        undone(piece({"role": "assistant", "content": "4"}, "stop", usage=COUNTS)),
    ),
    "SiliconFlow: a refusal as JSON text": post(SILICONFLOW, STREAMED, "Invalid token", 401),
    "SiliconFlow: a refusal as plain text": exchange(
        "POST", SILICONFLOW, STREAMED, b"Api key is invalid", "text/plain", 401
    ),
    "Azure: a message that was filtered": post(
        AZURE,
        {"model": "m", "messages": [USER]},
        {
            **{"id": "c", "object": "chat.completion", "created": 1, "model": "m"},
            "choices": [{**FILTERED, "finish_reason": "content_filter"}],
            "usage": COUNTS,
        },
    ),
    "Azure: a refusal without a type": exchange(
        "POST",
        AZURE,
        {"model": "m", "messages": [USER]},
        b'{"error": {"code": "DeploymentNotFound", "message": "Wait."}}',
        "",
        404,
    ),
    "Gemini: no ids of events and calls, the input counted anew": data_stream(
        f"{GEMINI}/openai/chat/completions",
        {**STREAMED, "tools": TOOLS},
        data_events(
            nameless({"role": "assistant", "tool_calls": [{**TOOL_CALL, "id": ""}]}, None, 9),
            nameless({"role": "assistant", "content": ""}, CALLS, 8),
        ),
    ),
    "OpenAI: an empty text, as requested": chat(
        OPENAI, choices(""), {"prompt_tokens": 8, "completion_tokens": 0, "total_tokens": 8}
    ),
    "OpenAI: a streamed refusal": data_stream(
        OPENAI,
        STREAMED,
        data_events(
            piece({"role": "assistant", "content": None, "refusal": ""}),
            piece({"refusal": "No."}),
            piece({}, "stop"),
        ),
    ),
    "Anthropic: tokens of earlier steps of a search": post(
        ANTHROPIC,
        {"model": "claude", "max_tokens": 9, "messages": [USER]},
        SEARCHED,
    ),
    "Anthropic: a stream that is the next call of running code": data_stream(
        ANTHROPIC,
        {"model": "claude", "max_tokens": 9, "messages": [USER], "stream": True, "tools": [CODE]},
        undone({"type": "message_start", "message": CODE_CALL}, {"type": "message_stop"}),
    ),
    "Anthropic: a long input that is compacted": data_stream(
        ANTHROPIC,
        {
            **{"model": "claude", "max_tokens": 9, "messages": [USER], "stream": True},
            "context_management": {"edits": [{"type": "compact_20260112"}]},
        },
        undone(
            {
                "type": "message_start",
                "message": {
                    **{"type": "message", "id": "msg_1", "role": "assistant", "model": "claude"},
                    **{"content": [], "stop_reason": None, "stop_sequence": None},
                    "usage": {"input_tokens": 83555, "output_tokens": 1},
                },
            },
            {
                "type": "content_block_start",
                "index": 0,
                "content_block": {"type": "text", "text": "4"},
            },
            {"type": "content_block_stop", "index": 0},
            {
                "type": "message_delta",
                "delta": {"stop_reason": "end_turn", "stop_sequence": None},
                "usage": {"input_tokens": 224, "output_tokens": 4},
            },
            {"type": "message_stop"},
        ),
    ),
    "Anthropic: an answer after a call of running code": post(
        ANTHROPIC,
        {"model": "claude", "max_tokens": 9, "messages": [USER], "tools": [CODE]},
        {**CODE_CALL, "stop_reason": "end_turn"},
    ),
    "Gemini: a total without the thinking": edited(
        as_numbers("generateContent", NUMBERED),
        '"finishReason": 1}]',
        '"finishReason": 1}], "usageMetadata": {"promptTokenCount": 8, "candidatesTokenCount": 4,'
        ' "thoughtsTokenCount": 5, "totalTokenCount": 12}',
    ),
    "Gemini: a finish reason with each step of its own code": code_run("STOP"),
    "Gemini: an answer that a template of Model Armor withheld": as_numbers(
        "generateContent",
        b'{"candidates": [{"finishReason": "MODEL_ARMOR", "finishMessage": "It was withheld."}]}',
    ),
    "Gemini: finish reasons as numbers": as_numbers("generateContent", NUMBERED),
    "Gemini: a stream as a list": as_numbers("streamGenerateContent", b"[" + NUMBERED + b"]"),
    "Ollama: tool results without ids": post(
        f"{OLLAMA}/chat",
        {
            "model": "m",
            "messages": [
                {"role": "assistant", "content": "", "tool_calls": [{"function": NOW_CALL}]},
                {"role": "tool", "content": "12:00"},
            ],
        },
        {
            **{"model": "m", "created_at": "2024-09-16T02:41:57Z", "done": True},
            **{"message": {"role": "assistant", "content": "Noon."}, "done_reason": "stop"},
        },
    ),
    "Ollama: one embedding": post(
        f"{OLLAMA}/embeddings", {"model": "m", "prompt": "4"}, {"embedding": [0.5]}
    ),
    "Zhipu: no request_id": chat(ZHIPU, choices("4")),
    "OpenRouter: no finish reason": chat(
        f"{OPENROUTER}/chat/completions", [{**SAID, "finish_reason": None}]
    ),
    "OpenAI: an answer to be continued": chat(
        OPENAI, choices("4"), messages=[USER, {"role": "assistant", "content": "It is"}]
    ),
    "a recorder that hides headers": with_type(
        data_stream(OPENAI, STREAMED, data_events(piece({"content": "4"}, "stop"))),
        "**redacted**",
    ),
}


@pytest.mark.parametrize("one", HABITS.values(), ids=HABITS)
def test_a_known_habit_is_no_finding(one: Exchange) -> None:
    """It stands in the recordings or reports that docs/WIRE_FACTS.md cites, C6 to C8."""
    assert rules(one) == set()


def test_a_habit_has_its_limits() -> None:
    """A function that needs arguments, a stream without counts, an end without a reason."""
    needs: Json = [{"function": {"name": "now", "parameters": {"required": ["zone"]}}}]
    called = chat(OPENAI, choices("", "tool_calls", tool_calls=[BARE_CALL]), tools=needs)
    assert rules(called) == {"tool_calls_are_complete"}
    uncounted = edited(
        HABITS["Kimi at DashScope: counts and a finish reason in the last event"],
        '"usage"',
        '"used"',
    )
    assert rules(uncounted) == {"usage_is_told"}
    endless = edited(HABITS["an empty finish reason until there is one"], '"stop"', '""')
    assert rules(endless) == {"stream_finishes_once"}
    lost = edited(HABITS["OpenRouter: no finish reason"], '"finish_reason"', '"reason"')
    assert rules(lost) == {"answer_fits_schema"}
    late = HABITS["glm-4.5: the finish reason with each call"]
    assert rules(edited(late, '"content":""', '"content":"4"')) == {"nothing_after_finish"}
    other = edited(HABITS["Gemini: tokens of a picture later, types in capitals"], ":2}", ':"2"}')
    assert rules(other) == {"tool_arguments_fit"}
    filtered = edited(HABITS["Azure: a message that was filtered"], '"content_filter"', '"stop"')
    assert "answer_fits_schema" in rules(filtered)
    text = exchange("POST", SILICONFLOW, STREAMED, b"Invalid token", "text/plain", 200)
    assert "body_is_json" in rules(text)
    gemini_call = HABITS["Gemini: no ids of events and calls, the input counted anew"]
    assert rules(edited(gemini_call, '"usage"', '"used"')) == {"answer_fits_schema"}
    unnamed = edited(gemini_call, '"name":"get_weather"', '"name":""')
    assert {"tool_calls_are_complete", "tool_pieces_belong"} <= rules(unnamed)
    counted = edited(HABITS["OpenAI: an empty text, as requested"], '_tokens":0', '_tokens":4')
    assert "answer_says_something" in rules(counted)
    untyped = with_type(HABITS["a recorder that hides headers"], "application/json")
    assert "content_type_agrees_with_body" in rules(untyped)


def test_habits_of_unseen_recordings_have_their_limits() -> None:
    """Lifetimes beyond the count or without a search, a list without a reason, other arguments."""
    searched = HABITS["Anthropic: tokens of earlier steps of a search"]
    assert rules(edited(searched, ":90", ":20")) == {"cache_tokens_add_up"}
    assert rules(edited(searched, '_requests":3', '_requests":0')) == {"cache_tokens_add_up"}
    called = HABITS["Anthropic: an answer after a call of running code"]
    assert rules(edited(called, "code_execution_20250825", "direct")) == {"stop_reason_fits_blocks"}
    begun = HABITS["Anthropic: a stream that is the next call of running code"]
    assert "answer_fits_schema" in rules(edited(begun, '"tool_use","stop_seq', 'null,"stop_seq'))
    thought = HABITS["Gemini: a total without the thinking"]
    assert rules(edited(thought, 'Count": 12', 'Count": 13')) == {"usage_adds_up"}
    for run in (code_run(None), code_run("STOP", functionDeclarations=[])):
        assert rules(run) == {"nothing_after_finish"}
    listed = HABITS["Gemini: a stream as a list"]
    assert rules(edited(listed, "finishReason", "reason")) == {"answer_says_why_it_ended"}
    assert rules(ANSWERED_BY_CALL, resumed('{"city": "Beijing"}')) == set()
    for other in ('{"city": "Paris"}', "", "Beijing"):
        assert "history_is_carried" in rules(ANSWERED_BY_CALL, resumed(other))


def test_more_pictures_than_requested_are_found() -> None:
    """Zhipu's `n`, too."""
    pictures: Json = {
        "created": 1,
        "data": [{"url": "https://a/1.png"}, {"url": "https://a/2.png"}],
    }
    uri = "https://open.bigmodel.cn/api/paas/v4/images/generations"
    asked: dict[str, Json] = {"model": "cogview-4", "prompt": "A kitten"}
    assert rules(post(uri, {**asked, "n": 1}, pictures)) == {"image_count_as_asked"}
    assert rules(post(uri, {**asked, "n": 2}, pictures)) == set()


def test_a_habit_of_one_service_is_a_finding_elsewhere() -> None:
    """Total tokens, a call that ends with `stop`, and the role developer."""
    assert rules(chat(OPENAI, choices("4"), THOUGHTS_IN_TOTAL)) == {"usage_adds_up"}
    stopped = chat(OPENAI, choices("", tool_calls=[TOOL_CALL]), tools=TOOLS)
    assert rules(stopped) == {"tool_calls_finish_as_such"}
    assert "messages_are_well_formed" in rules(
        chat(ZHIPU, choices("4"), messages=[DEVELOPER, USER])
    )


def test_an_error_of_a_stream_has_a_status_of_its_own_only_at_the_beginning() -> None:
    """After the first events the status has been sent."""
    late = HABITS["OpenRouter: an error with the token counts"]
    at_once = data_stream(late.request.uri, STREAMED, data_events({"error": ERROR}))
    assert rules(at_once) == {"status_agrees_with_body"}


def test_a_response_begins_and_ends_as_documented() -> None:
    """The first event is `response.created`; the last repeats the items by their indices."""
    assert rules(interleaved_response(done=False)) == {"response_ends_once", "stream_finishes_once"}
    whole = interleaved_response()
    headless = edited(whole, '"response.created"', '"response.started"')
    assert "response_ends_once" in rules(headless)
    other = edited(whole, '"output":[{"type":"reasoning"', '"output":[{"type":"compaction"')
    assert rules(other) == {"items_end_as_they_were_done"}


def answered(
    uri: str, body: bytes, media_type: str, asked: Json = None, status: int = 200
) -> Exchange:
    """Return an exchange with any body."""
    return exchange("POST", uri, asked, body, media_type, status)


V1 = "https://api.openai.com/v1"
ASKED: Json = {"model": "m", "messages": [USER]}
VECTOR: Json = {
    "model": "m",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
    "usage": {"total_tokens": 3},
}
RUN = b'event: a\ndata: {"id":"run_1"}\n\nevent: b\ndata: {"id":"s","type":"tool_calls"}\n\n'
RUN += b"event: done\ndata: [DONE]\n\n"

QWEN = "https://dashscope.aliyuncs.com/api/v1"
_DRAWN = (("", "outline", 900, 9), ("", "pages", 5163, 21), ("https://x/a.pptx", "", 5163, 21))


def _drawn(number: int, text: str, thought: str, read: int, written: int) -> bytes:
    """Return an event of DashScope that reads *read* tokens."""
    message: Json = {"role": "assistant", "content": text, "reasoning_content": thought}
    choice: Json = {"message": message, "finish_reason": "stop" if text else "null"}
    usage: Json = {
        "input_tokens": read,
        "output_tokens": written,
        "total_tokens": read + written,
    }
    event: Json = {"output": {"choices": [choice]}, "usage": usage, "request_id": "r"}
    return b"id:%d\nevent:result\n:HTTP_STATUS/200\ndata:%b\n\n" % (number, compact_bytes(event))


OTHERS = {
    "a stream of another kind than chats": answered(
        f"{V1}/threads/t/runs", RUN, "text/event-stream", {"assistant_id": "a", "stream": True}
    ),
    "pictures in a stream": answered(
        f"{V1}/images/generations",
        b'data: {"type":"image_generation.completed","b64_json":"A"}\n\n',
        "text/event-stream",
        {"prompt": "x", "stream": True},
    ),
    "a transcription as text": answered(f"{V1}/audio/transcriptions", b"Hi.", "text/plain"),
    "tokens as one text": post(f"{V1}/embeddings", {"model": "m", "input": [1, 2, 3]}, VECTOR),
    "results as JSON lines": exchange(
        "GET",
        "https://api.anthropic.com/v1/messages/batches/b/results",
        None,
        b'{"custom_id":"1"}\n{"custom_id":"2"}\n',
        "application/x-jsonl",
    ),
    "Mistral: a completion in the middle": chat(
        "https://api.mistral.ai/v1/fim/completions", choices("4"), prompt="x"
    ),
    "Mistral: a refusal without a code": answered(
        "https://api.mistral.ai/v1/chat/completions",
        b'{"detail":"Unauthorized"}',
        "application/json",
        ASKED,
        401,
    ),
    "Hugging Face: a refusal as a text": answered(
        "https://router.huggingface.co/v1/chat/completions",
        b'{"error":"Invalid username or password."}',
        "application/json",
        ASKED,
        401,
    ),
    "DeepSeek: a refusal in its own form": answered(
        "https://api.deepseek.com/chat/completions",
        b'{"error_msg":"Authentication Fails"}',
        "application/json",
        ASKED,
        401,
    ),
    "DashScope: vectors of many texts as a file": get(
        f"{QWEN}/tasks/7408ef3d",
        {
            "request_id": "r",
            "output": {"task_id": "7408ef3d", "task_status": "SUCCEEDED", "url": "https://x/o.gz"},
            "usage": {"total_tokens": 28},
        },
    ),
    "DashScope: a free quota that is used up": answered(
        "https://dashscope.aliyuncs.com/compatible-mode/v1/chat/completions",
        b'{"error":{"message":"x","type":"insufficient_quota","code":"insufficient_quota"}}',
        "application/json",
        ASKED,
        403,
    ),
    "DashScope: what an image says, as an object": post(
        f"{QWEN}/services/aigc/multimodal-generation/generation",
        {"model": "qwen-vl-ocr", "input": {"messages": [USER]}, "parameters": {}},
        {
            "output": {
                "choices": [
                    {
                        "finish_reason": "stop",
                        "message": {
                            "role": "assistant",
                            "content": [{"ocr_result": {"kv_result": {"a": "1"}}, "text": "1"}],
                        },
                    }
                ]
            },
            "usage": {"input_tokens": 8, "output_tokens": 4, "total_tokens": 12},
            "request_id": "r",
        },
    ),
    "DashScope: a removed file": exchange(
        "DELETE", f"{QWEN}/files/ed5a", None, b'{"request_id":"r"}', "application/json"
    ),
    "DashScope: a document of a skill as input": data_stream(
        f"{QWEN}/services/aigc/text-generation/generation",
        {
            "model": "qwen-doc-turbo",
            "input": {"messages": [USER]},
            "parameters": {
                "result_format": "message",
                "incremental_output": True,
                "skill": [{"type": "ppt"}],
            },
        },
        b"".join(_drawn(n, *one) for n, one in enumerate(_DRAWN, start=1)),
    ),
    "OpenAI: a gateway that does not reach it": exchange(
        *("POST", "https://api.openai.com/v1/responses", ASKED),
        *(b"upstream connect error or disconnect/reset before headers", "text/plain", 503),
    ),
    "Anthropic: a bad gateway": answered(
        "https://api.anthropic.com/v1/messages",
        b'{"type":"error","error":{"type":"api_error","message":"x"}}',
        "application/json",
        {**ASKED, "max_tokens": 1} if isinstance(ASKED, dict) else None,
        502,
    ),
}


@pytest.mark.parametrize("one", OTHERS.values(), ids=OTHERS)
def test_other_operations_and_refusals_are_read_by_their_form(one: Exchange) -> None:
    """What a client cannot confuse with a chat breaks no rule for chats."""
    assert rules(one) == set()


def test_an_index_of_a_candidate_that_skips_one_is_found() -> None:
    """Gemini leaves the index of an only candidate out, or sends 0."""
    one = as_numbers("generateContent", NUMBERED)
    for index, rules in ((0, set()), (1, {"choices_are_as_requested"})):
        body = edited(one, '"finishReason"', f'"index": {index}, "finishReason"')
        assert {finding.rule for finding in check(foreign(body))} == rules
