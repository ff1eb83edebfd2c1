"""Import and export: round trips, files of real tools, secrets, and what is lost is named."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import subprocess
import zlib
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydantic
import pytest
import vcr
from packaging.version import Version

from harness.cassette.artefacts import CassetteFiles, with_artefacts
from harness.cassette.reader import loads
from harness.cassette.store import find, read
from harness.convert.export import export
from harness.convert.har import write as write_har
from harness.convert.importing import IMPORTS, form_of, load, read_any
from harness.convert.synthetic import LOST
from harness.errors import BadCassette
from harness.providers.recordings import read_cassette
from harness.providers.servers import PROVIDER_SERVERS
from harness.report.conversation import sent_messages
from harness.types import Artefact, Cassette, Exchange, Reply, Request, Response, Timing

if TYPE_CHECKING:
    from conftest import Harness

BROKEN_TEXTS = pytest.mark.skipif(
    Version(pydantic.VERSION) < Version("2.11"), reason="this pydantic refuses broken UTF-8"
)
ROOT = Path(__file__).parents[2]
SHIPPED = find([ROOT / "cassettes"])
KEY = PROVIDER_SERVERS["dashscope"].key
NAMES = [f"{path.parent.name}/{path.stem}" for path in SHIPPED]


def imported(path: Path, **options: Any) -> tuple[Cassette, Any]:
    """Import a file; return the cassette that would be written, and the report."""
    files, converted = load(path, **options)
    return loads(files.text), converted


def saved(folder: Path, name: str, value: Any) -> Path:
    """Write JSON to a file."""
    path = folder / name
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
    return path


def travelled(exchange: Exchange) -> tuple[object, ...]:
    """Return what travelled, and when."""
    timing = exchange.timing or Timing(0.0, 0.0, 0.0)
    return (
        exchange.request,
        exchange.response.status,
        exchange.response.reason,
        exchange.response.headers,
        exchange.response.body,
        exchange.chunks,
        exchange.turn,
        [round(t, 4) for t in (timing.total, *timing.arrived)],
    )


@pytest.mark.parametrize("path", SHIPPED, ids=NAMES)
def test_har_keeps_everything(path: Path, tmp_path: Path) -> None:
    """Every byte, header, chunk and time is the same after a round trip through HAR."""
    own = read(path)
    text, losses = export([read_cassette(path)], "har")
    assert losses == []
    (tmp_path / "x.har").write_text(text, encoding="utf-8")
    files, _ = load(tmp_path / "x.har", keep_all=True)
    bodies = {**files.artefacts}
    back = loads(files.text)
    for before, after in zip(own.exchanges, back.exchanges, strict=True):
        artefact = after.response.artefact
        if artefact is not None:
            body = bodies[artefact.name]
            after = replace(after, response=replace(after.response, body=body, artefact=None))
        before = replace(before, response=replace(before.response, artefact=None))
        assert travelled(after) == travelled(before)


def test_har_keeps_bodies_that_are_no_text(tmp_path: Path) -> None:
    """Requests and responses of any bytes."""
    anything = bytes(range(256))
    one = Exchange(Request("POST", "http://x/y", (), anything), Response(200, "", (), anything))
    document, _ = write_har([one], "1")
    back, _ = imported(saved(tmp_path, "x.har", document))
    assert back.exchanges[0].request.body == anything
    assert back.exchanges[0].response.body == anything


def test_har_of_a_browser(tmp_path: Path) -> None:
    """Pseudo headers, coded bodies, entries without a response: as browsers write them."""
    request = {
        "method": "POST",
        "url": "https://api.example.com/v1/chat/completions",
        "headers": [{"name": ":authority", "value": "x"}, {"name": "accept", "value": "*/*"}],
        "postData": {"mimeType": "application/json", "text": '{"model":"m"}'},
    }
    response = {
        "status": 200,
        "statusText": "",
        "headers": [
            {"name": "content-encoding", "value": "gzip"},
            {"name": "content-length", "value": "20"},
            {"name": "content-type", "value": "application/json"},
        ],
        "content": {
            "size": 2,
            "mimeType": "application/json",
            "text": "e30=",
            "encoding": "base64",
        },
    }
    entry = {"startedDateTime": "2026-11-01T10:00:00.000Z", "time": 120.5, "request": request}
    entries = [
        {**entry, "response": response, "timings": {"wait": 100, "receive": 20.5, "dns": -1}},
        {**entry, "response": {**response, "status": 0}},
        {**entry, "response": {**response, "content": {"size": 5}}},
        {"request": {}},
    ]
    path = saved(tmp_path, "browser.har", {"log": {"version": "1.2", "entries": entries}})
    cassette, converted = imported(path)
    [exchange] = cassette.exchanges
    assert exchange.request.headers == (("accept", "*/*"),)
    assert exchange.response.body == b"{}"
    assert exchange.response.header("content-encoding") is None
    assert exchange.timing is not None
    assert (exchange.timing.first_byte, exchange.timing.total) == (0.1, 0.1205)
    assert [text.partition(": ")[2] for text in converted.skipped] == [
        "it got no response",
        "its response body was not saved (content.text is missing)",
        "not an entry of HAR: request.method: Field required",
    ]
    assert dict(converted.losses) == {"the times at which the pieces of a stream arrived": 1}


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
def test_har_that_chromium_recorded(sandbox: str, tmp_path: Path) -> None:
    """A page asks the sandbox; the HAR of that is imported, with the answer's bytes."""
    from playwright.sync_api import sync_playwright

    path = tmp_path / "page.har"
    address = f"{sandbox}/api/v1/services/aigc/text-generation/generation"
    body = json.dumps(
        {"model": "qwen-plus", "input": {"messages": [{"role": "user", "content": "你好"}]}}
    )
    script = """async ([url, key, body]) => {
        const headers = {"content-type": "application/json", authorization: "Bearer " + key};
        return await (await fetch(url, {method: "POST", headers, body})).text();
    }"""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        context = browser.new_context(record_har_path=path, record_har_content="embed")
        page = context.new_page()
        page.goto(sandbox)
        answer = page.evaluate(script, [address, KEY, body])
        context.close()
        browser.close()
    cassette, converted = imported(path, secrets=[KEY])
    [exchange] = cassette.exchanges
    assert exchange.response.body.decode() == answer
    assert json.loads(exchange.request.body) == json.loads(body)
    assert KEY not in load(path, secrets=[KEY])[0].text
    assert any("services that are not known" in text for text in converted.skipped)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("way", ["--trace", "--trace-ascii", "-v"])
