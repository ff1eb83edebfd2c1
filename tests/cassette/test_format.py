"""Cassettes to and from text, and stock vcrpy's word on them."""

from __future__ import annotations

import math
import sys
import time
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import requests
import vcr
import yaml
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from harness.cassette import artefacts, fast_reader, reader
from harness.cassette.artefacts import CassetteFiles, to_files, with_artefacts
from harness.cassette.reader import loads
from harness.cassette.vcrpy_check import check_vcrpy_reads
from harness.cassette.writer import dumps, spliced
from harness.errors import BadCassette, RecordingFailed, UnversionedCassetteWarning
from harness.types import (
    Artefact,
    BrokenOff,
    Cassette,
    CodedBody,
    Exchange,
    NetworkError,
    Origin,
    Provenance,
    Request,
    Response,
    Sdk,
    Timing,
)

RECORDINGS = Path(__file__).parents[3] / "shared" / "recordings"

STREAM = """\
id:1
event:result
:HTTP_STATUS/200
data:{"output":{"text":"你好"}}

id:2
event:result
:HTTP_STATUS/200
data:{"output":{"text":"你好！"}}

"""
WRITTEN = """\
metadata:
  harness:
    format: 1
    recorded_from: sandbox
    recorded_at: '2026-01-02T03:04:05+00:00'
    scenario: greeting
    target: dashscope/qwen-flash
    address: http://127.0.0.1:8765/api/v1
    sdk:
      name: dashscope
      version: 2.0.2
    script:
    - ab12
    volatile:
    - /seed
    exchanges:
    - turn: 1
      started_at: '2026-01-02T03:04:05.678901+00:00'
      first_byte: 0.25
      total: 0.5
      chunks: [65, 67]
      arrived: [0.25, 0.3125]
    - {}
interactions:
- request:
    method: POST
    uri: http://127.0.0.1:8765/api/v1/chat?a=1
    body: '{"messages":[{"role":"user","content":"你好"}]}'
    headers:
      content-type:
      - application/json
      accept:
      - text/event-stream
      - '*/*'
  response:
    status:
      code: 200
      message: OK
    headers:
      content-type:
      - text/event-stream;charset=UTF-8
    body:
      string: |+
        id:1
        event:result
        :HTTP_STATUS/200
        data:{"output":{"text":"你好"}}

        id:2
        event:result
        :HTTP_STATUS/200
        data:{"output":{"text":"你好！"}}

- request:
    method: GET
    uri: http://127.0.0.1:8765/files/1.png
    body: null
    headers: {}
  response:
    status:
      code: 200
      message: ''
    headers: {}
    body:
      string: !!binary |
        iVBORw0KGgo=
version: 1
"""
READ = Cassette(
    (
        Exchange(
            Request(
                "POST",
                "http://127.0.0.1:8765/api/v1/chat?a=1",
                (
                    ("content-type", "application/json"),
                    ("accept", "text/event-stream"),
                    ("accept", "*/*"),
                ),
                '{"messages":[{"role":"user","content":"你好"}]}'.encode(),
            ),
            Response(
                200, "OK", (("content-type", "text/event-stream;charset=UTF-8"),), STREAM.encode()
            ),
            Timing(
                datetime(2026, 1, 2, 3, 4, 5, 678901, UTC).timestamp(),
                first_byte=0.25,
                total=0.5,
                arrived=(0.25, 0.3125),
            ),
            chunks=(65, 67),
            turn=1,
        ),
        Exchange(
            Request("GET", "http://127.0.0.1:8765/files/1.png"),
            Response(200, "", (), b"\x89PNG\r\n\x1a\n"),
        ),
    ),
    Provenance(
        Origin.SANDBOX,
        "2026-01-02T03:04:05+00:00",
        "greeting",
        "dashscope/qwen-flash",
        "http://127.0.0.1:8765/api/v1",
        Sdk("dashscope", "2.0.2"),
        ("ab12",),
        ("/seed",),
    ),
)


def test_a_cassette_is_written_for_reviewers() -> None:
    """Chinese as Chinese, streams as literal blocks, chunks in one line, version last."""
    assert dumps(READ) == WRITTEN


def test_a_cassette_is_read() -> None:
    """As text or as bytes."""
    assert loads(WRITTEN) == READ
    assert loads(WRITTEN.encode()) == READ


def test_an_empty_cassette_is_one() -> None:
    """Written and read, it has no exchanges, and it is not an empty file."""
    assert loads(dumps(Cassette(()))) == Cassette(())


# ------------------------------------------------------------------------------------ laws

