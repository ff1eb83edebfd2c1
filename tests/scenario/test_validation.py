"""What a user reads when a scenario is wrong: one message, with file, line and what is allowed."""

from __future__ import annotations

import pytest

from harness.errors import BadScenario
from harness.scenario.files import check_providers, check_rules, loads
from harness.scenario.schema_model import StepForm

STEP_KEYS = ", ".join(StepForm.model_fields)
HEAD = "name: x\ntargets: [zhipuai/glm-5.3-flash]\nsteps:\n"


def refusal(text: str | bytes) -> str:
    """The message that reading this text ends with."""
    with pytest.raises(BadScenario) as caught:
        loads(text, "scenarios/x.yaml")
    return str(caught.value)


def step_refusal(step: str) -> str:
    """The message for a scenario whose one step is asked on line 4 and followed by this text."""
    return refusal(f"{HEAD}  - user: hi\n{step}\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ": the file is empty; a scenario begins with 'name:'"),
        ("# only a comment\n", ": the file is empty; a scenario begins with 'name:'"),
        ("- a", ":1: a scenario is a mapping that begins with 'name:', not a list"),
        ("\nhello", ":2: a scenario is a mapping that begins with 'name:', not text"),
        (b"name: x\nabout: \xff", ":2: not UTF-8: invalid start byte"),
        ("name: x\nabout: \x07", r":2: the character '\x07' is not allowed in YAML"),
        ("x" * 1_000_001, ": larger than 1000000 bytes"),
        (
            "name: x\n\tabout: y",
            r":2: not valid YAML: found character '\t' that cannot start any token; "
            "indent with spaces, YAML allows no tabs",
        ),
        (
            "name: x\nabout: this: that",
            ":2: not valid YAML: mapping values are not allowed here; "
            "put quotes around a text that contains ': '",
        ),
        (
            "name: x\n---\nname: y",
            ":2: not valid YAML: found another document; "
            "one file holds one scenario, without '---' in between",
        ),
        (
            "name: x\nabout: [x",
            ":2: not valid YAML: expected ',' or ']', but got '<stream end>'",
        ),
        ('about: "\\UFFFFFFFF"', ": not valid YAML: an escape that is no character"),
        (
            'about: "\\ud800"',
            ":1: half a surrogate pair is no text; write the character itself",
        ),
        ("name: &x y", ":1: anchors (&) and aliases (*) are not allowed; write it out"),
        ("name: x\nabout: *y", ":2: anchors (&) and aliases (*) are not allowed; write it out"),
        ("name: !!str x", ":1: tags such as !!str are not allowed"),
        ("name: !mine x", ":1: tags such as !mine are not allowed"),
        ("name: " + "[" * 60, ":1: nested deeper than 50 levels"),
        ("name:\n  [" + "1," * 50_000, ":2: holds more than 50000 values"),
        ("name: x\nname: y", ":2: duplicate key 'name', first on line 1"),
        ("12: x", ':1: a key must be text; write "12" in quotes'),
        ("[a]: x", ":1: a key must be text, not a list"),
        ("name: 1e999", ":1: the number 1e999 is too large"),
        ("name: " + "1" * 31, ":1: a number of more than 30 characters; quote it"),
    ],
)
def test_what_is_no_yaml_is_refused(text: str | bytes, message: str) -> None:
    """Broken, hostile or surprising YAML gives one message with its line."""
    assert refusal(text) == f"scenarios/x.yaml{message}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", ":1: the key 'name' is missing (and 2 more)"),
        ("name: x\nsteps: [user: a]", ":1: the key 'targets' is missing"),
        (
            HEAD + "  - user: hi\nparamters: {}",
            ":5: unknown key 'paramters'; did you mean 'parameters'? allowed: name, about, "
            "parent, targets, steps, parameters, mode, history, poll, volatile, ignore, select, "
            "severity",
        ),
        (
            "name: X\ntargets: [a/b]\nsteps: [user: a]",
            ":1: name may hold only a-z, 0-9, '-' and Chinese characters, not 'X'",
        ),
        (
            "name: y\ntargets: [a/b]\nsteps: [user: a]",
            ":1: name is 'y', but the file is 'x.yaml'; they must agree",
        ),
        (
            "name: 5\ntargets: [a/b]\nsteps: [user: a]",
            ":1: name must be text, not 5; put quotes around it",
        ),
        ("name: x\ntargets: []\nsteps: [user: a]", ":2: targets must not be empty"),
        (
            "name: x\ntargets: zhipuai/glm-5.3-flash\nsteps: [user: a]",
            ":2: targets must be a list, not 'zhipuai/glm-5.3-flash'",
        ),
        (
            "name: x\ntargets:\n  - glm-5.3-flash\nsteps: [user: a]",
            ":3: targets[0] must be provider/model, such as zhipuai/glm-5.3-flash, not 'glm-5.3-flash'",  # noqa: E501
        ),
        (
            "name: x\ntargets:\n  - 5\nsteps: [user: a]",
            ":3: targets[0] must be provider/model, such as zhipuai/glm-5.3-flash, or a mapping",
        ),
        (
            "name: x\ntargets:\n  - {label: a}\nsteps: [user: a]",
            ":3: the key 'model' is missing in targets[0]",
        ),
        (
            "name: x\ntargets:\n  - {model: a/b,\n     label: A_B}\nsteps: [user: a]",
            ":4: targets[0].label may hold only a-z, 0-9, '-' and Chinese characters, not 'A_B'",
        ),
        (
            "name: x\ntargets:\n  - a/b\n  - a/B\nsteps: [user: a]",
            ":4: targets[1] is filed as 'a-B' like targets[0]; give one of them a label",
        ),
        (
            HEAD + "  - user: hi\n    parameters:\n      model: b",
            ":6: steps[0].parameters.model is not a parameter; name the model in the target, or as "
            "model of the step",
        ),
        (
            HEAD + "  - user: hi\nparameters: {stream: true}",
            ":5: parameters.stream is not a parameter; write mode: stream",
        ),
        (
            HEAD + "  - system: be kind",
            ":3: no step asks anything; add a user, prompt or image step",
        ),
        (
            HEAD + "  - user: hi\nmode: snyc",
            ":5: mode is 'snyc'; did you mean 'sync'? allowed: sync, stream, async",
        ),
        (HEAD + "  - user: hi\nhistory: all", ":5: history is 'all'; allowed: kept, none"),
        (
            HEAD + "  - user: hi\nvolatile: [/a, seed]",
            ":5: volatile[1] must be a JSON pointer, such as /output/text, not 'seed'",
        ),
        (HEAD + "  - user: hi\npoll: {limit: 0}", ":5: poll.limit must be at least 1, not 0"),
        (
            HEAD + "  - user: hi\npoll: {limit: 1.5}",
            ":5: poll.limit must be a whole number, not 1.5",
        ),
        (
            HEAD + "  - user: hi\npoll: {interval: yes}",
            ":5: poll.interval must be a number, not 'yes'",
        ),
        (
            HEAD + "  - user: hi\npoll: {interval: 4000}",
            ":5: poll.interval must be at most 3600, not 4000",
        ),
        (
            HEAD + "  - user: hi\npoll: {intervall: 1}",
            ":5: unknown key 'intervall' in poll; did you mean 'interval'? "
            "allowed: interval, limit, timeout",
        ),
        (
            HEAD + "  - user: hi\nignore:\n  - rule: a",
            ":6: the key 'reason' is missing in ignore[0]",
        ),
        (HEAD + "  - user: hi\nparameters: 5", ":5: parameters must be a mapping, not 5"),
        (
            HEAD + "  - user: hi\nseverity:\n  usage_adds_up: loud",
            ":6: severity.usage_adds_up is 'loud'; allowed: error, warning, info",
        ),
        (
            HEAD + "  - user: hi\nabout:",
            ':5: about has no value; write "" for an empty text, or leave the key out',
        ),
    ],
)
def test_what_is_no_scenario_is_refused(text: str, message: str) -> None:
    """Wrong keys and values outside the steps give one message with its line."""
    assert refusal(text) == f"scenarios/x.yaml{message}"


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (
            "    usr: a",
            f":5: unknown key 'usr' in steps[0]; did you mean 'user'? allowed: {STEP_KEYS}",
        ),
        ("    zzz: a", f":5: unknown key 'zzz' in steps[0]; allowed: {STEP_KEYS}"),
        (
            "    image: a",
            ":4: steps[0] must hold exactly one of system, user, assistant, prompt, image, "
            "video, embedding, rerank, speech, transcription, tool_results, messages; "
            "it holds user and image",
        ),
        (
            "  - mode: sync",
            ":5: steps[1] must hold exactly one of system, user, assistant, prompt, image, "
            "video, embedding, rerank, speech, transcription, tool_results, messages; "
            "it holds none of them",
        ),
        ("  - hello", ":5: steps[1] must be a mapping, not 'hello'"),
        ("  - user: 5", ":5: steps[1].user must be text, not 5; put quotes around it"),
        ("  - user: true", ":5: steps[1].user must be text, not true; put quotes around it"),
        ("  - user: [5]", ":5: steps[1].user[0] must be a mapping, not 5"),
        (
            "  - rerank: {query: a, documents: []}",
            ":5: steps[1].rerank.documents must not be empty",
        ),
        (
            "  - rerank: {query: a, dokuments: [b]}",
            ":5: unknown key 'dokuments' in steps[1].rerank; did you mean 'documents'? "
            "allowed: query, documents (and 1 more)",
        ),
        (
            "  - user:",
            ':5: steps[1].user has no value; write "" for an empty text, or leave the key out',
        ),
        ('  - system: ""', ":5: steps[1].system must not be empty"),
        ("  - tool_results: {}", ":5: steps[1].tool_results must not be empty"),
        ("    credentials: false", ":5: steps[0].credentials is false; allowed: own, wrong"),
        (
            "  - assistant: a",
            ":3: no step asks anything; add a user, prompt or image step (and 1 more)",
        ),
        (
            "  - user: a\n  - assistant: b",
            ":6: steps[2] is assistant, which cannot come last: no call follows it",
        ),
        (
            "    mode: stream\n    expect: {contains: a}\n  - assistant: b\n  - user: c",
            ":4: steps[0] is not a call, so it cannot have mode, expect",
        ),
        (
            "  - system: a\n    sandbox_only: b",
            ":5: steps[1] is not a call, so it cannot have sandbox_only",
        ),
        (
            "    poll: {limit: 5}",
            ":5: steps[0].poll is of no use: only image and video steps and mode async are polled",
        ),
        (
            "  - system: a\n  - tool_results: {f: 1}",
            ":6: steps[2] is tool_results, which must follow a user or tool_results step"
            " that is a call",
        ),
        (
            "  - image: a\n  - tool_results: {f: 1}",
            ":6: steps[2] is tool_results, which must follow a user or tool_results step"
            " that is a call",
        ),
        (
            "  - tool_results: {f: 1}\n    history: none",
            ":5: steps[1] is tool_results, which needs history: kept",
        ),
        (
            "    sandbox_only: a\n  - tool_results: {f: 1}",
            ":6: steps[1] is tool_results after a sandbox_only step; it must be sandbox_only too",
        ),
    ],
)
def test_what_is_no_step_is_refused(step: str, message: str) -> None:
    """A step that cannot be carried out gives one message with its line."""
    assert step_refusal(step) == f"scenarios/x.yaml{message}"


