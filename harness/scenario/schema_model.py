"""The model of a scenario file, and its JSON Schema, shipped as `harness/scenario/schema.json`.

The docstrings of the fields are the descriptions in the JSON Schema, which editors show.
"""

from __future__ import annotations

import json
import re
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Strict,
    StringConstraints,
    Tag,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from harness.scenario.yaml_source import shown
from harness.types import ClientKind, Credentials, Json, Medium, Mode, Severity, Target
from harness.wire.text import ellipsized

STEP_TYPES = (
    *("system", "user", "assistant", "prompt", "image", "video", "embedding", "rerank", "speech"),
    *("transcription", "tool_results", "messages"),
)
"""The keys that give a step its type; each step has exactly one."""

_SLUG = re.compile(r"[a-z0-9\u3400-\u9fff-]+")
_TARGET = re.compile(r"([a-z0-9_-]+)/([^\s/]\S*)")
_POINTER = re.compile(r"(/([^/~]|~[01])*)+")
_URL = re.compile(r"https?://[^\s/?#@]+(/[^\s?#]*)?")
DRAFT = "https://json-schema.org/draft/2020-12/schema"


def problem(message: str) -> PydanticCustomError:
    """Return a Pydantic error; *message* is printed after the name of the invalid value."""
    return PydanticCustomError("problem", "{message}", {"message": message})


def _matching(pattern: re.Pattern[str], expected: str) -> AfterValidator:
    """Return a validator that accepts texts that match *pattern*."""

    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise problem(f"{expected}, not {shown(value)}")
        return value

    return AfterValidator(check)


def _as_list(value: Json) -> Json:
    return [value] if isinstance(value, str) else value


def _schema(value: dict[str, Any]) -> dict[str, Any]:
    if value.get("$schema", DRAFT) != DRAFT:
        raise problem(f"is read as {DRAFT}; leave $schema out")
    from jsonschema import Draft202012Validator, SchemaError

    try:
        Draft202012Validator.check_schema(value)
    except SchemaError as error:
        detail = f"{error.json_path}: {error.message}"
        raise problem(f"is not a JSON Schema: {ellipsized(detail, 200)}") from None
    return value


def _failure(value: Json) -> Json:
    codes = list(value.values()) if isinstance(value, dict) else [value]
    for code in codes:
        if isinstance(code, (int, float)) and not isinstance(code, bool):
            raise problem(f'must be text: put quotes around the code, "{code}"')
    if not codes or not all(isinstance(code, str) and code for code in codes):
        raise problem("must be an error code, or a mapping of provider to error code")
    return value


def _content_type(value: Any) -> str:
    return PARTS_TAG if isinstance(value, list | tuple) else TEXT_TAG


def _results_type(value: Any) -> str:
    return CALLS_TAG if isinstance(value, list | tuple) else NAMES_TAG


TEXT_TAG, PARTS_TAG, NAMES_TAG, CALLS_TAG = TAGS = ("<text>", "<parts>", "<names>", "<calls>")
"""Marks of the form of a value in the places that Pydantic names; files do not have them."""

Text = Annotated[str, StringConstraints(min_length=1)]
Slug = Annotated[str, _matching(_SLUG, "may hold only a-z, 0-9, '-' and Chinese characters")]
Pointer = Annotated[str, _matching(_POINTER, "must be a JSON pointer, such as /output/text")]
Url = Annotated[str, _matching(_URL, "must be a URL, such as https://host/api/v1")]
_TARGET_NAME = "must be provider/model, such as zhipuai/glm-5.3-flash"
A_TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
_POINTER_TEXT: dict[str, Any] = {"type": "string", "pattern": f"^{_POINTER.pattern}$"}


def _one_or_many(item: dict[str, Any]) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [item, {"type": "array", "items": item, "minItems": 1}]})


class History(StrEnum):
    """The earlier messages that a call sends: all (`kept`), or only system messages (`none`)."""

    KEPT = "kept"
    NONE = "none"


class CarriedReasoning(StrEnum):
    """Whether calls send earlier reasoning back: all of it (`kept`) or none (`dropped`)."""

    KEPT = "kept"
    DROPPED = "dropped"


class Form(BaseModel):
    """A mapping in a scenario file, without unknown or empty keys."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        protected_namespaces=(),
        defer_build=True,  # most commands read no scenario
    )

    @field_validator("*", mode="before")
    @classmethod
    def _is_not_empty(cls, value: Json) -> Json:
        if value is None:
            raise problem('has no value; write "" for an empty text, or leave the key out')
        return value


class PollForm(Form):
    """The polling of an async call's task."""

    interval: Annotated[float, Strict(), Field(ge=0, le=3600, allow_inf_nan=False)] = 2.0
    """Seconds between two polls."""

    limit: Annotated[int, Strict(), Field(ge=1, le=10_000)] = 40
    """The maximum number of polls."""

    timeout: Annotated[float, Strict(), Field(gt=0, le=604_800)] | None = None
    """The maximum number of seconds from the submission to the last poll."""


