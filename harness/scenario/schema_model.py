"""A scenario as it is written in YAML: which keys there are, what they hold and what they mean.

The texts under the keys are what the shipped JSON Schema and an editor show.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Any

from jsonschema import Draft202012Validator, SchemaError
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    StringConstraints,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from harness.scenario.yaml_source import cut, shown
from harness.types import Credentials, LooseJson, Mode, Severity, Target

WORDS = ("system", "user", "assistant", "prompt", "image", "tool_results")
"""The keys of which every step holds exactly one."""

_SLUG = re.compile(r"[a-z0-9-]+")
_TARGET = re.compile(r"([a-z0-9_-]+)/([^\s/]\S*)")
_POINTER = re.compile(r"(/([^/~]|~[01])*)+")
DRAFT = "https://json-schema.org/draft/2020-12/schema"


def problem(message: str) -> PydanticCustomError:
    """Something wrong with a value, in words that can follow the value's name."""
    return PydanticCustomError("problem", "{message}", {"message": message})


def _slug(value: str) -> str:
    if not _SLUG.fullmatch(value):
        raise problem(f"may hold only a-z, 0-9 and '-', not {shown(value)}")
    return value


def _target(value: str) -> str:
    if not _TARGET.fullmatch(value):
        raise problem(f"must be provider/model, such as zhipuai/glm-4, not {shown(value)}")
    return value


def _pointer(value: str) -> str:
    if not _POINTER.fullmatch(value):
        raise problem(f"must be a JSON pointer, such as /output/text, not {shown(value)}")
    return value


def _many(value: LooseJson) -> LooseJson:
    return [value] if isinstance(value, str) else value


def _schema(value: dict[str, Any]) -> dict[str, Any]:
    if value.get("$schema", DRAFT) != DRAFT:
        raise problem(f"is read as {DRAFT}; leave $schema out")
    try:
        Draft202012Validator.check_schema(value)
    except SchemaError as error:
        told = f"{error.json_path}: {error.message}"
        raise problem(f"is not a JSON Schema: {cut(told, 200)}") from None
    return value


def _failure(value: LooseJson) -> LooseJson:
    codes = list(value.values()) if isinstance(value, dict) else [value]
    for code in codes:
        if isinstance(code, (int, float)) and not isinstance(code, bool):
            raise problem(f'must be text: put quotes around the code, "{code}"')
    if not codes or not all(isinstance(code, str) and code for code in codes):
        raise problem("must be an error code, or a mapping of provider to error code")
    return value


Text = Annotated[str, StringConstraints(min_length=1)]
Slug = Annotated[str, AfterValidator(_slug)]
Pointer = Annotated[str, AfterValidator(_pointer)]
_TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
_POINTER_TEXT: dict[str, Any] = {"type": "string", "pattern": f"^{_POINTER.pattern}$"}


def _one_or_many(item: dict[str, Any]) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [item, {"type": "array", "items": item, "minItems": 1}]})


class History(StrEnum):
    """What of the conversation so far is sent along: all of it, or only the system lines."""

    KEPT = "kept"
    NONE = "none"


class Form(BaseModel):
    """A mapping in a scenario file: frozen, without unknown keys and without empty ones."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, protected_namespaces=()
    )

    @field_validator("*", mode="before")
    @classmethod
    def _holds_something(cls, value: LooseJson) -> LooseJson:
        if value is None:
            raise problem('has no value; write "" for an empty text, or leave the key out')
        return value


class PollForm(Form):
    """How to wait for a task."""

    interval: Annotated[float, Strict(), Field(ge=0, le=3600, allow_inf_nan=False)] = 2.0
    """Seconds between two questions after the task's state."""

    limit: Annotated[int, Strict(), Field(ge=1, le=10_000)] = 40
    """How many times to ask at most."""


class IgnoreForm(Form):
    """A rule that does not apply to this scenario."""

    rule: Text
    """The rule's name, as a report prints it."""

    reason: Text
    """Why it does not apply; reports print it."""


class TargetForm(Form):
    """Whom to ask, where provider/model alone does not say it all."""

    model: Annotated[str, AfterValidator(_target)] = Field(
        examples=["zhipuai/glm-4", "dashscope/qwen-plus"],
        json_schema_extra={"pattern": f"^{_TARGET.pattern}$"},
    )
    """Provider and model, as in zhipuai/glm-4."""

    label: Slug = Field(default="", json_schema_extra={"pattern": f"^{_SLUG.pattern}$"})
    """Tells two targets with the same model apart; part of the cassette's file name."""

    parameters: dict[str, Any] = Field(default={}, examples=[{"incremental_output": True}])
    """Parameters for this target; they win over the scenario's."""

    mode: Mode | None = None
    """The mode for this target; it wins over the scenario's."""

    @model_validator(mode="before")
    @classmethod
    def _written_short(cls, value: LooseJson) -> LooseJson:
        if isinstance(value, str):
            return {"model": value}
        if not isinstance(value, dict):
            raise problem("must be provider/model, such as zhipuai/glm-4, or a mapping")
        return value

    @property
    def target(self) -> Target:
        """The target as the rest of the harness knows it."""
        provider, _, model = self.model.partition("/")
        return Target(provider, model, self.label, self.parameters)


