"""Which answers have to be JSON, and what is said of one that is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.analysis.endpoint import Endpoint, Role
from harness.analysis.exchange import AnalyzedExchange
from harness.providers.endpoints import recognise
from harness.rules.wire_format import body_is_json
from harness.types import Exchange

from .zhipu_exchanges import SYNC


def answered(body: bytes, kind: str) -> Exchange:
    """Return a chat whose answer has this body and this Content-Type."""
    response = replace(SYNC.response, headers=(("Content-Type", kind),), body=body)
    return replace(SYNC, response=response)


@pytest.mark.parametrize("role", [one for one in Role if one is not Role.FILE])
def test_the_answers_of_models_are_json_whatever_their_type(role: Role) -> None:
    """Those of lists of files, and of what is not checked, by their Content-Type only."""
    endpoint = recognise(SYNC)
    assert endpoint is not None
    reading = AnalyzedExchange(answered(b"<html>", "text/html"), replace(endpoint, role=role))
    is_model = role in (Role.ANSWER, Role.SUBMIT, Role.POLL)
    assert bool([*body_is_json(reading)]) is is_model


@pytest.mark.parametrize("endpoint", [None, recognise(SYNC)], ids=["unknown", "chat"])
def test_what_is_declared_as_json_is_json(endpoint: Endpoint | None) -> None:
    """Also where the endpoint is not known."""
    reading = AnalyzedExchange(answered(b'{"a":', "application/json"), endpoint)
    assert [finding.expected for finding in body_is_json(reading)] == ["JSON"]
