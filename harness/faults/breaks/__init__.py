"""The mutations: ways to break a valid conversation, each with the rule that has to notice.

A rule that no mutation breaks may never find anything. This is the table of contents.
"""

from __future__ import annotations

from dataclasses import dataclass
from inspect import getdoc

from harness.analysis.endpoint import Recognise
from harness.analysis.transcript import analyze
from harness.faults.breaks import (
    answers,
    dashscope,
    expectations,
    form,
    pictures,
    sdk,
    streams,
    tasks,
    tools,
    zhipuai,
)
from harness.faults.breaks.edit import OfRead, OfReading, OfTurn, of_exchange, of_turn
from harness.providers import endpoints
from harness.types import Transcript


@dataclass(frozen=True, slots=True)
class Mutator:
    """A function that breaks a valid conversation in a way that the rule `breaks` forbids.

    Other rules may notice too: an answer without its finish reason does not fit its schema either.
    """

    breaks: str
    change: OfRead

    @property
    def name(self) -> str:
        """The function's name."""
        return self.change.__name__

    @property
    def text(self) -> str:
        """What is wrong with the result."""
        return getdoc(self.change) or ""

    def mutate(
        self, transcript: Transcript, recognise: Recognise = endpoints.recognise
    ) -> Transcript | None:
        """The conversation, broken; None where there is nothing in it to break like this."""
        changed = self.change(analyze(transcript, recognise))
        return None if changed == transcript else changed


def _exchanges(rule: str, *changes: OfReading) -> tuple[Mutator, ...]:
    return tuple(Mutator(rule, of_exchange(change)) for change in changes)


def _turns(rule: str, *changes: OfTurn) -> tuple[Mutator, ...]:
    return tuple(Mutator(rule, of_turn(change)) for change in changes)


def _transcripts(rule: str, *changes: OfRead) -> tuple[Mutator, ...]:
    return tuple(Mutator(rule, change) for change in changes)


