"""Secrets in files are found and never shown; look-alikes are ignored."""

from __future__ import annotations

import base64
import gzip
import json
import random
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from test_redactor import (
    AWS,
    DASHSCOPE,
    ESCAPED,
    ESCAPES,
    FILES,
    ID,
    JWT,
    ODD,
    PLANTED,
    RECORDINGS,
    SECRET,
    UNKNOWN,
    ZHIPU,
    stream,
)

from harness.cassette.writer import dumps
from harness.providers.dashscope.sandbox import KEY as DASHSCOPE_KEY
from harness.providers.zhipu.sandbox import KEY as ZHIPUAI_KEY
from harness.secrets import scanner
from harness.secrets.scanner import Leaf, Leak, NoLeaves, Scanner, _with_har_names, leaves_of
from harness.secrets.search import KNOWN_KEY
from harness.types import Cassette, Exchange, Json, Provenance, Request, Response
from harness.wire import as_list, resolve

ROOT = Path(__file__).parents[2]
OURS = Scanner((ZHIPU, ID, SECRET, DASHSCOPE, ODD))
UNINFORMED = Scanner()
RANDOM = "a8f5f167f44f4964e6c998dee827110c"
TOKEN = "hG7-sdf_6dS87f6sd9Q"  # noqa: S105 - nobody's


def scanned(content: str | bytes, scanner: Scanner = UNINFORMED) -> list[tuple[int, str, str]]:
    """Return (line, kind, where) of every leak."""
    raw = content.encode() if isinstance(content, str) else content
    return [(leak.line, leak.kind, leak.where) for leak in scanner.scan(raw)]


# -------------------------------------------------------------------------- look-alikes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(
            (f"# a\nsee {key}!", (2, kind, ""))
            for kind, listed in UNKNOWN.items()
            for key in listed
        ),
        (f"a\n\n令牌 {JWT}", (3, "a token", "")),
        (f"curl -H 'Authorization: Bearer {TOKEN}'", (1, "credentials", "/curl -H 'Authorization")),
        (f"GET / HTTP/1.1\r\nauthorization: {TOKEN}\r\n", (2, "credentials", "authorization")),
        ("GET / HTTP/1.1\nCookie: a=; sid=0123456789", (2, "a cookie", "Cookie sid")),
        ("< HTTP/1.1 200\n< set-cookie: sid=12345678; Path=/", (2, "a cookie", "set-cookie sid")),
        ("https://a/?x=1&Signature=a%2Bb%3Dcdefgh", (1, "a signed link", "Signature")),
        ("/?OSSAccessKeyId=aBcDeFgH12345678", (1, "a signed link", "OSSAccessKeyId")),
        ("u=https%3A%2F%2Fa%3FSignature%3DaBcDeFgH12", (1, "a signed link", "Signature")),
        ("/?X-Amz-Security-Token=aBcDeFgH1234", (1, "a signed link", "X-Amz-Security-Token")),
        ("/?a&security-token=aBcDeFgH1234", (1, "a signed link", "security-token")),
        (f'api_key = "{RANDOM}"', (1, "a secret by its name", "api_key")),
        (f"export MY_SECRET={RANDOM}", (1, "a secret by its name", "MY_SECRET")),
        (f"x=1 dbPassword: '{RANDOM}'", (1, "a secret by its name", "/x=1 dbPassword")),
        (f'{{"a": 1,\n"b": [{{"token": "{RANDOM}"}}]}}', (2, "a secret by its name", "/b/0/token")),
        (f"a:\n  b:\n  - token: {RANDOM}", (3, "a secret by its name", "/a/b/0/token")),
        (f"a: 1\n# api-key: {RANDOM}\n", (2, "a secret by its name", "api-key")),
        (f'a: \'{{"b": {{"token": "{RANDOM}"}}}}\'', (1, "a secret by its name", "/a > /b/token")),
    ],
)
def test_what_looks_like_a_secret_is_found(text: str, expected: tuple[int, str, str]) -> None:
    """By its form or its name, once, with its line."""
    assert scanned(text) == [expected]


