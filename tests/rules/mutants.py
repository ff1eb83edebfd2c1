"""What the rules say of every mutation of a small example: `mutants.txt` beside this file.

`python -m tests.rules.mutants > tests/rules/mutants.txt` writes it anew; its diff is to be read.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from harness.faults.breaks import MUTATORS, Mutator
from harness.faults.breaks.examples import EXAMPLES, played, recorded
from harness.report.format import cut
from harness.rules import check
from harness.types import Transcript

_LONGEST = 160
"""Characters of a message; the places are whole."""


def told() -> str:
    """Every mutation, the first example that it breaks, and every finding in what came of it."""
    return "".join(_told(mutator) for mutator in MUTATORS)


def _told(mutator: Mutator) -> str:
    for name, valid in _valid():
        mutant = mutator.mutate(valid)
        if mutant is not None:
            found = [f"  {f.rule}: {f.place}: {cut(f.message, _LONGEST)}\n" for f in check(mutant)]
            return f"{mutator.breaks}: {mutator.name} in {name}\n{''.join(found)}"
    return f"{mutator.breaks}: {mutator.name} in nothing\n"


def _valid() -> Iterator[tuple[str, Transcript]]:
    """The examples as they travelled, and then as an SDK lived them that agrees in all."""
    as_recorded = {name: recorded(exchanges) for name, exchanges in EXAMPLES.items()}
    yield from as_recorded.items()
    yield from ((name, played(transcript)) for name, transcript in as_recorded.items())


if __name__ == "__main__":
    sys.stdout.write(told())
