"""Replay a cassette whole: make each of its requests once by httpx, and read the answer.

Run `python -m benchmarks.replaying PATH`. It needs no scenario.
"""

from __future__ import annotations

import sys
from pathlib import Path

import httpx

from harness.cassette.store import read
from harness.intercept.patch import use_tape
from harness.intercept.player import Player


def main(path: Path) -> None:
    """Make all requests.

    Raises RuntimeError if an answer is not the recorded one.
    """
    cassette = read(path)
    with use_tape(Player(cassette)), httpx.Client(verify=False) as client:  # noqa: S501 - no network
        for exchange in cassette.exchanges:
            sent = exchange.request
            answer = client.request(
                sent.method, sent.uri, headers=sent.headers, content=sent.body
            ).content
            if len(answer) != len(exchange.response.body):
                raise RuntimeError(f"{sent.uri}: an answer of {len(answer)} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
