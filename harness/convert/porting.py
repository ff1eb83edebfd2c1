"""Scenarios that send recorded requests to other targets, or continue recorded conversations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.cassette.safe_yaml import dump
from harness.cassette.store import Store, write_text
from harness.config.settings import load_models
from harness.convert.adopt import StepJson
from harness.convert.recorded_calls import RecordedCall
from harness.errors import HarnessError
from harness.providers import find_provider
from harness.providers.openai.session import message
from harness.providers.parameters import NAMES, form_of, translated
from harness.runner import replay
from harness.scenario.files import loads
from harness.scenario.messages import CONTENT_PARTS
from harness.scenario.references import BadReference, escaped, settled
from harness.scenario.schema_model import TargetForm
from harness.scenario.steps import Scenario
from harness.types import (
    Call,
    CallKind,
    Json,
    Message,
    Mode,
    Outcome,
    Reply,
    Target,
    Turn,
)
from harness.wire import as_list, objects_in, resolve

_MEMBERS = frozenset({"role", "content", "tool_calls", "tool_call_id"})
_MESSAGES = ("system", "instructions")
"""Parameters that `Endpoint.conversation` reads as messages."""

_TYPES = (
    frozenset(CONTENT_PARTS)
    | {"message", "function_call", "function_call_output", "tool_use"}
    | {*("tool_result", "input_text", "output_text", "image", "input_image", "document")}
)
"""The types of messages and of their parts that `Endpoint.conversation` translates."""


def ported(
    recorded: RecordedCall, name: str, parent: str, targets: Sequence[str], limit: int = 0
) -> tuple[Scenario, str, dict[str, list[str]]]:
    """Return a scenario that sends a recorded request to other targets, its text, and the losses.

    Args:
        recorded: The recorded request.
        name: The name of the scenario.
        parent: The recording and the turn of the request, as `<name>@<turn>`.
        targets: The targets, as `provider/model`.
        limit: The maximum number of output tokens of an answer, and of tokens of its thinking; 0
            for no maximum.

    Returns:
        The scenario, the text of its file and, by target, what the target has no counterpart for.

    Raises:
        HarnessError: A target is not valid.
    """
    lost: list[str] = []
    sent = recorded.parameters.items()
    parameters = {name: value for name, value in sent if name not in _MESSAGES}
    mode = Mode.STREAM if recorded.mode is Mode.STREAM else Mode.SYNC
    losses: dict[str, list[str]] = {}
    forms: list[Json] = []
    for target in targets:
        provider = find_provider(target.partition("/")[0])
        given, own = translated(parameters, recorded.provider, provider, mode)
        losses[target] = own
        if limit and recorded.kind in (CallKind.CHAT, CallKind.PROMPT):
            given = {**_limits(target, given, limit), **given}
        forms.append({"model": target, **({"parameters": escaped(given)} if given else {})})
    document: dict[str, Any] = {
        "name": name,
        "about": "A recorded request, for other targets.",
        "parent": parent,
        "targets": forms,
        **({"mode": mode.value} if mode is not Mode.SYNC else {}),
        "steps": [_call(recorded, lost)],
    }
    text = dump(document)
    return loads(text), text, {target: [*lost, *own] for target, own in losses.items()}


def _limits(target: str, given: Mapping[str, Json], limit: int) -> dict[str, Json]:
    """Return the parameters that limit an answer; thinking has its own limit with DashScope."""
    name, _, model = target.partition("/")
    form = form_of(find_provider(name))
    limits: dict[str, Json] = {NAMES[form]["max_tokens"]: limit} if form in NAMES else {}
    if "enable_thinking" in NAMES.get(form, {}).values():
        row = load_models(Path.cwd()).find("dashscope", model)
        by_default = row is not None and row.thinking in ("on", "always", "streamed")
        if given.get("enable_thinking", by_default):
            limits["thinking_budget"] = limit
    return limits


def _call(recorded: RecordedCall, lost: list[str]) -> StepJson:
    said = recorded.said
    if recorded.kind in (CallKind.IMAGE, CallKind.EMBEDDING):
        return {recorded.kind.value: said[0] if isinstance(said, list) else said}
    if recorded.kind is CallKind.PROMPT:
        return {"messages": [{"role": "user", "content": escaped(said)}]}
    conversation = recorded.endpoint.conversation
    own = as_list(said)
    lost += _untranslated(own)
    sent = [one for _, one in conversation(recorded.body)] if conversation else own
    return {"messages": escaped([*portable(sent, lost)])}


def _untranslated(messages: Sequence[Json]) -> Iterator[str]:
    """Yield the types of messages and parts that have no counterpart in other formats, once."""
    seen: set[str] = set()
    for item in messages:
        for value in (item, *as_list(resolve(item, "/content"))):
            kind = resolve(value, "/type")
            if isinstance(kind, str) and kind not in _TYPES | seen:
                seen.add(kind)
                yield f"part {kind}"


def portable(messages: Sequence[Json], lost: list[str]) -> Iterator[Json]:
    """Yield *messages*, in OpenAI's format, without the members that other formats lack.

    A phrase such as "member cache_control of messages" is added to *lost* for each removed name.
    """
    for sent in messages:
        if not isinstance(sent, dict):
            continue
        others = (name for name in sorted(sent.keys() - _MEMBERS) if sent[name])
        lost += (text for name in others if (text := f"member {name} of messages") not in lost)
        kept = {name: value for name, value in sent.items() if name in _MEMBERS and value}
        content = kept.get("content", "")
        yield {"role": "user", **kept, "content": _content(content)}


def _content(content: Json) -> Json:
    """Return a content in OpenAI's format: a text, or parts with their types."""
    if not isinstance(content, list):
        return content
    parts = [_part(part) for part in objects_in(content)]
    if all(resolve(part, "/type") == "text" for part in parts):
        return "".join(str(resolve(part, "/text")) for part in parts)
    return [*parts]


