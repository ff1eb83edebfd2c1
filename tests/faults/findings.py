"""What the rules find for every fault in the first sample: `findings.txt` beside this file.

`python -m tests.faults.findings > tests/faults/findings.txt` writes it again; read its diff.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from harness.analysis.fault import TranscriptFault
from harness.analysis.transcript import analyze
from harness.faults.explain import as_recorded, as_run
from harness.faults.registry import RULE_FAULTS
from harness.providers import endpoints
from harness.providers.rules import check
from harness.providers.samples import SAMPLES
from harness.types import Transcript
from harness.wire.text import cut

_LONGEST = 160
"""Characters of a message; places are whole."""


def findings() -> str:
    """Return every place of every fault, its first sample, and every finding in the result."""
    _, first = next(samples())
    analyzed = analyze(first, endpoints.recognise)
    return "".join(_findings(f, place) for f in RULE_FAULTS for place in f.places(analyzed))


def _findings(fault: TranscriptFault, place: int) -> str:
    for name, sample in samples():
        changed = fault.apply(analyze(sample, endpoints.recognise), place)
        if changed is not None:
            lines = [f"  {f.rule}: {f.place}: {cut(f.message, _LONGEST)}\n" for f in check(changed)]
            return f"{fault.breaks_rule}: {fault.name} {place + 1} in {name}\n{''.join(lines)}"
    return f"{fault.breaks_rule}: {fault.name} {place + 1} in no sample\n"


def samples() -> Iterator[tuple[str, Transcript]]:
    """Yield the samples as they travelled, and then as an SDK shows them."""
    recorded = {name: as_recorded(exchanges) for name, exchanges in SAMPLES.items()}
    yield from recorded.items()
    yield from ((name, as_run(transcript)) for name, transcript in recorded.items())


if __name__ == "__main__":
    sys.stdout.write(findings())
