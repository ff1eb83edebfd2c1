"""Breaking what was asked, what an SDK shows of the answer, and what of a recording is played."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from harness.analysis.endpoint import Role
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.reply import is_refusal
from harness.analysis.transcript import AnalyzedTranscript, AnalyzedTurn
from harness.faults.breaks.edit import reply_of
from harness.rules.rule import question, wants_stream
from harness.rules.sdk import shown
from harness.types import (
    AccessFailure,
    Call,
    CallKind,
    Failure,
    LooseJson,
    Mode,
    Reply,
    Transcript,
    Turn,
    Usage,
)
from harness.wire import MISSING, resolve


def _call(told: AnalyzedTurn) -> tuple[Call, AnalyzedExchange] | None:
    asked = question(told)
    if told.turn.call is None or asked is None or not isinstance(asked.request_json.value, dict):
        return None
    return told.turn.call, asked


def _with_call(told: AnalyzedTurn, change: Callable[[Call], Call]) -> Turn | None:
    found = _call(told)
    return replace(told.turn, call=change(found[0])) if found else None


def another_model_was_named(told: AnalyzedTurn) -> Turn | None:
    """The scenario names another model than the request."""
    return _with_call(told, lambda call: replace(call, model=f"{call.model}-x"))


def model_was_dropped(told: AnalyzedTurn) -> Turn | None:
    """The scenario names no model, and the request does."""
    return _with_call(told, lambda call: replace(call, model=""))


def question_was_changed(told: AnalyzedTurn) -> Turn | None:
    """The last thing that was said is not what is sent."""

    def changed(call: Call) -> Call:
        if not call.messages:
            return replace(call, prompt=f"{call.prompt}?!")
        last = replace(call.messages[-1], content=f"{call.messages[-1].content}?!")
        return replace(call, messages=(*call.messages[:-1], last))

    return _with_call(told, changed) if _sends_words(told) else None


def message_was_lost(told: AnalyzedTurn) -> Turn | None:
    """One more message was said than is sent."""
    found = _call(told)
    if found is None or not found[0].messages or found[0].kind is not CallKind.CHAT:
        return None
    return _with_call(told, lambda c: replace(c, messages=(*c.messages, c.messages[-1])))


def _sends_words(told: AnalyzedTurn) -> bool:
    found = _call(told)
    if found is None:
        return False
    call, asked = found
    pointers = asked.endpoint.fields.prompt if asked.endpoint else ()
    prompt = any(resolve(asked.request_json.value, pointer) is not MISSING for pointer in pointers)
    return bool(call.messages) if call.kind is CallKind.CHAT else prompt


def parameter_was_lost(told: AnalyzedTurn) -> Turn | None:
    """A parameter was given that is not sent."""
    return _with_call(told, lambda c: replace(c, parameters={**c.parameters, "zeta": 0.5}))


def parameter_was_changed(told: AnalyzedTurn) -> Turn | None:
    """A parameter is sent with another value than was given."""
    found = _call(told)
    given = found[0].parameters if found else {}
    name = next((n for n, v in given.items() if isinstance(v, str | int) and v), "")
    other: LooseJson = "another" if isinstance(given.get(name), str) else 123
    return (
        _with_call(told, lambda c: replace(c, parameters={**given, name: other})) if name else None
    )


def _delivered(told: AnalyzedTurn, mode: Mode) -> Turn | None:
    found = _call(told)
    if found is None or found[0].mode is mode or found[1].endpoint is None:
        return None
    own = Mode.STREAM if wants_stream(found[1]) else Mode.SYNC
    own = Mode.ASYNC if found[1].endpoint.role is Role.SUBMIT else own
    return _with_call(told, lambda call: replace(call, mode=mode)) if own is not mode else None


def stream_was_wanted(told: AnalyzedTurn) -> Turn | None:
    """A stream was wanted, and the request does not say so."""
    return _delivered(told, Mode.STREAM)


def task_was_wanted(told: AnalyzedTurn) -> Turn | None:
    """A task was wanted, and the request submits none."""
    return _delivered(told, Mode.ASYNC)


# ------------------------------------------------------------------------------ what it shows


def _with_reply(told: AnalyzedTurn, change: Callable[[Reply], Reply]) -> Turn | None:
    reply = reply_of(told)
    return replace(told.turn, outcome=change(reply)) if reply else None


def _paired(told: AnalyzedTurn) -> Reply | None:
    """The reply, if what it shows can be paired with what travelled."""
    reply = reply_of(told)
    return reply if reply and reply.views and shown(told, reply) else None


def field_is_added(told: AnalyzedTurn) -> Turn | None:
    """The SDK shows a field that did not travel."""
    reply = _paired(told)
    if reply is None or not isinstance(reply.views[-1].value, dict):
        return None
    last = replace(reply.views[-1], value={**reply.views[-1].value, "retries": 3})
    return replace(told.turn, outcome=replace(reply, views=(*reply.views[:-1], last)))


def view_is_lost(told: AnalyzedTurn) -> Turn | None:
    """The SDK shows one answer or event less than travelled."""
    reply = _paired(told)
    if reply is None or len(reply.views) < 2 or _any_refusal(told):
        return None
    return replace(told.turn, outcome=replace(reply, views=reply.views[:-1]))


def _any_refusal(told: AnalyzedTurn) -> bool:
    return any(
        not r.accepted or (r.endpoint and any(is_refusal(p, r.endpoint.fields) for p in r.parts))
        for r in told.readings
    )


def field_is_lost(told: AnalyzedTurn) -> Turn | None:
    """The SDK does not show a field that travelled."""
    reply = _paired(told)
    value = reply.views[-1].value if reply else None
    if reply is None or not isinstance(value, dict):
        return None
    name = next((n for n, v in value.items() if v not in (None, "", [], {})), None)
    if name is None:
        return None
    last = replace(reply.views[-1], value={n: v for n, v in value.items() if n != name})
    return replace(told.turn, outcome=replace(reply, views=(*reply.views[:-1], last)))


def _with_access(told: AnalyzedTurn, value: LooseJson) -> Turn | None:
    reply = _paired(told)
    pairs = shown(told, reply) if reply else None
    held = pairs[-1][1].value if pairs else None
    if reply is None or not isinstance(held, dict):
        return None
    name = next((n for n, v in held.items() if n.isidentifier() and v is not None), None)
    if name is None:
        return None
    last = replace(reply.views[-1], accessed={name: value})
    return replace(told.turn, outcome=replace(reply, views=(*reply.views[:-1], last)))


def path_leads_elsewhere(told: AnalyzedTurn) -> Turn | None:
    """A documented path of access leads to another value."""
    return _with_access(told, "\u2603")


def path_cannot_be_walked(told: AnalyzedTurn) -> Turn | None:
    """A documented path of access raises."""
    return _with_access(told, AccessFailure("AttributeError: no such attribute"))


def text_is_another(told: AnalyzedTurn) -> Turn | None:
    """The SDK's text is not the one that travelled."""
    return _with_reply(told, lambda reply: replace(reply, content=f"{reply.content}?!"))


