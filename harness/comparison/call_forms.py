"""The API forms of turns, and the JSON types at every path of their requests and responses.

An API form is a provider with a way to call it, such as with messages, with a prompt or for an
image.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from harness.analysis.shape import shape
from harness.analysis.transcript import AnalyzedTranscript, AnalyzedTurn
from harness.comparison.summary import types_in
from harness.types import CallKind, Reply
from harness.wire import walk


@dataclass(frozen=True, slots=True, order=True)
class CallForm:
    """An API form: a provider and a way to call it, such as `messages` or `prompt`.

    Attributes:
        image: whether images are requested.
        provider: the provider, such as `zhipu`; `?` if unknown.
        name: the way to call the provider: `messages`, `prompt`, `image`, another `CallKind` such
            as `rerank`, or `other`.
    """

    image: bool
    provider: str
    name: str

    def __str__(self) -> str:
        return f"{self.provider} · {self.name}"

    @property
    def topic(self) -> str:
        """The requested kind of output: `image` or `text`."""
        return "image" if self.image else "text"


def api_form(read: AnalyzedTranscript, turn: AnalyzedTurn) -> CallForm:
    """Return the API form of a turn of *read*, from its endpoint and its request."""
    endpoint = next((r.endpoint for r in turn.readings if r.endpoint), None)
    provider = endpoint.dialect if endpoint else read.transcript.target.partition("/")[0]
    name = _form(turn)
    return CallForm(name == CallKind.IMAGE, provider or "?", name)


def _form(turn: AnalyzedTurn) -> str:
    call = turn.turn.call
    if call is not None:
        return "messages" if call.kind is CallKind.CHAT else call.kind.value
    if _is_image(turn):
        return CallKind.IMAGE.value
    first = turn.readings[0].request_json if turn.readings else None
    paths = [pointer for pointer, _ in walk(first.value)] if first and not first.problem else []
    if any(path.endswith("/messages") for path in paths):
        return "messages"
    return "prompt" if any(path.endswith("/prompt") for path in paths) else "other"


def _is_image(turn: AnalyzedTurn) -> bool:
    if turn.turn.call is not None:
        return turn.turn.call.kind is CallKind.IMAGE
    return isinstance(turn.outcome, Reply) and bool(turn.outcome.images)


@dataclass(frozen=True, slots=True)
class PathTypes:
    """The JSON types at each path in the exchanges of some transcripts, by API form.

    Attributes:
        types: The types by path, for each API form and part; a part is `request` or one of
            `summary.PARTS`, such as `answer` or `event`.
        image_endpoints: The names of the endpoints that returned images.
    """

    types: Mapping[tuple[CallForm, str], Mapping[str, set[str]]]
    image_endpoints: frozenset[str]


def path_types(reads: Iterable[AnalyzedTranscript]) -> PathTypes:
    """Return the types at each path in the exchanges of *reads*."""
    return merged_types(map(_types_of, reads))


def _types_of(read: AnalyzedTranscript) -> PathTypes:
    found: dict[tuple[CallForm, str], dict[str, set[str]]] = {}
    images: set[str] = set()
    for turn in read.turns:
        form = api_form(read, turn)
        for part, path, types in _paths(turn):
            found.setdefault((form, part), {}).setdefault(path, set()).update(types)
        if _is_image(turn):
            images.update(one.endpoint.name for one in turn.readings if one.endpoint)
    return PathTypes(found, frozenset(images))


def _paths(turn: AnalyzedTurn) -> Iterator[tuple[str, str, Iterable[str]]]:
    yield from types_in(turn)
    asked = turn.readings[0].request_json if turn.readings else None
    if asked is not None and not asked.problem:
        yield from (("request", path, types) for path, types in shape(asked.value).items())


def merged_types(parts: Iterable[PathTypes]) -> PathTypes:
    """Return the types at each path in all *parts* together."""
    found: dict[tuple[CallForm, str], dict[str, set[str]]] = {}
    images: set[str] = set()
    for part in parts:
        images |= part.image_endpoints
        for key, paths in part.types.items():
            known = found.setdefault(key, {})
            for path, types in paths.items():
                known.setdefault(path, set()).update(types)
    return PathTypes(found, frozenset(images))
