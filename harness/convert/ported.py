"""Scenarios that put recorded requests to other targets, for comparisons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.cassette.safe_yaml import dump
from harness.config.settings import load_models
from harness.convert.adopt import StepJson
from harness.convert.questions import Question
from harness.providers import find_provider
from harness.providers.parameters import NAMES, form_of, translated
from harness.scenario.files import loads
from harness.scenario.messages import CONTENT_PARTS
from harness.scenario.references import escaped
from harness.scenario.steps import Scenario
from harness.types import CallKind, Json, Mode
from harness.wire import resolve

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
    question: Question, name: str, parent: str, targets: Sequence[str], limit: int = 0
) -> tuple[Scenario, str, dict[str, list[str]]]:
    """Return a scenario that puts a recorded request to other targets, its text, and the losses.

    Args:
        question: The request.
        name: The name of the scenario.
        parent: The recording.
        targets: The targets, as `provider/model`.
        limit: The output tokens that an answer may have, and as many of thinking; 0 for any number.

    Raises:
        HarnessError: A target is not valid.
    """
    lost: list[str] = []
    sent = question.parameters.items()
    parameters = {name: value for name, value in sent if name not in _MESSAGES}
    mode = Mode.STREAM if question.mode is Mode.STREAM else Mode.SYNC
    losses: dict[str, list[str]] = {}
    forms: list[Json] = []
    for target in targets:
        provider = find_provider(target.partition("/")[0])
        given, own = translated(parameters, question.provider, provider, mode)
        losses[target] = own
        if limit and question.kind in (CallKind.CHAT, CallKind.PROMPT):
            given = {**_limits(target, given, limit), **given}
        forms.append({"model": target, **({"parameters": escaped(given)} if given else {})})
    document: dict[str, Any] = {
        "name": name,
        "about": "A recorded request, for other targets.",
        "parent": parent,
        "targets": forms,
        **({"mode": mode.value} if mode is not Mode.SYNC else {}),
        "steps": [_call(question, lost)],
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


def _call(question: Question, lost: list[str]) -> StepJson:
    said = question.said
    if question.kind in (CallKind.IMAGE, CallKind.EMBEDDING):
        return {question.kind.value: said[0] if isinstance(said, list) else said}
    if question.kind is CallKind.PROMPT:
        return {"messages": [{"role": "user", "content": escaped(said)}]}
    conversation = question.endpoint.conversation
    own = said if isinstance(said, list) else []
    lost += _untranslated(own)
    sent = [one for _, one in conversation(question.body)] if conversation else own
    return {"messages": escaped([*portable(sent, lost)])}


def _untranslated(messages: Sequence[Json]) -> Iterator[str]:
    """Yield the types of messages and parts that have no counterpart in other formats, once."""
    seen: set[str] = set()
    for item in messages:
        content = resolve(item, "/content")
        for value in (item, *(content if isinstance(content, list) else ())):
            kind = resolve(value, "/type")
            if isinstance(kind, str) and kind not in _TYPES | seen:
                seen.add(kind)
                yield f"part {kind}"


def portable(messages: Sequence[Json], lost: list[str]) -> Iterator[Json]:
    """Yield messages in OpenAI's format, with what others have too; add the rest to *lost*."""
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
    parts = [_part(part) for part in content if isinstance(part, dict)]
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
