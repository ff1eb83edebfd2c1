"""The commands about contracts, as a user runs them."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.contracts.files import loads

if TYPE_CHECKING:
    from conftest import Harness

CASSETTES = Path(__file__).parents[2] / "cassettes"
SLOGAN = str(CASSETTES / "slogan")


@pytest.fixture
def learnt(harness: Harness, tmp_path: Path) -> Path:
    """A folder with a contract learnt from all shipped cassettes but one scenario's."""
    names = sorted(p.name for p in CASSETTES.iterdir() if p.name != "slogan")
    done = harness("contract", "learn", *(str(CASSETTES / n) for n in names), folder=tmp_path)
    assert (done.code, done.err) == (0, "")
    assert "zhipuai.chat" in done.out
    assert "wrote contract.yaml: " in done.out
    assert " sandbox)" in done.out
    return tmp_path


@pytest.mark.parametrize("name", ["learn", "check", "accept"])
def test_every_command_explains_itself(harness: Harness, tmp_path: Path, name: str) -> None:
    """With an example that begins with its name."""
    done = harness("contract", name, "--help", folder=tmp_path)
    assert (done.code, done.err) == (0, "")
    assert f"Example: harness contract {name}" in " ".join(done.out.split())


def test_a_contract_is_not_learnt_twice(harness: Harness, learnt: Path) -> None:
    """The file is left alone, and what changes it is said."""
    before = (learnt / "contract.yaml").read_bytes()
    done = harness("contract", "learn", SLOGAN, folder=learnt)
    assert (done.code, done.out) == (2, "")
    assert "contract.yaml exists already" in done.err
    assert "harness contract accept" in done.err
    assert (learnt / "contract.yaml").read_bytes() == before


@pytest.mark.skipif(sys.platform == "darwin", reason="names of files are UTF-8 there")
def test_a_file_whose_name_is_not_utf8(harness: Harness, tmp_path: Path) -> None:
    """It is learnt from and exported, and named as far as it can be."""
    odd = tmp_path / os.fsdecode(b"a\xff.yaml")
    odd.write_bytes(next(Path(SLOGAN).glob("*.yaml")).read_bytes())
    done = harness("contract", "learn", odd, folder=tmp_path)
    assert (done.code, done.err) == (0, "")
    assert "a?.yaml" in (tmp_path / "contract.yaml").read_text(encoding="utf-8")
    done = harness("export", odd, "--form", "jsonl", "--to", "a.jsonl", folder=tmp_path)
    assert done.code == 0
    assert "a?.yaml" in (tmp_path / "a.jsonl").read_text(encoding="utf-8")


@pytest.mark.slow
def test_accepting_asks_first(harness: Harness, learnt: Path) -> None:
    """Nothing is written without --yes; once written, the same recordings change nothing."""
    file = learnt / "contract.yaml"
    before = file.read_text(encoding="utf-8")
    asked = harness("contract", "accept", SLOGAN, folder=learnt)
    assert (asked.code, asked.err) == (0, "")
    assert "new exchanges" in asked.out
    assert asked.out.endswith("nothing was written; --yes writes it\n")
    assert file.read_text(encoding="utf-8") == before
    done = harness("contract", "accept", SLOGAN, "--yes", folder=learnt)
    assert "wrote contract.yaml: " in done.out
    assert loads(file.read_bytes()).exchanges > loads(before).exchanges
    again = harness("contract", "accept", SLOGAN, "--yes", folder=learnt)
    assert again.out == "0 changes of clauses, 0 new exchanges\n"
    assert [p.name for p in learnt.iterdir()] == ["contract.yaml"]


