"""Faults in a turn's call, SDK outcome and expectation, and in which exchanges were replayed."""

from __future__ import annotations

from dataclasses import replace

from harness.analysis.endpoint import Role
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.fault import faults_of, transcript_fault, turn_fault
from harness.analysis.reply import is_refusal
from harness.analysis.transcript import AnalyzedTranscript, AnalyzedTurn
from harness.rules.rule import wants_stream
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
from harness.wire import MISSING, as_object, resolve

_UNSAID = "\u2603\u2603"

# --------------------------------------------------------------- what the scenario asked for


def _request(turn: AnalyzedTurn) -> AnalyzedExchange | None:
    """Return the request of a turn that has a call.

    Returns None if there is no call, or if the request has no JSON object.
    """
    request = turn.request if turn.turn.call else None
    return request if request and isinstance(request.request_json.value, dict) else None


def _with_call(turn: AnalyzedTurn, **changes: object) -> Turn | None:
    """Return the turn with fields of its call replaced.

    Returns None if it has no call, or if its request has no JSON object.
    """
    if turn.turn.call is None or _request(turn) is None:
        return None
    return replace(turn.turn, call=replace(turn.turn.call, **changes))  # type: ignore[arg-type]


@turn_fault("model_travels", "{}-x", "")
def other_model_called(turn: AnalyzedTurn, model: str) -> Turn | None:
    """Change the model in the scenario's call, or empty it, so that the request has another.

    Returns None if the turn has no call with a JSON object. *model* is the new model, in which `{}`
    stands for the present one.
    """
    return _with_call(turn, model=model.format(turn.turn.call.model if turn.turn.call else ""))


@turn_fault("conversation_travels")
def last_message_changed(turn: AnalyzedTurn) -> Turn | None:
    """Change the last message, or the prompt, in the scenario's call.

    Returns None if the call has neither messages nor a prompt that the request sends.
    """
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
    """Repeat the last message in the scenario's call.

    Returns None if the call is not a chat with messages.
    """
    call = turn.turn.call
    if call is None or not call.messages or call.kind is not CallKind.CHAT:
        return None
    return _with_call(turn, messages=(*call.messages, call.messages[-1]))


@turn_fault("parameters_travel", "add", "change")
def parameter_differs(turn: AnalyzedTurn, how: str) -> Turn | None:
    """Add an unsent parameter to the scenario's call, or change the value of a parameter.

    *how* is `add` or `change`. Returns None if there is no call with a JSON object, or no parameter
    to change.
    """
    given = turn.turn.call.parameters if turn.turn.call else {}
    if how == "add":
        return _with_call(turn, parameters={**given, "zeta": 0.5})
    name = next((n for n, v in given.items() if isinstance(v, str | int) and v), None)
    other: Json = "another" if isinstance(given.get(name or ""), str) else 123
    return _with_call(turn, parameters={**given, name: other}) if name else None


@turn_fault("delivery_travels", Mode.STREAM, Mode.ASYNC)
def other_mode_called(turn: AnalyzedTurn, mode: Mode) -> Turn | None:
    """Set the mode of the scenario's call to stream or task, though the request has another.

    *mode* is the new mode of the call. Returns None if the request has this mode, or if the turn
    has no call with a JSON object.
    """
    request = _request(turn)
    if request is None or request.endpoint is None:
        return None
    own = Mode.STREAM if wants_stream(request) else Mode.SYNC
    own = Mode.ASYNC if request.endpoint.role is Role.SUBMIT else own
    return _with_call(turn, mode=mode) if own is not mode else None


# ------------------------------------------------------------------------------ what it shows


def _reply(turn: AnalyzedTurn) -> Reply | None:
    """Return the reply that an SDK shows of an answered turn.

    Returns None if the turn was not answered, or the SDK shows no reply.
    """
    shown = turn.turn.outcome
    return shown if isinstance(shown, Reply) and isinstance(turn.outcome, Reply) else None


def _failure(turn: AnalyzedTurn) -> Failure | None:
    """Return the failure that an SDK shows of a refused turn.

    Returns None if the turn was not refused, or the SDK shows no failure.
    """
    shown = turn.turn.outcome
    return shown if isinstance(shown, Failure) and isinstance(turn.outcome, Failure) else None


