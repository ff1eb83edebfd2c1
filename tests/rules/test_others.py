"""What other models, dates, proxies and recorders send: nothing that a human would call wrong."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from exchanges import TOOLS, USER, choices, data_events, exchange, get, post
from exchanges import stream as plain_stream

from harness.analysis.edit import with_body, with_header, with_request
from harness.providers.rules import check
from harness.providers.samples import SAMPLES
from harness.types import Exchange, Json, Severity

from .dashscope_exchanges import (
    AIGC,
    CALLING,
    COMPATIBLE,
    COMPATIBLE_SYNC,
    CUMULATIVE,
    DASHSCOPE,
    GENERATION,
    INCREMENTAL,
    MESSAGE,
    PENDING,
    POLL,
    QWEN,
    REQUEST,
    SEEN,
    SUCCEEDED,
    TEXT,
    TIMES,
    chat_request,
    chunk,
    in_message,
    named_events,
    output,
    piece,
    state,
    stream,
    usage,
)
from .making import asking, edited, foreign
from .zhipu_exchanges import (
    CHAT,
    STREAM,
    SYNC,
    TOOL,
    TOOL_STREAM,
    ZHIPU,
    answer,
    event,
)

SPEECH = f"{AIGC}/multimodal-generation/generation"
EMBEDDINGS = f"{DASHSCOPE}/services/embeddings/text-embedding/text-embedding"
QWEN3: dict[str, Json] = {"model": "qwen3-max", "input": {"messages": [USER]}, "parameters": {}}
REASON = '"finish_reason":"stop"'


def indented(whole: Exchange) -> Exchange:
    """As a recorder keeps it that writes JSON anew, with a length that no longer fits."""
    body = json.dumps(json.loads(whole.response.body), indent=2, ensure_ascii=True).encode()
    return with_header(with_body(whole, body), "Content-Length", "17")


def with_lines(whole: Exchange, old: bytes, new: bytes) -> Exchange:
    """A stream with other bytes between its events."""
    return with_body(whole, whole.response.body.replace(old, new))


def bare(whole: Exchange) -> Exchange:
    """As a recorder keeps it that leaves out all headers of an answer."""
    return replace(whole, response=replace(whole.response, headers=()))


def zipped(whole: Exchange) -> Exchange:
    """As vcrpy keeps it by itself: the bytes that travelled, compressed."""
    return with_header(
        with_body(whole, gzip.compress(whole.response.body)), "Content-Encoding", "gzip"
    )


def interpreted(**fields: Json) -> Json:
    """A tool of Zhipu's own, that writes and runs a program."""
    return {"id": "call_1", "type": "code_interpreter", "code_interpreter": fields}


