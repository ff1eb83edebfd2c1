"""What the service sends: `{"id": ..., "model": ..., "text": ..., "tokens": {"in", "out"}}`.

From these pointers the harness reads a reply, and all of its rules and reports work.
"""

import re

from harness.analysis.endpoint import Endpoint, Fields, Role

FIELDS = Fields(
    id=("/id",),
    model=("/model",),
    content=("/text",),
    finish_reason=("/finish",),
    input_tokens=("/tokens/in",),
    output_tokens=("/tokens/out",),
    refused=("/error",),
    code=("/error/code",),
    message=("/error/message",),
    messages=("/messages",),
)

TALK = Endpoint(
    name="echo.talk",
    method="POST",
    path=re.compile(r".*/echo/talk"),
    role=Role.ANSWER,
    answer={"type": "object", "required": ["id", "model", "text", "finish", "tokens"]},
    refusal={"type": "object", "required": ["error"]},
    volatile=frozenset({"/id"}),
    finish_reasons=frozenset({"stop"}),
    fields=FIELDS,
)
