"""The model: the same reply to the same request, and another one if the history is lost."""

from __future__ import annotations

import json

import pytest

from .client import WEATHER, Dash, Zhipu, assistant, conversation, user


def test_the_same_request_gets_the_same_reply(zhipu: Zhipu) -> None:
    """Two recordings of one conversation differ in ids and times only."""
    assert zhipu.says("怎样学好数学？", seed=1) == zhipu.says("怎样学好数学？", seed=1)


def test_the_seed_changes_the_reply(zhipu: Zhipu) -> None:
    """Among 12 seeds there is more than one reply."""
    assert len({zhipu.says("怎样学好数学？", seed=n) for n in range(12)}) > 1


def test_ids_in_the_request_do_not_change_the_reply(zhipu: Zhipu) -> None:
    """The client's ids are not part of the question."""
    plain = zhipu.says("怎样学好数学？")
    assert zhipu.says("怎样学好数学？", request_id="mine-1", user_id="me") == plain


@pytest.mark.parametrize(
    ("earlier", "question", "remembered"),
    [
        ("你好，我叫小明", "我叫什么名字？", "小明"),
        ("My name is Alice.", "What is my name?", "Alice"),
        ("我最喜欢的水果是芒果", "我最喜欢的水果是什么？", "芒果"),
        ("给我讲讲长城", "我问了几个问题？", "2"),
        ("给我讲讲长城", "我的第一个问题是什么？", "长城"),
        ("给我讲讲长城", "它有多长？", "第 2 个问题；您先前说过：“给我讲讲长城”"),
    ],
)
def test_a_lost_history_changes_the_reply(
    zhipu: Zhipu, earlier: str, question: str, remembered: str
) -> None:
    """Earlier messages are quoted, which is impossible if they were not sent."""
    assert remembered in zhipu.says(earlier, "好的。", question)
    assert remembered not in zhipu.says(question)


def test_the_slogan_is_for_the_product_that_was_named(zhipu: Zhipu) -> None:
    """The conversation in the provider's documentation works."""
    first = "作为一名营销专家，请为我的产品创作一个吸引人的口号"
    second = zhipu.says(first)
    assert "请告诉我一些关于您产品的信息" in second
    assert "智谱AI开放平台，" in zhipu.says(first, second, "智谱AI开放平台")


def test_a_fairy_tale_has_a_few_hundred_characters(zhipu: Zhipu) -> None:
    """It is about the hero in the question."""
    story = zhipu.says("请讲一个关于小河马的童话")
    assert 200 < len(story) < 900
    assert story.count("小河马") > 3


def test_json_mode_returns_an_object(zhipu: Zhipu, dash: Dash) -> None:
    """The parameter response_format asks for it at both providers."""
    wanted = {"type": "json_object"}
    assert isinstance(json.loads(zhipu.says("介绍北京", response_format=wanted)), dict)
    text = dash.generate("介绍北京", response_format=wanted).json()["output"]["text"]
    assert json.loads(text)["question"] == "介绍北京"


def test_json_follows_the_schema_in_the_request(zhipu: Zhipu) -> None:
    """The required properties are filled from the question."""
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "n": {"type": "integer"}},
        "required": ["city", "n"],
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "city", "schema": schema}}
    text = zhipu.says("上海怎么样？", response_format=wanted)
    assert json.loads(text) == {"city": "上海", "n": 1}


def test_max_tokens_cuts_the_text_off(zhipu: Zhipu, dash: Dash) -> None:
    """The rest is the beginning of the whole text, and finish_reason is "length"."""
    whole = zhipu.says("讲一个童话")
    cut = zhipu.chat([user("讲一个童话")], max_tokens=10).json()
    choice = cut["choices"][0]
    assert choice["finish_reason"] == "length"
    assert whole.startswith(choice["message"]["content"])
    assert cut["usage"]["completion_tokens"] == 10
    output = dash.generate("讲一个童话", max_tokens=10).json()["output"]
    assert (output["finish_reason"], len(output["text"]) < 30) == ("length", True)


def test_a_stop_word_ends_the_text(zhipu: Zhipu) -> None:
    """The text ends before the stop word."""
    assert zhipu.says("中国的首都是哪里？", stop=["北京"]) == "中国的首都是"


