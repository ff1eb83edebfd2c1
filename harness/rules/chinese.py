"""The law of each rule in Chinese: what the first line of its docstring says in English.

Those of one service's own stand with its rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

CHINESE: Mapping[str, str] = MappingProxyType(
    {
        # bytes, JSON and streams
        "known_endpoint": "请求发往本工具了解其格式的接口。",
        "request_is_json": "请求体是一个 UTF-8 编码的 JSON 对象。",
        "body_is_json": "响应体是格式正确的 UTF-8 JSON：没有 `NaN`，没有重复的键，没有被截断。",
        "content_type_agrees_with_body": (
            "`Content-Type` 如实说明响应体是什么：JSON 或服务器发送事件（SSE），以 UTF-8 编码。"
        ),
        "stream_is_well_formed": "流符合服务器发送事件（SSE）的语法，最后一个事件完整结束。",
        "events_are_json": "每个事件的数据都是格式正确的 JSON。",
        "done_marker": "格式规定以 `[DONE]` 结尾的流必定以它结尾，其他的流都不会。",
        "delivery_as_asked": "请求要求流式时以流返回，未要求时不以流返回。",
        "status_agrees_with_body": "拒绝所带的 HTTP 状态码也表明这是拒绝。",
        # answers
        "answer_fits_schema": "回答具备文档规定的字段，每个字段的类型也如文档所述。",
        "finish_reason_is_known": "结束原因是文档列出的取值之一。",
        "role_is_known": "作答一方的角色是 `assistant`。",
        "object_names_its_form": "字段 `object` 若出现，就说明这是完整的回答还是流中的事件。",
        "answer_says_why_it_ended": "模型的完整回答带有结束原因。",
        "ids_are_not_empty": "凡是出现的 ID 都不为空。",
        "created_agrees_with_date": (
            "创建时间是自 1970 年起的秒数，与响应头 `Date` 相差不超过一小时。"
        ),
        "reasoning_is_kept_apart": "模型的思考过程与正文分开给出，而且只给一次。",
        # refusals
        "refusal_fits_schema": "拒绝符合文档规定的该服务的错误格式。",
        "failure_has_code_and_message": "拒绝说明原因：错误码不为空，并附有消息。",
        "refusal_status_fits_code": "拒绝的 HTTP 状态码与其错误码相配。",
        "refusal_is_no_answer": "拒绝中没有回答的内容：没有候选（`choices`），没有文本，没有结果。",
        # counts of tokens
        "usage_adds_up": "输入与输出的 token 数相加等于总数。",
        "usage_is_not_negative": "token 数都不是负数。",
        "usage_details_fit": "明细中的计数不超过它所属的总数。",
        "usage_is_told": "服务一向给出或请求要求给出 token 数时，流结束前必定给出。",
        "usage_never_shrinks": "流中反复给出的用量只增不减。",
        "input_tokens_stay": "流中反复给出的输入 token 数在每个事件里都相同。",
        # streams
        "stream_keeps_its_identity": "同一个流的每个事件都带有相同的 ID、模型和创建时间。",
        "stream_finishes_once": "流会给出结束原因，而且只给一次。",
        "nothing_after_finish": "给出结束原因之后，流不再带来文本或工具调用。",
        "cumulative_stream_only_grows": (
            "每个事件都带有截至当时的全文时，后一个事件的文本以前一个的文本开头。"
        ),
        "cumulative_calls_only_grow": (
            "每个事件都带有截至当时的全部内容时，工具调用的参数同样只会变长。"
        ),
        "deltas_do_not_repeat": "每个事件只带新增部分时，没有事件重复截至当时的全文。",
        "stream_equals_whole": "同一个问题，以流式提问和一次答完的方式提问，得到的回答一致。",
        # tasks
        "task_state_is_known": "任务状态是文档列出的取值之一。",
        "task_moves_forward": "任务状态只进不退，任务只结束一次。",
        "poll_answers_its_task": "轮询得到的响应说的正是所查询的任务。",
        "task_keeps_its_id": "轮询的任务就是提交的任务。",
        "result_only_after_success": "尚未成功的任务还没有结果。",
        "success_has_result": "成功的任务带有结果。",
        "failed_task_says_why": "服务承诺说明失败原因时，失败的任务带有错误码和消息。",
        "task_times_in_order": "任务先提交，再调度，最后结束。",
        "task_times_stay": "任务已经发生的事，每次轮询的说法都与上一次相同。",
        "task_metrics_add_up": "任务对结果的计数与结果本身相符。",
        # tools
        "tool_calls_are_complete": "工具调用有自己的 ID 和名称，参数是一个 JSON 对象。",
        "tool_pieces_belong": "流式工具调用的各个片段都属于这个调用：第一个片段带有 ID 和名称。",
        "tool_type_is_known": "工具调用的类型是 `function`，或者是它带有同名字段的类型。",
        "tool_was_declared": "模型只调用请求提供的函数。",
        "tool_arguments_fit": "工具调用的参数符合请求声明的 JSON Schema。",
        "tool_finish_has_calls": "以调用工具为由结束的回答，至少调用一个工具。",
        "tool_calls_finish_as_such": "调用工具的回答，其结束原因也这样说明。",
        "tool_results_answer_calls": (
            "请求中的每个工具结果都对应先前的一个调用，每个调用也都有结果。"
        ),
        "messages_are_well_formed": "请求中的消息角色已知，内容不为空，次序合理。",
        "history_is_carried": "延续对话的请求原样带上此前的全部对话。",
        # vectors and pictures
        "embedding_for_each_text": "发送的每段文本各有一个向量，编号与文本一致，从 0 开始。",
        "embeddings_have_one_length": "同一个回答中的向量长度全都相同。",
        "embedding_has_asked_length": "向量的长度与所请求的一致。",
        "ranking_is_ordered": "排序结果从最高分开始，每个文档至多出现一次。",
        "image_link_is_absolute": "图片链接是 `http` 或 `https` 的绝对地址。",
        "image_decodes": "下载的图片可以完整解码，直到最后一行。",
        "image_has_asked_size": "下载的图片与所请求的尺寸一致。",
        "image_count_as_asked": "返回的图片数与所请求的一致，失败的也算在内。",
        # what an SDK sends, and what it makes of the answer
        "model_travels": "请求的模型就是场景指定的模型。",
        "conversation_travels": "发出的消息或提示词与调用给出的相同：一条不少，一字不改。",
        "parameters_travel": "每个参数都按场景给出的值发送。",
        "delivery_travels": "要求流式的调用请求流，要求任务的调用提交任务，其他调用两者都不做。",
        "sdk_agrees_with_wire": "SDK 给出的每个字段都能在线路上找到，值和类型相同，也没有遗漏。",
        "access_paths_work": "按文档写的访问路径，取到的正是线路上传输的值。",
        "reply_agrees_with_wire": "经由 SDK 得到的回答，与本工具自己从线路上读到的一致。",
        "failure_agrees_with_wire": (
            "线路上有拒绝，SDK 才报告拒绝，也必定报告；状态码、错误码和消息都相同。"
        ),
        "pieces_join_to_content": "SDK 逐段给出的内容，拼接起来就是它们所代表的全文。",
        # what a scenario expects
        "expected_finish_reason": "回答以步骤期望的原因结束。",
        "expected_words": "回答包含步骤期望的文字。",
        "expected_json": "回答是符合步骤给定 JSON Schema 的 JSON。",
        "expected_pointers": "步骤期望的位置存在于回答中；若是流，则存在于最后一个事件中。",
        "expected_tool_call": "回答调用了步骤期望的工具。",
        "expected_failure": "步骤期望拒绝时有拒绝，错误码与期望的相符；其余时候没有拒绝。",
        "everything_was_played": "磁带里的每一次往返，回放时都会请求到。",
    }
)
"""A sentence for each rule, by its name; what a program would write stands between backticks."""
