"""Text replies to a conversation: one function per kind of question.

Each returns "" for a question of another kind. `REPLIES` has them in the order in which they are
tried; the last one always replies. They know as much as the shipped scenarios ask for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence

from harness.sandbox.conversation import Conversation
from harness.sandbox.text import excerpt, find_cities, keywords
from harness.sandbox.tools import SchemaFiller
from harness.types import Json
from harness.wire import read_json, walk


def report_tool_results(conversation: Conversation) -> str:
    """Report the values of the tool results."""
    if not conversation.tool_results:
        return ""
    results = [_result_text(result) for result in conversation.tool_results]
    cities = "、".join(find_cities(conversation.question))
    about = f"关于{cities}，" if cities else ""
    return conversation.translated(
        f"{about}查询结果如下：{'；'.join(results)}。还有什么可以帮您的吗？",
        f"Here is what I found: {'; '.join(results)}. Anything else you would like to know?",
    )


def _result_text(text: str) -> str:
    """Return JSON as `temperature 20, condition sunny`, and any other text as it is."""
    value = read_json(text.encode("utf-8", "replace")).value
    if not isinstance(value, (dict, list)):
        return excerpt(text, 500)
    leaves = [(p, v) for p, v in walk(value) if not isinstance(v, (dict, list))][:30]
    return ", ".join(
        f"{p.rpartition('/')[2]} {v if isinstance(v, str) else json.dumps(v)}" for p, v in leaves
    )


def reply_in_json(conversation: Conversation) -> str:
    """Reply with a JSON object, if the request has a `response_format` that asks for one."""
    if conversation.json_schema is None:
        return ""
    value: Json = {
        "question": excerpt(conversation.question),
        "question_number": conversation.question_number,
        "earlier_questions": [excerpt(text) for text in conversation.earlier_questions],
    }
    if conversation.json_schema:
        value = SchemaFiller(conversation.question).fill(conversation.json_schema)
    return json.dumps(value, ensure_ascii=False)


def recall_name(conversation: Conversation) -> str:
    """Answer what the user's name is."""
    if not conversation.mentions(
        r"我(叫|的名字|是谁).{0,12}(什么|谁|吗|[?？])|我是谁|说出我的名字"
        r"|what('s| is) my name|who am i\b"
    ):
        return ""
    name = next(_names(conversation.earlier_questions), "")
    if name:
        return conversation.translated(f"您叫{name}。", f"Your name is {name}.")
    unknown = ("您还没有告诉我您的名字。", "You have not told me your name yet.")
    return conversation.translated(*unknown)


def _names(texts: Sequence[str]) -> Iterator[str]:
    """Yield the names by which the user introduced themselves, the latest first."""
    for text in reversed(texts):
        name = re.search(r"(?:我叫|我的名字(?:是|叫))\s*([\u4e00-\u9fffA-Za-z·]{1,12})", text)
        name = name or re.search(r"(?i:my name is|i am|i'm|call me)\s+([A-Z][A-Za-z-]+)", text)
        if name and not re.search("什么|谁", name.group(1)):
            yield name.group(1)


FACTS = (
    ("中国的?首都|capital of china", "中国的首都是北京。", "The capital of China is Beijing."),
    ("法国的?首都|capital of france", "法国的首都是巴黎。", "The capital of France is Paris."),
    (
        "沸腾|沸点|boil",
        "在标准大气压下，水在 100 摄氏度沸腾。",
        "At standard pressure water boils at 100 degrees Celsius.",
    ),
    (
        "最大的行星|largest planet",
        "太阳系里最大的行星是木星。",
        "The largest planet of the solar system is Jupiter.",
    ),
    (
        "介绍.{0,6}太阳系|about the solar system",
        "太阳系以太阳为中心。围绕它运行的有八颗行星，地球是其中的第三颗。此外还有许多卫星、小行星和彗星。",
        "The solar system has the Sun at its centre. Eight planets go around it, the Earth being "
        "the third. There are many moons, asteroids and comets besides.",
    ),
)
"""(pattern of the question, answer in Chinese, answer in English)."""


def state_fact(conversation: Conversation) -> str:
    """Answer a question about a fact."""
    for pattern, chinese, english in FACTS:
        if conversation.mentions(pattern):
            return conversation.with_history(conversation.translated(chinese, english))
    return ""


_SLOGANS = (
    "让创新的每一刻成为可能。",
    "把想象变成每天的工具。",
    "智慧随手可得，灵感从此不停。",
    "懂你所想，成你所愿。",
)
_ENGLISH_SLOGANS = ("ideas that move.", "think further, every day.", "made for your next step.")


