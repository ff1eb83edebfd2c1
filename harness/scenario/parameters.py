"""The known names of parameters, by which a misspelt one is recognised.

A name that is not known may be new; only one that is nearly a known one is called misspelt. A test
holds the names to the arguments of the SDKs.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from harness.types import Json

_NAMES = """
audio audio_setting cache_control chat_template_kwargs clear_thinking default_voice dimension
dimensions do_sample enable_code_interpreter enable_encryption enable_search
enable_text_image_mixed enable_thinking encoding_format extra_body extra_headers extra_query
frequency_penalty function_call functions guided_json image_quality incremental_output
input_type language language_type logit_bias logprobs max_completion_tokens max_input_tokens
max_length max_new_tokens max_tokens max_tool_calls meta metadata min_p modalities moderation n
negative_prompt ocr_options output_type parallel_tool_calls partial pixels plugins prediction
presence_penalty preserve_thinking prompt_cache_key prompt_cache_options prompt_cache_retention
prompt_extend quality reasoning reasoning_effort reasoning_split ref_img ref_mode
repetition_penalty request_id request_timeout response_format result_format return_documents
safety_identifier scene search_options seed sensitive_word_check service_tier size speed stop
stop_sequences store stream stream_options strength style suffix task temperature text
text_type thinking thinking_budget thinking_level timeout tool_choice tool_stream tools top_k
top_logprobs top_n top_p translation_options ttl user user_agent user_id verbosity
vl_high_resolution_images voice watermark watermark_enabled web_search_options with_audio
workspace
"""
KNOWN_PARAMETERS = frozenset(_NAMES.split())
"""The names of parameters of the services and SDKs."""

_SIMILARITY = 0.8


def misspelt(parameters: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    """Yield each misspelt name among *parameters*, with the name that is probably meant."""
    for name in parameters:
        meant = "" if name in KNOWN_PARAMETERS else _meant(name)
        if meant:
            yield name, meant


@lru_cache(maxsize=256)
def _meant(name: str) -> str:
    """Return the known name that an unknown one nearly is; empty if there is none."""
    near = difflib.get_close_matches(name.lower(), KNOWN_PARAMETERS, n=1, cutoff=_SIMILARITY)
    return near[0] if near and not _is_variant(name, near[0]) else ""


def _is_variant(name: str, known: str) -> bool:
    """Return whether *name* has a further word, such as `top_p_min`, and so is another name."""
    return set(known.split("_")) < set(name.split("_"))


def warnings(named: Iterable[tuple[str, Mapping[str, Json]]]) -> Iterator[str]:
    """Yield a sentence for each misspelt parameter in pairs of place and parameters, once."""
    seen: set[str] = set()
    for place, parameters in named:
        for name, known in misspelt(parameters):
            text = f"{place}: unknown parameter {name!r}; did you mean {known!r}?"
            if text not in seen:
                seen.add(text)
                yield text
