"""How steps become calls, and what the past looks like after each."""

from __future__ import annotations

from typing import Any

import pytest

from harness.errors import BadScenario
from harness.scenario.files import loads
from harness.scenario.steps import Past, Scenario, Step, digests
from harness.types import (
    Call,
    CallKind,
    Credentials,
    Expectation,
    Failure,
    Message,
    Mode,
    Poll,
    Reply,
    Target,
    ToolCall,
)


def scenario(steps: str, extra: str = "", targets: str = "[zhipuai/glm-5.3-flash]") -> Scenario:
    """A scenario of these steps, one per line and each in flow form."""
    lines = "".join(f"  - {line.strip()}\n" for line in steps.strip().splitlines())
    return loads(f"name: x\ntargets: {targets}\n{extra}\nsteps:\n{lines}", "x.yaml")


def only(steps: str, extra: str = "", targets: str = "[zhipuai/glm-5.3-flash]") -> Step:
    """The last step of such a scenario."""
    return scenario(steps, extra, targets).steps[-1]


def target(step: Step | Scenario, number: int = 0) -> Target:
    """A target of a step's scenario."""
    return (step if isinstance(step, Scenario) else step.scenario).targets[number]


def played(script: Scenario, *outcomes: Reply | Failure) -> tuple[list[Call], Past]:
    """The calls of a scenario whose questions get these outcomes, and the past at its end."""
    past, calls, answers = Past(), [], iter(outcomes)
    for step in script.steps:
        outcome = None
        if step.is_call:
            calls.append(step.call(target(script), past, seed=7))
            outcome = next(answers)
        past = step.after(past, outcome)
    return calls, past


def test_a_user_is_asked_unless_an_assistant_follows() -> None:
    """Scripted lines are sent, not asked."""
    steps = scenario("""
        {system: a}
        {user: b}
        {assistant: c}
        {user: d}
        {user: e}
        {prompt: f}
        {image: g}
    """).steps
    assert [step.is_call for step in steps] == [False, False, False, True, True, True, True]


def test_history_grows_by_script_and_by_answers() -> None:
    """Each question is sent with all that was said before it."""
    talk = scenario("{system: S}\n{user: a}\n{assistant: b}\n{user: c}\n{user: d}")
    calls, past = played(talk, Reply(content="C"), Reply(content="D"))
    sent = [[f"{m.role} {m.content}" for m in call.messages] for call in calls]
    assert sent == [
        ["system S", "user a", "assistant b", "user c"],
        ["system S", "user a", "assistant b", "user c", "assistant C", "user d"],
    ]
    assert past.messages[-1] == Message("assistant", "D")


def test_without_history_only_the_system_lines_are_sent_along() -> None:
    """`history: none` makes every question a conversation of its own."""
    calls, _ = played(
        scenario("{system: S}\n{user: a}\n{user: b}", "history: none"), Reply(), Reply()
    )
    assert [m.content for m in calls[1].messages] == ["S", "b"]


def test_a_step_may_forget_what_the_scenario_keeps() -> None:
    """A step's history wins over the scenario's, and only for itself."""
    talk = scenario("{user: a}\n{user: b, history: none}\n{user: c}")
    calls, _ = played(talk, Reply(content="A"), Reply(content="B"), Reply(content="C"))
    assert [len(call.messages) for call in calls] == [1, 1, 5]


def test_a_refused_question_leaves_no_message_behind() -> None:
    """The next question is asked as if the refused one had never been."""
    calls, past = played(
        scenario("{user: a}\n{user: b}"), Failure(400, "1301", "no"), Reply(content="B")
    )
    assert [m.content for m in calls[1].messages] == ["b"]
    assert past.outcome == Reply(content="B")


def test_prompts_and_images_are_no_part_of_the_conversation() -> None:
    """They send no messages and leave none."""
    calls, past = played(
        scenario("{user: a}\n{prompt: p}\n{image: i}"), Reply(content="A"), Reply(), Reply()
    )
    assert [(c.kind, c.prompt, len(c.messages)) for c in calls] == [
        (CallKind.CHAT, "", 1),
        (CallKind.PROMPT, "p", 0),
        (CallKind.IMAGE, "i", 0),
    ]
    assert [m.content for m in past.messages] == ["a", "A"]