class HistoryForm(Form):
    """The parts of the earlier conversation that a call sends."""

    messages: History = History.KEPT
    """The earlier messages; with `none`, only system messages."""

    reasoning: CarriedReasoning | None = None
    """Whether earlier reasoning is sent back; if not set, as the provider's documentation says."""

    @model_validator(mode="before")
    @classmethod
    def _from_short_form(cls, value: Json) -> Json:
        return {"messages": value} if isinstance(value, str) else value


class IgnoreForm(Form):
    """A rule that does not apply to this scenario."""

    rule: Text
    """The name of the rule, as reports print it."""

    reason: Text
    """The reason why the rule does not apply; reports print it."""


class TargetForm(Form):
    """A provider and model that the scenario is run against, with settings of this target."""

    model: Annotated[str, _matching(_TARGET, _TARGET_NAME)] = Field(
        examples=["zhipuai/glm-5.3-flash", "dashscope/qwen-plus"],
        json_schema_extra={"pattern": f"^{_TARGET.pattern}$"},
    )
    """Provider and model, as in zhipuai/glm-5.3-flash."""

    label: Slug = Field(default="", json_schema_extra={"pattern": f"^{_SLUG.pattern}$"})
    """Distinguishes targets of the same model; part of the cassette's file name."""

    parameters: dict[str, Any] = Field(default={}, examples=[{"incremental_output": True}])
    """Parameters for this target; they take precedence over the scenario's."""

    mode: Mode | None = None
    """The mode for this target; it takes precedence over the scenario's."""

    endpoint: Text | None = Field(default=None, examples=["multimodal"])
    """The endpoint to call, as `harness check` names it after the dot; if not set, the one of the
    model in the table of models."""

    base_url: Url | None = Field(
        default=None,
        examples=["https://dashscope-intl.aliyuncs.com/api/v1"],
        json_schema_extra={"pattern": f"^{_URL.pattern}$"},
    )
    """The base URL of the live service, for another region, a workspace or a coding plan."""

    client: ClientKind = ClientKind.SYNC
    """The SDK's client that makes the calls: its usual one, or (`async`) its asynchronous one."""

    sdk: Text | None = Field(default=None, examples=["zai-sdk"])
    """The SDK that makes the calls, by its name on PyPI, if the provider has more than one."""

    @model_validator(mode="before")
    @classmethod
    def _from_short_form(cls, value: Json) -> Json:
        if isinstance(value, str):
            return {"model": value}
        if not isinstance(value, dict):
            raise problem(f"{_TARGET_NAME}, or a mapping")
        return value

    @property
    def target(self) -> Target:
        """The target as a `harness.types.Target`."""
        provider, _, model = self.model.partition("/")
        places = (self.endpoint or "", self.base_url or "")
        own = (self.client, self.sdk or "")
        return Target(provider, model, self.label, self.parameters, *places, *own)


