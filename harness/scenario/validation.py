"""Validation of scenarios, with messages for their authors.

Pydantic's errors are converted to issues. `inconsistencies` checks what Pydantic does not: the name
of the file, duplicate targets, and the order and options of the steps.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from harness.errors import BadScenario
from harness.scenario.references import REPLY_FIELDS, BadReference, Reference
from harness.scenario.schema_model import (
    TAGS,
    CarriedReasoning,
    ExpectForm,
    History,
    HistoryForm,
    IgnoreForm,
    PartForm,
    PollForm,
    RankingForm,
    ScenarioForm,
    StepForm,
    TargetForm,
    ToolResultForm,
)
from harness.scenario.steps import Scenario, Step, file_problem
from harness.scenario.yaml_source import Loc, YamlSource, shown, where, wide_colon
from harness.types import CallKind, ClientKind, Credentials, Mode, Severity


@dataclass(frozen=True, slots=True)
class Issue:
    """An error in a scenario.

    Attributes:
        loc: The keys and indices that lead to the invalid value.
        message: The message for the scenario's author.
        is_missing: Whether a key is missing.
    """

    loc: Loc
    message: str
    is_missing: bool = False


def raise_first(issues: Iterable[Issue], source: YamlSource) -> None:
    """Raise BadScenario for the issue on the earliest line; do nothing if there are no issues.

    *source* is the scenario's YAML text with its lines.
    A missing key comes last, since another issue, that its name is misspelt, may explain it. If
    there are more issues, "(and N more)" is added to the message.
    """
    ordered = sorted(issues, key=lambda issue: (issue.is_missing, source.line(issue.loc) or 0))
    if ordered:
        more = f" (and {len(ordered) - 1} more)" if len(ordered) > 1 else ""
        first = ordered[0]
        raise BadScenario(first.message + more, source.path or "", source.line(first.loc))


def unknown(thing: str, name: str, loc: Loc, allowed: Collection[str]) -> Issue:
    """Return an issue about an unknown name, with the most similar name and all allowed names.

    Args:
        thing: What the name is of, such as "rule".
        name: The unknown name.
        loc: The keys and indices that lead to it.
        allowed: The allowed names.
    """
    message = f"unknown {thing} {shown(name)}{_inside(loc[:-1])}"
    return Issue(loc, message + _suggestion(name, allowed))


def _inside(loc: Loc) -> str:
    return f" in {where(loc)}" if loc else ""


def _suggestion(name: str, allowed: Collection[str]) -> str:
    near = difflib.get_close_matches(name[:80], allowed, n=1)
    guess = f"; did you mean {near[0]!r}?" if near else ";"
    return f"{guess} allowed: {', '.join(allowed)}"


_FORMS: Mapping[str, type[BaseModel]] = {
    "targets": TargetForm,
    "steps": StepForm,
    "system": PartForm,
    "user": PartForm,
    "image": PartForm,
    "video": PartForm,
    "embedding": PartForm,
    "rerank": RankingForm,
    "documents": PartForm,
    "tool_results": ToolResultForm,
    "expect": ExpectForm,
    "poll": PollForm,
    "history": HistoryForm,
    "ignore": IgnoreForm,
}
_CHOICES: Mapping[str, type[StrEnum]] = {
    "mode": Mode,
    "client": ClientKind,
    "history": History,
    "messages": History,
    "reasoning": CarriedReasoning,
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


def from_pydantic(error: ValidationError, source: YamlSource) -> list[Issue]:
    """Return an issue for each of Pydantic's errors in a scenario with the YAML text *source*."""
    details = (d for d in error.errors(include_url=False) if not _is_consequence(d))
    return [_from_detail(detail, source) for detail in details]


def _is_consequence(detail: ErrorDetails) -> bool:
    """Return whether *detail* reports a list as too short only because its entries are invalid."""
    return detail["type"] == "too_short" and bool(detail["input"])


def _from_detail(detail: ErrorDetails, source: YamlSource) -> Issue:
    loc = tuple(step for step in detail["loc"] if step not in TAGS)
    kind = detail["type"]
    if kind == "extra_forbidden":
        return unknown("key", str(loc[-1]), loc, list(_form(loc[:-1]).model_fields))
    if kind == "missing":
        text = f"the key {str(loc[-1])!r} is missing{_inside(loc[:-1])}"
        return Issue(loc[:-1], text, is_missing=True)
    place = source.known(loc)
    return Issue(place, f"{where(place)} {_problem(detail, loc)}")