TEXT = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    [
        *("a\u0085b", "a\u2028b\u2029", "\ufeff", "\ufeffdata: x\n", "a\r\nb\r\n", "\r", "\n"),
        *("😀", "🏳\ufe0f\u200d🌈", " a", "a ", "\ta\t", "\0", "\x1b[0m", "\x7f", "\x80", "\uffff"),
        *("null", "~", "yes", "1", "0x1", "1e3", ".nan", "2001-01-01", "12:30:45", "=", "<<"),
        *("  a\n b\n", "\n\n a", "a\n\n", "a\n ", "a\n\n\n", "\n a\n", "# a\nb", "a: b\n- c\n"),
        *(
            "---\n",
            "...\n",
            "--- a\n... b\n",
            "%YAML 1.1\n",
            "!!str a\n",
            "&a *a\n",
            "'\"\n",
            "-\n",
        ),
        *("a\n\tb\n", "\ta\nb\n", "a \nb \n", "你好\n世界\n", "a" * 5000, "a " * 999 + "\nb"),
    ]
)
LINES = st.lists(TEXT, max_size=3).map("\n".join)
BODIES = st.binary() | LINES.map(str.encode)
GROUPED = st.dictionaries(TEXT, st.lists(TEXT, min_size=1, max_size=3), max_size=3).map(
    lambda named: tuple((name, value) for name, values in named.items() for value in values)
)
ARTEFACTS = st.builds(
    Artefact, st.from_regex(artefacts.FILE_NAME, fullmatch=True), st.integers(0, 10**20)
)
SECONDS = st.integers(0, 10**10).map(lambda micros: micros / 10**6)
EXCHANGES = st.builds(
    Exchange,
    request=st.builds(Request, TEXT, TEXT, GROUPED, BODIES),
    response=st.builds(Response, st.integers(0, 999), TEXT, GROUPED, BODIES)
    | st.builds(Response, st.integers(0, 999), TEXT, GROUPED, artefact=ARTEFACTS),
    timing=st.none()
    | st.builds(
        Timing,
        st.integers(0, 4 * 10**9).map(float) | st.floats(0, 4e9),
        st.floats(0, 1e4),
        st.floats(0, 1e4),
        st.lists(st.floats(0, 1e4), max_size=4).map(tuple),
    ),
    chunks=st.lists(st.integers(1, 10**6), max_size=5).map(tuple),
    turn=st.none() | st.integers(1, 99),
    key=st.sampled_from(["", "none", "0a1b2c3d", "12345678", "1234e567", "0x1e5678"]) | TEXT,
    coded=st.none()
    | st.builds(
        CodedBody,
        st.sampled_from(["gzip", "br", "gzip, br"]) | TEXT,
        st.binary(max_size=200),
        st.lists(st.integers(1, 10**6), max_size=5).map(tuple),
        st.none() | st.integers(0, 10**6),
    ),
    broken_off=st.none() | st.builds(BrokenOff, st.sampled_from(NetworkError), TEXT),
)
PROVENANCES = st.builds(
    Provenance,
    recorded_from=st.sampled_from(Origin),
    recorded_at=TEXT,
    scenario=TEXT,
    target=TEXT,
    address=TEXT,
    note=TEXT,
    sdk=st.none() | st.builds(Sdk, TEXT, TEXT),
    script=st.lists(TEXT, max_size=3).map(tuple),
    volatile=st.lists(TEXT, max_size=3).map(tuple),
    test=TEXT | st.just("../../test_a.py::test_a[1-b]"),
)
YAMLISH = st.lists(
    st.sampled_from(
        [
            *("interactions:", "version: 1", "metadata:", "harness:", "request:", "response:"),
            *("method: x", "uri: u", "status:", "code: 200", "body:", "string: ''", "headers:"),
            *(
                "\n",
                "\n  ",
                "\n    ",
                "- ",
                "? ",
                ": ",
                "[",
                "]",
                "{",
                "}",
                ", ",
                "&a ",
                "*a",
                "|\n",
            ),
            *("<<: ", "!!int ", "!!binary ", "!!timestamp ", "!!set ", "!!omap ", "!!pairs ", "~"),
            *(
                "!!python/tuple ",
                "!!python/object/new:_io.BytesIO ",
                "state: ",
                "0x",
                "1:30",
                ".nan",
            ),
            *(
                "'",
                '"',
                "\\",
                "---\n",
                "...",
                "%YAML",
                "é",
                "\ufeff",
                "2001-99-99",
                "true",
                "=",
                "<<",
            ),
        ]
    )
).map("".join)
CASSETTES = st.builds(Cassette, st.lists(EXCHANGES, max_size=2).map(tuple), PROVENANCES)


def close(one: Cassette, other: Cassette) -> bool:
    """Equal, times to the microsecond."""
    timings = [(a.timing, b.timing) for a, b in zip(one.exchanges, other.exchanges, strict=True)]
    for a, b in timings:
        if (a is None) != (b is None):
            return False
        if a and b:
            pairs = [(a.start, b.start), (a.first_byte, b.first_byte), (a.total, b.total)]
            if not all(math.isclose(x, y, rel_tol=0, abs_tol=2e-6) for x, y in pairs):
                return False
            came = zip(a.arrived, b.arrived, strict=True)
            if not all(math.isclose(x, y, rel_tol=0, abs_tol=1e-4) for x, y in came):
                return False
    return _timeless(one) == _timeless(other)


