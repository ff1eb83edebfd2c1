"""The sandbox's answers in OpenAI's format beside chats: vectors, rankings, sounds and words."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from typing import NamedTuple

from starlette.requests import Request

from harness.sandbox.media import spoken_text, synthesize_speech
from harness.sandbox.requests import Range, Reason, Refused, check_content, read_texts
from harness.sandbox.state import SandboxState
from harness.sandbox.texts import count_tokens, embed, rank, tokens
from harness.types import Json
from harness.wire import as_object, compact_bytes
from harness.wire.http import read_form

_DIMENSIONS = Range(1, 4096, whole=True)
_TOP_N = Range(1, 500, whole=True)


def _whole(body: dict[str, Json], name: str, allowed: Range) -> int | None:
    """Return a parameter that is a whole number; None without it. Raises Refused for another."""
    value = body.get(name)
    if value is not None and value not in allowed:
        raise Refused(Reason.BAD_PARAMETER, name)
    return value if isinstance(value, int) else None


def embedding(state: SandboxState, body: dict[str, Json], dimension: int) -> dict[str, Json]:
    """Return the answer to the request *body*: an embedding of each text, as numbers or in base64.

    *dimension* is the length of the embeddings if the request sets none.
    """
    texts = read_texts(body.get("input"))
    state.check_rate_limit(texts[-1])
    length = _whole(body, "dimensions", _DIMENSIONS) or dimension
    in_base64 = body.get("encoding_format") == "base64"
    vectors = [embed(text, length) for text in texts]
    data: list[Json] = [
        {"object": "embedding", "index": index, "embedding": _packed(v) if in_base64 else [*v]}
        for index, v in enumerate(vectors)
    ]
    count = count_tokens(texts)
    usage: Json = {"prompt_tokens": count, "total_tokens": count}
    return {"object": "list", "data": data, "model": body["model"], "usage": usage}


def _packed(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def ranking(state: SandboxState, body: dict[str, Json]) -> dict[str, Json]:
    """Return the answer to a ranking request: its documents, the most relevant first.

    [DOC] rerank.
    """
    query, documents = body.get("query"), body.get("documents")
    if not isinstance(query, str) or not query:
        raise Refused(Reason.BAD_PARAMETER, "query")
    texts = read_texts(documents if documents != [] else None)
    state.check_rate_limit(query)
    results: list[Json] = []
    for index, score in rank(query, texts, _whole(body, "top_n", _TOP_N)):
        document: dict[str, Json] = (
            {"document": texts[index]} if body.get("return_documents") else {}
        )
        results.append({"index": index, "relevance_score": score, **document})
    count = count_tokens([query, *texts])
    return {"results": results, "usage": {"prompt_tokens": count, "total_tokens": count}}


def speech(state: SandboxState, body: dict[str, Json]) -> bytes:
    """Return a WAV file that speaks the text of the request *body*.

    Raises Refused if the request has no text or no voice.
    """
    text = body.get("input")
    if not isinstance(text, str) or not text.strip():
        raise Refused(Reason.BAD_PARAMETER, "input")
    if not body.get("voice"):
        raise Refused(Reason.BAD_PARAMETER, "voice")
    check_content([text])
    state.check_rate_limit(text)
    return synthesize_speech(text)


class TranscriptionRequest(NamedTuple):
    """A request to transcribe a sound file.

    Attributes:
        model: The name of the model.
        text: The transcript to answer with; a sentence with the file's name if it is not a sound of
            the sandbox.
        is_streamed: Whether the request asks for a stream.
    """

    model: str
    text: str
    is_streamed: bool

    def events(self, head: dict[str, Json], end: dict[str, Json]) -> Iterator[bytes]:
        """Yield the bytes of each event of the streamed answer [DOC].

        *head* has further members of every event, *end* those of the last one only.
        """
        pieces: list[dict[str, Json]] = [
            {"type": "transcript.text.delta", "delta": piece} for piece in tokens(self.text)
        ]
        for members in (*pieces, {"type": "transcript.text.done", **end}):
            yield b"data: " + compact_bytes({**head, **members}) + b"\n\n"


async def read_transcription(request: Request) -> TranscriptionRequest:
    """Return what a transcription request, a multipart form with a sound file, asks for.

    Raises Refused for a form without a sound file.
    """
    fields = read_form(await request.body()) or {}
    file = as_object(fields.get("file"))
    content = file.get("content")
    if not isinstance(content, str) or not content:
        raise Refused(Reason.BAD_PARAMETER, "file")
    text = spoken_text(content.encode("utf-8", "surrogateescape"))
    model = str(fields.get("model") or "")
    is_streamed = str(fields.get("stream")).lower() == "true"
    return TranscriptionRequest(model, text or f"一段录音：{file.get('filename')}。", is_streamed)
