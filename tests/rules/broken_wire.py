"""Single exchanges with one thing wrong."""

from __future__ import annotations

from dataclasses import replace

from harness.mutations.examples.dashscope import (
    BAD_KEY,
    COMPATIBLE_STREAM,
    CUMULATIVE,
    INCREMENTAL,
    MESSAGE,
    REQUEST,
    TEXT,
    counted,
    output,
)
from harness.mutations.examples.zhipuai import (
    DRAWN,
    FETCHED,
    LOG,
    REFUSED,
    STREAM,
    SYNC,
    TOOL,
    TOOL_STREAM,
    event,
)
from harness.mutations.making import data_only, numbered, picture

from .broken import Broken
from .making import asking, at_uri, edited, foreign, headed, with_body, with_status

ONE = "turn 1, exchange 1"
CALL = f"{ONE}, /choices/0/message/tool_calls/0"
PLAIN_STREAM = replace(STREAM, request=replace(STREAM.request, body=SYNC.request.body))
LISTED = replace(TEXT, request=replace(TEXT.request, body=b"[1]"))
REPEATING = with_body(
    STREAM,
    data_only(
        event(role="assistant", content="It"),
        event(role="assistant", content="It is"),
        event(role="assistant", content="It is sunny."),
        event("stop", role="assistant", content=""),
    ),
)
TWO_ENDS = with_body(
    INCREMENTAL,
    numbered(
        output({"finish_reason": "stop", "text": "1"}, 1),
        output({"finish_reason": "stop", "text": ""}, 1),
    ),
)
SHRINKING = with_body(
    CUMULATIVE,
    numbered(
        {**output({"finish_reason": "null", "text": "1"}), "usage": counted(19, 5)},
        {**output({"finish_reason": "stop", "text": "1, 2"}), "usage": counted(19, 4)},
    ),
)
ERROR_EVENT = with_body(
    CUMULATIVE,
    b"id:1\nevent:error\n:HTTP_STATUS/400\ndata:"
    + b'{"code":"InvalidParameter","message":"Bad","request_id":"'
    + REQUEST.encode()
    + b'"}\n\n',
)
OVERLOADED = with_status(edited(REFUSED, "1113", "1305"), 200)