VALID: dict[str, tuple[Exchange, ...]] = {
    "re-indented by a recorder": (indented(SYNC),),
    "re-indented, with letters as numbers": (indented(TEXT),),
    "headers of a proxy": (with_header(with_header(SYNC, "via", "1.1 squid"), "x-cache", "MISS"),),
    "no phrase of HTTP/2": (replace(SYNC, response=replace(SYNC.response, reason="")),),
    "new fields everywhere": (
        edited(SYNC, '{"id"', '{"service_tier":"default","system_fingerprint":null,"id"'),
    ),
    "details of usage": (
        edited(
            SYNC,
            '"total_tokens":12',
            '"total_tokens":12,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},'
            '"completion_tokens_details":null',
        ),
    ),
    "web search beside the answer": (
        edited(SYNC, '{"id"', '{"web_search":[{"title":"x","link":"y","refer":"ref_1"}],"id"'),
    ),
    "an empty reasoning": (
        edited(SYNC, '"content":"It is', '"reasoning_content":"","content":"It is'),
    ),
    "thinking used up all tokens": (
        edited(
            edited(SYNC, '"content":"It is sunny."', '"content":"","reasoning_content":"Well"'),
            REASON,
            '"finish_reason":"length"',
        ),
    ),
    "nothing but thoughts": (
        edited(
            edited(SYNC, '"content":"It is sunny."', '"content":null,"reasoning_content":"Well"'),
            REASON,
            '"finish_reason":"length"',
        ),
    ),
    "a text in pieces": (
        edited(SYNC, '"content":"It is sunny."', '"content":[{"type":"text","text":"Sunny."}]'),
    ),
    "a sound beside the text": (
        edited(COMPATIBLE_SYNC, '"content":"Sunny."', '"content":null,"audio":{"id":"audio_1"}'),
    ),
    "a tool of the service's own": (
        post(
            CHAT,
            {"model": "glm-4-alltools", "messages": [USER]},
            answer(
                choices(
                    None,
                    "tool_calls",
                    tool_calls=[{"id": "call_1", "type": "web_browser", "web_browser": {}}],
                )
            ),
        ),
    ),
    "a call cut off by the limit": (
        edited(
            edited(TOOL, '"finish_reason":"tool_calls"', '"finish_reason":"length"'),
            '\\"Beijing\\"}"',
            '\\"Bei"',
        ),
    ),
    "the context was too long": (edited(SYNC, '"stop"', '"model_context_window_exceeded"'),),
    "sensitive": (edited(SYNC, '"stop"', '"sensitive"'),),
    "a network error of the model": (edited(SYNC, '"stop"', '"network_error"'),),
    "comments that keep a stream alive": (with_lines(STREAM, b"\n\n", b"\n\n: keep-alive\n\n"),),
    "ids that a proxy adds": (with_lines(STREAM, b"data: {", b"id: 7\ndata: {"),),
    "lines that end with CR LF": (with_lines(STREAM, b"\n", b"\r\n"),),
    "a first event with the role only": (
        plain_stream(
            CHAT,
            json.loads(STREAM.request.body),
            data_events(
                event(role="assistant"),
                event(),
                event(content="Sunny."),
                event("stop"),
            ),
        ),
    ),
    "usage in an event of its own": (
        plain_stream(
            COMPATIBLE,
            {
                "model": "qwen-plus",
                "messages": [USER],
                "stream": True,
                "stream_options": {"include_usage": True},
            },
            data_events(
                chunk(content="", role="assistant", reasoning_content=None),
                chunk(content="Sunny."),
                chunk("stop", content=""),
                {
                    "id": "chatcmpl-1",
                    "object": "chat.completion.chunk",
                    "created": 1,
                    "model": "qwen",
                    "choices": [],
                    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
                },
            ),
        ),
    ),
    "no usage where none was asked for": (
        plain_stream(
            COMPATIBLE,
            {"model": "deepseek-v3", "messages": [USER], "stream": True},
            data_events(chunk(content="Sunny.", role="assistant"), chunk("stop", content="")),
        ),
    ),
    "a thinking model that gives pieces unasked": (
        stream(
            GENERATION,
            QWEN3,
            named_events(
                output(in_message("", "null", reasoning_content="The user"), 1),
                output(in_message("", "null", reasoning_content=" asks."), 2),
                output(in_message("It", "null", reasoning_content=""), 3),
                output(in_message(" is", "null", reasoning_content=""), 4),
                output(in_message(" sunny.", "stop", reasoning_content=""), 5),
            ),
        ),
    ),
    "numbers that grow": (
        stream(
            GENERATION,
            chat_request(incremental_output=True),
            named_events(
                output(in_message("1", "null"), 1),
                output(in_message("10", "null"), 2),
                output(in_message("100", "stop"), 3),
            ),
        ),
    ),
    "a stream without comments": (with_lines(CUMULATIVE, b":HTTP_STATUS/200\n", b""),),
    "no tool calls, said as null": (edited(MESSAGE, '"role"', '"tool_calls":null,"role"'),),
    "a picture and a text in one answer": (
        edited(SEEN, '[{"text":"A beach."}]', '[{"text":"A "},{"image":"https://x.example/1"}]'),
    ),
    "a last event with nothing in it": (
        edited(INCREMENTAL, '"content":" sunny."', '"content":""'),
    ),
    "a film as one result": (
        get(POLL, state("SUCCEEDED", results={"video_url": "https://x.example/1.mp4"})),
    ),
    "a text from a sound": (
        get(POLL, state("SUCCEEDED", results=[{"transcription_url": "https://x.example/1.json"}])),
    ),
    "a task that was forgotten": (SUCCEEDED, get(POLL, state("UNKNOWN"))),
    "a system that speaks later": (
        asking(
            SYNC,
            "}]}",
            '}, {"role": "system", "content": "!"}, {"role": "user", "content": "?"}]}',
        ),
    ),
    "a task without an end yet": (edited(SUCCEEDED, "2025-12-07 19:29:22.754", ""),),
    "an answer that was not changed": (
        exchange("GET", f"{DASHSCOPE}/tasks/1", None, b"", "application/json", 304),
    ),
    "a request to nowhere we know, without answer": (
        exchange("HEAD", "https://x.example/", None, b"", "application/json"),
    ),
    "a client that trims what was said": (
        edited(SYNC, "It is sunny.", "\\nIt is sunny. "),
        asking(
            SYNC,
            "}]}",
            '}, {"role": "assistant", "content": "It is sunny."},'
            ' {"role": "user", "content": "And tomorrow?"}]}',
        ),
    ),
    "a sparse vector": (
        edited(
            SAMPLES["dashscope embedding"][0], '"embedding":[2.1,-6.5]', '"sparse_embedding":[]'
        ),
    ),
    "pictures asked for in a chat": (
        with_request(
            SAMPLES["dashscope image as chat"][0],
            b'{"model":"qwen-image","parameters":{"n":1},"input":{"messages":'
            b'[{"role":"user","content":[{"text":"?"}]}]}}',
        ),
    ),
    "compressed": (zipped(SYNC),),
    "a compressed stream": (zipped(STREAM),),
    "no headers": (bare(SYNC),),
    "a stream without headers": (bare(STREAM),),
    "a numbered stream without headers": (bare(INCREMENTAL),),
    "a question that was not recorded": (with_request(TOOL, b""),),
    "a streamed call whose question was not recorded": (with_request(TOOL_STREAM, b""),),
    "pieces of a call whose question was not recorded": (with_request(CALLING, b""),),
    "a call in pieces, unasked, and no text": (
        stream(
            GENERATION,
            {**QWEN3, "parameters": {"tools": TOOLS}},
            named_events(
                output(
                    in_message("", "null", tool_calls=piece("call_1", "", name="get_weather")), 1
                ),
                output(in_message("", "null", tool_calls=piece("", '{"city": ')), 2),
                output(in_message("", "null", tool_calls=piece("", '"Beijing"}')), 3),
                output(in_message("", "tool_calls"), 4),
            ),
        ),
    ),
    "a tool of the service's own in pieces": (
        plain_stream(
            CHAT,
            {"model": "glm-4-alltools", "messages": [USER], "stream": True},
            data_events(
                event(role="assistant", tool_calls=[interpreted(input="print(")]),
                event(role="assistant", tool_calls=[interpreted(input="1)")]),
                event(role="tool", tool_calls=[interpreted(outputs="1")]),
                event(role="assistant", content="1"),
                event("stop", role="assistant", content=""),
            ),
        ),
    ),
    "a forced call that stops": (
        post(
            COMPATIBLE,
            {**QWEN, "tools": TOOLS, "tool_choice": {"type": "function", "function": {}}},
            {
                **json.loads(COMPATIBLE_SYNC.response.body),
                "choices": choices(
                    "", tool_calls=piece("call_1", '{"city": "B"}', name="get_weather")
                ),
            },
        ),
    ),
    "a picture as the result of a task": (
        get(
            f"{ZHIPU}/async-result/9",
            {
                "id": "9",
                "model": "glm-image",
                "request_id": "886",
                "task_status": "SUCCESS",
                "image_result": [{"url": "https://x.example/1.png"}],
            },
        ),
    ),
    "a translated picture": (get(POLL, state("SUCCEEDED", image_url="https://x.example/1.png")),),
    "speech": (
        post(
            SPEECH,
            {"model": "qwen-tts", "input": {"text": "Hi", "voice": "Cherry"}},
            {
                "output": {"audio": {"url": "https://x.example/1.wav"}, "finish_reason": "stop"},
                "usage": usage(3, 9),
                "request_id": REQUEST,
            },
        ),
    ),
    "speech in pieces": (
        stream(
            SPEECH,
            {"model": "qwen-tts", "input": {"text": "Hi", "voice": "Cherry"}},
            named_events(
                output({"audio": {"data": "AAAA"}, "finish_reason": "null"}, 1),
                output({"audio": {"url": "https://x.example/1.wav"}, "finish_reason": "stop"}, 9),
            ),
        ),
    ),
    "a file of texts, embedded by a task": (
        post(
            EMBEDDINGS,
            {"model": "text-embedding-async-v2", "input": {"url": "https://x.example/1.txt"}},
            state("PENDING"),
        ),
    ),
    "a translation, whole so far whatever was asked": (
        stream(
            GENERATION,
            {**chat_request(incremental_output=True), "model": "qwen-mt-plus"},
            named_events(
                output(in_message("It is", "null"), 1),
                output(in_message("It is sunny", "null"), 2),
                output(in_message("It is sunny today.", "stop"), 3),
            ),
        ),
    ),
    "a translation in the other form": (
        plain_stream(
            COMPATIBLE,
            {"model": "qwen-mt-turbo", "messages": [USER], "stream": True},
            data_events(
                chunk(content="It is", role="assistant"),
                chunk(content="It is sunny"),
                chunk("stop", content="It is sunny today."),
            ),
        ),
    ),
    "an assistant that opens the play": (
        asking(SYNC, '"messages": [', '"messages": [{"role": "assistant", "content": "Hi!"}, '),
    ),
    "an answer to be continued": (
        asking(SYNC, "}]}", '}, {"role": "assistant", "content": "It", "prefix": true}]}'),
    ),
    "a time that is empty until it is known": (
        PENDING,
        get(POLL, state("RUNNING", **TIMES, end_time="")),
        SUCCEEDED,
    ),
    "a service on another path": (
        replace(
            SYNC,
            request=replace(
                SYNC.request, uri="https://api.z.ai/api/coding/paas/v4/chat/completions"
            ),
        ),
    ),
}


