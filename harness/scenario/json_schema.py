"""The JSON Schema of scenario files, for editors; shipped as `harness/scenario.schema.json`."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from harness.scenario.schema_model import DRAFT, WORDS, ScenarioForm


class _FileForm(GenerateJsonSchema):
    """Pydantic's schema without what YAML never holds: null for a key that was left out."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        plain = self.generate_inner(schema["schema"])
        default = schema.get("default")
        told = isinstance(default, (str, int, float)) and default != ""
        return {**plain, "default": self.encode_default(default)} if told else plain

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a scenario file."""
    schema = ScenarioForm.model_json_schema(schema_generator=_FileForm)
    short = {
        "type": "string",
        "description": "Provider and model, as in zhipuai/glm-4.",
        "pattern": schema["$defs"]["TargetForm"]["properties"]["model"]["pattern"],
        "examples": ["zhipuai/glm-4", "dashscope/qwen-flash"],
    }
    targets = schema["properties"]["targets"]
    targets["items"] = {"anyOf": [short, targets["items"]]}
    schema["$defs"]["StepForm"]["oneOf"] = [{"required": [word]} for word in WORDS]
    return {"$schema": DRAFT, **schema, "title": "Scenario"}
