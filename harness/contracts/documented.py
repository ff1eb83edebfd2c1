"""What a service documents as possible, asked of the schemas that the dialects keep.

A field that the documentation calls optional may have been there in every recording by chance:
nobody asked for anything that makes it go away. So it takes `FACTOR` times as many exchanges to
speak against what is documented as to speak against what nobody ever heard of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.analysis.endpoint import Schema
from harness.contracts.sections import REFUSAL, Section
from harness.providers import endpoints
from harness.types import LooseJson

FACTOR = 6


@dataclass(frozen=True, slots=True)
class Documented:
    """All schemas that hold for one place; none where the documentation does not speak of it.

    `optional` says that the field itself may be missing.
    """

    schemas: tuple[Schema, ...] = ()
    optional: bool = False

    def allows(self, state: str) -> bool:
        """Whether it is documented that this state may be met here."""
        if state == "absent":
            return self.optional
        told = [_listed(schema["type"]) for schema in self.schemas if "type" in schema]
        return bool(told) and all(state in kinds for kinds in told)

    def field(self, key: str) -> Documented:
        """What is documented of an object's field."""
        told = [s for s in self.schemas if key in s.get("properties", {})]
        found = tuple(part for s in told for part in _parts(s["properties"][key]))
        required = any(key in schema.get("required", ()) for schema in self.schemas)
        return Documented(found, optional=bool(told) and not required)

    def items(self) -> Documented:
        """What is documented of an array's items."""
        told = (s["items"] for s in self.schemas if "items" in s)
        return Documented(tuple(part for schema in told for part in _parts(schema)))


def documented(section: Section) -> Documented:
    """What is documented of a section's answers."""
    known = next((e for e in endpoints.ENDPOINTS if e.name == section.endpoint), None)
    if known is None:
        return Documented()
    forms = {REFUSAL: known.refusal, "event": known.event or {}, "answer": known.answer}
    return Documented(tuple(_parts(forms.get(section.form, {}))))


def _parts(schema: LooseJson) -> Iterator[Schema]:
    """A schema and all that must hold together with it, or but for one case (`else`)."""
    if isinstance(schema, Mapping):
        yield schema
        for part in (*schema.get("allOf", ()), schema.get("else")):
            yield from _parts(part)


def _listed(kinds: LooseJson) -> list[LooseJson]:
    return [kinds] if isinstance(kinds, str) else list(kinds)
