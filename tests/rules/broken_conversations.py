"""Conversations of several exchanges with one thing wrong."""

from __future__ import annotations

from dataclasses import replace

from harness.mutations.examples.dashscope import FAILED, PENDING, POLL, RUNNING, SUCCEEDED, TASK
from harness.mutations.examples.zhipuai import (
    DONE,
    DRAWN,
    FETCHED,
    REFUSED,
    SUBMIT,
    SYNC,
    TOOL,
    TOOL_RESULT,
    WORKING,
)
from harness.mutations.making import picture
from harness.types import Message

from .broken import Broken
from .making import asking, at_uri, edited, foreign, talked, with_body

ASKED = (Message("user", "What is the weather in Beijing?"),)
AGAIN = (*ASKED, Message("assistant", "It is sunny."), Message("user", "And tomorrow?"))
GOES_ON = asking(
    SYNC,
    "}]}",
    '}, {"role": "assistant", "content": "It is sunny."},'
    ' {"role": "user", "content": "And tomorrow?"}]}',
)
UNPLAYED = replace(foreign(SYNC), unplayed=(replace(DRAWN, turn=2),))

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
        "task_state_is_known",
        foreign(SUBMIT, edited(WORKING, "PROCESSING", "WAITING")),
        "turn 1, exchange 2, /task_status",
    ),
    Broken(
        "task_moves_forward",
        foreign(PENDING, RUNNING, edited(RUNNING, "RUNNING", "PENDING")),
        "turn 1, exchange 3, /output/task_status",
        "expected RUNNING or what follows it, found PENDING",
    ),
    Broken(
        "task_moves_forward",
        foreign(PENDING, SUCCEEDED, FAILED),
        "turn 1, exchange 3, /output/task_status",
    ),
    Broken(
        "poll_answers_its_task",
        foreign(PENDING, edited(RUNNING, TASK, TASK[::-1])),
        "turn 1, exchange 2, /output/task_id",
    ),
    Broken(
        "task_keeps_its_id",
        foreign(PENDING, at_uri(edited(RUNNING, TASK, "77"), POLL.replace(TASK, "77"))),
        "turn 1, exchange 2",
    ),
    Broken(
        "result_only_after_success",
        foreign(
            PENDING,
            edited(
                RUNNING, '"submit_time"', '"results":[{"url":"https://x.example/"}],"submit_time"'
            ),
        ),
        "turn 1, exchange 2, /output/results/0",
    ),
    Broken(
        "success_has_result",
        foreign(SUBMIT, edited(DONE, '"choices"', '"chosen"')),
        "turn 1, exchange 2, /task_status",
    ),
    Broken(
        "failed_task_says_why",
        foreign(PENDING, edited(FAILED, '"code":"InvalidParameter",', "")),
        "turn 1, exchange 2, /output/code",
    ),
    Broken(
        "task_times_in_order",
        foreign(PENDING, edited(SUCCEEDED, "19:29:22", "19:27:22")),
        "turn 1, exchange 2, /output/end_time",
    ),
    Broken(
        "task_times_in_order",
        foreign(PENDING, edited(RUNNING, "2025-12-07 19:28:55.323", "yesterday")),
        "turn 1, exchange 2, /output/submit_time",
        "yesterday",
    ),
    Broken(
        "tool_was_declared",
        foreign(asking(TOOL, "get_weather", "get_time")),
        "turn 1, exchange 1, /choices/0/message/tool_calls/0",
        'expected a call of get_time, found one of "get_weather"',
    ),
    Broken(
        "tool_arguments_fit",
        foreign(edited(TOOL, '\\"city\\"', '\\"town\\"')),
        "turn 1, exchange 1, /choices/0/message/tool_calls/0",
        "expected a field 'city', found only 'town'",
    ),
    Broken(
        "tool_arguments_fit",
        foreign(asking(TOOL, '"type": "string"', '"type": "strnig"')),
        "turn 1, exchange 1, /choices/0/message/tool_calls/0",
        "a JSON Schema that can be used",
    ),
    Broken(
        "tool_results_answer_calls",
        foreign(asking(TOOL_RESULT, '"tool_call_id": "call_', '"tool_call_id": "llac_')),
        "turn 1, exchange 1, request, /messages/2/tool_call_id; "
        "turn 1, exchange 1, request, /messages/1/tool_calls/0/id",
    ),
    Broken(
        "tool_results_answer_calls",
        foreign(asking(TOOL_RESULT, '"tool_call_id"', '"id"')),
        "turn 1, exchange 1, request, /messages/2",
        "expected a tool_call_id",
    ),
    Broken(
        "history_is_carried",
        foreign(SYNC, asking(GOES_ON, "sunny", "rainy")),
        "turn 2, exchange 2, request, /messages/1",
    ),
    Broken(
        "history_is_carried",
        talked((ASKED, SYNC), (AGAIN, asking(GOES_ON, "weather", "time"))),
        "turn 2, exchange 2, request, /messages",
        "begins with the one of the turn before",
        "conversation_travels",
    ),
    Broken(
        "history_is_carried",
        foreign(TOOL, asking(TOOL_RESULT, 'Beijing\\"}', 'Peking\\"}')),
        "turn 2, exchange 2, request, /messages/1",
    ),
    Broken(
        "image_has_asked_size",
        foreign(DRAWN, with_body(FETCHED, picture(4, 8))),
        "turn 1, exchange 2",
        "expected a picture of 8x4, found 4x8",
    ),
    Broken(
        "image_count_as_asked",
        foreign(asking(PENDING, '"n": 2', '"n": 3'), SUCCEEDED),
        "turn 1, exchange 2",
    ),
    Broken("everything_was_played", UNPLAYED, "turn 2", "left over"),
)
