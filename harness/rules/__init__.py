"""The rules: what must hold of every recorded conversation. This is the table of contents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from harness import dialects
from harness.reading import Read, Reading, Recognise, read
from harness.rules import (
    answers,
    dashscope,
    expectations,
    history,
    images,
    json_and_sse,
    sdk,
    streams,
    tasks,
    tools,
    zhipuai,
)
from harness.rules.rule import Rule, Scope
from harness.types import Finding, Severity, Transcript

OfExchange = Callable[[Reading], Iterator[Finding]]
OfConversation = Callable[[Read], Iterator[Finding]]


def _exchange(check: OfExchange, severity: Severity = Severity.ERROR) -> Rule:
    return Rule(check, Scope.EXCHANGE, severity)


def _conversation(check: OfConversation, severity: Severity = Severity.ERROR) -> Rule:
    return Rule(check, Scope.CONVERSATION, severity)


def _sdk(check: OfConversation, severity: Severity = Severity.ERROR) -> Rule:
    return Rule(check, Scope.SDK, severity)


RULES: tuple[Rule, ...] = (
    _exchange(json_and_sse.known_endpoint, Severity.INFO),
    _exchange(json_and_sse.request_is_json),
    _exchange(json_and_sse.body_is_json),
    _exchange(json_and_sse.content_type_agrees_with_body),
    _exchange(json_and_sse.stream_is_well_formed),
    _exchange(json_and_sse.events_are_json),
    _exchange(json_and_sse.done_marker),
    _exchange(json_and_sse.delivery_as_asked),
    _exchange(json_and_sse.status_agrees_with_body, Severity.WARNING),
    _exchange(answers.answer_fits_schema),
    _exchange(answers.refusal_fits_schema),
    _exchange(answers.failure_has_code_and_message),
    _exchange(answers.finish_reason_is_known),
    _exchange(answers.answer_says_why_it_ended),
    _exchange(answers.usage_adds_up),
    _exchange(answers.usage_is_not_negative),
    _exchange(answers.ids_are_not_empty),
    _exchange(streams.stream_keeps_its_identity),
    _exchange(streams.stream_finishes_once),
    _exchange(streams.nothing_after_finish),
    _exchange(streams.usage_never_shrinks),
    _exchange(streams.cumulative_stream_only_grows),
    _exchange(streams.deltas_do_not_repeat),
    _exchange(tasks.task_state_is_known),
    _conversation(tasks.task_moves_forward),
    _exchange(tasks.poll_answers_its_task),
    _conversation(tasks.task_keeps_its_id),
    _exchange(tasks.result_only_after_success),
    _exchange(tasks.success_has_result),
    _exchange(tasks.failed_task_says_why),
    _exchange(tasks.task_times_in_order),
    _exchange(tools.tool_calls_are_complete),
    _conversation(tools.tool_was_declared),
    _conversation(tools.tool_arguments_fit),
    _exchange(tools.tool_finish_has_calls),
    _exchange(tools.tool_calls_finish_as_such, Severity.WARNING),
    _exchange(tools.tool_results_answer_calls),
    _exchange(history.messages_are_well_formed),
    _conversation(history.history_is_carried),
    _exchange(images.image_link_is_absolute),
    _exchange(images.image_decodes),
    _conversation(images.image_has_asked_size),
    _conversation(images.image_count_as_asked),
    _exchange(zhipuai.zhipu_stream_has_only_data),
    _exchange(zhipuai.zhipu_ids_agree),
    _exchange(dashscope.dashscope_events_count_up),
    _exchange(dashscope.dashscope_event_is_named),
    _exchange(dashscope.dashscope_event_tells_status),
    _exchange(dashscope.dashscope_request_ids_agree),
    _sdk(sdk.sdk_agrees_with_wire),
    _sdk(sdk.access_paths_work),
    _sdk(sdk.reply_agrees_with_wire),
    _sdk(sdk.failure_agrees_with_wire),
    _sdk(sdk.pieces_join_to_content),
    _sdk(expectations.expected_finish_reason),
    _sdk(expectations.expected_words),
    _sdk(expectations.expected_json),
    _sdk(expectations.expected_pointers),
    _sdk(expectations.expected_tool_call),
    _sdk(expectations.expected_failure),
    _conversation(expectations.everything_was_played),
)


def check(
    transcript: Transcript,
    recognise: Recognise = dialects.recognise,
    rules: Iterable[Rule] = RULES,
) -> tuple[Finding, ...]:
    """Every finding of these rules in a transcript, in the rules' order.

    Rules that the transcript ignores are left out; the reason stands in the transcript.
    """
    told = read(transcript, recognise)
    applied = [rule for rule in rules if rule.name not in transcript.ignored]
    return tuple(
        _signed(finding, rule, transcript) for rule in applied for finding in rule.findings(told)
    )


def _signed(finding: Finding, rule: Rule, transcript: Transcript) -> Finding:
    return replace(
        finding,
        rule=rule.name,
        severity=rule.severity,
        scenario=transcript.scenario,
        target=transcript.target,
        source=transcript.source,
    )


def unknown_names(names: Iterable[str]) -> list[str]:
    """Those of the names that no rule has."""
    known = {rule.name for rule in RULES}
    return [name for name in names if name not in known]