def finish_reason_is_another(told: AnalyzedTurn) -> Turn | None:
    """The SDK tells another finish reason."""
    return _with_reply(told, lambda reply: replace(reply, finish_reason="no_such_reason"))


def usage_is_another(told: AnalyzedTurn) -> Turn | None:
    """The SDK counts other tokens."""
    return _with_reply(told, lambda reply: replace(reply, usage=Usage(-1, -1, -2)))


def refusal_looks_like_an_answer(told: AnalyzedTurn) -> Turn | None:
    """What was refused is shown as an answer."""
    if not isinstance(told.outcome, Failure) or not isinstance(told.turn.outcome, Failure):
        return None
    return replace(told.turn, outcome=Reply(content=""))


def answer_looks_like_a_refusal(told: AnalyzedTurn) -> Turn | None:
    """What was answered is shown as a refusal."""
    if reply_of(told) is None:
        return None
    return replace(told.turn, outcome=Failure(500, "no_such_code", "?"))


def refusal_has_another_code(told: AnalyzedTurn) -> Turn | None:
    """A refusal is shown with another code than it had."""
    wire, outcome = told.outcome, told.turn.outcome
    if not isinstance(wire, Failure) or not isinstance(outcome, Failure):
        return None
    return replace(told.turn, outcome=replace(outcome, code="no_such_code"))


def piece_is_lost(told: AnalyzedTurn) -> Turn | None:
    """The last piece that an SDK streamed is lost."""
    reply = reply_of(told)
    said = [n for n, piece in enumerate(reply.pieces) if piece] if reply else []
    if reply is None or not said or (reply.cumulative and len(set(reply.pieces)) < 2):
        return None
    last = said[-1]
    kept = (*reply.pieces[:last], *reply.pieces[last + 1 :])
    if reply.cumulative:
        kept = (*reply.pieces[:last], reply.pieces[last][:-1])
    return replace(told.turn, outcome=replace(reply, pieces=kept)) if kept else None


def piece_comes_twice(told: AnalyzedTurn) -> Turn | None:
    """A piece that an SDK streamed comes twice."""
    reply = reply_of(told)
    said = [piece for piece in reply.pieces if piece] if reply else []
    if reply is None or not said or reply.cumulative:
        return None
    return replace(told.turn, outcome=replace(reply, pieces=(said[0], *reply.pieces)))


def exchange_is_left_over(read: AnalyzedTranscript) -> Transcript | None:
    """A replay did not ask for the last exchange."""
    last = [reading.exchange for reading in read.readings][-1:]
    return replace(read.transcript, unused=tuple(last)) if last else None


def first_exchange_is_left_over(read: AnalyzedTranscript) -> Transcript | None:
    """A replay did not ask for the first exchange."""
    told = [reading.exchange for reading in read.readings][:1]
    return replace(read.transcript, unused=tuple(told)) if told else None
