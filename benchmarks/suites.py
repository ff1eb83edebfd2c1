"""A pytest suite of many small cassettes: the same tests and files with each tool's plugin."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TypeVar

from benchmarks import cassettes, measuring
from benchmarks.clients import ANSWER, CLIENTS, Client
from benchmarks.figures import OURS
from benchmarks.steps import Stepped, take_turns

FLOOR = "floor"
ONE_RULE = "one rule"
RULES, FIRST_ONE_RULE = "first run", f"first run, {ONE_RULE}"
FIRST = (RULES, FIRST_ONE_RULE)
"""This tape in a run that knows no cassette yet, with all rules, and with one alone."""

PLUGINS: Mapping[str, tuple[str, str]] = {
    FLOOR: ("", ""),
    OURS: ("harness.pytest_plugin", "@pytest.mark.cassette"),
    **dict.fromkeys(FIRST, ("harness.pytest_plugin", "@pytest.mark.cassette")),
    "vcrpy": (
        "pytest_recording.plugin",
        "@pytest.mark.vcr(match_on=['method', 'scheme', 'host', 'port', 'path', 'query', 'body'])",
    ),
    "cassetter": (
        "cassetter.pytest_plugin",
        "@pytest.mark.vcr(match_on=['method', 'uri', 'body'])",
    ),
}
"""Per tool: its pytest plugin (for vcrpy that of pytest-recording) and the mark of its tests."""

_HEAD = """\
import pytest
from benchmarks.clients import CLIENTS

client = CLIENTS[{index}]


@pytest.fixture(scope="session")
def ask():
    return {ask}
"""
_TEST = """

{mark}
def test_{number}(ask):
    for number in range({calls_each}):
        assert ask(number)
"""
_ONE_RULE = '[tool.harness.rules]\nselect = ["status_agrees_with_body"]\n'
_WORDS = ANSWER[-3:]
"""The end of each answer; a number of the same length replaces it."""
_CLIENT = {"floor": "client.over_memory(lambda method, uri, body: client.answer)"}


def written(tool: str, client: Client, count: int, calls_each: int, folder: Path) -> Path:
    """Write a suite for *tool*: `count` tests of `calls_each` calls, each with its cassette."""
    suite = folder / f"{tool.replace(' ', '-')}-{client.name.split()[0]}-{calls_each}"
    cassette_folder = suite / "cassettes" / "test_suite"
    cassette_folder.mkdir(parents=True)
    (suite / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")  # the root folder
    if tool == FIRST_ONE_RULE:
        (suite / "pyproject.toml").write_text(_ONE_RULE, encoding="utf-8")
    text = cassettes.of_exchanges(client, calls_each - 1, folder).read_text(encoding="utf-8")
    if tool == "vcrpy":  # pytest-recording cannot read what newer versions of vcrpy call metadata
        text = text[text.index("\ninteractions:") + 1 :]
    for number in range(count):  # all different, as in a real suite
        text_of_test = text.replace(_WORDS, f"{number:0{len(_WORDS.encode())}d}")
        (cassette_folder / f"test_{number}.yaml").write_text(text_of_test, encoding="utf-8")
    ask = _CLIENT.get(tool, "client.over_http()")
    head = _HEAD.format(index=CLIENTS.index(client), ask=ask)
    tests = (
        _TEST.format(mark=PLUGINS[tool][1], number=number, calls_each=calls_each)
        for number in range(count)
    )
    (suite / "test_suite.py").write_text(head + "".join(tests), encoding="utf-8")
    return suite


def stepped(tool: str, suite: Path, tests: int) -> Stepped:
    """Start a suite in a process of its own, with no plugin but its tool's; a step is of *tests*.

    It exits with 3 if a test fails, so that a suite that does nothing is not measured.
    """
    plugin = PLUGINS[tool][0]
    chosen = ["-p", plugin] if plugin else []
    if tool in FIRST:
        chosen.append("--cache-clear")
    command = (sys.executable, "-c", _EXIT, "-q", "-p", "benchmarks.steps", *chosen, str(suite))
    return Stepped(*command, folder=suite, tests=tests)


_EXIT = "import pytest, sys; sys.exit(pytest.main(sys.argv[1:]) and 3)"


@dataclass
class Cost:
    """What a tool takes, in seconds, in each round.

    Attributes:
        all: The whole suite.
        each: What the tool adds to the floor in each test but the first.
    """

    all: list[float] = field(default_factory=list)
    each: list[float] = field(default_factory=list)


def costs(
    tools: Sequence[str], client: Client, count: int, calls_each: int, folder: Path, rounds: int
) -> dict[str, Cost]:
    """Return what suites of *count* tests take, which run in turn, a few tests at a time.

    What a tool adds to a test is the median of the differences to the floor, step by step. A run
    before the first lets this tape know its cassettes.
    """
    suites = {tool: written(tool, client, count, calls_each, folder) for tool in tools}
    found, size = {tool: Cost() for tool in tools}, count // STEPS
    stepped(OURS, suites[OURS], count).end()
    for _ in range(rounds):
        running = {tool: stepped(tool, suite, size) for tool, suite in suites.items()}
        take_turns([*running.values()], STEPS - 1)
        seconds = {tool: one.end() for tool, one in running.items()}
        for tool, one in running.items():
            pairs = zip(one.steps[1:], running[FLOOR].steps[1:], strict=True)
            each = median(mine - floor for mine, floor in pairs) / size
            found[tool].all.append(seconds[tool])
            found[tool].each.append(each)
    return found


def once(tools: Sequence[str], client: Client, folder: Path, rounds: int) -> dict[str, list[float]]:
    """Return what a tool adds to the floor in a suite of one test; a first run is not counted."""
    suites = {tool: written(tool, client, 1, 1, folder / "once") for tool in tools}
    runs = [
        {tool: stepped(tool, suite, 1).end() for tool, suite in suites.items()}
        for _ in range(rounds * RUN + 1)
    ]
    added = [[run[tool] - run[FLOOR] for run in runs[1:]] for tool in tools]
    return dict(zip(tools, measuring.medians(added, RUN), strict=True))


RUN = 3
"""The rounds of which the median is taken."""


T = TypeVar("T")


def runs(found: Mapping[str, T]) -> tuple[dict[str, T], dict[str, T]]:
    """Return what was measured of all tools: of this tape in later runs, and in a first run."""
    known = {tool: value for tool, value in found.items() if tool not in FIRST}
    return known, {**known, OURS: found[RULES], ONE_RULE: found[FIRST_ONE_RULE]}


GUARDS = "it guards the network, simulates time, and fails for unused answers"
"""What this tape does in a test that its peers leave out, besides its checks of answers."""


def checks(costs: Mapping[str, Cost], calls_each: int) -> str:
    """Return what the checks of answers cost in a first run, in words: all, and the rules alone."""
    ms = 1000 / calls_each
    all_rules, one_rule, known = (costs[of].each for of in (RULES, FIRST_ONE_RULE, OURS))
    checked = ms * median(more - less for more, less in zip(all_rules, known, strict=True))
    rules = ms * median(more - less for more, less in zip(all_rules, one_rule, strict=True))
    return f"reading and checking an answer costs {checked:.2f} ms, {rules:.2f} ms of it the rules"


STEPS = 15
"""The steps of a suite."""
