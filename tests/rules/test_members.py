"""Names of members that are nearly those of documented ones."""

from __future__ import annotations

import pytest

from harness.rules.members import misspelt

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
