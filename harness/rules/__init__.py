"""The rules: what must hold of every recorded conversation. This is the table of contents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches

from harness.analysis.endpoint import Recognise
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.transcript import AnalyzedTranscript, analyze
from harness.providers import endpoints
from harness.providers.dashscope import rules as dashscope_rules
from harness.providers.zhipu import rules as zhipu_rules
from harness.rules import (
    answers,
    expectations,
    history,
    images,
    json_and_sse,
    refusals,
    requests,
    sdk,
    streams,
    tasks,
    tools,
    usage,
    vectors,
)
from harness.rules.rule import Rule, Scope
from harness.types import Finding, Severity, Transcript

OfExchange = Callable[[AnalyzedExchange], Iterator[Finding]]
OfConversation = Callable[[AnalyzedTranscript], Iterator[Finding]]

ERROR, WARNING, INFO = Severity.ERROR, Severity.WARNING, Severity.INFO


def _exchange(check: OfExchange, evidence: str, severity: Severity = ERROR) -> Rule:
    return Rule(check, Scope.EXCHANGE, severity, tuple(evidence.split()))


def _conversation(check: OfConversation, evidence: str, severity: Severity = ERROR) -> Rule:
    return Rule(check, Scope.CONVERSATION, severity, tuple(evidence.split()))


def _sdk(check: OfConversation, evidence: str, severity: Severity = ERROR) -> Rule:
    return Rule(check, Scope.SDK, severity, tuple(evidence.split()))


RULES: tuple[Rule, ...] = (
    _exchange(json_and_sse.known_endpoint, "harness", INFO),
    _exchange(json_and_sse.request_is_json, "JSON A1 B1"),
    _exchange(json_and_sse.body_is_json, "JSON A1 B1"),
    _exchange(json_and_sse.content_type_agrees_with_body, "HTTP A1 B3"),
    _exchange(json_and_sse.stream_is_well_formed, "SSE A2 B3"),
    _exchange(json_and_sse.events_are_json, "A2 B3"),
    _exchange(json_and_sse.done_marker, "A2 B3"),
    _exchange(json_and_sse.delivery_as_asked, "A2 B3"),
    _exchange(json_and_sse.status_agrees_with_body, "HTTP A6 B7", WARNING),
    _exchange(answers.answer_fits_schema, "A1 A2 A4 A5 B1 B2 B3 B4 B5 B8"),
    _exchange(answers.finish_reason_is_known, "A1 B2", WARNING),
    _exchange(answers.role_is_known, "A1 B2", WARNING),
    _exchange(answers.object_names_its_form, "A1 A2 first", WARNING),
    _exchange(answers.answer_says_why_it_ended, "A1 B1"),
    _exchange(answers.ids_are_not_empty, "A1 B1 B5"),
    _exchange(answers.created_agrees_with_date, "A1 A7", WARNING),
    _exchange(answers.reasoning_is_kept_apart, "A1 A7", WARNING),
    _exchange(refusals.refusal_fits_schema, "A6 B7"),
    _exchange(refusals.failure_has_code_and_message, "A6 B7"),
    _exchange(refusals.refusal_status_fits_code, "A6 B7", WARNING),
    _exchange(refusals.refusal_is_no_answer, "A6 B7"),
    _exchange(usage.usage_adds_up, "A1 B1 A7"),
    _exchange(usage.usage_is_not_negative, "A1 B1"),
    _exchange(usage.usage_details_fit, "A1 B4 A7", WARNING),
    _exchange(usage.usage_is_told, "A2 A7", WARNING),
    _exchange(usage.usage_never_shrinks, "B3 first"),
    _exchange(usage.input_tokens_stay, "B3 A7", WARNING),
    _exchange(streams.stream_keeps_its_identity, "A2 B3"),
    _exchange(streams.stream_finishes_once, "A2 B3 first"),
    _exchange(streams.nothing_after_finish, "A2 B3"),
    _exchange(streams.cumulative_stream_only_grows, "B3"),
    _exchange(streams.cumulative_calls_only_grow, "B3 B6"),
    _exchange(streams.deltas_do_not_repeat, "A2 B3"),
    _conversation(streams.stream_equals_whole, "A1 A2 B2 B3", WARNING),
    _exchange(tasks.task_state_is_known, "A4 B5", WARNING),
    _conversation(tasks.task_moves_forward, "A4 B5"),
    _exchange(tasks.poll_answers_its_task, "A4 B5"),
    _conversation(tasks.task_keeps_its_id, "A4 B5"),
    _exchange(tasks.result_only_after_success, "A4 B5"),
    _exchange(tasks.success_has_result, "A4 B5"),
    _exchange(tasks.failed_task_says_why, "B5"),
    _exchange(tasks.task_times_in_order, "B5"),
    _conversation(tasks.task_times_stay, "B5 A7"),
    _exchange(tasks.task_metrics_add_up, "B5"),
    _exchange(tools.tool_calls_are_complete, "A3 B6"),
    _exchange(tools.tool_pieces_belong, "A2 B6"),
    _exchange(tools.tool_type_is_known, "A3 B6", WARNING),
    _conversation(tools.tool_was_declared, "A3 B6"),
    _conversation(tools.tool_arguments_fit, "schema A3 B6"),
    _exchange(tools.tool_finish_has_calls, "A3 B6"),
    _exchange(tools.tool_calls_finish_as_such, "B6 first", WARNING),
    _exchange(tools.tool_results_answer_calls, "A3 B6"),
    _exchange(history.messages_are_well_formed, "A1 A3 B7", WARNING),
    _conversation(history.history_is_carried, "A1", WARNING),
    _exchange(vectors.embedding_for_each_text, "B8"),
    _exchange(vectors.embeddings_have_one_length, "B8"),
    _exchange(vectors.embedding_has_asked_length, "B8", WARNING),
    _exchange(vectors.ranking_is_ordered, "B8"),
    _exchange(images.image_link_is_absolute, "URI A5 B5"),
    _exchange(images.image_decodes, "A5 B5"),
    _conversation(images.image_has_asked_size, "A5 B5"),
    _conversation(images.image_count_as_asked, "B5"),
    _exchange(zhipu_rules.zhipu_events_have_no_name, "A2", WARNING),
    _exchange(zhipu_rules.zhipu_ids_agree, "A1 first", WARNING),
    _exchange(zhipu_rules.zhipu_id_tells_time, "first A7", WARNING),
    _exchange(zhipu_rules.zhipu_filter_is_known, "A5", WARNING),
    _exchange(dashscope_rules.dashscope_events_count_up, "B3"),
    _exchange(dashscope_rules.dashscope_event_is_named, "B3"),
    _exchange(dashscope_rules.dashscope_event_tells_status, "B3"),
    _exchange(dashscope_rules.dashscope_request_ids_agree, "first", WARNING),
    _exchange(dashscope_rules.dashscope_times_agree, "first A7", WARNING),
    _sdk(requests.model_travels, "harness"),
    _sdk(requests.conversation_travels, "SDK harness"),
    _sdk(requests.parameters_travel, "SDK", WARNING),
    _sdk(requests.delivery_travels, "A2 A4 B3 B5"),
    _sdk(sdk.sdk_agrees_with_wire, "SDK"),
    _sdk(sdk.access_paths_work, "SDK A1 B2"),
    _sdk(sdk.reply_agrees_with_wire, "SDK"),
    _sdk(sdk.failure_agrees_with_wire, "SDK A6 B7"),
    _sdk(sdk.pieces_join_to_content, "SDK A2 B3"),
    _sdk(expectations.expected_finish_reason, "scenario"),
    _sdk(expectations.expected_words, "scenario"),
    _sdk(expectations.expected_json, "scenario"),
    _sdk(expectations.expected_pointers, "scenario"),
    _sdk(expectations.expected_tool_call, "scenario"),
    _sdk(expectations.expected_failure, "scenario"),
    _conversation(expectations.everything_was_played, "harness"),
)


@dataclass(frozen=True, slots=True)
class Judged:
    """What the rules find in a transcript, and what they would have if none were ignored."""

    findings: tuple[Finding, ...] = ()
    ignored: tuple[Finding, ...] = ()


def judge(
    transcript: Transcript,
    recognise: Recognise = endpoints.recognise,
    rules: Iterable[Rule] = RULES,
) -> Judged:
    """Every finding of these rules in a transcript, in the rules' order.

    Rules that the transcript did not select are left out. What it ignores is kept apart, so that
    nothing disappears unsaid; the reason stands in the transcript.
    """
    told = analyze(transcript, recognise)
    found = [
        _signed(finding, rule, transcript)
        for rule in rules
        if not transcript.selected or rule.name in transcript.selected
        for finding in rule.findings(told)
    ]
    return Judged(
        tuple(f for f in found if f.rule not in transcript.ignored),
        tuple(f for f in found if f.rule in transcript.ignored),
    )


def check(
    transcript: Transcript,
    recognise: Recognise = endpoints.recognise,
    rules: Iterable[Rule] = RULES,
) -> tuple[Finding, ...]:
    """The same without what the transcript ignores."""
    return judge(transcript, recognise, rules).findings


def _signed(finding: Finding, rule: Rule, transcript: Transcript) -> Finding:
    return replace(
        finding,
        rule=rule.name,
        severity=transcript.severities.get(rule.name, rule.severity),
        scenario=transcript.scenario,
        target=transcript.target,
        source=transcript.source,
    )


def unknown_names(names: Iterable[str]) -> list[str]:
    """Those of the names that no rule has."""
    known = {rule.name for rule in RULES}
    return [name for name in names if name not in known]


def no_such_rule(name: str) -> str:
    """What to tell somebody who names a rule that is not there; names alike are suggested."""
    near = get_close_matches(name, [rule.name for rule in RULES], n=2, cutoff=0.75)
    meant = f"did you mean {' or '.join(near)}?" if near else "`harness rules` lists them"
    return f"there is no rule {name!r}; {meant}"
