"""The sandbox's substitute for a language model: `generate` composes replies by rules.

The same request always gets the same reply. Replies quote earlier messages, so a request that lost
its history gets a different one. There is one function per kind of question, which returns "" for
any other; `generate` tries them in the order of `REPLIES`. The texts are in `texts.toml`.
"""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.sandbox.texts import (
    TEXTS,
    count_prompt_tokens,
    excerpt,
    find_cities,
    is_english,
    keywords,
    tokens,
)
from harness.sandbox.tools import SchemaFiller, choose_calls
from harness.types import Call, ContentPart, Json, Message, Reply, ToolCall, Usage
from harness.wire import as_list, read_json, resolve, walk
from harness.wire.images import inspect_image

MAX_CHARACTERS = 4000
"""The sandbox reads this many characters of a message, but counts the tokens of all of it."""


@dataclass(frozen=True, slots=True)
class ChatHistory:
    """The conversation in a request.

    Attributes:
        model: The name of the requested model.
        question: The last message from the user.
        earlier_questions: The messages from the user before it, in order.
        system: The system messages, joined by line feeds.
        tool_results: The tool messages after the question that have no reply yet.
        digest: A hash of everything in the request that may change the wording of the reply.
        json_schema: The schema of the requested JSON reply, {} for JSON without a schema; None if
            a text is requested.
        media: The images, audio and videos in the last message from the user.
    """

    model: str
    question: str
    earlier_questions: tuple[str, ...]
    system: str
    tool_results: tuple[str, ...]
    digest: bytes
    json_schema: Json
    media: tuple[ContentPart, ...] = ()

    @property
    def english(self) -> bool:
        """Whether to reply in English (else in Chinese)."""
        return is_english(self.question)

    @property
    def question_number(self) -> int:
        """The position of the last question among the user's messages, from 1."""
        return len(self.earlier_questions) + 1

    def choose(self, purpose: str, choices: Sequence[str]) -> str:
        """Return one of *choices*, always the same one for the same request and *purpose*."""
        digest = hashlib.sha256(self.digest + purpose.encode()).digest()
        return choices[int.from_bytes(digest[:4], "big") % len(choices)]

    @property
    def language(self) -> str:
        """The key of the reply's language in `texts.toml`: `english` or `chinese`."""
        return "english" if self.english else "chinese"

    def say(self, phrase: str, **values: object) -> str:
        """Return a phrase of `texts.toml` in the language of the question, filled with *values*.

        *phrase* is its key, such as `history`; *values* replace its `{placeholders}`, by name.
        """
        text: str = TEXTS["phrases"][self.language][phrase]
        return text.format(**values)

    def mentions(self, pattern: str) -> bool:
        """Return whether the question contains a match of the regular expression *pattern*."""
        return re.search(pattern, self.question, re.IGNORECASE) is not None

    def with_history(self, text: str) -> str:
        """Return *text* and a quote of the previous question; only *text* if there is none.

        The quote makes the reply to a request that lost its history a different one.
        """
        if not self.earlier_questions:
            return text
        quote = excerpt(self.earlier_questions[-1])
        return text + self.say("history", number=self.question_number, quote=quote)


def read_conversation(call: Call) -> ChatHistory:
    """Return the conversation of *call*, which must have at least one message from the user."""
    asked = [index for index, m in enumerate(call.messages) if m.role == "user"]
    texts = [m.content[:MAX_CHARACTERS] for m in call.messages]
    return ChatHistory(
        model=call.model,
        question=texts[asked[-1]],
        earlier_questions=tuple(texts[index] for index in asked[:-1]),
        system="\n".join(m.content for m in call.messages if m.role == "system")[:MAX_CHARACTERS],
        tool_results=_unanswered_results(call.messages[asked[-1] + 1 :]),
        digest=_digest(call),
        json_schema=_json_schema(call.parameters.get("response_format")),
        media=call.messages[asked[-1]].parts,
    )


def _json_schema(form: Json) -> Json:
    """Return the schema of a `response_format`, or of a `format` as other formats have it."""
    if resolve(form, "/type") not in ("json_object", "json_schema"):
        return None
    found = (resolve(form, pointer) for pointer in ("/json_schema/schema", "/schema"))
    return next((schema for schema in found if isinstance(schema, dict)), {})


def _unanswered_results(messages: Iterable[Message]) -> tuple[str, ...]:
    """Return the contents of the tool messages that no message of the model follows."""
    results: tuple[str, ...] = ()
    for message in messages:
        if message.role == "tool":
            results += (message.content,)
        elif not message.tool_calls:
            results = ()
    return results


