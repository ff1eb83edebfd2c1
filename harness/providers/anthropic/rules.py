"""Rules for Anthropic's Messages format, at every service that offers it."""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.endpoint import Part, Role
from harness.analysis.exchange import AnalyzedExchange, violation
from harness.analysis.transcript import AnalyzedTranscript
from harness.providers.anthropic.endpoints import read
from harness.rules.rule import WARNING, Rule, conversation_rule, exchange_rule, show, stream_rule
from harness.types import Failure, Finding, Json, Reply
from harness.wire import query, read_json, resolve

_DELTAS = {
    "text_delta": ("text",),
    "input_json_delta": ("tool_use", "server_tool_use", "mcp_tool_use"),
    "thinking_delta": ("thinking",),
    "signature_delta": ("thinking",),
    "citations_delta": ("text",),
}
"""The types of blocks that each type of delta belongs to."""


def _answers(reading: AnalyzedExchange) -> tuple[Part, ...]:
    """Return the parts of an answer in this format; empty if it has another one."""
    is_message = reading.endpoint is not None and reading.endpoint.read is read
    return reading.answers if is_message else ()


def _events(reading: AnalyzedExchange) -> tuple[Part, ...]:
    """Return the events of a stream in this format; empty if the answer is not one."""
    return _answers(reading) if reading.is_stream else ()


