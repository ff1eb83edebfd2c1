"""No command, in no form, shows a secret of a cassette that another tool recorded."""

from __future__ import annotations

import base64
import gzip
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
import yaml

if TYPE_CHECKING:
    from conftest import Harness

KEY = "sk-5f0c1b7e9a2d4c68b3f1e0a7d9c4b825"
"""The key of the environment."""
OTHER = "9f8e7d6c5b4a39281706f5e4d3c2b1a0.QwErTyUiOpAsDfGh"
"""The key of somebody else."""
PASSWORD = "Tr0ub4dor-and-3"  # noqa: S105 - nobody's
CHAT = "https://dashscope.aliyuncs.com/compatible-mode/v1/chat/completions"


def answer(content: str) -> dict[str, object]:
    """Return an answer to a chat."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant"}}
    choice["message"] = {"role": "assistant", "content": content}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    whole = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "qwen-plus"}
    return {**whole, "choices": [choice], "usage": usage}


def stream(key: str) -> str:
    """Return a stream that sends a key in pieces, among those of another choice."""
    pieces = [(0, key[:9]), (1, "other words "), (0, key[9:20]), (1, "again "), (0, key[20:])]
    events = [
        {"choices": [{"index": index, "delta": {"content": piece}}], "model": "qwen-plus"}
        for index, piece in pieces
    ]
    return "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"


def exchange(
    answered: object, asked: object = None, uri: str = CHAT, **headers: str
) -> dict[str, object]:
    """Return one interaction of a cassette."""
    body = json.dumps(
        asked or {"model": "qwen-plus", "messages": [{"role": "user", "content": "hi"}]}
    )
    text = answered if isinstance(answered, str | bytes) else json.dumps(answered)
    kind = "text/event-stream" if str(text).startswith("data:") else "application/json"
    given = {"Content-Type": [kind], **{name: [value] for name, value in headers.items()}}
    return {
        "request": {
            "method": "POST",
            "uri": uri,
            "body": body,
            "headers": {"Content-Type": ["application/json"], "Authorization": [f"Bearer {KEY}"]},
        },
        "response": {
            "status": {"code": 200, "message": "OK"},
            "headers": given,
            "body": {"string": text},
        },
    }


def _planted(key: str) -> Iterator[tuple[str, dict[str, object]]]:
    encoded = base64.b64encode(key.encode()).decode()
    yield "content", exchange(answer(f"It is {key}."))
    yield "long-content", exchange(answer("x" * 190 + f" {key} and {'more ' * 50}"))
    yield "id", exchange({**answer("hi"), "id": key})
    yield "name-of-a-field", exchange({**answer("hi"), key: 1})
    yield "name-deep-inside", exchange({**answer("hi"), "a": {"b": [{key: {"c": 1}}]}})
    yield "value-of-a-wrong-type", exchange({**answer("hi"), "created": key})
    yield "usage", exchange({**answer("hi"), "usage": {"prompt_tokens": key}})
    yield "model", exchange({**answer("hi"), "model": key})
    yield "finish-reason", exchange({"choices": [{"index": 0, "finish_reason": key}]})
    yield "no-json", exchange(f"oh {key}")
    yield "broken-json", exchange(f'{{"choices": [{{"a": "{key}"')
    yield (
        "request",
        exchange(
            answer("hi"), {"model": "qwen-plus", "messages": [{"role": "user", "content": key}]}
        ),
    )
    yield "request-name", exchange(answer("hi"), {"model": "qwen-plus", key: 1, "messages": []})
    yield "query", exchange(answer("hi"), uri=f"{CHAT}?key={key}")
    yield "path", exchange(answer("hi"), uri=f"https://dashscope.aliyuncs.com/{key}/x")
    yield "header", exchange(answer("hi"), **{"X-Some": key})
    yield "header-name", exchange(answer("hi"), **{f"x-{key}": "1"})
    yield "pieces", exchange(stream(key))
    yield (
        "escaped",
        exchange(json.dumps(answer("hi")).replace("hi", "".join(f"\\u{ord(c):04x}" for c in key))),
    )
    yield "in-json-in-json", exchange(answer(json.dumps(json.dumps({"k": key}))))
    yield (
        "in-an-address",
        exchange(answer("see https://a/?u=" + quote(quote(f"https://b/?k={key}", safe="")))),
    )
    yield "base64", exchange(answer(f"data:text/plain;base64,{encoded}"))
    yield "gzip", exchange(gzip.compress(json.dumps(answer(key)).encode()))
    refusal = exchange({"error": {"message": f"Incorrect API key provided: {key}", "code": key}})
    refusal["response"]["status"] = {"code": 401, "message": f"bad {key}"}  # type: ignore[index]
    yield "refusal", refusal


def _named() -> Iterator[tuple[str, dict[str, object]]]:
    yield "password", exchange(answer(json.dumps({"password": PASSWORD})))
    yield "userinfo", exchange(answer("hi"), uri=f"https://me:{PASSWORD}@dashscope.aliyuncs.com/x")
    yield "cookie", exchange(answer("hi"), **{"Set-Cookie": f"sid={PASSWORD}; Path=/"})


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of cassettes, each with a secret somewhere else; one has it in its own name."""
    folder = tmp_path_factory.mktemp("planted")
    everything = [
        *_named(),
        *((f"{name}-{n}", e) for n, k in enumerate((KEY, OTHER)) for name, e in _planted(k)),
    ]
    for name, interaction in everything:
        text = yaml.safe_dump({"interactions": [interaction], "version": 1}, allow_unicode=True)
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    text = yaml.safe_dump({"interactions": [exchange(answer("hi"))], "version": 1})
    (folder / f"{KEY}.yaml").write_text(text, encoding="utf-8")
    (folder / "broken.yaml").write_text(f"interactions: [{KEY}: {OTHER}", encoding="utf-8")
    (folder / "no-cassette.yaml").write_text(f"{KEY}: {OTHER}\n", encoding="utf-8")
    assert len(list(folder.iterdir())) > 50
    return folder