def test_a_transcript_of_curl(sandbox: str, tmp_path: Path, way: str) -> None:
    """What curl printed about two requests is imported; a trace has the request's bytes too."""
    address = f"{sandbox}/api/v1/services/aigc/text-generation/generation"
    transcript = b""
    answers = []
    for text in ("你好", "再见"):
        body = json.dumps(
            {"model": "qwen-plus", "input": {"messages": [{"role": "user", "content": text}]}},
            ensure_ascii=way == "--trace-ascii",
        )
        options = ["-H", f"Authorization: Bearer {KEY}", "-H", "Content-Type: application/json"]
        trace = ["-v"] if way == "-v" else [way, "-", "-o", str(tmp_path / "out")]
        command = ["curl", "-sS", *trace, *options, "-d", body, address]
        done = subprocess.run(command, capture_output=True, check=True)  # noqa: S603
        if way != "-v":
            transcript += done.stdout
            answers.append((tmp_path / "out").read_bytes())
        else:
            transcript += (
                f"$ curl {address} -d '{body}'\n".encode() + done.stderr + done.stdout + b"\n"
            )
            answers.append(done.stdout)
    path = tmp_path / "curl.txt"
    path.write_bytes(transcript)
    assert form_of(transcript) == "curl"
    cassette, converted = imported(path)
    if way == "--trace-ascii":
        answers = [re.sub(rb"[^ -~]", b".", answer) for answer in answers]
        assert any("no printable ASCII" in loss for loss in converted.losses)
    assert [e.response.body.rstrip(b"\n") for e in cassette.exchanges] == answers
    assert [e.request.uri for e in cassette.exchanges] == [address] * 2
    asked = [json.loads(e.request.body)["input"]["messages"][0] for e in cassette.exchanges]
    assert [message["content"] for message in asked] == ["你好", "再见"]
    assert KEY.encode() not in load(path)[0].text.encode()


_ASKING = (
    "> POST /v1/chat/completions HTTP/2\n> Host: api.openai.com\n> Content-Length: 13\n> \n"
    "* upload completely sent off: 13 bytes\n"
)
_ANSWERING = "< HTTP/2 200 \n< content-type: application/json\n< \n"


@pytest.mark.parametrize(
    ("command", "between", "body", "is_known"),
    [
        (
            '$ curl -v x \\\n  -d \'{"model":"m"}\'\n', "",
            '{\n"a": 1}* Connection #0 to host x left', True,
        ),
        (
            'me@host ~ % curl -v -d\'{"model":"m"}\' x\n', "",
            "{}\n* Connection #0 to host x left", True,
        ),
        ("PS C:\\me> curl.exe -v --data='{\"model\":\"m\"}' x\n", "", "{}", True),
        ("curl -v x -d @- <<EOF\n{}\nEOF\n", "", "{}\n```\n", False),
        ("", "} [13 bytes data]\n", "\r100    7  100     7 --:--:--   100\n{}", False),
    ],
)  # fmt: skip
def test_transcripts_of_other_terminals(
    command: str, between: str, body: str, is_known: bool, tmp_path: Path
) -> None:
    """Prompts, commands of several lines, remarks without a line of their own, a tunnel."""
    tunnel = "> CONNECT x:443 HTTP/1.1\n> Host: x:443\n> \n< HTTP/1.1 200 OK\n< \n"
    path = tmp_path / "curl.txt"
    path.write_text(f"{tunnel}{command}{_ASKING}{between}{_ANSWERING}{body}", encoding="utf-8")
    cassette, converted = imported(path)
    (exchange,) = cassette.exchanges
    assert json.loads(exchange.response.body) in ({}, {"a": 1})
    assert exchange.request.body == (b'{"model":"m"}' if is_known else b"")
    assert any("which `curl -v` does not print" in loss for loss in converted.losses) != is_known
    assert converted.skipped == [f"{path}, request 1: a tunnel (CONNECT) through a proxy"]


