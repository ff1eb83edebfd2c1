"""What the doors offer: which scenarios, which targets, which sides, and what went wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from questions import silent, two_scenarios, write

from harness.cassette.store import Store
from harness.checks.check import Kept
from harness.config.environment import Environment
from harness.errors import BadScenario, HarnessError, SecretNotRedacted
from harness.providers import PROVIDERS, servers
from harness.providers.servers import PROVIDER_SERVERS
from harness.report.build import replay_report
from harness.runner import batch
from harness.sandbox import Options
from harness.scenario.files import load_all
from harness.secrets.redactor import Redactor
from harness.types import Exchange, Origin

KNOWN = Environment({"ZHIPUAI_API_KEY": "mine.mine", "DASHSCOPE_API_KEY": "sk-mine"})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two scenarios."""
    return two_scenarios(tmp_path / "scenarios")


# ---------------------------------------------------------------------------------- scenarios


@pytest.mark.parametrize(
    ("names", "found"),
    [([], ["one", "two"]), (["two"], ["two"]), (["two", "one"], ["one", "two"])],
    ids=str,
)
def test_scenarios_by_name(folder: Path, names: list[str], found: list[str]) -> None:
    """All, if none is named."""
    assert [scenario.name for scenario in batch.load_scenarios(names, folder)] == found


def test_a_scenario_by_its_file(folder: Path, tmp_path: Path) -> None:
    """Wherever it is; the folder is not looked at then."""
    file = write(tmp_path / "elsewhere", "three")
    assert [s.name for s in batch.load_scenarios([str(file)], tmp_path / "none")] == ["three"]
    both = batch.load_scenarios([str(file), "one"], folder)
    assert {scenario.name for scenario in both} == {"one", "three"}


def test_a_name_that_is_not_there(folder: Path) -> None:
    """What there is is told."""
    with pytest.raises(HarnessError) as raised:
        batch.load_scenarios(["thre"], folder)
    assert str(raised.value) == (
        f"there is no scenario 'thre' in {folder}; there are: one, two; "
        "cassettes of tests are checked by: harness check"
    )


def test_providers_and_rules_are_checked(folder: Path) -> None:
    """When scenarios are loaded, not when they are played."""
    write(folder, "three", "nobody/glm-5.3-flash")
    with pytest.raises(BadScenario, match="nobody"):
        batch.load_scenarios([], folder)
    write(folder, "three", more="ignore: [{rule: no_such_rule, reason: x}]\n")
    with pytest.raises(BadScenario, match="no_such_rule"):
        batch.load_scenarios([], folder)


# ------------------------------------------------------------------------------------ targets


@pytest.mark.parametrize(
    ("targets", "found"),
    [
        ([], ["one zhipuai-glm-5.3-flash", "one dashscope-qwen-flash", "two dashscope-qwen-plus"]),
        (["zhipuai-glm-5.3-flash"], ["one zhipuai-glm-5.3-flash"]),
        (["dashscope"], ["one dashscope-qwen-flash", "two dashscope-qwen-plus"]),
        (["qwen-plus"], ["two dashscope-qwen-plus"]),
        (
            ["zhipuai/glm-5.3-flash", "qwen-plus"],
            ["one zhipuai-glm-5.3-flash", "two dashscope-qwen-plus"],
        ),
    ],
    ids=str,
)
def test_targets_by_slug_provider_or_model(
    folder: Path, targets: list[str], found: list[str]
) -> None:
    """Or as they are written in reports."""
    todo = batch.jobs(load_all([folder]), targets)
    assert [f"{job.scenario.name} {job.target.slug}" for job in todo] == found


def test_a_target_that_fits_none(folder: Path) -> None:
    """What there is is told; one good name beside it does not help."""
    with pytest.raises(HarnessError) as raised:
        batch.jobs(load_all([folder]), ["zhipuai", "gpt-4"])
    assert str(raised.value) == (
        "no scenario here has a target 'gpt-4'; there are: "
        "zhipuai-glm-5.3-flash, dashscope-qwen-flash, dashscope-qwen-plus"
    )


# ------------------------------------------------------------------------------------ sources


def test_the_users_keys_and_addresses_are_not_for_the_sandbox() -> None:
    """They are secrets there too, should they turn up."""
    with batch.sandboxed(Options(port=0), KNOWN) as source:
        for provider in PROVIDERS.values():
            assert source.key(provider) == PROVIDER_SERVERS[provider.name].key
            assert source.address(provider) == source.where + PROVIDER_SERVERS[provider.name].prefix
        assert source.origin is Origin.SANDBOX
        assert source.secrets == ("mine.mine", "mine", "sk-mine")