@pytest.mark.parametrize(
    "text",
    [
        *("REDACTED", "Bearer REDACTED", "Bearer <masked>", "Bearer test_dashscope_api_key"),
        *("[REDACTED:key]", "DUMMY", "dummy-key-12345678", "xxxxxxxxxxxx", "<key>", "$VAR", ""),
        *("Bearer ${DASHSCOPE_API_KEY}", "Bearer $DASHSCOPE_API_KEY", "Bearer {api_key_1234567}"),
        *("Bearer ***", "Bearer sk-xxxxxxxxxxxxxxxx", "your-api-key-12345", "None"),
        *(ZHIPUAI_KEY, DASHSCOPE_KEY),
    ],
)
@pytest.mark.parametrize("name", ["authorization", "api_key", "Cookie", "Signature", "token"])
def test_placeholders_are_known(name: str, text: str) -> None:
    """In a header, a cookie, a link, an assignment, in JSON and in YAML."""
    value = f"sid={text}" if name == "Cookie" else text
    value = value.replace("Bearer ", "") if name in ("Cookie", "Signature") else value
    for content in (
        f"{name}: {value}\n",
        f"x\n{name}: {value}\n\n\tx",
        json.dumps({name: value}),
        json.dumps([{"name": name, "value": value}]),
        f"https://a/?{name}={text.replace('Bearer ', '')}&b",
        f'{name} = "{value}"\n\t!',
    ):
        assert scanned(content) == []


@pytest.mark.parametrize(
    "text",
    [
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "x-request-id: d53f1897-8412-4174-8152-f5e545945255",
        "max_tokens: 12345678901234567890\nnext: token_for_user_1\n",
        "token = generate_a_token_for_the_user_1",
        "def f(Signature=abcdefgh12345678): pass",
        "password: correct-horse-battery-staple",
        '{"token": "Hello", "logprob": -0.1, "bytes": [1, 2]}',
        "Bearer auth, Bearer tokens are named in prose",
        "sid=0123456789",
        "sk-internationalizations",
        # Three parts of base64 whose first names no algorithm, or is not JSON.
        "eyJhIjoxfQ.eyJiIjoyfQ.c2lnbmF0dXJlMTIz",
        "eyJhIjox.eyJiIjoyfQ.c2lnbmF0dXJlMTIz",
        f"sha256: {RANDOM}",
    ],
)
def test_look_alikes_are_ignored(text: str) -> None:
    """Ids, digests, numbers, programs, prose."""
    assert scanned(text) == []


@pytest.mark.parametrize("escape", ESCAPES)
@pytest.mark.parametrize("kind", UNKNOWN)
def test_an_escaped_unknown_key_is_found(kind: str, escape: str) -> None:
    """In a text, and in a value of JSON, whatever it is escaped for."""
    text = ESCAPES[escape](UNKNOWN[kind][0])
    assert scanned(f"see {text}") == [(1, kind, "")]
    assert scanned(json.dumps({"a": text})) == [(1, kind, "/a")]


# --------------------------------------------------------------------------------- known keys


@pytest.mark.parametrize("how", ESCAPED)
@pytest.mark.parametrize("key", [ZHIPU, ID, SECRET, DASHSCOPE, ODD])
def test_a_known_key_is_found_in_every_form(key: str, how: str) -> None:
    """In text, in JSON, in YAML, once and by its line; it is one finding, not one for each half."""
    text = ESCAPED[how](key)
    assert scanned(f"x\ty: [\n<{text}>", OURS) == [(2, "a known key", "")]
    quoted = text if how.startswith("JSON") else json.dumps(text)[1:-1]
    assert scanned(f'{{\n"a": ["b {quoted}"]}}', OURS) == [(2, "a known key", "/a/0")]
    single = text.replace("'", "''")
    assert scanned(f"a:\n- b\n- 'b {single}'\n", OURS) == [(3, "a known key", "/a/1")]


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, bytes])
def test_packed_bodies_are_unpacked(pack: type[bytes]) -> None:
    """A compressed body stands in a cassette as base64, of which no letter is the key's."""
    body = pack(json.dumps({"a": [{"b": f"hi {DASHSCOPE}"}]}).encode())
    text = base64.encodebytes(body).decode().replace("\n", "\n        ").rstrip()
    yaml = f"interactions:\n- response:\n    body:\n      string: !!binary |\n        {text}\n"
    where = "/interactions/0/response/body/string"
    found = [leaks[1:] for leaks in scanned(yaml, OURS)]
    assert found == [("a known key", f"{where} > /a/0/b")]
    text_only = yaml.replace("!!binary ", "")
    assert [leaks[1:] for leaks in scanned(text_only, OURS)] == [("a known key", where)]
    assert scanned(body, OURS)[0][1] == "a known key"


