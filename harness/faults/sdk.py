"""Faults in what an SDK sent and shows, in what its author expected, and in what was replayed."""

from __future__ import annotations

from dataclasses import replace

from harness.analysis.endpoint import Role
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.fault import faults_of, transcript_fault, turn_fault
from harness.analysis.reply import is_refusal
from harness.analysis.transcript import AnalyzedTranscript, AnalyzedTurn
from harness.rules.rule import turn_request, wants_stream
from harness.rules.sdk import shown
from harness.types import (
    AccessFailure,
    CallKind,
    Expectation,
    Failure,
    Json,
    Mode,
    Reply,
    Transcript,
    Turn,
    Usage,
    View,
)
from harness.wire import MISSING, resolve

_UNSAID = "\u2603\u2603"

# --------------------------------------------------------------- what the scenario asked for


def _request(turn: AnalyzedTurn) -> AnalyzedExchange | None:
    """Return the request of a turn with a call, if it sends a JSON object."""
    request = turn_request(turn) if turn.turn.call else None
    return request if request and isinstance(request.request_json.value, dict) else None


def _with_call(turn: AnalyzedTurn, **changes: object) -> Turn | None:
    """Change fields of the turn's call."""
    if turn.turn.call is None or _request(turn) is None:
        return None
    return replace(turn.turn, call=replace(turn.turn.call, **changes))  # type: ignore[arg-type]


@turn_fault("model_travels", "{}-x", "")
def other_model_called(turn: AnalyzedTurn, model: str) -> Turn | None:
    """Name another model in the scenario than in the request, or none."""
    return _with_call(turn, model=model.format(turn.turn.call.model if turn.turn.call else ""))


@turn_fault("conversation_travels")
def last_message_changed(turn: AnalyzedTurn) -> Turn | None:
    """Change the last message, or the prompt, in the scenario."""
    call, request = turn.turn.call, _request(turn)
    if call is None or request is None:
        return None
    if call.messages:
        last = replace(call.messages[-1], content=f"{call.messages[-1].content}?!")
        return _with_call(turn, messages=(*call.messages[:-1], last))
    places = request.endpoint.fields.prompt if request.endpoint else ()
    sent = any(resolve(request.request_json.value, place) is not MISSING for place in places)
    return _with_call(turn, prompt=f"{call.prompt}?!") if sent else None


@turn_fault("conversation_travels")
def message_repeated(turn: AnalyzedTurn) -> Turn | None:
    """Repeat the last message in the scenario."""
    call = turn.turn.call
    if call is None or not call.messages or call.kind is not CallKind.CHAT:
        return None
    return _with_call(turn, messages=(*call.messages, call.messages[-1]))


@turn_fault("parameters_travel", "add", "change")
def parameter_differs(turn: AnalyzedTurn, how: str) -> Turn | None:
    """Add a parameter to the scenario that is not sent, or change the value of one."""
    given = turn.turn.call.parameters if turn.turn.call else {}
    if how == "add":
        return _with_call(turn, parameters={**given, "zeta": 0.5})
    name = next((n for n, v in given.items() if isinstance(v, str | int) and v), None)
    other: Json = "another" if isinstance(given.get(name or ""), str) else 123
    return _with_call(turn, parameters={**given, name: other}) if name else None


@turn_fault("delivery_travels", Mode.STREAM, Mode.ASYNC)
def other_mode_called(turn: AnalyzedTurn, mode: Mode) -> Turn | None:
    """Ask for a stream, or for a task, in the scenario although the request does not."""
    request = _request(turn)
    if request is None or request.endpoint is None:
        return None
    own = Mode.STREAM if wants_stream(request) else Mode.SYNC
    own = Mode.ASYNC if request.endpoint.role is Role.SUBMIT else own
    return _with_call(turn, mode=mode) if own is not mode else None


# ------------------------------------------------------------------------------ what it shows


def _reply(turn: AnalyzedTurn) -> Reply | None:
    """Return what an SDK shows of a turn that was answered."""
    reply = turn.turn.outcome if isinstance(turn.outcome, Reply) else None
    return reply if isinstance(reply, Reply) else None