def _timeless(cassette: Cassette) -> Cassette:
    kept = tuple(replace(exchange, timing=None) for exchange in cassette.exchanges)
    return replace(cassette, exchanges=kept)


@pytest.mark.slow
@given(CASSETTES)
def test_what_is_spliced_is_what_is_written_whole(cassette: Cassette) -> None:
    """A cassette put together from the texts of its exchanges is the cassette, to the byte."""
    assume(cassette.exchanges)
    texts = [dumps(Cassette((exchange,))) for exchange in cassette.exchanges]
    assert "".join(spliced(replace(cassette, exchanges=()), texts)) == dumps(cassette)


@pytest.mark.slow
@given(CASSETTES)
def test_what_is_written_is_read(cassette: Cassette) -> None:
    """Any cassette; to the byte, and to the microsecond. Written anew it is the same text."""
    text = dumps(cassette)
    again = loads(text)
    assert close(again, cassette)
    assert dumps(again) == text
    assert loads(text.encode()) == again


@pytest.mark.slow
@given(CASSETTES)
def test_stock_vcrpy_reads_what_is_written(cassette: Cassette) -> None:
    """Any cassette, byte for byte."""
    whole = with_artefacts(cassette, lambda number, named: b"")
    check_vcrpy_reads(to_files(whole), whole)


@pytest.mark.slow
@given(CASSETTES, st.data())
def test_the_fast_reader_reads_what_pyyaml_reads(cassette: Cassette, data: st.DataObject) -> None:
    """Of what is written, and of what somebody changed in it: the same cassette, or none."""
    text = dumps(cassette)
    assert _either_way(text)[0] in (None, loads(text))
    at = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(at, min(len(text), at + 4)))
    quick, slow = _either_way(text[:at] + data.draw(st.text(max_size=3) | YAMLISH) + text[end:])
    assert quick in (None, slow)


def test_the_fast_reader_refuses_another_number_of_exchanges_than_the_metadata_has() -> None:
    """It reads one at a time, and has the first ones when it sees that."""
    shipped = Path(__file__).parent.parent.parent / "cassettes" / "multi-turn"
    text = next(shipped.glob("*.yaml")).read_text("utf-8")
    facts, exchanges = text.split("interactions:\n")
    entry = "    - " + facts.split("\n    - ")[-1]
    first = exchanges[: exchanges.index("\n- request:\n") + 1]
    assert fast_reader.load(text).exchanges
    for more in (
        f"{facts}{entry}interactions:\n{exchanges}",
        f"{facts}interactions:\n{first}{exchanges}",
    ):
        with pytest.raises(fast_reader.NotCanonical):
            fast_reader.load(more)


def _either_way(text: str) -> tuple[Cassette | None, Cassette | None]:
    """A text as the short way and as PyYAML reads it; None where either does not."""
    quick = slow = None
    with suppress(fast_reader.NotCanonical):
        quick = fast_reader.load(text)
    with suppress(BadCassette):
        slow = reader.load_yaml(text, "")
    return quick, slow


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{}", b"a\n", b"a\n\n", b"a\nb", "你好\n\n  世界\n".encode(), '😀\n"'.encode()),
        *(
            "\u00a0\x1b\x7f\x80\u2028\ufeff".encode(),
            b"'",
            b"a\\u0041\x1b",
            b"\x89PNG",
            b"no",
            b"~",
        ),
    ],
)
def test_what_a_tape_records_is_read_by_the_short_way(body: bytes) -> None:
    """Text in one line, as a block, in escapes; bytes; and what YAML takes for more than text."""
    recorded = replace(READ.exchanges[0], response=Response(200, "OK", (), body))
    cassette = replace(READ, exchanges=(recorded, recorded))
    assert fast_reader.load(dumps(cassette)) == cassette


@pytest.mark.parametrize(
    ("was", "now"),
    [
        *(("OK", "no"), ("OK", "2026-01-02"), ("OK", "a: b"), ("OK", "a #b"), ("OK", "'it''s'")),
        *(("OK", "&a b"), ("OK", "!!str b"), ("OK", '"\\ud83d"'), ("OK", "a\tb"), ("OK", "1_0")),
        *(("200", "0o7"), ("200", "010"), ("format: 1", "format: 2"), ("sandbox", "moon")),
        *(("version: 1\n", "version: 1\nmore: 1\n"), ("turn: 1", "turn: yes"), ("|+", "|-")),
        *(("|+", "|"), ("|+", ">"), ("|+", "|2"), ("        data", "       data"), ("'2", "'x")),
    ],
)
def test_a_form_that_is_a_little_different_is_read_alike(was: str, now: str) -> None:
    """By PyYAML where there is any doubt."""
    exchange = READ.exchanges[0]
    text = dumps(replace(READ, exchanges=(exchange, exchange)))
    assert fast_reader.load(text)
    assert was in text
    quick, slow = _either_way(text.replace(was, now))
    assert quick in (None, slow)