def test_fixtures_of_aimock(tmp_path: Path) -> None:
    """Texts, tool calls, structured content and errors; other kinds are named."""
    fixtures = [
        {"match": {"userMessage": "hi", "model": "m"}, "response": {"content": "Hello!"}},
        {
            "match": {"userMessage": "weather", "systemMessage": ["a", "b"]},
            "response": {"toolCalls": [{"name": "w", "arguments": {"city": "巴黎"}}]},
            "latency": 50,
        },
        {
            "match": {"userMessage": "limit"},
            "response": {"error": {"message": "slow down", "code": "rate"}, "status": 429},
        },
        {"match": {"inputText": "x", "endpoint": "embedding"}, "response": {"embedding": [1]}},
        {"match": 3, "response": {}},
        {
            "match": {"userMessage": "mixed", "turnIndex": 0},
            "response": {
                "blocks": [
                    {"type": "toolCall", "name": "w", "arguments": {}},
                    {"type": "text", "text": "One moment."},
                ],
                "usage": {"promptTokenCount": 2, "candidatesTokenCount": 3},
                "reasoningSignature": "x",
                "id": None,
            },
        },
        {"match": {}, "response": {"audio": "AAAA", "content": "spoken"}},
    ]
    cassette, converted = imported(saved(tmp_path, "f.json", {"fixtures": fixtures}))
    answers = [json.loads(e.response.body) for e in cassette.exchanges]
    assert answers[0]["choices"][0]["message"]["content"] == "Hello!"
    [call] = answers[1]["choices"][0]["message"]["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == {"city": "巴黎"}
    assert answers[1]["choices"][0]["finish_reason"] == "tool_calls"
    system = json.loads(cassette.exchanges[1].request.body)["messages"][0]
    assert system == {"role": "system", "content": "a\nb"}
    assert cassette.exchanges[2].response.status == 429
    assert answers[2] == {"error": {"message": "slow down", "code": "rate"}}
    mixed = answers[3]["choices"][0]["message"]
    assert (mixed["content"], mixed["tool_calls"][0]["function"]["name"]) == ("One moment.", "w")
    assert answers[3]["usage"] == {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5}
    assert len(converted.skipped) == 3
    assert [*converted.losses.values()] == [4, 4, 1, 1, 1, 1]


@pytest.mark.parametrize("path", SHIPPED, ids=NAMES)
def test_spans_keep_messages_and_counts(path: Path, tmp_path: Path) -> None:
    """Exported as OTLP JSON and imported again: the same texts, tool calls, reasons and tokens."""
    own = read_cassette(path)
    text, losses = export([own], "otel")
    assert losses
    (tmp_path / "spans.json").write_text(text, encoding="utf-8")
    chats = [t for t in own.turns if isinstance(t.outcome, Reply) and t.outcome.content]
    if not chats or "image" in path.parent.name:
        return
    (tmp_path / "back.yaml").write_text(load(tmp_path / "spans.json")[0].text, encoding="utf-8")
    answers = [json.loads(e.response.body) for e in read(tmp_path / "back.yaml").exchanges]
    texts = [
        answer["choices"][0]["message"]["content"] for answer in answers if "choices" in answer
    ]
    for turn in chats:
        assert isinstance(turn.outcome, Reply)
        assert turn.outcome.content in texts


def test_spans_of_another_program(tmp_path: Path) -> None:
    """Attributes as texts of JSON or structured; spans without messages and of tools are named."""

    def attribute(key: str, value: Any) -> dict[str, Any]:
        return {"key": key, "value": value}

    def span(*attributes: dict[str, Any], start: str = "1") -> dict[str, Any]:
        return {"startTimeUnixNano": start, "endTimeUnixNano": "3", "attributes": [*attributes]}

    chat = attribute("gen_ai.operation.name", {"stringValue": "chat"})
    asked = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "几点了？"}]}])
    part = {"kvlistValue": {"values": [attribute("type", {"stringValue": "text"}),
                                       attribute("content", {"stringValue": "三点"})]}}  # fmt: skip
    parts = attribute("parts", {"arrayValue": {"values": [part]}})
    answered = {"arrayValue": {"values": [{"kvlistValue": {"values": [parts]}}]}}
    whole = span(
        chat,
        attribute("gen_ai.request.model", {"stringValue": "m"}),
        attribute("gen_ai.input.messages", {"stringValue": asked}),
        attribute("gen_ai.output.messages", answered),
        attribute("gen_ai.usage.input_tokens", {"intValue": "7"}),
        attribute("gen_ai.usage.output_tokens", {"intValue": "2"}),
    )
    tool = span(attribute("gen_ai.operation.name", {"stringValue": "execute_tool"}))
    other = span(attribute("http.method", {"stringValue": "GET"}))
    spans = [whole, span(chat, start="2"), tool, other]
    path = saved(tmp_path, "s.json", {"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]})
    cassette, converted = imported(path)
    [exchange] = cassette.exchanges
    body = json.loads(exchange.response.body)
    assert body["choices"][0]["message"]["content"] == "三点"
    assert body["usage"] == {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}
    assert json.loads(exchange.request.body)["messages"] == [
        {"role": "user", "content": "几点了？"}
    ]
    assert len(converted.skipped) == 2


def test_lines_have_one_conversation_each() -> None:
    """A conversation of several turns is one line; independent questions are one each."""
    for name, expected in (("multi-turn", 1), ("independent-questions", None)):
        [path, *_] = [p for p in SHIPPED if p.parent.name == name]
        own = read_cassette(path)
        text, _ = export([own], "jsonl")
        lines = [json.loads(line) for line in text.splitlines()]
        assert len(lines) == (expected or len(own.turns))
        assert lines[-1]["messages"][-1]["role"] == "assistant"
        assert lines[-1]["usage"]["total_tokens"] > 0


def test_stock_vcrpy_replays_the_export(tmp_path: Path) -> None:
    """vcrpy itself loads the file and finds the recorded answer."""
    [path, *_] = [p for p in SHIPPED if p.parent.name == "slogan"]
    text, _ = export([read_cassette(path)], "vcrpy")
    (tmp_path / "stock.yaml").write_text(text, encoding="utf-8")
    cassette = vcr.VCR(record_mode="none")
    with cassette.use_cassette(str(tmp_path / "stock.yaml")) as loaded:
        assert len(loaded) == len(read(path).exchanges)
    assert "harness" not in text.partition("interactions")[0]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("har", b'{"log": {}}'),
        ("otel", b'{"a": 1}\n{"b": 2}'),
        ("aimock", b'{"fixtures": []}'),
        ("curl", b"hello"),
        ("cassette", b"interactions: 3\n"),
        ("har", b"\xff\xfe"),
        ("otel", b"[" * 5000),
        ("aimock", b""),
    ],
)
def test_what_is_not_of_the_form_is_refused(name: str, content: bytes, tmp_path: Path) -> None:
    """One error with the file's name."""
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(BadCassette, match="file"):
        load(path, name)
    with pytest.raises(BadCassette):
        load(path)


