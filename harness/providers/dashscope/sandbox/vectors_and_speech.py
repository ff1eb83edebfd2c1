"""The sandbox's answers that are neither chats nor images: vectors, rankings, speech, words."""

from __future__ import annotations

import json
import re
import uuid

from harness.sandbox.media import transcribe
from harness.sandbox.requests import Range, Reason, Refused, check_ranges, read_member, read_texts
from harness.sandbox.state import SandboxState, now
from harness.sandbox.texts import count_tokens, embed, rank
from harness.types import Json
from harness.wire import as_object, as_text

DIMENSION = 1024
"""The length of an embedding, unless the request has another."""

# [DOC] text-embedding and text-rerank: dimension, top_n
RANGES = {
    "dimension": Range(1, 4096, "The dimension should be in [1, 4096]", whole=True),
    "top_n": Range(1, 500, "The top_n should be in [1, 500]", whole=True),
}


def _parameters(body: dict[str, Json]) -> dict[str, Json]:
    parameters = read_member(body, "parameters")
    check_ranges(parameters, RANGES)
    return parameters


def _length(body: dict[str, Json]) -> int:
    dimension = _parameters(body).get("dimension")
    return dimension if isinstance(dimension, int) else DIMENSION


def _answer(output: Json, usage: Json) -> dict[str, Json]:
    return {"output": output, "usage": usage, "request_id": str(uuid.uuid4())}


def embed_texts(state: SandboxState, body: dict[str, Json]) -> dict[str, Json]:
    """Return the answer to the request *body*: a vector for each of its texts [REC]."""
    state.find_model("dashscope", body.get("model"), "embedding", "embedding")
    texts, length = read_texts(read_member(body, "input").get("texts")), _length(body)
    state.check_rate_limit(texts[-1])
    vectors: list[Json] = [
        {"embedding": [*embed(text, length)], "text_index": index}
        for index, text in enumerate(texts)
    ]
    return _answer({"embeddings": vectors}, {"total_tokens": count_tokens(texts)})


def embed_contents(state: SandboxState, body: dict[str, Json]) -> dict[str, Json]:
    """Return the answer to the request *body*: a vector for each of its texts, images and videos.

    [DOC] multimodal-embedding.
    """
    state.find_model("dashscope", body.get("model"), "embedding", "multimodal-embedding")
    contents, length = read_member(body, "input").get("contents"), _length(body)
    if not isinstance(contents, list):
        raise Refused(Reason.BAD_PARAMETER, "contents must be an array.")
    vectors: list[Json] = []
    for index, (medium, value) in enumerate(map(_content, contents)):
        vectors.append({"index": index, "embedding": [*embed(value, length)], "type": medium})
    texts = [value for medium, value in map(_content, contents) if medium == "text"]
    usage: Json = {"input_tokens": count_tokens(texts), "image_tokens": 0}
    return _answer({"embeddings": vectors}, usage)


def _content(value: Json) -> tuple[str, str]:
    """Return (medium, value) of a content such as `{"image": URL}`."""
    for medium in ("text", "image", "video"):
        given = as_object(value).get(medium)
        if isinstance(given, str) and given:
            return medium, given
    raise Refused(Reason.BAD_PARAMETER, "Required parameter(s) missing or invalid: contents")


def rank_documents(state: SandboxState, body: dict[str, Json]) -> dict[str, Json]:
    """Return the answer to a ranking request: its documents, the most relevant first [REC]."""
    state.find_model("dashscope", body.get("model"), "rerank", "rerank")
    given, parameters = read_member(body, "input"), _parameters(body)
    query, documents = _as_text(given.get("query")), given.get("documents")
    if not query or not isinstance(documents, list) or not documents:
        raise Refused(Reason.BAD_PARAMETER, "Required parameter(s) missing or invalid: documents")
    state.check_rate_limit(query)
    texts, limit = [_as_text(one) for one in documents], parameters.get("top_n")
    results: list[Json] = []
    for index, score in rank(query, texts, limit if isinstance(limit, int) else None):
        shown: Json = {"text": texts[index]}
        document: dict[str, Json] = (
            {"document": shown} if parameters.get("return_documents") else {}
        )
        results.append({"index": index, "relevance_score": score, **document})
    return _answer({"results": results}, {"total_tokens": count_tokens([query, *texts])})


def _as_text(value: Json) -> str:
    if isinstance(value, str):
        return value
    return _content(value)[1] if value else ""


def speech_text(body: dict[str, Json]) -> str:
    """Return the text that the request *body* asks to speak; "" if it has none."""
    return as_text(read_member(body, "input").get("text")) or ""


def speech_answer(body: dict[str, Json], request_id: str, url: str) -> dict[str, Json]:
    """Return the answer to the speech request *body*: the link *url* to the sound.

    *request_id* is the id of the answer. A Chinese character is charged as two. [DOC] qwen-tts.
    """
    text = speech_text(body)
    audio: Json = {
        "data": "",
        "expires_at": int(now().timestamp()) + 86400,
        "id": f"audio_{request_id}",
        "url": url,
    }
    return {
        "output": {"audio": audio, "finish_reason": "stop"},
        "usage": {"characters": len(text) + len(re.findall("[\u4e00-\u9fff]", text))},
        "request_id": request_id,
    }


def audio_urls(body: dict[str, Json], name: str) -> tuple[str, ...]:
    """Return the URLs of sounds in the member *name* of the `input` of the request *body*.

    Raises Refused unless that member is a URL or a list of URLs.
    """
    given = read_member(body, "input").get(name)
    urls = given if isinstance(given, list) else [given]
    if not urls or not all(isinstance(url, str) and "://" in url for url in urls):
        raise Refused(Reason.BAD_PARAMETER, f"Required parameter(s) missing or invalid: {name}")
    return tuple(map(str, urls))


def transcript(state: SandboxState, url: str) -> bytes:
    """Return the bytes of a JSON file with the transcript of the sound at *url*.

    *state* has the sounds that the sandbox generated; any other sound gets a fixed text. [DOC]
    Paraformer file transcription.
    """
    text = transcribe(state, url)
    sentence = {"begin_time": 0, "end_time": 1000, "sentence_id": 1, "text": text}
    channel = {"channel_id": 0, "text": text, "sentences": [sentence]}
    properties = {"audio_format": "pcm_s16le", "channels": [0], "original_sampling_rate": 8000}
    file = {"file_url": url, "properties": properties, "transcripts": [channel]}
    return json.dumps(file, ensure_ascii=False).encode()


def transcribed(state: SandboxState, audio: list[str]) -> str:
    """Return the words spoken in the sounds *audio*, each a URL or base64, as one text.

    *state* has the sounds that the sandbox generated; any other sound gets a fixed text.
    """
    return "".join(transcribe(state, value) for value in audio)
