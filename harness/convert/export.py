"""The export of cassettes into the files of other tools."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import harness
from harness.analysis.transcript import AnalyzedTranscript, AnalyzedTurn
from harness.cassette.writer import dumps
from harness.convert import har, otel
from harness.providers.masking import text_masker
from harness.providers.openai.session import message as openai_message
from harness.report.conversation import sent_messages
from harness.types import Cassette, Exchange, Json, Message, Provenance, Reply

Export = Callable[[Sequence[AnalyzedTranscript]], tuple[str, list[str]]]
"""A function from transcripts to the text of a file, and to what that has no room for."""

_VCRPY_LOSSES = ["times, chunks and provenance, which stock vcrpy does not read"]
_LINES_LOSSES = [
    "everything but messages, model and token counts; conversations without an answer are left out"
]


def _exchanges(reads: Sequence[AnalyzedTranscript]) -> list[Exchange]:
    return [reading.exchange for read in reads for reading in read.readings]


def _har(reads: Sequence[AnalyzedTranscript]) -> tuple[str, list[str]]:
    document, losses = har.write(_exchanges(reads), harness.__version__)
    return _json(document), losses


def _otel(reads: Sequence[AnalyzedTranscript]) -> tuple[str, list[str]]:
    unread = sum(not sent_messages(t) for r in reads for t in r.turns if t.outcome is not None)
    unread_texts = [f"the messages of {unread} turns, whose format is not read"] if unread else []
    return _json(otel.write(reads, harness.__version__)), [*otel.LOSSES, *unread_texts]


def _vcrpy(reads: Sequence[AnalyzedTranscript]) -> tuple[str, list[str]]:
    """Return one cassette that plain vcrpy reads, with bodies in place of artefact files."""
    plain = [
        Exchange(exchange.request, replace(exchange.response, artefact=None))
        for exchange in _exchanges(reads)
    ]
    text = dumps(Cassette(tuple(plain), Provenance()))
    return text[text.index("interactions:") :], _VCRPY_LOSSES


def _lines(reads: Sequence[AnalyzedTranscript]) -> tuple[str, list[str]]:
    """Return one line for each conversation, in the form that fine-tuning takes."""
    lines = [line for read in reads for line in _conversations(read)]
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), _LINES_LOSSES


def _conversations(read: AnalyzedTranscript) -> Iterator[dict[str, Json]]:
    """Yield the conversations of a transcript; turns that go on with one are part of it."""
    turns = [(turn, sent_messages(turn)) for turn in read.turns]
    for number, (turn, messages) in enumerate(turns):
        later = turns[number + 1][1] if number + 1 < len(turns) else ()
        if not isinstance(turn.outcome, Reply) or not messages:
            continue
        said = [message.content for message in later[len(messages) : len(messages) + 1]]
        goes_on = later[: len(messages)] == messages and said == [turn.outcome.content or ""]
        if not goes_on:
            yield _line(read, turn, turn.outcome, messages)


def _line(
    read: AnalyzedTranscript, turn: AnalyzedTurn, reply: Reply, messages: Sequence[Message]
) -> dict[str, Json]:
    answer = Message("assistant", reply.content or "", reply.tool_calls)
    usage = reply.usage
    line: dict[str, Json] = {
        "messages": [openai_message(message) for message in (*messages, answer)],
        "model": reply.model,
        "source": text_masker()(read.transcript.source),
        "turn": turn.turn.number,
    }
    if usage is not None:
        line["usage"] = {
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "total_tokens": usage.total_tokens,
        }
    return line


def _json(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"


EXPORTS: Mapping[str, Export] = MappingProxyType(
    {"har": _har, "otel": _otel, "vcrpy": _vcrpy, "jsonl": _lines}
)
"""The writers of the forms that are exported, by name."""


def export(reads: Sequence[AnalyzedTranscript], form: str) -> tuple[str, list[str]]:
    """Return the transcripts *reads* as the text of a file, and what the file lacks of them.

    *form* is the name of the format: `har`, `otel`, `vcrpy` or `jsonl` (conversations for
    fine-tuning). What the file lacks is a list of phrases for messages, such as "times".
    """
    return EXPORTS[form](reads)