CALLS = (
    ToolCall("1", "weather", '{"city": "北京"}'),
    ToolCall("2", "time", "{}"),
    ToolCall("3", "weather", "{}"),
)


def test_tool_results_answer_call_by_call() -> None:
    """Each call gets its function's result under its own id, in the order of the calls."""
    talk = scenario("{user: a}\n{tool_results: {time: 八点, weather: {度: 25, 天: [晴]}}}")
    calls, past = played(talk, Reply(tool_calls=CALLS), Reply(content="好"))
    assert calls[1].messages == (
        Message("user", "a"),
        Message("assistant", "", CALLS),
        Message("tool", '{"天":["晴"],"度":25}', tool_call_id="1"),
        Message("tool", "八点", tool_call_id="2"),
        Message("tool", '{"天":["晴"],"度":25}', tool_call_id="3"),
    )
    assert past.messages == (*calls[1].messages, Message("assistant", "好"))


def test_a_call_without_a_result_is_an_error() -> None:
    """The message names the step's line and the function."""
    with pytest.raises(BadScenario) as caught:
        played(scenario("{user: a}\n{tool_results: {time: 8}}"), Reply(tool_calls=CALLS))
    assert str(caught.value) == ("x.yaml:6: the model called 'weather'; tool_results has only time")


@pytest.mark.parametrize("outcome", [Reply(content="25 度"), Failure(400, "1", "no")])
def test_results_nobody_called_for_are_an_error(outcome: Reply | Failure) -> None:
    """Where the model called nothing there is nothing to answer."""
    with pytest.raises(BadScenario) as caught:
        played(scenario("{user: a}\n{tool_results: {time: 8}}"), outcome)
    assert str(caught.value) == (
        "x.yaml:6: tool_results answers nothing: the answer before it called no function"
    )


BOTH = """
  - {model: zhipuai/glm-5.3-flash, parameters: {b: 2, c: 2}, mode: stream}
  - {model: dashscope/qwen-flash, label: two}
"""


def test_parameters_of_the_step_win_over_the_targets_and_those_over_the_scenarios() -> None:
    """What stands nearer to the question counts."""
    step = only("{user: u, parameters: {c: 3}}", "parameters: {a: 1, b: 1, c: 1}", BOTH)
    first, second = (step.call(t, Past(), 7).parameters for t in step.scenario.targets)
    assert first == {"a": 1, "b": 2, "c": 3}
    assert second == {"a": 1, "b": 1, "c": 3}


def test_mode_of_the_step_wins_over_the_targets_and_that_over_the_scenarios() -> None:
    """What stands nearer to the question counts."""
    steps = scenario("{user: a}\n{user: b, mode: sync}", "mode: async", BOTH).steps
    modes = [[step.mode(t) for t in step.scenario.targets] for step in steps]
    assert modes == [[Mode.STREAM, Mode.ASYNC], [Mode.SYNC, Mode.SYNC]]


def test_poll_of_the_step_is_laid_over_the_scenarios() -> None:
    """Each of the two numbers is taken from where it was last written."""
    step = only("{image: i, poll: {limit: 9}}", "poll: {interval: 1}")
    assert (step.poll, only("{user: u}").poll) == (Poll(1, 9), Poll())


def test_a_random_seed_is_the_one_passed_in() -> None:
    """`seed: random` is a word to the scenario and a number to the provider."""
    step = only("{user: u}", "parameters: {seed: random, style: random}")
    assert step.call(target(step), Past(), 7).parameters == {"seed": 7, "style": "random"}
    assert step.parameters(target(step))["seed"] == "random"
    fixed = only("{user: u}", "parameters: {seed: 42}")
    assert fixed.call(target(fixed), Past(), 7).parameters == {"seed": 42}


def test_whoever_changes_a_calls_parameters_does_not_change_the_scenario() -> None:
    """SDKs write into what they are given."""
    step = only("{user: u}", "parameters: {tools: [{a: 1}]}")
    parameters: dict[str, Any] = dict(step.call(target(step), Past(), 7).parameters)
    parameters["tools"][0]["a"] = 2
    assert step.parameters(target(step)) == {"tools": [{"a": 1}]}