def _form(loc: Loc) -> type[BaseModel]:
    names = [part for part in loc if isinstance(part, str)]
    return _FORMS[names[-1]] if names else ScenarioForm


def _problem(detail: ErrorDetails, loc: Loc) -> str:
    kind, given, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "problem":
        return detail["msg"]
    if kind == "enum":
        key = next(str(step) for step in reversed(loc) if str(step) in _CHOICES)
        choices = [choice.value for choice in _CHOICES[key]]
        return f"is {shown(given)}{_suggestion(str(given), choices)}"
    if kind in _LENGTHS:
        return _LENGTHS[kind].format(**context)
    if kind == "tuple_type" and loc[-1] in _ONE_OR_MANY:
        return f"must be text or a list of texts, not {shown(given)}"
    must = _MUST.get(kind, detail["msg"]).format(**context)
    if kind == "string_type" and isinstance(given, (bool, int, float)):
        hint = "; put quotes around it"
    else:
        hint = wide_colon(given) if isinstance(given, str) else ""
    return f"{must}, not {shown(given)}{hint}"


def inconsistencies(scenario: Scenario) -> Iterator[Issue]:
    """Yield the issues that concern several parts of a scenario, or its file name."""
    yield from _name_is_the_file_name(scenario)
    yield from _targets_are_unique(scenario)
    yield from _parameters_are_no_keys(scenario)
    if not any(step.is_call for step in scenario.steps):
        yield Issue(("steps",), "no step asks anything; add a user, prompt or image step")
    steps = scenario.steps
    yield from _references_have_values(steps)
    for before, step in zip((None, *steps), steps, strict=False):
        issues = (check(step, before) for check in _STEP_CHECKS)
        yield from (issue for issue in issues if issue)


def _name_is_the_file_name(scenario: Scenario) -> Iterator[Issue]:
    path = scenario.path
    if path is not None and path.stem != scenario.name:
        message = f"name is {scenario.name!r}, but the file is {path.name!r}; they must agree"
        yield Issue(("name",), message)


def _references_have_values(steps: Iterable[Step]) -> Iterator[Issue]:
    """Yield the issues of references to earlier steps, and of names that two steps have."""
    names: dict[str, bool] = {}
    kinds: dict[str, CallKind] = {}
    for step in steps:
        try:
            problems = [
                reference.problem(names) or _no_field(reference, kinds)
                for reference in step.references()
            ]
        except BadReference as error:
            problems = [str(error)]
        if step.sandbox_only:
            problems = [problem for problem in problems if "sandbox_only" not in problem]
        yield from (_issue(step, f"is not valid: {problem}") for problem in problems if problem)
        if step.form.name in names:
            yield _issue(step, f"has the name {step.form.name!r} of an earlier step", "name")
        if step.form.name:
            names[step.form.name] = bool(step.sandbox_only)
            kinds[step.form.name] = step.kind


_ANSWERED: Mapping[CallKind, tuple[str, ...]] = {
    CallKind.IMAGE: ("image", "file"),
    CallKind.VIDEO: ("file",),
    CallKind.SPEECH: ("file",),
    CallKind.TRANSCRIPTION: ("content", "file"),
    CallKind.EMBEDDING: (),
    CallKind.RERANK: ("ranking",),
}
"""The fields that an answer may have; to a chat or prompt, all but the ranking."""


def _no_field(reference: Reference, kinds: Mapping[str, CallKind]) -> str:
    """Return what is wrong if the answer of the named step never has the field; else ""."""
    kind = kinds[reference.name]
    fields = _ANSWERED.get(kind, tuple(name for name in REPLY_FIELDS if name != "ranking"))
    if reference.field in fields:
        return ""
    listed = ", ".join(fields) or "none"
    return f"{reference.text} has no value: the fields of the step {reference.name!r} are: {listed}"


def _targets_are_unique(scenario: Scenario) -> Iterator[Issue]:
    seen: dict[str, int] = {}
    for number, target in enumerate(scenario.targets):
        first = seen.setdefault(target.slug.casefold(), number)
        if first != number:
            message = f"targets[{number}] is filed as {target.slug!r} like targets[{first}]"
            yield Issue(("targets", number), f"{message}; give one of them a label")


