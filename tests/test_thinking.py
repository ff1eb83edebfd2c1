"""Earlier reasoning from end to end: sent back where the provider wants it, or as asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dashscope.api_entities.http_request import close_shared_sync_session

from harness.analysis.transcript import analyze
from harness.cassette.store import Store
from harness.errors import Unsupported
from harness.providers import PROVIDERS, endpoints
from harness.providers.rules import check
from harness.providers.servers import PROVIDER_SERVERS
from harness.rules.rule import messages
from harness.runner import Source, record, replay, supported_provider
from harness.scenario.files import loads
from harness.types import Origin

SCENARIO = """\
name: two
targets:
  - model: {model}
    parameters: {{{parameters}}}
{history}
steps:
  - user: 我叫小明
  - user: 我叫什么名字？
"""


@pytest.fixture(autouse=True)
def _own_session() -> Iterator[None]:
    """DashScope's SDK shares one session; none is left behind."""
    yield
    close_shared_sync_session()


def source(base: str) -> Source:
    """The sandbox as a source of recordings."""
    return Source(
        Origin.SANDBOX,
        base,
        key=lambda provider: PROVIDER_SERVERS[provider.name].key,
        address=lambda provider: base + PROVIDER_SERVERS[provider.name].prefix,
    )


@pytest.mark.parametrize(
    ("model", "parameters", "history", "carried"),
    [
        ("zhipuai/glm-5.3", "", "", False),
        ("zhipuai/glm-5.3", "thinking: {type: enabled, clear_thinking: false}", "", True),
        ("zhipuai/glm-5.3", "", "history: {reasoning: kept}", True),
        ("dashscope/qwen3.7-plus", "", "", False),
        ("dashscope/qwen3.7-plus", "preserve_thinking: true", "", True),
        ("dashscope/qwen3.8-max", "", "", True),
        ("dashscope/qwen3.8-max", "", "history: {reasoning: dropped}", False),
        ("dashscope/qwen3.8-max", "", "history: {messages: none}", False),
    ],
)
def test_earlier_reasoning(
    sandbox: str, tmp_path: Path, model: str, parameters: str, history: str, carried: bool
) -> None:
    """It stands in the earlier answer, unchanged; no rule objects."""
    scenario = loads(SCENARIO.format(model=model, parameters=parameters, history=history))
    (target,) = scenario.targets
    store = Store(tmp_path)
    record(scenario, target, source(sandbox), store, lambda _: None)
    transcript = replay(scenario, target, store)
    assert check(transcript) == ()
    first, second = analyze(transcript, endpoints.recognise).readings
    sent: list[Any] = messages(second)[1]
    reasoning = [message.get("reasoning_content") for message in sent[:-1]]
    assert first.outcome is not None
    thought = getattr(first.outcome, "reasoning", None)
    assert thought
    assert (thought in reasoning) is carried


def test_an_endpoint_and_an_address_of_ones_own() -> None:
    """A target may name both; an endpoint that the provider does not have is refused."""
    text = SCENARIO.format(model="dashscope/qwen-new", parameters="", history="")
    own = text.replace(
        "    parameters",
        "    endpoint: multimodal\n    base_url: https://ws1.eu.maas.aliyuncs.com/api/v1\n"
        "    parameters",
    )
    (target,) = loads(own).targets
    assert (target.endpoint, target.base_url) == (
        "multimodal",
        "https://ws1.eu.maas.aliyuncs.com/api/v1",
    )
    assert supported_provider(loads(own), target) is PROVIDERS["dashscope"]
    wrong = loads(own.replace("endpoint: multimodal", "endpoint: somewhere"))
    with pytest.raises(Unsupported, match="dashscope has no endpoint 'somewhere'; there are: gen"):
        supported_provider(wrong, wrong.targets[0])
