"""The values of YAML, built faster than PyYAML does, are PyYAML's."""

from __future__ import annotations

import pytest
import yaml

from harness.cassette import safe_yaml
from harness.cassette.yaml_dialect import Loader


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a: [1, 0x1f, 1_000, 12:30:45, 1.5, .inf, ~, null, yes, true, No, 2026-01-02, '1']",
        "a: =",
        "a: 2026-01-02T03:04:05Z\nb: !!binary aGVsbG8=\n? [x]\n: 1\n",
        "base: &a {x: 1, y: [1, 2]}\nmore: {<<: *a, x: 2}\nagain: *a\n",
        "a: !!python/tuple [1, 2]\nb: !!python/unicode c\nd: !!str 12\ne: !!int '3'\n",
        "a: !!set {b, c}\nd: !!omap [e: 1]\nf: !!float 1\n",
        "1: a\ntrue: b\nnull: c\n1: again\n",
        "a: |\n  two\n  lines\nb: >-\n  folded\n  text\n",
    ],
)
def test_values_are_those_of_pyyaml(text: str) -> None:
    """Of every tag, or the same error."""
    try:
        expected = repr(yaml.load(text, Loader=Loader))  # noqa: S506 - derived from the safe one
    except yaml.YAMLError as error:
        expected = str(error)
    try:
        actual = repr(safe_yaml.load(text))
    except yaml.YAMLError as error:
        actual = str(error)
    assert actual == expected


@pytest.mark.parametrize(
    "text", ["a: !!int x\n", "? {b: 1}\n: c\n", "a: 1\na: 2\n", f"a: {'9' * 2000}\n"]
)
def test_a_value_that_cannot_be_built_is_located(text: str) -> None:
    """With its line."""
    with pytest.raises(yaml.YAMLError) as raised:
        safe_yaml.load(text)
    assert raised.value.problem_mark.line <= 1  # type: ignore[attr-defined]
