"""The rules for the conversations of every provider; `COMMON_RULES` is their table.

A new rule is a function in a module of this package and a line in the table. Docstrings of rules
cite sources: [DOC] is the provider's documentation, [REC] a recording of the live service, [FIELD]
a developer's report; the sources are in docs/WIRE_FACTS.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from operator import itemgetter

from harness.analysis.transcript import AnalyzedTranscript
from harness.errors import MissingExtra
from harness.rules import (
    answers,
    conversations,
    expectations,
    media,
    requests,
    sdk,
    streams,
    tasks,
    tools,
    usage,
    wire_format,
)
from harness.rules.rule import (
    INFO,
    WARNING,
    Rule,
    Scope,
    Subjects,
    choice_rule,
    conversation_rule,
    exchange_rule,
    history_rule,
    refusal_rule,
    sdk_rule,
    stream_choice_rule,
    stream_rule,
    task_rule,
)
from harness.types import Finding, Transcript

COMMON_RULES: tuple[Rule, ...] = (
    exchange_rule(wire_format.known_endpoint, "harness", INFO),
    exchange_rule(wire_format.request_is_json, "JSON A1 B1"),
    exchange_rule(wire_format.body_is_json, "JSON A1 B1"),
    exchange_rule(wire_format.content_type_agrees_with_body, "HTTP A1 B3"),
    stream_rule(wire_format.stream_is_well_formed, "SSE A2 B3"),
    stream_rule(wire_format.events_are_json, "A2 B3"),
    stream_rule(wire_format.done_marker, "A2 B3"),
    exchange_rule(wire_format.delivery_as_asked, "A2 B3"),
    refusal_rule(wire_format.status_agrees_with_body, "HTTP A6 B7", WARNING),
    exchange_rule(answers.answer_fits_schema, "A1 A2 A4 A5 B1 B2 B3 B4 B5 B8"),
    choice_rule(answers.finish_reason_is_known, "A1 B2", WARNING),
    exchange_rule(answers.role_is_known, "A1 B2", WARNING),
    exchange_rule(answers.object_names_its_form, "A1 A2 first", WARNING),
    choice_rule(answers.answer_says_why_it_ended, "A1 B1"),
    choice_rule(answers.answer_says_something, "C2", WARNING),
    exchange_rule(answers.choices_are_as_requested, "C1 C8", WARNING),
    exchange_rule(answers.log_probabilities_are_not_positive, "B2 C1", WARNING),
    choice_rule(answers.log_probabilities_fit_text, "B2 C1", WARNING),
    exchange_rule(answers.ids_are_not_empty, "A1 B1 B5"),
    exchange_rule(answers.created_agrees_with_date, "A1 A7", WARNING),
    choice_rule(answers.reasoning_is_kept_apart, "A1 A7", WARNING),
    exchange_rule(answers.fields_are_spelled_as_documented, "A1 B1", WARNING),
    refusal_rule(answers.refusal_fits_schema, "A6 B7"),
    refusal_rule(answers.failure_has_code_and_message, "A6 B7"),
    refusal_rule(answers.refusal_status_fits_code, "A6 B7", WARNING),
    refusal_rule(answers.refusal_is_no_answer, "A6 B7"),
    exchange_rule(usage.usage_adds_up, "A1 B1 A7"),
    exchange_rule(usage.usage_is_not_negative, "A1 B1"),
    exchange_rule(usage.usage_details_fit, "A1 B4 A7", WARNING),
    exchange_rule(usage.output_is_counted, "C1 C2", WARNING),
    stream_rule(usage.usage_is_told, "A2 A7", WARNING),
    stream_rule(usage.usage_never_shrinks, "B3 first"),
    stream_rule(usage.input_tokens_stay, "B3 C4 A7", WARNING),
    stream_rule(streams.stream_keeps_its_identity, "A2 B3"),
    stream_choice_rule(streams.stream_finishes_once, "A2 B3 first"),
    stream_choice_rule(streams.nothing_after_finish, "A2 B3"),
    stream_choice_rule(streams.cumulative_stream_only_grows, "B3"),
    stream_choice_rule(streams.cumulative_calls_only_grow, "B3 B6"),
    stream_choice_rule(streams.deltas_do_not_repeat, "A2 B3"),
    stream_rule(streams.events_have_content, "A2 B3", WARNING),
    history_rule(streams.stream_equals_whole, "A1 A2 B2 B3", WARNING),
    task_rule(tasks.task_state_is_known, "A4 B5", WARNING),
    conversation_rule(tasks.task_moves_forward, "A4 B5"),
    task_rule(tasks.poll_answers_its_task, "A4 B5"),
    history_rule(tasks.task_keeps_its_id, "A4 B5"),
    task_rule(tasks.result_only_after_success, "A4 B5"),
    task_rule(tasks.success_has_result, "A4 B5"),
    task_rule(tasks.failed_task_says_why, "B5"),
    task_rule(tasks.task_times_in_order, "B5"),
    conversation_rule(tasks.task_times_stay, "B5 A7"),
    task_rule(tasks.task_metrics_add_up, "B5"),
    choice_rule(tools.tool_calls_are_complete, "A3 B6"),
    stream_choice_rule(tools.tool_pieces_belong, "A2 B6"),
    choice_rule(tools.tool_type_is_known, "A3 B6", WARNING),
    conversation_rule(tools.tool_was_declared, "A3 B6"),
    conversation_rule(tools.tool_arguments_fit, "schema A3 B6"),
    choice_rule(tools.tool_finish_has_calls, "A3 B6"),
    choice_rule(tools.tool_calls_finish_as_such, "B6 first", WARNING),
    exchange_rule(tools.tool_results_answer_calls, "A3 B6"),
    exchange_rule(conversations.messages_are_well_formed, "A1 A3 B7", WARNING),
    history_rule(conversations.history_is_carried, "A1", WARNING, conversations.may_continue),
    history_rule(conversations.reasoning_is_carried, "C1 C2", WARNING, conversations.may_continue),
    history_rule(conversations.prefix_is_stable, "C1", INFO, conversations.may_continue),
    exchange_rule(media.embedding_for_each_text, "B8", subjects=media.measured),
    exchange_rule(media.embeddings_have_one_length, "B8", subjects=media.measured),
    exchange_rule(media.embedding_has_asked_length, "B8", WARNING, media.measured),
    exchange_rule(media.ranking_is_ordered, "B8", subjects=media.measured),
    exchange_rule(media.file_link_is_absolute, "URI A5 B5"),
    exchange_rule(media.image_decodes, "A5 B5"),
    exchange_rule(media.sound_or_film_is_one, "A5 B5"),
    conversation_rule(media.image_has_asked_size, "A5 B5"),
    conversation_rule(media.image_count_as_asked, "B5"),
    sdk_rule(requests.model_travels, "harness"),
    sdk_rule(requests.conversation_travels, "SDK harness"),
    sdk_rule(requests.parameters_travel, "SDK", WARNING),
    sdk_rule(requests.delivery_travels, "A2 A4 B3 B5"),
    sdk_rule(sdk.sdk_agrees_with_wire, "SDK"),
    sdk_rule(sdk.access_paths_work, "SDK A1 B2"),
    sdk_rule(sdk.reply_agrees_with_wire, "SDK"),
    sdk_rule(sdk.failure_agrees_with_wire, "SDK A6 B7"),
    sdk_rule(sdk.pieces_join_to_content, "SDK A2 B3"),
    sdk_rule(expectations.expected_finish_reason, "scenario"),
    sdk_rule(expectations.expected_words, "scenario"),
    sdk_rule(expectations.expected_json, "scenario"),
    sdk_rule(expectations.expected_pointers, "scenario"),
    sdk_rule(expectations.expected_states, "scenario"),
    sdk_rule(expectations.expected_tool_call, "scenario"),
    sdk_rule(expectations.expected_failure, "scenario"),
    conversation_rule(expectations.everything_was_played, "harness"),
)


@dataclass(frozen=True, slots=True)
class Judged:
    """The findings of all rules in a transcript.

    Attributes:
        findings: The findings of rules that the transcript does not ignore.
        ignored: The findings of rules that the transcript ignores.
    """

    findings: tuple[Finding, ...] = ()
    ignored: tuple[Finding, ...] = ()


def judge(analyzed: AnalyzedTranscript, rules: Iterable[Rule]) -> Judged:
    """Return the findings of the rules in a transcript, in the order of the rules.

    If the transcript selects rules, only these are applied. Rules that it ignores are applied, too,
    so that a report can count their findings. A rule that needs a Python package which is not
    installed yields one finding that says so.
    """
    transcript, answered = analyzed.transcript, analyzed.answered
    of_exchanges, of_all = _by_subjects(tuple(rules), transcript.selected)
    numbered: list[tuple[int, Finding]] = []
    lacking: set[int] = set()
    for part in answered.parts():
        numbered += _findings(of_exchanges, part, lacking)
    numbered += _findings(of_all, answered, lacking)
    findings = [finding for _, finding in sorted(numbered, key=itemgetter(0))]
    return Judged(
        tuple(finding for finding in findings if finding.rule not in transcript.ignored),
        tuple(finding for finding in findings if finding.rule in transcript.ignored),
    )


_Groups = tuple[tuple[Subjects, list[tuple[int, Rule]]], ...]
"""Rules with their numbers, grouped by what they are called with."""


def _findings(
    groups: _Groups, analyzed: AnalyzedTranscript, lacking: set[int]
) -> Iterator[tuple[int, Finding]]:
    """Yield (number of the rule, finding), but for the rules in *lacking*.

    A rule that needs a package which is missing has one finding, and is added to *lacking*.
    """
    transcript = analyzed.transcript
    for subjects_of, group in groups:
        subjects = subjects_of(analyzed)
        for number, rule in group if subjects else ():
            if number in lacking:
                continue
            try:
                for finding in rule.findings_in(subjects):
                    yield number, _complete(finding, rule, transcript)
            except MissingExtra as error:
                finding = _complete(Finding(f"not checked: {error}"), rule, transcript)
                lacking.add(number)
                yield number, replace(finding, severity=INFO)


@lru_cache(maxsize=16)
def _by_subjects(rules: tuple[Rule, ...], selected: Sequence[str]) -> tuple[_Groups, _Groups]:
    """Return the selected rules that check exchanges by themselves, and the others."""
    both: tuple[dict[Subjects, list[tuple[int, Rule]]], ...] = ({}, {})
    for number, rule in enumerate(rules):
        if not selected or rule.name in selected:
            groups = both[rule.scope is not Scope.EXCHANGE]
            groups.setdefault(rule.subjects, []).append((number, rule))
    of_exchanges, of_all = (tuple(groups.items()) for groups in both)
    return of_exchanges, of_all


def _complete(finding: Finding, rule: Rule, transcript: Transcript) -> Finding:
    return replace(
        finding,
        rule=rule.name,
        severity=transcript.severities.get(rule.name, rule.severity),
        scenario=transcript.scenario,
        target=transcript.target,
        source=transcript.source,
    )
