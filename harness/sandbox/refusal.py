"""Why a sandbox says no; each speaker has a table of how its provider puts that."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Reason(StrEnum):
    """What is wrong with a request."""

    NO_KEY = "no key was sent"
    MALFORMED_KEY = "what was sent is no key"
    WRONG_KEY = "nobody owns this key"
    EXPIRED_KEY = "the token is too old"
    THROTTLED = "too many requests"
    NOT_JSON = "the body is not a JSON object"
    UNKNOWN_MODEL = "no such model"
    BAD_MESSAGES = "the messages are not what they should be"
    NO_MESSAGES = "there are no messages at all"
    STRAY_TOOL_MESSAGE = "a tool message answers no call"
    BAD_PARAMETER = "a parameter is out of its range"
    FORBIDDEN = "the content is not allowed"
    NOT_ASYNC = "this can only be asked as a task"
    NO_SUCH_TASK = "no such task"
    NO_SUCH_PATH = "no such path"
    WRONG_ENDPOINT = "the model answers at another path"
    WRONG_METHOD = "not with this method"


class Refused(Exception):
    """A request is refused; `detail` names the parameter or says it in the provider's words."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


Wording = Mapping[Reason, tuple[int, str, str]]
"""How a provider puts its reasons: status, code, and a message with room for the detail."""


def worded(refused: Refused, wording: Wording) -> tuple[int, str, str]:
    """Status, code and message; a reason without words has those of a body that is no JSON."""
    status, code, message = wording.get(refused.reason, wording[Reason.NOT_JSON])
    return status, code, message.format(detail=refused.detail)