@pytest.mark.slow
def test_checking(harness: Harness, learnt: Path) -> None:
    """0 where all is kept; 1, with the place and the exchanges that say so, where it is not."""
    done = harness("contract", "check", SLOGAN, folder=learnt)
    assert (done.code, done.err) == (0, "")
    cassette = CASSETTES / "slogan" / "zhipuai-glm-5.3-flash.yaml"
    text = cassette.read_text(encoding="utf-8")
    assert '"choices":' in text
    for n in range(9):
        again = learnt / "more" / f"{n}.yaml"
        again.parent.mkdir(exist_ok=True)
        again.write_text(text.replace('"choices":', '"choices":' + " " * n), encoding="utf-8")
    assert harness("contract", "accept", "more", "--yes", folder=learnt).code == 0
    broken = learnt / "broken.yaml"
    broken.write_text(text.replace('"choices":', '"choicez":'), encoding="utf-8")
    done = harness("contract", "check", str(broken), "--report", "junit.xml", folder=learnt)
    assert done.code == 1
    assert "error contract_removed (turn 1, exchange 1, byte 0, /choices)" in done.out
    assert "info contract_new_field (turn 1, exchange 1, byte 11, /choicez)" in done.out
    assert ".yaml#" in done.out
    assert 'type="contract_removed"' in (learnt / "junit.xml").read_text(encoding="utf-8")
    paths = [str(broken), "more", "--json", "--jobs"]
    told = json.loads(harness("contract", "check", *paths, "2", folder=learnt).out)
    alone = json.loads(harness("contract", "check", *paths, "1", folder=learnt).out)
    assert [told[key] for key in ("findings", "transcripts", "fields")] == [
        alone[key] for key in ("findings", "transcripts", "fields")
    ]
    assert {f["rule"] for f in told["findings"]} == {"contract_removed", "contract_new_field"}


def test_a_contract_of_other_endpoints_checks_nothing(harness: Harness, tmp_path: Path) -> None:
    """Code 2 with the kinds of answer of both; if it covers a part, the rest are notes."""
    image = next(CASSETTES.glob("kitten-image/zhipuai*.yaml"))
    assert harness("contract", "learn", image, folder=tmp_path).code == 0
    done = harness("contract", "check", SLOGAN, folder=tmp_path)
    assert done.code == 2
    assert "nothing was checked: the contract covers zhipuai.images answer" in done.out
    assert "; the recordings have dashscope" in done.out
    assert harness("contract", "check", SLOGAN, image, folder=tmp_path).code == 0


@pytest.mark.parametrize("command", ["check", "accept"])
def test_without_a_contract(harness: Harness, tmp_path: Path, command: str) -> None:
    """One message that says how to learn one; nothing is written."""
    done = harness("contract", command, SLOGAN, folder=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert "there is no contract contract.yaml; learn one with: harness contract learn" in done.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_broken_contract(harness: Harness, learnt: Path) -> None:
    """One message with file and line, and the file stays as it is."""
    file = learnt / "contract.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("of: ", "of: x", 1), encoding="utf-8")
    before = file.read_bytes()
    for command in (["check", SLOGAN], ["accept", SLOGAN, "--yes"]):
        done = harness("contract", *command, folder=learnt)
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith("harness: contract.yaml:")
        assert "expected a count" in done.err
    assert file.read_bytes() == before


def test_a_clause_is_explained(harness: Harness, tmp_path: Path) -> None:
    """As the report says: harness rules NAME."""
    done = harness("rules", "contract_removed", folder=tmp_path)
    assert done.code == 0
    assert "A field that was always there is there." in done.out


def test_of_two_copies_the_first_by_name_is_cited(harness: Harness, tmp_path: Path) -> None:
    """Whatever the order in which they are given."""
    recording = next(Path(SLOGAN).glob("*.yaml")).read_bytes()
    for name in ("b.yaml", "a.yaml", "c.yaml"):
        (tmp_path / name).write_bytes(recording)
    done = harness("contract", "learn", "b.yaml", "a.yaml", "c.yaml", folder=tmp_path)
    assert (done.code, done.err) == (0, "")
    contract = loads((tmp_path / "contract.yaml").read_bytes())
    assert [source.file for source in contract.sources.values()] == ["a.yaml"]