def message_events_are_in_order(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check the order of a message's events: start, blocks one by one, delta, stop.

    Each block starts, has deltas of its own type and stops, with an index from 0 without gaps
    [DOC], [REC]. A `ping` may come anywhere. SDKs join the deltas by the index, and fail or lose
    text where it is wrong.
    """
    begun = ended = stopped = False
    opened: dict[int, str] = {}
    closed = 0
    parts = _events(reading)
    for part in parts:
        kind, index = resolve(part.value, "/type"), resolve(part.value, "/index")
        place, problem = reading.place(part=part), ""
        if kind == "message_start":
            problem = "a second message_start" if begun else ""
            begun = True
        elif not isinstance(kind, str) or kind == "ping":
            continue
        elif not begun:
            problem = f"{kind} before message_start"
            begun = True
        elif stopped:
            problem = f"{kind} after message_stop"
        elif kind.startswith("content_block") and ended:
            problem = f"{kind} after message_delta"
        elif kind == "content_block_start":
            if index != closed or opened:
                problem = f"the start of block {index}"
            opened = {closed: str(resolve(part.value, "/content_block/type"))}
        elif kind in ("content_block_delta", "content_block_stop") and [*opened] != [index]:
            problem = f"{kind} of block {index}"
        elif kind == "content_block_delta":
            delta = str(resolve(part.value, "/delta/type"))
            block = next(iter(opened.values()))
            if block not in _DELTAS.get(delta, (block,)):
                problem = f"{delta} in a block of the type {block}"
        elif kind == "content_block_stop":
            opened, closed = {}, closed + 1
        elif kind in ("message_delta", "message_stop"):
            problem = f"{kind} while block {closed} is open" if opened else ""
            ended, stopped = True, kind == "message_stop"
        if problem:
            yield violation(_expected(begun, opened, closed, ended, stopped), problem, place)
            return
    if parts and not stopped and not isinstance(reading.outcome, Failure):
        yield reading.violation("message_stop at the end", "none", parts[-1])


def _expected(begun: bool, opened: dict[int, str], closed: int, ended: bool, stopped: bool) -> str:
    if stopped or not begun:
        return "nothing after message_stop" if stopped else "message_start first"
    if ended:
        return "message_delta or message_stop"
    block = next(iter(opened), closed)
    return f"events in order, in or before block {block}"


def event_names_are_types(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that the name of each event is the `type` in its data.

    Clients choose by the one or by the other how to read an event. The type of a run's events, in
    OpenAI's Assistants API, is that of a step [FIELD].
    """
    endpoint = reading.checked_endpoint
    is_read = endpoint is not None and endpoint.role is Role.ANSWER
    for part in reading.answers if reading.is_stream and is_read else ():
        kind = resolve(part.value, "/type")
        if part.kind and isinstance(kind, str) and kind != part.kind:
            yield reading.violation(f"the type {show(part.kind)}", show(kind), part, "/type")


def stop_reason_fits_blocks(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that the stop reason agrees with the blocks and with the stop sequence.

    An answer that ends with `tool_use` has a block of that type. An answer with such a block ends
    with `tool_use`, unless it was cut off, or code that the service runs called the tool.
    `stop_sequence` is set if, and only if, it is the reason [DOC].
    """
    reason, sequence, callers = None, None, set[str]()
    last: Part | None = None
    place = ""
    for part in _answers(reading):
        for pointer in ("/content/[]", "/content_block", "/message/content/[]"):
            for _, block in query(part.value, pointer):
                if resolve(block, "/type") == "tool_use":
                    callers.add(str(resolve(block, "/caller/type") or "direct"))
        for pointer in ("", "/delta", "/message"):
            found = resolve(part.value, f"{pointer}/stop_reason")
            if isinstance(found, str):
                reason, last, place = found, part, f"{pointer}/stop_reason"
                sequence = resolve(part.value, f"{pointer}/stop_sequence") or None
    if reason == "tool_use" and not callers:
        expected = "a block of the type tool_use, as the stop reason says"
        yield reading.violation(expected, "none", last, place)
    if reason in ("end_turn", "stop_sequence") and "direct" in callers:
        expected = "the stop reason tool_use of an answer with such a block"
        yield reading.violation(expected, reason, last, place)
    is_sequence = isinstance(sequence, str)
    if reason == "stop_sequence" and not is_sequence:
        expected = "the stop sequence, as the reason says"
        yield reading.violation(expected, "none", last, place)
    if reason and is_sequence and reason != "stop_sequence":
        expected = f"no stop sequence with the reason {reason}"
        yield reading.violation(expected, show(sequence), last, place)


def cache_tokens_add_up(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that the tokens written to caches by their lifetime add up to the count of all.

    They are not part of the input tokens here, as cached tokens are elsewhere [DOC]. After searches
    of the service's own, lifetimes count the last of its steps only [FIELD].
    """
    for part in _answers(reading):
        for pointer in ("/usage", "/message/usage"):
            total = resolve(part.value, f"{pointer}/cache_creation_input_tokens")
            found = [n for _, n in query(part.value, f"{pointer}/cache_creation/[]")]
            by_time = [resolve(part.value, f"{pointer}/cache_creation/{name}") for name in _TIMES]
            counts = [count for count in (*found, *by_time) if type(count) is int]
            searched = resolve(part.value, f"{pointer}/server_tool_use/web_search_requests")
            if type(total) is not int or not counts or (searched and sum(counts) < total):
                continue
            if sum(counts) != total:
                yield reading.violation(
                    f"{sum(counts)} tokens, by their lifetimes",
                    total,
                    part,
                    f"{pointer}/cache_creation_input_tokens",
                )


def container_is_kept(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that a message runs code in the container that its request names.

    Files of earlier messages are in that one [DOC code-execution-tool]. A request names it by its
    id, or as `container.id` beside its skills.
    """
    request = reading.request_json.value
    named = resolve(request, "/container/id") or resolve(request, "/container")
    for part in _answers(reading) if isinstance(named, str) else ():
        for pointer in ("/container/id", "/message/container/id", "/delta/container/id"):
            actual = resolve(part.value, pointer)
            if isinstance(actual, str) and actual != named:
                yield reading.violation(f"the container {show(named)}", show(actual), part, pointer)


def server_tools_are_complete(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that the service's own tools have an input in JSON, and results the ids of their calls.

    A result before any call is that of an earlier answer, which paused [DOC server tools]. An
    answer that ended at its limit of tokens may have a cut input.
    """
    called: set[str] = set()
    for part in _answers(reading):
        for pointer, block in _blocks(part):
            result = resolve(block, "/tool_use_id")
            if called and isinstance(result, str) and result not in called:
                expected = "the id of a call before it"
                yield reading.violation(expected, show(result), part, f"{pointer}/tool_use_id")
            if resolve(block, "/type") in _RUN:
                called.add(str(resolve(block, "/id")))
    if isinstance(reading.outcome, Reply) and reading.outcome.finish_reason in _DONE:
        for part, text in _inputs(reading):
            problem = read_json(text.encode("utf-8", "replace")).problem if text else ""
            if problem:
                yield reading.violation("an input in JSON", f"{problem} in {show(text)}", part)


def _blocks(part: Part) -> Iterator[tuple[str, Json]]:
    """Yield (JSON pointer, block) of each block in a whole message or the start of one."""
    for pattern in ("/content/[]", "/content_block"):
        yield from query(part.value, pattern)


def _inputs(reading: AnalyzedExchange) -> Iterator[tuple[Part, str]]:
    """Yield (event, text) at the end of each input of a tool that the service runs."""
    inputs: dict[str, str] = {}
    for part in _events(reading):
        index, piece = (
            str(resolve(part.value, "/index")),
            resolve(part.value, "/delta/partial_json"),
        )
        if resolve(part.value, "/content_block/type") in _RUN:
            inputs[index] = ""
        elif index in inputs and isinstance(piece, str):
            inputs[index] += piece
        elif index in inputs and resolve(part.value, "/type") == "content_block_stop":
            yield part, inputs.pop(index)


_RUN = ("server_tool_use", "mcp_tool_use")
_DONE = ("end_turn", "tool_use", "stop_sequence", "pause_turn")
"""The stop reasons of answers that no limit cut off."""


_TIMES = ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")


def thinking_is_signed(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that the signature of a thinking block comes once, as the last of its deltas.

    A request sends it back with the thinking, unchanged [DOC]; a part of it is refused.
    """
    signed: set[str] = set()
    for part in _events(reading):
        index, delta = str(resolve(part.value, "/index")), resolve(part.value, "/delta/type")
        if resolve(part.value, "/type") == "content_block_start":
            signed.discard(index)
        elif index in signed and delta in ("thinking_delta", "signature_delta"):
            expected = "nothing after the signature of the thinking"
            yield reading.violation(expected, show(delta), part, "/delta/type")
        elif delta == "signature_delta":
            signed.add(index)


def thinking_goes_back_unchanged(analyzed: AnalyzedTranscript) -> Iterator[Finding]:
    """Check that a request repeats a thinking block with its signature unchanged.

    The service refuses thinking that its signature does not fit, and, where thinking is `enabled`,
    a tool's result without the thinking before its call [DOC].
    """
    sent: dict[str, str] = {}
    thought: set[str] = set()
    for reading in analyzed.readings:
        if reading.endpoint is None or reading.endpoint.read is not read:
            continue
        yield from _calls_without_thinking(reading, thought)
        for pointer, block in query(reading.request_json.value, "/messages/[]/content/[]"):
            signature, text = resolve(block, "/signature"), resolve(block, "/thinking")
            expected = sent.get(signature) if isinstance(signature, str) else None
            if expected is not None and text != expected:
                place = reading.request_place(f"{pointer}/thinking")
                yield violation(f"the earlier thinking {show(expected)}", show(text), place)
        sent.update(_signed(reading))
        if isinstance(reading.outcome, Reply) and reading.outcome.signature:
            thought.update(call.id for call in reading.outcome.tool_calls)


def _calls_without_thinking(reading: AnalyzedExchange, thought: set[str]) -> Iterator[Finding]:
    """Yield a violation if the last calls of a request lack the thinking that they came with."""
    request = reading.request_json.value
    messages = list(query(request, "/messages/[]"))[-2:]
    if resolve(request, "/thinking/type") != "enabled" or len(messages) < 2:
        return
    (pointer, calling), (_, answering) = messages
    results = {str(found) for _, found in query(answering, "/content/[]/tool_use_id")}
    blocks = [block for _, block in query(calling, "/content/[]")]
    calls = {str(resolve(block, "/id")) for block in blocks} & results & thought
    has_thinking = any("thinking" in str(resolve(block, "/type")) for block in blocks)
    if calls and not has_thinking:
        place = reading.request_place(f"{pointer}/content")
        yield violation("the thinking before the call of the tool", "none", place)


def _signed(reading: AnalyzedExchange) -> Iterator[tuple[str, str]]:
    """Yield (signature, text) of each thinking block in an answer."""
    texts: dict[Json, str] = {}
    for part in reading.answers:
        for _, block in query(part.value, "/content/[]"):
            signature, text = resolve(block, "/signature"), resolve(block, "/thinking")
            if isinstance(signature, str) and signature and isinstance(text, str):
                yield signature, text
        index = str(resolve(part.value, "/index"))
        piece = resolve(part.value, "/delta/thinking")
        if resolve(part.value, "/type") == "content_block_start":
            texts[index] = ""
        if isinstance(piece, str):
            texts[index] = texts.get(index, "") + piece
        signature = resolve(part.value, "/delta/signature")
        if isinstance(signature, str) and signature and texts.get(index):
            yield signature, texts[index]


RULES: tuple[Rule, ...] = (
    stream_rule(message_events_are_in_order, "C7"),
    stream_rule(event_names_are_types, "C7 C8"),
    exchange_rule(stop_reason_fits_blocks, "C7"),
    exchange_rule(cache_tokens_add_up, "C7", WARNING),
    exchange_rule(container_is_kept, "C7", WARNING),
    exchange_rule(server_tools_are_complete, "C7"),
    exchange_rule(thinking_is_signed, "C7", WARNING),
    conversation_rule(thinking_goes_back_unchanged, "C7"),
)
