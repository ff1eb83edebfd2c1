"""What holds of Zhipu's wire alone. Tags as in the dialect."""

from __future__ import annotations

from collections.abc import Iterator

from harness.reading import Endpoint, Reading
from harness.rules.rule import answers, show, spoken
from harness.types import Finding
from harness.wire import at

DIALECT = "zhipuai"


def _ours(reading: Reading) -> Endpoint | None:
    endpoint = spoken(reading)
    return endpoint if endpoint and endpoint.dialect == DIALECT else None


def zhipu_stream_has_only_data(reading: Reading) -> Iterator[Finding]:
    """Zhipu: the events of a stream consist of `data:` lines and nothing else.

    True of all 5522 recorded events [REC]; other fields come from a proxy in between.
    """
    if _ours(reading) is None:
        return
    for event in reading.stream.events:
        extra = [
            name
            for name, value in (("id", event.id), ("event", event.event), (":", event.comments))
            if value
        ]
        if extra:
            place = reading.place(offset=event.offset)
            message = f"expected only data in event {event.number}, found also {', '.join(extra)}"
            yield Finding(message, place)


def _told(value: object) -> bool:
    """Whether an id is one, and not the stand-in that a recorder put in its place."""
    return isinstance(value, str) and any(c.isdigit() for c in value)


def zhipu_ids_agree(reading: Reading) -> Iterator[Finding]:
    """Zhipu: a chat's `id`, its `request_id` and the header `x-log-id` are the same.

    True of all recordings [REC] of chats, unless the client sent a `request_id` of its own [DOC].
    Tasks add a prefix to theirs [DOC A4].
    """
    endpoint = _ours(reading)
    if endpoint is None or endpoint.fields.task_id or at(reading.asked.value, "/request_id"):
        return
    logged = reading.exchange.response.header("x-log-id")
    for part in answers(reading)[:1]:
        own = at(part.value, "/id")
        for pointer, other in (("/request_id", at(part.value, "/request_id")), ("/id", logged)):
            if _told(own) and _told(other) and own != other:
                name = "the header x-log-id" if pointer == "/id" else "request_id"
                message = (
                    f"expected id and {name} to be the same, found {show(own)} and {show(other)}"
                )
                yield Finding(message, reading.place(pointer, part))
