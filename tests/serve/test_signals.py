"""The wait for the signal that ends a server."""

from __future__ import annotations

import signal
from functools import partial

import pytest

from harness.serve.commands import wait_for_signal


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_heard_as_soon_as_the_server_is_announced(number: signal.Signals) -> None:
    """Whoever reads the address may send one at once; afterwards the old handler is back."""
    before = signal.getsignal(number)
    wait_for_signal(partial(signal.raise_signal, number))
    assert signal.getsignal(number) is before