def test_headers_of_one_name_are_brought_together() -> None:
    """The format has no room for another order; among themselves they keep theirs."""
    headers = (("a", "1"), ("b", "2"), ("A", "3"), ("a", "4"))
    cassette = Cassette((Exchange(Request("GET", "u", headers), Response(200)),))
    (exchange,) = loads(dumps(cassette)).exchanges
    assert exchange.request.headers == (("a", "1"), ("a", "4"), ("b", "2"), ("A", "3"))


def _recorded() -> list[Path]:
    return sorted(RECORDINGS.rglob("*.yaml")) if RECORDINGS.is_dir() else []


@pytest.mark.slow
@pytest.mark.skipif(not _recorded(), reason=f"no recordings of the real services in {RECORDINGS}")
def test_real_recordings_survive() -> None:
    """Every exchange that anybody recorded from the real services; stock vcrpy agrees."""
    count = 0
    for path in _recorded():
        cassette = loads(path.read_bytes(), str(path))
        text = dumps(cassette)
        assert loads(text) == cassette, path
        check_vcrpy_reads(to_files(cassette), cassette)
        count += len(cassette.exchanges)
    assert count == 197


# -------------------------------------------------------------------------- broken in any way

STOCK = """\
interactions:
- request:
    body: '{"a": 1}'
    headers:
      Accept:
      - '*/*'
    method: POST
    uri: https://host/v1
  response:
    body:
      string: "\\u4F60\\u597D"
    headers: {}
    status:
      code: 200
      message: OK
- request:
    body: null
    headers: {}
    method: GET
    uri: https://host/v2
  response:
    body:
      string: ''
    headers: {}
    status:
      code: 204
      message: No Content
version: 1
"""


@pytest.mark.slow
@pytest.mark.parametrize("text", [WRITTEN, STOCK], ids=["ours", "stock"])
def test_a_cassette_cut_off_is_never_a_shorter_one(text: str) -> None:
    """At every byte: an error, or all of it."""
    content = text.encode()
    whole = loads(content)
    bad = 0
    for end in range(len(content)):
        try:
            assert loads(content[:end]) == whole, end
        except (BadCassette, UnversionedCassetteWarning):
            bad += 1
    assert bad == len(content) - 1  # only the last line's end may be missing


STATUS = "status: {code: 200}, body: {string: ''}"
ENTRY = "interactions: [{{request: {}, response: {}}}]\nversion: 1\n"


@pytest.mark.slow
@given(
    st.binary()
    | st.text()
    | YAMLISH
    | YAMLISH.map(
        lambda text: ENTRY.format(f"{{method: x, uri: u, body: {text}}}", f"{{{STATUS}}}")
    )
    | YAMLISH.map(lambda text: f"metadata: {{harness: {text}}}\ninteractions: []\nversion: 1\n")
)
@settings(max_examples=150)
@example("interactions: []\nversion: 1\nmetadata: {harness: {format: 1, exchanges: [1]}}\n")
@example("a: \ud800")
def test_anything_is_a_cassette_or_a_bad_one(content: str | bytes) -> None:
    """No other error, whatever the file holds."""
    try:
        cassette = loads(content, "x.yaml")
    except BadCassette as error:
        assert str(error).startswith("x.yaml:")  # noqa: PT017 - either way is right
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert close(loads(dumps(cassette)), cassette)


def entry(method: str = "GET", request: str = "", response: str = STATUS) -> str:
    """A cassette of one exchange."""
    more = f", {request}" if request else ""
    return ENTRY.format(f"{{method: {method}, uri: u{more}}}", f"{{{response}}}")


