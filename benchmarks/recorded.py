"""Many scenarios with their recordings: two are recorded from the sandbox, all others are copies.

In each copy the number in every question and answer is its own, and so are the digests of steps.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.texts import chinese, english
from harness.cassette.store import Store
from harness.config.environment import Environment, without_proxies
from harness.runner import batch
from harness.sandbox import Options
from harness.scenario.steps import digests

STEPS = 24
_SCRIPT = re.compile(r"^    script:\n(?:    - .*\n)+", re.MULTILINE)
_NUMBER = "000000"
_TARGETS = ("zhipuai/glm-4", "dashscope/qwen-plus")
_WORDS = {"there are three points": "there are seven points", "从三个方面": "从七个方面"}
"""What answers of the second recording say in place of the first; each as long as the other."""


@dataclass(frozen=True)
class Recorded:
    """Scenarios with two recordings of each of their targets, which differ in some words.

    Attributes:
        scenarios: The folder of the scenarios.
        first: The folder of the first recordings, of which there are two for each scenario.
        second: That of the second recordings.
    """

    scenarios: Path
    first: Path
    second: Path


def written(folder: Path, files: int) -> Recorded:
    """Write scenarios into *folder*, with *files* cassettes in each of two folders of recordings.

    *files* is even.
    """
    recorded = Recorded(folder / "scenarios", folder / "recorded" / "1", folder / "recorded" / "2")
    template = _scenario_text()
    recorded.scenarios.mkdir(parents=True)
    (recorded.scenarios / f"q-{_NUMBER}.yaml").write_text(template, encoding="utf-8")
    first = batch.jobs(batch.load_scenarios([], recorded.scenarios), [])
    store = Store(folder / "template")
    with without_proxies(), batch.sandboxed(Options(port=0), Environment({})) as source:
        if problems := batch.record_all(first, source, store, lambda _: None, 1):
            raise RuntimeError(problems)
    for number in range(files // 2):
        path = recorded.scenarios / f"q-{number:06}.yaml"
        path.write_text(template.replace(_NUMBER, f"{number:06}"), encoding="utf-8")
        copies = batch.jobs(batch.load_scenarios([str(path)], recorded.scenarios), [])
        for old, new in zip(first, copies, strict=True):
            _copy(store, old, new, number, recorded)
    return recorded


def _copy(store: Store, old: batch.Job, new: batch.Job, number: int, recorded: Recorded) -> None:
    text = store.path(old.scenario.name, old.target).read_text(encoding="utf-8")
    text = text.replace(_NUMBER, f"{number:06}")
    steps = "".join(f"    - '{digest}'\n" for digest in digests(new.scenario, new.target))
    text = _SCRIPT.sub(f"    script:\n{steps}", text, count=1)
    for folder in (recorded.first, recorded.second):
        path = Path(Store(folder).path(new.scenario.name, new.target))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        for word, other in _WORDS.items():
            text = text.replace(word, other)


def _scenario_text() -> str:
    return "".join(_lines(random.Random(1)))  # noqa: S311 - no secret


def _lines(source: random.Random) -> Iterator[str]:
    yield f"name: q-{_NUMBER}\nabout: One of many.\nhistory: none\ntargets:\n"
    yield from (f"  - {target}\n" for target in _TARGETS)
    yield "steps:\n"
    for step in range(STEPS):
        text = english(source, 3_000) if step % 2 else chinese(source, 900)
        yield f'  - user: "No. {_NUMBER}: {" ".join(text.split())}"\n'
