"""A scenario and its steps; a step, a target and the conversation before it give a `Call`.

Parameters and mode can be set for the scenario, for a target and for a step, poll and history for
the scenario and for a step. The step takes precedence over the target, and the target over the
scenario. The content of a message may have parts: texts, and images, audio and videos.
"""

from __future__ import annotations

import copy
import hashlib
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any, NoReturn
from unicodedata import east_asian_width

from harness.errors import BadScenario
from harness.scenario.messages import message_of
from harness.scenario.references import (
    BadReference,
    Reference,
    references,
    resolved,
    resolved_text,
)
from harness.scenario.schema_model import (
    STEP_TYPES,
    CarriedReasoning,
    History,
    PartForm,
    RankingForm,
    ScenarioForm,
    StepForm,
    ToolResultForm,
)
from harness.scenario.yaml_source import Loc, YamlSource
from harness.types import (
    EMPTY,
    Call,
    CallKind,
    ClientKind,
    ContentPart,
    Expectation,
    Json,
    Medium,
    Message,
    Mode,
    Outcome,
    Poll,
    Reply,
    Severity,
    Target,
    ToolCall,
)
from harness.wire import compact, read_json

MAX_FILE_BYTES = 20_000_000
"""The maximum size of a file in a message."""

_URL = re.compile(r"(https?|oss|data):", re.IGNORECASE)


def content_part(form: PartForm, folder: Path) -> ContentPart:
    """Return the part that *form* describes; the path of a file in it is relative to *folder*."""
    value = str(getattr(form, form.medium))
    is_url = bool(_URL.match(value)) or "{{" in value  # a reference is to a URL
    path = (folder / value).resolve() if form.medium is not Medium.TEXT and not is_url else None
    return ContentPart(form.medium, value, path, form.members)


def joined_texts(parts: Iterable[ContentPart]) -> str:
    """Return the texts of *parts* as one text, without separators; other parts are ignored."""
    return "".join(part.value for part in parts if part.medium is Medium.TEXT)


def file_problem(part: ContentPart) -> str:
    """Return why the file of *part* cannot be sent; empty if it can, or if there is no file."""
    if part.path is None:
        return ""
    if not part.path.is_file():
        return f"names the file {part.value!r}, but {part.path} is not a file"
    size = part.path.stat().st_size
    if not 0 < size <= MAX_FILE_BYTES:
        return f"names the file {part.value!r} of {size} bytes; expected 1 to {MAX_FILE_BYTES}"
    return ""


def fingerprints(parts: Iterable[ContentPart]) -> Iterator[Json]:
    """Yield each part as JSON for a digest; a file counts by its content, not by its name."""
    for part in parts:
        value = part.value if part.path is None else _hash(part.path)
        yield [part.medium.value, value, dict(part.members)]