@pytest.mark.parametrize(
    ("expect", "message"),
    [
        (
            "{contians: a}",
            ": unknown key 'contians' in steps[0].expect; did you mean 'contains'? "
            "allowed: finish_reason, contains, json_schema, pointer, tool_call, states, failure",
        ),
        ("{contains: 5}", ".contains must be text or a list of texts, not 5"),
        ("{contains: []}", ".contains must not be empty"),
        ("{contains: [a, 5]}", ".contains[1] must be text, not 5; put quotes around it"),
        ("{pointer: a}", ".pointer must be a JSON pointer, such as /output/text, not 'a'"),
        ("{pointer: /a~2}", ".pointer must be a JSON pointer, such as /output/text, not '/a~2'"),
        ("{failure: 1211}", '.failure must be text: put quotes around the code, "1211"'),
        ("{failure: {zhipuai: 1.5}}", '.failure must be text: put quotes around the code, "1.5"'),
        (
            "{failure: [a]}",
            ".failure must be an error code, or a mapping of provider to error code",
        ),
        ("{failure: {}}", ".failure must be an error code, or a mapping of provider to error code"),
        (
            "{failure: {zhipu: '1'}}",
            ".failure names 'zhipu', which is no target's provider; "
            "did you mean 'zhipuai'? allowed: zhipuai",
        ),
        (
            "{failure: a, contains: b, tool_call: c}",
            " cannot have failure together with contains, tool_call",
        ),
        (
            "{json_schema: {type: strng}}",
            ".json_schema is not a JSON Schema: $.type: 'strng' "
            "is not valid under any of the given schemas",
        ),
        (
            "{json_schema: {pattern: '['}}",
            ".json_schema is not a JSON Schema: $.pattern: '[' is not a 'regex'",
        ),
        (
            "{json_schema: {$schema: 'http://json-schema.org/draft-07/schema#'}}",
            ".json_schema is read as https://json-schema.org/draft/2020-12/schema; "
            "leave $schema out",
        ),
    ],
)
def test_what_cannot_be_expected_is_refused(expect: str, message: str) -> None:
    """An expectation that cannot be checked gives one message with its line."""
    where = "" if message.startswith(":") else ": steps[0].expect"
    assert step_refusal(f"    expect: {expect}") == f"scenarios/x.yaml:5{where}{message}"