HOSTILE: list[Any] = [
    {"log": {"entries": [None, 3, {"request": [], "response": {}}, {"time": "x"}]}},
    {"resourceSpans": [None, {"scopeSpans": [None, {"spans": [3, {"attributes": [{"key": 1}]}]}]}]},
    {"resourceSpans": [{"scopeSpans": 3}]},
    {"fixtures": [{"match": {}, "response": {"toolCalls": "x"}}]},
]


@pytest.mark.parametrize("document", HOSTILE, ids=lambda d: next(iter(d)))
def test_hostile_documents_are_refused(document: Any, tmp_path: Path) -> None:
    """Values of wrong types end in the same error, never in another exception."""
    with pytest.raises(BadCassette):
        load(saved(tmp_path, "hostile.json", document))


def test_secrets_are_taken_out(tmp_path: Path) -> None:
    """A key in a header, in a body and in the URL."""
    key = "sk-abcdefabcdef1234567890abcdef1234"
    one = Exchange(
        Request(
            "POST", f"http://x/v1?api_key={key}", (("authorization", f"Bearer {key}"),),
            json.dumps({"key": key}).encode(),
        ),
        Response(200, "", (), json.dumps({"echo": key}).encode()),
        Timing(0.0, 0.0, 0.0),
    )  # fmt: skip
    document, _ = write_har([one], "1")
    files, _ = load(saved(tmp_path, "x.har", document), secrets=[key])
    assert key not in files.text


def test_the_commands(tmp_path: Path, harness: Harness) -> None:
    """`export`, then `import`: exit codes, a report, nothing replaced without --force."""
    source = str(SHIPPED[0].parent)
    out = harness("export", source, "--form", "har", "--to", "x.har", folder=tmp_path)
    assert (out.code, out.out, out.err) == (0, "", "wrote x.har\n")
    folder = harness("export", source, "--form", "har", "--to", "", folder=tmp_path)
    assert (folder.code, folder.err) == (2, "harness: . cannot be written: Is a directory\n")
    done = harness("import", "x.har", folder=tmp_path)
    assert done.code == 0
    assert done.out.startswith("cassettes/x.yaml: ")
    again = harness("import", "x.har", "nowhere.har", folder=tmp_path)
    assert again.code == 2
    assert "cassettes/x.yaml exists; replace it with --force" in again.err
    assert "nowhere.har: cannot be read: No such file or directory" in again.err
    as_json = harness("import", "x.har", "--force", "--json", folder=tmp_path)
    [entry] = json.loads(as_json.out)["imported"]
    assert entry["cassette"] == "cassettes/x.yaml"
    bad = harness("export", source, "--form", "xml", folder=tmp_path)
    assert (bad.code, bad.err) == (
        2,
        "harness: --form xml: expected har, otel, jsonl or vcrpy\n",
    )


def test_every_form_has_a_reader() -> None:
    """The help text lists those that there are."""
    from harness.cli.import_ import FORMS

    listed = FORMS.replace(" or ", ", ").split(", ")
    assert listed == [*IMPORTS]


def _span(attributes: dict[str, str], events: list[Any] | None = None, start: str = "1") -> Any:
    """Return OTLP JSON with one span."""
    pairs = [{"key": key, "value": {"stringValue": text}} for key, text in attributes.items()]
    named = [
        {
            "name": name,
            "attributes": [{"key": k, "value": {"stringValue": v}} for k, v in own.items()],
        }
        for name, own in events or []
    ]
    span = {"attributes": pairs, "events": named, "startTimeUnixNano": start}
    return {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}


