"""The tree of recordings: which recording continues which other one, and from which turn on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from harness.types import Provenance


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording in the tree.

    Attributes:
        name: Its scenario and the slug of its target, such as `multi-turn/zhipuai-glm-5.3-flash`.
        parent: The name of the recording that this one continues; empty if it continues none.
        turn: The number of the first turn that was not taken from the parent, such as `3`; empty
            without a parent.
        link: The address of the page about this recording; empty if there is none.
    """

    name: str
    parent: str = ""
    turn: str = ""
    link: str = ""

    @classmethod
    def of(cls, provenance: Provenance, link: str = "") -> Recording:
        """Return the recording that a cassette's *provenance* (scenario, target, parent) describes.

        *link* is the address of the page about this recording; empty if there is none.
        """
        target = re.sub(r" \((.*)\)$", r"-\1", provenance.target)
        slug = re.sub(r"[^\w.-]", "-", target)
        parent, _, turn = provenance.parent.rpartition("@")
        return cls(f"{provenance.scenario}/{slug}", parent, turn, link)


@dataclass(frozen=True)
class Forks:
    """The recordings that a page can link to, to look up which one continues which.

    Attributes:
        recordings: The recordings; of several with one name, the first is linked to.
    """

    recordings: tuple[Recording, ...]

    def parent(self, provenance: Provenance) -> Recording | None:
        """Return the parent of the recording with *provenance*; None if it continues no other.

        A parent that is not in `recordings` is returned without a link.
        """
        mine = Recording.of(provenance)
        if not mine.parent:
            return None
        known = (one for one in self.recordings if one.name == mine.parent)
        return next(known, Recording(mine.parent))

    def children(self, provenance: Provenance) -> list[Recording]:
        """Return the recordings that continue the one with *provenance*, each once."""
        name = Recording.of(provenance).name
        children: dict[str, Recording] = {}
        for one in self._continuing:
            if one.parent == name:
                children.setdefault(one.name, one)
        return [*children.values()]

    @cached_property
    def _continuing(self) -> list[Recording]:
        return [one for one in self.recordings if one.parent]
