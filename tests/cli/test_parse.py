"""`harness parse`: what it prints and with which code it ends."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.cassette.writer import dumps
from harness.parse import PARSERS
from harness.providers import sdk
from harness.types import Cassette, Exchange, Request, Response

if TYPE_CHECKING:
    from conftest import Harness

MADE = Path(__file__).parents[1] / "parse" / "made" / "dashscope.yaml"


def test_sdks_that_read_the_same(harness: Harness, folder: Path) -> None:
    """Where an SDK reads the same, only the table is printed."""
    done = harness("parse", "cassettes/slogan", "--sdk", "zhipuai", folder=folder)
    assert (done.code, done.err) == (0, "")
    assert ["zhipuai.chat", "sync", "zhipuai", "1", "1", "0", "0", "0"] in _rows(done.out)
    assert done.out.endswith("\n1 reading, 0 disagreements\n")


def test_an_sdk_that_reads_otherwise(harness: Harness, folder: Path) -> None:
    """A difference is printed with its smallest example; `--exit-code` makes it an error."""
    done = harness("parse", str(MADE), "--sdk", "dashscope", folder=folder)
    version = PARSERS["dashscope"].version
    assert (done.code, done.err) == (0, "")
    assert (
        f"dashscope {version}, dashscope.generation: changed /status (1 exchange)\n"
        "  the harness reads: integer 429\n"
        "  the SDK reads: integer 400\n"
        f"  smallest: {MADE}, exchange 1, 190 bytes, /status\n"
    ) in done.out
    assert harness("parse", str(MADE), "--exit-code", folder=folder).code == 1


def test_a_header_that_the_recorder_left_is_its_own_fault(harness: Harness, folder: Path) -> None:
    """The SDK is asked with the plain body, and the cassette is named."""
    cassette = Cassette(
        (
            Exchange(
                Request(
                    "POST",
                    "https://dashscope.aliyuncs.com/api/v1/services/aigc/text-generation/generation",
                    body=b'{"model":"qwen-plus","input":{"messages":[]},"parameters":{}}',
                ),
                Response(
                    200,
                    "OK",
                    (("content-type", "application/json"), ("content-encoding", "gzip")),
                    b'{"output":{"text":"hi","finish_reason":"stop"},"request_id":"1"}',
                ),
            ),
        )
    )
    (folder / "a.yaml").write_text(dumps(cassette))
    done = harness("parse", "a.yaml", "--sdk", "dashscope", folder=folder)
    assert (
        "a.yaml: exchange 1: its recorder kept Content-Encoding: gzip beside a decoded body; "
        "it is read as plain"
    ) in done.err
    assert "crash" not in done.out.partition("not applicable")[2]


def test_a_copy_without_its_body_is_not_asked(harness: Harness, folder: Path) -> None:
    """vcrpy writes a response twice if it is read twice; no SDK ever saw the empty one."""
    url = "https://dashscope.aliyuncs.com/compatible-mode/v1/chat/completions"
    headers = (("content-type", "application/json"), ("date", "Fri, 30 Jan 2026 09:27:21 GMT"))
    first = Exchange(
        Request("POST", url, body=b'{"model":"qwen-plus","messages":[]}'),
        Response(200, "OK", headers, b'{"object":"chat.completion","choices":[]}'),
    )
    copy = replace(first, response=replace(first.response, body=b""))
    (folder / "a.yaml").write_text(dumps(Cassette((first, copy))))
    done = harness("parse", "a.yaml", "--sdk", "openai", folder=folder)
    assert done.out.endswith("\n1 reading, 0 disagreements\n")


def test_parse_prints_json(harness: Harness, folder: Path) -> None:
    """`--json` prints the table, the findings and the missing SDKs."""
    done = harness("parse", str(MADE), "--sdk", "dashscope.Client", "--json", folder=folder)
    told = json.loads(done.out)
    assert sorted(told) == ["findings", "not_installed", "table"]
    assert {row["parser"] for row in told["table"]} == {"dashscope.Client"}
    (lost,) = (one for one in told["findings"] if one["kind"] == "lost")
    assert lost["path"] == "/output/choices/[]/message/content/[]/image"
    assert lost["smallest"]["exchange"] == 5


def test_an_unknown_parser_is_refused(harness: Harness, folder: Path) -> None:
    """An unknown parser is refused with the known names."""
    done = harness("parse", "cassettes", "--sdk", "nobody", folder=folder)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("harness: unknown parser 'nobody'; known are zhipuai, zai-sdk,")


def test_a_file_that_is_not_a_cassette(harness: Harness, folder: Path) -> None:
    """A file that is not a cassette is refused by its name."""
    (folder / "no.yaml").write_text("no", encoding="utf-8")
    done = harness("parse", "no.yaml", folder=folder)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("harness: no.yaml:")


def test_an_sdk_that_is_not_installed(
    harness: Harness, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence with the command that installs it; nothing is read, which is an error."""

    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(sdk, "distribution_version", missing)
    done = harness("parse", "cassettes/slogan", "--sdk", "zai-sdk", folder=folder)
    install = "pip install 'llm-conversation-harness[zai]'"
    said = f"harness: zai-sdk is not installed; install it with: {install}\n"
    assert (done.code, done.out, done.err) == (2, "", said)


def test_sdks_of_which_one_is_not_installed(
    harness: Harness, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others read; what the missing one would have read is said to be left out."""

    def without_zai(name: str) -> str:
        if name == "zai-sdk":
            raise PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(sdk, "distribution_version", without_zai)
    done = harness(
        "parse", "cassettes/slogan", "--sdk", "zai-sdk", "--sdk", "zhipuai", folder=folder
    )
    assert (done.code, done.err) == (0, "")
    assert "nothing was read with it: zai-sdk is not installed; install it with: pip" in done.out


def test_an_old_dashscope_has_no_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second generation of the SDK came with version 2."""
    monkeypatch.setattr(sdk, "distribution_version", lambda name: "1.27.8")
    assert PARSERS["dashscope"].installed
    assert not PARSERS["dashscope.Client"].installed
    said = "dashscope.Client needs dashscope 2; here is 1.27.8"
    assert PARSERS["dashscope.Client"].missing == said


def _rows(out: str) -> list[list[str]]:
    return [line.split() for line in out.splitlines()]
