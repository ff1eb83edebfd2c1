"""The skills: each has its questions, in Chinese and in English, and the facts are told in both."""

from __future__ import annotations

import pytest

from harness.sandbox.facts import FACTS
from harness.sandbox.json_answers import answer_json
from harness.sandbox.mind import answer, listen
from harness.sandbox.recommendations import recommend
from harness.sandbox.skills import (
    SKILLS,
    Skill,
    calculate,
    count,
    count_questions,
    fairy_tale,
    introduce,
    know,
    recall,
    repeat,
    say_something,
    slogan,
    tell_name,
    tell_result,
)
from harness.types import Call, CallKind, Message, Mode

from .client import Zhipu


def talk(*texts: str, tool: str = "") -> Call:
    """A conversation of user and model in turn, and after it what a tool brought."""
    parties = ("user", "assistant")
    said = [Message(parties[place % 2], text) for place, text in enumerate(texts)]
    brought = [Message("tool", tool)] if tool else []
    return Call(CallKind.CHAT, Mode.SYNC, "glm-4", (*said, *brought))


LISTED = "为您推荐：\n1. 杭州西湖\n2. 苏州园林\n3. 西安城墙"

EXAMPLES: list[tuple[Skill, Call, str]] = [
    (tell_result, talk("上海怎么样？", tool='{"气温": 20}'), "关于上海，查询结果如下：气温 20"),
    (tell_result, talk("How is it?", tool="all is well"), "what I found: all is well."),
    (answer_json, talk("用 JSON 回答，字段为 city"), '{"city": "用 JSON 回答，字段…"}'),
    (answer_json, talk('Return JSON like {"ok": true} now'), '{"ok": true}'),
    (repeat, talk("请只回复“收到”"), "收到"),
    (repeat, talk('Reply only with "Roger"'), "Roger"),
    (tell_name, talk("我叫小明", "您好！", "我叫什么名字？"), "您叫小明。"),
    (tell_name, talk("我叫什么名字？"), "您还没有告诉我您的名字。"),
    (tell_name, talk("I am Alice", "Hello!", "Who am I?"), "Your name is Alice."),
    (tell_name, talk("What is my name?"), "You have not told me your name yet."),
    (count_questions, talk("长城", "好", "我问了几个问题？"), "您一共问了 2 个问题。"),
    (count_questions, talk("How many questions did I ask?"), "you have asked 1 questions."),
    (count, talk("从3数到1"), "3, 2, 1."),
    (count, talk("Count from 1 to 3"), "1, 2, 3."),
    (calculate, talk("12 除以 5 等于几？"), "12 除以 5 = 2.4"),
    (calculate, talk("What is 7 / 0?"), "7 / 0 = ∞"),
    (know, talk("中国的首都是哪里？"), "中国的首都是北京。"),
    (know, talk("What is the capital of France?"), "The capital of France is Paris."),
    (slogan, talk("为“云茶”写一句口号"), "“云茶，"),
    (slogan, talk('A slogan for "Tea", please'), "Tea: "),
    (fairy_tale, talk("讲一个关于小河马的童话"), "住着小河马。"),
    (fairy_tale, talk("Tell me a story about Tom"), "there lived Tom in"),
    (recommend, talk("推荐几首歌"), "为您推荐：\n1. 《"),
    (recommend, talk("推荐一下", LISTED, "第二个为什么好？"), "说到苏州园林："),
    (recommend, talk("Recommend a gift"), "I would recommend:\n1. 一"),
    (recommend, talk("Any trips?", LISTED, "Why the third?"), "西安城墙 is a good choice"),
    (introduce, talk("你好"), "你好！有什么我可以帮助你的吗？"),
    (introduce, talk("你是谁？"), "我是沙盒里代替 glm-4 回答的模型"),
    (introduce, talk("我叫小明"), "您好，小明！我记住了。"),
    (introduce, talk("谢谢你"), "不客气！"),
    (introduce, talk("Hello"), "Hello! How can I help you today?"),
    (introduce, talk("Who are you?"), "I am a sandbox that answers in place of glm-4."),
    (introduce, talk("My name is Alice"), "Nice to meet you, Alice! I will remember."),
    (introduce, talk("Thanks"), "You are welcome!"),
    (recall, talk("讲讲长城", "好", "我刚才说了什么？"), "您说过：“讲讲长城”。"),
    (recall, talk("I like tea", "Good", "What did I say before?"), 'You said: "I like tea"'),
    (say_something, talk("怎样学好数学？"), "。关于“怎样学好数学”，可以从三个方面来看："),
    (say_something, talk("Learning maths"), ': about "Learning maths" there are three'),
]


@pytest.mark.parametrize(("skill", "call", "words"), EXAMPLES)
def test_a_question_finds_its_skill(skill: Skill, call: Call, words: str) -> None:
    """The first skill in the table that has something to say is the one that was meant."""
    heard = listen(call)
    assert next(found for found in SKILLS if found(heard)) is skill
    assert words in str(answer(call).content)


def test_every_skill_is_met_in_both_languages() -> None:
    """A skill that is added to the table needs its examples here."""
    met = {(skill, listen(call).english) for skill, call, _ in EXAMPLES}
    assert met == {(skill, english) for skill in SKILLS for english in (True, False)}


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
TOLD = [
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


@pytest.mark.parametrize(("question", "fact"), TOLD)
def test_a_fact_is_told_in_the_language_of_the_question(
    zhipu: Zhipu, question: str, fact: str
) -> None:
    """And nothing else, where nothing was said before."""
    assert zhipu.says(question) == fact


def test_every_fact_is_told() -> None:
    """A fact that is added needs its questions here."""
    assert {fact for _, fact in TOLD} == {fact for _, *both in FACTS for fact in both}


@pytest.mark.parametrize(("question", "fact"), TOLD)
def test_a_fact_asked_later_quotes_the_question_before(
    zhipu: Zhipu, question: str, fact: str
) -> None:
    """A lost history shows even where the fact is the same."""
    chinese = "（这是第 2 个问题；您先前说过：“给我讲讲长城”）"
    english = ' (This is your question no. 2; before, you said: "给我讲讲长城")'
    memory = english if question.isascii() else chinese
    assert zhipu.says("给我讲讲长城", "好的。", question) == fact + memory