def _part(part: dict[str, Json]) -> Json:
    """Return a part in OpenAI's format, from one that names its medium, as in `{"image": URL}`."""
    if "type" in part:
        return part
    for medium in ("image", "video"):
        if medium in part:
            url: dict[str, Json] = {"url": part[medium]}
            return {"type": f"{medium}_url", f"{medium}_url": url}
    return {"type": "text", "text": part.get("text", "")}


def fork(
    scenario: Scenario, target: Target, turn: int, store: Store, new: str = "", say: str = ""
) -> tuple[str, list[str]]:
    """Return the text of a scenario that continues a recording from one turn on.

    Its first call has the messages before that turn as they were recorded, so that nothing before
    it is requested again.

    Args:
        scenario: The scenario of the recording.
        target: The recording's target.
        turn: The number of the first turn to be requested.
        store: The folder of the recording.
        new: The target to continue with, as `provider/model`; "" for that of the recording.
        say: A text that replaces the user's message, or the result of a function, in this turn; ""
            for the recorded one. With a text, *turn* may be the one after the last.

    Returns:
        The text of the scenario's file, and what the new target has no counterpart for.

    Raises:
        HarnessError: The recording cannot be replayed, or has no such turn, or the turn is no chat
            or cannot be continued.
    """
    turns = replay(scenario, target, store).turns
    is_next = bool(say) and turn == len(turns) + 1
    if not 1 <= turn <= len(turns) + is_next:
        raise HarnessError(f"{scenario.name} with {target} has the turns 1 to {len(turns)}")
    last = turns[turn - 1 - is_next]
    call, step = last.call, scenario.steps[last.step - 1]
    if call is None or call.kind is not CallKind.CHAT:
        raise HarnessError(f"turn {turn} is no chat, so no conversation can be continued there")
    goal = TargetForm.model_validate(new or str(target)).target
    losses: list[str] = []
    lines = _continued(call, last.outcome, say) if is_next else _said(call, say)
    sent: list[Json] = [message(line) for line in lines]
    messages = sent if goal.provider == target.provider else [*portable(sent, losses)]
    providers = (find_provider(target.provider), find_provider(goal.provider))
    common, lost = translated(
        {**scenario.form.parameters, **target.parameters}, *providers, call.mode
    )
    own, *rest = _settled_steps(scenario, turns[: turn - 1], step.number)
    own = {} if is_next else own
    given, lost_here = translated(own.get("parameters", {}), *providers, call.mode)
    mode = next((one.mode(target) for one in scenario.steps if not one.form.mode), call.mode)
    first: dict[str, Any] = {"messages": escaped(messages)}
    first |= {"mode": call.mode.value} if call.mode is not mode else {}
    first |= {"parameters": given} if given else {}
    kept_keys = ("name", "sandbox_only") if say else ("name", "expect", "sandbox_only")
    first |= {key: own[key] for key in kept_keys if key in own}
    written: Any = scenario.source.value
    kept = {name: written[name] for name in ("history", "poll", "volatile") if name in written}
    document = {
        "name": f"{scenario.name}-at-{turn}-{goal.slug.lower().replace('.', '-')}"[:100],
        "about": f"{scenario.name}, from turn {turn} on with another target or text.",
        "parent": f"{scenario.name}/{target.slug}@{turn}",
        "targets": [str(goal)],
        **({"parameters": common} if common else {}),
        **({"mode": mode.value} if mode is not Mode.SYNC else {}),
        **kept,
        "steps": [first, *rest],
    }
    return dump(document), [*dict.fromkeys([*losses, *lost, *lost_here])]