def _with_reply(turn: AnalyzedTurn, **changes: object) -> Turn | None:
    """Return the turn with fields of the SDK's reply replaced.

    Returns None if the turn has no such reply.
    """
    reply = _reply(turn)
    if reply is None:
        return None
    return replace(turn.turn, outcome=replace(reply, **changes))  # type: ignore[arg-type]


def _views(turn: AnalyzedTurn) -> tuple[View, ...]:
    """Return the SDK's objects, if they can be paired with the response's documents or events.

    Empty if there are none or they cannot be paired.
    """
    reply = _reply(turn)
    return reply.views if reply and reply.views and shown(turn, reply) else ()


@turn_fault("sdk_agrees_with_wire", "add", "remove")
def view_differs(turn: AnalyzedTurn, how: str) -> Turn | None:
    """Add an unreceived member to the last SDK object, or remove a received one.

    Returns None if there is no SDK object with members. *how* is `add` or `remove`.
    """
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
    """Remove the last of several SDK objects, though its document or event was received.

    Returns None if there are not several SDK objects, or if the response has a refusal.
    """
    views = _views(turn)
    refused = any(
        not r.accepted or (r.endpoint and any(is_refusal(p, r.endpoint.fields) for p in r.parts))
        for r in turn.readings
    )
    return _with_reply(turn, views=views[:-1]) if len(views) > 1 and not refused else None


@turn_fault("access_paths_work", "\u2603", AccessFailure("AttributeError: no such attribute"))
def access_path_differs(turn: AnalyzedTurn, value: object) -> Turn | None:
    """Replace the value at a documented access path of an SDK object by another, or by an error.

    Such a path is an attribute of the object, as users read it. *value* is the new value, or an
    `AccessFailure`. Returns None if there is no SDK object with members.
    """
    views, reply = _views(turn), _reply(turn)
    pairs = shown(turn, reply) if views and reply else None
    names = as_object(pairs[-1][1].value if pairs else None)
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
    """Replace the text, finish reason or usage in the SDK's reply by a value that was not received.

    Returns None if the SDK shows no reply. *changes* are the new values of the reply, by attribute.
    """
    return _with_reply(turn, **changes)


@turn_fault("failure_agrees_with_wire")
def refusal_shown_as_answer(turn: AnalyzedTurn) -> Turn | None:
    """Replace the failure that the SDK shows by an empty reply, though it received a refusal.

    Returns None if the SDK shows no failure.
    """
    return replace(turn.turn, outcome=Reply(content="")) if _failure(turn) else None


@turn_fault("failure_agrees_with_wire")
def answer_shown_as_refusal(turn: AnalyzedTurn) -> Turn | None:
    """Replace the reply that the SDK shows by a failure, though it received an answer.

    Returns None if the SDK shows no reply.
    """
    return replace(turn.turn, outcome=Failure(500, "no_such_code", "?")) if _reply(turn) else None


@turn_fault("failure_agrees_with_wire")
def refusal_with_another_code(turn: AnalyzedTurn) -> Turn | None:
    """Replace the error code in the failure that the SDK shows by one that the SDK did not receive.

    Returns None if the SDK shows no failure.
    """
    failure = _failure(turn)
    return replace(turn.turn, outcome=replace(failure, code="no_such_code")) if failure else None


@turn_fault("pieces_join_to_content")
def piece_missing(turn: AnalyzedTurn) -> Turn | None:
    """Remove the last piece of text that the SDK streamed; if cumulative, its last character.

    Returns None if there are no pieces to remove from.
    """
    reply = _reply(turn)
    texts = [n for n, piece in enumerate(reply.pieces) if piece] if reply else []
    if reply is None or not texts or (reply.cumulative and len(set(reply.pieces)) < 2):
        return None
    before, last, after = reply.pieces[: texts[-1]], reply.pieces[texts[-1]], texts[-1] + 1
    kept = (*before, last[:-1]) if reply.cumulative else (*before, *reply.pieces[after:])
    return _with_reply(turn, pieces=kept) if kept else None


