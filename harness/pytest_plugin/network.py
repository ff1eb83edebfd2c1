"""The connections that fixtures open: they are not recorded, but counted in the closing line.

A cassette is in use only while the test itself runs, because fixtures may provide its settings and
secrets. Requests that fixtures send before and after the test are not recorded.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from harness.pytest_plugin.cassettes import has_cassette
from harness.pytest_plugin.summary import note_fixture_connection


class FixtureConnections:
    """A plugin that notes the connections of fixtures of tests with a cassette.

    `socket.connect` is patched for the first such test until pytest ends. The patches of tapes are
    installed over that patch.
    """

    def __init__(self) -> None:
        self._item: pytest.Item | None = None
        self._patch: Callable[..., Any] | None = None
        self._original: Any = None

    @contextmanager
    def watch(self, item: pytest.Item) -> Iterator[None]:
        """Note the connections of the `with` block to other machines, for the fixtures of *item*.

        Do nothing if the test has no cassette.
        """
        if not has_cassette(item):
            yield
            return
        if self._patch is None:
            self._install()
        self._item = item
        try:
            yield
        finally:
            self._item = None

    def _install(self) -> None:
        from harness.config.hosts import is_local

        original = socket.socket.connect
        self._original = vars(socket.socket).get("connect")  # usually it is inherited

        def connect(connection: socket.socket, address: Any) -> Any:
            is_network = connection.family in (socket.AF_INET, socket.AF_INET6)
            if self._item is not None and is_network and not is_local(str(address[0])):
                note_fixture_connection(self._item, str(address[0]))
            return original(connection, address)

        self._patch = connect
        socket.socket.connect = connect  # type: ignore[assignment, method-assign]

    def pytest_unconfigure(self) -> None:
        """Remove the patch, unless another one was installed over it."""
        if self._patch is None or vars(socket.socket).get("connect") is not self._patch:
            return
        if self._original is None:
            del socket.socket.connect
        else:
            socket.socket.connect = self._original  # type: ignore[method-assign]
