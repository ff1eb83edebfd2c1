"""The new text in each chunk of a stream, while it arrives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from harness.analysis.endpoint import Endpoint
from harness.providers.endpoints import recognise
from harness.types import Exchange, Json, Request, Response
from harness.wire import MISSING, read_events, read_json, resolve


@dataclass
class PieceFinder:
    """Finds the texts of an answer in the chunks of its stream, and passes them on.

    Attributes:
        show: Called with each new piece of text.
    """

    show: Callable[[str], None]
    _request: Request | None = field(init=False, default=None)
    _endpoint: Endpoint | None = field(init=False, default=None)
    _cumulative: bool | None = field(init=False, default=None)
    _rest: bytes = field(init=False, default=b"")
    _text: str = field(init=False, default="")

    def add(self, request: Request, chunk: bytes) -> None:
        """Add a chunk of the response to *request*."""
        if request is not self._request:
            self._begin(request)
        if self._endpoint is None:
            return
        complete, separator, rest = (self._rest + chunk).rpartition(b"\n\n")
        self._rest = rest
        for event in read_events(complete + separator).events:
            document = read_json(event.data.encode())
            if not document.problem:
                self._show(document.value)

    def _begin(self, request: Request) -> None:
        self._request, self._rest, self._text = request, b"", ""
        self._endpoint = recognise(Exchange(request, Response(200)))
        if self._endpoint is not None:
            self._cumulative = self._endpoint.cumulative(read_json(request.body).value)

    def _show(self, value: Json) -> None:
        pointers = self._endpoint.fields.content if self._endpoint else ()
        found = (resolve(value, pointer) for pointer in pointers)
        text = next((one for one in found if one is not MISSING and isinstance(one, str)), "")
        repeats = self._cumulative
        if repeats is None:  # it depends on the model
            repeats = bool(self._text) and text.startswith(self._text)
        new = text.removeprefix(self._text) if repeats else text
        self._text = text if repeats else self._text + text
        if new:
            self.show(new)
