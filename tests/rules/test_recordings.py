"""What the live services really sent breaks no rule, a few known oddities excepted."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from harness.analysis.transcript import transcript_of
from harness.cassette.reader import loads
from harness.providers import endpoints
from harness.providers.rules import RULES, check

SHARED = Path(__file__).parents[2].parent / "shared"
RECORDINGS = SHARED / "recordings"
FILES = sorted(RECORDINGS.glob("*/*.yaml"))
OTHERS = sorted((SHARED / "more-recordings").glob("*/*.yaml"))
ODDITIES = yaml.safe_load(
    (Path(__file__).parents[1] / "known_oddities.yaml").read_text(encoding="utf-8")
)

absent = pytest.mark.skipif(not FILES, reason=f"no real recordings at {RECORDINGS}")


def known(path: Path) -> Counter[tuple[str, str]]:
    """What somebody has looked at in a recording: rule and place."""
    name = f"{path.parent.name}/{path.name}"
    return Counter((odd["rule"], odd["place"]) for odd in ODDITIES if odd["cassette"] == name)


@absent
@pytest.mark.no_cover  # the tests of each rule run the same lines
@pytest.mark.parametrize("path", FILES + OTHERS, ids=lambda path: path.stem)
def test_a_real_recording_breaks_no_rule(path: Path) -> None:
    """Each finding is a known oddity, and each known oddity is found."""
    recorded = loads(path.read_text(encoding="utf-8"), str(path))
    findings = check(transcript_of(recorded, endpoints.recognise))
    actual = Counter((f.rule, str(replace(f.place, offset=None))) for f in findings)
    assert actual == known(path)


def test_an_oddity_says_what_it_is() -> None:
    """Each has a rule that exists, an explanation and its evidence."""
    rules = {rule.name for rule in RULES}
    for odd in ODDITIES:
        assert set(odd) == {"cassette", "rule", "place", "explanation", "evidence"}
        assert odd["rule"] in rules
        assert len(odd["explanation"]) > 20
        assert odd["evidence"]


@absent
def test_an_oddity_is_one_of_a_recording_that_exists() -> None:
    """A recording that was renamed takes its oddities along."""
    assert {odd["cassette"] for odd in ODDITIES} <= {
        f"{path.parent.name}/{path.name}" for path in FILES + OTHERS
    }


@absent
def test_every_recorded_exchange_is_recognised() -> None:
    """An exchange that no endpoint fits would not be checked at all."""
    recorded = [loads(path.read_text(encoding="utf-8"), str(path)) for path in FILES]
    recognised = [endpoints.recognise(e) for cassette in recorded for e in cassette.exchanges]
    assert len(recognised) == 197
    assert None not in recognised
