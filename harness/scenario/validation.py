"""What is wrong with a scenario, in words a user can act on.

A complaint is a place and a message. Pydantic's errors become complaints; `incoherent` finds
what no single key shows: how steps and targets go together.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from harness.errors import BadScenario
from harness.scenario.schema_model import (
    ExpectForm,
    History,
    IgnoreForm,
    PollForm,
    ScenarioForm,
    StepForm,
    TargetForm,
)
from harness.scenario.steps import Scenario, Step
from harness.scenario.yaml_source import Loc, Source, shown, where
from harness.types import CallKind, Credentials, Mode, Severity


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing wrong with a scenario, and where."""

    loc: Loc
    message: str


def complain(complaints: Iterable[Complaint], source: Source) -> None:
    """Raise the first complaint, by line, and say how many more there are; or do nothing."""
    found = sorted(complaints, key=lambda complaint: source.line(complaint.loc) or 0)
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        first = found[0]
        raise BadScenario(first.message + more, source.path or "", source.line(first.loc))


def unknown(thing: str, name: str, loc: Loc, allowed: Collection[str]) -> Complaint:
    """A name that does not exist, with the nearest one and all that do."""
    words = f"unknown {thing} {shown(name)}{_inside(loc[:-1])}"
    return Complaint(loc, words + _offer(name, allowed))


def _inside(loc: Loc) -> str:
    return f" in {where(loc)}" if loc else ""


def _offer(name: str, allowed: Collection[str]) -> str:
    near = difflib.get_close_matches(name[:80], allowed, n=1)
    guess = f"; did you mean {near[0]!r}?" if near else ";"
    return f"{guess} allowed: {', '.join(allowed)}"


_FORMS: Mapping[str, type[BaseModel]] = {
    "targets": TargetForm,
    "steps": StepForm,
    "expect": ExpectForm,
    "poll": PollForm,
    "ignore": IgnoreForm,
}
_CHOICES: Mapping[str, type[StrEnum]] = {
    "mode": Mode,
    "history": History,
    "credentials": Credentials,
    "severity": Severity,
}
_LENGTHS = {
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
    "too_long": "must have at most {max_length} entries",
}
_ONE_OR_MANY = ("contains", "pointer")
_MUST = {
    "string_type": "must be text",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "tuple_type": "must be a list",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than_equal": "must be at most {le:g}",
}


def from_pydantic(error: ValidationError, source: Source) -> list[Complaint]:
    """Pydantic's errors in our words."""
    details = (detail for detail in error.errors(include_url=False) if not _is_echo(detail))
    return [_from_detail(detail, source) for detail in details]


def _is_echo(detail: ErrorDetails) -> bool:
    """Pydantic also calls a list too short when it is only its entries that are wrong."""
    return detail["type"] == "too_short" and bool(detail["input"])


def _from_detail(detail: ErrorDetails, source: Source) -> Complaint:
    loc, kind = detail["loc"], detail["type"]
    if kind == "extra_forbidden":
        return unknown("key", str(loc[-1]), loc, list(_form(loc[:-1]).model_fields))
    if kind == "missing":
        return Complaint(loc[:-1], f"the key {str(loc[-1])!r} is missing{_inside(loc[:-1])}")
    place = source.known(loc)
    return Complaint(place, f"{where(place)} {_verdict(detail, loc)}")


def _form(loc: Loc) -> type[BaseModel]:
    names = [part for part in loc if isinstance(part, str)]
    return _FORMS[names[-1]] if names else ScenarioForm


def _verdict(detail: ErrorDetails, loc: Loc) -> str:
    kind, given, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "problem":
        return detail["msg"]
    if kind == "enum":
        key = next(str(step) for step in loc if str(step) in _CHOICES)
        choices = [choice.value for choice in _CHOICES[key]]
        return f"is {shown(given)}{_offer(str(given), choices)}"
    if kind in _LENGTHS:
        return _LENGTHS[kind].format(**context)
    if kind == "tuple_type" and loc[-1] in _ONE_OR_MANY:
        return f"must be text or a list of texts, not {shown(given)}"
    must = _MUST.get(kind, detail["msg"]).format(**context)
    quote = kind == "string_type" and isinstance(given, (bool, int, float))
    return f"{must}, not {shown(given)}" + ("; put quotes around it" if quote else "")


