"""Mutation testing on a seeded sample: `python -m tests.mutation`, or `make mutation`.

cosmic-ray makes the mutants. Each is tried in a copy of the tree against the tests that bear its
module's name (`tests/wire/test_pointer.py` for `harness/wire/pointer.py`), or those of its package.
A mutant that differs in annotations only is not counted: it is the same program.
"""

from __future__ import annotations

import argparse
import ast
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from cosmic_ray.commands.init import init
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_db import WorkDB
from cosmic_ray.work_item import MutationSpec

ROOT = Path(__file__).parent.parent
SAMPLED = ("wire", "secrets", "intercept/matching.py", "rules", "drift")
"""What is sampled: packages and modules of `harness/`."""

TIMEOUT = 600.0
"""Seconds that the tests of a module may take without a mutant."""

SLOWER = 4
"""A mutant is killed if its tests take so many times as long as without it, and a minute."""


@dataclass(frozen=True)
class Mutant:
    """One change to one module, and the whole text of the module with it."""

    module: Path
    operator: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.module}:{self.line}: {self.operator.removeprefix('core/')}"


def modules() -> list[Path]:
    """Return the modules to sample, relative to the root of the project."""
    chosen = []
    for name in SAMPLED:
        place = ROOT / "harness" / name
        chosen += sorted(place.rglob("*.py")) if place.is_dir() else [place]
    return [path.relative_to(ROOT) for path in chosen if path.name != "__init__.py"]


def mutations() -> list[MutationSpec]:
    """Return every mutation that cosmic-ray knows for these modules."""
    with tempfile.TemporaryDirectory() as folder:
        database = WorkDB(Path(folder) / "work.sqlite", WorkDB.Mode.create)
        init(modules(), database, {})
        found = [mutation for item in database.work_items for mutation in item.mutations]
        database.close()
    return sorted(found, key=lambda m: (str(m.module_path), m.operator_name, m.occurrence))


def program(text: str) -> str:
    """Return what a module does: its syntax tree without annotations and docstrings."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(None)
        elif isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
    return ast.dump(tree)


def differs(changed: str, text: str) -> bool:
    """Whether a mutated module is a program, and not the same one as before."""
    try:
        return program(changed) != program(text)
    except SyntaxError:  # such as `**{**a, -b}`
        return False


def sample(count: int, seed: int) -> Iterator[Mutant]:
    """Yield `count` different mutants, drawn at random; the same for the same seed."""
    drawn = mutations()
    random.Random(seed).shuffle(drawn)  # noqa: S311 - a sample, not a secret
    for mutation in drawn:
        if not count:
            return
        text = (ROOT / mutation.module_path).read_text(encoding="utf-8")
        changed = mutate_code(text, get_operator(mutation.operator_name)(), mutation.occurrence)
        if changed is None or not differs(changed, text):
            continue
        count -= 1
        yield Mutant(mutation.module_path, mutation.operator_name, mutation.start_pos[0], changed)


def tests_of(module: Path) -> tuple[Path, ...]:
    """Return the tests that bear the name of a module, or else those of its package.

    Rules are tested by the faults that break them, too.
    """
    folder = Path("tests", *module.parts[1:-1])
    own = folder / f"test_{module.name}"
    tests = own if (ROOT / own).is_file() else folder
    return (tests, Path("tests/faults/test_findings.py")) if "rules" in module.parts else (tests,)


def passes(tests: Sequence[Path], tree: Path, timeout: float) -> bool:
    """Whether tests pass in a copy of the tree, within *timeout* seconds."""
    options = ("-x", "-q", "-m", "not slow", "-p", "no:cacheprovider")
    try:
        done = subprocess.run(  # noqa: S603 - this Python
            [sys.executable, "-m", "pytest", *options, *map(str, tests)],
            cwd=tree,
            env={"PYTHONDONTWRITEBYTECODE": "1", "PATH": "/usr/bin:/bin"},
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def survives(mutant: Mutant, tree: Path, timeout: float) -> bool:
    """Whether no test fails in a copy of the tree that has the mutant, within *timeout* seconds."""
    module = tree / mutant.module
    original = module.read_text(encoding="utf-8")
    module.write_text(mutant.text, encoding="utf-8")
    try:
        return passes(tests_of(mutant.module), tree, timeout)
    finally:
        module.write_text(original, encoding="utf-8")


def copies(number: int, into: Path) -> SimpleQueue[Path]:
    """Return copies of the tree to work in, one for each worker."""
    free: SimpleQueue[Path] = SimpleQueue()
    for n in range(number):
        tree = into / str(n) / "project"
        ignored = shutil.ignore_patterns(".venv", ".git", "__pycache__", ".*_cache", "build")
        shutil.copytree(ROOT, tree, ignore=ignored, symlinks=True)
        shared = ROOT.parent / "shared"
        if shared.exists():
            (tree.parent / "shared").symlink_to(shared.resolve())
        free.put(tree)
    return free


def main(arguments: Sequence[str] | None = None) -> int:
    """Try a sample of mutants and print the survivors and the score."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="how many mutants")
    parser.add_argument("--seed", type=int, default=1, help="which sample")
    parser.add_argument("--minutes", type=float, default=40, help="stop after this time")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args(arguments)
    until = time.monotonic() + options.minutes * 60
    outcomes: Counter[str] = Counter()
    timeouts: dict[tuple[Path, ...], float] = {}
    with tempfile.TemporaryDirectory() as folder:
        free = copies(options.workers, Path(folder))

        def attempt(mutant: Mutant) -> str:
            if time.monotonic() > until:
                return "not tried"
            tree = free.get()
            try:
                tests = tests_of(mutant.module)
                if tests not in timeouts:
                    start = time.monotonic()
                    sound = passes(tests, tree, TIMEOUT)
                    timeouts[tests] = 60 + SLOWER * (time.monotonic() - start) if sound else 0
                survived = timeouts[tests] > 0 and survives(mutant, tree, timeouts[tests])
            finally:
                free.put(tree)
            if not timeouts[tests]:
                return f"{tests[0]} fails without a mutant"
            if survived:
                print("survived", mutant, flush=True)  # noqa: T201 - what it is for
            return "survived" if survived else "killed"

        with ThreadPoolExecutor(options.workers) as pool:
            outcomes.update(pool.map(attempt, sample(options.count, options.seed)))
    tried = outcomes["killed"] + outcomes["survived"]
    print(f"{outcomes['killed']} of {tried} killed, seed {options.seed}; {dict(outcomes)}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