OURS = "metadata:\n  harness:\n    format: 1\n    {}\ninteractions: []\nversion: 1\n"
ADDS_VALUE = sys.version_info >= (3, 12)
PLACE = "interactions[0]"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "f.yaml: the file is empty; a cassette has the keys interactions and version"),
        (
            "# nothing\n",
            "f.yaml: the file is empty; a cassette has the keys interactions and version",
        ),
        ("hello", "f.yaml: not a vcrpy cassette: the key interactions is missing"),
        ("[1]", "f.yaml: not a vcrpy cassette: the key interactions is missing"),
        ("version: 1\n", "f.yaml: not a vcrpy cassette: the key interactions is missing"),
        (
            "interactions: []",
            "f.yaml: the file was cut off: the key version, which stands last, is missing",
        ),
        ("interactions: []\nversion: 2\n", "f.yaml:2: version: vcrpy format 2; this reads 1"),
        ("interactions: []\nversion:\n", "f.yaml:2: version: vcrpy format None; this reads 1"),
        (
            "version: 1\ninteractions: {}\n",
            "f.yaml:2: interactions: expected a list, actual dict",
        ),
        ("interactions:\nversion: 1", "f.yaml:1: interactions: expected a list, actual NoneType"),
        ("a: [\n", "f.yaml:2: not YAML: did not find expected node content"),
        ("a: b: c\n", "f.yaml:1: not YAML: mapping values are not allowed in this context"),
        ("a: *b\n", "f.yaml:1: not YAML: found undefined alias"),
        (STOCK + "---\n" + STOCK, "f.yaml:29: not YAML: but found another document"),
        ("a: 1\n\tb: 2\n", "f.yaml:2: not YAML: found a tab character that violates indentation"),
        (
            "a\0b",
            "f.yaml: not YAML: unacceptable character #x0000: control characters are not allowed",
        ),
        ("\n- !!int a\n", "f.yaml:2: not YAML: this cannot be read as int"),
        ("\n- !!timestamp a\n", "f.yaml:2: not YAML: this cannot be read as timestamp"),
        ("\n- !!bool a\n", "f.yaml:2: not YAML: this cannot be read as bool"),
        ("\n- !!binary '***'\n", "f.yaml:2: not YAML: this cannot be read as binary"),
        ("a: 1\nb: 2\na: 3\n", "f.yaml:3: not YAML: the key 'a' occurs twice"),
        ('{"a": {"b": 1, "b": 2}}', "f.yaml:1: not YAML: the key 'b' occurs twice"),
        ("\n- 2001-99-99\n", "f.yaml:2: not YAML: this cannot be read as timestamp"),
        ("\n- " + "9" * 1001, "f.yaml:2: not YAML: this cannot be read as int"),
        (
            "\n- !!python/object/new:_io.BytesIO {state: [99999999999]}\n",
            "f.yaml:2: not YAML: this cannot be read as _io.BytesIO",
        ),
        (
            "a: !!python/object/apply:os.system [ls]\n",
            "f.yaml:1: not YAML: could not determine a constructor for the tag "
            "'tag:yaml.org,2002:python/object/apply:os.system'",
        ),
        ("a: &a [*a]\n", "f.yaml: not a cassette: the anchor a stands inside itself"),
        (
            "interactions:\n- 1\nversion: 1\n",
            f"f.yaml:2: {PLACE}: expected a mapping, actual int",
        ),
        (
            "interactions:\n- request: {}\n  x: 1\nversion: 1\n",
            f"f.yaml:2: {PLACE}: the key response is missing",
        ),
        (
            "interactions:\n- response: {}\n  request:\n    a: 1\nversion: 1\n",
            f"f.yaml:3: {PLACE}.request: the key method is missing",
        ),
        (entry("[a]"), f"f.yaml:1: {PLACE}.request.method: expected text, actual list"),
        (entry("true"), f"f.yaml:1: {PLACE}.request.method: expected text, actual bool"),
        *(
            (
                entry().replace("uri: u", f"uri: '{uri}'"),
                f"f.yaml:1: {PLACE}.request.uri: '{uri}' is not an address",
            )
            for uri in ("http://[::1/", "http://a:99999/b", "http://a:b/")
        ),
        (
            entry(request="headers: [a]"),
            f"f.yaml:1: {PLACE}.request.headers: expected a mapping, actual list",
        ),
        (
            entry(request="headers: {a: {b: c}}"),
            f"f.yaml:1: {PLACE}.request.headers.a: expected text, actual dict",
        ),
        (
            entry(request="headers: {a: [[]]}"),
            f"f.yaml:1: {PLACE}.request.headers.a: expected text, actual list",
        ),
        (
            entry(request="headers: {~: [a]}"),
            f"f.yaml:1: {PLACE}.request.headers: expected text, actual NoneType",
        ),
        (entry(request="body: 5"), f"f.yaml:1: {PLACE}.request.body: expected text, actual int"),
        (
            entry(request="body: [.nan]"),
            f"f.yaml:1: {PLACE}.request.body: a body written as YAML has to be JSON: "
            # newer versions of Python add the value
            f"Out of range float values are not JSON compliant{': nan' * ADDS_VALUE}",
        ),
        (
            entry(request="body: {!!binary aGk=: 1}"),
            f"f.yaml:1: {PLACE}.request.body: a body written as YAML has to be JSON: "
            "keys must be str, int, float, bool or None, not bytes",
        ),
        (
            entry(request="body: [!!set {a}]"),
            f"f.yaml:1: {PLACE}.request.body: a body written as YAML has to be JSON: set is not",
        ),
        (entry(response="body: {}"), f"f.yaml:1: {PLACE}.response: the key status is missing"),
        (
            entry(response="status: {}, body: {}"),
            f"f.yaml:1: {PLACE}.response.status: the key code is missing",
        ),
        (
            entry(response="status: {code: OK}, body: {}"),
            f"f.yaml:1: {PLACE}.response.status.code: expected a number, actual str",
        ),
        (
            entry(response="status: {code: true}, body: {}"),
            f"f.yaml:1: {PLACE}.response.status.code: expected a number, actual bool",
        ),
        (
            entry(response="status: {code: 1}, body: x"),
            f"f.yaml:1: {PLACE}.response.body: expected a mapping, actual str",
        ),
        (
            OURS.format("recorded_from: moon"),
            "f.yaml:4: metadata.harness.recorded_from: 'moon'; allowed: live, sandbox, unknown",
        ),
        (
            OURS.format("exchanges: {}"),
            "f.yaml:4: metadata.harness.exchanges: expected a list, actual dict",
        ),
        (
            OURS.format("script: ab12"),
            "f.yaml:4: metadata.harness.script: expected a list, actual str",
        ),
        (
            OURS.format("script: [[]]"),
            "f.yaml:4: metadata.harness.script[0]: expected text, actual list",
        ),
        (
            OURS.format("sdk: zhipuai"),
            "f.yaml:4: metadata.harness.sdk: expected a mapping, actual str",
        ),
        (
            OURS.format("target: {}"),
            "f.yaml:4: metadata.harness.target: expected text, actual dict",
        ),
        (
            OURS.format("").replace("format: 1", "format: 9"),
            "f.yaml:3: metadata.harness.format: harness format 9; this reads 1: record it again",
        ),
        (
            "metadata: {harness: [1]}\ninteractions: []\nversion: 1\n",
            "f.yaml:1: metadata.harness: expected a mapping, actual list",
        ),
    ],
)
def test_a_bad_cassette_is_told_with_its_place(text: str, told: str) -> None:
    """File, line, keys, and what should be there."""
    with pytest.raises(BadCassette) as caught:
        loads(text, "f.yaml")
    assert str(caught.value) == told