def test_a_har_is_read_by_its_names() -> None:
    """A HAR file has the names of headers as values."""
    headers = [
        {"name": "Authorization", "value": f"Bearer {TOKEN}"},
        {"value": "sid=12345678", "name": "Cookie"},
        {"name": "Accept", "value": RANDOM},
    ]
    query = [{"name": "Signature", "value": "aB3dEf6hIj9lMnOpQ%3D"}]
    content = {"encoding": "base64", "text": base64.b64encode(f"a {AWS}".encode()).decode()}
    har = {"log": {"request": {"headers": headers, "queryString": query}, "content": content}}
    leaks = scanned(json.dumps(har, indent=1))
    assert [(kind, where) for _, kind, where in leaks] == [
        ("credentials", "/log/request/headers/0/Authorization"),
        ("a cookie", "/log/request/headers/1/Cookie sid"),
        ("a secret by its name", "/log/request/queryString/0/Signature"),
        ("an access key id", "/log/content/text"),
    ]


@pytest.mark.parametrize("pieces", [2, 5, 35])
def test_a_key_in_pieces_is_found(pieces: int) -> None:
    """In a stream by itself, in a cassette, in JSON; our own keys and others'."""
    for key in (DASHSCOPE, UNKNOWN["an sk- key"][0]):
        step = -(-len(key) // pieces)
        body = stream(*(key[i : i + step] for i in range(0, len(key), step)))
        kind = "a known key" if key == DASHSCOPE else "an sk- key"
        where = "stream /choices/0/delta/content"
        assert scanned(body, OURS) == [(1, kind, where)]
        exchange = Exchange(Request("GET", "https://a"), Response(200, body=body))
        leaks = scanned(dumps(Cassette((exchange,))), OURS)
        inside = "/interactions/0/response/body/string"
        assert [f[1:] for f in leaks] == [(kind, f"{inside} {where}")]
        assert scanned(json.dumps({"b": body.decode()}), OURS) == [(1, kind, f"/b {where}")]


def test_every_line_is_reported() -> None:
    """The same key on two lines is two findings; twice on one line it is one."""
    text = f"a: {DASHSCOPE} {DASHSCOPE}\nb: |\n  x\n  {DASHSCOPE}\n"
    assert scanned(text, OURS) == [(1, "a known key", "/a"), (4, "a known key", "/b")]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "gb18030"])
def test_files_in_other_alphabets(encoding: str) -> None:
    """Bytes that are no text are searched too."""
    assert scanned(f"键\n{DASHSCOPE}\n".encode(encoding), OURS) == [(2, "a known key", "")]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\xff" * 50,
        b"{" * 3000,
        b"[" * 100_000,
        b"a: &a [*a]",
        b"&a : *b",
        b"\x1f\x8b\x08",
        b"? [a]\n: b",
        b"- " * 3000 + b"a",
        b'{"a": "\\ud83d"}',
        b"a: !!binary '!'",
        b"%41" * 9,
        b"data: {\n\ndata: [1]\n\n",
        b'{"a": 1}\n{"b": 2',
        b"--- a\n--- b\n",
        b"\xff\xfe\x00",
    ],
    ids=lambda content: content[:8].hex(),
)
def test_any_file_is_scanned(content: bytes) -> None:
    """Broken and hostile files raise nothing, and a key after them is found."""
    assert UNINFORMED.scan(content) == []
    if not content.startswith((b"\x1f\x8b", b"\xff\xfe")):
        assert scanned(content + b"\n" + DASHSCOPE.encode(), OURS)


# --------------------------------------------------------------------------------- never shown


def test_a_leak_does_not_show_the_secret() -> None:
    """Two letters of each end of long ones, none of short ones; not where it is a name, either."""
    text = json.dumps(
        {DASHSCOPE: 1, "a": {f"x{ZHIPU}": {"token": RANDOM}}, "cookie": "sid=12345678"}
    )
    leaks = OURS.scan(text.encode())
    assert leaks == [
        Leak(1, "a known key", "/REDACTED", "sk...ef, 35 characters"),
        Leak(1, "a known key", "/a/xREDACTED", "12...Op, 49 characters"),
        Leak(1, "a secret by its name", "/a/xREDACTED/token", "a8...0c, 32 characters"),
        Leak(1, "a cookie", "/cookie sid", "8 characters"),
    ]
    assert "0123456789" not in repr(OURS)