MUTATORS: tuple[Mutator, ...] = (
    *_exchanges("known_endpoint", form.goes_elsewhere, form.has_another_method),
    *_exchanges("request_is_json", form.request_is_cut_off, form.request_is_a_list),
    *_exchanges(
        "body_is_json", form.body_is_cut_off, form.body_says_nan, form.body_says_a_key_twice
    ),
    *_exchanges(
        "content_type_agrees_with_body", form.says_html, form.stream_says_json, form.says_gbk
    ),
    *_exchanges(
        "stream_is_well_formed",
        form.blank_line_is_lost,
        form.has_an_unknown_field,
        form.has_a_byte_that_is_no_character,
    ),
    *_exchanges("events_are_json", form.event_is_cut_off, form.event_says_nan),
    *_exchanges("done_marker", form.marker_is_lost, form.marker_comes_early, form.marker_is_added),
    *_exchanges("delivery_as_asked", form.stream_was_asked_for, form.no_stream_was_asked_for),
    *_exchanges(
        "status_agrees_with_body", form.refusal_comes_with_200, dashscope.error_comes_with_200
    ),
    *_exchanges(
        "answer_fits_schema",
        answers.field_is_missing,
        answers.field_has_another_type,
        answers.field_is_null,
        answers.count_is_a_text,
    ),
    *_exchanges(
        "finish_reason_is_known", answers.finish_reason_is_new, answers.finish_reason_is_loud
    ),
    *_exchanges("role_is_known", answers.bot_answers, answers.user_answers),
    *_exchanges(
        "object_names_its_form",
        answers.object_has_another_name,
        answers.object_is_the_other_one,
    ),
    *_exchanges(
        "answer_says_why_it_ended",
        answers.finish_reason_is_missing,
        answers.finish_reason_is_the_word_null,
    ),
    *_exchanges("ids_are_not_empty", answers.id_is_empty, answers.request_id_is_empty),
    *_exchanges(
        "created_agrees_with_date", answers.date_is_tomorrow, answers.date_is_in_another_zone
    ),
    *_exchanges(
        "reasoning_is_kept_apart",
        answers.text_begins_with_a_thought,
        answers.text_repeats_the_reasoning,
    ),
    *_exchanges("refusal_fits_schema", answers.code_is_a_number, answers.message_is_missing),
    *_exchanges("failure_has_code_and_message", answers.code_is_empty, answers.message_is_empty),
    *_exchanges(
        "refusal_status_fits_code", answers.status_is_a_teapots, answers.status_is_the_servers
    ),
    *_exchanges(
        "refusal_is_no_answer",
        answers.refusal_has_an_answer_too,
        answers.refusal_has_all_of_an_answer,
    ),
    *_exchanges("usage_adds_up", answers.total_is_one_more, answers.input_is_one_more),
    *_exchanges("usage_is_not_negative", answers.output_is_negative, answers.total_is_negative),
    *_exchanges(
        "usage_details_fit",
        answers.more_is_cached_than_sent,
        answers.more_is_thought_than_made,
    ),
    *_exchanges("usage_is_told", streams.usage_is_left_out, streams.usage_is_null),
    *_exchanges("usage_never_shrinks", streams.output_shrinks, streams.total_shrinks),
    *_exchanges("input_tokens_stay", streams.input_grows, streams.input_shrinks),
    *_exchanges(
        "stream_keeps_its_identity",
        streams.last_event_has_another_id,
        streams.last_event_is_of_another_model,
    ),
    *_exchanges("stream_finishes_once", streams.finish_is_left_out, streams.finishes_twice),
    *_exchanges(
        "nothing_after_finish", streams.text_follows_the_finish, streams.finish_comes_first
    ),
    *_exchanges(
        "cumulative_stream_only_grows",
        streams.last_event_has_only_its_piece,
        streams.text_shrinks,
    ),
    *_exchanges(
        "cumulative_calls_only_grow",
        streams.arguments_begin_anew,
        streams.call_changes_its_name,
    ),
    *_exchanges(
        "deltas_do_not_repeat",
        streams.pieces_repeat_the_text,
        streams.pieces_repeat_the_reasoning,
    ),
    *_transcripts(
        "stream_equals_whole",
        streams.stream_is_of_another_model,
        streams.stream_was_asked_more,
    ),
    *_exchanges("task_state_is_known", tasks.state_is_new, tasks.state_is_quiet),
    *_transcripts("task_moves_forward", tasks.task_begins_again, tasks.task_ends_otherwise),
    *_exchanges(
        "poll_answers_its_task",
        tasks.poll_is_answered_for_another,
        tasks.another_task_is_polled,
    ),
    *_transcripts(
        "task_keeps_its_id",
        tasks.somebody_elses_task_is_polled,
        tasks.submission_names_another_task,
    ),
    *_exchanges(
        "result_only_after_success",
        tasks.result_comes_while_it_runs,
        tasks.running_task_has_a_result,
    ),
    *_exchanges("success_has_result", tasks.success_is_told_too_early, tasks.result_is_missing),
    *_exchanges("failed_task_says_why", tasks.failure_has_no_code, tasks.failure_has_no_message),
    *_exchanges("task_times_in_order", tasks.task_ends_before_it_begins, tasks.time_is_a_word),
    *_transcripts("task_times_stay", tasks.submission_moves, tasks.last_time_moves),
    *_exchanges(
        "task_metrics_add_up", tasks.more_succeed_than_there_are, tasks.some_results_are_lost
    ),
    *_exchanges(
        "tool_calls_are_complete",
        tools.call_has_no_id,
        tools.call_has_no_name,
        tools.arguments_are_cut_off,
    ),
    *_exchanges(
        "tool_pieces_belong",
        tools.first_piece_has_no_id,
        tools.first_piece_has_no_name,
        tools.later_piece_has_another_name,
    ),
    *_exchanges("tool_type_is_known", tools.call_is_of_a_plugin, tools.call_is_of_functions),
    *_transcripts("tool_was_declared", tools.other_tools_were_offered, tools.no_tools_were_offered),
    *_transcripts(
        "tool_arguments_fit",
        tools.another_argument_was_required,
        tools.arguments_are_of_another_type,
    ),
    *_exchanges("tool_finish_has_calls", tools.finish_promises_calls, tools.calls_are_left_out),
    *_exchanges(
        "tool_calls_finish_as_such",
        tools.calls_finish_with_stop,
        tools.call_is_added_to_an_end,
    ),
    *_exchanges(
        "tool_results_answer_calls",
        tools.result_is_for_another_call,
        tools.result_names_no_call,
        tools.result_is_lost,
    ),
    *_exchanges(
        "messages_are_well_formed",
        tools.human_asks,
        tools.assistant_speaks_last,
        tools.message_says_nothing,
    ),
    *_transcripts(
        "history_is_carried", tools.earlier_answer_is_changed, tools.earlier_call_is_added
    ),
    *_exchanges(
        "embedding_for_each_text", pictures.vector_is_lost, pictures.vector_is_numbered_wrongly
    ),
    *_exchanges(
        "embeddings_have_one_length",
        pictures.vectors_differ_in_length,
        pictures.one_vector_is_longer,
    ),
    *_exchanges(
        "embedding_has_asked_length",
        pictures.longer_vectors_were_asked_for,
        pictures.shorter_vectors_were_asked_for,
    ),
    *_exchanges(
        "ranking_is_ordered",
        pictures.best_comes_last,
        pictures.unknown_document_is_ranked,
        pictures.fewer_were_asked_for,
    ),
    *_exchanges("image_link_is_absolute", pictures.link_is_relative, pictures.link_is_a_files),
    *_exchanges("image_decodes", pictures.picture_is_cut_off, pictures.link_has_expired),
    *_transcripts(
        "image_has_asked_size",
        pictures.wider_picture_was_asked_for,
        pictures.higher_picture_was_asked_for,
    ),
    *_transcripts(
        "image_count_as_asked", pictures.more_pictures_were_asked_for, pictures.picture_is_lost
    ),
    *_exchanges("zhipu_events_have_no_name", zhipuai.event_has_a_name, zhipuai.error_has_a_name),
    *_exchanges("zhipu_ids_agree", zhipuai.request_id_is_another, zhipuai.log_id_is_another),
    *_exchanges(
        "zhipu_id_tells_time", zhipuai.created_a_day_later, zhipuai.created_in_another_zone
    ),
    *_exchanges(
        "zhipu_filter_is_known",
        zhipuai.filter_has_another_scale,
        zhipuai.filter_marks_somebody_else,
    ),
    *_exchanges("dashscope_events_count_up", dashscope.event_is_lost, dashscope.event_comes_twice),
    *_exchanges(
        "dashscope_event_is_named",
        dashscope.event_has_another_name,
        dashscope.event_has_no_name,
    ),
    *_exchanges(
        "dashscope_event_tells_status",
        dashscope.one_event_has_no_status,
        dashscope.result_has_an_errors_status,
    ),
    *_exchanges(
        "dashscope_request_ids_agree",
        dashscope.header_tells_another_id,
        dashscope.body_tells_another_id,
    ),
    *_exchanges("dashscope_times_agree", dashscope.it_took_longer, dashscope.it_took_no_time),
    *_turns("model_travels", sdk.another_model_was_named, sdk.model_was_dropped),
    *_turns("conversation_travels", sdk.question_was_changed, sdk.message_was_lost),
    *_turns("parameters_travel", sdk.parameter_was_lost, sdk.parameter_was_changed),
    *_turns("delivery_travels", sdk.stream_was_wanted, sdk.task_was_wanted),
    *_turns("sdk_agrees_with_wire", sdk.field_is_added, sdk.field_is_lost, sdk.view_is_lost),
    *_turns("access_paths_work", sdk.path_leads_elsewhere, sdk.path_cannot_be_walked),
    *_turns(
        "reply_agrees_with_wire",
        sdk.text_is_another,
        sdk.finish_reason_is_another,
        sdk.usage_is_another,
    ),
    *_turns(
        "failure_agrees_with_wire",
        sdk.refusal_looks_like_an_answer,
        sdk.answer_looks_like_a_refusal,
        sdk.refusal_has_another_code,
    ),
    *_turns("pieces_join_to_content", sdk.piece_is_lost, sdk.piece_comes_twice),
    *_turns(
        "expected_finish_reason",
        expectations.another_end_is_expected,
        expectations.end_is_expected_in_capitals,
    ),
    *_turns(
        "expected_words",
        expectations.other_words_are_expected,
        expectations.one_word_of_two_is_missing,
    ),
    *_turns(
        "expected_json",
        expectations.json_is_expected,
        expectations.another_type_of_json_is_expected,
    ),
    *_turns(
        "expected_pointers",
        expectations.another_place_is_expected,
        expectations.one_place_of_two_is_missing,
    ),
    *_turns(
        "expected_tool_call",
        expectations.another_call_is_expected,
        expectations.call_is_expected_by_half_its_name,
    ),
    *_turns("expected_failure", expectations.refusal_is_expected, expectations.answer_is_expected),
    *_transcripts(
        "everything_was_played", sdk.exchange_is_left_over, sdk.first_exchange_is_left_over
    ),
)