@pytest.mark.parametrize("content", [b"\xff\xfe\xff", b"a: \xe9\n", b"\x80"])
def test_bytes_that_are_no_text_are_bad(content: bytes) -> None:
    """In words that depend on the library."""
    with pytest.raises(BadCassette, match=r"^f.yaml: not YAML: \S"):
        loads(content, "f.yaml")


def test_without_a_file_the_message_stands_alone() -> None:
    """A text that was not read from a file has no name to tell."""
    with pytest.raises(BadCassette, match=r"^the file is empty"):
        loads("")


DEEP = ["[", "{", "- ", "? ", "[{", "{a: ", "{? ", "- ? ", "[? ", "&a [", "!!x [", "? - ", "- - "]


@pytest.mark.parametrize("opening", DEEP)
def test_deep_nesting_is_refused(opening: str) -> None:
    """Flow, block, mixed and in keys: PyYAML's fast loader would end the process."""
    with pytest.raises(BadCassette) as caught:
        loads(opening * 100_000, "f.yaml")
    assert str(caught.value) == "f.yaml: not a cassette: nested deeper than 100"


@pytest.mark.parametrize("indented", ["a:", "-", "?"])
def test_deep_indentation_is_refused(indented: str) -> None:
    """The same in the shape people write."""
    text = "".join(" " * i + indented + "\n" for i in range(1000))
    with pytest.raises(BadCassette, match="nested deeper than 100"):
        loads(text, "f.yaml")


def test_depth_is_bounded_exactly() -> None:
    """So many levels are read, and one more is not; aliases count as what they stand for."""
    body = "[" * 97 + "]" * 97  # below interactions, an exchange and its request
    (exchange,) = loads(entry(request=f"body: {body[1:-1]}")).exchanges
    assert exchange.request.body == body[1:-1].encode()
    with pytest.raises(BadCassette, match="nested deeper"):
        loads(entry(request=f"body: {body}"))
    nested = "metadata:\n  a0: &a0 []\n"
    nested += "".join(f"  a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 98))
    assert loads(nested + entry()).exchanges
    with pytest.raises(BadCassette, match="nested deeper"):
        loads(nested + "  a98: [*a97]\n" + entry())


def bomb(first: str, item: str, open_: str = "[", close_: str = "]") -> str:
    """Ten times ten times ten ..."""
    lines = [f"a0: &a0 {first}"]
    for i in range(1, 10):
        inner = ",".join([item.format(f"*a{i - 1}")] * 10)
        lines.append(f"a{i}: &a{i} {open_}{inner}{close_}")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    "text",
    [
        bomb("[x]", "{}") + entry("*a9"),
        bomb("[x]", "{}") + entry(request="body: *a9"),
        bomb("[x]", "{}") + "interactions: []\nversion: *a9\n",
        bomb("{k: v}", "{}", "{<<: [", "]}") + entry(),
        bomb("[x]", "k: {}", "!!pairs [") + entry(),
        "a: &a " + "x" * 50_000 + "\nb: [" + "*a," * 50_000 + "]\n" + entry(),
    ],
    ids=["method", "body", "version", "merge", "pairs", "text"],
)
def test_alias_bombs_are_refused(text: str) -> None:
    """At once, and before they are built."""
    began = time.perf_counter()
    with pytest.raises(BadCassette) as caught:
        loads(text, "f.yaml")
    assert str(caught.value) == "f.yaml: not a cassette: aliases make it too large"
    assert time.perf_counter() - began < 60