def _hash(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:  # the file has gone since the scenario was read
        return ""


_COLUMNS = 30
_KINDS: Mapping[str, CallKind] = {kind.value: kind for kind in CallKind}
_LISTS = ("tool_results", "messages")
"""Types of steps whose lists are not the parts of a message."""


@dataclass(frozen=True, slots=True)
class Past:
    """The conversation before a step.

    Attributes:
        messages: The messages so far.
        outcome: The outcome of the previous step; None if that was not a call.
        named: The outcomes of the steps that have a name, by name.
    """

    messages: tuple[Message, ...] = ()
    outcome: Outcome | None = None
    named: Mapping[str, Outcome] = field(default_factory=lambda: EMPTY)


@dataclass(frozen=True)
class Scenario:
    """A conversation that can be run against any of its targets.

    Attributes:
        form: The content of the scenario's file.
        source: The value of the YAML text, with the lines of its parts.
    """

    form: ScenarioForm
    source: YamlSource = field(default=YamlSource(), compare=False, repr=False)

    @property
    def name(self) -> str:
        """The name of the scenario and of its file."""
        return self.form.name

    @property
    def about(self) -> str:
        """The purpose of the conversation."""
        return self.form.about

    @property
    def path(self) -> Path | None:
        """The path of the file; None if the scenario was not read from a file."""
        return self.source.path

    @property
    def volatile(self) -> tuple[str, ...]:
        """JSON pointers into request bodies that are ignored when requests are matched."""
        return self.form.volatile

    @property
    def ignored(self) -> Mapping[str, str]:
        """The names of the rules that do not apply, each with its reason."""
        return {entry.rule: entry.reason for entry in self.form.ignore}

    @property
    def selected(self) -> tuple[str, ...]:
        """The names of the rules that apply; empty for all rules."""
        return self.form.select

    @property
    def severities(self) -> Mapping[str, Severity]:
        """The severity of each named rule, which replaces the rule's own."""
        return self.form.severity

    @property
    def targets(self) -> tuple[Target, ...]:
        """The targets that the scenario is run against."""
        return tuple(form.target for form in self.form.targets)

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The steps in order."""
        forms = self.form.steps
        next_types = (*(form.type for form in forms[1:]), "")
        return tuple(
            Step(number, form, _is_call(form.type, next_type), self)
            for number, (form, next_type) in enumerate(zip(forms, next_types, strict=True), start=1)
        )

    def located_parameters(self) -> Iterator[tuple[Loc, Json]]:
        """Yield (place, value) of each parameter of the scenario, its targets and steps.

        A place is the keys and indices that lead to it, as in `("steps", 0, "parameters", "seed")`.
        """
        groups: list[tuple[Loc, Mapping[str, Json]]] = [((), self.form.parameters)]
        groups += [(("targets", n), form.parameters) for n, form in enumerate(self.form.targets)]
        groups += [(("steps", n), form.parameters) for n, form in enumerate(self.form.steps)]
        for loc, given in groups:
            for name, value in given.items():
                yield (*loc, "parameters", name), value

    def named_parameters(self) -> Iterator[tuple[str, Mapping[str, Json]]]:
        """Yield (place, {name: value}) for each parameter of the scenario, its targets and steps.

        The place is `file:line`, such as `chat.yaml:7`. If the scenario was not read from a file,
        the scenario's name replaces the file.
        """
        for loc, value in self.located_parameters():
            line = self.source.line(loc)
            place = f"{self.path or self.name}:{line or ''}".rstrip(":")
            yield place, {str(loc[-1]): value}

    def mode(self, target: Target) -> Mode:
        """Return the mode of the calls to *target*, for steps that set no mode."""
        return self._modes.get(target.slug) or self.form.mode

    @cached_property
    def _modes(self) -> Mapping[str, Mode | None]:
        """The own mode of each target by the target's slug, None if it sets none."""
        return {form.target.slug: form.mode for form in reversed(self.form.targets)}


def _is_call(step_type: str, next_type: str) -> bool:
    if step_type == "user":
        return next_type != "assistant"
    return step_type not in ("system", "assistant")


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a scenario. `str(step)` is a short description.

    Attributes:
        number: The number of the step, from 1.
        form: The content of the step in the scenario's file.
        is_call: Whether the step is sent; otherwise it is a message that later calls send.
        scenario: The scenario.
    """

    number: int
    form: StepForm
    is_call: bool
    scenario: Scenario = field(repr=False)

    def __str__(self) -> str:
        if self.form.tool_results is not None:
            return "tool_results " + ", ".join(self.functions)
        if self.form.messages is not None:
            return f'messages "{_cut(message_of(self.form.messages[-1]).content)}"'
        media = "".join(f" + {p.medium}" for p in self.parts if p.medium is not Medium.TEXT)
        return f'{self.form.type} "{_cut(self.text)}"{media}'

    @property
    def text(self) -> str:
        """The text of the step, or the joined texts of its parts; empty for tool results."""
        value = getattr(self.form, self.form.type)
        if isinstance(value, RankingForm):
            return value.query
        is_text = isinstance(value, str) and self.kind is not CallKind.TRANSCRIPTION
        return value if is_text else joined_texts(self.parts)

    @property
    def parts(self) -> tuple[ContentPart, ...]:
        """The parts of the step's message or input; empty if the message or input is a text."""
        value = getattr(self.form, self.form.type)
        path = self.scenario.path
        folder = path.parent if path else Path.cwd()
        if self.kind is CallKind.TRANSCRIPTION:
            value = (PartForm(audio=value),)
        forms = value.documents if isinstance(value, RankingForm) else value
        is_input = self.form.type not in _LISTS and isinstance(forms, tuple)
        return tuple(content_part(form, folder) for form in forms) if is_input else ()

    @property
    def functions(self) -> tuple[str, ...]:
        """The names of the functions whose results the step sends."""
        results = self.form.tool_results or {}
        names = results if isinstance(results, dict) else (one.function for one in results)
        return tuple(dict.fromkeys(names))

    def references(self) -> Iterator[Reference]:
        """Yield the references to earlier answers. Raises BadReference for a malformed one."""
        form = self.form.model_dump(include={*STEP_TYPES, "parameters"}, exclude_none=True)
        return references(_as_lists(form))

    @property
    def kind(self) -> CallKind:
        """The kind of output that the step requests."""
        return _KINDS.get(self.form.type, CallKind.CHAT)

    @property
    def line(self) -> int | None:
        """The line of the file where the step begins; None if it is not known."""
        return self.scenario.source.line(("steps", self.number - 1))

    @property
    def sandbox_only(self) -> str:
        """The reason why live recordings skip this step; empty if they do not skip it."""
        return self.form.sandbox_only or ""

    @property
    def history(self) -> History:
        """Whether all earlier messages or only system messages are sent with this step."""
        return (self.form.history or self.scenario.form.history).messages

    @property
    def reasoning(self) -> CarriedReasoning | None:
        """Whether earlier reasoning is sent with this step; None if that is not set."""
        own = self.form.history.reasoning if self.form.history else None
        return own or self.scenario.form.history.reasoning

    @property
    def poll(self) -> Poll:
        """How often, and for how long, the task of an async call is polled."""
        given = [form for form in (self.scenario.form.poll, self.form.poll) if form is not None]
        poll = Poll()
        for form in given:
            poll = replace(poll, **form.model_dump(exclude_unset=True))
        return poll

    def mode(self, target: Target) -> Mode:
        """Return the mode of the call to *target*; a video is always generated by a task."""
        usual = Mode.ASYNC if self.kind is CallKind.VIDEO else self.scenario.mode(target)
        return self.form.mode or usual

    def parameters(self, target: Target) -> dict[str, Json]:
        """Return the parameters of the call to *target*; `seed: random` is not replaced yet."""
        merged = {**self.scenario.form.parameters, **target.parameters, **self.form.parameters}
        return copy.deepcopy(merged)

    def call(self, target: Target, past: Past, seed: int) -> Call:
        """Return the call of this step to *target*.

        Args:
            target: The target.
            past: The conversation before this step.
            seed: The value that replaces `random` in the parameter `seed: random`.

        Raises:
            BadScenario: A reference has no value; or the step is `tool_results`, and the previous
                reply called no function or one without a result.
        """
        parameters = self._resolved(self.parameters(target), past)
        if parameters.get("seed") == "random":
            parameters["seed"] = seed
        return Call(
            kind=self.kind,
            mode=self.mode(target),
            model=self.form.model or target.model,
            messages=self._all_messages(past),
            prompt="" if self.kind is CallKind.CHAT else self._text(self.text, past),
            inputs=() if self.kind is CallKind.CHAT else self._parts(past),
            parameters=parameters,
            poll=self.poll,
            credentials=self.form.credentials,
            endpoint=target.endpoint,
            client=target.client,
            sdk=target.sdk,
        )

    def after(self, past: Past, outcome: Outcome | None = None) -> Past:
        """Return the conversation after this step.

        A failed call adds no message. Neither does a step of another kind than a chat.

        Args:
            past: The conversation before this step.
            outcome: The outcome of its call; None if the step is not a call.
        """
        named = past.named
        if self.form.name and outcome is not None:
            named = {**named, self.form.name: outcome}
        if not self.is_call:
            return Past(past.messages + self._messages(past), named=named)
        if self.kind is not CallKind.CHAT or not isinstance(outcome, Reply):
            return Past(past.messages, outcome, named)
        text, thought = outcome.content or "", outcome.reasoning or ""
        calls, signature = outcome.tool_calls, outcome.signature
        sent = self._messages(past)
        if sent and sent[-1].role == "assistant":  # a prefix, which the answer continues
            *sent_before, prefix = sent
            text, sent = prefix.content + text, tuple(sent_before)
        answer = Message("assistant", text, calls, reasoning=thought, signature=signature)
        return Past((*past.messages, *sent, answer), outcome, named)

    def expectation(self, target: Target) -> Expectation:
        """Return what the step expects of the response of *target*.

        If the step expects an error of the target's provider, the result has only the error's code.
        """
        expect = self.form.expect
        if expect is None:
            return Expectation()
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
            states=expect.states,
        )

    def digest(self, target: Target) -> str:
        """Return a short hash of everything in this step that affects the request to *target*."""
        values = self.form.tool_results or {}
        results: Json = (
            {name: _result_text(value) for name, value in values.items()}
            if isinstance(values, dict)
            else [[one.function, one.arguments, one.result] for one in values]
        )
        content: dict[str, Json] = {"says": self.form.type, "text": self.text, "results": results}
        if self.form.messages is not None:
            content["messages"] = [*self.form.messages]
        if self.parts:
            content["parts"] = [*fingerprints(self.parts)]
        canonical = _canonical(content | self._call_options(target) if self.is_call else content)
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]

    def _call_options(self, target: Target) -> dict[str, Json]:
        places = {"endpoint": target.endpoint, "base_url": target.base_url, "sdk": target.sdk}
        if target.client is ClientKind.ASYNC:
            places["client"] = target.client.value
        reasoning = self.reasoning if self.kind is CallKind.CHAT else None
        optional = {**places, "reasoning": reasoning}
        return {
            **{name: value for name, value in optional.items() if value},
            "asked": True,
            "mode": self.mode(target),
            "parameters": self.parameters(target),
            "history": self.history if self.kind is CallKind.CHAT else "",
            "model": self.form.model,
            "credentials": self.form.credentials,
        }

    def _all_messages(self, past: Past) -> tuple[Message, ...]:
        if self.kind is not CallKind.CHAT:
            return ()
        keep_all = self.history is History.KEPT
        earlier = tuple(m for m in past.messages if keep_all or m.role == "system")
        return earlier + self._messages(past)

    def _messages(self, past: Past) -> tuple[Message, ...]:
        results = self.form.tool_results
        if self.form.messages is not None:
            return tuple(message_of(self._resolved(sent, past)) for sent in self.form.messages)
        if results is None:
            parts = self._parts(past)
            text = joined_texts(parts) if parts else self._text(self.text, past)
            return (Message(self.form.type, text, parts=parts),)
        calls = past.outcome.tool_calls if isinstance(past.outcome, Reply) else ()
        if not calls:
            self._refuse("tool_results answers nothing: the answer before it called no function")
        given = (
            self._of_functions(calls, results)
            if isinstance(results, dict)
            else (self._of_calls(calls, results))
        )
        return tuple(
            Message("tool", _result_text(self._resolved(result, past)), tool_call_id=call.id)
            for call, result in zip(calls, given, strict=True)
        )

    def _parts(self, past: Past) -> tuple[ContentPart, ...]:
        """Return the parts of the step with the values of their references."""
        return tuple(replace(part, value=self._text(part.value, past)) for part in self.parts)

    def _of_functions(self, calls: Sequence[ToolCall], results: Mapping[str, Json]) -> list[Json]:
        """Return the result of each call, by the name of its function."""
        for call in calls:
            if call.name not in results:
                given = ", ".join(results)
                self._refuse(f"the model called {call.name!r}; tool_results has only {given}")
        return [results[call.name] for call in calls]

    def _of_calls(
        self, calls: Sequence[ToolCall], results: Sequence[ToolResultForm]
    ) -> Iterator[Json]:
        """Yield the result of each call: of the first entry that fits it and is not used yet."""
        unused = [*results]
        for call in calls:
            entry = next((entry for entry in unused if _fits(entry, call)), None)
            if entry is None:
                self._refuse(
                    f"the model called {call.name}({call.arguments}); no entry of tool_results is "
                    "left for it: add one with this function, and with these arguments or none"
                )
            unused.remove(entry)
            yield entry.result

    def _text(self, text: str, past: Past) -> str:
        """Return *text* with the values of its references."""
        try:
            return resolved_text(text, past.named)
        except BadReference as error:
            self._refuse(f"step {self.number}: {error}")

    def _resolved(self, value: Any, past: Past) -> Any:
        """Return *value* with the values of its references."""
        try:
            return resolved(value, past.named)
        except BadReference as error:
            self._refuse(f"step {self.number}: {error}")

    def _refuse(self, message: str) -> NoReturn:
        raise BadScenario(message, self.scenario.path or "", self.line)