def test_the_first_problem_by_line_is_told_and_the_others_are_counted() -> None:
    """Several problems give one message: the topmost, and how many more there are."""
    text = "volatile: [x]\nname: x\nmode: y\ntargets: [a/b]\nsteps: [user: 1]"
    pointer = "volatile[0] must be a JSON pointer, such as /output/text, not 'x'"
    assert refusal(text) == f"scenarios/x.yaml:1: {pointer} (and 2 more)"


def test_long_values_are_cut_in_messages() -> None:
    """A message stays readable whatever was written."""
    start = f"scenarios/x.yaml:5: unknown key '{'k' * 58}…; allowed: name, "
    assert refusal(f"{HEAD}  - user: hi\n{'k' * 100}: 1").startswith(start)


def test_too_many_steps_are_refused() -> None:
    """A scenario has at most a thousand steps."""
    assert refusal(HEAD + "  - user: hi\n" * 1001) == (
        "scenarios/x.yaml:3: steps must have at most 1000 entries"
    )


def test_a_provider_nobody_knows_is_refused() -> None:
    """The caller says which providers there are."""
    scenario = loads(
        "name: x\ntargets:\n  - zhipuai/glm-5.3-flash\n  - zhipu/glm-5.3-flash\nsteps: [user: a]"
    )
    with pytest.raises(BadScenario) as caught:
        check_providers(scenario, {"zhipuai", "dashscope"})
    assert (str(caught.value), caught.value.line) == (
        "unknown provider 'zhipu' in targets[1]; did you mean 'zhipuai'? "
        "allowed: dashscope, zhipuai",
        4,
    )
    check_providers(scenario, {"zhipuai", "zhipu"})


def test_a_rule_nobody_knows_cannot_be_ignored() -> None:
    """The caller says which rules there are."""
    ignore = "ignore:\n  - {rule: usage-ads-up, reason: known}\n"
    scenario = loads(HEAD + "  - user: hi\n" + ignore, "scenarios/x.yaml")
    with pytest.raises(BadScenario) as caught:
        check_rules(scenario, ["usage-adds-up"])
    assert str(caught.value) == (
        "scenarios/x.yaml:6: unknown rule 'usage-ads-up' in ignore[0]; "
        "did you mean 'usage-adds-up'? allowed: usage-adds-up"
    )
    check_rules(scenario, ["usage-ads-up"])
