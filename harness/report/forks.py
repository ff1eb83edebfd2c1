"""The tree of recordings: which one continues which other, and from what turn on."""

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
        parent: The name of the recording that it continues; empty if none.
        turn: The number of the turn from which on it does; empty if none.
        link: The address of the page about it; empty if there is none.
    """

    name: str
    parent: str = ""
    turn: str = ""
    link: str = ""

    @classmethod
    def of(cls, provenance: Provenance, link: str = "") -> Recording:
        """Return the recording of a cassette's *provenance*."""
        target = re.sub(r" \((.*)\)$", r"-\1", provenance.target)
        slug = re.sub(r"[^\w.-]", "-", target)
        parent, _, turn = provenance.parent.rpartition("@")
        return cls(f"{provenance.scenario}/{slug}", parent, turn, link)


@dataclass(frozen=True)
class Forks:
    """The recordings that a page can link to; those on the page take precedence over others."""

    recordings: tuple[Recording, ...]

    def parent(self, provenance: Provenance) -> Recording | None:
        """Return the recording that one continues; None if it begins by itself."""
        mine = Recording.of(provenance)
        if not mine.parent:
            return None
        known = (one for one in self.recordings if one.name == mine.parent)
        return next(known, Recording(mine.parent))

    def children(self, provenance: Provenance) -> list[Recording]:
        """Return the recordings that continue one, each once."""
        name = Recording.of(provenance).name
        children: dict[str, Recording] = {}
        for one in self._continuing:
            if one.parent == name:
                children.setdefault(one.name, one)
        return [*children.values()]

    @cached_property
    def _continuing(self) -> list[Recording]:
        return [one for one in self.recordings if one.parent]