@pytest.mark.parametrize(
    "document",
    [
        _span(
            {
                "gen_ai.prompt.0.role": "user",
                "gen_ai.prompt.0.content": "hi",
                "gen_ai.completion.0.tool_calls.0.name": "f",
                "gen_ai.completion.0.tool_calls.0.arguments": "{}",
            }
        ),
        _span(
            {"gen_ai.operation.name": "chat"},
            [
                ("gen_ai.user.message", {"content": "hi"}),
                ("gen_ai.choice", {"message": '{"tool_calls": [{"function": {"name": "f"}}]}'}),
            ],
        ),
        _span(
            {},
            [
                ("gen_ai.content.prompt", {"gen_ai.prompt": '[{"role": "user", "content": "hi"}]'}),
                (
                    "gen_ai.content.completion",
                    {"gen_ai.completion": '[{"tool_calls": [{"name": "f", "arguments": "{}"}]}]'},
                ),
            ],
        ),
    ],
    ids=["openllmetry", "events", "content events"],
)
def test_spans_with_older_names_are_read(document: Any, tmp_path: Path) -> None:
    """Messages under the names of OpenLLMetry and of older conventions are those of a chat."""
    cassette, _ = imported(saved(tmp_path, "spans.json", document))
    (exchange,) = cassette.exchanges
    assert json.loads(exchange.request.body)["messages"] == [{"role": "user", "content": "hi"}]
    (choice,) = json.loads(exchange.response.body)["choices"]
    assert choice["message"]["tool_calls"][0]["function"] == {"name": "f", "arguments": "{}"}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_no_content(encoding: str, tmp_path: Path) -> None:
    """Files of tools on Windows are read."""
    text, _ = export([read_cassette(SHIPPED[0])], "har")
    path = tmp_path / "x.har"
    path.write_bytes(text.encode(encoding))
    assert len(imported(path)[0].exchanges) == len(read(SHIPPED[0]).exchanges)


_CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
_ASKED = [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]
_SAID = {"message": {"content": "ho", "tool_calls": [_CALL]}}
_USED = {"toolUse": {"toolUseId": "c", "name": "f", "input": {}}}


@pytest.mark.parametrize(
    ("attributes", "events"),
    [
        (
            {},
            [
                ("gen_ai.user.message", {"gen_ai.event.content": {"content": "hi"}}),
                ("gen_ai.choice", {"gen_ai.event.content": _SAID}),
            ],
        ),
        (
            {},
            [
                ("gen_ai.user.message", {"content": [{"text": "hi"}]}),
                (
                    "gen_ai.choice",
                    {"message": [{"text": "ho"}, _USED]},
                ),
            ],
        ),
        (
            {
                "events": [
                    {"event.name": "gen_ai.user.message", "content": "hi"},
                    {"event.name": "gen_ai.choice", **_SAID},
                ]
            },
            [],
        ),
        (
            {
                "llm.input_messages.0.message.content": "hi",
                "llm.output_messages.0.message.content": "ho",
                "llm.output_messages.0.message.tool_calls.0.tool_call.id": "c",
                "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "f",
            },
            [],
        ),
        (
            {
                "ai.prompt.messages": _ASKED,
                "ai.response.text": "ho",
                "ai.response.toolCalls": [{"toolCallId": "c", "toolName": "f", "input": {}}],
                "ai.response.finishReason": "tool-calls",
            },
            [],
        ),
        (
            {
                "request_data": {"messages": _ASKED},
                "response_data": _SAID,
            },
            [],
        ),
    ],
    ids=["azure", "strands", "pydantic-ai", "openinference", "ai-sdk", "logfire"],
)  # fmt: skip
def test_spans_with_names_of_their_own(
    attributes: dict[str, Any], events: list[tuple[str, dict[str, Any]]], tmp_path: Path
) -> None:
    """The messages of other instrumentations, in the lists that back ends make of spans."""

    def texts(values: dict[str, Any]) -> dict[str, str]:
        return {n: v if isinstance(v, str) else json.dumps(v) for n, v in values.items()}

    span = _span(texts(attributes), [(name, texts(values)) for name, values in events])
    cassette, converted = imported(
        saved(tmp_path, "spans.json", [{"batches": span["resourceSpans"]}])
    )
    (exchange,) = cassette.exchanges
    assert json.loads(exchange.request.body)["messages"] == [{"role": "user", "content": "hi"}]
    (choice,) = json.loads(exchange.response.body)["choices"]
    message = {"role": "assistant", "content": "ho", "tool_calls": [_CALL]}
    assert (choice["message"], choice["finish_reason"]) == (message, "tool_calls")
    assert (set(converted.losses), converted.skipped) == ({LOST}, [])


def test_an_impossible_time_or_address_is_named(tmp_path: Path) -> None:
    """A time beyond the calendar is lost; an exchange without a valid URL is left out."""
    prompt = {"gen_ai.prompt.0.content": "hi", "gen_ai.completion.0.content": "ho"}
    _, converted = imported(saved(tmp_path, "late.json", _span(prompt, start="9" * 40)))
    assert converted.losses["its time, which is missing or no date"] == 1
    text, _ = export([read_cassette(SHIPPED[0])], "har")
    value = json.loads(text)
    value["log"]["entries"][0]["request"]["url"] = "http://[::1"
    _, converted = imported(saved(tmp_path, "x.har", value))
    assert converted.skipped == [
        f"{tmp_path / 'x.har'}, exchange 1: its URL is not valid: Invalid IPv6 URL"
    ]


