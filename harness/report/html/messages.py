"""Every word of the page that is ours, in English and in Chinese.

The page is written in English; its script puts the Chinese in place of what `said` marked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from markupsafe import Markup

from harness.types import Place


@dataclass(frozen=True, slots=True)
class Text:
    """A text in both languages; `many` is the English after another number than 1."""

    english: str
    chinese: str
    many: str = ""


TEXTS: Mapping[str, Text] = MappingProxyType(
    {
        "skip": Text("Skip to the content", "跳到正文"),
        "views": Text("Views", "视图"),
        "overview": Text("Overview", "总览"),
        "findings": Text("Findings", "发现"),
        "fields": Text("Fields", "字段"),
        "scenarios": Text("Scenarios", "场景"),
        "scenario": Text("scenario", "场景"),
        "target": Text("target", "目标"),
        "all_targets": Text("All targets", "所有目标"),
        "search": Text("Search everything", "全文搜索"),
        "theme": Text("Theme", "主题"),
        "keys": Text("Keys", "快捷键"),
        "close": Text("Close", "关闭"),
        "key_next": Text("next and previous item", "下一项、上一项"),
        "key_search": Text("search", "搜索"),
        "key_escape": Text("clear the search, leave the field", "清空搜索，离开输入框"),
        "key_help": Text("this list", "本列表"),
        "ok": Text("passed", "通过"),
        "not_ok": Text("failed", "失败"),
        "transcripts": Text("transcript", "份对话记录", "transcripts"),
        "turns": Text("turn", "轮", "turns"),
        "exchanges": Text("exchange", "次往返", "exchanges"),
        "error": Text("error", "错误", "errors"),
        "warning": Text("warning", "警告", "warnings"),
        "info": Text("note", "提示", "notes"),
        "problems": Text("problem", "个问题", "problems"),
        "problem": Text("not playable", "无法播放"),
        "passed": Text("passed", "通过"),
        "failed": Text("failed", "失败"),
        "warned": Text("warned", "有警告"),
        "nothing_here": Text("none", "无"),
        "from_live": Text("Recorded from the live providers.", "录制自真实服务。"),
        "from_sandbox": Text(
            "Recorded from the sandbox, not from the live providers.",
            "录制自沙箱，不是真实服务。",
        ),
        "from_unknown": Text(
            "Recorded by another tool: nobody says from where.", "由其他工具录制，来源不明。"
        ),
        "partly": Text("Partly:", "部分："),
        "meaning": Text("Where each value stands", "各个值的位置"),
        "meaning_about": Text(
            "What a reader of answers looks for: the path, its types, and in how many answers it "
            "is. That number leads to the first exchange that shows it.",
            "读取回答时所需的值：路径、类型，以及有多少回答包含它。点击数字可看首个例证。",
        ),
        "stand_elsewhere": Text("values stand elsewhere", "个值的位置不同"),
        "stand_alike": Text("every value stands in the same place", "所有值的位置相同"),
        "all_fields": Text("All fields, with evidence", "全部字段及例证"),
        "every_field": Text("Every field, by its path", "按路径列出的所有字段"),
        "by_target": Text("Target by target", "逐个目标"),
        "asked_answered": Text("asked and answered", "提问与回答方式"),
        "path": Text("path", "路径"),
        "type": Text("type", "类型"),
        "present": Text("present", "出现"),
        "always": Text("always", "总是"),
        "sometimes": Text("sometimes", "有时"),
        "never": Text("never", "从不"),
        "unfold": Text("Show all", "全部展开"),
        "answered_answer": Text("at once", "同步"),
        "answered_stream": Text("stream", "流式"),
        "answered_task_accepted": Text("task accepted", "任务已提交"),
        "answered_task_running": Text("task running", "任务进行中"),
        "answered_task_ended": Text("task ended", "任务结束"),
        "answered_refusal": Text("refusal", "拒绝"),
        "answered_file": Text("file", "文件"),
        "answered_other": Text("other", "其他"),
        "field_response_id": Text("response id", "回答编号"),
        "field_model": Text("model", "模型"),
        "field_content": Text("content", "内容"),
        "field_reasoning": Text("reasoning", "思考过程"),
        "field_tool_call_id": Text("tool call id", "工具调用编号"),
        "field_tool_call_name": Text("tool call name", "工具名称"),
        "field_tool_call_arguments": Text("tool call arguments", "工具参数"),
        "field_finish_reason": Text("finish reason", "结束原因"),
        "field_input_tokens": Text("input tokens", "输入 token"),
        "field_output_tokens": Text("output tokens", "输出 token"),
        "field_total_tokens": Text("total tokens", "总 token"),
        "field_image_url": Text("image url", "图片地址"),
        "field_vector": Text("vector", "向量"),
        "field_task_id": Text("task id", "任务编号"),
        "field_task_state": Text("task state", "任务状态"),
        "field_error_code": Text("error code", "错误码"),
        "field_error_message": Text("error message", "错误信息"),
        "value": Text("value", "值"),
        "duration": Text("for all of this", "总用时"),
        "at_a_glance": Text("Scenarios and targets", "场景与目标"),
        "glance_about": Text(
            "Each cell is one recording. It leads to the conversation.",
            "每格是一份录制，点击可看对话。",
        ),
        "broke": Text("What broke", "出错之处"),
        "nothing_broke": Text(
            "Nothing broke: every rule that applies held.", "没有出错：适用的规则全部成立。"
        ),
        "see_too": Text("See, too, on a page of its own:", "另见单独的页面："),
        "all_findings": Text("All findings", "全部发现"),
        "models": Text("Models: who was faster, who was cheaper", "模型：谁更快，谁更便宜"),
        "models_about": Text(
            "Only targets that answered the same turns of the same scenarios stand together. "
            "Times are the mean of a turn, when it was recorded; prices are without guarantee.",
            "只比较回答了相同场景、相同轮次的目标。用时为录制时每轮的平均值；价格不作保证。",
        ),
        "by_scenario": Text("Scenario by scenario", "逐个场景"),
        "faster_about": Text(
            "Mean time of a turn; the stronger colour is the wait for the first token.",
            "每轮的平均用时；较浓的颜色是等待首个 token 的时间。",
        ),
        "sandbox_times": Text(
            "Times and tokens, and so costs, are those of the sandbox, not of the services.",
            "用时和 token 数（以及由此得出的费用）来自沙箱，不是真实服务的。",
        ),
        "each": Text("each", "（每个目标）"),
        "first_token": Text("first token", "首个 token"),
        "time_of_turn": Text("time of a turn", "每轮用时"),
        "cost": Text("cost", "费用"),
        "price": Text("price", "价格"),
        "no_price": Text("no price known", "没有已知价格"),
        "unknown": Text("unknown", "未知"),
        "rest_unknown": Text("the others unknown", "其余未知"),
        "in": Text("in", "输入"),
        "out": Text("out", "输出"),
        "a_million": Text("for a million tokens", "每百万 token"),
        "an_image": Text("for an image", "每张图片"),
        "from_day": Text("valid from", "生效于"),
        "seen_on": Text("seen on", "查看于"),
        "up_to": Text("up to", "不超过"),
        "price_thinking": Text("where it thought", "有思考过程时"),
        "cheapest": Text("cheapest", "最便宜"),
        "undecided_unknown": Text("cannot be said; no cost is known of", "无法判断，费用未知："),
        "undecided_currencies": Text(
            "cannot be said; the costs are in several currencies", "无法判断，币种不同"
        ),
        "same_time": Text("several took about the same time", "用时相近"),
        "undecided_equal": Text("the same for", "费用相同："),
        "price_sources": Text("Where these prices are known from", "价格来源"),
        "fastest": Text("fastest", "最快"),
        "who_differs": Text("Where formats differ", "格式的差异"),
        "fields_about": Text(
            "Every field of requests and answers, by provider and way of asking. "
            "A dash: it is not there.",
            "请求与回答的所有字段，按服务商与提问方式排列。横线表示没有该字段。",
        ),
        "of_fields_differ": Text("fields differ", "个字段不同"),
        "of": Text("of", "/"),
        "only_differing": Text("Only where they differ", "只看不同之处"),
        "field": Text("field", "字段"),
        "pictures": Text("Pictures", "图片"),
        "picture_alt": Text("A picture that was answered", "回答的图片"),
        "severity": Text("Severity", "级别"),
        "all_severities": Text("All severities", "所有级别"),
        "expected": Text("expected", "期望"),
        "actual": Text("actual", "实际"),
        "place": Text("where", "位置"),
        "see_bytes": Text("see the bytes", "查看字节"),
        "see_finding": Text("finding", "发现"),
        "ignored": Text("Ignored", "已忽略"),
        "no_findings": Text("No findings.", "没有发现。"),
        "no_hits": Text("Nothing here fits the search.", "没有符合搜索的内容。"),
        "talk": Text("Conversation", "对话"),
        "compare": Text("Side by side", "并排比较"),
        "formats": Text("Formats", "格式"),
        "time": Text("Time", "时间线"),
        "wire": Text("Wire", "原始报文"),
        "thinking": Text("Thinking", "思考过程"),
        "calls": Text("calls", "调用"),
        "image": Text("image", "图片"),
        "refused": Text("refused", "被拒绝"),
        "unreadable": Text("an answer that could not be read", "无法读取的回答"),
        "empty": Text("an empty answer", "空回答"),
        "skipped": Text("skipped", "已跳过"),
        "recorded": Text("recorded", "录制于"),
        "turn": Text("turn", "轮次"),
        "outcome": Text("outcome", "结果"),
        "delivery": Text("delivery", "方式"),
        "finish": Text("finish reason", "结束原因"),
        "characters": Text("characters", "字符"),
        "tokens_in": Text("tokens in", "输入 token"),
        "tokens_out": Text("out", "输出"),
        "events": Text("event", "个事件", "events"),
        "events_head": Text("events", "事件"),
        "first_byte": Text("first byte", "首字节"),
        "total": Text("total", "总计"),
        "pairs": Text("Differences, pair by pair", "两两差异"),
        "pair": Text("pair", "一对"),
        "format_differs": Text("format differs at", "格式不同"),
        "answer_differs": Text("answer differs at", "回答不同"),
        "letters": Text("letters", "文字"),
        "texts_alike": Text("texts alike", "文本相似度"),
        "part_in": Text("part in", "分歧处"),
        "noise": Text("noise", "噪声"),
        "noise_about": Text(
            "Repeats of one of the two differ there as well: that is noise, not a difference.",
            "其中一方的重复录制在此处也不同：这是噪声，不算差异。",
        ),
        "first_divergence": Text("First divergence", "首个分歧"),
        "divergence_about": Text(
            "Here they part by more than wording; what differs later may follow from it.",
            "从这里起不只是措辞不同；之后的差异可能由此而来。",
        ),
        "no_divergence": Text(
            "No turn parts by more than wording and format.", "各轮只有措辞与格式上的不同。"
        ),
        "by_turn": Text("a turn is missing", "缺少一轮"),
        "by_failure": Text("one was refused", "一方被拒绝"),
        "by_tool_call": Text("tool calls", "工具调用"),
        "by_finish_reason": Text("finish reason", "结束原因"),
        "by_json": Text("JSON content", "JSON 内容"),
        "by_images": Text("images", "图片"),
        "by_text": Text("text", "文本"),
        "spots": Text("spot", "处", "spots"),
        "where": Text("where", "位置"),
        "alike": Text("alike", "相似"),
        "no_difference": Text("No difference that matters.", "没有重要差异。"),
        "and": Text("and", "另有"),
        "more_json": Text("more: see the JSON report", "项：见 JSON 报告"),
        "volatile": Text(
            "value that differs between any two answers is left out",
            "个每次都不同的值未列出",
            "values that differ between any two answers are left out",
        ),
        "shape": Text("shape", "结构"),
        "answer": Text("answer", "回答"),
        "content": Text("content", "内容"),
        "request": Text("request", "请求"),
        "event": Text("event of a stream", "流事件"),
        "submit": Text("task submitted", "任务提交"),
        "poll": Text("task still running", "任务进行中"),
        "result": Text("task ended", "任务结束"),
        "refusal": Text("refusal", "拒绝"),
        "file": Text("file", "文件"),
        "other": Text("other", "其他"),
        "text": Text("text", "文本"),
        "differing": Text("differing", "不同"),
        "paths": Text("field", "个字段", "fields"),
        "one_target": Text(
            "Only one target: there is nothing to compare it with.", "只有一个目标，无从比较。"
        ),
        "time_about": Text(
            "As it was when it was recorded, each turn on a scale of its own. The stronger colour "
            "is the wait for the first byte; a stroke is a chunk of a stream, the taller the "
            "larger.",
            "录制时的用时，每轮各有刻度。较浓的颜色是等待首字节的时间；竖线是流的分块，越高越大。",
        ),
        "no_times": Text("Nobody noted when this travelled.", "没有记录时间。"),
        "no_chunks": Text("When each chunk came was not recorded.", "没有记录各分块到达的时间。"),
        "chunks": Text("chunk", "个分块", "chunks"),
        "after": Text("after", "开始于"),
        "began": Text("began", "录制于"),
        "task": Text("task", "任务"),
        "wire_about": Text(
            "The bytes as they travelled; only line breaks are added. Marked is what a finding "
            "points at.",
            "按传输原样显示，只添加了换行。标记处是发现所指的字节。",
        ),
        "response": Text("answer", "回答"),
        "no_endpoint": Text("no endpoint known here", "未知端点"),
        "a_file": Text("a file of", "文件，大小"),
        "nothing": Text("nothing", "空"),
        "drift": Text("Drift", "漂移"),
        "drift_about": Text(
            "What changed since it was recorded, and what that means for a reader of the format.",
            "录制以来的变化，以及对读取该格式的程序意味着什么。",
        ),
        "verdict": Text("verdict", "结论"),
        "verdict_same": Text("same", "相同"),
        "verdict_wording": Text("wording only", "仅措辞不同"),
        "verdict_new_field": Text("new field", "新字段"),
        "verdict_breaking": Text("breaking", "破坏性变化"),
        "all_changes": Text("All changes", "全部变化"),
        "nothing_changed": Text("Nothing changed.", "没有变化。"),
        "change": Text("change", "变化"),
        "before": Text("before", "之前"),
        "after_that": Text("after", "之后"),
        "kind_removed": Text("removed", "已移除"),
        "kind_retyped": Text("another type", "类型改变"),
        "kind_newly_null": Text("newly null", "变为 null"),
        "kind_added": Text("added", "新增"),
        "kind_filled": Text("no longer null", "不再是 null"),
        "kind_new_value": Text("new value", "新取值"),
        "kind_status": Text("status", "状态码"),
        "kind_no_answer": Text("answer gone", "不再有回答"),
        "kind_other_answer": Text("answer added", "多了回答"),
        "kind_rule": Text("rule broken", "违反规则"),
        "kind_value": Text("value", "值"),
        "kind_count": Text("count", "数量"),
        "word_reply": Text("reply", "回答"),
        "word_sync": Text("sync", "同步"),
        "word_stream": Text("stream", "流式"),
        "word_task": Text("task", "异步任务"),
        "word_live": Text("live", "真实服务"),
        "word_sandbox": Text("sandbox", "沙箱"),
        "word_unknown": Text("unknown", "未知"),
        "word_Han": Text("Han", "汉字"),
        "word_Latin": Text("Latin", "拉丁字母"),
        "word_other": Text("other", "其他"),
        "made_by": Text("Made by llm-conversation-harness.", "由 llm-conversation-harness 生成。"),
    }
)
"""Every text, by the name its template has for it."""


TITLES: Mapping[str, str] = MappingProxyType(
    {
        "Broken on purpose: how a break looks": "故意弄坏：出错时是什么样子",
        "Check": "检查",
        "Compare": "比较",
        "Contract": "契约",
        "Demo: replayed offline": "演示：离线回放",
        "Drift": "漂移",
        "Record": "录制",
        "Replay": "回放",
        "Report": "报告",
        "Tests": "测试",
    }
)
"""What runs are called, in Chinese; any other title is shown as it is."""


def english(key: str, number: int = 1) -> str:
    """A text in English, as it stands after a number."""
    told = TEXTS[key]
    return told.english if number == 1 else told.many or told.english


def said(key: str, number: int = 1) -> Markup:
    """The same, marked so that the script finds it."""
    return Markup('<span data-t="{}">{}</span>').format(key, english(key, number))


def chinese_place(place: Place) -> str:
    """Where a finding points, as `str(place)` says it in English."""
    numbered = (
        (place.turn, "第 {} 轮"),
        (place.exchange, "第 {} 次往返"),
        (place.event, "第 {} 个事件"),
    )
    words = [text.format(number) for number, text in numbered if number is not None]
    if place.request:
        words.append("请求")
    if place.offset is not None:
        words.append(f"字节 {place.offset}")
    if place.pointer:
        words.append(place.pointer)
    return "，".join(words)
