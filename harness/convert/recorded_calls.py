"""Recorded requests that a session can make again, read with the descriptions of endpoints.

The description of an endpoint says where the messages, the prompt and the parameters of a request
are. Requests that continue a recorded conversation are grouped with it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from harness.analysis.endpoint import Endpoint, Role, find
from harness.analysis.transcript import AnalyzedTurn
from harness.errors import HarnessError
from harness.providers import Provider, endpoints
from harness.providers.clients import CLIENTS
from harness.providers.recordings import analyzed
from harness.providers.sdk import recorded_request
from harness.types import CallKind, Cassette, Exchange, Json, Mode
from harness.wire import as_list, as_object, resolve


@dataclass(frozen=True)
class RecordedCall:
    """A recorded request that a session can make again.

    Attributes:
        turn: The turn with the request and its answer.
        exchanges: The exchanges of the turn, as they were recorded.
        provider: The provider whose session makes the request.
        endpoint: The provider's endpoint.
        body: The JSON body of the request.
        kind: What the request asks for, such as a chat or an embedding.
        mode: How the answer is delivered: as one body, as a stream, or by polls of a task.
    """

    turn: AnalyzedTurn
    exchanges: tuple[Exchange, ...]
    provider: Provider
    endpoint: Endpoint
    body: dict[str, Json]
    kind: CallKind
    mode: Mode

    @property
    def model(self) -> str:
        """The name of the requested model; "" if the body has none."""
        return str(self.body.get("model", ""))

    @property
    def base_url(self) -> str:
        """The base URL that the request was sent to, such as `https://api.example/v1`."""
        url = urlsplit(self.exchanges[0].request.uri)
        own = urlsplit(self.provider.address).path.rstrip("/")
        if not url.path.startswith(f"{own}/"):
            matches = (client.paths.fullmatch(url.path) for client in CLIENTS)
            own = next((match["base"] for match in matches if match), own)
        return f"{url.scheme}://{url.netloc}{own}"

    @property
    def pointer(self) -> str:
        """The JSON pointer to messages, prompt or texts in the body: `/messages`; "" if none."""
        fields = self.endpoint.fields
        places = (*fields.own_messages, *fields.messages, *fields.prompt, *fields.texts)
        return next((place for place in places if _has(self.body, place)), "")

    @property
    def said(self) -> Json:
        """The value at `pointer`: messages in the provider's format, or text; None if absent."""
        value = resolve(self.body, self.pointer)
        return value if isinstance(value, list | str) else None

    @property
    def beside(self) -> dict[str, Json]:
        """The object in the body that has the messages or prompt, such as `input`.

        Empty if the messages or the prompt are members of the body itself.
        """
        parent = self.pointer.rpartition("/")[0]
        return as_object(resolve(self.body, parent) if parent else {})

    @property
    def parameters(self) -> dict[str, Json]:
        """The members of the request besides model, messages and `"stream": true`.

        They have the form in which a session takes parameters; the query of the URL is the member
        `extra_query`.
        """
        place = self.endpoint.fields.parameters
        given = resolve(self.body, place) if place else self.body
        members = dict(given) if isinstance(given, dict) else {}
        drop = {"model", "stream" if members.get("stream") is True else ""}
        said = self.pointer.rpartition("/")[2]
        members |= self.beside
        drop |= {place.rpartition("/")[2] for place in self.endpoint.fields.texts}
        members = {name: value for name, value in members.items() if name not in {said, *drop}}
        query = urlsplit(self.exchanges[0].request.uri).query
        if query:
            members["extra_query"] = dict(pair.partition("=")[::2] for pair in query.split("&"))
        return members

    def openai_messages(self, own: Json) -> list[Json]:
        """Translate *own*, messages in the provider's format, to OpenAI's format."""
        if self.endpoint.conversation is None:
            return as_list(own)
        located = self.endpoint.conversation({self.pointer.removeprefix("/"): own})
        return [message for _, message in located]


@dataclass(frozen=True)
class LeftOut:
    """An exchange that no scenario can express.

    Attributes:
        number: The number of the exchange in its file, from 1.
        endpoint: The name of its endpoint; `unknown` if it is not known.
        reason: The reason.
    """

    number: int
    endpoint: str
    reason: str


class NotExpressible(HarnessError):
    """Raised for a recorded request that no scenario can express; its text is the reason."""


