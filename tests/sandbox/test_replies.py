"""Replies: every kind of question in Chinese and in English, and facts in both languages."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from harness.sandbox.model import (
    FACTS,
    REPLIES,
    Replier,
    describe_media,
    generate,
    greet,
    quote_earlier,
    read_conversation,
    recall_name,
    recommend,
    reply_generally,
    reply_in_json,
    report_tool_results,
    state_fact,
    tell_story,
    write_slogan,
)
from harness.types import EMPTY, Call, CallKind, ContentPart, Json, Medium, Message, Mode

from .client import Zhipu


def chat(*texts: str, tool_result: str = "", parameters: Mapping[str, Json] = EMPTY) -> Call:
    """Return a call with texts from user and model in turn, and then a tool result."""
    roles = ("user", "assistant")
    messages = [Message(roles[number % 2], text) for number, text in enumerate(texts)]
    results = [Message("tool", tool_result)] if tool_result else []
    return Call(CallKind.CHAT, Mode.SYNC, "glm-4", (*messages, *results), parameters=parameters)


def seen(text: str, medium: Medium, value: str) -> Call:
    """Return a call with a text and an image, audio or video."""
    message = Message("user", text, parts=(ContentPart(medium, value),))
    return Call(CallKind.CHAT, Mode.SYNC, "glm-4", (message,))


GIF = "data:image/gif;base64,R0lGODlhAQACAAAAADs="
JSON: dict[str, Json] = {"response_format": {"type": "json_object"}}


EXAMPLES: list[tuple[Replier, Call, str]] = [
    (
        report_tool_results,
        chat("上海怎么样？", tool_result='{"气温": 20}'),
        "关于上海，查询结果如下：气温 20",
    ),
    (
        report_tool_results,
        chat("How is it?", tool_result="all is well"),
        "what I found: all is well.",
    ),
    (reply_in_json, chat("介绍北京", parameters=JSON), '{"question": "介绍北京", '),
    (reply_in_json, chat("Hello", parameters=JSON), '"question_number": 1'),
    (describe_media, seen("这是什么？", Medium.IMAGE, GIF), "我收到了：image image/gif 1x2。"),
    (describe_media, seen("What?", Medium.VIDEO, "http://h/f.mp4?a=1"), "I received: video f.mp4."),
    (recall_name, chat("我叫小明", "您好！", "我叫什么名字？"), "您叫小明。"),
    (recall_name, chat("我叫什么名字？"), "您还没有告诉我您的名字。"),
    (recall_name, chat("I am Alice", "Hello!", "Who am I?"), "Your name is Alice."),
    (recall_name, chat("What is my name?"), "You have not told me your name yet."),
    (state_fact, chat("中国的首都是哪里？"), "中国的首都是北京。"),
    (state_fact, chat("What is the capital of France?"), "The capital of France is Paris."),
    (write_slogan, chat("为“云茶”写一句口号"), "“云茶，"),
    (write_slogan, chat('A slogan for "Tea", please'), "Tea: "),
    (tell_story, chat("讲一个关于小河马的童话"), "住着小河马。"),
    (tell_story, chat("Tell me a story about Tom"), "there lived Tom in"),
    (recommend, chat("推荐几首歌"), "为您推荐：\n1. 《"),
    (recommend, chat("Recommend a gift"), "I would recommend:\n1. 一"),
    (greet, chat("你好"), "你好！有什么我可以帮助你的吗？"),
    (greet, chat("你是谁？"), "我是沙盒里代替 glm-4 回答的模型"),
    (greet, chat("我叫小明"), "您好，小明！我记住了。"),
    (greet, chat("Hello"), "Hello! How can I help you today?"),
    (greet, chat("Who are you?"), "I am a sandbox that answers in place of glm-4."),
    (greet, chat("My name is Alice"), "Nice to meet you, Alice! I will remember."),
    (quote_earlier, chat("讲讲长城", "好", "我刚才说了什么？"), "您说过：“讲讲长城”。"),
    (quote_earlier, chat("I like tea", "Good", "What did I say before?"), 'You said: "I like tea"'),
    (reply_generally, chat("怎样学好数学？"), "。关于“怎样学好数学”，可以从三个方面来看："),
    (reply_generally, chat("Learning maths"), ': about "Learning maths" there are three'),
]


@pytest.mark.parametrize(("replier", "call", "text"), EXAMPLES)
def test_a_question_is_answered_by_its_replier(replier: Replier, call: Call, text: str) -> None:
    """The first replier that returns a text is the one meant for the question."""
    conversation = read_conversation(call)
    assert next(reply for reply in REPLIES if reply(conversation)) is replier
    assert text in str(generate(call).content)


def test_every_replier_has_examples_in_both_languages() -> None:
    """A replier that is added to the table needs examples here."""
    covered = {(replier, read_conversation(call).english) for replier, call, _ in EXAMPLES}
    assert covered == {(replier, english) for replier in REPLIES for english in (True, False)}


CHINA = ("中国的首都是北京。", "The capital of China is Beijing.")
FRANCE = ("法国的首都是巴黎。", "The capital of France is Paris.")
BOILING = (
    "在标准大气压下，水在 100 摄氏度沸腾。",
    "At standard pressure water boils at 100 degrees Celsius.",
)
LARGEST = ("太阳系里最大的行星是木星。", "The largest planet of the solar system is Jupiter.")
SOLAR_SYSTEM = (
    "太阳系以太阳为中心。围绕它运行的有八颗行星，地球是其中的第三颗。此外还有许多卫星、小行星和彗星。",
    "The solar system has the Sun at its centre. Eight planets go around it, the Earth being the "
    "third. There are many moons, asteroids and comets besides.",
)
QUESTIONS = [
    ("中国的首都是哪座城市？", CHINA[0]),
    ("What is the capital of China?", CHINA[1]),
    ("法国首都在哪里？", FRANCE[0]),
    ("Name the capital of France.", FRANCE[1]),
    ("水在标准大气压下多少摄氏度沸腾？", BOILING[0]),
    ("At what temperature does water boil?", BOILING[1]),
    ("其中最大的行星是哪一颗？", LARGEST[0]),
    ("Which is the largest planet?", LARGEST[1]),
    ("请用三句话介绍一下太阳系。", SOLAR_SYSTEM[0]),
    ("Tell me about the solar system.", SOLAR_SYSTEM[1]),
]


@pytest.mark.parametrize(("question", "fact"), QUESTIONS)
def test_a_fact_is_stated_in_the_language_of_the_question(
    zhipu: Zhipu, question: str, fact: str
) -> None:
    """The reply is only the fact if there are no earlier messages."""
    assert zhipu.says(question) == fact


def test_every_fact_has_questions() -> None:
    """A fact that is added needs questions here."""
    assert {fact for _, fact in QUESTIONS} == {fact for _, *both in FACTS for fact in both}


@pytest.mark.parametrize(("question", "fact"), QUESTIONS)
def test_a_later_fact_comes_with_a_quote(zhipu: Zhipu, question: str, fact: str) -> None:
    """A lost history changes the reply even if the fact is the same."""
    chinese = "（这是第 2 个问题；您先前说过：“给我讲讲长城”）"
    english = ' (This is your question no. 2; before, you said: "给我讲讲长城")'
    memory = english if question.isascii() else chinese
    assert zhipu.says("给我讲讲长城", "好的。", question) == fact + memory
