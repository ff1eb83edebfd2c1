"""The kinds of calls that a scenario can make, and docs/SUPPORT.md, which is generated from them.

`tests/test_kinds.py` runs each of them with each form of API that it names. After a change:
python -m tests.support_matrix
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCS = {"en": ROOT / "docs" / "SUPPORT.md", "zh": ROOT / "docs" / "SUPPORT.zh-CN.md"}

FORMS = {
    "zhipu": "model: zhipuai/{model}",
    "zai": "model: zhipuai/{model}\n    sdk: zai-sdk",
    "dashscope": "model: dashscope/{model}",
    "compatible": "model: dashscope-compatible/{model}",
    "openai": "model: openai/{model}",
    "responses": "model: openai-responses/{model}",
    "anthropic": "model: anthropic/{model}",
}
"""The target of a scenario by the form of the API."""

NAMES = {
    "zhipu": "Zhipu (zhipuai)",
    "zai": "Zhipu (zai-sdk)",
    "dashscope": "DashScope",
    "compatible": "DashScope, OpenAI's form",
    "openai": "OpenAI's form",
    "responses": "Responses",
    "anthropic": "Anthropic",
}
CHATS = {
    "zhipu": "glm-5.3-flash",
    "zai": "glm-5.3-flash",
    "dashscope": "qwen3.7-plus",
    "compatible": "qwen-plus",
    "openai": "m",
    "responses": "m",
    "anthropic": "m",
}
THINKING = {
    **dict.fromkeys(("zhipu", "zai"), "glm-5.3"),
    **dict.fromkeys(("dashscope", "compatible"), "qwen3.8-max"),
    **dict.fromkeys(("responses", "anthropic"), "m"),
}
THINKS = {
    "responses": "{reasoning: {effort: medium, summary: auto}}",
    "anthropic": "{thinking: {type: enabled, budget_tokens: 1024}}",
}
"""The parameters by which the models of some forms think."""
TEXTS = {"dashscope": "qwen-plus", "compatible": "qwen-plus", "openai": "m"}
SEEING = {
    **dict.fromkeys(("zhipu", "zai"), "glm-4.5v"),
    **dict.fromkeys(("dashscope", "compatible"), "qwen3.7-plus"),
    **dict.fromkeys(("openai", "responses", "anthropic"), "m"),
}
WATCHING = {form: m for form, m in SEEING.items() if form not in ("responses", "anthropic")}
COLUMNS = ("record", "replay", "rules", "parse", "compare", "sandbox")


@dataclass(frozen=True)
class Kind:
    """A kind of call.

    Attributes:
        id: Its name in tests.
        english: Its name for readers.
        chinese: The same in Chinese.
        steps: The rest of a scenario that makes it; after its targets.
        models: The model by the form of the API; a form that is missing has no such call.
        shown: A text that `harness show` prints of it.
        unparsed: The forms whose SDK `harness parse` does not ask this way.
        parameters: Parameters of the target by form.
    """

    id: str
    english: str
    chinese: str
    steps: str
    models: Mapping[str, str]
    shown: str = "assistant"
    unparsed: tuple[str, ...] = ()
    parameters: Mapping[str, str] | None = None

    def scenario(self, form: str, name: str) -> str:
        """Return the scenario that makes the call with a form."""
        target = FORMS[form].format(model=self.models[form])
        own = (self.parameters or {}).get(form, "")
        extra = f"\n    parameters: {own}" if own else ""
        return f"name: {name}\npoll: {{interval: 0}}\ntargets:\n  - {target}{extra}\n{self.steps}"


MESSAGE = {"dashscope": "{result_format: message}"}
WEATHER = """\
parameters:
  tools:
    - type: function
      function:
        name: get_current_weather
        description: 查询指定城市的当前天气
        parameters:
          type: object
          properties: {location: {type: string}}
          required: [location]
