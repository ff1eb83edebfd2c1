"""Cassettes of other tools: each form is read, or refused with what it is."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest
import yaml

from harness.cassette.reader import loads
from harness.errors import BadCassette, UnversionedCassetteWarning
from harness.types import Exchange

SHARED = Path(__file__).parents[2].parent / "shared"
CHAT = '{"model": "m", "messages": [{"role": "user", "content": "Hi"}]}'


def cassette(request: str, response: str, rest: str = "version: 1\n") -> str:
    """The text of a cassette with one interaction, whose two halves are given as flow mappings."""
    return f"interactions:\n- request: {request}\n  response: {response}\n{rest}"


def read(request: str, response: str, rest: str = "version: 1\n") -> Exchange:
    """The only exchange of such a cassette."""
    (exchange,) = loads(cassette(request, response, rest)).exchanges
    return exchange


POST = "{method: POST, uri: http://a.test/v1, headers: {}, body: x}"
BARE = "{method: POST, uri: http://a.test/v1, headers: {}}"
OK = "{status: {code: 200, message: OK}, headers: {}, body: {string: y}}"


def test_the_response_of_vcrpys_old_httpx() -> None:
    """vcrpy up to 5 kept `content`, `status_code` and `http_version`."""
    response = "{status_code: 404, http_version: HTTP/1.1, headers: {a: [b]}, content: gone}"
    got = read(POST, response).response
    assert (got.status, got.reason, got.headers) == (404, "Not Found", (("a", "b"),))
    assert got.body == b"gone"


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("true", "true"),
        ("False", "false"),
        ("null", ""),
        ("", ""),
        ("[true]", "true"),
        ("[null]", ""),
        ("off", "off"),
        ("[Yes]", "Yes"),
        ("1", "1"),
        ("1.5", "1.5"),
    ],
)
def test_header_values_that_yaml_does_not_read_as_text(written: str, value: str) -> None:
    """A header without a value is empty; YAML 1.1 reads `off` as a boolean, which is not meant."""
    response = f"{{status: {{code: 200, message: OK}}, headers: {{x: {written}}}, body: null}}"
    assert read(POST, response).response.headers == (("x", value),)


def test_parsed_bodies_of_both_sides() -> None:
    """pydantic-ai keeps JSON decoded; it stands before a body that is there too."""
    request = "{method: POST, uri: u, headers: {}, body: old, parsed_body: {a: [1, null, é]}}"
    response = "{status: {code: 200, message: OK}, headers: {}, parsed_body: {b: true}}"
    exchange = read(request, response)
    assert json.loads(exchange.request.body) == {"a": [1, None, "é"]}
    assert json.loads(exchange.response.body) == {"b": True}


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        ("{type: json, content: {a: 1}}", b'{"a":1}'),
        ("{type: json, content: null}", b"null"),
        ("{type: text, content: hé}", "hé".encode()),
        ("{type: binary, content: '00ff'}", b"\x00\xff"),
        ("{type: none}", b""),
        ("null", b""),
    ],
)
def test_typed_bodies_of_cassetter(body: str, sent: bytes) -> None:
    """Its status is a number, and each body says what it is."""
    request = f"{{method: PUT, uri: u, headers: {{}}, body: {body}}}"
    response = f"{{status: 201, headers: {{}}, body: {body}}}"
    exchange = read(request, response, "  recorded_at: '2026-01-01T00:00:00Z'\nversion: 1\n")
    assert (exchange.request.body, exchange.response.body) == (sent, sent)
    assert (exchange.response.status, exchange.response.reason) == (201, "Created")


@pytest.mark.parametrize("version", [1, 2])
def test_cassettes_of_go_vcr(version: int) -> None:
    """Versions 1 to 4 of go-vcr write formats 1 and 2."""
    request = "{proto: HTTP/1.1, proto_major: 1, content_length: 1, transfer_encoding: [], "
    request += "trailer: {}, host: a, remote_addr: '', request_uri: '', body: x, form: {}, "
    request += "headers: {A: [b]}, url: http://a.test/v1, method: POST}"
    response = "{proto: HTTP/2.0, transfer_encoding: [], trailer: {}, content_length: -1, "
    response += "uncompressed: true, body: y, headers: {}, status: 429 Too Many Requests, "
    response += "code: 429, duration: 508.8ms}"
    exchange = read(request, response, f"version: {version}\n")
    assert (exchange.request.uri, exchange.request.body) == ("http://a.test/v1", b"x")
    assert (exchange.response.status, exchange.response.reason) == (429, "Too Many Requests")
    assert exchange.response.body == b"y"


def test_bodies_of_betamax() -> None:
    """They name their encoding, or are base64."""
    request = "{method: POST, uri: u, headers: {}, body: {encoding: latin-1, string: é}}"
    response = "{status: {code: 200, message: OK}, headers: {}, body: {base64_string: AP8=}}"
    exchange = read(request, response)
    assert (exchange.request.body, exchange.response.body) == (b"\xe9", b"\x00\xff")


@pytest.mark.parametrize(
    ("request_", "response", "where"),
    [
        (POST[:-1] + ", query: {a: b}}", OK, "interactions[0].request.query: unknown key 'query'"),
        (POST, OK[:-1] + ", raw: z}", "interactions[0].response.raw: unknown key 'raw'"),
        (POST, OK[:-1] + "}\n  extra: 1", "interactions[0].extra: unknown key 'extra'"),
        (POST, OK.replace("string: y", "text: y"), "body.text: unknown key 'text'"),
        (BARE, "{status: 200, body: {type: xml, content: a}}", "body.type: 'xml'; allowed: json"),
        (BARE, "{status: 200, body: {type: binary, content: xx}}", "has to be hexadecimal"),
        (BARE, "{status: 200, body: {type: text, content: 1}}", "expected text, actual int"),
        (POST, OK.replace("headers: {}", "headers: {a: {b: c}}"), "expected text, actual dict"),
    ],
)
def test_an_unknown_key_is_never_ignored(request_: str, response: str, where: str) -> None:
    """What it holds may be what the client has sent or read."""
    with pytest.raises(BadCassette) as caught:
        loads(cassette(request_, response), "a.yaml")
    assert where in str(caught.value)
    assert str(caught.value).startswith("a.yaml:")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("http_interactions: []\nrecorded_with: VCR 6\n", "VCR for Ruby"),
        ('{"log": {"entries": []}}', "an HTTP archive (HAR)"),
        ("- request: {}\n  response: {}\n", "vcrpy before 1.0: harness import reads it"),
        ("interactions: []\nws_interactions: [{}]\nversion: 1\n", "WebSocket"),
        ("interactions: []\nfuture: [{}]\nversion: 1\n", "unknown key 'future'"),
        ("interactions: []\nversion: 3\n", "vcrpy format 3; this reads 1"),
        ("interactions: []\nversion: 2\n", "vcrpy format 2; this reads 1"),
        ("interactions: []\nversion: true\n", "vcrpy format True; this reads 1"),
        ("a: 1\n", "not a vcrpy cassette"),
        ("- 1\n", "not a vcrpy cassette"),
        (
            "interactions:\n<<<<<<< HEAD\n- a\n=======\n- b\n>>>>>>> x\n",
            "c.yaml:2: a merge conflict",
        ),
        ("a: 'b\n=======\nc: d\n", "c.yaml:2: a merge conflict"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, what: str) -> None:
    """A refusal says what the file is."""
    with pytest.raises(BadCassette) as caught:
        loads(text, "c.yaml")
    assert what in str(caught.value)


@pytest.mark.parametrize("rest", ["", "metadata: {}\n"])
def test_a_whole_file_without_version_is_read_with_a_warning(rest: str) -> None:
    """Its end cannot be told, which is said."""
    with pytest.warns(UnversionedCassetteWarning, match=r"^n\.yaml: there is no key version"):
        assert len(loads(cassette(POST, OK, rest), "n.yaml").exchanges) == 1


def test_an_empty_file_without_version() -> None:
    """The input of a bug report."""
    text = (SHARED / "cases/20-untrue-refusals/no-version.yaml").read_text()
    with pytest.warns(UnversionedCassetteWarning):
        assert loads(text).exchanges == ()


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_file_that_was_cut_off_is_refused(cut: int) -> None:
    """Wherever vcrpy's file ends: all but one cut between two exchanges show."""
    interaction = yaml.safe_load(cassette(POST, OK))["interactions"][0]
    whole = yaml.safe_dump({"interactions": [interaction, interaction]})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises((BadCassette, UnversionedCassetteWarning)):
            loads(whole[:-cut])


def test_one_of_ours_without_version_was_cut_off() -> None:
    """The key is the last of every cassette of ours."""
    text = "metadata: {harness: {format: 1}}\n" + cassette(POST, OK, "")
    with pytest.raises(BadCassette, match="was cut off"):
        loads(text)


FILES = [
    path
    for name in ("recordings", "more-recordings")
    for path in sorted((SHARED / name).rglob("*.yaml"))
]


def test_every_recording_of_others_is_read_whole() -> None:
    """Each body stands in the cassette as it does in the file."""
    assert len(FILES) == 181
    for path in FILES:
        document = yaml.load(path.read_bytes(), Loader=yaml.CUnsafeLoader)  # noqa: S506
        exchanges = loads(path.read_bytes(), path.name).exchanges
        for item, exchange in zip(document["interactions"], exchanges, strict=True):
            for half, body in (
                ("request", exchange.request.body),
                ("response", exchange.response.body),
            ):
                if "parsed_body" in item[half]:
                    assert json.loads(body) == item[half]["parsed_body"], path
                elif half == "response" and isinstance(item[half]["body"]["string"], str):
                    assert body.decode() == item[half]["body"]["string"], path
