"""Cassettes in forms before or beside that of vcrpy 1, as cassettes of today.

| Form | Told by |
|---|---|
| vcrpy before 1.0 | a list of interactions, whose requests have host, port, path and protocol |
| the tests of LangChain's packages | a list of requests, and one of their responses |
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from harness.cassette import safe_yaml
from harness.errors import BadCassette

_BEGIN = re.compile(rb"\s*(?:-{3}\s+)?(?:- (?:request|response):|\[|(?:requests|responses):)")
_TAGS = re.compile(
    rb"!!python/(?:tuple|unicode|str|object:vcr\.request\.Request"
    rb"|object/apply:(?:__builtin__|builtins)\.frozenset)"
)
_USUAL_PORTS = {"http": 80, "https": 443}


def modernized(content: bytes, source: str) -> bytes:
    """Return a cassette in one of the forms as one of today, and any other content unchanged.

    Raises:
        BadCassette: It begins like one of the forms, but is not whole.
    """
    if not _BEGIN.match(content):
        return content
    try:
        document = safe_yaml.load(_TAGS.sub(b"", content))
        interactions = _interactions(document)
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError):
        return content  # the reader says what is wrong
    except (AttributeError, IndexError, KeyError, TypeError):
        raise BadCassette("an old cassette of vcrpy that is not whole", source) from None
    return yaml.safe_dump({"interactions": interactions, "version": 1}).encode()


def _interactions(document: Any) -> list[Any]:
    if isinstance(document, list):
        return [_old(item) for item in document]
    pairs = zip(document["requests"], document["responses"], strict=True)
    return [{"request": request, "response": response} for request, response in pairs]


def _old(item: Any) -> dict[str, Any]:
    """Return an interaction of vcrpy before 1.0 in the form of today."""
    request, response = item["request"], item["response"]
    protocol, port = request["protocol"], request["port"]
    host = request["host"] + ("" if port == _USUAL_PORTS.get(protocol) else f":{port}")
    sent = request["headers"]
    pairs = sent.items() if isinstance(sent, dict) else sent[0] if sent else ()
    lines = [line.partition(":") for line in response["headers"]]
    return {
        "request": {
            "method": request["method"],
            "uri": f"{protocol}://{host}{request['path']}",
            "headers": {name: [value] for name, value in pairs},
            "body": request["body"],
        },
        "response": {
            "status": response["status"],
            "headers": {
                name: [v.strip() for n, _, v in lines if n == name] for name, _, _ in lines
            },
            "body": response["body"],
        },
    }