@BROKEN_TEXTS
def test_an_address_that_is_no_text_is_named(tmp_path: Path) -> None:
    """The only exchange of a file: the file is refused, and the reason says what is wrong."""
    text, _ = export([read_cassette(SHIPPED[0])], "har")
    value = json.loads(text)
    del value["log"]["entries"][1:]
    value["log"]["entries"][0]["request"]["url"] = "http://x/\ud800"
    spans = _span({"gen_ai.input.messages": "\ud800"})
    for document, reason in ((value, "URL or headers are not valid text"), (spans, "not captured")):
        (tmp_path / "x").write_text(json.dumps(document), encoding="utf-8")
        with pytest.raises(BadCassette, match=reason):
            load(tmp_path / "x")


def test_spans_by_the_names_of_protobuf(tmp_path: Path) -> None:
    """Fields in snake_case, as Python's and other encoders write them, and older envelopes."""
    document = json.dumps(
        _span({"gen_ai.prompt.0.content": "hi", "gen_ai.completion.0.content": "o"})
    )
    for new, old in (
        ("resourceSpans", "resource_spans"),
        ("scopeSpans", "instrumentation_library_spans"),
        ("stringValue", "string_value"),
        ("startTimeUnixNano", "start_time_unix_nano"),
    ):
        document = document.replace(new, old)
    path = tmp_path / "snake.json"
    path.write_text(document, encoding="utf-8")
    (exchange,) = imported(path)[0].exchanges
    assert json.loads(exchange.request.body)["messages"] == [{"role": "user", "content": "hi"}]
    assert exchange.timing is not None


def test_messages_in_log_records_and_events_belong_to_their_span(tmp_path: Path) -> None:
    """By the span's id, in a file of its own lines; parameters and tools are in the request."""
    span = {
        "spanId": "a1",
        "startTimeUnixNano": "1",
        "attributes": [
            {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
            {"key": "gen_ai.request.temperature", "value": {"doubleValue": 0.5}},
            {
                "key": "gen_ai.tool.definitions",
                "value": {"stringValue": '[{"type": "function", "name": "f", "parameters": {}}]'},
            },
        ],
    }

    def record(name: str, body: dict[str, Any]) -> dict[str, Any]:
        pairs = [{"key": key, "value": value} for key, value in body.items()]
        return {"spanId": "a1", "eventName": name, "body": {"kvlistValue": {"values": pairs}}}

    message = [
        {"key": "content", "value": {"stringValue": "ho"}},
        {"key": "role", "value": {"stringValue": "assistant"}},
    ]
    logs = [
        record("gen_ai.user.message", {"content": {"stringValue": "hi"}}),
        record("gen_ai.choice", {"message": {"kvlistValue": {"values": message}}}),
    ]
    lines = [
        {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]},
        {"resourceLogs": [{"scopeLogs": [{"logRecords": logs}]}]},
    ]
    path = tmp_path / "lines.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    cassette, converted = imported(path)
    (exchange,) = cassette.exchanges
    body = json.loads(exchange.request.body)
    assert body["messages"] == [{"role": "user", "content": "hi"}]
    assert (body["temperature"], body["tools"][0]["function"]["name"]) == (0.5, "f")
    assert json.loads(exchange.response.body)["choices"][0]["message"]["content"] == "ho"
    assert converted.skipped == []


@pytest.mark.parametrize(
    ("more", "skipped", "lost"),
    [
        ({"error.type": "429"}, "it failed: 429", ""),
        ({}, "its answer was not captured (gen_ai.output.messages is missing)", ""),
        (
            {
                "gen_ai.output.messages": json.dumps(
                    [{"role": "assistant", "parts": [{"type": "uri", "uri": "x"}]}] * 2
                )
            },
            "",
            "all choices but the first, parts of messages that are no text, such as pictures",
        ),
    ],
)
def test_what_a_span_does_not_have_is_named(
    more: dict[str, str], skipped: str, lost: str, tmp_path: Path
) -> None:
    """No answer is made up where there was none."""
    asked = {"gen_ai.input.messages": json.dumps([{"role": "user", "parts": []}])}
    whole = {"gen_ai.prompt.0.content": "hi", "gen_ai.completion.0.content": "ho"}
    lines = [json.dumps(_span(span)) for span in (whole, {**asked, **more})]
    path = tmp_path / "spans.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    _, converted = imported(path)
    assert [text.partition(", span 2: ")[2] for text in converted.skipped] == [skipped][
        : bool(skipped)
    ]
    assert ", ".join(sorted(set(converted.losses) - {LOST})) == lost


GO = """\
version: 2
interactions:
- id: 0
  request: {method: POST, url: "https://api.openai.com/v1/chat/completions", body: "{}", form: {}}
  response:
    body: "{}"
    headers: {Date: ["Sun, 29 Nov 2026 07:58:17 GMT"], Content-Encoding: [gzip]}
    status: 200 OK
    code: 200
    duration: %s
"""


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [("1m2.5s", 62.5), ("350.25ms", 0.35025), ("1250000000", 1.25), ('""', None), ("soon", None)],
)
def test_the_duration_of_go_vcr_is_kept(duration: str, seconds: float, tmp_path: Path) -> None:
    """At the response's date; a stale coding is not taken for that of the body."""
    (tmp_path / "go.yaml").write_text(GO % duration, encoding="utf-8")
    (exchange,) = imported(tmp_path / "go.yaml")[0].exchanges
    assert (exchange.timing and exchange.timing.total) == seconds
    assert exchange.timing is None or exchange.response.header("content-encoding") is None