def _parameters_are_no_keys(scenario: Scenario) -> Iterator[Issue]:
    """Yield the parameters that would ask another model, or for a stream that nobody reads."""
    for loc, value in scenario.located_parameters():
        if loc[-1] == "model":
            message = "is not a parameter; name the model in the target, or as model of the step"
            yield Issue(loc, f"{where(loc)} {message}")
        if loc[-1] == "stream" and value is True:
            yield Issue(loc, f"{where(loc)} is not a parameter; write mode: stream")


def _issue(step: Step, message: str, *path: str) -> Issue:
    """Return an issue about *step* or, if *path* is set, about the value at that path in it."""
    loc: Loc = ("steps", step.number - 1, *path)
    return Issue(loc, f"{where(loc)} {message}")


def _assistant_is_between_calls(step: Step, before: Step | None) -> Issue | None:
    if step.form.type != "assistant":
        return None
    if before is None:
        return _issue(step, "is assistant, which cannot come first: it has to follow a user step")
    if step.number == len(step.scenario.form.steps):
        return _issue(step, "is assistant, which cannot come last: no call follows it")
    return None


def _only_calls_have_options(step: Step, before: Step | None) -> Issue | None:
    options = ", ".join(step.form.options)
    if step.is_call or not options:
        return None
    return _issue(step, f"is not a call, so it cannot have {options}")


def _files_exist(step: Step, before: Step | None) -> Issue | None:
    problems = ((n, part, file_problem(part)) for n, part in enumerate(step.parts))
    for number, part, message in problems:
        if message:
            at: Loc = (step.form.type, number, part.medium.value)
            if step.form.rerank is not None:
                at = ("rerank", "documents", *at[1:])
            if step.form.transcription is not None:
                at = at[:1]
            loc: Loc = ("steps", step.number - 1, *at)
            return Issue(loc, f"{where(loc)} {message}")
    return None


_TASKS = (CallKind.IMAGE, CallKind.VIDEO)


def _poll_needs_a_task(step: Step, before: Step | None) -> Issue | None:
    if step.form.poll is None or not step.is_call or step.kind in _TASKS:
        return None
    if any(step.mode(target) is Mode.ASYNC for target in step.scenario.targets):
        return None
    return _issue(
        step, "is of no use: only image and video steps and mode async are polled", "poll"
    )


def _tool_results_follow_a_call(step: Step, before: Step | None) -> Issue | None:
    if step.form.type != "tool_results":
        return None
    if before is None or not before.is_call or before.kind is not CallKind.CHAT:
        return _issue(
            step, "is tool_results, which must follow a user or tool_results step that is a call"
        )
    if step.history is History.NONE:
        return _issue(step, "is tool_results, which needs history: kept")
    if before.sandbox_only and not step.sandbox_only:
        return _issue(
            step, "is tool_results after a sandbox_only step; it must be sandbox_only too"
        )
    return None


def _failure_is_the_only_expectation(step: Step, before: Step | None) -> Issue | None:
    expect = step.form.expect
    if expect is None or not isinstance(expect.failure, str):
        return None
    others = ", ".join(sorted(expect.model_fields_set - {"failure"}))
    return _issue(step, f"cannot have failure together with {others}", "expect") if others else None


def _failure_names_providers_of_targets(step: Step, before: Step | None) -> Issue | None:
    codes = step.form.expect.failure if step.form.expect else None
    providers = {target.provider for target in step.scenario.targets}
    unknown_names = sorted(set(codes) - providers) if isinstance(codes, dict) else []
    if not unknown_names:
        return None
    suggestion = _suggestion(unknown_names[0], sorted(providers))
    message = f"names {shown(unknown_names[0])}, which is no target's provider{suggestion}"
    return _issue(step, message, "expect", "failure")


_STEP_CHECKS: tuple[Callable[[Step, Step | None], Issue | None], ...] = (
    _assistant_is_between_calls,
    _only_calls_have_options,
    _files_exist,
    _poll_needs_a_task,
    _tool_results_follow_a_call,
    _failure_is_the_only_expectation,
    _failure_names_providers_of_targets,
)