class PartForm(Form):
    """One part of a message or input: exactly one of text, image, audio, video."""

    text: Text | None = None
    """A text."""

    image: Text | None = Field(default=None, examples=["kitten.png", "https://host/kitten.png"])
    """An image: a URL, or a file relative to the scenario."""

    audio: Text | None = Field(default=None, examples=["hello.wav"])
    """An audio: a URL, or a file relative to the scenario."""

    video: Text | None = Field(default=None, examples=["https://host/film.mp4"])
    """A video: a URL, or a file relative to the scenario."""

    cache_control: dict[str, Any] | None = Field(default=None, examples=[{"type": "ephemeral"}])
    """Marks the end of a prefix that the service caches."""

    options: dict[str, Any] = Field(default={}, examples=[{"min_pixels": 3136}])
    """Further members of the part, sent unchanged."""

    @model_validator(mode="before")
    @classmethod
    def _from_short_form(cls, value: Json) -> Json:
        return {"text": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _has_one_medium(self) -> PartForm:
        given = [medium for medium in Medium if getattr(self, medium) is not None]
        if len(given) != 1:
            held = " and ".join(given) or "none of them"
            raise problem(f"must hold exactly one of {', '.join(Medium)}; it holds {held}")
        return self

    @property
    def medium(self) -> Medium:
        """The medium of the part: which of `text`, `image`, `audio` and `video` is set."""
        return next(medium for medium in Medium if getattr(self, medium) is not None)

    @property
    def members(self) -> dict[str, Any]:
        """Further members that the part has in a request, such as `cache_control`."""
        cached = {"cache_control": self.cache_control} if self.cache_control is not None else {}
        return {**self.options, **cached}


Parts = Annotated[tuple[PartForm, ...], Field(min_length=1, max_length=100)]
Content = Annotated[
    Annotated[str, Tag(TEXT_TAG)] | Annotated[Parts, Tag(PARTS_TAG)], Discriminator(_content_type)
]
"""The content of a message: a text, or a list of parts."""

Instruction = Annotated[
    Annotated[Text, Tag(TEXT_TAG)] | Annotated[Parts, Tag(PARTS_TAG)], Discriminator(_content_type)
]
"""The content of a system message, which is not empty."""


class RankingForm(Form):
    """Documents to rank by their relevance to a query."""

    query: Text = Field(examples=["什么是向量检索？"])
    """The query."""

    documents: Parts
    """The documents: texts, or images and videos for a model that ranks these."""


class ToolResultForm(Form):
    """The result of one call of a function."""

    function: Text = Field(examples=["get_current_weather"])
    """The name of the function."""

    arguments: dict[str, Any] = Field(default={}, examples=[{"location": "北京"}])
    """Arguments that the call must have; it may have others. Without them, any call fits."""

    result: Any = Field(examples=[{"temperature": 25}])
    """The result: text or any JSON value."""


Results = Annotated[
    Annotated[dict[str, Any], Field(min_length=1), Tag(NAMES_TAG)]
    | Annotated[tuple[ToolResultForm, ...], Field(min_length=1), Tag(CALLS_TAG)],
    Discriminator(_results_type),
]
"""Results of functions by name, or a list of the results of calls."""


class ExpectForm(Form):
    """The expectations of the response."""

    finish_reason: Text | None = Field(default=None, examples=["stop", "tool_calls"])
    """The finish reason that the response must have."""

    contains: Annotated[tuple[Text, ...], BeforeValidator(_as_list), _one_or_many(A_TEXT)] = Field(
        default=(), min_length=1, examples=["智谱", ["晴", "25"]]
    )
    """A text, or several, that the response must contain."""

    json_schema: Annotated[dict[str, Any], AfterValidator(_schema)] | None = None
    """A JSON Schema (draft 2020-12) for the text of the response, read as JSON."""

    pointer: Annotated[
        tuple[Pointer, ...], BeforeValidator(_as_list), _one_or_many(_POINTER_TEXT)
    ] = Field(default=(), min_length=1, examples=["/usage/total_tokens"])
    """A JSON pointer, or several, that must exist in the response body."""

    tool_call: Text | None = Field(default=None, examples=["get_current_weather"])
    """The name of a function that the model must call."""

    states: tuple[Text, ...] = Field(default=(), examples=[["PENDING", "RUNNING", "SUCCEEDED"]])
    """The states of the task in order, each once however often it was polled."""

    failure: Annotated[str | dict[str, str], BeforeValidator(_failure)] | None = Field(
        default=None, examples=["1211", {"zhipuai": "1211", "dashscope": "InvalidParameter"}]
    )
    """The error code of the expected failure, or a mapping of provider to error code, as text."""


class StepForm(Form):
    """One step, which has exactly one of the keys that give it its type, such as `user`."""

    system: Instruction | None = None
    """An instruction to the model, sent with the next call: a text, or a list of parts."""

    user: Content | None = None
    """A message of the user: a text, or a list of parts. The step is a call, unless the next step
    is assistant."""

    assistant: Text | None = None
    """A scripted answer; sent with the next call."""

    prompt: str | None = None
    """The text of a prompt, which is sent without messages."""

    image: Content | None = None
    """The description of an image to generate; in a list of parts, also the images to edit."""

    video: Content | None = None
    """The description of a video to generate by a task; in a list of parts, also its images."""

    embedding: Content | None = Field(default=None, examples=["你好", ["你好", "再见"]])
    """The text to embed, or a list of texts, images and videos."""

    rerank: RankingForm | None = None
    """A query, and documents to rank by their relevance to it."""

    speech: Text | None = None
    """The text to speak."""

    transcription: Text | None = Field(default=None, examples=["hello.wav"])
    """The audio whose words to write down: a URL, or a file relative to the scenario."""

    tool_results: Results | None = Field(
        default=None, examples=[{"get_current_weather": {"temperature": 25}}]
    )
    """The result of each function that the model may call: text or any JSON value. Or a list, of
    which each call gets the first entry that fits it and that no call before it got."""

    messages: Annotated[tuple[dict[str, Any], ...], Field(min_length=1)] | None = Field(
        default=None, examples=[[{"role": "user", "content": "你好"}]]
    )
    """Messages as JSON in OpenAI's format, which are translated where a provider has another one;
    whatever is in the provider's own format is sent unchanged. The step is a call."""

    name: Slug | None = Field(default=None, examples=["first"])
    """The name by which later steps refer to the answer, as in {{ steps.first.content }}."""

    mode: Mode | None = None
    """The mode of this step; it takes precedence over the target's and the scenario's."""

    parameters: dict[str, Any] = Field(default={}, examples=[{"temperature": 0.1}])
    """Parameters of this step; they take precedence over the target's and the scenario's."""

    history: HistoryForm | None = None
    """The earlier messages that this step sends; it takes precedence over the scenario's."""

    poll: PollForm | None = None
    """The polling of this step's task; it takes precedence over the scenario's poll."""

    expect: ExpectForm | None = None
    """The expectations of the response to this step."""

    credentials: Credentials = Credentials.OWN
    """The API key to send: the user's own, or (`wrong`) a well-formed but invalid one."""

    model: Text | None = Field(default=None, examples=["no-such-model"])
    """The model to call instead of the target's."""

    download: bool = True
    """Whether the images of the answer are downloaded."""

    sandbox_only: Text | None = None
    """The reason why this step can be recorded only from the sandbox; live recordings skip it."""

    @model_validator(mode="after")
    def _has_one_type(self) -> StepForm:
        types = self.types()
        if len(types) != 1:
            held = " and ".join(types) or "none of them"
            raise problem(f"must hold exactly one of {', '.join(STEP_TYPES)}; it holds {held}")
        return self

    def types(self) -> tuple[str, ...]:
        """Return the keys that give this step its type: exactly one in a valid step."""
        return tuple(key for key in STEP_TYPES if getattr(self, key) is not None)

    @cached_property
    def type(self) -> str:
        """The key that gives this step its type, such as `user`."""
        return next(key for key in STEP_TYPES if getattr(self, key) is not None)

    @property
    def options(self) -> tuple[str, ...]:
        """The keys of this step in the file besides the one that gives its type."""
        given = self.model_fields_set.difference(STEP_TYPES)
        return tuple(key for key in StepForm.model_fields if key in given)


class ScenarioForm(Form):
    """A conversation with LLM APIs that is recorded once and replayed offline."""

    name: Slug = Field(
        examples=["weather-tool"], json_schema_extra={"pattern": f"^{_SLUG.pattern}$"}
    )
    """The name of the scenario: the file name without .yaml."""

    about: str = ""
    """The purpose of the conversation, for readers."""

    parent: Text | None = Field(default=None, examples=["multi-turn/zhipuai-glm-5.3-flash@3"])
    """The recording that this conversation continues, and the turn from which on it differs."""

    targets: tuple[TargetForm, ...] = Field(min_length=1, max_length=100)
    """The targets; each is run through the whole conversation."""

    steps: tuple[StepForm, ...] = Field(min_length=1, max_length=1000)
    """The steps of the conversation."""

    parameters: dict[str, Any] = Field(
        default={}, examples=[{"temperature": 0.1, "seed": "random"}]
    )
    """Parameters of every call, passed on unchanged; `seed: random` is a new seed in each run."""

    mode: Mode = Mode.SYNC
    """The delivery of responses: in one body, as a stream, or by an async task that is polled."""

    history: HistoryForm = HistoryForm()
    """The earlier messages that each step sends, `kept` or `none` (then steps are independent); or
    a mapping that also says whether earlier reasoning is sent back."""

    poll: PollForm = PollForm()
    """The polling of tasks."""

    volatile: tuple[Pointer, ...] = Field(
        default=(), examples=[["/parameters/seed"]], json_schema_extra={"items": _POINTER_TEXT}
    )
    """JSON pointers into request bodies that are ignored when requests are matched."""

    ignore: tuple[IgnoreForm, ...] = ()
    """Rules that do not apply, each with its reason."""

    select: tuple[Text, ...] = Field(default=(), examples=[["usage_adds_up"]])
    """The names of the rules that apply; all rules apply if it is empty."""

    severity: dict[str, Severity] = Field(
        default={}, examples=[{"tool_calls_finish_as_such": "error"}]
    )
    """The severity of each named rule, which replaces the rule's own."""


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of scenario files, which `scripts/scenario_schema.py` wrote."""
    text = Path(__file__).with_name("schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema
