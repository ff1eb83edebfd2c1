"""A scenario and its steps; each step becomes a `Call` once target and past are known.

Precedence, the last one wins:

1. parameters: the scenario's, the target's, the step's
2. mode: the scenario's, the target's, the step's
3. poll and history: the scenario's, the step's
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NoReturn
from unicodedata import east_asian_width

from harness.errors import BadScenario
from harness.scenario.schema_model import ExpectForm, History, ScenarioForm, StepForm
from harness.scenario.yaml_source import Source
from harness.types import (
    Call,
    CallKind,
    Expectation,
    LooseJson,
    Message,
    Mode,
    Outcome,
    Poll,
    Reply,
    Severity,
    Target,
    ToolCall,
)
from harness.wire import compact

_KINDS = {"prompt": CallKind.PROMPT, "image": CallKind.IMAGE}
_COLUMNS = 30


@dataclass(frozen=True, slots=True)
class Past:
    """What was said so far: the messages, and the outcome of the step before this one."""

    messages: tuple[Message, ...] = ()
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """A conversation written down once, for no model in particular."""

    form: ScenarioForm
    source: Source = field(default=Source(), compare=False, repr=False)

    @property
    def name(self) -> str:
        """The scenario's name, which is its file's."""
        return self.form.name

    @property
    def about(self) -> str:
        """What this conversation is there to show."""
        return self.form.about

    @property
    def path(self) -> Path | None:
        """The file it was read from."""
        return self.source.path

    @property
    def volatile(self) -> tuple[str, ...]:
        """JSON pointers into request bodies; their values do not count in a look-up."""
        return self.form.volatile

    @property
    def ignored(self) -> Mapping[str, str]:
        """The rules that do not apply, each with the reason."""
        return {entry.rule: entry.reason for entry in self.form.ignore}

    @property
    def selected(self) -> tuple[str, ...]:
        """The rules that apply; all, if none is named."""
        return self.form.select

    @property
    def severities(self) -> Mapping[str, Severity]:
        """The rules that weigh more, or less, here than elsewhere."""
        return self.form.severity

    @property
    def targets(self) -> tuple[Target, ...]:
        """Whom to ask."""
        return tuple(form.target for form in self.form.targets)

    @property
    def steps(self) -> tuple[Step, ...]:
        """The conversation, line by line."""
        forms = self.form.steps
        followers = (*(form.word for form in forms[1:]), "")
        return tuple(
            Step(number, form, _is_asked(form.word, follower), self)
            for number, (form, follower) in enumerate(zip(forms, followers, strict=True), start=1)
        )

    def mode(self, target: Target) -> Mode:
        """How a target's answers are delivered where a step does not say."""
        own = (form.mode for form in self.form.targets if form.target.slug == target.slug)
        return next(own, None) or self.form.mode


