"""Contract files: read back whole, or refused with one message that names file and line."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from contracts.recorded import SHIPPED, learn, named
from harness.cassette import store
from harness.contracts.files import dumps, loads
from harness.errors import BadContract

READ = tuple(map(named, store.find([SHIPPED])[:4]))
TEXT = dumps(learn(READ))
LINES = TEXT.splitlines()


def refusal(text: str | bytes) -> str:
    """The one line with which a file is refused."""
    with pytest.raises(BadContract) as caught:
        loads(text, "mine.yaml")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_schemas_in_the_file_are_json_schema() -> None:
    """With their evidence beside them."""
    values = yaml.safe_load(TEXT)
    every = [part["schema"] for listed in values["endpoints"].values() for part in listed.values()]
    assert every
    for schema in every:
        Draft202012Validator.check_schema(schema)
        assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        assert schema["x-exchanges"]
        assert schema["x-cites"]


def test_no_content_is_told() -> None:
    """Neither what was asked and answered nor ids; and no path of anybody's disk."""
    for _, read in READ:
        for reading in read.readings:
            outcome = reading.outcome
            for said in (getattr(outcome, "content", ""), getattr(outcome, "id", "")):
                assert not said or said not in TEXT
    assert str(SHIPPED) not in TEXT


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "",
            "mine.yaml: not a contract: expected `format: llm-conv",
        ),
        ("[1", "mine.yaml:2: not YAML: "),
        ("interactions: []\nversion: 1\n", "mine.yaml: not a contract: expected"),
        (
            TEXT.replace("version: 1", "version: 2"),
            "mine.yaml:4: version: expected version 1, actual 2",
        ),
        (TEXT.replace("x-exchanges:", "x-exchange:", 1), "expected a mapping, actual NoneType"),
        (TEXT.replace("of: ", "of: -", 1), "expected a count, actual -"),
    ],
)
def test_what_is_no_contract(text: str, message: str) -> None:
    """Each is refused in words."""
    assert message in refusal(text)


def test_a_contract_changed_by_hand() -> None:
    """What does not follow from the evidence is refused by its line."""
    number, line = next((n, text) for n, text in enumerate(LINES, 1) if "required: [" in text)
    changed = "\n".join([*LINES[: number - 1], line.replace("[", "[zzz, "), *LINES[number:]])
    values = refusal(changed + "\n")
    assert values.startswith(f"mine.yaml:{number}: ")
    assert "does not follow from the evidence" in values
    assert values.endswith("harness contract accept")


@pytest.mark.slow
@settings(max_examples=25)
@given(
    st.binary(max_size=60)
    | st.tuples(st.integers(0, len(TEXT)), st.integers(0, 40), st.text(max_size=8)).map(
        lambda cut: TEXT[: cut[0]] + cut[2] + TEXT[cut[0] + cut[1] :]
    )
)
def test_any_bytes(text: str | bytes) -> None:
    """Are read or refused, and nothing else is raised; what is read can be written."""
    try:
        contract = loads(text, "mine.yaml")
    except BadContract as error:
        values = str(error)
    else:
        values = "mine.yaml"
        assert loads(dumps(contract)) == contract
    assert values.startswith("mine.yaml")