def _digest(call: Call) -> bytes:
    """Return a hash of the model, the messages and the sampling parameters.

    The ids of tool calls and the mode (stream or not) do not change it.
    """
    messages = [
        [
            m.role,
            m.content,
            [[c.name, c.arguments] for c in m.tool_calls],
            *[[part.medium, _described(part)] for part in m.parts],
        ]
        for m in call.messages
    ]
    names = ("temperature", "top_p", "top_k", "seed")
    settings = [[name, call.parameters.get(name)] for name in names]
    text = json.dumps([call.model, messages, settings], ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()


def _compose(conversation: ChatHistory, section: str, **values: str) -> str:
    """Return the text of a section of `texts.toml` with its placeholders filled.

    Args:
        conversation: Determines the language, and the choice where the section lists several words.
        section: The name of the section.
        values: Values of placeholders; they override the choices of the section.
    """
    section_texts: dict[str, Any] = TEXTS[section][conversation.language]
    choices = {
        name: conversation.choose(name, texts)
        for name, texts in section_texts.items()
        if isinstance(texts, list)
    }
    return conversation.with_history(section_texts["text"].format(**choices | values))


def report_tool_results(conversation: ChatHistory) -> str:
    """Return a report of the values in the tool results; "" if there are none."""
    if not conversation.tool_results:
        return ""
    results = [_result_text(result) for result in conversation.tool_results]
    cities = "、".join(find_cities(conversation.question))
    about = f"关于{cities}，" if cities else ""
    separator = "; " if conversation.english else "；"
    return conversation.say("results", about=about, results=separator.join(results))


def _result_text(text: str) -> str:
    """Return JSON as `temperature 20, condition sunny`; any other text, cut at 500 characters."""
    value = read_json(text.encode("utf-8", "replace")).value
    if not isinstance(value, (dict, list)):
        return excerpt(text, 500)
    leaves = [(p, v) for p, v in walk(value) if not isinstance(v, (dict, list))][:30]
    return ", ".join(
        f"{p.rpartition('/')[2]} {v if isinstance(v, str) else json.dumps(v)}" for p, v in leaves
    )


def reply_in_json(conversation: ChatHistory) -> str:
    """Return a reply in JSON if `response_format` requests one; else ""."""
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


def recall_name(conversation: ChatHistory) -> str:
    """Return the answer to a question for the user's name; "" for any other question."""
    if not conversation.mentions(
        r"我(叫|的名字|是谁).{0,12}(什么|谁|吗|[?？])|我是谁|说出我的名字"
        r"|what('s| is) my name|who am i\b"
    ):
        return ""
    name = next(_names(conversation.earlier_questions), "")
    return conversation.say("name" if name else "unknown_name", name=name)


def _names(texts: Sequence[str]) -> Iterator[str]:
    """Yield the names by which the user introduced themselves, the latest first."""
    for text in reversed(texts):
        name = re.search(r"(?:我叫|我的名字(?:是|叫))\s*([\u4e00-\u9fffA-Za-z·]{1,12})", text)
        name = name or re.search(r"(?i:my name is|i am|i'm|call me)\s+([A-Z][A-Za-z-]+)", text)
        if name and not re.search("什么|谁", name.group(1)):
            yield name.group(1)


FACTS = tuple((fact["question"], fact["chinese"], fact["english"]) for fact in TEXTS["facts"])
"""(regular expression for the question, answer in Chinese, answer in English)."""


def state_fact(conversation: ChatHistory) -> str:
    """Return the answer to a question about one of `FACTS`; "" for any other question."""
    for pattern, chinese, english in FACTS:
        if conversation.mentions(pattern):
            return conversation.with_history(english if conversation.english else chinese)
    return ""


def write_slogan(conversation: ChatHistory) -> str:
    """Return a slogan for a product, or a question for the product if none was named.

    Returns "" if the user did not request a slogan.
    """
    asked_before = any(
        re.search("口号|标语|slogan", text, re.IGNORECASE)
        for text in conversation.earlier_questions
    )
    short_answer = asked_before and len(conversation.question) <= 30
    if not conversation.mentions("口号|标语|广告语|slogan") and not short_answer:
        return ""
    product = _product(conversation, asked_before)
    if not product:
        return conversation.with_history(conversation.say("ask_product"))
    return _compose(conversation, "slogan", product=product)


def _product(conversation: ChatHistory, asked_before: bool) -> str:
    """Return the name of the product for a slogan; "" if the user named none.

    It is the latest text in quotes, or the question itself if it answers which product (that is, if
    *asked_before* is True and the question does not request a slogan).
    """
    for text in (conversation.question, *reversed(conversation.earlier_questions)):
        if name := re.search('[“"「《](.{1,30}?)[”"」》]', text):
            return name.group(1)
    is_answer = asked_before and not conversation.mentions("口号|标语|slogan|再|换")
    return excerpt(conversation.question, 30).rstrip("。！!.") if is_answer else ""


def tell_story(conversation: ChatHistory) -> str:
    """Return a fairy tale about the requested hero; "" if no story is requested."""
    if not conversation.mentions("童话|故事|fairy tale|story"):
        return ""
    hero = _hero(conversation.question)
    return _compose(conversation, "story", **({"hero": hero} if hero else {}))


def _hero(question: str) -> str:
    """Return the hero of a requested story, as in `a story about Tom`; "" if none is named."""
    hero = (
        re.search("主角(?:是|叫|为)([^，。,.；;！!]{1,12})", question)
        or re.search("关于(?:一(?:只|个|条|位))?([^，。,.]{1,12}?)的(?:童话|故事)", question)
        or re.search(r"(?:story|tale) (?:about|of) ((?:an? )?[A-Za-z ]{1,24})", question)
    )
    return hero.group(1).strip() if hero else ""


def recommend(conversation: ChatHistory) -> str:
    """Return three recommendations of the requested kind; "" if none are requested."""
    if not conversation.mentions("推荐|建议|recommend|suggest"):
        return ""
    choices: list[str] = next(
        entry["choices"]
        for entry in TEXTS["recommendations"]
        if conversation.mentions(entry["question"])
    )
    start = choices.index(conversation.choose("recommend", choices))
    three = [choices[(start + n) % len(choices)] for n in range(3)]
    lines = [
        conversation.say("recommend"),
        *(f"{n}. {choice}" for n, choice in enumerate(three, 1)),
    ]
    return conversation.with_history("\n".join(lines))


def greet(conversation: ChatHistory) -> str:
    """Return a greeting or an introduction of the sandbox; "" for any other question."""
    name = next(_names([conversation.question]), "")
    text = ""
    if conversation.mentions("你是谁|介绍(一下)?(你)?自己|who are you"):
        text = conversation.say("sandbox", model=conversation.model)
    elif name:
        text = conversation.say("hello_name", name=name)
    elif len(conversation.question) <= 20 and conversation.mentions(
        r"^\W*(你好|您好|嗨|hello|hi|hey)\b|^\W*(你好|您好)"
    ):
        text = conversation.say("hello")
    return conversation.with_history(text) if text else ""


def quote_earlier(conversation: ChatHistory) -> str:
    """Return a quote of the earlier message that the question is about; "" if it is about none."""
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
    number = conversation.question_number
    return conversation.say("quote", quote=excerpt(quote, 120), number=number)


def reply_generally(conversation: ChatHistory) -> str:
    """Return a general reply that quotes the question."""
    topic = excerpt(conversation.question, 40).rstrip("。？！?!.")
    return _compose(conversation, "general", topic=topic)


Replier = Callable[[ChatHistory], str]
"""A function that returns the reply to a conversation, or "" if it has none."""


def describe_media(conversation: ChatHistory) -> str:
    """Return a list of the images, audio and videos in the question; "" if there are none.

    Images that were sent as data are listed by their size.
    """
    found = ", ".join(_described(part) for part in conversation.media)
    if not found:
        return ""
    return conversation.with_history(conversation.say("media", found=found))


def _described(part: ContentPart) -> str:
    if "://" in part.value[:10]:
        return f"{part.medium} {part.value.partition('?')[0].rpartition('/')[2]}"
    data = b64decode(part.value.rpartition(",")[2])
    image = inspect_image(data)
    return f"{part.medium} {image.media_type} {image.size}" if image else part.medium.value


REPLIES: tuple[Replier, ...] = (
    report_tool_results,
    reply_in_json,
    describe_media,
    recall_name,
    state_fact,
    write_slogan,
    tell_story,
    recommend,
    greet,
    quote_earlier,
    reply_generally,
)


def generate(call: Call, *, thinking: bool = False) -> Reply:
    """Return the reply to *call*: a text, with its tokens in `pieces`, or tool calls.

    If the user's first question would only get a general reply, a declared tool is called instead,
    even one that does not fit, unless `tool_choice` forbids it.

    Args:
        call: A chat with at least one message from the user.
        thinking: Whether the reply also has reasoning, whose tokens count as output tokens.
    """
    conversation = read_conversation(call)
    tools: Json = call.parameters.get("tools")
    choice: Json = call.parameters.get("tool_choice")
    limit: Json = call.parameters.get("max_tokens")
    text_of_tools = tools if isinstance(tools, str) else json.dumps(tools, ensure_ascii=False)
    input_tokens = count_prompt_tokens(call.messages, text_of_tools if tools else "")
    reasoning = _reasoning(conversation) if thinking else None
    replier, text = next((reply, text) for reply in REPLIES if (text := reply(conversation)))
    if not conversation.tool_results:
        is_first = not conversation.earlier_questions
        if replier is reply_generally and choice in (None, "auto") and is_first:
            choice = "required"
        calls = choose_calls(tools, choice, conversation.question, conversation.earlier_questions)
        if calls:
            return _tool_call_reply(calls, reasoning, input_tokens)
    text = _until_stop(text, call.parameters.get("stop"))
    return _text_reply(text, reasoning, input_tokens, limit)


def choices(call: Call, *, thinking: bool = False) -> tuple[Reply, ...]:
    """Return as many replies to *call* as its parameter `n` requests; one without it.

    The first reply is the result of `generate`; others may have another wording. *thinking* is
    whether the replies also have reasoning.
    """
    count: Json = call.parameters.get("n")
    seeds = range(1, count) if isinstance(count, int) else ()
    seed = call.parameters.get("seed")
    others = (
        replace(call, parameters={**call.parameters, "seed": f"{seed}/{number}"})
        for number in seeds
    )
    return tuple(generate(one, thinking=thinking) for one in (call, *others))


def log_probabilities(pieces: Sequence[str], parameters: Mapping[str, Json]) -> list[Json] | None:
    """Return the log probability of each token in *pieces*, as in OpenAI's `logprobs.content`.

    *parameters* are the parameters of the request: `top_logprobs` is the number of alternatives for
    each token. Returns None unless `logprobs` is true.
    """
    if parameters.get("logprobs") is not True:
        return None
    top = parameters.get("top_logprobs")
    return [_log_probability(piece, top if isinstance(top, int) else 0) for piece in pieces]


def _log_probability(piece: str, top: int) -> Json:
    def one(token: str, rank: int) -> dict[str, Json]:
        return {"token": token, "bytes": [*token.encode()], "logprob": -0.125 - rank}

    others: list[Json] = [one(piece if not rank else f"{piece}{rank}", rank) for rank in range(top)]
    return {**one(piece, 0), "top_logprobs": others}


def reply_with(text: str) -> Reply:
    """Return a reply with *text*, whose usage has no input tokens."""
    return _text_reply(text, None, 0, None)


def _until_stop(text: str, stop: Json) -> str:
    """Return *text* up to the first stop word; *stop* is one word or a list of words."""
    for word in [stop] if isinstance(stop, str) else as_list(stop):
        if isinstance(word, str) and word:
            text = text.split(word)[0]
    return text


def _reasoning(conversation: ChatHistory) -> str:
    question, number = excerpt(conversation.question, 40), conversation.question_number
    return conversation.say("reasoning", question=question, number=number)


def _text_reply(text: str, reasoning: str | None, input_tokens: int, limit: Json) -> Reply:
    """Return a reply of at most *limit* output tokens, reasoning included.

    A *limit* that is not a positive integer is ignored.
    """
    thought, pieces = tokens(reasoning or ""), tokens(text)
    room = limit if isinstance(limit, int) and limit > 0 else len(thought) + len(pieces)
    kept = pieces[: max(0, room - len(thought))]
    output_tokens = min(room, len(thought)) + len(kept)
    return Reply(
        content="".join(kept),
        reasoning=None if reasoning is None else "".join(thought[:room]),
        pieces=kept,
        finish_reason="length" if len(kept) < len(pieces) else "stop",
        usage=Usage(input_tokens, output_tokens, input_tokens + output_tokens),
    )


def _tool_call_reply(calls: list[ToolCall], reasoning: str | None, input_tokens: int) -> Reply:
    texts = [reasoning or "", *(call.name + call.arguments for call in calls)]
    output_tokens = sum(len(tokens(text)) for text in texts)
    return Reply(
        content="",
        reasoning=reasoning,
        tool_calls=tuple(calls),
        finish_reason="tool_calls",
        usage=Usage(input_tokens, output_tokens, input_tokens + output_tokens),
    )