def test_a_file_of_go_vcr_without_dates_and_methods(tmp_path: Path) -> None:
    """An empty method is GET, a status may be a number, and a duration needs a date."""
    text = (GO % "5ms").replace("POST", '""').replace("Date", "X").replace("200 OK", "200")
    (tmp_path / "go.yaml").write_text(text, encoding="utf-8")
    cassette, converted = imported(tmp_path / "go.yaml")
    assert [exchange.request.method for exchange in cassette.exchanges] == ["GET"]
    assert any(loss.startswith("its duration, as there is no Date") for loss in converted.losses)


OLD = """\
- request: !!python/object:vcr.request.Request
    body: '{"model": "m"}'
    headers: !!python/object/apply:__builtin__.frozenset
    - - !!python/tuple [accept, '*/*']
    host: api.openai.com
    method: POST
    path: /v1/chat/completions
    port: 443
    protocol: https
  response:
    body: {string: !!python/unicode '{}'}
    headers: [!!python/unicode "x-a: 1\\r\\n", "x-a: 2\\r\\n"]
    status: {code: 200, message: OK}
"""
PAIRED = """\
requests:
- uri: https://api.openai.com/v1/chat/completions
  method: POST
  headers: {accept: ['*/*']}
  body: '{"model": "m"}'
responses:
- {status: {code: 200, message: OK}, headers: {x-a: ["1", "2"]}, body: {string: '{}'}}
"""


@pytest.mark.parametrize("text", [OLD, PAIRED], ids=["before 1.0", "of LangChain"])
def test_old_and_compressed_cassettes(text: str, tmp_path: Path) -> None:
    """Those of vcrpy before 1.0, and the compressed lists of LangChain's tests; also to adopt."""
    path = tmp_path / "old.yaml.gz"
    path.write_bytes(gzip.compress(text.encode()))
    for cassette in (imported(path)[0], read_any(path)):
        (exchange,) = cassette.exchanges
        assert exchange.request.uri == "https://api.openai.com/v1/chat/completions"
        assert (exchange.request.body, exchange.response.body) == (b'{"model": "m"}', b"{}")
        assert exchange.request.headers == (("accept", "*/*"),)
        assert exchange.response.headers == (("x-a", "1"), ("x-a", "2"))
    path.write_text(text.replace("path: /", "x: /").replace("responses", "other"), encoding="utf-8")
    with pytest.raises(BadCassette, match="not whole"):
        load(path)


@pytest.mark.parametrize("form", ["yaml", "toml"])
def test_cassettes_of_cassetter(form: str) -> None:
    """Both of its forms, made by it: bytes are kept, in the order of recording, not of the file."""
    cassette, _ = imported(Path(__file__).parent / "made" / f"cassetter.{form}")
    paths = [exchange.request.uri.rpartition("/")[2] for exchange in cassette.exchanges]
    assert paths == ["completions", "sse", "bin", "none"]
    chat, stream, binary, _ = cassette.exchanges
    assert json.loads(chat.response.body)["text"] == '你好\n"x"'
    assert stream.response.body.decode() == 'data: {"a":"你"}\n\ndata: [DONE]\n\n'
    assert (binary.request.body, binary.response.body) == (
        bytes(range(200, 256)),
        bytes(range(256)),
    )