# ------------------------------------------------------------------------------- false alarms


@pytest.mark.slow
@pytest.mark.skipif(not FILES, reason=f"no real recordings at {RECORDINGS}")
def test_real_recordings_hold_their_stand_ins_and_nothing_else() -> None:
    """Every finding in 197 exchanges: cookies, and four links with their signature."""
    leaks = Counter(
        (path.parent.name, leak.kind, re.sub(r".*/", "", leak.where))
        for path in FILES
        for leak in UNINFORMED.scan(path.read_bytes())
    )
    cookies = Counter(
        path.parent.name
        for path in FILES
        for _ in re.findall(r"acw_tc=", path.read_text(encoding="utf-8"))
    )
    assert leaks == {
        **{(folder, "a cookie", "0 acw_tc"): count for folder, count in cookies.items()},
        ("dashscope", "a signed link", "video_url Signature"): 4,
    }
    assert cookies.total() == 104


@pytest.mark.parametrize(
    "path",
    [*filter(Path.is_file, ROOT.glob("cassettes/**/*")), *ROOT.glob("scenarios/*")],
    ids=lambda path: path.name,
)
def test_shipped_files_hold_no_secret(path: Path) -> None:
    """The published keys of the sandbox are placeholders."""
    assert UNINFORMED.scan(path.read_bytes()) == []


# ------------------------------------------------------------------------------- many plants

PLANTS = 2_000
"""Each key in each way at each place, and some more; `make fuzz` has ten thousand."""
IN_A_FILE = 100


@pytest.mark.slow
def test_every_planted_key_is_found() -> None:
    """A key, somehow written, somewhere, in cassettes nobody redacted."""
    chance = random.Random(11)  # noqa: S311 - the same every time
    ways = [
        (key, how, place)
        for key in (ZHIPU, ID, SECRET, DASHSCOPE, ODD)
        for how in ESCAPED
        for place in PLANTED
    ]
    planted = [ways[n] if n < len(ways) else chance.choice(ways) for n in range(PLANTS)]
    missed = []
    for start in range(0, PLANTS, IN_A_FILE):
        here = planted[start : start + IN_A_FILE]
        exchanges = tuple(PLANTED[place](ESCAPED[how](key)) for key, how, place in here)
        leaks = OURS.scan(dumps(Cassette(exchanges)).encode())
        seen = {leak.where.split("/")[2] for leak in leaks if leak.where and leak.kind == KNOWN_KEY}
        missed += [way for number, way in enumerate(here) if str(number) not in seen]
    assert missed == []


@pytest.mark.parametrize("how", ESCAPED)
def test_metadata_are_searched(how: str) -> None:
    """A key in the provenance of a cassette is found."""
    exchange = Exchange(Request("GET", "https://a"), Response(200))
    for key in (ZHIPU, ID, SECRET, DASHSCOPE, ODD):
        provenance = Provenance(address=f"http://a/{ESCAPED[how](key)}")
        text = dumps(replace(Cassette((exchange,)), provenance=provenance))
        assert [f[1:] for f in scanned(text, OURS)] == [
            ("a known key", "/metadata/harness/address")
        ]


def test_the_progress_of_a_scan_is_the_part_that_is_done() -> None:
    """The text of the file, and then each long text in it."""
    content = json.dumps({"1": "word " * 300, "2": "two " * 300})
    shown: list[float] = []
    assert Scanner().scan(content.encode(), shown.append) == []
    total = 2 * len(content)
    assert shown == [(len(content) + 1500) / total, (len(content) + 1500 + 1200) / total]


@pytest.mark.parametrize("quote", ["'", '"'])
def test_a_long_value_is_searched_once(quote: str) -> None:
    """A long value without secrets is left out of the search of the whole file."""
    text = json.dumps({"text": "it's fine " * 150_000})
    value = text.replace("'", "''") if quote == "'" else json.dumps(text)[1:-1]
    long = f"long: {quote}{value}{quote}"
    file = f"uri: http://a.test/?token={ZHIPUAI_KEY}\n{long}\nother: {ZHIPUAI_KEY}\n".encode()
    assert [leak.line for leak in Scanner((ZHIPUAI_KEY,)).scan(file)] == [1, 3]
    tail = file.replace(b"it", ZHIPUAI_KEY.encode() + b" ", 1)
    assert [leak.line for leak in Scanner((ZHIPUAI_KEY,)).scan(tail)] == [1, 2, 3]


