"""What the model can do. A skill is a function that answers, or gives "" for "not my subject".

`SKILLS` is in order of precedence; the last one always answers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence

from harness.sandbox import words
from harness.sandbox.facts import known
from harness.sandbox.json_answers import answer_json
from harness.sandbox.recommendations import recommend
from harness.sandbox.tales import continuation, tale
from harness.sandbox.talk import Talk
from harness.wire import read_json, walk

Skill = Callable[[Talk], str]


def tell_result(talk: Talk) -> str:
    """Put into words what a tool answered, with its values."""
    if not talk.results:
        return ""
    told = [_values(message.content) for message in talk.results]
    if talk.english:
        return f"Here is what I found: {'; '.join(told)}. Anything else you would like to know?"
    about = "、".join(words.cities(talk.question))
    opening = f"关于{about}，查询结果如下：" if about else "查询结果如下："
    return f"{opening}{'；'.join(told)}。还有什么可以帮您的吗？"


def _values(text: str) -> str:
    """A tool's answer in words: `temperature 20, condition sunny`; plain text as it is."""
    value = read_json(text.encode("utf-8", "replace")).value
    if not isinstance(value, (dict, list)):
        return words.excerpt(text, 500)
    leaves = [(p, v) for p, v in walk(value) if not isinstance(v, (dict, list))][:30]
    named = (
        f"{p.rpartition('/')[2]} {v if isinstance(v, str) else json.dumps(v)}" for p, v in leaves
    )
    return ", ".join(named)


def tell_name(talk: Talk) -> str:
    """The user's name, if it was told."""
    if not talk.asks(
        r"我(叫|的名字|是谁).{0,12}(什么|谁|吗|[?？])|我是谁|说出我的名字"
        r"|what('s| is) my name|who am i\b"
    ):
        return ""
    name = next(_names(talk.earlier), "")
    if talk.english:
        return f"Your name is {name}." if name else "You have not told me your name yet."
    return f"您叫{name}。" if name else "您还没有告诉我您的名字。"


def _names(earlier: Sequence[str]) -> Iterator[str]:
    """The names that were told, the latest first."""
    for said in reversed(earlier):
        told = re.search(r"(?:我叫|我的名字(?:是|叫))\s*([\u4e00-\u9fffA-Za-z·]{1,12})", said)
        told = told or re.search(r"(?i:my name is|i am|i'm|call me)\s+([A-Z][A-Za-z-]+)", said)
        if told and not re.search("什么|谁", told.group(1)):
            yield told.group(1)


def know(talk: Talk) -> str:
    """Tell a fact."""
    fact = known(talk.question, english=talk.english)
    return talk.with_memory(fact) if fact else ""


def count_questions(talk: Talk) -> str:
    """How many questions were asked."""
    if talk.asks("问了(你|您)?(多少|几)(个|次)?|第几个问题"):
        return f"算上这一个，您一共问了 {talk.number} 个问题。"
    if talk.asks("how many questions"):
        return f"Counting this one, you have asked {talk.number} questions."
    return ""


def recall(talk: Talk) -> str:
    """Quote what the user said earlier, when that is what is asked for."""
    mine = (
        "(?<!告诉|叫做)(?<![给帮教])我(?!想|们|要)[^，。,]{0,10}(什么|哪|几|多少|谁)"
        r"|\b(what|where|which|when|how)\b.{0,40}\b(my|i)\b"
    )
    back = (
        "刚才|之前|先前|前面|上一个|第一个问题|earlier|before|previous|first question|last question"
    )
    if not talk.earlier or not (talk.asks(back) or talk.asks(mine)):
        return ""
    first = talk.asks("第一|最开始|first")
    said = talk.earlier[0] if first else _closest(talk)
    if talk.english:
        return f'You said: "{words.excerpt(said, 120)}"'
    return f"您说过：“{words.excerpt(said, 120)}”。这是第 {talk.number} 个问题。"


def _closest(talk: Talk) -> str:
    """What was said earlier that has most in common with the question; the latest of equals."""
    asked = words.terms(talk.question)
    return max(reversed(talk.earlier), key=lambda said: len(words.terms(said) & asked))


def count(talk: Talk) -> str:
    """Count from one number to another."""
    asked = re.search(
        r"从\s*(\d{1,4})\s*数到\s*(\d{1,4})|from (\d{1,4}) to (\d{1,4})", talk.question
    )
    if not asked or not talk.asks("数到|count"):
        return ""
    first, last = (int(n) for n in asked.groups() if n)
    step = 1 if last >= first else -1
    return ", ".join(str(n) for n in range(first, last + step, step)[:200]) + "."


def calculate(talk: Talk) -> str:
    """One sum of whole numbers."""
    asked = re.search(r"(-?\d{1,9})\s*([-+*×÷/]|加|减|乘以?|除以)\s*(-?\d{1,9})", talk.question)
    if not asked or re.search(r"\d-\d+-\d", talk.question):
        return ""
    left, sign, right = int(asked[1]), asked[2][0], int(asked[3])
    if sign in "÷/除":
        value = f"{left / right:g}" if right else "∞"
    else:
        value = str(
            left + right if sign in "+加" else left - right if sign in "-减" else left * right
        )
    return f"{asked[1]} {asked[2]} {asked[3]} = {value}"