BROKEN = (
    Broken("known_endpoint", foreign(at_uri(SYNC, "https://other.example/v1/chat")), ONE),
    Broken("request_is_json", foreign(asking(TEXT, "{", "")), f"{ONE}, request, byte 7"),
    Broken("request_is_json", foreign(LISTED), f"{ONE}, request", "[1]"),
    Broken("body_is_json", foreign(edited(SYNC, '"created":', '"created":NaN,"x":')), ONE, "NaN"),
    Broken("body_is_json", foreign(edited(SYNC, "}}", "}")), f"{ONE}, byte 222"),
    Broken(
        "content_type_agrees_with_body", foreign(headed(SYNC, "content-type", "text/html")), ONE
    ),
    Broken(
        "content_type_agrees_with_body",
        foreign(headed(PLAIN_STREAM, "content-type", "application/json")),
        ONE,
        "text/event-stream",
    ),
    Broken(
        "content_type_agrees_with_body",
        foreign(headed(SYNC, "content-type", "application/json; charset=gbk")),
        ONE,
        "gbk",
    ),
    Broken(
        "stream_is_well_formed",
        foreign(edited(STREAM, "data: [DONE]\n\n", "data: [DONE]\n")),
        f"{ONE}, byte 553",
    ),
    Broken(
        "stream_is_well_formed",
        foreign(edited(STREAM, "data: [DONE]", "dta: x\ndata: [DONE]")),
        f"{ONE}, byte 553",
        "unknown field",
    ),
    Broken(
        "events_are_json",
        foreign(edited(STREAM, '"content":" sunny."}', '"content":" sunny."')),
        f"{ONE}, event 2, byte 307",
    ),
    Broken(
        "done_marker", foreign(edited(STREAM, "data: [DONE]\n\n", "")), f"{ONE}, event 3, byte 318"
    ),
    Broken(
        "done_marker",
        foreign(edited(STREAM, "[DONE]\n\n", "[DONE]\n\ndata: [DONE]\n\n")),
        f"{ONE}, event 5, byte 573",
        "nothing after",
    ),
    Broken("delivery_as_asked", foreign(asking(SYNC, '"model"', '"stream": true, "model"')), ONE),
    Broken("delivery_as_asked", foreign(asking(STREAM, '"stream": true', '"stream": false')), ONE),
    Broken(
        "delivery_as_asked",
        foreign(
            replace(TEXT, request=replace(TEXT.request, headers=(("Accept", "text/event-stream"),)))
        ),
        ONE,
        "expected a stream",
    ),
    Broken("status_agrees_with_body", foreign(OVERLOADED), ONE, "1305"),
    Broken("status_agrees_with_body", foreign(ERROR_EVENT), f"{ONE}, event 1, byte 39"),
    Broken(
        "answer_fits_schema",
        foreign(edited(SYNC, '"created":1760461667,', "")),
        ONE,
        "expected a field 'created', found only 'id', 'model'",
    ),
    Broken(
        "answer_fits_schema",
        foreign(edited(SYNC, '"index":0', '"index":"0"')),
        f"{ONE}, /choices/0/index",
        'expected integer, found string "0"',
    ),
    Broken(
        "answer_fits_schema",
        foreign(edited(STREAM, '"delta":{', '"delta":[],"x":{', 1)),
        f"{ONE}, event 1, /choices/0/delta",
    ),
    Broken(
        "answer_fits_schema",
        foreign(edited(TEXT, '"text":"1, 2, 3"', '"text":null')),
        f"{ONE}, /output/text",
    ),
    Broken(
        "answer_fits_schema",
        foreign(edited(SYNC, ',"content":"It is sunny."', "")),
        f"{ONE}, /choices/0/message",
        "expected text as `content`, or `tool_calls`, found",
    ),
    Broken("answer_fits_schema", foreign(edited(DRAWN, '[{"url"', '[{"b64"')), f"{ONE}, /data/0"),
    Broken(
        "refusal_fits_schema", foreign(edited(REFUSED, '"1113"', "1113")), f"{ONE}, /error/code"
    ),
    Broken("refusal_fits_schema", foreign(edited(BAD_KEY, '"message"', '"msg"')), ONE),
    Broken(
        "failure_has_code_and_message",
        foreign(edited(REFUSED, '"1113"', '""')),
        f"{ONE}, /error/code",
    ),
    Broken(
        "finish_reason_is_known",
        foreign(edited(SYNC, '"stop"', '"end_turn"')),
        f"{ONE}, /choices/0/finish_reason",
    ),
    Broken(
        "answer_says_why_it_ended",
        foreign(edited(TEXT, '"stop"', '"null"')),
        f"{ONE}, /output/finish_reason",
    ),
    Broken(
        "usage_adds_up",
        foreign(edited(SYNC, '"total_tokens":12', '"total_tokens":13')),
        f"{ONE}, /usage/total_tokens",
        "8 + 4 = 12",
    ),
    Broken(
        "usage_is_not_negative",
        foreign(
            edited(
                TEXT, '"output_tokens":4,"total_tokens":23', '"output_tokens":-4,"total_tokens":15'
            )
        ),
        f"{ONE}, /usage/output_tokens",
    ),
    Broken("ids_are_not_empty", foreign(edited(TEXT, REQUEST, "")), f"{ONE}, /request_id"),
    Broken(
        "stream_keeps_its_identity",
        foreign(
            edited(
                COMPATIBLE_STREAM,
                '"created":1,"model":"qwen","choices":[]',
                '"created":2,"model":"qwen","choices":[]',
            )
        ),
        f"{ONE}, event 5, /created",
    ),
    Broken(
        "stream_finishes_once",
        foreign(edited(INCREMENTAL, '"stop"', '"null"')),
        f"{ONE}, event 3, byte 567",
    ),
    Broken(
        "stream_finishes_once",
        foreign(TWO_ENDS),
        f"{ONE}, event 2, /output/finish_reason",
    ),
    Broken(
        "nothing_after_finish",
        foreign(
            edited(
                TOOL_STREAM, '"role":"assistant","content":""}', '"role":"assistant","content":"!"}'
            )
        ),
        f"{ONE}, event 3, byte 574",
    ),
    Broken(
        "usage_never_shrinks",
        foreign(SHRINKING),
        f"{ONE}, event 2, /usage/output_tokens; {ONE}, event 2, /usage/total_tokens",
    ),
    Broken(
        "cumulative_stream_only_grows",
        foreign(edited(CUMULATIVE, '"1, 2, 3"', '"3"')),
        f"{ONE}, event 3, /output/text",
    ),
    Broken(
        "deltas_do_not_repeat",
        foreign(REPEATING),
        f"{ONE}, event 3, /choices/0/delta/content",
    ),
    Broken(
        "tool_calls_are_complete",
        foreign(edited(TOOL, '"call_8231168139794583938"', '""')),
        CALL,
        "an id",
    ),
    Broken(
        "tool_calls_are_complete",
        foreign(edited(TOOL, '"Beijing\\"}"', '"Beijing\\""')),
        CALL,
        "arguments in JSON",
    ),
    Broken(
        "tool_finish_has_calls",
        foreign(edited(MESSAGE, '"stop"', '"tool_calls"')),
        f"{ONE}, /output/choices/0/finish_reason",
    ),
    Broken(
        "tool_calls_finish_as_such",
        foreign(edited(TOOL, '"finish_reason":"tool_calls"', '"finish_reason":"stop"')),
        f"{ONE}, /choices/0/finish_reason",
    ),
    Broken(
        "messages_are_well_formed",
        foreign(asking(SYNC, '"role": "user"', '"role": "human"')),
        f"{ONE}, request, /messages/0",
    ),
    Broken(
        "messages_are_well_formed",
        foreign(asking(MESSAGE, '[{"role"', '[{"role": "user", "content": null}, {"role"')),
        f"{ONE}, request, /input/messages/0",
    ),
    Broken(
        "messages_are_well_formed",
        foreign(asking(SYNC, "}]}", '}, {"role": "assistant", "content": "It"}]}')),
        f"{ONE}, request, /messages/1",
        "speak last",
    ),
    Broken("image_link_is_absolute", foreign(edited(DRAWN, "https:", "")), f"{ONE}, /data/0/url"),
    Broken(
        "image_decodes",
        foreign(DRAWN, with_body(FETCHED, picture(8, 4)[:-30])),
        "turn 1, exchange 2",
    ),
    Broken("image_decodes", foreign(DRAWN, with_status(FETCHED, 403)), "turn 1, exchange 2", "403"),
    Broken(
        "zhipu_events_have_no_name",
        foreign(edited(STREAM, "data: [", "event: end\ndata: [")),
        f"{ONE}, event 4, byte 553",
    ),
    Broken(
        "zhipu_ids_agree",
        foreign(edited(SYNC, f'"request_id":"{LOG}"', '"request_id":"1"')),
        f"{ONE}, /request_id",
    ),
    Broken("zhipu_ids_agree", foreign(headed(SYNC, "x-log-id", "77")), f"{ONE}, /id", "x-log-id"),
    Broken(
        "dashscope_events_count_up",
        foreign(edited(CUMULATIVE, "id:3", "id:4")),
        f"{ONE}, event 3, byte 411",
    ),
    Broken(
        "dashscope_event_is_named",
        foreign(edited(CUMULATIVE, "event:result", "event:message")),
        f"{ONE}, event 1, byte 0",
    ),
    Broken(
        "dashscope_event_tells_status",
        foreign(edited(CUMULATIVE, ":HTTP_STATUS/200\n", "")),
        f"{ONE}, event 1, byte 0",
    ),
    Broken(
        "dashscope_event_tells_status",
        foreign(edited(CUMULATIVE, ":HTTP_STATUS/200", ":HTTP_STATUS/500")),
        f"{ONE}, event 1, byte 0",
    ),
    Broken(
        "dashscope_request_ids_agree",
        foreign(headed(TEXT, "x-request-id", "0" * 36)),
        f"{ONE}, /request_id",
    ),
)