def test_numbers_nobody_can_read_in_time_are_refused() -> None:
    """Sixties of sixties take Python the square of their length."""
    began = time.perf_counter()
    with pytest.raises(BadCassette, match="this cannot be read as int"):
        loads(entry("1" + ":30" * 100_000))
    assert time.perf_counter() - began < 60


# ----------------------------------------------------------------------- of other recorders


def test_a_stock_cassette_is_read() -> None:
    """Nobody knows where it comes from."""
    one, other = loads(STOCK).exchanges
    assert one == Exchange(
        Request("POST", "https://host/v1", (("Accept", "*/*"),), b'{"a": 1}'),
        Response(200, "OK", (), "你好".encode()),
    )
    assert (other.response.status, other.response.body) == (204, b"")
    assert loads(STOCK).provenance == Provenance()


@pytest.mark.parametrize(
    ("body", "read"),
    [
        ("null", b""),
        ("{a: [1, null, 你]}", '{"a":[1,null,"你"]}'.encode()),
        ("{day: 2026-01-02}", b'{"day":"2026-01-02"}'),
        ("[&a {b: 1}, *a]", b'[{"b":1},{"b":1}]'),
        ("!!binary aGk=", b"hi"),
        ("!!python/object/new:_io.BytesIO {state: !!python/tuple [!!binary aGk=, 0, null]}", b"hi"),
        ("!!python/object/new:_io.BytesIO {state: [hi]}", b"hi"),
        ("!!python/object/new:_io.BytesIO {}", b""),
        ("!!python/unicode hi", b"hi"),
        ("!!python/str hi", b"hi"),
    ],
)
def test_bodies_of_other_recorders_are_read(body: str, read: bytes) -> None:
    """JSON written as YAML, pickled buffers, Python's own strings."""
    assert loads(entry(request=f"body: {body}")).exchanges[0].request.body == read


def test_words_without_quotes_are_read() -> None:
    """A number or a day where text should be: people leave out quotes."""
    text = entry(request="headers: {a: 1, b: [2.5, 2026-01-02], c: !!binary w6k=}")
    assert loads(text).exchanges[0].request.headers == (
        ("a", "1"),
        ("b", "2.5"),
        ("b", "2026-01-02"),
        ("c", "Ã©"),
    )


@pytest.mark.parametrize(
    "travel",
    [
        "5",
        "{turn: true, chunks: 7, started_at: x}",
        "{turn: x, chunks: [0, -1, x], started_at: '2026-01-01', first_byte: 1}",
        "{started_at: 5, first_byte: 1, total: 2}",
        "{started_at: '0001-01-01T00:00:00+23:00', first_byte: 1, total: x}",
        "{started_at: '2026-01-01T00:00:00+00:00', first_byte: 1, total: .inf}",
        "{started_at: '2026-01-01T00:00:00+00:00', first_byte: .nan, total: 2}",
        "{started_at: '2026-01-01T00:00:00+00:00', first_byte: -1, total: 2}",
        "{started_at: '2026-01-01T00:00:00+00:00', first_byte: 1, total: 2, arrived: [.nan]}",
    ],
)
def test_what_is_said_of_the_journey_may_be_nonsense(travel: str) -> None:
    """The exchange itself counts; what cannot be understood of its times is left out."""
    text = f"metadata: {{harness: {{format: 1, exchanges: [{travel}]}}}}\n{entry()}"
    assert loads(text).exchanges == (Exchange(Request("GET", "u"), Response(200)),)


def test_metadata_of_others_is_not_ours() -> None:
    """Stock vcrpy lets anybody keep something there."""
    assert loads(f"metadata: {{theirs: 1}}\n{entry()}").provenance == Provenance()
    assert loads(f"metadata: [1]\n{entry()}").provenance == Provenance()


# ------------------------------------------------------------------------------------ stock


Ask = Callable[[Exchange], tuple[int, bytes, "str | None"]]


