"""The tape of vcrpy's cassettes, for `harness_compat = "vcr"`: vcrpy's rules, our interception.

vcrpy's own `VCR` and `Cassette` decide what is recorded, filtered, matched and saved; the requests
come from the patches of `harness.intercept` instead of vcrpy's. Secrets are removed before vcrpy
gets an exchange to keep.
"""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator, Sized
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from vcr.errors import CannotOverwriteExistingCassetteException
from vcr.patch import CassettePatcherBuilder
from vcr.request import Request as VcrRequest

from harness.config.hosts import AllowedHosts
from harness.errors import HarnessError
from harness.intercept.context import Block
from harness.intercept.patch import use_block
from harness.intercept.recorder import ResponseCapture
from harness.providers.masking import recording_redactor
from harness.secrets.redactor import Redactor
from harness.types import NO_STATUS, Exchange, Request, Response
from harness.wire.codings import drop_stale_content_encoding, with_coding

_TAPED = ("httplib", "requests", "boto3", "urllib3", "httplib2", "aiohttp", "httpx", "httpx2")
"""The groups of vcrpy's patches that ours replace. Those of tornado and `custom_patches` stay."""


class PatcherBuilder(CassettePatcherBuilder):  # type: ignore[misc]  # vcrpy ships no types
    """The patches of vcrpy's `use_cassette`, of which ours replace most."""

    def build(self) -> Iterator[AbstractContextManager[Any]]:
        """Yield the context managers that are entered while the cassette is in use."""
        skipped = getattr(self._cassette, "skip_patchers", ())
        if isinstance(skipped, Sized) and len(skipped):
            raise HarnessError('skip_patchers is not supported with harness_compat = "vcr"')
        for group in _TAPED:
            setattr(self, f"_{group}", tuple)
        yield self._tape()
        yield from super().build()

    @contextmanager
    def _tape(self) -> Iterator[None]:
        """Use our tape in the `with` block; vcrpy saves the cassette before it ends."""
        tape = VcrTape(self._cassette)
        with use_block(Block(tape, _NothingRefused())):
            yield
        if not self._cassette.dirty and tape.finish():
            self._cassette._save()


class _NothingRefused(AllowedHosts):
    """No host whose requests bypass the tape, and no connection past it that is refused."""

    def admits_request(self, uri: str) -> bool:
        """Return False."""
        return False

    def admits_connection(self, host: str, port: int, names: object) -> bool:
        """Return True."""
        return True

    def has(self, host: str, port: int | None) -> bool:
        """Return True."""
        return True


@dataclass
class VcrTape:
    """The tape that answers requests from a cassette of vcrpy, and adds what that may record.

    Attributes:
        cassette: The `vcr.cassette.Cassette`.
        redactor: Removes secrets from each exchange before the cassette gets it.
        clock: Always None: time is real, as in vcrpy.
        pace: Always 0: vcrpy keeps no times.
        has_failures: Always True: requests pass through each library's own handling of errors.
    """

    cassette: Any
    redactor: Redactor = field(default_factory=recording_redactor)
    clock: None = field(init=False, default=None)
    pace: float = field(init=False, default=0.0)
    has_failures: bool = field(init=False, default=True)
    _captures: list[ResponseCapture] = field(init=False, default_factory=list)

    def find(self, request: Request) -> Exchange | None:
        """Return the recorded exchange that answers *request*; None if it is to be sent.

        Raises:
            CannotOverwriteExistingCassetteException: it has no answer, and may not be recorded.
        """
        asked = _vcr_request(request)
        masked = self.redactor.shown(Exchange(request, Response(NO_STATUS))).request
        for candidate in (asked, _vcr_request(masked)):
            if self.cassette.can_play_response_for(candidate):
                return _exchange(request, self.cassette.play_response(candidate))
        if self.cassette.write_protected and self.cassette.filter_request(asked):
            raise CannotOverwriteExistingCassetteException(
                cassette=self.cassette, failed_request=asked
            )
        return None

    def capture(self, request: Request) -> ResponseCapture:
        """Return a capture that adds the network's response to the cassette."""
        self._captures.append(_Capture(request, self._append))
        return self._captures[-1]

    def finish(self) -> bool:
        """Add the responses that are still being read; return whether there were any."""
        for capture in self._captures:
            capture.stop()
        return bool(self.cassette.dirty)

    def _append(self, exchange: Exchange) -> None:
        if exchange.broken_off is None:
            kept = self.redactor.shown(exchange)
            self.cassette.append(_vcr_request(kept.request), _vcr_response(with_coding(kept)))


class _Capture(ResponseCapture):
    """A capture that passes its exchange on, when it ends or the caller stops reading."""

    def __init__(self, request: Request, append: Callable[[Exchange], None]) -> None:
        super().__init__(request, None)
        self._append = append

    def stop(self) -> None:
        """Complete the exchange and pass it on, once."""
        was_complete = self.exchange is not None
        super().stop()
        if self.exchange is not None and not was_complete:
            self._append(self.exchange)


def _vcr_request(request: Request) -> Any:
    return VcrRequest(request.method, request.uri, request.body or None, dict(request.headers))


def _vcr_response(exchange: Exchange) -> dict[str, Any]:
    response = exchange.response
    headers: dict[str, list[str]] = {}
    for name, value in response.headers:
        headers.setdefault(name, []).append(value)
    status = {"code": response.status, "message": response.reason}
    return {"status": status, "headers": headers, "body": {"string": response.body}}


def _exchange(request: Request, recorded: dict[str, Any]) -> Exchange:
    """Return the exchange of a response of vcrpy, also in the form of its older httpx stub."""
    if "status_code" in recorded:
        status, body = recorded["status_code"], recorded["content"]
        reason = http.client.responses.get(status, "")
    else:
        status, reason = recorded["status"]["code"], recorded["status"]["message"]
        body = recorded["body"].get("string")
    headers = tuple(
        (name, str(value))
        for name, values in (recorded["headers"] or {}).items()
        for value in (values if isinstance(values, list | tuple) else [values])
    )
    content = body.encode() if isinstance(body, str) else bytes(body or b"")
    response = Response(status, reason or "", headers, content)
    return Exchange(request, drop_stale_content_encoding(response))