def write_slogan(conversation: Conversation) -> str:
    """Write a slogan for a product, or ask for the product if none was named."""
    asked_before = any(
        re.search("口号|标语|slogan", text, re.IGNORECASE)
        for text in conversation.earlier_questions
    )
    short_answer = asked_before and len(conversation.question) <= 30
    if not conversation.mentions("口号|标语|广告语|slogan") and not short_answer:
        return ""
    product = _product(conversation, asked_before)
    if conversation.english:
        slogan = conversation.choose("slogan", _ENGLISH_SLOGANS)
        return conversation.with_history(f"{product or 'Your product'}: {slogan}")
    if not product:
        return conversation.with_history(
            "当然，要创作一个吸引人的口号，请告诉我一些关于您产品的信息。"
        )
    return conversation.with_history(f"“{product}，{conversation.choose('slogan', _SLOGANS)}”")


def _product(conversation: Conversation, asked_before: bool) -> str:
    """Return the product that was named in quotes, or by a short answer."""
    for text in (conversation.question, *reversed(conversation.earlier_questions)):
        if name := re.search('[“"「《](.{1,30}?)[”"」》]', text):
            return name.group(1)
    is_answer = asked_before and not conversation.mentions("口号|标语|slogan|再|换")
    return excerpt(conversation.question, 30).rstrip("。！!.") if is_answer else ""


_HEROES = ("小狐狸阿橙", "小刺猬团团", "小裁缝云儿", "小狮子米洛")
_PLACES = ("开满铃兰的山谷", "月光照着的森林", "大海边的风车村", "雪山脚下的小镇")
_FRIENDS = ("一只会唱歌的萤火虫", "一位爱打瞌睡的月亮老人", "一条讲故事的小溪", "一棵会走路的橡树")
_LOST = ("村里的星光灯", "春天的第一声鸟鸣", "国王的笑声", "井里的彩虹")
_STORY = (
    "从前，在{place}里，住着{hero}。{hero}个子小小的，却有一颗勇敢又善良的心。\n\n"
    "有一天早晨，大家发现{lost}不见了。没有了它，连风也不愿意说话。大人们摇着头叹气，只有{hero}"
    "背起小布包，说：“我去把它找回来！”\n\n"
    "路很长，天很黑。走到半路，{hero}遇见了{friend}。“你一个人不怕吗？”对方问。“怕呀，”{hero}"
    "老实地回答，“可是大家都在等着呢。”于是他们结伴而行，一起渡过了弯弯的河，一起爬过了滑滑的坡，"
    "饿了就分吃一块蜂蜜糕，累了就靠在一起数星星。\n\n"
    "在山洞的尽头，他们看见一条孤单的小龙正抱着{lost}哭泣。原来小龙并不坏，只是从来没有人陪它玩。"
    "{hero}走上前，轻轻擦掉它的眼泪：“跟我们回家吧，那里有很多朋友。”\n\n"
    "就这样，{lost}回来了，小龙也有了家。从那以后，每到夜晚，人们都能听见山谷里传来快乐的笑声。"
    "因为大家都懂得了：分享的东西，永远不会丢失。"
)
_ENGLISH_STORY = (
    "Once upon a time there lived {hero} in a quiet valley. One morning the light of the village "
    "was gone, and nobody dared to look for it. {hero} packed a small bag and set out. On the way "
    "a glow-worm joined in, and together they crossed the river and climbed the hill. In a cave "
    "they found a lonely dragon that held the light and wept. They asked it to come home with "
    "them, and from that day on nobody in the valley was ever lonely again."
)


def tell_story(conversation: Conversation) -> str:
    """Tell a fairy tale of a few hundred characters, about the hero that was asked for."""
    if not conversation.mentions("童话|故事|fairy tale|story"):
        return ""
    choose = conversation.choose
    hero = "a brave little fox" if conversation.english else choose("hero", _HEROES)
    story = (_ENGLISH_STORY if conversation.english else _STORY).format(
        hero=_hero(conversation.question) or hero,
        place=choose("place", _PLACES),
        friend=choose("friend", _FRIENDS),
        lost=choose("lost", _LOST),
    )
    return conversation.with_history(story)


def _hero(question: str) -> str:
    """Return the hero in `关于小猫的童话` or `a story about Tom`."""
    hero = (
        re.search("主角(?:是|叫|为)([^，。,.；;！!]{1,12})", question)
        or re.search("关于(?:一(?:只|个|条|位))?([^，。,.]{1,12}?)的(?:童话|故事)", question)
        or re.search(r"(?:story|tale) (?:about|of) ((?:an? )?[A-Za-z ]{1,24})", question)
    )
    return hero.group(1).strip() if hero else ""