def _settled_steps(scenario: Scenario, turns: Sequence[Turn], number: int) -> list[Any]:
    """Return the steps of a scenario's file from *number* on, without references to *turns*.

    Raises HarnessError if a step refers to what the answers of *turns* do not have.
    """
    written: Any = scenario.source.value
    answered = _named(scenario, turns)
    try:
        return [settled(one, answered) for one in written["steps"][number - 1 :]]
    except BadReference as error:
        raise HarnessError(
            f"{scenario.name} cannot be continued from turn {len(turns) + 1} on: {error}"
        ) from None


def _said(call: Call, say: str) -> list[Message]:
    """Return the messages of a call, the last of which says or returns something else."""
    *before, last = call.messages
    if not say:
        return [*before, last]
    changed = replace(last, content=say) if last.role == "tool" else Message("user", say)
    return [*before, changed]


def _continued(call: Call, outcome: Outcome | None, say: str) -> list[Message]:
    """Return the messages of a call, its answer, and what the user or each function says then."""
    if not isinstance(outcome, Reply):
        return [*call.messages, Message("user", say)]
    calls = outcome.tool_calls
    answer = Message("assistant", outcome.content or "", calls, reasoning=outcome.reasoning or "")
    results = [Message("tool", say, tool_call_id=one.id) for one in calls]
    return [*call.messages, answer, *(results or [Message("user", say)])]


def _named(scenario: Scenario, turns: Iterable[Turn]) -> dict[str, Outcome]:
    """Return the outcomes of the turns whose steps have a name, by name."""
    named = ((scenario.steps[turn.step - 1].form.name, turn.outcome) for turn in turns)
    return {name: outcome for name, outcome in named if name and outcome}


def write_fork(text: str, folder: Path) -> Path:
    """Write *text*, the scenario that `fork` returns, to its file in *folder*; return the path.

    Raises HarnessError if another scenario has its name.
    """
    path = folder / f"{loads(text).name}.yaml"
    if path.exists() and path.read_text(encoding="utf-8") != text:
        raise HarnessError(f"{path} exists and is another conversation; remove or rename it")
    write_text(path, text)
    return path
