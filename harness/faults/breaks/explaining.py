"""A rule, explained: its text, an example that passes, one that fails, and where it is known from.

The examples are not written for the rule: a small valid conversation is broken by a mutation, and
what is shown are the bytes around the place where the two part.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.analysis.transcript import analyze
from harness.faults.breaks import MUTATORS, Mutator
from harness.faults.breaks.examples import EXAMPLES, played, recorded
from harness.providers import endpoints
from harness.rules.evidence import EVIDENCE
from harness.rules.rule import Rule
from harness.types import Exchange, Finding, Transcript

_AROUND = 90
"""Characters shown on each side of where two examples part."""


@dataclass(frozen=True, slots=True)
class Example:
    """A place of a valid conversation, the same after a mutation, and what the rule says to it."""

    name: str
    how: str
    passes: str
    fails: str
    finding: Finding


def evidence(rule: Rule) -> tuple[str, ...]:
    """Where a rule is known from, in words."""
    return tuple(EVIDENCE[name] for name in rule.evidence)


def example(rule: Rule) -> Example:
    """The first example that a mutation breaks for this rule; LookupError where there is none."""
    for mutator in MUTATORS:
        if mutator.breaks == rule.name:
            for name, valid in _valid():
                found = _broken(rule, mutator, name, valid)
                if found is not None:
                    return found
    raise LookupError(f"no mutation breaks {rule.name}")


def _valid() -> Iterator[tuple[str, Transcript]]:
    yield from ((name, played(recorded(exchanges, name))) for name, exchanges in EXAMPLES.items())


def _broken(rule: Rule, mutator: Mutator, name: str, valid: Transcript) -> Example | None:
    mutant = mutator.mutate(valid)
    if mutant is None:
        return None
    finding = next(rule.findings(analyze(mutant, endpoints.recognise)), None)
    if finding is None:
        return None
    passes, fails = _parted(valid, mutant)
    if not passes and not fails:
        # What differs is not on the wire: what was asked, what an SDK showed, what was expected.
        passes, fails = f"where there is {finding.expected}", f"where there is {finding.actual}"
    return Example(name, mutator.text, passes, fails, finding)


def _parted(valid: Transcript, mutant: Transcript) -> tuple[str, str]:
    """The text around the first place where the exchanges of two conversations part."""
    before, after = list(valid.exchanges()), list(mutant.exchanges())
    if len(after) > len(before):
        added = next((n for n, one in enumerate(before) if after[n] != one), len(before))
        return _around(_texts(_like(before, after[added]))[-1], _texts(after[added])[-1])
    for one, other in zip(before, after, strict=False):
        for whole, broken in zip(_texts(one), _texts(other), strict=True):
            if whole != broken:
                return _around(whole, broken)
    return "", ""


def _like(before: list[Exchange], added: Exchange) -> Exchange:
    """The last exchange that asked what an added one asks, which a mutation repeats."""
    asked = (added.request.method, added.request.uri)
    alike = [one for one in before if (one.request.method, one.request.uri) == asked]
    return (alike or before)[-1]


def _texts(exchange: Exchange) -> tuple[str, ...]:
    """What travelled: the lines of request and answer, and their bodies."""
    request, response = exchange.request, exchange.response
    return (
        f"{request.method} {request.uri}",
        _text(request.body),
        f"HTTP {response.status}",
        "\n".join(f"{name}: {value}" for name, value in response.headers),
        _text(response.body),
    )


def _text(body: bytes) -> str:
    """A body as text; of a picture, how long it is."""
    text = body.decode("utf-8", "backslashreplace")
    return f"{len(body)} bytes" if "\0" in text else text


def _around(whole: str, broken: str) -> tuple[str, str]:
    """The first difference of two texts, and what stands around it."""
    size = min(len(whole), len(broken))
    start = next((n for n in range(size) if whole[n] != broken[n]), size)
    same = min(size - start, _AROUND)
    end = next((n for n in range(same) if whole[-1 - n] != broken[-1 - n]), same)
    begin = max(0, start - _AROUND)
    return _cut(whole, begin, len(whole) - end), _cut(broken, begin, len(broken) - end)


def _cut(text: str, begin: int, end: int) -> str:
    end = min(len(text), end + 12, begin + 4 * _AROUND)
    head, tail = "…" if begin else "", "…" if end < len(text) else ""
    return f"{head}{text[begin:end]}{tail}"