def incoherent(scenario: Scenario) -> Iterator[Complaint]:
    """Every way in which name, targets and steps do not go together."""
    for check in _SCENARIO_CHECKS:
        yield from check(scenario)
    steps = scenario.steps
    for before, step in zip((None, *steps), steps, strict=False):
        yield from _step_complaints(step, before)


def _step_complaints(step: Step, before: Step | None) -> Iterator[Complaint]:
    found = (check(step, before) for check in _STEP_CHECKS)
    yield from (complaint for complaint in found if complaint)


def _name_is_the_files(scenario: Scenario) -> Iterator[Complaint]:
    path = scenario.path
    if path is not None and path.stem != scenario.name:
        message = f"name is {scenario.name!r}, but the file is {path.name!r}; they must agree"
        yield Complaint(("name",), message)


def _targets_differ(scenario: Scenario) -> Iterator[Complaint]:
    seen: dict[str, int] = {}
    for number, target in enumerate(scenario.targets):
        first = seen.setdefault(target.slug.casefold(), number)
        if first != number:
            message = f"targets[{number}] is filed as {target.slug!r} like targets[{first}]"
            yield Complaint(("targets", number), f"{message}; give one of them a label")


def _something_is_asked(scenario: Scenario) -> Iterator[Complaint]:
    if not any(step.asked for step in scenario.steps):
        yield Complaint(("steps",), "no step asks anything; add a user, prompt or image step")


_SCENARIO_CHECKS: tuple[Callable[[Scenario], Iterator[Complaint]], ...] = (
    _name_is_the_files,
    _targets_differ,
    _something_is_asked,
)


def _of(step: Step, message: str, *deeper: str) -> Complaint:
    """A complaint about a step, or about something deeper in it."""
    loc: Loc = ("steps", step.number - 1, *deeper)
    return Complaint(loc, f"{where(loc)} {message}")


def _assistant_stands_between(step: Step, before: Step | None) -> Complaint | None:
    if step.form.word != "assistant":
        return None
    if before is None:
        return _of(step, "is assistant, which cannot come first: nobody has said anything yet")
    if step.number == len(step.scenario.form.steps):
        return _of(step, "is assistant, which cannot come last: nothing is asked after it")
    return None


def _only_asked_steps_have_options(step: Step, before: Step | None) -> Complaint | None:
    options = ", ".join(step.form.options)
    if step.asked or not options:
        return None
    return _of(step, f"is not asked, only sent along, so it cannot have {options}")


def _poll_needs_a_task(step: Step, before: Step | None) -> Complaint | None:
    if step.form.poll is None or not step.asked or step.kind is CallKind.IMAGE:
        return None
    if any(step.mode(target) is Mode.ASYNC for target in step.scenario.targets):
        return None
    return _of(step, "is of no use: only image steps and mode async are polled", "poll")


def _tool_results_answer(step: Step, before: Step | None) -> Complaint | None:
    if step.form.word != "tool_results":
        return None
    if before is None or not before.asked or before.kind is not CallKind.CHAT:
        return _of(step, "is tool_results, which must follow a user or tool_results step, asked")
    if step.history is History.NONE:
        return _of(step, "is tool_results, which needs history: kept")
    if before.sandbox_only and not step.sandbox_only:
        return _of(step, "is tool_results after a sandbox_only step; it must be sandbox_only too")
    return None


def _failure_stands_alone(step: Step, before: Step | None) -> Complaint | None:
    expect = step.form.expect
    if expect is None or not isinstance(expect.failure, str):
        return None
    others = ", ".join(sorted(expect.model_fields_set - {"failure"}))
    return _of(step, f"cannot have failure together with {others}", "expect") if others else None


def _failure_names_targets(step: Step, before: Step | None) -> Complaint | None:
    codes = step.form.expect.failure if step.form.expect else None
    providers = {target.provider for target in step.scenario.targets}
    strangers = sorted(set(codes) - providers) if isinstance(codes, dict) else []
    if not strangers:
        return None
    offer = _offer(strangers[0], sorted(providers))
    message = f"names {shown(strangers[0])}, which is no target's provider{offer}"
    return _of(step, message, "expect", "failure")


_STEP_CHECKS: tuple[Callable[[Step, Step | None], Complaint | None], ...] = (
    _assistant_stands_between,
    _only_asked_steps_have_options,
    _poll_needs_a_task,
    _tool_results_answer,
    _failure_stands_alone,
    _failure_names_targets,
)