@turn_fault("pieces_join_to_content")
def piece_repeated(turn: AnalyzedTurn) -> Turn | None:
    """Repeat the first piece of text that the SDK streamed.

    Returns None if there are no pieces, or if they are cumulative.
    """
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
    """Set the expected finish reason to another one, or to the actual one in capitals.

    Returns None if the turn has no reply, or if its finish reason is in capitals already. *reason*
    is the expected one; empty for the actual one in capitals.
    """
    reply = _reply(turn)
    own = (reply.finish_reason or "") if reply else ""
    if own == own.upper() and not reason:
        return None
    return _expecting(turn, Expectation(finish_reason=reason or own.upper()))


@turn_fault("expected_words", 0, 4)
def other_words_expected(turn: AnalyzedTurn, count: int) -> Turn | None:
    """Set the expected words to one that the answer lacks, alone or after some that it has.

    *count* is the number of characters at the start of the answer that are expected as well.
    Returns None if the turn has no reply, or if *count* is not 0 and the reply has no text.
    """
    reply = _reply(turn)
    texts = (reply.content or "")[:count] if reply else ""
    if count and not texts:
        return None
    return _expecting(turn, Expectation(contains=(texts, _UNSAID)))


@turn_fault("expected_json")
def json_expected(turn: AnalyzedTurn) -> Turn | None:
    """Set the expected JSON schema to one that no answer satisfies.

    Returns None if the turn has no reply.
    """
    schema: dict[str, Json] = {"type": "object", "required": ["no such key"]}
    return _expecting(turn, Expectation(json_schema=schema))


@turn_fault("expected_json")
def other_json_type_expected(turn: AnalyzedTurn) -> Turn | None:
    """Set the text of the reply to a JSON object, and the expected JSON schema to an array.

    Returns None if the turn has no reply.
    """
    changed = _with_reply(turn, content='{"a": []}')
    expect = Expectation(json_schema={"type": "array"})
    return replace(changed, expect=expect) if changed else None


@turn_fault("expected_pointers", ("/no such place",), ("", "/no such place"))
def other_pointers_expected(turn: AnalyzedTurn, pointers: tuple[str, ...]) -> Turn | None:
    """Set the expected pointers to one that leads nowhere, alone or after one that exists.

    Returns None if the turn has no reply. *pointers* are the expected JSON pointers.
    """
    return _expecting(turn, Expectation(pointers=pointers))


@turn_fault("expected_states")
def other_states_expected(turn: AnalyzedTurn) -> Turn | None:
    """Set the expected states of a task to one that no task has.

    Returns None if the turn has no reply.
    """
    return _expecting(turn, Expectation(states=("NO_SUCH_STATE",)))


@turn_fault("expected_tool_call", "no_such_function", "")
def other_call_expected(turn: AnalyzedTurn, name: str) -> Turn | None:
    """Set the expected tool call to an unknown name, or to the actual name cut by one letter.

    *name* is the expected name; if it is empty, that of the actual function without its last letter
    is expected. Returns None if the turn has no reply, if the expected function was called, or if
    *name* is empty and no function was called.
    """
    reply = _reply(turn)
    names = [call.name for call in reply.tool_calls] if reply else []
    expected = name or (names[0][:-1] if names else "")
    if not expected or expected in names:
        return None
    return _expecting(turn, Expectation(tool_call=expected))


@turn_fault("expected_failure")
def refusal_expected(turn: AnalyzedTurn) -> Turn | None:
    """Set the expectation to a refusal, though the turn was answered.

    Returns None if the turn has no reply.
    """
    return _expecting(turn, Expectation(failure="no_such_code"))


@turn_fault("expected_failure")
def answer_expected(turn: AnalyzedTurn) -> Turn | None:
    """Set the expectation to an answer, though the turn was refused.

    Returns None if the turn was not refused with a code.
    """
    refused = isinstance(turn.turn.outcome, Failure) and turn.turn.outcome.code
    return replace(turn.turn, expect=Expectation()) if refused else None


# ------------------------------------------------------------------------- what was replayed


@transcript_fault("everything_was_played", slice(-1, None), slice(1))
def exchange_unused(read: AnalyzedTranscript, unused: slice) -> Transcript | None:
    """List the last, or the first, exchange as one that the replay did not use.

    *unused* is the slice of the exchanges that are listed as unused.
    """
    exchanges = tuple(analyzed.exchange for analyzed in read.readings[unused])
    return replace(read.transcript, unused=exchanges)


FAULTS = faults_of(vars())