class ExpectForm(Form):
    """What must hold of the answer."""

    finish_reason: Text | None = Field(default=None, examples=["stop", "tool_calls"])
    """Why the model stopped."""

    contains: Annotated[tuple[Text, ...], BeforeValidator(_many), _one_or_many(_TEXT)] = Field(
        default=(), min_length=1, examples=["智谱", ["晴", "25"]]
    )
    """A text, or several, that the answer must contain."""

    json_schema: Annotated[dict[str, Any], AfterValidator(_schema)] | None = None
    """A JSON Schema (draft 2020-12) for the answer's text, read as JSON."""

    pointer: Annotated[tuple[Pointer, ...], BeforeValidator(_many), _one_or_many(_POINTER_TEXT)] = (
        Field(default=(), min_length=1, examples=["/usage/total_tokens"])
    )
    """A JSON pointer, or several, that must lead somewhere in the answer's body."""

    tool_call: Text | None = Field(default=None, examples=["get_current_weather"])
    """A function the model must call."""

    failure: Annotated[str | dict[str, str], BeforeValidator(_failure)] | None = Field(
        default=None, examples=["1211", {"zhipuai": "1211", "dashscope": "InvalidParameter"}]
    )
    """The error code of the expected refusal, or one for each provider. Codes are text."""


class StepForm(Form):
    """One line of the conversation: exactly one of system, user, assistant, prompt, image and
    tool_results, and how to ask it."""

    system: Text | None = None
    """An instruction to the model; sent along, not asked."""

    user: str | None = None
    """What the user says. It is asked, unless the next step is assistant."""

    assistant: Text | None = None
    """A scripted answer; sent along, not asked."""

    prompt: str | None = None
    """A question asked on its own as a bare prompt, without messages."""

    image: str | None = None
    """A picture to draw, described."""

    tool_results: dict[str, Any] | None = Field(
        default=None, min_length=1, examples=[{"get_current_weather": {"temperature": 25}}]
    )
    """For each function the model may have called its result: text, or anything JSON can say."""

    mode: Mode | None = None
    """The mode of this step; it wins over the target's and the scenario's."""

    parameters: dict[str, Any] = Field(default={}, examples=[{"temperature": 0.1}])
    """Parameters for this step; they win over the target's and the scenario's."""

    history: History | None = None
    """What of the conversation so far this step sends along."""

    poll: PollForm | None = None
    """How to wait for this step's task."""

    expect: ExpectForm | None = None
    """What must hold of the answer to this step."""

    credentials: Credentials = Credentials.OWN
    """wrong sends a well-formed key that nobody owns."""

    model: Text | None = Field(default=None, examples=["no-such-model"])
    """Asks another model than the target's."""

    sandbox_only: Text | None = None
    """Why this step can only be recorded from the sandbox; live recordings leave it out."""

    @model_validator(mode="after")
    def _says_one_thing(self) -> StepForm:
        said = self.words()
        if len(said) != 1:
            held = " and ".join(said) or "none of them"
            raise problem(f"must hold exactly one of {', '.join(WORDS)}; it holds {held}")
        return self

    def words(self) -> tuple[str, ...]:
        """The keys that say what kind of step this is: exactly one, once validated."""
        return tuple(word for word in WORDS if getattr(self, word) is not None)

    @property
    def word(self) -> str:
        """The key that says what kind of step this is."""
        return self.words()[0]

    @property
    def options(self) -> tuple[str, ...]:
        """The other keys that were written."""
        given = self.model_fields_set.difference(WORDS)
        return tuple(key for key in type(self).model_fields if key in given)


class ScenarioForm(Form):
    """A conversation with LLM APIs, to be recorded once and replayed from then on."""

    name: Slug = Field(
        examples=["weather-tool"], json_schema_extra={"pattern": f"^{_SLUG.pattern}$"}
    )
    """The scenario's name: the file's name without .yaml."""

    about: str = ""
    """What this conversation is there to show, for people."""

    targets: tuple[TargetForm, ...] = Field(min_length=1, max_length=100)
    """Whom to ask; each target plays the whole conversation."""

    steps: tuple[StepForm, ...] = Field(min_length=1, max_length=1000)
    """The conversation, line by line."""

    parameters: dict[str, Any] = Field(
        default={}, examples=[{"temperature": 0.1, "seed": "random"}]
    )
    """Parameters for every call, passed on as they are; seed: random is a new one each run."""

    mode: Mode = Mode.SYNC
    """How answers are delivered: at once, as a stream, or as an async task that is polled."""

    history: History = History.KEPT
    """What of the conversation so far each step sends along; none makes every step a new one."""

    poll: PollForm = PollForm()
    """How to wait for tasks."""

    volatile: tuple[Pointer, ...] = Field(
        default=(), examples=[["/parameters/seed"]], json_schema_extra={"items": _POINTER_TEXT}
    )
    """JSON pointers into the request body; what they lead to does not count in a look-up."""

    ignore: tuple[IgnoreForm, ...] = ()
    """Rules that do not apply here, each with its reason."""

    select: tuple[Text, ...] = Field(default=(), examples=[["usage_adds_up"]])
    """If any rules are named, only these apply here."""

    severity: dict[str, Severity] = Field(
        default={}, examples=[{"tool_calls_finish_as_such": "error"}]
    )
    """Rules that weigh more, or less, here than elsewhere."""