def test_a_provider_that_the_sandbox_does_not_serve_is_a_problem(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recording it with --sandbox reports one sentence for the job."""
    served = {"dashscope": PROVIDER_SERVERS["dashscope"]}
    monkeypatch.setattr(servers, "PROVIDER_SERVERS", served)
    todo = batch.jobs(load_all([folder]), ["zhipuai"])
    with batch.sandboxed(Options(port=0), KNOWN) as source:
        problems = batch.record_all(todo, source, Store(tmp_path / "c"), silent)
    assert {problem.text for problem in problems} == {
        "the sandbox does not serve 'zhipuai' (it serves: dashscope); "
        "record from the live service, without --sandbox"
    }


def test_a_sandbox_with_a_key_of_its_own(folder: Path, tmp_path: Path) -> None:
    """It is used."""
    options = Options(port=0, keys={"zhipuai": "other.otherother"})
    with batch.sandboxed(options, KNOWN) as source:
        assert source.key(PROVIDERS["zhipuai"]) == "other.otherother"
        todo = batch.jobs(load_all([folder]), ["zhipuai"])
        assert batch.record_all(todo, source, Store(tmp_path / "c"), silent) == ()


def test_the_live_source_is_the_users() -> None:
    """Keys and addresses as the environment has them."""
    source = batch.live(Environment({**KNOWN.variables, "ZHIPUAI_BASE_URL": "http://there"}))
    assert source.origin is Origin.LIVE
    assert source.key(PROVIDERS["zhipuai"]) == "mine.mine"
    assert source.address(PROVIDERS["zhipuai"]) == "http://there"
    assert source.address(PROVIDERS["dashscope"]) == ""
    assert source.secrets == ("mine.mine", "mine", "sk-mine")


# --------------------------------------------------------------------- recording and replaying


def test_what_one_could_not_do_keeps_no_other(folder: Path, tmp_path: Path) -> None:
    """Recording and replaying go on, and say what was wrong, in order."""
    write(folder, "bad", "dashscope/no-such-model, dashscope/qwen-flash")
    store = Store(tmp_path / "cassettes")
    todo = batch.jobs(load_all([folder]), [])
    told: list[str] = []
    with batch.sandboxed(Options(port=0), KNOWN) as source:
        problems = batch.record_all(todo, source, store, told.append)
    assert [(p.scenario, p.target) for p in problems] == [("bad", "dashscope/no-such-model")]
    assert "Model not exist." in problems[0].text
    assert told[:3] == [
        "[1/5] bad with dashscope/no-such-model",
        '[1] bad with dashscope/no-such-model: user "你好"',
        "[2/5] bad with dashscope/qwen-flash",
    ]
    report = replay_report(todo, store, silent, "Replay")
    assert [read.transcript.scenario for read in report.reads] == ["bad", "one", "one", "two"]
    assert [problem.target for problem in report.problems] == ["dashscope/no-such-model"]
    assert "was never recorded" in report.problems[0].text
    assert not report.ok
    assert [matrix.scenario for matrix in report.matrices] == ["bad", "one", "two"]
    figures = replay_report(todo, store, silent, "Replay", keeps=Kept.FIGURES)
    assert (figures.reads, figures.matrices) == ((), ())
    assert (figures.outlines, figures.findings) == (report.outlines, report.findings)
    fields = replay_report(todo, store, silent, "Replay", keeps=Kept.FIELDS)
    assert fields.reads == ()
    assert (fields.matrices, fields.field_matrix) == (report.matrices, report.field_matrix)


def test_a_request_off_the_tape_is_a_problem_of_its_job(folder: Path, tmp_path: Path) -> None:
    """Not the end of all."""
    store = Store(tmp_path / "cassettes")
    todo = batch.jobs(load_all([folder]), [])
    with batch.sandboxed(Options(port=0), KNOWN) as source:
        batch.record_all(todo, source, store, silent)
    path = store.path("two", todo[2].target)
    path.write_text(path.read_text(encoding="utf-8").replace("你好", "再见", 1), encoding="utf-8")
    report = replay_report(todo, store, silent, "Replay")
    assert len(report.reads) == 2
    (problem,) = report.problems
    assert problem.text.startswith("no recorded answer to POST")


def test_a_secret_that_cannot_be_masked_ends_only_its_own_job(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other scenarios and targets are recorded; the problem says which is not."""
    redact = Redactor.exchange

    def refusing(redactor: Redactor, exchange: Exchange) -> Exchange:
        if b"qwen-flash" in exchange.request.body:
            raise SecretNotRedacted("a secret is left")
        return redact(redactor, exchange)

    monkeypatch.setattr(Redactor, "exchange", refusing)
    todo = batch.jobs(batch.load_scenarios([], folder), [])
    store = Store(tmp_path / "c")
    with batch.sandboxed(Options(port=0), KNOWN) as source:
        (problem,) = batch.record_all(todo, source, store, silent)
    assert (problem.target, problem.text) == ("dashscope/qwen-flash", "a secret is left")
    states = [batch.cassette_state(job, store)[0] for job in todo]
    assert states == ["ok", "missing", "ok"]