Shown = Callable[..., tuple[str, int]]


@pytest.fixture
def shown(harness: Harness, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shown:
    """Return what a command prints, and its exit code; what it keeps is in the folder too."""
    monkeypatch.setenv("DASHSCOPE_API_KEY", KEY)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def run(*arguments: str | Path) -> tuple[str, int]:
        done = harness(*arguments, folder=tmp_path)
        return done.out + done.err, done.code

    return run


def leaks(text: str) -> list[str]:
    """Return which secrets are in a text."""
    parts = (KEY, OTHER, PASSWORD, KEY[3:], OTHER[:32], OTHER[33:])
    return [part for part in parts if part in text]


COMMANDS = {
    "check": ["check", "PLANTED", "--report", "out", "--report", "j.xml", "--report", "page.html"],
    "check --json": ["check", "PLANTED", "--json"],
    "scan": ["scan", "PLANTED"],
    "scan --json": ["scan", "PLANTED", "--json"],
    "parse": ["parse", "PLANTED", "--sdk", "openai"],
    "parse --json": ["parse", "PLANTED", "--json", "--sdk", "openai"],
    "contract learn": ["contract", "learn", "PLANTED", "--contract", "contract.json"],
    "faults": ["faults", "PLANTED", "--cases", "1", "--out", "saved"],
    "faults --json": ["faults", "PLANTED", "--json", "--cases", "1"],
    "adopt": ["adopt", "PLANTED"],
    "import": ["import", f"PLANTED/{KEY}.yaml"],
    "export": ["export", "PLANTED", "--form", "jsonl", "--to", "e.jsonl"],
    "prune": ["prune", "--tests", "."],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_shows_a_secret(name: str, planted: Path, shown: Shown, tmp_path: Path) -> None:
    """Neither on the terminal, nor in any file that it writes; and it gets to its end."""
    arguments = [each.replace("PLANTED", str(planted)) for each in COMMANDS[name]]
    text, code = shown(*arguments)
    assert code in (0, 1, 2), text
    assert "Traceback" not in text
    assert leaks(text) == []
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    for path in written:
        assert leaks(str(path.relative_to(tmp_path))) == []
        assert leaks(path.read_bytes().decode("utf-8", "replace")) == [], path


@pytest.mark.slow
def test_no_change_over_time_shows_a_secret(planted: Path, shown: Shown, tmp_path: Path) -> None:
    """Drift from a folder without secrets and back, and a contract that the secrets break."""
    clean = tmp_path / "clean"
    clean.mkdir()
    for path in sorted(planted.glob("*.yaml")):
        if not leaks(path.name):
            told = path.read_text(encoding="utf-8", errors="replace")
            for secret in (KEY, OTHER, PASSWORD):
                told = told.replace(secret, "usual")
            (clean / path.name).write_text(told, encoding="utf-8")
    shown("contract", "learn", clean, "--contract", "contract.yaml")
    assert (tmp_path / "contract.yaml").exists()
    for arguments in (
        ["drift", clean, planted, "--report", "drift"],
        ["drift", planted, clean, "--json"],
        ["contract", "check", planted, "--contract", "contract.yaml"],
        ["contract", "check", planted, "--contract", "contract.yaml", "--json"],
    ):
        text, code = shown(*arguments)
        assert code in (0, 1, 2), text
        assert "Traceback" not in text
        assert "No such option" not in text, text
        assert leaks(text) == [], arguments
    assert list((tmp_path / "drift").rglob("*.html"))
    for path in (tmp_path / "drift").rglob("*"):
        assert path.is_dir() or leaks(path.read_bytes().decode("utf-8", "replace")) == [], path


@pytest.mark.slow
def test_no_view_of_a_cassette_shows_a_secret(planted: Path, shown: Shown) -> None:
    """As raw HTTP and for git, in turn; side by side."""
    sides = [planted / "content-0.yaml", planted / "name-of-a-field-1.yaml"]
    views = cycle([["show", "--wire"], ["git", "textconv"]])
    every = (planted / "broken.yaml", planted / f"{KEY}.yaml", *sorted(planted.glob("*-0.yaml")))
    for path, view in zip(every, views, strict=False):
        text, _ = shown(*view, path)
        assert "Traceback" not in text
        assert leaks(text) == [], path
    for arguments in (
        ["compare", *sides],
        ["compare", *sides, "--json"],
        ["compare", *sides, "--fields"],
    ):
        text, _ = shown(*arguments)
        assert leaks(text) == [], arguments


@pytest.mark.slow
def test_pytest_shows_no_secret(planted: Path, tmp_path: Path) -> None:
    """What a test prints and compares, in the terminal and in JUnit's file."""
    (tmp_path / "test_own.py").write_text(
        f"""
import httpx, harness

def test_it():
    with harness.use_cassette({str(planted / "content-0.yaml")!r}):
        messages = [{{"role": "user", "content": "hi"}}]
        response = httpx.post({CHAT!r}, json={{"model": "qwen-plus", "messages": messages}})
    print(response.text)
    assert response.json() == {{"a": response.text}}
""",
        encoding="utf-8",
    )
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-rA",
            "-vv",
            "--junit-xml",
            "j.xml",
            "-p",
            "no:cacheprovider",
        ],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "DASHSCOPE_API_KEY": KEY, "HOME": str(tmp_path)},
        capture_output=True,
        timeout=300,
        check=False,
    )
    text = (done.stdout + done.stderr).decode()
    assert "REDACTED" in text
    assert "1 failed" in text
    assert leaks(text) == []
    assert leaks((tmp_path / "j.xml").read_text(encoding="utf-8")) == []