def test_credentials_and_another_model_reach_the_call() -> None:
    """A step can ask with a wrong key and for a model that is not the target's."""
    call = only("{user: u, credentials: wrong, model: none-such}")
    made = call.call(target(call), Past(), 7)
    assert (made.credentials, made.model) == (Credentials.WRONG, "none-such")
    plain = only("{user: ''}").call(target(call), Past(), 7)
    assert (plain.credentials, plain.model) == (Credentials.OWN, "glm-5.3-flash")
    assert plain.messages == (Message("user", ""),)


def test_targets_are_read_in_both_forms() -> None:
    """As a word and as a mapping."""
    text = "[zhipuai/glm-5.3-flash, {model: a/b/c, label: d, parameters: {e: 1}}]"
    assert scenario("{user: u}", targets=text).targets == (
        Target("zhipuai", "glm-5.3-flash"),
        Target("a", "b/c", "d", {"e": 1}),
    )


def test_expectations_are_resolved_for_a_target() -> None:
    """One text or several, all the same."""
    step = only(
        "{user: u, expect: {contains: a, pointer: [/b, /c], finish_reason: stop, tool_call: f, "
        "json_schema: {type: object}}}"
    )
    assert step.expectation(target(step)) == Expectation(
        finish_reason="stop",
        contains=("a",),
        json_schema={"type": "object"},
        pointers=("/b", "/c"),
        tool_call="f",
    )
    assert only("{user: u}").expectation(target(step)) == Expectation()


def test_an_expected_failure_is_chosen_by_provider() -> None:
    """A provider that is not named is expected to answer."""
    step = only("{user: u, expect: {failure: {zhipuai: '1'}, contains: a}}", targets=BOTH)
    assert step.expectation(target(step, 0)) == Expectation(failure="1")
    assert step.expectation(target(step, 1)) == Expectation(contains=("a",))
    everyone = only("{user: u, expect: {failure: no}}", targets=BOTH)
    assert everyone.expectation(target(step, 1)) == Expectation(failure="no")


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("{user: 北京今天天气怎么样？}", 'user "北京今天天气怎么样？"'),
        ("{user: 北京今天天气怎么样？我要不要带伞出门}", 'user "北京今天天气怎么样？我要不要…"'),
        ("{prompt: abcdefghijklmnopqrstuvwxyz1234}", 'prompt "abcdefghijklmnopqrstuvwxyz1234"'),
        ("{prompt: abcdefghijklmnopqrstuvwxyz12345}", 'prompt "abcdefghijklmnopqrstuvwxyz123…"'),
        ('{image: "a\\n  b"}', 'image "a b"'),
        ("{user: ''}", 'user ""'),
    ],
)
def test_a_step_is_described_in_thirty_columns(step: str, words: str) -> None:
    """A Chinese character takes two columns."""
    assert str(only(step)) == words


def calls_of(*places: str) -> Reply:
    """An answer that calls one function for each of these places."""
    return Reply(
        tool_calls=tuple(
            ToolCall(f"c{n}", "weather", f'{{"place": "{place}", "unit": "C"}}')
            for n, place in enumerate(places, start=1)
        )
    )


def results_of(answer: Reply, entries: str) -> list[tuple[str, str]]:
    """The (id, content) of each tool message that a step with these entries sends."""
    talk = scenario(f"{{user: a}}\n{{tool_results: [{entries}]}}")
    asked, answered = talk.steps
    past = asked.after(Past(), answer)
    messages = answered.call(talk.targets[0], past, 0).messages
    return [(m.tool_call_id, m.content) for m in messages if m.role == "tool"]


def test_each_call_of_a_function_gets_its_own_result() -> None:
    """By the call's arguments, wherever it stands; without arguments, in order."""
    by_place = (
        "{function: weather, arguments: {place: Rome}, result: 30}, "
        "{function: weather, arguments: {place: Oslo}, result: {t: 5}}"
    )
    assert results_of(calls_of("Oslo", "Rome"), by_place) == [("c1", '{"t":5}'), ("c2", "30")]
    assert results_of(calls_of("Rome"), by_place) == [("c1", "30")]
    in_order = "{function: weather, result: a}, {function: weather, result: b}"
    assert results_of(calls_of("Oslo", "Oslo"), in_order) == [("c1", "a"), ("c2", "b")]
    mixed = "{function: weather, arguments: {place: Rome}, result: r}, " + in_order
    assert [r for _, r in results_of(calls_of("Oslo", "Rome", "Bonn"), mixed)] == ["a", "r", "b"]