def _failure(turn: AnalyzedTurn) -> Failure | None:
    """Return what an SDK shows of a turn that was refused."""
    failure = turn.turn.outcome if isinstance(turn.outcome, Failure) else None
    return failure if isinstance(failure, Failure) else None


def _with_reply(turn: AnalyzedTurn, **changes: object) -> Turn | None:
    """Change fields of what an SDK shows."""
    reply = _reply(turn)
    if reply is None:
        return None
    return replace(turn.turn, outcome=replace(reply, **changes))  # type: ignore[arg-type]


def _views(turn: AnalyzedTurn) -> tuple[View, ...]:
    """Return the objects of an SDK that can be paired with what travelled."""
    reply = _reply(turn)
    return reply.views if reply and reply.views and shown(turn, reply) else ()


@turn_fault("sdk_agrees_with_wire", "add", "remove")
def view_differs(turn: AnalyzedTurn, how: str) -> Turn | None:
    """Show a member that did not travel, or hide one that did."""
    views = _views(turn)
    members = views[-1].value if views else None
    if not isinstance(members, dict):
        return None
    hidden = next((n for n, v in members.items() if v not in (None, "", [], {})), None)
    value = {n: v for n, v in members.items() if n != hidden}
    changed = {**members, "retries": 3} if how == "add" else value
    return _with_reply(turn, views=(*views[:-1], replace(views[-1], value=changed)))


@turn_fault("sdk_agrees_with_wire")
def view_missing(turn: AnalyzedTurn) -> Turn | None:
    """Show one document or event less than travelled."""
    views = _views(turn)
    refused = any(
        not r.accepted or (r.endpoint and any(is_refusal(p, r.endpoint.fields) for p in r.parts))
        for r in turn.readings
    )
    return _with_reply(turn, views=views[:-1]) if len(views) > 1 and not refused else None


@turn_fault("access_paths_work", "\u2603", AccessFailure("AttributeError: no such attribute"))
def access_path_differs(turn: AnalyzedTurn, value: object) -> Turn | None:
    """Let a documented path of access lead to another value, or raise."""
    views, reply = _views(turn), _reply(turn)
    pairs = shown(turn, reply) if views and reply else None
    members = pairs[-1][1].value if pairs else None
    names = members if isinstance(members, dict) else {}
    name = next((n for n, v in names.items() if n.isidentifier() and v is not None), None)
    last = replace(views[-1], accessed={name: value}) if name else None
    return _with_reply(turn, views=(*views[:-1], last)) if last else None


@turn_fault(
    "reply_agrees_with_wire",
    {"content": _UNSAID},
    {"finish_reason": "no_such_reason"},
    {"usage": Usage(-1, -1, -2)},
)
def reply_differs(turn: AnalyzedTurn, changes: dict[str, object]) -> Turn | None:
    """Show another text, finish reason or usage than travelled."""
    return _with_reply(turn, **changes)


@turn_fault("failure_agrees_with_wire")
def refusal_shown_as_answer(turn: AnalyzedTurn) -> Turn | None:
    """Show a refusal as an answer."""
    return replace(turn.turn, outcome=Reply(content="")) if _failure(turn) else None


@turn_fault("failure_agrees_with_wire")
def answer_shown_as_refusal(turn: AnalyzedTurn) -> Turn | None:
    """Show an answer as a refusal."""
    return replace(turn.turn, outcome=Failure(500, "no_such_code", "?")) if _reply(turn) else None


@turn_fault("failure_agrees_with_wire")
def refusal_with_another_code(turn: AnalyzedTurn) -> Turn | None:
    """Show a refusal with another code than it had."""
    failure = _failure(turn)
    return replace(turn.turn, outcome=replace(failure, code="no_such_code")) if failure else None


@turn_fault("pieces_join_to_content")
def piece_missing(turn: AnalyzedTurn) -> Turn | None:
    """Remove the last piece that an SDK streamed."""
    reply = _reply(turn)
    texts = [n for n, piece in enumerate(reply.pieces) if piece] if reply else []
    if reply is None or not texts or (reply.cumulative and len(set(reply.pieces)) < 2):
        return None
    before, last, after = reply.pieces[: texts[-1]], reply.pieces[texts[-1]], texts[-1] + 1
    kept = (*before, last[:-1]) if reply.cumulative else (*before, *reply.pieces[after:])
    return _with_reply(turn, pieces=kept) if kept else None