def _is_asked(word: str, follower: str) -> bool:
    if word == "user":
        return follower != "assistant"
    return word not in ("system", "assistant")


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the script; `asked` if it becomes a call, otherwise it is only sent along.

    `number` counts from 1. `str()` is a short description for people.
    """

    number: int
    form: StepForm
    asked: bool
    scenario: Scenario = field(repr=False)

    def __str__(self) -> str:
        if self.form.tool_results is not None:
            return "tool_results " + ", ".join(self.form.tool_results)
        return f'{self.form.word} "{_cut(self.text)}"'

    @property
    def text(self) -> str:
        """What is said; nothing for tool results."""
        said = getattr(self.form, self.form.word)
        return said if isinstance(said, str) else ""

    @property
    def kind(self) -> CallKind:
        """What is asked for."""
        return _KINDS.get(self.form.word, CallKind.CHAT)

    @property
    def line(self) -> int | None:
        """The line of the file it begins on."""
        return self.scenario.source.line(("steps", self.number - 1))

    @property
    def sandbox_only(self) -> str:
        """Why live recordings leave this step out; empty if they do not."""
        return self.form.sandbox_only or ""

    @property
    def history(self) -> History:
        """What of the past is sent along."""
        return self.form.history or self.scenario.form.history

    @property
    def poll(self) -> Poll:
        """How to wait for a task."""
        given = [form for form in (self.scenario.form.poll, self.form.poll) if form is not None]
        poll = Poll()
        for form in given:
            poll = replace(poll, **form.model_dump(exclude_unset=True))
        return poll

    def mode(self, target: Target) -> Mode:
        """How the answer is delivered."""
        return self.form.mode or self.scenario.mode(target)

    def parameters(self, target: Target) -> dict[str, LooseJson]:
        """The parameters that are sent, `seed: random` still as the word."""
        merged = {**self.scenario.form.parameters, **target.parameters, **self.form.parameters}
        return copy.deepcopy(merged)

    def call(self, target: Target, past: Past, seed: int) -> Call:
        """What this step asks of a target after this past; only for steps that are asked."""
        parameters = self.parameters(target)
        if parameters.get("seed") == "random":
            parameters["seed"] = seed
        return Call(
            kind=self.kind,
            mode=self.mode(target),
            model=self.form.model or target.model,
            messages=self._sent(past),
            prompt="" if self.kind is CallKind.CHAT else self.text,
            parameters=parameters,
            poll=self.poll,
            credentials=self.form.credentials,
        )

    def after(self, past: Past, outcome: Outcome | None = None) -> Past:
        """The past once this step is over; `outcome` is None for a step that is not asked.

        A question that was refused leaves no message behind, and neither does a prompt or an
        image: they are not part of the conversation.
        """
        if not self.asked:
            return Past(past.messages + self._lines(past))
        if self.kind is not CallKind.CHAT or not isinstance(outcome, Reply):
            return Past(past.messages, outcome)
        return Past((*past.messages, *self._lines(past), _answer(outcome)), outcome)

    def expectation(self, target: Target) -> Expectation:
        """What must hold of this target's answer: its refusal, or all the rest."""
        expect = self.form.expect or ExpectForm()
        codes = expect.failure
        code = codes.get(target.provider) if isinstance(codes, dict) else codes
        if code:
            return Expectation(failure=code)
        return Expectation(
            finish_reason=expect.finish_reason or "",
            contains=expect.contains,
            json_schema=expect.json_schema,
            pointers=expect.pointer,
            tool_call=expect.tool_call or "",
        )

    def digest(self, target: Target) -> str:
        """A short hash over all of this step that changes what is sent to a target."""
        results = {name: _told(value) for name, value in (self.form.tool_results or {}).items()}
        said = {"says": self.form.word, "text": self.text, "results": results}
        return _hash(said | self._manner(target) if self.asked else said)

    def _manner(self, target: Target) -> dict[str, LooseJson]:
        return {
            "asked": True,
            "mode": self.mode(target),
            "parameters": self.parameters(target),
            "history": self.history if self.kind is CallKind.CHAT else "",
            "model": self.form.model,
            "credentials": self.form.credentials,
        }

    def _sent(self, past: Past) -> tuple[Message, ...]:
        if self.kind is not CallKind.CHAT:
            return ()
        kept = self.history is History.KEPT
        heard = tuple(line for line in past.messages if kept or line.role == "system")
        return heard + self._lines(past)

    def _lines(self, past: Past) -> tuple[Message, ...]:
        if self.form.tool_results is None:
            return (Message(self.form.word, self.text),)
        calls = past.outcome.tool_calls if isinstance(past.outcome, Reply) else ()
        if not calls:
            self._refuse("tool_results answers nothing: the answer before it called no function")
        return tuple(self._result(call, self.form.tool_results) for call in calls)

    def _result(self, call: ToolCall, results: Mapping[str, LooseJson]) -> Message:
        if call.name not in results:
            given = ", ".join(results)
            self._refuse(f"the model called {call.name!r}; tool_results has only {given}")
        return Message("tool", _told(results[call.name]), tool_call_id=call.id)

    def _refuse(self, message: str) -> NoReturn:
        raise BadScenario(message, self.scenario.path or "", self.line)


def digests(scenario: Scenario, target: Target) -> tuple[str, ...]:
    """One hash per step, so that a cassette can tell which step changed since."""
    return tuple(step.digest(target) for step in scenario.steps)


def _answer(reply: Reply) -> Message:
    return Message("assistant", reply.content or "", reply.tool_calls)


def _told(result: LooseJson) -> str:
    """A function's result as the model gets it: text as it is, all else as JSON."""
    return result if isinstance(result, str) else _canonical(result)


def _canonical(value: LooseJson) -> str:
    return compact(value, sort_keys=True)


def _hash(value: LooseJson) -> str:
    return hashlib.sha256(_canonical(value).encode()).hexdigest()[:12]


def _cut(text: str) -> str:
    """The text on one line of at most 30 columns; Chinese takes two columns a character."""
    words = " ".join(text.split())
    if sum(map(_width, words)) <= _COLUMNS:
        return words
    while sum(map(_width, words)) > _COLUMNS - 1:
        words = words[:-1]
    return words + "…"


def _width(character: str) -> int:
    return 2 if east_asian_width(character) in "WF" else 1
