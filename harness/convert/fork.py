"""Scenarios that continue a recorded conversation from one turn on, with another target or text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.cassette.safe_yaml import dump
from harness.cassette.store import Store, write_text
from harness.convert.ported import portable
from harness.errors import HarnessError
from harness.providers import find_provider
from harness.providers.openai.session import message
from harness.providers.parameters import translated
from harness.runner import replay
from harness.scenario.files import loads
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
        say: What the user says in this turn, or what the function returned whose result it sends;
            "" for what was recorded. The turn may then be the one after the last.

    Returns:
        The text of the scenario's file, and what the new target has no counterpart for.

    Raises:
        HarnessError: The recording cannot be replayed, or has no such turn, or nothing to say.
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
    written: Any = scenario.source.value
    answered = _named(scenario, turns[: turn - 1])
    try:
        own, *rest = (settled(one, answered) for one in written["steps"][step.number - 1 :])
        own = {} if is_next else own
    except BadReference as error:
        raise HarnessError(
            f"{scenario.name} cannot be continued from turn {turn} on: {error}"
        ) from None
    parameters: Any = own.get("parameters", {})
    given, lost_here = translated(parameters, *providers, call.mode)
    mode = next((one.mode(target) for one in scenario.steps if not one.form.mode), call.mode)
    first: dict[str, Any] = {"messages": escaped(messages)}
    first |= {"mode": call.mode.value} if call.mode is not mode else {}
    first |= {"parameters": given} if given else {}
    kept_keys = ("name", "sandbox_only") if say else ("name", "expect", "sandbox_only")
    first |= {key: own[key] for key in kept_keys if key in own}
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
    """Write a fork's scenario to its file in *folder*, and return the path.

    Raises HarnessError if another scenario has this name.
    """
    path = folder / f"{loads(text).name}.yaml"
    if path.exists() and path.read_text(encoding="utf-8") != text:
        raise HarnessError(f"{path} exists and is another conversation; remove or rename it")
    write_text(path, text)
    return path
