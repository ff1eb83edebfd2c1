"""What a contract has seen happen, so that it is no drift when it happens again."""

from __future__ import annotations

from harness.contracts import Contract
from harness.contracts.clause import Spot, spot
from harness.contracts.sections import Section
from harness.drift.judging import Allowed
from harness.wire import tokens


def allowed_by(contract: Contract) -> Allowed:
    """A field may be missing where that was seen in every section that has the field; a type may
    come where any has seen it. Events count as one section, whatever their position."""
    spots = {section: spot(section, node) for section, node in contract.sections.items()}

    def allowed(section: Section, path: str, state: str, family: str) -> bool:
        alike = [top for known, top in spots.items() if _alike(known, section)]
        found = [place for top in alike if (place := _at(top, path)) is not None]
        if state == "absent":
            return bool(found) and not any(place.against(state, family) for place in found)
        seen = (place for place in found if state in place.node.types)
        return any(not place.against(state, family) for place in seen)

    return allowed


def _alike(one: Section, other: Section) -> bool:
    return one == other or (one.form == other.form == "event" and one.endpoint == other.endpoint)


def _at(top: Spot, path: str) -> Spot | None:
    place: Spot | None = top
    for step in tokens(path):
        if place is None:
            return None
        place = place.items if step == "[]" else place.fields.get(step) or place.values
    return place
