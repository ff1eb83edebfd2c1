"""The sandbox's substitute for a language model: `generate` composes replies by rules.

The same request always gets the same reply. Replies quote earlier messages, so a request that lost
its history gets a different one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.sandbox.replies import REPLIES, ChatHistory, read_conversation
from harness.sandbox.text import count_prompt_tokens, excerpt, tokens
from harness.sandbox.tools import choose_calls
from harness.types import Call, Json, Reply, ToolCall, Usage


def generate(call: Call, *, thinking: bool = False) -> Reply:
    """Return the reply to *call*: a text, with its tokens in `pieces`, or tool calls.

    Args:
        call: A chat with at least one message from the user.
        thinking: Whether the reply also has reasoning, whose tokens count as output tokens.
    """
    conversation = read_conversation(call)
    tools: Json = call.parameters.get("tools")
    choice: Json = call.parameters.get("tool_choice")
    limit: Json = call.parameters.get("max_tokens")
    text_of_tools = tools if isinstance(tools, str) else json.dumps(tools, ensure_ascii=False)
    input_tokens = count_prompt_tokens(call.messages, text_of_tools if tools else "")
    reasoning = _reasoning(conversation) if thinking else None
    if not conversation.tool_results:
        calls = choose_calls(tools, choice, conversation.question, conversation.earlier_questions)
        if calls:
            return _tool_call_reply(calls, reasoning, input_tokens)
    text = next(text for reply in REPLIES if (text := reply(conversation)))
    text = _until_stop(text, call.parameters.get("stop"))
    return _text_reply(text, reasoning, input_tokens, limit)


def choices(call: Call, *, thinking: bool = False) -> tuple[Reply, ...]:
    """Return as many replies to *call* as its parameter `n` asks for, the first one as without."""
    count: Json = call.parameters.get("n")
    seeds = range(1, count) if isinstance(count, int) else ()
    seed = call.parameters.get("seed")
    others = (
        replace(call, parameters={**call.parameters, "seed": f"{seed}/{number}"})
        for number in seeds
    )
    return tuple(generate(one, thinking=thinking) for one in (call, *others))


def log_probabilities(pieces: Sequence[str], parameters: Mapping[str, Json]) -> list[Json] | None:
    """Return the log probability of each token, and of its alternatives; None if not asked for."""
    if parameters.get("logprobs") is not True:
        return None
    top = parameters.get("top_logprobs")
    return [_log_probability(piece, top if isinstance(top, int) else 0) for piece in pieces]


def _log_probability(piece: str, top: int) -> Json:
    def one(token: str, rank: int) -> dict[str, Json]:
        return {"token": token, "bytes": [*token.encode()], "logprob": -0.125 - rank}

    others: list[Json] = [one(piece if not rank else f"{piece}{rank}", rank) for rank in range(top)]
    return {**one(piece, 0), "top_logprobs": others}


def reply_with(text: str, input_tokens: int = 0) -> Reply:
    """Return a reply with *text*."""
    return _text_reply(text, None, input_tokens, None)


def _until_stop(text: str, stop: Json) -> str:
    """Return *text* up to the first stop word; *stop* is one word or a list of words."""
    for word in [stop] if isinstance(stop, str) else stop if isinstance(stop, list) else []:
        if isinstance(word, str) and word:
            text = text.split(word)[0]
    return text


def _reasoning(conversation: ChatHistory) -> str:
    question, number = excerpt(conversation.question, 40), conversation.question_number
    return conversation.translated(
        f"用户问的是：“{question}”，这是第 {number} 个问题。我先回顾前文，再简明地回答。",
        f'The user asks: "{question}". It is question no. {number}. I will be brief.',
    )


def _text_reply(text: str, reasoning: str | None, input_tokens: int, limit: Json) -> Reply:
    """Return a reply of at most *limit* output tokens, reasoning included.

    A *limit* that is not a positive integer is ignored.
    """
    thought, pieces = tokens(reasoning or ""), tokens(text)
    room = limit if isinstance(limit, int) and limit > 0 else len(thought) + len(pieces)
    kept = pieces[: max(0, room - len(thought))]
    output_tokens = min(room, len(thought)) + len(kept)
    return Reply(
        content="".join(kept),
        reasoning=None if reasoning is None else "".join(thought[:room]),
        pieces=kept,
        finish_reason="length" if len(kept) < len(pieces) else "stop",
        usage=Usage(input_tokens, output_tokens, input_tokens + output_tokens),
    )


def _tool_call_reply(calls: list[ToolCall], reasoning: str | None, input_tokens: int) -> Reply:
    texts = [reasoning or "", *(call.name + call.arguments for call in calls)]
    output_tokens = sum(len(tokens(text)) for text in texts)
    return Reply(
        content="",
        reasoning=reasoning,
        tool_calls=tuple(calls),
        finish_reason="tool_calls",
        usage=Usage(input_tokens, output_tokens, input_tokens + output_tokens),
    )
