"""The model: always the same words for the same request, and others when the history is lost."""

from __future__ import annotations

import json

import pytest

from .client import WEATHER, Dash, Zhipu, assistant, conversation, user


def test_the_same_request_gets_the_same_words(zhipu: Zhipu) -> None:
    """Two recordings of one conversation differ in ids and times only."""
    assert zhipu.says("怎样学好数学？", seed=1) == zhipu.says("怎样学好数学？", seed=1)


def test_a_seed_makes_for_other_words(zhipu: Zhipu) -> None:
    """Among many seeds there is more than one answer."""
    assert len({zhipu.says("怎样学好数学？", seed=n) for n in range(12)}) > 1


def test_how_an_answer_is_delivered_changes_no_word(zhipu: Zhipu) -> None:
    """The client's own ids are not part of what is asked."""
    plain = zhipu.says("怎样学好数学？")
    assert zhipu.says("怎样学好数学？", request_id="mine-1", user_id="me") == plain


@pytest.mark.parametrize(
    ("told", "asked", "remembered"),
    [
        ("你好，我叫小明", "我叫什么名字？", "小明"),
        ("My name is Alice.", "What is my name?", "Alice"),
        ("我最喜欢的水果是芒果", "我最喜欢的水果是什么？", "芒果"),
        ("给我讲讲长城", "我问了几个问题？", "2"),
        ("给我讲讲长城", "我的第一个问题是什么？", "长城"),
        ("给我讲讲长城", "它有多长？", "第 2 个问题；您先前说过：“给我讲讲长城”"),
    ],
)
def test_a_lost_history_shows(zhipu: Zhipu, told: str, asked: str, remembered: str) -> None:
    """What was said before is quoted, and cannot be when it was not sent."""
    assert remembered in zhipu.says(told, "好的。", asked)
    assert remembered not in zhipu.says(asked)


def test_the_slogan_is_for_the_product_that_was_named(zhipu: Zhipu) -> None:
    """The conversation of the provider's own documentation works."""
    first = "作为一名营销专家，请为我的产品创作一个吸引人的口号"
    second = zhipu.says(first)
    assert "请告诉我一些关于您产品的信息" in second
    assert "智谱AI开放平台，" in zhipu.says(first, second, "智谱AI开放平台")


def test_a_fairy_tale_has_a_few_hundred_characters_and_its_hero_goes_on(zhipu: Zhipu) -> None:
    """The continuation is about the hero of the tale."""
    tale = zhipu.says("请讲一个关于小河马的童话")
    assert 200 < len(tale) < 900
    assert tale.count("小河马") > 3
    assert "小河马" in zhipu.says("请讲一个关于小河马的童话", tale, "然后呢？")


def test_a_follow_up_takes_up_what_was_recommended(zhipu: Zhipu) -> None:
    """The second item of the list that was sent back is the one talked about."""
    listed = zhipu.says("推荐三部电影")
    second = listed.splitlines()[2].removeprefix("2. ")
    assert second in zhipu.says("推荐三部电影", listed, "第二部怎么样？")


def test_it_counts_and_calculates(zhipu: Zhipu) -> None:
    """Small sums are right."""
    assert zhipu.says("Count from 1 to 5") == "1, 2, 3, 4, 5."
    assert zhipu.says("请从3数到1") == "3, 2, 1."
    assert zhipu.says("12 乘以 3 等于几？").endswith("= 36")


def test_it_says_what_it_is_told_to_say(zhipu: Zhipu) -> None:
    """A request for an exact text is honoured."""
    assert zhipu.says("请只回复“收到”") == "收到"


def test_json_is_answered_when_asked_for(zhipu: Zhipu, dash: Dash) -> None:
    """By a parameter or in words; the fields are those that were named."""
    asked = "请用 JSON 返回北京的信息，字段为 name、population、famous_foods"
    value = json.loads(zhipu.says(asked))
    assert list(value) == ["name", "population", "famous_foods"]
    assert [type(v) for v in value.values()] == [str, int, list]
    text = dash.generate("介绍北京", response_format={"type": "json_object"}).json()
    assert isinstance(json.loads(text["output"]["text"]), dict)


def test_json_follows_a_schema_or_an_example(zhipu: Zhipu) -> None:
    """What stands in the question as JSON is filled in."""
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "n": {"type": "integer"}},
    }
    said = zhipu.says(f"上海怎么样？请按这个格式返回 JSON：{json.dumps(schema)}")
    assert json.loads(said) == {"city": "上海", "n": 1}
    said = zhipu.says('上海怎么样？返回 JSON，例如 {"city": "", "ok": true}')
    assert json.loads(said) == {"city": "上海", "ok": True}


def test_max_tokens_cuts_the_text_off(zhipu: Zhipu, dash: Dash) -> None:
    """What is left is the beginning of the whole text, and the reason is told."""
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
    assert zhipu.says("从1数到10", stop=["5"]) == "1, 2, 3, 4, "


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


def test_a_tool_that_does_not_fit_is_left_alone(zhipu: Zhipu) -> None:
    """A greeting calls no tool, and neither does a choice of none."""
    for asked, choice in (("你好", "auto"), ("北京天气？", "none")):
        answer = zhipu.chat([user(asked)], tools=[WEATHER], tool_choice=choice).json()
        assert answer["choices"][0]["finish_reason"] == "stop"


def test_a_follow_up_calls_the_tool_again(zhipu: Zhipu) -> None:
    """那上海呢？ is understood with the question before it."""
    messages = [user("北京天气怎么样？"), assistant("晴。"), user("那上海呢？")]
    message = zhipu.chat(messages, tools=[WEATHER]).json()["choices"][0]["message"]
    assert "上海" in message["tool_calls"][0]["function"]["arguments"]


def test_two_cities_make_two_calls(zhipu: Zhipu) -> None:
    """Calls can be made side by side; each has an id of its own."""
    asked = [user("北京和上海天气怎么样？")]
    calls = zhipu.chat(asked, tools=[WEATHER]).json()["choices"][0]["message"]["tool_calls"]
    assert [call["index"] for call in calls] == [0, 1]
    assert len({call["id"] for call in calls}) == 2


def test_what_a_tool_answered_is_quoted(zhipu: Zhipu) -> None:
    """Text after a tool message holds the values of the tool's answer."""
    asked = user("北京天气怎么样？")
    called = zhipu.chat([asked], tools=[WEATHER]).json()["choices"][0]["message"]
    id = called["tool_calls"][0]["id"]
    told = {"role": "tool", "tool_call_id": id, "content": '{"temperature": 23, "sky": "多云"}'}
    answer = zhipu.chat([asked, called, told], tools=[WEATHER]).json()["choices"][0]
    assert answer["finish_reason"] == "stop"
    assert all(word in answer["message"]["content"] for word in ("北京", "23", "多云"))