def test_a_call_without_a_result_of_its_own_is_refused() -> None:
    """No result is sent twice; the message has the call and the cure."""
    with pytest.raises(BadScenario) as caught:
        results_of(calls_of("Oslo", "Oslo"), "{function: weather, result: 1}")
    assert str(caught.value) == (
        'x.yaml:6: the model called weather({"place": "Oslo", "unit": "C"}); no entry of '
        "tool_results is left for it: add one with this function, and with these arguments or none"
    )
    with pytest.raises(BadScenario, match="no entry of tool_results is left for it"):
        results_of(calls_of("Oslo"), "{function: weather, arguments: {place: oslo}, result: 1}")


def test_tool_results_are_described_by_their_functions() -> None:
    """The values would say little."""
    assert str(only("{user: u}\n{tool_results: {f: 1, g: 2}}")) == "tool_results f, g"


def test_a_scenario_tells_its_own_particulars() -> None:
    """What it is called, what it is about, where it stands and what it leaves out."""
    told = scenario(
        "{user: a}\n{user: b, sandbox_only: cannot be provoked}",
        "about: 关于\nvolatile: [/a]\nignore: [{rule: r, reason: because}]",
    )
    assert (told.name, told.about, str(told.path)) == ("x", "关于", "x.yaml")
    assert (told.volatile, told.ignored) == (("/a",), {"r": "because"})
    assert [(s.number, s.line, s.sandbox_only) for s in told.steps] == [
        (1, 7, ""),
        (2, 8, "cannot be provoked"),
    ]


BASE = "{user: u, parameters: {a: {p: 1, q: 2}, b: 3}}"


@pytest.mark.parametrize(
    "same",
    [
        "{parameters: {b: 3, a: {q: 2, p: 1}}, user: u}",
        "{user: u, parameters: {a: {p: 1, q: 2}, b: 3}, expect: {contains: x}}",
        "{user: u, parameters: {a: {p: 1, q: 2}, b: 3}, sandbox_only: x}",
        "{user: u, parameters: {a: {p: 1, q: 2}, b: 3}, mode: sync, history: kept}",
    ],
)
def test_a_digest_ignores_what_is_not_sent(same: str) -> None:
    """Order of keys, expectations and defaults spelled out change nothing."""
    assert only(same).digest(target(only(same))) == only(BASE).digest(target(only(BASE)))


@pytest.mark.parametrize(
    "other",
    [
        "{user: v, parameters: {a: {p: 1, q: 2}, b: 3}}",
        "{prompt: u, parameters: {a: {p: 1, q: 2}, b: 3}}",
        "{user: u, parameters: {a: {p: 1, q: 2}, b: 4}}",
        "{user: u, parameters: {a: {p: 1, q: 2}, b: 3}, mode: stream}",
        "{user: u, parameters: {a: {p: 1, q: 2}, b: 3}, history: none}",
        "{user: u, parameters: {a: {p: 1, q: 2}, b: 3}, model: m}",
        "{user: u, parameters: {a: {p: 1, q: 2}, b: 3}, credentials: wrong}",
    ],
)
def test_a_digest_tells_whatever_is_sent(other: str) -> None:
    """Text, kind, parameters, mode, history, model and credentials all count."""
    assert only(other).digest(target(only(other))) != only(BASE).digest(target(only(BASE)))


def test_a_digest_tells_a_changed_tool_result() -> None:
    """The result is sent, so it counts."""
    first, second = (scenario(f"{{user: u}}\n{{tool_results: {{f: {n}}}}}") for n in (1, 2))
    assert digests(first, target(first))[0] == digests(second, target(second))[0]
    assert digests(first, target(first))[1] != digests(second, target(second))[1]


def test_a_digest_does_not_count_polls_and_keeps_random_seeds() -> None:
    """How long one waits is not sent; a random seed is the same word each time."""
    extra = "parameters: {seed: random}\nmode: async"
    plain, patient = only("{user: u}", extra), only("{user: u, poll: {limit: 9}}", extra)
    assert plain.digest(target(plain)) == patient.digest(target(patient))


def test_digests_are_the_same_tomorrow() -> None:
    """They are stored in cassettes, so they may not depend on anything but the scenario."""
    talk = scenario("{system: 你好}\n{user: u}")
    assert digests(talk, target(talk)) == ("829aa9fe4f07", "aa4e8c327370")