def repeat(talk: Talk) -> str:
    """Say exactly what is asked to be said."""
    asked = re.search(
        r"(?:只|仅)(?:需|要|用|能)*(?:回复|回答|输出|说)(?:一个字|两个字|一个词)?[：:，,\s]*[“\"「'](.{1,200}?)[”\"」']"
        r"|(?:reply|answer|respond)(?: only)? with(?: only| exactly)?[: ]+[\"“'](.{1,200}?)[\"”']",
        talk.question,
        re.IGNORECASE,
    )
    return next((part for part in asked.groups() if part), "") if asked else ""


def slogan(talk: Talk) -> str:
    """A slogan for a product; asks for the product where none was named."""
    asked_before = any(re.search("口号|标语|slogan", said, re.IGNORECASE) for said in talk.earlier)
    if not talk.asks("口号|标语|广告语|slogan") and not (asked_before and len(talk.question) <= 30):
        return ""
    product = _product(talk, asked_before)
    if talk.english:
        return talk.with_memory(f"{product or 'Your product'}: {talk.pick('slogan', _SLOGANS_EN)}")
    if not product:
        return talk.with_memory("当然，要创作一个吸引人的口号，请告诉我一些关于您产品的信息。")
    return talk.with_memory(f"“{product}，{talk.pick('slogan', _SLOGANS)}”")


_SLOGANS = (
    "让创新的每一刻成为可能。",
    "把想象变成每天的工具。",
    "智慧随手可得，灵感从此不停。",
    "懂你所想，成你所愿。",
)
_SLOGANS_EN = ("ideas that move.", "think further, every day.", "made for your next step.")


def _product(talk: Talk, asked_before: bool) -> str:
    """What the slogan is for: named in quotes, named plainly, or the whole of a short answer."""
    for said in (talk.question, *reversed(talk.earlier)):
        if "智谱AI开放平台" in said:
            return "智谱AI开放平台"
        named = re.search('[“"「《](.{1,30}?)[”"」》]', said) or re.search(
            "为(?:我的|我们的)?([^，。,的]{2,20}?)(?:产品)?(?:写|创作|想|设计|取|起)", said
        )
        if named and named.group(1) not in ("产品", "我的产品"):
            return named.group(1)
    fresh = asked_before and not talk.asks("口号|标语|slogan|再|换")
    return words.excerpt(talk.question, 30).rstrip("。！!.") if fresh else ""


def fairy_tale(talk: Talk) -> str:
    """A fairy tale of a few hundred characters, and its continuation when asked for one."""
    if talk.asks("继续|然后呢|后来|结局|接着|go on|continue|what happened next|ending"):
        told = [said for said in talk.answers if re.search("从前|once upon a time", said, re.I)]
        return talk.with_memory(continuation(told[-1], talk.pick, talk.english)) if told else ""
    if not talk.asks("童话|故事|fairy tale|story"):
        return ""
    return talk.with_memory(tale(talk.question, talk.pick, talk.english))


def introduce(talk: Talk) -> str:
    """Greetings, and who is speaking."""
    if talk.asks("你是谁|介绍(一下)?(你)?自己|who are you"):
        if talk.english:
            return talk.with_memory(f"I am a sandbox that answers in place of {talk.model}.")
        return talk.with_memory(f"我是沙盒里代替 {talk.model} 回答的模型，并不是真正的服务。")
    name = next(_names([talk.question]), "")
    if name:
        hello = (
            f"Nice to meet you, {name}! I will remember."
            if talk.english
            else f"您好，{name}！我记住了。"
        )
        return talk.with_memory(hello)
    if talk.asks(r"^\W*(你好|您好|嗨|hello|hi|hey)\b|^\W*(你好|您好)") and len(talk.question) <= 20:
        if talk.english:
            return talk.with_memory("Hello! How can I help you today?")
        return talk.with_memory("你好！有什么我可以帮助你的吗？")
    if talk.asks("^(谢谢|多谢|thanks|thank you)"):
        return talk.with_memory("You are welcome!" if talk.english else "不客气！")
    return ""


_ENDINGS = ("及时总结，不断调整。", "多听多问，持之以恒。", "大胆尝试，小心验证。")


def say_something(talk: Talk) -> str:
    """The answer to everything else: it takes up the question and stays friendly."""
    topic = words.excerpt(talk.question, 40).rstrip("。？！?!.")
    if talk.english:
        opening = talk.pick("opening", ("A good question", "Gladly", "Let us see"))
        return talk.with_memory(
            f'{opening}: about "{topic}" there are three points. First, be clear about the goal; '
            "second, take it step by step; third, look at the result and adjust."
        )
    opening = talk.pick("opening", ("好的", "这是个好问题", "很乐意为您解答", "我们来看看"))
    return talk.with_memory(
        f"{opening}。关于“{topic}”，可以从三个方面来看：首先，明确目标；其次，循序渐进；最后，"
        f"{talk.pick('ending', _ENDINGS)}"
    )


SKILLS: tuple[Skill, ...] = (
    tell_result,
    answer_json,
    repeat,
    tell_name,
    count_questions,
    count,
    calculate,
    know,
    slogan,
    fairy_tale,
    recommend,
    introduce,
    recall,
    say_something,
)
