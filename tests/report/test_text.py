"""A report on a console."""

from __future__ import annotations

from exchanges import post

from harness.analysis.transcript import analyze, transcript_of
from harness.comparison.pairs import compare
from harness.providers.endpoints import recognise
from harness.report import Report, comparison_text, json_report, text
from harness.types import Cassette, Finding, Json, Severity

from .samples import console, exchange, sample, told, written


def printed(report: Report, width: int = 80) -> str:
    """A report as a log gets it."""
    on = console(width)
    text.report(on, report)
    return written(on)


def test_a_report_tells_origin_findings_problems_and_verdict() -> None:
    """The verdict comes last, after everything it is made of."""
    told = printed(sample(), 120)
    assert "Recorded from the sandbox, not from the live providers." in told
    assert "  error adds_up (turn 1, exchange 1, byte 3, /x): bad: 你好\n" in told
    assert "skipped in 问候 with ours/one: 你好" in told
    assert "问候, ours/four: no cassette: 你好" in told
    assert told.endswith(
        "failed: 3 transcripts, 3 turns, 3 exchanges, 1 error, 1 warning, 1 problem, 1.25 s\n"
    )


def test_a_log_has_no_colours_and_long_lines_stay_lines() -> None:
    """Where nobody looks at a terminal, there are no escapes and findings are not wrapped."""
    found = Finding("x" * 200, rule="r", scenario="s", target="t")
    told = printed(Report("r", findings=(found,)))
    assert "\x1b" not in told
    assert f"  error r: {'x' * 200}\n" in told


def test_a_terminal_has_colours() -> None:
    """On a terminal the verdict is coloured."""
    on = console(terminal=True)
    text.report(on, Report("r"))
    assert "\x1b[1;32mok" in written(on)


def test_many_warnings_are_cut_and_no_error_is() -> None:
    """Warnings of one rule are cut with a number; errors are all told."""

    def many(severity: Severity) -> tuple[Finding, ...]:
        return tuple(Finding(f"no {i}", rule="r", severity=severity) for i in range(8))

    assert "and 3 more of r" in printed(Report("r", findings=many(Severity.WARNING)))
    assert printed(Report("r", findings=many(Severity.ERROR))).count("error r") == 8


def test_a_conversation_is_shown_as_one() -> None:
    """A conversation shows roles, texts, tool calls, polls, refusals and figures."""
    asked = {"messages": [{"role": "user", "content": "天气？"}]}
    answer = {"thought": "hm", "tools": [["1", "weather", "{}"]], "finish": "tool_calls"}
    task = [exchange({"states": [s], "images": ["u"]}, path="/tasks/1") for s in "ab"]
    refusal = exchange({"code": "Busy", "message": "later"}, status=429)
    on = console(120)
    read = told([exchange(answer, asked)], task, [refusal], [exchange(b"x")], skipped=("no",))
    text.conversation(on, read)
    assert written(on) == (
        "问候 with ours/one\n"
        "\nturn 1\n  user\n    天气？\n  assistant, thinking\n    hm\n"
        "  assistant\n    calls weather({})\n"
        "  sync, finish reason tool_calls, 7 input tokens, 5 output tokens, "
        "first byte 250 ms, total 1.50 s\n"
        "\nturn 2\n  task: a → b\n  assistant\n    image u\n"
        "  task, 7 input tokens, 5 output tokens, first byte 250 ms, total 1.50 s\n"
        "\nturn 3\n  refused: HTTP 429 Busy: later\n  sync, first byte 250 ms, total 1.50 s\n"
        "\nturn 4\n  unreadable response\n"
        "  sync, first byte 250 ms, total 1.50 s\n"
        "skipped: no\n"
    )


def test_markup_in_a_recording_is_text() -> None:
    """What looks like markup to the console is printed as it is."""
    on = console(120, terminal=True)
    text.conversation(on, told([exchange({"text": "[bold]x[/bold] \x1b[31m"})]))
    assert "[bold]x[/bold] �[31m" in written(on)
    on = console(120)
    comparison_text.comparison(
        on, compare(told([exchange({"a": "[b]x"})]), told([exchange({"a": "[/b]"})]))
    )
    assert "[b]x" in written(on)


def test_every_choice_is_shown() -> None:
    """Several choices are numbered; the JSON has those after the first apart."""
    on = console()
    choices = [{"index": n, "message": {"content": text}} for n, text in enumerate(("One", "Two"))]
    path = "/compatible-mode/v1/chat/completions"
    read = analyze(told([exchange({"choices": choices}, path=path)]).transcript, recognise)
    text.conversation(on, read)
    assert "  assistant, choice 0\n    One\n  assistant, choice 1\n    Two\n" in written(on)
    (talk,) = json_report.conversation(read)["conversation"]
    assert talk["outcome"]["content"] == "One"
    assert [choice["content"] for choice in talk["outcome"]["other_choices"]] == ["Two"]


def test_the_inputs_of_a_film_and_of_a_vector_are_shown() -> None:
    """A picture is named by its URL; empty choices beside pictures are not shown."""
    url = "https://x.test/a.png"
    drawn: Json = [{"image": url}]
    made: dict[str, Json] = {"index": 0, "finish_reason": "stop", "message": {"content": drawn}}
    requests: tuple[tuple[str, Json, Json], ...] = (
        (
            "/api/v1/services/aigc/video-generation/video-synthesis",
            {"model": "wan2.7-i2v", "input": {"prompt": "Go", "media": [{"url": url}]}},
            {"output": {"task_id": "t", "task_status": "PENDING"}, "request_id": "r"},
        ),
        (
            "/api/v1/services/embeddings/multimodal-embedding/multimodal-embedding",
            {"model": "m", "input": {"contents": [{"image": url}]}},
            {"output": {"embeddings": [{"index": 0, "embedding": [1]}]}, "request_id": "r"},
        ),
        (
            "/api/v1/services/aigc/multimodal-generation/generation",
            {"model": "qwen-image", "input": {"messages": []}},
            {"output": {"choices": [made, {**made, "index": 1}]}, "request_id": "r"},
        ),
    )
    for path, asked, answer in requests:
        on = console()
        one = post(f"https://dashscope.aliyuncs.com{path}", asked, answer)
        text.conversation(on, analyze(transcript_of(Cassette((one,)), recognise), recognise))
        assert f"image: {url}" in written(on) or f"image {url}" in written(on)
        assert "choice" not in written(on)