"""

SCHEMA = "{type: object, required: [city], properties: {city: {type: string}}}"
JSON = f"{{type: json_schema, json_schema: {{name: city, schema: {SCHEMA}}}}}"
FORMAT = f"{{type: json_schema, name: city, schema: {SCHEMA}}}"

KINDS = (
    Kind("chat", "chat", "对话", "steps: [{user: 你好}]", CHATS),
    Kind(
        "stream",
        "chat, streamed",
        "对话，流式",
        "mode: stream\nsteps: [{user: 你好}]",
        CHATS,
    ),
    Kind(
        "task",
        "chat by a task, with a time limit and expected states",
        "异步任务对话，带总时限与期望状态",
        "mode: async\nsteps:\n  - user: 你好\n    poll: {timeout: 60}\n"
        "    expect: {states: [PROCESSING, SUCCESS]}",
        {"zhipu": "glm-4", "zai": "glm-4"},
        shown="PROCESSING",
    ),
    Kind(
        "prompt", "bare prompt", "单条提示词", "steps: [{prompt: 你好}]", {"dashscope": "qwen-plus"}
    ),
    Kind(
        "image-url",
        "image by URL in a message",
        "消息中的图片（URL）",
        "steps: [{user: [看图, {image: 'https://host/a.png'}]}]",
        SEEING,
        shown="a.png",
    ),
    Kind(
        "image-file",
        "image by file in a message",
        "消息中的图片（文件）",
        "steps: [{user: [看图, {image: a.png}]}]",
        SEEING,
    ),
    Kind(
        "audio",
        "audio in a message",
        "消息中的音频",
        "steps: [{user: [听, {audio: hello.wav}]}]",
        {"dashscope": "qwen3-omni-flash", "compatible": "qwen3-omni-flash", "openai": "m"},
    ),
    Kind(
        "video-part",
        "video in a message",
        "消息中的视频",
        "steps: [{user: [看, {video: 'https://host/a.mp4'}]}]",
        WATCHING,
        shown="a.mp4",
    ),
    Kind(
        "choices",
        "several choices (n)",
        "多个候选（n）",
        "parameters: {n: 2}\nsteps: [{user: 推荐三本书}, {user: 再推荐, mode: stream}]",
        TEXTS,
        shown="choice 1",
        parameters=MESSAGE,
    ),
    Kind(
        "logprobs",
        "log probabilities",
        "对数概率（logprobs）",
        "parameters: {logprobs: true, top_logprobs: 2}\n"
        "steps: [{user: 你好}, {user: 再来, mode: stream}]",
        TEXTS,
        parameters=MESSAGE,
    ),
    Kind(
        "json",
        "JSON by a schema",
        "按 JSON Schema 回答",
        "steps:\n  - user: 请以 JSON 回答：北京\n"
        "    expect: {json_schema: {type: object, required: [city]}}",
        {**TEXTS, "responses": "m", "anthropic": "m"},
        parameters={
            **dict.fromkeys(TEXTS, f"{{response_format: {JSON}, result_format: message}}"),
            "responses": f"{{text: {{format: {FORMAT}}}}}",
            "anthropic": f"{{output_config: {{format: {FORMAT}}}}}",
        },
    ),
    Kind(
        "tools",
        "two calls of one function in a turn, each with its result",
        "一轮中同一函数的两次调用，各有结果",
        WEATHER + "steps:\n  - user: 北京和上海今天天气怎么样？\n"
        "    expect: {tool_call: get_current_weather}\n  - tool_results:\n"
        "    - {function: get_current_weather, arguments: {location: 上海}, result: {t: 31}}\n"
        "    - {function: get_current_weather, result: {t: 25}}\n",
        CHATS,
        shown="calls get_current_weather",
        parameters={
            "dashscope": "{result_format: message, parallel_tool_calls: true}",
            **dict.fromkeys(("compatible", "openai", "responses"), "{parallel_tool_calls: true}"),
        },
    ),
    Kind(
        "thinking-kept",
        "thinking, sent back",
        "思考内容，回传",
        "history: {reasoning: kept}\nsteps: [{user: 我叫小明}, {user: 我叫什么名字？}]",
        THINKING,
        shown="thinking",
        parameters=THINKS,
    ),
    Kind(
        "thinking-dropped",
        "thinking, dropped",
        "思考内容，不回传",
        "history: {reasoning: dropped}\nsteps: [{user: 我叫小明}, {user: 我叫什么名字？}]",
        THINKING,
        shown="thinking",
        parameters=THINKS,
    ),
    Kind(
        "partial",
        "prefix to be continued (partial)",
        "前缀续写（partial）",
        "steps:\n  - messages:\n    - {role: user, content: 写一首诗}\n"
        "    - {role: assistant, content: 床前, partial: true}\n  - user: 再来一首",
        {"dashscope": "qwen-plus", "compatible": "qwen-plus"},
    ),
    Kind(
        "search",
        "built-in web search",
        "内置联网搜索",
        "steps: [{user: 今天的新闻}]",
        {
            "zhipu": "glm-4",
            "zai": "glm-4",
            "dashscope": "qwen-plus",
            "compatible": "qwen-plus",
            **dict.fromkeys(("responses", "anthropic"), "m"),
        },
        parameters={
            "responses": "{tools: [{type: web_search}]}",
            "anthropic": "{tools: [{type: web_search_20250305, name: web_search}]}",
            **dict.fromkeys(
                ("zhipu", "zai"), "{tools: [{type: web_search, web_search: {enable: true}}]}"
            ),
            "dashscope": "{result_format: message, enable_search: true}",
            "compatible": "{enable_search: true}",
        },
    ),
    Kind(
        "code-interpreter",
        "built-in code interpreter",
        "内置代码解释器",
        "mode: stream\nsteps: [{user: 6 乘 7 等于几？}]",
        {
            **dict.fromkeys(("dashscope", "compatible"), "qwen3.7-plus"),
            **dict.fromkeys(("responses", "anthropic"), "m"),
        },
        parameters={
            "dashscope": "{incremental_output: true, enable_code_interpreter: true}",
            "compatible": "{enable_code_interpreter: true}",
            "responses": "{tools: [{type: code_interpreter, container: {type: auto}}]}",
            "anthropic": "{tools: [{type: code_execution_20250825, name: code_execution}]}",
        },
    ),
    Kind(
        "cache",
        "prefix to be cached (cache_control)",
        "显式缓存前缀（cache_control）",
        "steps:\n  - system: [{text: 你是图书管理员。, cache_control: {type: ephemeral}}]\n"
        "  - user: [{text: 很长的目录。, cache_control: {type: ephemeral}}, 有哪些书？]\n"
        "  - user: 谢谢",
        {"dashscope": "qwen3.7-plus", "compatible": "qwen3.7-plus", "anthropic": "m"},
    ),
    Kind(
        "reference",
        "value of an earlier answer",
        "引用先前回答中的值",
        "steps:\n  - user: 你好\n    name: first\n  - user: '请翻译：{{ steps.first.content }}'",
        CHATS,
        parameters=MESSAGE,
    ),
    Kind(
        "async-client",
        "asynchronous client (client: async)",
        "异步客户端（client: async）",
        "    client: async\nsteps: [{user: 你好}, {user: 再见, mode: stream}]",
        {form: m for form, m in CHATS.items() if form not in ("zhipu", "zai")},
    ),
    Kind(
        "async-client-image",
        "image by an asynchronous client",
        "异步客户端文生图",
        "    client: async\nsteps: [{image: 一只小猫}]",
        {"dashscope": "qwen-image", "openai": "m"},
        shown="image http",
    ),
    Kind(
        "async-client-image-task",
        "image by a task, by an asynchronous client",
        "异步客户端，异步任务文生图",
        "    client: async\nmode: async\nsteps: [{image: 一只小猫, parameters: {n: 1}}]",
        {"dashscope": "wan2.7-image"},
        shown="image http",
    ),
    Kind(
        "async-client-image-edit-task",
        "image edited by a task, by an asynchronous client",
        "异步客户端，异步任务图像编辑",
        "    client: async\nmode: async\n"
        "steps: [{image: [给它戴帽子, {image: a.png}], parameters: {n: 1}}]",
        {"dashscope": "wan2.5-i2i-preview"},
        shown="image http",
    ),
    Kind(
        "async-client-video",
        "video by a task, by an asynchronous client",
        "异步客户端，异步任务生成视频",
        "    client: async\nsteps: [{video: [奔跑, {image: a.png}]}]",
        {"dashscope": "wan2.7-i2v"},
        shown="video http",
    ),
    Kind(
        "async-client-embedding",
        "vectors of texts and images, by an asynchronous client",
        "异步客户端，多模态向量",
        "    client: async\nsteps: [{embedding: [猫, {image: 'https://host/a.png'}]}]",
        {"dashscope": "multimodal-embedding-v1"},
        shown="2 vectors of",
    ),
    Kind(
        "image",
        "image",
        "文生图",
        "steps: [{image: 一只小猫}]",
        {"zhipu": "cogview-4", "zai": "cogview-4", "dashscope": "qwen-image", "openai": "m"},
        shown="image http",
    ),
    Kind(
        "image-task",
        "image by a task",
        "异步任务文生图",
        "mode: async\nsteps: [{image: 一只小猫, parameters: {n: 1}}]",
        {"dashscope": "wan2.7-image"},
        shown="image http",
    ),
    Kind(
        "image-edit",
        "image edited",
        "图像编辑",
        "steps: [{image: [给它戴帽子, {image: a.png}]}]",
        {"dashscope": "qwen-image-edit"},
        shown="image http",
    ),
    Kind(
        "image-edit-task",
        "image edited by a task",
        "异步任务图像编辑",
        "mode: async\nsteps: [{image: [给它戴帽子, {image: a.png}], parameters: {n: 1}}]",
        {"dashscope": "wan2.5-i2i-preview"},
        shown="image http",
    ),
    Kind(
        "video",
        "video by a task, kept as an artefact",
        "异步任务生成视频，保存为附件",
        "steps: [{video: [奔跑, {image: a.png}]}]",
        {"zhipu": "cogvideox-3", "zai": "cogvideox-3", "dashscope": "wan2.7-i2v"},
        shown="video http",
    ),
    Kind(
        "embedding",
        "vectors of texts",
        "文本向量",
        "steps: [{embedding: [你好, 再见]}, {embedding: 你好}]",
        {
            "zhipu": "embedding-3",
            "zai": "embedding-3",
            "dashscope": "text-embedding-v4",
            "compatible": "text-embedding-v4",
            "openai": "m",
        },
        shown="2 vectors of",
    ),
    Kind(
        "embedding-mixed",
        "vectors of texts and images",
        "多模态向量",
        "steps: [{embedding: [猫, {image: 'https://host/a.png'}]}]",
        {"dashscope": "multimodal-embedding-v1"},
        shown="2 vectors of",
    ),
    Kind(
        "rerank",
        "ranking of documents",
        "文档重排序",
        "steps: [{rerank: {query: 向量检索, documents: [天气, 向量检索是什么]}}]",
        {
            "zhipu": "rerank",
            "zai": "rerank",
            "dashscope": "qwen3-rerank",
            "compatible": "qwen3-rerank",
            "openai": "m",
        },
        shown="document 1: score",
    ),
    Kind(
        "speech",
        "text to speech",
        "语音合成",
        "parameters: {voice: v}\nsteps: [{speech: 你好}]",
        {"zhipu": "glm-tts", "zai": "glm-tts", "dashscope": "qwen3-tts-flash", "openai": "m"},
        shown="audio",
        unparsed=("zhipu", "zai", "openai"),
    ),
    Kind(
        "transcription",
        "speech to text",
        "语音识别",
        "steps: [{transcription: hello.wav, expect: {contains: 你好}}]",
        {
            "zhipu": "glm-asr-2512",
            "zai": "glm-asr-2512",
            "dashscope": "qwen3-asr-flash",
            "openai": "m",
        },
        shown="你好",
        unparsed=("zhipu", "zai", "openai"),
    ),
    Kind(
        "transcription-stream",
        "speech to text, streamed",
        "语音识别，流式",
        "mode: stream\nsteps: [{transcription: hello.wav, expect: {contains: 你好}}]",
        {
            "zhipu": "glm-asr-2512",
            "zai": "glm-asr-2512",
            "dashscope": "qwen3-asr-flash",
            "openai": "m",
        },
        shown="你好",
        unparsed=("zhipu", "zai", "openai"),
    ),
    Kind(
        "speech-cosyvoice",
        "text to speech by CosyVoice, over HTTP",
        "CosyVoice 语音合成（HTTP）",
        "parameters: {voice: v, format: mp3}\nsteps: [{speech: 你好}]",
        {"dashscope": "cosyvoice-v3-flash"},
        shown="audio",
        unparsed=("dashscope",),
    ),
    Kind(
        "transcription-task",
        "speech to text by a task, of one file",
        "异步任务语音识别，单个文件",
        "mode: async\nsteps: [{transcription: hello.wav, expect: {contains: 你好}}]",
        {"dashscope": "qwen3-asr-flash-filetrans"},
        shown="你好",
    ),
    Kind(
        "transcription-task-list",
        "speech to text by a task, of a list of files",
        "异步任务语音识别，文件列表",
        "mode: async\nsteps: [{transcription: hello.wav, expect: {contains: 你好}}]",
        {"dashscope": "paraformer-v2"},
        shown="你好",
    ),
)

CELLS = [(kind, form) for kind in KINDS for form in kind.models]
"""Each kind with each form that has it: the cases of `test_kind`."""

_WORDS = {
    "en": {
        "title": "# What is supported",
        "other": "[中文](SUPPORT.zh-CN.md)",
        "about": (
            "Each line is a kind of call that a scenario can make, in one form of API. It is "
            "recorded from the sandbox\nthrough the real SDK, replayed offline, checked by all "
            "rules, parsed by `harness parse`, compared, and shown by\nthe test named in the line. "
            "This page is generated from the cases of that test (`python -m\n"
            "tests.support_matrix`), which fails when the page is stale. Nothing here says that a "
            "live service was asked."
        ),
        "absent": (
            "A form that a kind does not list has no such call, in its service or its SDK. "
            "Missing, although a service has it:\n\n"
            "- Speech over WebSocket (realtime, CosyVoice before v3): what travels inside the "
            "socket is not recorded.\n"
            "- Speech streamed over HTTP by CosyVoice, qwen-tts and GLM-TTS: a step has the whole "
            "sound.\n"
            "- Images edited at OpenAI's `images/edits`, which takes a form.\n"
            "- `client: async` for vectors of texts, transcriptions by a task and CosyVoice: "
            "dashscope 2.0.2 has no asynchronous\n  class for them; zhipuai and zai-sdk have none "
            "at all.\n"
            "- Answers that are sounds, and forms that send them, in `harness parse`: it asks with "
            "JSON and reads JSON.\n"
            "- Zhipu's code interpreter (of its retired assistants): its answers are checked, but "
            "the sandbox does not run it."
        ),
        "head": "| kind of call | form | model | " + " | ".join(COLUMNS) + " | test |",
        "yes": "yes",
        "no": "–",
    },
    "zh": {
        "title": "# 支持情况",
        "other": "[English](SUPPORT.md)",
        "about": (
            "每一行是场景可以发起的一种调用，对应一种接口形式。所列测试用真实 SDK 从沙箱录制、"
            "离线回放、用全部规则检查、\n用 `harness parse` 解析、比较并展示。"
            "本页由该测试的用例生成"
            "（`python -m tests.support_matrix`），过期时测试失败。\n本页不表示访问过真实服务。"
        ),
        "absent": (
            "某种调用没有列出的接口形式，是服务或其 SDK 没有这种调用。服务虽有、这里没有的：\n\n"
            "- WebSocket 语音（实时接口，以及 v3 之前的 CosyVoice）：套接字内传输的内容不录制。\n"
            "- CosyVoice、qwen-tts 与 GLM-TTS 通过 HTTP 的流式合成：步骤得到的是完整音频。\n"
            "- OpenAI 的 `images/edits`（表单）图像编辑。\n"
            "- 文本向量、异步任务识别和 CosyVoice 的 `client: async`：dashscope 2.0.2 没有相应的"
            "异步类；zhipuai 和 zai-sdk 完全没有异步客户端。\n"
            "- `harness parse` 中的音频回答和上传音频的表单：它只用 JSON 提问和读取 JSON。\n"
            "- 智谱的代码解释器（属于已下线的助手）：回答会被检查，但沙箱不运行它。"
        ),
        "head": "| 调用 | 接口形式 | 模型 | 录制 | 回放 | 规则 | 解析 | 比较 | 沙箱 | 测试 |",
        "yes": "是",
        "no": "–",
    },
}


def page(language: str) -> str:
    """Return the page of support in a language, `en` or `zh`."""
    return "\n".join(_lines(language)) + "\n"


def _lines(language: str) -> Iterator[str]:
    words = _WORDS[language]
    yield from (words["title"], "", words["other"], "", words["about"], "", words["absent"], "")
    yield from (words["head"], "|---" * (4 + len(COLUMNS)) + "|")
    for kind, form in CELLS:
        name = kind.english if language == "en" else kind.chinese
        cells = [
            words["no"] if column == "parse" and form in kind.unparsed else words["yes"]
            for column in COLUMNS
        ]
        test = f"`tests/test_kinds.py::test_kind[{kind.id}-{form}]`"
        line = [name, NAMES[form], f"`{kind.models[form]}`", *cells, test]
        yield f"| {' | '.join(line)} |"


if __name__ == "__main__":
    for language, path in DOCS.items():
        path.write_text(page(language), encoding="utf-8")
