"""What fixtures send to the network: it is on no cassette, and not passed over in silence.

A cassette is in place while the test itself runs, so that a test knows its secrets and settings by
then. What its fixtures reach before and after is counted by the closing line.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from harness.pytest_plugin.cassettes import asks
from harness.pytest_plugin.summary import tell_of_fixtures


class Outside:
    """Watches connections while fixtures of tests with a cassette are set up and taken down.

    It is put in place at the first such test, and stays until the end: tapes are patched over it.
    """

    def __init__(self) -> None:
        self._watched: pytest.Item | None = None
        self._connect: Callable[..., Any] | None = None
        self._own: Any = None

    @contextmanager
    def watching(self, item: pytest.Item) -> Iterator[None]:
        """Inside, connections to other machines are told of as those of a test's fixtures."""
        if not asks(item):
            yield
            return
        if self._connect is None:
            self._put_in_place()
        self._watched = item
        try:
            yield
        finally:
            self._watched = None

    def _put_in_place(self) -> None:
        from harness.intercept.hosts import is_local

        original = socket.socket.connect
        self._own = vars(socket.socket).get("connect")  # mostly it is inherited

        def connect(connection: socket.socket, address: Any) -> Any:
            is_network = connection.family in (socket.AF_INET, socket.AF_INET6)
            if self._watched is not None and is_network and not is_local(str(address[0])):
                tell_of_fixtures(self._watched, str(address[0]))
            return original(connection, address)

        self._connect = connect
        socket.socket.connect = connect  # type: ignore[assignment, method-assign]

    def pytest_unconfigure(self) -> None:
        """Connections are as they were, unless somebody else patched them meanwhile."""
        if self._connect is None or vars(socket.socket).get("connect") is not self._connect:
            return
        if self._own is None:
            del socket.socket.connect
        else:
            socket.socket.connect = self._own  # type: ignore[method-assign]
