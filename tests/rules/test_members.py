"""The documented members of answers, and names that are nearly those of documented ones."""

from __future__ import annotations

import re

import pytest

from harness.analysis.endpoint import Endpoint, Fields, Role
from harness.rules.members import documented, misspelt

OF_USAGE = "prompt_tokens_details"


@pytest.mark.parametrize(
    "name", ["promptTokensDetails", "prompt_token_details", "prmopt_tokens_details"]
)
def test_a_name_with_other_letters_is_misspelt(name: str) -> None:
    """Programs that read the documented name find nothing."""
    assert list(misspelt({name: {}}, {OF_USAGE: {}})) == [(f"/{name}", OF_USAGE)]


@pytest.mark.parametrize("name", ["input_tokens_details", "output_tokens_details", "promptCount"])
def test_a_name_with_another_word_is_new(name: str) -> None:
    """Services add such fields, and have always had them under this name."""
    assert list(misspelt({name: {}}, {OF_USAGE: {}})) == []


def test_members_are_documented_by_schemas_and_by_locations() -> None:
    """Of the answer's schema, and of locations that are one pointer or several."""
    fields = Fields(choices="/choices", content=("/choices/0/text", "/message"))
    schema = {"properties": {"id": {"type": "string"}}}
    chat = Endpoint("chat", "POST", re.compile("/chat"), Role.ANSWER, schema, {}, fields=fields)
    assert documented(chat) == {"id": {}, "choices": {"[]": {"text": {}}}, "message": {}}
    assert documented(chat, "/choices/0") == {"text": {}}
