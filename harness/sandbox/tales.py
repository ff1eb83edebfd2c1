"""Fairy tales: a hero, a place, a friend and a happy end, put together by chance and prompt."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

Pick = Callable[[str, Sequence[str]], str]

_HEROES = ("小狐狸阿橙", "小刺猬团团", "小裁缝云儿", "小狮子米洛")
_PLACES = ("开满铃兰的山谷", "月光照着的森林", "大海边的风车村", "雪山脚下的小镇")
_FRIENDS = ("一只会唱歌的萤火虫", "一位爱打瞌睡的月亮老人", "一条讲故事的小溪", "一棵会走路的橡树")
_LOST = ("村里的星光灯", "春天的第一声鸟鸣", "国王的笑声", "井里的彩虹")

_TALE = (
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

_GOES_ON = (
    "后来呀，{hero}长大了一点点。一个下雪的晚上，{friend}带来一封没有署名的信，信上只有一句话："
    "“请到{place}来。”{hero}毫不犹豫地出发了。原来，是当年那条小龙为大家准备了一个惊喜：整片天空都"
    "挂满了用星光编成的灯笼。他们唱啊跳啊，一直玩到天亮，约好年年都要再见。"
)

_TALE_EN = (
    "Once upon a time there lived {hero} in a quiet valley. One morning the light of the village "
    "was gone, and nobody dared to look for it. {hero} packed a small bag and set out. On the way "
    "a glow-worm joined in, and together they crossed the river and climbed the hill. In a cave "
    "they found a lonely dragon that held the light and wept. They asked it to come home with "
    "them, and from that day on nobody in the valley was ever lonely again."
)

_GOES_ON_EN = (
    "The next winter a letter without a name reached {hero}. It was from the dragon, who had hung "
    "the whole sky with lanterns. They danced until morning and promised to meet every year."
)


def tale(wish: str, pick: Pick, english: bool) -> str:
    """A fairy tale about the hero that a wish names, or about one picked for it."""
    return _told(_TALE_EN if english else _TALE, wish, pick, english)


def continuation(told: str, pick: Pick, english: bool) -> str:
    """How a tale that was told goes on, with its hero."""
    return _told(_GOES_ON_EN if english else _GOES_ON, told, pick, english)


def _told(text: str, wish: str, pick: Pick, english: bool) -> str:
    hero = "a brave little fox" if english else pick("hero", _HEROES)
    return text.format(
        hero=_hero(wish) or hero,
        place=pick("place", _PLACES),
        friend=pick("friend", _FRIENDS),
        lost=pick("lost", _LOST),
    )


def _hero(wish: str) -> str:
    """The hero that a wish names (`关于小猫的童话`, `a story about Tom`) or a tale has."""
    named = (
        re.search("住着(.{1,24}?)。|there lived (.{1,40}?) in", wish)
        or re.search("主角(?:是|叫|为)([^，。,.；;！!]{1,12})", wish)
        or re.search("关于(?:一(?:只|个|条|位))?([^，。,.]{1,12}?)的(?:童话|故事)", wish)
        or re.search(r"(?:story|tale) (?:about|of) ((?:an? )?[A-Za-z ]{1,24})", wish)
    )
    return next((part.strip() for part in named.groups() if part), "") if named else ""
