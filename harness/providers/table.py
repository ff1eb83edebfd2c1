"""A mapping that is computed when it is used."""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterator, Mapping, ValuesView
from typing import TypeVar

T = TypeVar("T")


class ComputedMapping(Mapping[str, T]):
    """A read-only mapping whose items are computed by a function, at each access."""

    def __init__(self, read: Callable[[], Mapping[str, T]]) -> None:
        self._read = read

    def __getitem__(self, name: str) -> T:
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def items(self) -> ItemsView[str, T]:
        """Return the items, read once."""
        return self._read().items()

    def values(self) -> ValuesView[T]:
        """Return the values, read once."""
        return self._read().values()