@pytest.mark.parametrize(
    ("request_", "response", "reason"),
    [
        ({"method": "CONNECT"}, {}, "a tunnel (CONNECT), whose content the proxy did not read"),
        ({}, {"status": 101}, "a websocket, whose messages are not read"),
        ({"postData": None, "headers": None}, {"statusText": None, "headers": None}, ""),
        ({"headers": [{"name": "x", "value": 3}]}, {"content": {"text": "{}", "size": None}}, ""),
    ],
)
def test_odd_entries_of_har(
    request_: dict[str, Any], response: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    """Null and numbers where HAR has texts, a time without a zone; what is no exchange is named."""
    asked = {"method": "POST", "url": "https://api.openai.com/v1/chat/completions"}
    given = {"status": 200, "content": {"text": "{}"}}
    plain = {"startedDateTime": "2026-11-01T10:00:00", "time": None}
    entries = [
        {**plain, "request": asked, "response": given},
        {**plain, "request": {**asked, **request_}, "response": {**given, **response}},
    ]
    cassette, converted = imported(saved(tmp_path, "odd.har", {"log": {"entries": entries}}))
    assert [text.partition("entry 2: ")[2] for text in converted.skipped] == [reason][
        : bool(reason)
    ]
    assert len(cassette.exchanges) == (1 if reason else 2)
    assert cassette.exchanges[0].timing is not None


_STREAM = [{"name": "content-type", "value": "text/event-stream"}]
_GZIP = [{"name": "Content-Encoding", "value": "gzip"}]
_CODED = {"size": 22, "text": "{}"}
_FILE = {"_file": "body.json", "size": 2}


@pytest.mark.parametrize(
    ("sent", "answered", "body", "named"),
    [
        ({}, {"headers": _STREAM, "content": {"size": 0, "text": None}}, None, "was not saved"),
        ({"postData": None, "bodySize": 9}, {}, b"{}", "the request body, which was not saved"),
        ({}, {"content": {"size": 9, "text": "{}"}}, b"{}", "the end of the response body"),
        ({}, {"headers": _GZIP, "content": _CODED, "bodySize": 22}, b"{}", ""),
        ({}, {"content": _CODED, "bodySize": 22}, b"{}", "the end of the response body"),
        ({}, {"content": {"text": '"\ufffd"'}}, '"\ufffd"'.encode(), "bytes that are no text"),
        pytest.param({}, {"content": {"text": "a\udcff"}}, b"a\xff", "", marks=BROKEN_TEXTS),
        ({}, {"content": {"mimeType": "a/b; charset=gbk", "text": "好"}}, "好".encode("gbk"), ""),
        ({}, {"content": {"encoding": "base64", "text": "e3\r\n0="}}, b"{}", ""),
        ({"postData": _FILE}, {"content": _FILE}, b"[]", ""),
        ({}, {"content": {**_FILE, "_file": "nowhere"}}, None, "nowhere cannot be read"),
        ({}, {"content": {**_FILE, "_file": "../body.json"}}, None, "not an entry of HAR"),
        ({}, {"status": 204, "headers": _STREAM, "content": {}}, b"", ""),
    ],
)
@pytest.mark.parametrize("is_compressed", [False, True])
def test_what_a_har_has_of_a_body(
    sent: dict[str, Any],
    answered: dict[str, Any],
    body: bytes | None,
    named: str,
    is_compressed: bool,
    tmp_path: Path,
) -> None:
    """Its bytes, or what is lost: bodies that were streamed, cut off, beside the file, or coded."""
    asked = {"method": "POST", "url": "https://api.openai.com/v1/chat/completions"}
    request = {**asked, "postData": {"text": "{}"}, **sent}
    response = {"status": 200, "content": {"text": "{}"}, **answered}
    entries = [{"request": request, "response": response, "startedDateTime": "2026-11-01"}]
    other = {"request": {**asked, "url": "https://a.b/c"}, "response": {"status": 200}}
    (tmp_path / "body.json").write_bytes(b"[]")
    text = json.dumps({"log": {"entries": [*entries, other]}}).encode()
    path = tmp_path / "x.zhar"
    path.write_bytes(zlib.compress(text) if is_compressed else text)
    cassette, converted = imported(path, keep_all=True)
    own = [e for e in cassette.exchanges if e.request.uri == asked["url"]]
    assert [exchange.response.body for exchange in own] == ([] if body is None else [body])
    lost = [text for text in converted.losses if "time" not in text]
    assert named in "".join([*lost, *converted.skipped])
    assert bool(named) == bool([*lost, *converted.skipped])


RECORDINGS = find(
    [ROOT.parent / "shared" / "recordings", ROOT.parent / "shared" / "more-recordings"]
)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["har", "vcrpy"])
def test_round_trips_of_real_recordings_keep_every_byte(form: str, tmp_path: Path) -> None:
    """Method, URI, status and bodies are equal; headers too, or their loss is named."""
    for number, path in enumerate(RECORDINGS[::5]):
        own = read_cassette(path)
        out = tmp_path / f"{number}.{form}"
        out.write_text(export([own], form)[0], encoding="utf-8")
        files, converted = load(out, keep_all=True)
        back = with_artefacts(loads(files.text), partial(_artefact, files))
        kept = [r.exchange for r in own.readings if r.exchange.response.status != 101]
        assert len(kept) == len(back.exchanges)
        for before, after in zip(kept, back.exchanges, strict=True):
            assert bytes_of(after) == bytes_of(before), path
            headers = (before.request.headers, before.response.headers)
            is_equal = headers == (after.request.headers, after.response.headers)
            assert is_equal or any("headers that no recording keeps" in x for x in converted.losses)


def _artefact(files: CassetteFiles, index: int, artefact: Artefact) -> bytes:
    return files.artefacts[artefact.name]


def bytes_of(exchange: Exchange) -> tuple[object, ...]:
    """Return what travelled, without headers."""
    request, response = exchange.request, exchange.response
    sent = (request.method, request.uri, request.body)
    return (*sent, response.status, response.reason, response.body)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["otel", "jsonl"])
def test_exports_of_real_recordings_keep_every_answer_or_name_it(form: str, tmp_path: Path) -> None:
    """Each answered text is there, unless the format of its request is named as not read."""
    for path in RECORDINGS[::5]:
        own = read_cassette(path)
        text, losses = export([own], form)
        (tmp_path / "spans").write_text(text, encoding="utf-8")
        chats = [t for t in own.turns if isinstance(t.outcome, Reply) and t.outcome.content]
        answers = {
            t.outcome.content for t in chats if isinstance(t.outcome, Reply) and sent_messages(t)
        }
        unread = [turn for turn in own.turns if turn.outcome and not sent_messages(turn)]
        assert form == "jsonl" or bool(unread) == ("not read" in losses[-1])
        if not answers:
            continue
        if form == "jsonl":
            messages = [m for line in text.splitlines() for m in json.loads(line)["messages"]]
            said = [m["content"] for m in messages if isinstance(m["content"], str)]
        else:
            found = load(tmp_path / "spans")[1].exchanges
            bodies = (json.loads(exchange.response.body) for exchange in found)
            said = [body["choices"][0]["message"]["content"] for body in bodies]
        assert answers <= {*said}, path
