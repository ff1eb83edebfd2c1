"""Every kind of call in every form of API, from the scenario's file to the report."""

from __future__ import annotations

import io
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from _pytest.mark import ParameterSet
from rich.console import Console
from support_matrix import CELLS, DOCS, ROOT, Kind, page

import harness
from harness.analysis.transcript import analyze
from harness.parse import PARSERS
from harness.parse.run import ParseVerdict, parse_all
from harness.providers import endpoints
from harness.report import json_report, text
from harness.sandbox.media import ImageRequest, draw_image, synthesize_speech
from harness.types import Poll, Reply, Severity

if TYPE_CHECKING:
    from conftest import Harness

pytestmark = pytest.mark.slow  # half a minute for all; `make oldest` runs them too

PROJECT = """\
[tool.harness.providers.anthropic]
[tool.harness.providers.openai-responses]
[tool.harness.providers.openai]
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a picture, a sound, and services that it declares."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    (tmp_path / "a.png").write_bytes(draw_image(ImageRequest("小猫", 64, 64)))
    (tmp_path / "hello.wav").write_bytes(synthesize_speech("你好"))
    return tmp_path


PACKAGES = {
    "zhipu": "zhipuai",
    "zai": "zai",
    "dashscope": "dashscope",
    "compatible": "openai",
    "openai": "openai",
    "responses": "openai",
    "anthropic": "anthropic",
}
"""The import name of the SDK of each form."""


BY_ID = {f"{kind.id}-{form}": (kind, form) for kind, form in CELLS}
"""The cells by the name of their case."""


def case(kind: Kind, form: str) -> ParameterSet:
    """A case of `test_kind`, which is skipped without the SDK."""
    package = PACKAGES[form]
    missing = pytest.mark.skipif(not find_spec(package), reason=f"{package} is not installed")
    return pytest.param(kind, form, id=f"{kind.id}-{form}", marks=missing)


@pytest.mark.parametrize(("kind", "form"), [case(*cell) for cell in CELLS])
def test_kind(kind: Kind, form: str, project: Path) -> None:
    """Recorded through the SDK, replayed, checked, parsed, compared with itself and shown."""
    path = project / "one.yaml"
    path.write_text(kind.scenario(form, "one"), encoding="utf-8")
    (transcript,) = harness.record(path, source="sandbox", cassettes=project / "cassettes")
    assert all(isinstance(turn.outcome, Reply) for turn in transcript.turns)
    findings = harness.check(transcript)
    assert [f for f in findings if f.severity is not Severity.INFO] == []
    assert "known_endpoint" not in {finding.rule for finding in findings}
    assert harness.compare(transcript, transcript).all_differences == ()
    analyzed = analyze(transcript, endpoints.recognise)
    installed = [parser for parser in PARSERS.values() if parser.installed]
    parsed = [*parse_all("", analyzed.readings, installed)]
    assert not [result for result in parsed if result.verdict is ParseVerdict.CRASHED]
    answers = {turn.answer.number for turn in analyzed.turns if turn.answer}
    verdicts = {result.verdict for result in parsed if result.number in answers}
    read = verdicts & {ParseVerdict.SAME, ParseVerdict.DIFFERENT}
    assert bool(read) == (form not in kind.unparsed)
    screen = io.StringIO()
    text.conversation(Console(file=screen, width=200), analyzed)
    assert kind.shown in screen.getvalue()
    assert json_report.conversation(analyzed)


def test_the_page_of_a_report_shows_the_answers(project: Path, harness: Harness) -> None:
    """All choices, the links to films and sounds, the number of vectors, and the ranking."""
    shown = {
        "choices-compatible": ">assistant 1<",
        "video-zhipu": '<span data-zh="视频">video</span>',
        "speech-zhipu": '<span data-zh="音频">sound</span>',
        "embedding-zhipu": '<span>2</span> <span data-zh="个向量">vectors</span>',
        "rerank-zhipu": '<span data-zh="文档">document</span> 1</span>',
    }
    (project / "scenarios").mkdir()
    for name in ("a.png", "hello.wav"):
        (project / name).rename(project / "scenarios" / name)
    for id in shown:
        kind, form = BY_ID[id]
        path = project / "scenarios" / f"{id}.yaml"
        path.write_text(kind.scenario(form, id), encoding="utf-8")
    assert harness("record", "--sandbox", folder=project).code == 0
    assert harness("report", "--report", "page.html", folder=project).code == 0
    page = (project / "page.html").read_text(encoding="utf-8")
    assert [id for id, text in shown.items() if text not in page] == []
    assert "empty response" not in page.partition("<script")[0]


@pytest.mark.parametrize(
    "id",
    [
        "embedding-dashscope",
        "embedding-zhipu",
        "embedding-compatible",
        "embedding-mixed-dashscope",
        "rerank-dashscope",
        "rerank-zhipu",
        "image-edit-dashscope",
        "image-edit-task-dashscope",
        "video-zhipu",
        "video-dashscope",
        "speech-zhipu",
        "transcription-zhipu",
        "transcription-dashscope",
        "transcription-task-dashscope",
        "transcription-task-list-dashscope",
        "speech-cosyvoice-dashscope",
    ],
)
def test_another_input_than_the_scenario_gives_is_found(id: str, project: Path) -> None:
    """In its text, or in its last picture, sound or document."""
    kind, form = BY_ID[id]
    path = project / "one.yaml"
    path.write_text(kind.scenario(form, "one"), encoding="utf-8")
    (transcript,) = harness.record(path, source="sandbox", cassettes=project / "cassettes")
    turn = transcript.turns[0]
    assert turn.call is not None
    (project / "b.png").write_bytes(b"another")
    *first, last = turn.call.parts
    value = "https://host/other" if last.path is None else "b.png"
    other = replace(last, value=value, path=last.path and project / "b.png")
    inputs = (*first, other) if turn.call.inputs else ()
    prompt = turn.call.prompt if inputs else "another"
    changed = replace(turn, call=replace(turn.call, inputs=inputs, prompt=prompt))
    found = harness.check(replace(transcript, turns=(changed, *transcript.turns[1:])))
    assert "conversation_travels" in {finding.rule for finding in found}


def test_states_that_a_task_has_not_are_found(project: Path) -> None:
    """The finding names those that it had."""
    kind, form = BY_ID["task-zhipu"]
    path = project / "one.yaml"
    text = kind.scenario(form, "one").replace("[PROCESSING, SUCCESS]", "[SUCCESS]")
    path.write_text(text, encoding="utf-8")
    (transcript,) = harness.record(path, source="sandbox", cassettes=project / "cassettes")
    (finding,) = harness.check(transcript)
    assert finding.rule == "expected_states"
    assert finding.message == "expected SUCCESS, actual PROCESSING → SUCCESS"


@pytest.mark.parametrize(
    ("target", "code", "steps"),
    [
        (
            "dashscope/qwen-plus",
            "InvalidParameter",
            {
                "embedding: a": ("qwen-plus", "no-such-model"),
                "rerank: {query: a, documents: [b]}": ("gte-rerank", "qwen-plus"),
                "video: a": ("qwen-image", "no-such-model"),
                "speech: a": ("qwen-tts", "qwen-plus"),
            },
        ),
        (
            "zhipuai/glm-4",
            "1211",
            {
                "embedding: a": ("glm-4", "no-such-model"),
                "rerank: {query: a, documents: [b]}": ("embedding-3",),
                "video: a": ("cogview-4",),
                "speech: a": ("glm-asr-2512",),
                "transcription: hello.wav": ("glm-tts",),
            },
        ),
    ],
)
def test_the_sandbox_refuses_a_model_that_does_not_serve_the_call(
    target: str, code: str, steps: dict[str, tuple[str, ...]], project: Path
) -> None:
    """Unknown, retired, or of another kind of call, as the service does."""
    lines = [
        f"  - {step}\n    model: {model}\n    parameters: {{voice: v}}\n"
        f"    expect: {{failure: '{code}'}}\n"
        for step, models in steps.items()
        for model in models
    ]
    path = project / "one.yaml"
    text = f"name: one\ntargets: [{target}]\nsteps:\n{''.join(lines)}"
    path.write_text(text, encoding="utf-8")
    (transcript,) = harness.record(path, source="sandbox", cassettes=project / "cassettes")
    outcomes = [turn.outcome for turn in transcript.turns]
    assert {getattr(outcome, "code", "none") for outcome in outcomes} == {code}


def test_the_polls_of_a_task_fit_into_its_time() -> None:
    """At least one is made; without a time, the number of polls is the only limit."""
    limits = [Poll(2, 40, 5), Poll(2, 2, 60), Poll(0, 7, 1), Poll(10, 40, 3), Poll(2, 40)]
    assert [poll.polls_in_time for poll in limits] == [2, 2, 7, 1, 40]


def test_a_prefix_and_its_continuation_are_one_message(project: Path) -> None:
    """In the history that the next step sends."""
    kind, form = BY_ID["partial-dashscope"]
    path = project / "one.yaml"
    path.write_text(kind.scenario(form, "one"), encoding="utf-8")
    (transcript,) = harness.record(path, source="sandbox", cassettes=project / "cassettes")
    first, second = transcript.turns
    assert isinstance(first.outcome, Reply)
    assert second.call is not None
    roles = [message.role for message in second.call.messages]
    assert roles == ["user", "assistant", "user"]
    assert second.call.messages[1].content == f"床前{first.outcome.content}"


@pytest.mark.parametrize("page_name", ["scenarios.md", "scenarios.zh-CN.md"])
def test_the_steps_of_the_guide_are_recorded(page_name: str, project: Path) -> None:
    """Those of all kinds of calls, from the sandbox, without a finding."""
    guide = (DOCS["en"].parent / "guides" / page_name).read_text(encoding="utf-8")
    steps = guide.split("```yml\n")[1].split("```")[0].replace("interval: 10", "interval: 0")
    (project / "cat.png").write_bytes((project / "a.png").read_bytes())
    path = project / "one.yaml"
    path.write_text(f"name: one\ntargets: [dashscope/qwen-plus]\n{steps}", encoding="utf-8")
    (transcript,) = harness.record(path, source="sandbox", cassettes=project / "cassettes")
    assert [f for f in harness.check(transcript) if f.severity is not Severity.INFO] == []
    artefacts = (project / "cassettes" / "one" / "artefacts").iterdir()
    assert {file.suffix for file in artefacts} == {".png", ".mp4", ".wav"}


EXAMPLES = ROOT / "examples" / "kinds"


@pytest.mark.parametrize(
    "path", sorted((EXAMPLES / "scenarios").glob("*.yaml")), ids=lambda path: path.stem
)
def test_the_examples_replay(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Offline, from their cassettes, without a finding; after a change: make shipped."""
    monkeypatch.chdir(EXAMPLES)
    transcripts = harness.replay(path, cassettes=EXAMPLES / "cassettes")
    assert [finding for transcript in transcripts for finding in harness.check(transcript)] == []


@pytest.mark.parametrize("language", DOCS)
def test_the_page_lists_what_this_module_runs(language: str) -> None:
    """After a change: python -m tests.support_matrix."""
    assert DOCS[language].read_text(encoding="utf-8") == page(language)
