"""DashScope's text and multimodal generation in the sandbox: read requests, build responses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, zip_longest

from harness.analysis.endpoint import Endpoint
from harness.config.models import Model
from harness.providers.dashscope.endpoints import MULTIMODAL
from harness.providers.dashscope.operations import frame_event
from harness.sandbox.model import log_probabilities
from harness.sandbox.requests import (
    Range,
    Reason,
    Refused,
    check_chat,
    read_member,
    read_messages,
)
from harness.sandbox.state import SandboxState
from harness.sandbox.texts import CacheCounts, cache_counts, tokens
from harness.types import EMPTY, Call, CallKind, Json, Message, Mode, Reply
from harness.wire import compact_bytes

# [DOC] help.aliyun.com/en/model-studio/error-code has these messages
RANGES = {
    "temperature": Range(0, 2, "Temperature should be in [0.0, 2.0)", high_open=True),
    "top_p": Range(0, 1, "Range of top_p should be (0.0, 1.0]", low_open=True),
    # [DOC] error-code: the bound differs between models; 131072 is the most of any
    "max_tokens": Range(1, 131072, "Range of max_tokens should be [1, 131072]", whole=True),
    "n": Range(1, 4, "Range of n should be [1, 4]", whole=True),
    # [FIELD] QwenLM/Qwen-Agent #941, with 38912; 262144 is the most of any model
    "thinking_budget": Range(
        1,
        262144,
        "<400> InternalError.Algo.InvalidParameter: The thinking_budget parameter must be a "
        "positive integer and not greater than 262144",
        whole=True,
    ),
}
"""The allowed range of each numeric parameter; `n` is the number of answers or images."""


@dataclass(frozen=True, slots=True)
class Chat:
    """A chat request that the sandbox has accepted.

    Attributes:
        call: The messages and parameters of the request.
        endpoint: The endpoint that was called.
        thinks: Whether the reply has reasoning.
    """

    call: Call
    endpoint: Endpoint
    thinks: bool


def read_chat(
    state: SandboxState, body: dict[str, Json], endpoint: Endpoint, *, streamed: bool
) -> Chat:
    """Check the body of a chat request as the service does, and return the chat.

    A prompt is returned as a chat with one message.

    Args:
        state: The state of the sandbox, which has the table of models.
        body: The body of the request.
        endpoint: The endpoint of the request.
        streamed: Whether the request asks for a stream.

    Raises:
        Refused: The body is not valid, or the model is unknown, retired, served by another endpoint
            or refused without a stream. The service's response for a retired model is not
            documented.
    """
    name = body.get("model")
    model = state.find_model("dashscope", name, "chat", endpoint.name.partition(".")[2])
    messages = _messages(read_member(body, "input"))
    parameters = read_member(body, "parameters")
    bad_tools = "tools must be an array."
    check_chat(messages, parameters, RANGES, tool_call_id_required=True, bad_tools=bad_tools)
    thinks = reasons(model, parameters, streamed=streamed)
    mode = Mode.STREAM if streamed else Mode.SYNC
    call = Call(CallKind.CHAT, mode, str(name), messages, parameters=parameters)
    return Chat(call, endpoint, thinks)


def reasons(model: Model, parameters: Mapping[str, Json], *, streamed: bool) -> bool:
    """Return whether *model* reasons if a request has *parameters*.

    *streamed* is whether the request asks for a stream. The messages of the errors are documented:
    [DOC] help.aliyun.com/en/model-studio/error-code.

    Raises:
        Refused: The model would reason, but the request asks for no stream or for a cumulative one.
    """
    asked = parameters.get("enable_thinking")
    if parameters.get("reasoning_effort") == "none":
        asked = False
    if model.thinking == "always":
        thinks = True
    elif model.thinking in ("", "never"):
        thinks = False
    else:
        thinks = asked if isinstance(asked, bool) else model.thinking in ("on", "streamed")
    if not thinks or model.thinking not in ("always", "streamed"):
        return thinks
    if not streamed and model.thinking == "always":
        raise Refused(
            Reason.BAD_PARAMETER,
            "This model only support stream mode, please enable the stream parameter to access "
            "the model.",
        )
    if not streamed:
        raise Refused(
            Reason.BAD_PARAMETER,
            "parameter.enable_thinking must be set to false for non-streaming calls",
        )
    if parameters.get("incremental_output") is False:
        raise Refused(
            Reason.BAD_PARAMETER,
            'The incremental_output parameter must be "true" when enable_thinking is true',
        )
    return thinks


def _messages(input: dict[str, Json]) -> tuple[Message, ...]:
    if input.get("messages") is not None:
        # [REC] an empty list is answered like an empty message
        return read_messages(input["messages"] or [{"role": "user", "content": ""}])
    if input.get("prompt") is None:
        raise Refused(Reason.NO_MESSAGES)
    return read_messages([{"role": "user", "content": input["prompt"]}])


@dataclass(frozen=True, slots=True)
class AnswerFormat:
    """The format of one answer, with methods that build its members.

    Attributes:
        request_id: The `request_id` of the answer.
        message: Whether `output` has `choices` with messages; else it has `text`, the default of
            `result_format` [REC].
        incremental: Whether an event of a stream has only the new text, not all text so far.
        indexed: Whether a choice has an `index`: only if the request declares tools [REC 2025-12]
            or asks for several choices.
        multimodal: Whether it is a multimodal answer, which always has messages, whose content is a
            list, and no `index` [REC 2026-01].
        thinks: Whether messages have reasoning.
        parameters: The parameters of the request.
        cache: The tokens read from and written to the cache.
    """

    request_id: str
    message: bool
    incremental: bool
    indexed: bool
    multimodal: bool
    thinks: bool
    parameters: Mapping[str, Json] = field(default_factory=lambda: EMPTY)
    cache: CacheCounts = field(default_factory=CacheCounts)

    @classmethod
    def of(cls, chat: Chat, request_id: str) -> AnswerFormat:
        """Return the format of the answer that *chat* requests, which gets the id *request_id*.

        An answer to a request with tools always has messages [DOC].

        Raises:
            Refused: `result_format` is not valid.
        """
        parameters = chat.call.parameters
        result_format = parameters.get("result_format")
        if result_format not in (None, "text", "message"):
            raise Refused(Reason.BAD_PARAMETER, "result_format must be text or message.")
        tools = bool(parameters.get("tools"))
        multimodal = chat.endpoint is MULTIMODAL
        return cls(
            request_id,
            message=result_format == "message" or tools or multimodal or chat.thinks,
            incremental=parameters.get("incremental_output") is True,
            indexed=parameters.get("n", 1) != 1 or (tools and not multimodal),
            multimodal=multimodal,
            thinks=chat.thinks,
            parameters=parameters,
            cache=cache_counts(chat.call),
        )

    def choice(
        self,
        text: str | None,
        thought: str,
        calls: list[Json],
        reason: Json,
        number: int,
        *,
        streamed: bool,
    ) -> dict[str, Json]:
        """Return one choice of an answer or event, as JSON.

        For `result_format: text`, where the attribute `message` is False, that is the `output` with
        its text and finish reason; the other arguments are ignored.

        Args:
            text: The text.
            thought: The reasoning.
            calls: The tool calls, as JSON.
            reason: The finish reason.
            number: The index of the choice.
            streamed: Whether it is an event of a stream, which orders the keys differently [REC].
        """
        if not self.message:
            return {"finish_reason": reason, "text": text}
        content: Json = text
        if self.multimodal:
            content = [{"text": text}] if text else []
        message: dict[str, Json] = {"content": content}
        if self.multimodal or self.thinks:
            message["reasoning_content"] = thought
        called: dict[str, Json] = {"tool_calls": calls} if calls else {}
        role: dict[str, Json] = {"role": "assistant"}
        message |= called | role if streamed else role | called
        index: dict[str, Json] = {"index": number} if self.indexed else {}
        pieces = log_probabilities(tokens(text or ""), self.parameters)
        index |= {} if pieces is None else {"logprobs": {"content": pieces}}
        if streamed or self.multimodal:
            choice = {"message": message} | index | {"finish_reason": reason}
        else:
            choice = {"finish_reason": reason} | index | {"message": message}
        return choice

    def output(self, choices: list[Json]) -> Json:
        """Return the member `output` of an answer or event with *choices*."""
        output: Json = {"choices": choices} if self.message else choices[0]
        if self.parameters.get("enable_search") is True and isinstance(output, dict):
            output = output | {"search_info": {"search_results": [_SEARCH_RESULT]}}
        if self.parameters.get("enable_code_interpreter") is True and isinstance(output, dict):
            output = output | {"tool_info": [_PROGRAM]}
        return output

    def usage(
        self, input_tokens: int, output_tokens: int, thought_tokens: int, *, streamed: bool
    ) -> Json:
        """Return the member `usage` of an answer or event.

        Args:
            input_tokens: The number of input tokens.
            output_tokens: The number of output tokens, including those of the reasoning.
            thought_tokens: The number of tokens of the reasoning.
            streamed: Whether it is for an event of a stream, which orders the keys differently.
        """
        total = input_tokens + output_tokens
        cached: Json = self.cache.details()
        run: dict[str, Json] = {
            plugin: {"count": 1}
            for name, plugin in _PLUGINS.items()
            if self.parameters.get(name) is True
        }
        plugins: dict[str, Json] = {"plugins": run} if run else {}
        thought: dict[str, Json] = {"reasoning_tokens": thought_tokens} if self.thinks else {}
        if self.multimodal:
            return {
                "total_tokens": total,
                "input_tokens_details": {"text_tokens": input_tokens},
                "output_tokens": output_tokens,
                "input_tokens": input_tokens,
                "output_tokens_details": thought | {"text_tokens": output_tokens - thought_tokens},
                "prompt_tokens_details": cached,
                **plugins,
            }
        usage: dict[str, Json] = {
            **plugins,
            "total_tokens": total,
            "output_tokens": output_tokens,
            "input_tokens": input_tokens,
            "prompt_tokens_details": cached,
        }
        if self.thinks:
            usage["output_tokens_details"] = thought
        return usage if streamed else dict(sorted(usage.items()))


# [DOC] C4: what proves that a tool of the service ran
_PLUGINS = {"enable_search": "search", "enable_code_interpreter": "code_interpreter"}
_PROGRAM: Json = {"type": "code_interpreter", "code_interpreter": {"code": "print(6 * 7)"}}
_SEARCH_RESULT: Json = {
    "index": 1,
    "title": "沙盒",
    "url": "https://sandbox.invalid/1",
    "site_name": "sandbox",
    "icon": "",
}


def whole_answer(replies: Sequence[Reply], form: AnswerFormat) -> Json:
    """Return the body of a non-streaming answer with a choice for each of *replies* [REC].

    *form* is the format that the request asks for.
    """
    choices: list[Json] = [_whole_choice(reply, form, n) for n, reply in enumerate(replies)]
    return {
        "output": form.output(choices),
        "usage": form.usage(*_token_counts(replies), streamed=False),
        "request_id": form.request_id,
    }


def _whole_choice(reply: Reply, form: AnswerFormat, number: int) -> Json:
    calls: list[Json] = [
        {
            "function": {"arguments": call.arguments, "name": call.name},
            "id": call.id,
            "index": index,
            "type": "function",
        }
        for index, call in enumerate(reply.tool_calls)
    ]
    thought, reason = reply.reasoning or "", reply.finish_reason
    return form.choice(reply.content, thought, calls, reason, number, streamed=False)


def _token_counts(replies: Sequence[Reply]) -> tuple[int, int, int]:
    """Return the numbers of input tokens, of output tokens, and of the reasoning in these."""
    counted = [reply.usage for reply in replies if reply.usage]
    thought = sum(len(tokens(reply.reasoning or "")) for reply in replies)
    output = sum(usage.output_tokens or 0 for usage in counted)
    return (counted[0].input_tokens or 0, output, thought) if counted else (0, 0, 0)


@dataclass(frozen=True, slots=True)
class _Step:
    """The content of one event of a stream.

    Attributes:
        written: The number of output tokens up to this event.
        text: The text to send: only the new text, or all text so far (see `AnswerFormat`).
        calls: The tool calls to send, or pieces of them.
        thought: The reasoning to send, like `text`.
        reason: The finish reason.
        thought_tokens: The number of tokens of the reasoning up to this event.
    """

    written: int
    text: str = ""
    calls: tuple[Json, ...] = ()
    thought: str = ""
    reason: Json = "null"
    thought_tokens: int = 0


def stream_events(replies: Sequence[Reply], form: AnswerFormat) -> Iterator[bytes]:
    """Yield the bytes of each event of a stream with a choice for each of *replies* [REC].

    *form* is the format that the request asks for. The events of several choices take turns.
    `finish_reason` is "null" in all events of a choice but the last, and there is no [DONE]. The
    last event of a cumulative stream has the whole text. The last event of an incremental stream
    has an empty text, or the last piece of a tool call.
    """
    input_tokens, _, _ = _token_counts(replies)
    written, thought = [0] * len(replies), [0] * len(replies)
    events = zip_longest(*(_steps(reply, form) for reply in replies))
    in_turn = ((index, step) for group in events for index, step in enumerate(group) if step)
    for number, (index, step) in enumerate(in_turn, start=1):
        written[index], thought[index] = step.written, step.thought_tokens
        choice = form.choice(
            step.text, step.thought, [*step.calls], step.reason, index, streamed=True
        )
        body: Json = {
            "output": form.output([choice]),
            "usage": form.usage(input_tokens, sum(written), sum(thought), streamed=True),
            "request_id": form.request_id,
        }
        yield frame_event(number, compact_bytes(body))


def _steps(reply: Reply, form: AnswerFormat) -> Iterator[_Step]:
    """Yield what the events of one reply send, first the reasoning, at last the finish reason."""
    thought = list(_thought_steps(reply, form))
    given = _call_steps(reply, form) if reply.tool_calls else _text_steps(reply, form)
    whole = "" if form.incremental else reply.reasoning or ""
    steps = thought + [replace(step, thought=whole) for step in given]
    thought_tokens = 0
    for number, step in enumerate(steps, start=1):
        reason = reply.finish_reason if number == len(steps) else "null"
        thought_tokens = step.written if number <= len(thought) else thought_tokens
        yield replace(step, reason=reason, thought_tokens=thought_tokens)


def _thought_steps(reply: Reply, form: AnswerFormat) -> Iterator[_Step]:
    """Yield the events of the reasoning, which come before all others."""
    written, so_far = 0, ""
    for group in _grouped(tokens(reply.reasoning or "")):
        written, text = written + len(group), "".join(group)
        so_far += text
        yield _Step(written, thought=text if form.incremental else so_far)


def _text_steps(reply: Reply, form: AnswerFormat) -> Iterator[_Step]:
    written, so_far = _token_counts((reply,))[2], ""
    for group in _grouped(reply.pieces):
        written, text = written + len(group), "".join(group)
        so_far += text
        yield _Step(written, text if form.incremental else so_far)
    if form.incremental or not reply.pieces:
        yield _Step(written)


def _grouped(pieces: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield the first four tokens one by one, then all others in groups of four [REC]."""
    yield from ((piece,) for piece in pieces[:4])
    yield from (pieces[at : at + 4] for at in range(4, len(pieces), 4))


def _call_steps(reply: Reply, form: AnswerFormat) -> Iterator[_Step]:
    """Yield the events of the tool calls, each call in several pieces.

    The first piece of a call has its id, its name and the beginning of its arguments. Later pieces
    have `id: ""` and no name [REC]. In a cumulative stream, which was never recorded, each event
    repeats all calls so far.
    """
    _, total, written = _token_counts((reply,))
    finished: tuple[Json, ...] = ()
    for index, call in enumerate(reply.tool_calls):
        groups = list(_grouped(tokens(call.arguments)))
        written += len(tokens(call.name))
        for number, so_far in enumerate(accumulate("".join(group) for group in groups)):
            written += len(groups[number])
            whole = _streamed_call(index, call.id, {"name": call.name, "arguments": so_far})
            later = _streamed_call(index, "", {"arguments": "".join(groups[number])})
            piece = later if number else whole
            shown = (piece,) if form.incremental else (*finished, whole)
            yield _Step(min(written, total or written), calls=shown)
        finished += (whole,)


def _streamed_call(index: int, id: str, function: dict[str, Json]) -> Json:
    return {"index": index, "id": id, "type": "function", "function": function}