def test_usage_adds_up_and_follows_the_text(zhipu: Zhipu) -> None:
    """More messages cost more to read; a longer text costs more to write."""
    short = zhipu.chat([user("你好")]).json()["usage"]
    long = zhipu.chat([*conversation("你好", "你好！"), user("讲一个童话")]).json()["usage"]
    for usage in (short, long):
        assert usage["prompt_tokens"] + usage["completion_tokens"] == usage["total_tokens"]
    assert short["prompt_tokens"] < long["prompt_tokens"]
    assert short["completion_tokens"] < long["completion_tokens"]


@pytest.mark.parametrize(
    ("question", "city"),
    [("北京今天天气怎么样？", "北京"), ("What's the weather in Beijing?", "Beijing")],
)
def test_a_tool_that_fits_is_called(zhipu: Zhipu, question: str, city: str) -> None:
    """Every required property is filled: by the text, by the first value, by the bounds."""
    message = zhipu.chat([user(question)], tools=[WEATHER]).json()["choices"][0]["message"]
    function = message["tool_calls"][0]["function"]
    assert function["name"] == "get_weather"
    assert json.loads(function["arguments"]) == {"city": city, "unit": "celsius", "days": 2}


def test_a_tool_that_does_not_fit_is_not_called(zhipu: Zhipu) -> None:
    """A greeting calls no tool, and neither does a choice of none."""
    for question, choice in (("你好", "auto"), ("北京天气？", "none")):
        answer = zhipu.chat([user(question)], tools=[WEATHER], tool_choice=choice).json()
        assert answer["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    ("question", "choice", "amounts"),
    [
        ("100 元和 200 元换成多少美元？", "auto", [100, 200]),
        ("2026 年 5 月我要去巴黎", "auto", [2026]),
        ("你好", "required", [1]),
    ],
)
def test_a_question_without_a_reply_calls_a_tool(
    zhipu: Zhipu, question: str, choice: str, amounts: list[int]
) -> None:
    """Once for each number of a list; a required tool is also called for a greeting."""
    schema = {"type": "object", "properties": {"amount": {"type": "integer"}}}
    function = {"name": "f", "parameters": {**schema, "required": ["amount"]}}
    tools = [{"type": "function", "function": function}]
    answer = zhipu.chat([user(question)], tools=tools, tool_choice=choice).json()
    calls = answer["choices"][0]["message"]["tool_calls"]
    assert [json.loads(call["function"]["arguments"])["amount"] for call in calls] == amounts


def test_a_tool_without_a_function_is_refused(zhipu: Zhipu) -> None:
    """Its name and parameters have an object of their own."""
    tools = [{"type": "function", "name": "f", "parameters": {}}]
    assert zhipu.chat([user("你好")], tools=tools).status_code == 400


def test_a_follow_up_calls_the_tool_again(zhipu: Zhipu) -> None:
    """The question 那上海呢？ is understood with the question before it."""
    messages = [user("北京天气怎么样？"), assistant("晴。"), user("那上海呢？")]
    message = zhipu.chat(messages, tools=[WEATHER]).json()["choices"][0]["message"]
    assert "上海" in message["tool_calls"][0]["function"]["arguments"]


def test_two_cities_make_two_calls(zhipu: Zhipu) -> None:
    """Calls are made in parallel; each has its own id."""
    messages = [user("北京和上海天气怎么样？")]
    calls = zhipu.chat(messages, tools=[WEATHER]).json()["choices"][0]["message"]["tool_calls"]
    assert [call["index"] for call in calls] == [0, 1]
    assert len({call["id"] for call in calls}) == 2


def test_a_tool_result_is_quoted(zhipu: Zhipu) -> None:
    """The reply after a tool message has the values of the result."""
    question = user("北京天气怎么样？")
    called = zhipu.chat([question], tools=[WEATHER]).json()["choices"][0]["message"]
    id = called["tool_calls"][0]["id"]
    result = {"role": "tool", "tool_call_id": id, "content": '{"temperature": 23, "sky": "多云"}'}
    answer = zhipu.chat([question, called, result], tools=[WEATHER]).json()["choices"][0]
    assert answer["finish_reason"] == "stop"
    assert all(word in answer["message"]["content"] for word in ("北京", "23", "多云"))
