"""Write the JSON Schema of scenario files from their model: `python -m scripts.scenario_schema`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from harness.scenario import schema_model
from harness.scenario.schema_model import A_TEXT, DRAFT, STEP_TYPES, ScenarioForm
from harness.types import Medium

FILE = Path(schema_model.__file__).with_name("schema.json")


class _Generator(GenerateJsonSchema):
    """Pydantic's generator of JSON Schemas, without the type null.

    Pydantic allows null for a key that may be omitted, but a scenario file must not contain it.
    """

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """Return the schema of a nullable value without the null."""
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Return a schema with its default only if that is a non-empty scalar."""
        inner = self.generate_inner(schema["schema"])
        default = schema.get("default")
        is_shown = isinstance(default, (str, int, float)) and default != ""
        return {**inner, "default": self.encode_default(default)} if is_shown else inner

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Return False, so that the schema has no titles, which would repeat the keys."""
        return False


def generated() -> dict[str, Any]:
    """Return the JSON Schema of the model."""
    schema = ScenarioForm.model_json_schema(schema_generator=_Generator)
    short = {
        "type": "string",
        "description": "Provider and model, as in zhipuai/glm-5.3-flash.",
        "pattern": schema["$defs"]["TargetForm"]["properties"]["model"]["pattern"],
        "examples": ["zhipuai/glm-5.3-flash", "dashscope/qwen-flash"],
    }
    history = {"$ref": "#/$defs/History"}
    for form in (schema, schema["$defs"]["StepForm"]):
        mapping = form["properties"]["history"]
        described = {"description": mapping.pop("description")}
        form["properties"]["history"] = {"anyOf": [history, mapping], **described}
    targets = schema["properties"]["targets"]
    targets["items"] = {"anyOf": [short, targets["items"]]}
    schema["$defs"]["StepForm"]["oneOf"] = [{"required": [key]} for key in STEP_TYPES]
    schema["$defs"]["PartForm"]["oneOf"] = [{"required": [medium.value]} for medium in Medium]
    schema["$defs"]["PartForm"] = {"anyOf": [A_TEXT, schema["$defs"]["PartForm"]]}
    return {"$schema": DRAFT, **schema, "title": "Scenario"}


def text() -> str:
    """Return the content of the file."""
    return json.dumps(generated(), ensure_ascii=False, indent=2) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