_PLACES_TO_VISIT = ("杭州西湖", "苏州园林", "西安城墙", "青岛海边")
_RECOMMENDATIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("电影|影片|movie|film", ("《大闹天宫》", "《千与千寻》", "《城南旧事》", "《飞屋环游记》")),
    ("书|小说|阅读|book|novel", ("《西游记》", "《小王子》", "《城南旧事》", "《朝花夕拾》")),
    ("音乐|歌|music|song", ("《茉莉花》", "《二泉映月》", "《渔舟唱晚》", "《月光》")),
    (
        "餐|菜|吃|美食|food|restaurant|dish",
        ("宫保鸡丁", "西红柿炒鸡蛋", "兰州牛肉面", "广式早茶"),
    ),
    ("礼物|gift|present", ("一本手写的相册", "一盆绿萝", "一套茶具", "一场音乐会")),
)
"""(pattern of the question, what to recommend)."""


def recommend(conversation: Conversation) -> str:
    """Recommend three things of the kind that was asked for; places where none was."""
    if not conversation.mentions("推荐|建议|recommend|suggest"):
        return ""
    choices = next(
        (choices for pattern, choices in _RECOMMENDATIONS if conversation.mentions(pattern)),
        _PLACES_TO_VISIT,
    )
    start = choices.index(conversation.choose("recommend", choices))
    three = [choices[(start + n) % len(choices)] for n in range(3)]
    opening = conversation.translated("为您推荐：", "I would recommend:")
    lines = [opening, *(f"{n}. {choice}" for n, choice in enumerate(three, 1))]
    return conversation.with_history("\n".join(lines))


def greet(conversation: Conversation) -> str:
    """Return a greeting, or introduce the sandbox."""
    name = next(_names([conversation.question]), "")
    text = ""
    if conversation.mentions("你是谁|介绍(一下)?(你)?自己|who are you"):
        text = conversation.translated(
            f"我是沙盒里代替 {conversation.model} 回答的模型，并不是真正的服务。",
            f"I am a sandbox that answers in place of {conversation.model}.",
        )
    elif name:
        text = conversation.translated(
            f"您好，{name}！我记住了。", f"Nice to meet you, {name}! I will remember."
        )
    elif len(conversation.question) <= 20 and conversation.mentions(
        r"^\W*(你好|您好|嗨|hello|hi|hey)\b|^\W*(你好|您好)"
    ):
        text = conversation.translated(
            "你好！有什么我可以帮助你的吗？", "Hello! How can I help you today?"
        )
    return conversation.with_history(text) if text else ""


def quote_earlier(conversation: Conversation) -> str:
    """Quote an earlier message from the user, when the question is about one."""
    about_user = (
        "(?<!告诉|叫做)(?<![给帮教])我(?!想|们|要)[^，。,]{0,10}(什么|哪|几|多少|谁)"
        r"|\b(what|where|which|when|how)\b.{0,40}\b(my|i)\b"
    )
    about_past = (
        "刚才|之前|先前|前面|上一个|第一个问题|earlier|before|previous|first question|last question"
    )
    earlier = conversation.earlier_questions
    if not earlier or not conversation.mentions(f"{about_past}|{about_user}"):
        return ""
    topic = keywords(conversation.question)
    quote = (
        earlier[0]
        if conversation.mentions("第一|最开始|first")
        else max(reversed(earlier), key=lambda text: len(keywords(text) & topic))
    )
    quote = excerpt(quote, 120)
    return conversation.translated(
        f"您说过：“{quote}”。这是第 {conversation.question_number} 个问题。", f'You said: "{quote}"'
    )


_OPENINGS = ("好的", "这是个好问题", "很乐意为您解答", "我们来看看")
_ENGLISH_OPENINGS = ("A good question", "Gladly", "Let us see")
_ENDINGS = ("及时总结，不断调整。", "多听多问，持之以恒。", "大胆尝试，小心验证。")


def reply_generally(conversation: Conversation) -> str:
    """Reply to any question, quoting it."""
    topic = excerpt(conversation.question, 40).rstrip("。？！?!.")
    choose = conversation.choose
    text = conversation.translated(
        f"{choose('opening', _OPENINGS)}。关于“{topic}”，可以从三个方面来看："
        f"首先，明确目标；其次，循序渐进；最后，{choose('ending', _ENDINGS)}",
        f'{choose("opening", _ENGLISH_OPENINGS)}: about "{topic}" there are three points. First, '
        "be clear about the goal; second, take small steps; third, look at the result and adjust.",
    )
    return conversation.with_history(text)


Replier = Callable[[Conversation], str]

REPLIES: tuple[Replier, ...] = (
    report_tool_results,
    reply_in_json,
    recall_name,
    state_fact,
    write_slogan,
    tell_story,
    recommend,
    greet,
    quote_earlier,
    reply_generally,
)