@turn_fault("pieces_join_to_content")
def piece_repeated(turn: AnalyzedTurn) -> Turn | None:
    """Repeat a piece that an SDK streamed."""
    reply = _reply(turn)
    texts = [piece for piece in reply.pieces if piece] if reply else []
    if reply is None or not texts or reply.cumulative:
        return None
    return _with_reply(turn, pieces=(texts[0], *reply.pieces))


# ------------------------------------------------------------------- what the author expects


def _expecting(turn: AnalyzedTurn, expect: Expectation) -> Turn | None:
    return replace(turn.turn, expect=expect) if _reply(turn) else None


@turn_fault("expected_finish_reason", "no_such_reason", "")
def other_finish_reason_expected(turn: AnalyzedTurn, reason: str) -> Turn | None:
    """Expect another finish reason, or the same one in capitals."""
    reply = _reply(turn)
    own = (reply.finish_reason or "") if reply else ""
    if own == own.upper() and not reason:
        return None
    return _expecting(turn, Expectation(finish_reason=reason or own.upper()))


@turn_fault("expected_words", 0, 4)
def other_words_expected(turn: AnalyzedTurn, count: int) -> Turn | None:
    """Expect words that were not said, or words of which one half was said."""
    reply = _reply(turn)
    texts = (reply.content or "")[:count] if reply else ""
    if count and not texts:
        return None
    return _expecting(turn, Expectation(contains=(texts, _UNSAID)))


@turn_fault("expected_json")
def json_expected(turn: AnalyzedTurn) -> Turn | None:
    """Expect a JSON object with a member that no answer has."""
    schema: dict[str, Json] = {"type": "object", "required": ["no such key"]}
    return _expecting(turn, Expectation(json_schema=schema))


@turn_fault("expected_json")
def other_json_type_expected(turn: AnalyzedTurn) -> Turn | None:
    """Expect an array where the answer is a JSON object."""
    changed = _with_reply(turn, content='{"a": []}')
    expect = Expectation(json_schema={"type": "array"})
    return replace(changed, expect=expect) if changed else None


@turn_fault("expected_pointers", ("/no such place",), ("", "/no such place"))
def other_pointers_expected(turn: AnalyzedTurn, pointers: tuple[str, ...]) -> Turn | None:
    """Expect something at a pointer, or at two of them, where nothing is."""
    return _expecting(turn, Expectation(pointers=pointers))


@turn_fault("expected_tool_call", "no_such_function", "")
def other_call_expected(turn: AnalyzedTurn, name: str) -> Turn | None:
    """Expect a tool call that was not made, or one by the beginning of its name."""
    reply = _reply(turn)
    names = [call.name for call in reply.tool_calls] if reply else []
    expected = name or (names[0][:-1] if names else "")
    if not expected or expected in names:
        return None
    return _expecting(turn, Expectation(tool_call=expected))


@turn_fault("expected_failure")
def refusal_expected(turn: AnalyzedTurn) -> Turn | None:
    """Expect a refusal although an answer came."""
    return _expecting(turn, Expectation(failure="no_such_code"))


@turn_fault("expected_failure")
def answer_expected(turn: AnalyzedTurn) -> Turn | None:
    """Expect an answer although a refusal came."""
    refused = isinstance(turn.turn.outcome, Failure) and turn.turn.outcome.code
    return replace(turn.turn, expect=Expectation()) if refused else None


# ------------------------------------------------------------------------- what was replayed


@transcript_fault("everything_was_played", slice(-1, None), slice(1))
def exchange_unused(read: AnalyzedTranscript, unused: slice) -> Transcript | None:
    """Leave the last, or the first, exchange unused in a replay."""
    exchanges = tuple(analyzed.exchange for analyzed in read.readings[unused])
    return replace(read.transcript, unused=exchanges)


FAULTS = faults_of(vars())
