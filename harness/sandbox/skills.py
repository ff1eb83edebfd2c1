"""What the model can do. A skill is a function that answers, or gives "" for "not my subject".

`SKILLS` is in order of precedence; the last one always answers.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from harness.sandbox import words
from harness.sandbox.facts import known
from harness.sandbox.tales import continuation, tale
from harness.sandbox.toolbox import fill_from
from harness.types import Json, Message
from harness.wire import read_json, walk


@dataclass(frozen=True, slots=True)
class Talk:
    """A conversation as the model hears it; `results` are fresh tool messages."""

    model: str
    question: str
    earlier: tuple[str, ...]
    answers: tuple[str, ...]
    system: str
    results: tuple[Message, ...]
    digest: bytes
    wants_json: bool

    @property
    def english(self) -> bool:
        """Whether to answer in English."""
        return words.is_english(self.question)

    @property
    def number(self) -> int:
        """Which question this is, counted from 1."""
        return len(self.earlier) + 1

    def pick(self, purpose: str, choices: Sequence[str]) -> str:
        """One of the choices: always the same for the same request and purpose."""
        chance = hashlib.sha256(self.digest + purpose.encode()).digest()
        return choices[int.from_bytes(chance[:4], "big") % len(choices)]

    def asks(self, pattern: str) -> bool:
        """Whether the question mentions something."""
        return re.search(pattern, self.question, re.IGNORECASE) is not None

    def with_memory(self, text: str) -> str:
        """A text, and after it what is remembered of the conversation."""
        if not self.earlier:
            return text
        said = words.excerpt(self.earlier[-1])
        if self.english:
            return f'{text} (This is your question no. {self.number}; before, you said: "{said}")'
        return f"{text}（这是第 {self.number} 个问题；您先前说过：“{said}”）"


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


_JSON = re.compile(
    r"(?:用|以|返回|输出|生成|回答|给|按|in|as|return|valid|only|respond|answer)[^。.]{0,20}(?<![a-z])json"
    r"|json.{0,4}(?:格式|format|object|对象)",
    re.IGNORECASE,
)


def answer_json(talk: Talk) -> str:
    """A JSON object, with the fields the question (or the system message) names."""
    asked = f"{talk.question}\n{talk.system}"
    if not (talk.wants_json or _JSON.search(asked)):
        return ""
    example = _example(asked)
    if example is not None:
        return json.dumps(example, ensure_ascii=False)
    fields = _fields(asked) or ["answer"]
    value = {name: _field(talk, name) for name in fields}
    return json.dumps(value | _remembered(talk), ensure_ascii=False)


def _remembered(talk: Talk) -> dict[str, Json]:
    """What of the conversation goes into a JSON answer that has no prescribed form."""
    if not talk.earlier or _fields(f"{talk.question}\n{talk.system}"):
        return {}
    return {"question_number": talk.number, "earlier": words.excerpt(talk.earlier[-1])}


def _example(text: str) -> Json:
    """A JSON object filled after the schema, or the example, that a text contains."""
    start = text.find("{")
    if start < 0:
        return None
    try:
        _, length = json.JSONDecoder().raw_decode(text[start:])
    except (ValueError, RecursionError):
        return None
    found = read_json(text[start : start + length].encode("utf-8", "replace")).value
    return fill_from(found, text[:start]) if isinstance(found, dict) and found else None


_LIST = re.compile(
    r"(?:字段|键|属性|包含|包括|fields?|keys?|properties|with|containing)"
    r"(?:为|是|有|名为|分别是|:|：|\s)*(.+?)(?:[。！？\n!?]| for | about |$)",
    re.IGNORECASE,
)
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[\u4e00-\u9fff]+")
_FILLERS = """
json object and the a an of with keys key fields field format in an only as answer please
和 与 及 以及 两个 三个 四个 两个字段 三个字段 四个字段 个字段 字段 等字段 的 对象 这些字段
"""
_NO_FIELDS = frozenset(_FILLERS.split())


def _fields(text: str) -> list[str]:
    """The names of fields a text lists: `字段为 name、population`."""
    quoted = re.findall(r"[\"“'`]([A-Za-z_][A-Za-z0-9_]*)[\"”'`]", text)
    latin = re.findall(r"(?<![A-Za-z0-9_])[a-z]+(?:_[a-z]+)+(?![A-Za-z0-9_])", text)
    listed = _LIST.search(text)
    names = _FIELD.findall(re.sub("[和与及]", "、", listed.group(1))) if listed else []
    if any(name.isascii() for name in names):
        names = [name for name in names if name.isascii()]
    found = quoted or [*names, *latin]
    return list(dict.fromkeys(n for n in found if n.lower() not in _NO_FIELDS))[:12]


def _field(talk: Talk, name: str) -> Json:
    """A plausible value for a field, by its name."""
    subject = next(iter(words.cities(talk.question)), "") or words.excerpt(talk.question, 12)
    if re.search(
        r"count$|population|age|price|year|score|number|人口|年龄|价格|数量|分数|年份", name
    ):
        return 1 + talk.digest[len(name) % 32]
    if re.search(r"list|tags|items|foods|cities|steps|keywords|列表|标签", name):
        return [subject, talk.pick(name, ("豆汁", "烤鸭", "火锅", "小笼包"))]
    if re.search(r"^(is|has)_|是否", name):
        return True
    return subject if re.search("name|city|title|名|城市", name) else f"{subject}：{name}"


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


_WORTH: dict[str, tuple[str, ...]] = {
    "电影|影片|movie|film": ("《大闹天宫》", "《千与千寻》", "《城南旧事》", "《飞屋环游记》"),
    "书|小说|阅读|book|novel": ("《西游记》", "《小王子》", "《城南旧事》", "《朝花夕拾》"),
    "音乐|歌|music|song": ("《茉莉花》", "《二泉映月》", "《渔舟唱晚》", "《月光》"),
    "餐|菜|吃|美食|food|restaurant|dish": ("宫保鸡丁", "西红柿炒鸡蛋", "兰州牛肉面", "广式早茶"),
    "旅行|旅游|景点|去哪|城市|周末|travel|trip|visit": (
        "杭州西湖",
        "苏州园林",
        "西安城墙",
        "青岛海边",
    ),
    "礼物|gift|present": ("一本手写的相册", "一盆绿萝", "一套茶具", "一场音乐会"),
}


def recommend(talk: Talk) -> str:
    """Three things worth while; a follow-up takes up one that was recommended before."""
    picked = _taken_up(talk)
    if picked:
        return talk.with_memory(picked)
    if not talk.asks("推荐|建议|recommend|suggest"):
        return ""
    subject = f"{talk.question} {' '.join(talk.earlier)}"
    kinds = [k for k in _WORTH if re.search(k, talk.question, re.IGNORECASE)]
    kinds = kinds or [k for k in _WORTH if re.search(k, subject, re.IGNORECASE)]
    choices = (
        _WORTH[kinds[0]]
        if kinds
        else tuple(_WORTH["旅行|旅游|景点|去哪|城市|周末|travel|trip|visit"])
    )
    start = choices.index(talk.pick("recommend", choices))
    three = [choices[(start + n) % len(choices)] for n in range(3)]
    opening = "I would recommend:" if talk.english else "为您推荐："
    return talk.with_memory("\n".join([opening, *(f"{n}. {it}" for n, it in enumerate(three, 1))]))


_ORDER = {"第一": 0, "第1": 0, "first": 0, "第二": 1, "第2": 1, "second": 1, "第三": 2, "third": 2}


def _taken_up(talk: Talk) -> str:
    """More about one item of the last list the model gave; "" where none is meant."""
    listed = next(
        (f for a in reversed(talk.answers) if (f := re.findall(r"^\d\. (.+)$", a, re.M))), []
    )
    meant = [place for word, place in _ORDER.items() if talk.asks(f"{word}(?!个?问题| question)")]
    if not listed or not (meant or talk.asks("为什么|详细|哪(个|一)|why|more about|which")):
        return ""
    item = listed[meant[0]] if meant and meant[0] < len(listed) else listed[0]
    item = item.split("（")[0].split(" (")[0]
    if talk.english:
        return (
            f"{item} is a good choice: it suits what you asked for, and it is easy to begin with."
        )
    return f"说到{item}：它很合您刚才的要求，轻松又耐看，不妨就从它开始。"


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
