"""Readers of HTTP bodies: JSON, JSON pointers, server-sent events, content codings and images.

Nothing here depends on a provider. `read_json` and `read_events` never raise, whatever the bytes:
errors are returned as data (`Document.problem`, `Stream.problems`), for rules to report.
"""

from harness.wire.json import (
    MAX_DEPTH,
    Document,
    as_list,
    as_object,
    as_text,
    children,
    compact,
    compact_bytes,
    objects_in,
    read_json,
    type_name,
)
from harness.wire.pointer import (
    MISSING,
    Missing,
    escape,
    member_path,
    query,
    resolve,
    text_at,
    tokens,
    walk,
)
from harness.wire.sse import Event, Stream, read_events, read_lines

__all__ = [
    "MAX_DEPTH",
    "MISSING",
    "Document",
    "Event",
    "Missing",
    "Stream",
    "as_list",
    "as_object",
    "as_text",
    "children",
    "compact",
    "compact_bytes",
    "escape",
    "member_path",
    "objects_in",
    "query",
    "read_events",
    "read_json",
    "read_lines",
    "resolve",
    "text_at",
    "tokens",
    "type_name",
    "walk",
]