def by_httpx(exchange: Exchange) -> tuple[int, bytes, str | None]:
    """Status, body and one header, as httpx sees them."""
    request = exchange.request
    with httpx.Client() as client:
        answer = client.request(request.method, request.uri, content=request.body)
    return answer.status_code, answer.content, answer.headers.get("content-type")


def by_requests(exchange: Exchange) -> tuple[int, bytes, str | None]:
    """The same by requests."""
    request = exchange.request
    with requests.Session() as session:
        answer = session.request(request.method, request.uri, data=request.body)
        return answer.status_code, answer.content, answer.headers.get("content-type")


@pytest.mark.parametrize("ask", [by_httpx, by_requests])
def test_stock_vcrpy_plays_our_cassettes(tmp_path: Path, ask: Ask) -> None:
    """A stream, a picture, a refusal and nothing at all: the same to the caller."""
    kind = (("content-type", "application/json"),)
    refused = Exchange(
        Request("POST", "http://127.0.0.1:8765/no", (), b"{}"),
        Response(429, "Too Many Requests", kind, b'{"code":"Throttling"}'),
    )
    nothing = Exchange(
        Request("DELETE", "http://127.0.0.1:8765/nothing"), Response(204, "No Content")
    )
    cassette = replace(READ, exchanges=(*READ.exchanges, refused, nothing))
    path = tmp_path / "a.yaml"
    path.write_text(dumps(cassette), encoding="utf-8")
    with vcr.VCR().use_cassette(str(path), record_mode="none") as played:
        for exchange in cassette.exchanges:
            answer = exchange.response
            assert ask(exchange) == (answer.status, answer.body, answer.header("content-type"))
    assert played.all_played


def test_what_stock_vcrpy_records_is_read() -> None:
    """Written by vcrpy's own serializer, read by us."""
    from vcr.request import Request as Asked
    from vcr.serialize import serialize
    from vcr.serializers import yamlserializer

    answer = {
        "status": {"code": 200, "message": "OK"},
        "headers": {"content-type": ["text/plain"]},
        "body": {"string": "你好".encode()},
    }
    asked = Asked("POST", "https://host/v1", b"\xff", {"Accept": "*/*"})
    text = serialize({"requests": [asked], "responses": [answer]}, yamlserializer)
    assert loads(text).exchanges == (
        Exchange(
            Request("POST", "https://host/v1", (("Accept", "*/*"),), b"\xff"),
            Response(200, "OK", (("content-type", "text/plain"),), "你好".encode()),
        ),
    )


@pytest.mark.parametrize(
    "differs",
    [
        replace(READ, exchanges=READ.exchanges[:1]),
        replace(READ, exchanges=READ.exchanges[::-1]),
        replace(READ, exchanges=(*READ.exchanges, READ.exchanges[0])),
        *(
            replace(READ, exchanges=(replace(READ.exchanges[0], **change), READ.exchanges[1]))
            for change in (
                {"response": replace(READ.exchanges[0].response, body=b"x")},
                {"response": replace(READ.exchanges[0].response, status=201)},
                {"request": replace(READ.exchanges[0].request, body=b"x")},
                {"request": replace(READ.exchanges[0].request, uri="http://x")},
                {"request": replace(READ.exchanges[0].request, method="GET")},
            )
        ),
    ],
)
def test_a_text_that_stock_reads_otherwise_is_refused(differs: Cassette) -> None:
    """Whatever differs: how many, in which order, the bytes, the status, the address."""
    check_vcrpy_reads(CassetteFiles(WRITTEN, {}), READ)
    with pytest.raises(RecordingFailed) as caught:
        check_vcrpy_reads(CassetteFiles(WRITTEN, {}), differs)
    assert str(caught.value) == ("vcrpy would not read this recording back as it was; not written")


def test_what_is_written_is_plain_yaml() -> None:
    """No anchors, no tags but for bytes: anybody's YAML library reads it."""
    same = (("a", "1"),)
    exchange = Exchange(Request("GET", "u", same), Response(200, "", same, b"x"))
    text = dumps(Cassette((exchange, exchange)))
    assert "&" not in text
    assert yaml.safe_load(text)["interactions"][1]["response"]["headers"] == {"a": ["1"]}


def test_a_stream_in_chinese_is_read_in_the_memory_of_its_bytes() -> None:
    """Python keeps two bytes for each character of such a text; it took 6.6 times the file."""
    body = 'data: {"text": "天气"}\n\n' * 10_000
    answer = Response(200, "OK", (), body.encode())
    asked = Request("POST", "http://a.test/")
    cassette = Cassette((Exchange(asked, answer, Timing(1_750_000_000, 0.1, 0.2)),), Provenance())
    text = dumps(cassette).encode()
    assert fast_reader.load(text) == cassette
    tracemalloc.start()
    try:
        fast_reader.load(text)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4.5 * len(text)
