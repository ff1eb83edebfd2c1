"""Parameters in one API format as those of another, and what has no counterpart there.

Each format is named after the package of its providers. Between formats, parameters have the names
and values of OpenAI's, and `thinking` is true or false.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness.providers.provider import Provider
from harness.types import Json, Mode
from harness.wire import as_list, resolve

_FORMATS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))

NAMES: Mapping[str, Mapping[str, str]] = {name: form["names"] for name, form in _FORMATS.items()}
"""The name of each parameter in each format, by its name between formats."""

_ALIASES = {"max_completion_tokens": "max_tokens"}

_NOT_TRANSLATED = frozenset(
    ("stream", "stream_options", "incremental_output", "result_format", "extra_query")
)
"""Members about the delivery, which the mode of a call replaces."""

_OFF = ("none", "disabled", False, None)


def form_of(provider: Provider) -> str:
    """Return the name of a provider's API format, such as `openai`."""
    return provider.package.rpartition(".")[2]


def translated(
    parameters: Mapping[str, Json], source: Provider, target: Provider, mode: Mode
) -> tuple[dict[str, Json], list[str]]:
    """Translate the parameters of a call to one provider for a call to another.

    Args:
        parameters: The parameters, as a session of *source* takes them.
        source: The provider that they are for.
        target: The provider to translate them for.
        mode: The delivery of the answer.

    Returns:
        The parameters for *target*, and a phrase for each one without a counterpart there.
    """
    form, other = form_of(source), form_of(target)
    if form == other:
        return dict(parameters), []
    between = {own: name for name, own in NAMES.get(form, {}).items()} | _ALIASES
    given: dict[str, Json] = {"result_format": "message"} if other == "dashscope" else {}
    given |= _FORMATS.get(other, {}).get("streamed", {}) if mode is Mode.STREAM else {}
    losses: list[str] = []
    for own, value in parameters.items():
        name = between.get(own, "")
        place = NAMES.get(other, {}).get(name, "")
        if own in _NOT_TRANSLATED or value is None:
            continue
        if not place:
            losses.append(f"parameter {own}")
            continue
        new, lost = _value(name, value, other)
        losses += lost
        if new is not None:
            given[place] = new
    return given, losses


def _value(name: str, value: Json, form: str) -> tuple[Json, list[str]]:
    """Return the value of a parameter in a format, and what it loses."""
    if name in _CHANGED:
        return _CHANGED[name](value, form)
    if name == "stop" and form == "anthropic" and isinstance(value, str):
        return [value], []
    return value, []


def _thinking(value: Json, form: str) -> tuple[Json, list[str]]:
    kind = value
    if isinstance(value, dict):
        kind = value.get("type", value.get("effort"))
        details = sorted(value.keys() - {"type", "effort"})
    else:
        details = []
    is_on = isinstance(kind, bool | str) and kind not in _OFF
    return _FORMATS[form]["thinking"][is_on], [f"detail {name} of thinking" for name in details]


def _tool_choice(value: Json, form: str) -> tuple[Json, list[str]]:
    kind = resolve(value, "/type") if isinstance(value, dict) else value
    name = next(
        (n for p in ("/function/name", "/name") if isinstance(n := resolve(value, p), str)), ""
    )
    word = "required" if kind in ("any", "required") else str(kind)
    if form == "zhipu":
        return "auto", [] if word == "auto" else [f"tool_choice {name or word}"]
    named: dict[str, dict[str, Json]] = {
        "anthropic": {"type": "tool", "name": name},
        "responses": {"type": "function", "name": name},
    }
    function: dict[str, Json] = {"name": name}
    if name:
        return named.get(form, {"type": "function", "function": function}), []
    if form == "anthropic":
        return {"type": "any" if word == "required" else word}, []
    return word, []


def _tools(value: Json, form: str) -> tuple[Json, list[str]]:
    """Return functions in OpenAI's format, which sessions of others translate."""
    tools: list[Json] = []
    losses: list[str] = []
    for tool in as_list(value):
        if not isinstance(tool, dict):
            continue
        own: Any = tool.get("function")
        kind = tool.get("type", "custom")
        if not isinstance(own, dict) and kind in ("function", "custom"):
            schema = tool.get("input_schema", tool.get("parameters"))
            own = {"name": tool.get("name"), "parameters": schema}
            own |= {"description": text} if (text := tool.get("description")) else {}
        if isinstance(own, dict):
            tools.append({"type": "function", "function": own})
        else:
            losses.append(f"tool {kind} of the service")
    return tools or None, losses


_CHANGED: Mapping[str, Callable[[Json, str], tuple[Json, list[str]]]] = {
    "thinking": _thinking,
    "tool_choice": _tool_choice,
    "tools": _tools,
}
