"""Conversations with one thing wrong on the wire, and conversations with nothing wrong."""

from __future__ import annotations

from dataclasses import replace

from harness.types import Message

from .broken import Broken
from .dashscope_exchanges import COMPATIBLE_STREAM, TEXT
from .making import asking, edited, foreign, talked
from .zhipu_exchanges import DRAWN, REFUSED, STREAM, SYNC, TOOL, TOOL_RESULT

ONE = "turn 1, exchange 1"
ASKED = (Message("user", "What is the weather in Beijing?"),)
AGAIN = (*ASKED, Message("assistant", "It is sunny."), Message("user", "And tomorrow?"))
GOES_ON = asking(
    SYNC,
    "}]}",
    '}, {"role": "assistant", "content": "It is sunny."},'
    ' {"role": "user", "content": "And tomorrow?"}]}',
)
FEW_SHOT = (*AGAIN[1:2], *ASKED)

CARRIED = {
    "carried by a program we do not know": foreign(SYNC, GOES_ON),
    "carried by ours": talked((ASKED, SYNC), (AGAIN, GOES_ON)),
    "asked twice, answered twice": foreign(SYNC, edited(SYNC, "sunny", "rainy"), GOES_ON),
    "nothing to do with each other": talked((ASKED, SYNC), (ASKED, asking(SYNC, "Bei", "Nan"))),
    "beginning with an example": talked((ASKED, SYNC), (FEW_SHOT, asking(SYNC, "weather", "time"))),
    "the first turn": talked((AGAIN, GOES_ON)),
    "after a refusal": talked((ASKED, REFUSED), (AGAIN, GOES_ON)),
    "another user's question added": foreign(
        SYNC, asking(SYNC, "}]}", '}, {"role": "user", "content": "?"}]}')
    ),
}

BROKEN = (
    Broken(
        "delivery_as_asked",
        foreign(
            replace(TEXT, request=replace(TEXT.request, headers=(("Accept", "text/event-stream"),)))
        ),
        ONE,
        "expected a stream",
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
        "expected text as `content`, or `tool_calls`, actual",
    ),
    Broken("answer_fits_schema", foreign(edited(DRAWN, '[{"url"', '[{"b64"')), f"{ONE}, /data/0"),
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
        "tool_arguments_fit",
        foreign(asking(TOOL, '"type": "string"', '"type": "strnig"')),
        "turn 1, exchange 1, /choices/0/message/tool_calls/0",
        "a usable JSON Schema",
    ),
    Broken(
        "tool_arguments_fit",
        foreign(edited(TOOL, '\\"Beijing\\"', "1")),
        "turn 1, exchange 1, /choices/0/message/tool_calls/0",
        "in the arguments of get_weather at /city",
    ),
    Broken(
        "history_is_carried",
        talked((ASKED, SYNC), (AGAIN, asking(GOES_ON, "weather", "time"))),
        "turn 2, exchange 2, request, /messages",
        "begins with the one of the turn before",
        "conversation_travels prefix_is_stable",
    ),
    Broken(
        "history_is_carried",
        foreign(TOOL, asking(TOOL_RESULT, 'Beijing\\"}', 'Peking\\"}')),
        "turn 2, exchange 2, request, /messages/1",
    ),
)