def calls_of(cassette: Cassette, source: str) -> tuple[list[RecordedCall], list[LeftOut]]:
    """Return the requests of *cassette* that a session can make again, and all other exchanges.

    Each of the others has the reason why no scenario can express it. *source* is the path of the
    cassette.
    """
    transcript = analyzed(cassette, source)
    provider = cassette.provenance.target.partition("/")[0]
    calls: list[RecordedCall] = []
    left: list[LeftOut] = []
    start = 0
    for turn in transcript.turns:
        exchanges = cassette.exchanges[start : start + len(turn.readings)]
        start += len(turn.readings)
        try:
            calls.append(_recorded_call(turn, exchanges, provider))
        except NotExpressible as error:
            names = (
                (r.number, r.endpoint.name if r.endpoint else "unknown") for r in turn.readings
            )
            left += [LeftOut(number, endpoint, str(error)) for number, endpoint in names]
    return calls, left


def _recorded_call(
    turn: AnalyzedTurn, exchanges: tuple[Exchange, ...], provider: str
) -> RecordedCall:
    """Return the request of a turn. Raises NotExpressible."""
    reading = turn.readings[0]
    if reading.endpoint is None:
        host = urlsplit(reading.exchange.request.uri).netloc
        raise NotExpressible(f"no endpoint of {host} with this path is known")
    name, body = reading.endpoint.name, reading.request_json.value
    if reading.endpoint.role not in (Role.ANSWER, Role.SUBMIT):
        raise NotExpressible(f"{name} is no call of a model (it is: {reading.endpoint.role})")
    if not isinstance(body, dict):
        raise NotExpressible("the request has no JSON object as its body")
    owner = endpoints.asker(reading.exchange, provider)
    if owner is None:
        raise NotExpressible(f"no session here can ask {name}")
    sent = reading.exchange.request
    endpoint = find(owner.endpoints, sent.method, sent.uri)
    assert endpoint is not None  # noqa: S101 - the owner has it
    kind = _kind(endpoint, body)
    is_task = endpoint.role is Role.SUBMIT
    streamed = Mode.STREAM if recorded_request(reading, "", 0).streamed else Mode.SYNC
    recorded = RecordedCall(
        turn, exchanges, owner, endpoint, body, kind, Mode.ASYNC if is_task else streamed
    )
    if (kind, recorded.mode) not in owner.can or recorded.said is None:
        raise NotExpressible(f"no step of a scenario asks {name}")
    return recorded


def _kind(endpoint: Endpoint, body: dict[str, Json]) -> CallKind:
    """Return the kind of call that a request to *endpoint* is."""
    fields = endpoint.fields
    if fields.vectors:
        return CallKind.EMBEDDING
    if any(_has(body, place) for place in (*fields.own_messages, *fields.messages)):
        return CallKind.CHAT
    if fields.scores:
        return CallKind.RERANK
    is_answer = endpoint.role is Role.ANSWER and fields.choices
    return CallKind.PROMPT if is_answer else CallKind.IMAGE


def _has(body: dict[str, Json], pointer: str) -> bool:
    return isinstance(resolve(body, pointer), list | str)


def conversations(calls: Sequence[RecordedCall]) -> list[list[RecordedCall]]:
    """Return *calls* grouped by conversation, in which each request continues the one before.

    A request continues an earlier one if both go to the same model and URL, and if it repeats the
    earlier messages, followed by an answer of the assistant and further messages.
    """
    groups: list[list[RecordedCall]] = []
    for recorded in calls:
        before = next((g for g in reversed(groups) if _continues(g[-1], recorded)), None)
        if before is None:
            groups.append([recorded])
        else:
            before.append(recorded)
    return groups


def _continues(before: RecordedCall, after: RecordedCall) -> bool:
    """Return whether *after* has the messages of *before*, then an answer, then others."""
    old, new = before.said, after.said
    if before.kind is not CallKind.CHAT or not isinstance(old, list) or not isinstance(new, list):
        return False
    same = (before.provider.name, before.model, before.base_url)
    answer = resolve(new[len(old)], "/role") if len(new) > len(old) + 1 else None
    is_same = same == (after.provider.name, after.model, after.base_url)
    return is_same and answer == "assistant" and new[: len(old)] == old


def slug(name: str) -> str:
    """Return *name* as a valid name of a scenario: "My Chat_2" as "my-chat-2".

    It has only lower-case ASCII letters, digits and "-"; it is "adopted" if *name* has none.
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "adopted"
