"""DashScope's multimodal endpoint from end to end: SDK, socket, cassette, replay, rules."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dashscope
import pytest
from dashscope_sdk import close_shared_sync_session

from harness import use_cassette
from harness.cassette.store import Store
from harness.providers.dashscope import PROVIDER
from harness.providers.dashscope.sandbox import KEY as DASHSCOPE_KEY
from harness.providers.recordings import read_cassette
from harness.providers.rules import check
from harness.providers.servers import PROVIDER_SERVERS
from harness.runner import Source, record, replay
from harness.scenario.files import loads
from harness.types import Failure, Origin, Reply, Target

PLACES = {
    "text": "/api/v1/services/aigc/text-generation/generation",
    "multimodal": "/api/v1/services/aigc/multimodal-generation/generation",
}
WRONG = (
    "url error, please check url！ For details, see: "
    "https://help.aliyun.com/zh/model-studio/error-code#error-url"
)
CLASSES: dict[str, Any] = {
    "text": dashscope.Generation,
    "multimodal": dashscope.MultiModalConversation,
}
MODELS = {"text": "qwen-plus", "multimodal": "qwen3.7-plus"}

SCENARIO = """\
name: seen
about: A model of the multimodal endpoint, asked in every way there is for text.
targets: [dashscope/qwen3.7-plus]
parameters:
  tools:
    - type: function
      function:
        name: get_current_weather
        parameters:
          type: object
          properties: {location: {type: string}}
          required: [location]
steps:
  - system: 回答简短。
  - user: 我叫小明
  - user: 我叫什么名字？
    mode: stream
    expect: {finish_reason: stop, contains: 小明}
  - user: 我叫什么名字？
    mode: stream
    parameters: {incremental_output: true}
    expect: {finish_reason: stop, contains: 小明}
  - user: 北京今天天气怎么样？
    expect: {finish_reason: tool_calls, tool_call: get_current_weather}
  - tool_results:
      get_current_weather: {location: 北京, temperature: 25}
    expect: {finish_reason: stop, contains: "25"}
  - user: 那上海今天天气怎么样？
    mode: stream
    parameters: {incremental_output: true}
    expect: {finish_reason: tool_calls, tool_call: get_current_weather}
  - tool_results:
      get_current_weather: {location: 上海, temperature: 31}
    mode: stream
    expect: {finish_reason: stop, contains: "31"}
  # The endpoint takes no bare prompt: the SDK's class for text sends it to the other one.
  - prompt: 你好
    expect: {failure: {dashscope: InvalidParameter}}
"""


@pytest.fixture(autouse=True)
def _own_session() -> Iterator[None]:
    """DashScope's SDK shares one session; none is left behind."""
    yield
    close_shared_sync_session()


def test_a_conversation_is_recorded_replayed_and_checked(sandbox: str, tmp_path: Path) -> None:
    """At once, streamed both ways, with tools; what the SDK showed agrees with the wire."""
    source = Source(
        Origin.SANDBOX,
        sandbox,
        key=lambda _: DASHSCOPE_KEY,
        address=lambda _: sandbox + PROVIDER_SERVERS[PROVIDER.name].prefix,
    )
    scenario, target = loads(SCENARIO), Target("dashscope", "qwen3.7-plus")
    store = Store(tmp_path)
    record(scenario, target, source, store, lambda _: None)
    transcript = replay(scenario, target, store)
    assert check(transcript) == ()
    *answered, refused = transcript.turns
    assert all(isinstance(turn.outcome, Reply) for turn in answered)
    assert isinstance(refused.outcome, Failure)
    assert refused.outcome.message == WRONG
    asked = [turn.exchanges[0].request.uri for turn in transcript.turns]
    assert all(uri.endswith(PLACES["multimodal"]) for uri in asked[:-1])
    assert asked[-1].endswith(PLACES["text"])


def content(place: str, text: str) -> Any:
    """A message's content in the form of an endpoint."""
    return text if place == "text" else [{"text": text}]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("place", CLASSES)
def test_a_model_answers_at_its_own_endpoint_only(
    sandbox: str, tmp_path: Path, place: str, model: str, stream: bool
) -> None:
    """The real SDK is refused at the other one, in the service's words, live and in a replay."""
    path = tmp_path / "tape.yaml"

    def ask(base: str) -> Any:
        answer = CLASSES[place].call(
            MODELS[model],
            messages=[{"role": "user", "content": content(place, "你好")}],
            result_format="message",
            stream=stream,
            api_key=DASHSCOPE_KEY,
            base_address=f"{base}/api/v1",
        )
        return list(answer)[-1] if stream else answer

    with use_cassette(path, record="all"):
        live = ask(sandbox)
    with use_cassette(path, record="none"):
        again = ask("http://elsewhere.invalid")
    found = read_cassette(path)
    assert check(found.transcript) == ()
    (reading,) = (one for turn in found.turns for one in turn.readings)
    assert reading.exchange.request.uri.endswith(PLACES[place])
    if place == model:
        said = live.output.choices[0].message.content
        assert said == again.output.choices[0].message.content
        assert isinstance(reading.outcome, Reply)
        assert content(place, reading.outcome.content or "") == said
    else:
        for answer in (live, again):
            told = (answer.status_code, answer.code, answer.message)
            assert told == (400, "InvalidParameter", WRONG)
        assert isinstance(reading.outcome, Failure)
        assert reading.outcome.message == WRONG