def digests(scenario: Scenario, target: Target) -> tuple[str, ...]:
    """Return the digest of each step of *scenario* for *target*.

    They are written into the cassette, so that a step that was changed later is detected.
    """
    return tuple(step.digest(target) for step in scenario.steps)


def _fits(entry: ToolResultForm, call: ToolCall) -> bool:
    """Return whether a call is of the entry's function and has the entry's arguments."""
    given = read_json(call.arguments.encode()).value
    arguments = given if isinstance(given, dict) else {}
    has_arguments = all(arguments.get(name) == v for name, v in entry.arguments.items())
    return call.name == entry.function and has_arguments


def _as_lists(value: Any) -> Json:
    """Return *value* as JSON: tuples as lists."""
    if isinstance(value, dict):
        return {name: _as_lists(item) for name, item in value.items()}
    return [_as_lists(item) for item in value] if isinstance(value, list | tuple) else value


def _result_text(result: Json) -> str:
    """Return a function's result as the text that is sent: JSON unless it is text already."""
    return result if isinstance(result, str) else _canonical(result)


def _canonical(value: Json) -> str:
    return compact(value, sort_keys=True)


def _cut(text: str) -> str:
    """Return *text* on one line, cut to 30 columns; a Chinese character takes two columns."""
    most = _COLUMNS + 1  # a character takes at least one column
    line = " ".join(text.split(None, most))[:most]
    columns = list(accumulate(map(_width, line)))
    if not columns or columns[-1] <= _COLUMNS:
        return line
    return line[: bisect_left(columns, _COLUMNS)] + "…"


def _width(character: str) -> int:
    return 2 if east_asian_width(character) in "WF" else 1
