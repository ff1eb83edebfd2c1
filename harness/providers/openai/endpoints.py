"""OpenAI's format, which other services adopted: field locations, JSON Schemas and endpoints.

A provider with a package of its own, such as `harness.providers.zhipu`, defines there what differs
(required fields, ids, refusals). `endpoints` returns the endpoints of any other service.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.analysis.endpoint import Endpoint, Schema
from harness.analysis.endpoint_table import EndpointTable
from harness.types import Json
from harness.wire import resolve


def asks_for_usage(request: Json) -> bool:
    """Return whether *request* asks a stream for token counts: `stream_options.include_usage`."""
    return resolve(request, "/stream_options/include_usage") is True


TABLE = EndpointTable(Path(__file__).with_suffix(".toml"), asks_for_usage)


def other_endpoints(
    dialect: str, prefix: str, refusal: Schema | None = None
) -> tuple[Endpoint, ...]:
    """Return the endpoints of OpenAI's format that scenarios do not call, such as files, batches.

    Args:
        dialect: The part of the endpoints' names before the dot.
        prefix: A regular expression for the path of the base URL.
        refusal: The JSON Schema of the service's refusals; None for the usual ones.
    """
    changes: dict[str, Any] = {"refusal": refusal} if refusal else {}
    return tuple(TABLE.endpoints(dialect, prefix, "other", **changes).values())


def endpoints(service: str, reasons: Iterable[str] = ()) -> tuple[Endpoint, ...]:
    """Return the endpoints of a service in OpenAI's format, such as chat, embeddings and models.

    Their paths match any base URL, so the service's provider has to set `hosts`.

    Args:
        service: The name of the service.
        reasons: Finish reasons that the service has in addition to OpenAI's.
    """
    return tuple(
        replace(one, finish_reasons=one.finish_reasons.union(reasons if one.event else ()))
        for one in TABLE.endpoints(service, ".*").values()
    )