def test_json_lines_with_a_line_that_is_not_json_are_searched() -> None:
    """Only the first line tells that a file has JSON lines; others may have any escapes."""
    text = f'{{"a": 1}}\n{{"b": "\\q", "api_key": "{RANDOM}"}}\n'
    assert scanned(text) == [(2, "a secret by its name", "api_key")]


LONG = "a value 'of 40 letters that is in quotes'".replace("'", "''")


@pytest.mark.parametrize(
    "text",
    [
        f"a:\n- b: '{LONG}'\n  c: '{LONG}'\nd: '{LONG}'",
        f"a: '{LONG}'\nb: '{LONG} and '' a quote, of three'\n",
        f"a: '{LONG}' # no end\nb: 1\n",
        f"a: '{LONG}' and 'more, which no YAML has'\n",
        f"a: |\n  b: '{LONG}'\n  c: more text in a block\nd: '{LONG}'\n",
        f"a: 'text of several lines:\n  b: ''{LONG}'\n",
        f"a: \"text of several lines:\n  b: '{LONG}'\n  \"\n",
        f"a: text of several lines\n  b: '{LONG}'\nc: 1\n",
        f"# b: '{LONG}'\na: some text that is long\n",
        f"a: '{LONG}\\n, not a line'\nb: '\t{LONG}'\nc: '{LONG}\xc3\xa9'\n",
        f"a: !!binary '{LONG}'\nb: &x '{LONG}'\nc: *x\nd: '{LONG}'\n",
        f"[{{a: '{LONG}'\n}}]\n",
        f"? '{LONG}'\n: '{LONG}'\n",
        f"b: '{LONG}'\n: '{LONG}'\n",
        f"b: '{LONG}'\n  : '{LONG}'\n",
        f"a: '{LONG}'\nb: [\n",
        f"'{LONG}'\n",
        f"a: '{LONG}'\r\nb: '{LONG}'\r\n",
    ],
    ids=range(18),
)
def test_long_values_are_read_as_by_yaml(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """They are cut out of what YAML reads where they are values on a line, and nowhere else."""
    monkeypatch.setattr(scanner, "_LONG_VALUE", 2**20)
    expected = listed(text)
    monkeypatch.setattr(scanner, "_LONG_VALUE", 30)
    assert listed(text) == expected


def listed(text: str) -> list[Leaf]:
    """Return the leaves of a file; none if it is not YAML."""
    try:
        return [*leaves_of(text)]
    except NoLeaves:
        return []


@given(
    st.recursive(
        st.text("ab", max_size=2),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["name", "value", "a", "b"]), inner, max_size=4)
        ),
    )
)
@example([{"value": "a"}, {"name": "b", "value": "a"}])
def test_a_value_has_the_name_in_its_object(document: Json) -> None:
    """Wherever in the object the name stands, and whatever is between the two."""
    expected = []
    for path, text in texts_in(document):
        *around, last = path
        name = resolve(document, "".join(f"/{key}" for key in (*around, "name")))
        is_named = last == "value" and isinstance(name, str)
        expected.append(((*around, name) if is_named else path, text))
    leaves = [Leaf(path, text, 1, 1) for path, text in texts_in(document)]
    assert [(leaf.path, leaf.text) for leaf in _with_har_names(leaves)] == expected


def texts_in(
    value: Json, path: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield (path, text) of each member and item of a value that is a text."""
    if isinstance(value, str) and path:
        yield path, value
    members = value.items() if isinstance(value, dict) else enumerate(as_list(value))
    for key, member in members:
        yield from texts_in(member, (*path, key))


def test_yaml_that_is_cut_off_is_searched_as_text() -> None:
    """The values before its end count for nothing, as it has none; nothing is found twice."""
    text = f"a: {RANDOM}\nb:\n  - authorization: Bearer {TOKEN}\n  c: [\n"
    assert scanned(text) == [(3, "credentials", "")]