@pytest.mark.parametrize("exchanges", VALID.values(), ids=VALID)
def test_what_others_send_is_no_error(exchanges: tuple[Exchange, ...]) -> None:
    """Newer fields, other models, proxies and recorders give no warning either."""
    findings = [f for f in check(foreign(*exchanges)) if f.severity is not Severity.INFO]
    assert findings == []


WORDS: dict[str, tuple[Exchange, str]] = {
    "a finish reason": (edited(SYNC, '"stop"', '"repetition"'), "finish_reason_is_known"),
    "a state": (
        edited(SUCCEEDED, '"SUCCEEDED"', '"SUSPENDED"'),
        "task_state_is_known",
    ),
    "a role": (edited(SYNC, '"role":"assistant"', '"role":"model"'), "role_is_known"),
    "a form": (
        edited(COMPATIBLE_SYNC, '"chat.completion"', '"chat.completion.v2"'),
        "object_names_its_form",
    ),
    "a type of tool": (edited(TOOL, '"type":"function"', '"type":"skill"'), "tool_type_is_known"),
    "a role of a request": (
        asking(SYNC, '"role": "user"', '"role": "developer"'),
        "messages_are_well_formed",
    ),
    "a request id of a proxy's": (
        with_header(TEXT, "x-request-id", REQUEST[::-1]),
        "dashscope_request_ids_agree",
    ),
}


@pytest.mark.parametrize("name", WORDS)
def test_an_unknown_word_is_told_and_fails_nothing(name: str) -> None:
    """A vocabulary grows; who wants to know is told, and no run fails."""
    whole, rule = WORDS[name]
    findings = check(foreign(whole))
    assert rule in {finding.rule for finding in findings}
    assert all(finding.severity is not Severity.ERROR for finding in findings)


FORMS: dict[str, Callable[[Exchange], Exchange]] = {
    "indented": indented,
    "with a header": lambda whole: with_header(whole, "x-proxy", "1"),
    "with a field": lambda whole: with_body(
        whole, b'{"trace_id":"x",' + whole.response.body.lstrip()[1:]
    ),
}


IN_JSON = [
    name
    for name, exchanges in SAMPLES.items()
    if "stream" not in name and exchanges[-1].response.body.startswith(b"{")
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", IN_JSON)
def test_every_example_may_look_otherwise(name: str, form: str) -> None:
    """Indented, behind a proxy, with a field that nobody knows: it stays valid."""
    *before, last = SAMPLES[name]
    assert check(foreign(*before, FORMS[form](last))) == ()
