"""The provider: how scenarios reach the service. Its "SDK" is httpx, to keep the example small."""

from contextlib import contextmanager

import httpx

from harness.analysis.reply import read_refusal
from harness.providers.provider import Provider
from harness.providers.sdk import Parser, failure_of, outcome_as_shown, outcome_of
from harness.types import CallKind, Mode, View
from harness_echo.endpoints import TALK

ADDRESS = "https://echo.example/v1"


class EchoSession:
    """A session: `send` makes one call and returns a Reply or a Failure."""

    def __init__(self, client):
        self.client = client

    def send(self, call):
        """Make a chat, and return the outcome in its answer."""
        messages = [{"role": line.role, "content": line.content} for line in call.messages]
        body = {"model": call.model, "messages": messages, **call.parameters}
        try:
            answer = self.client.post("echo/talk", json=body)
        except httpx.HTTPError as error:
            return failure_of(error)
        if answer.is_error:
            return read_refusal(TALK, answer.status_code, answer.json())
        return outcome_of(TALK, [View(answer.json())], body)


@contextmanager
def open_session(key, address, sleep):
    """Open a session with an API key and a base URL ("": that of the service)."""
    headers = {"authorization": f"Bearer {key}"}
    with httpx.Client(base_url=address or ADDRESS, headers=headers) as client:
        yield EchoSession(client)


def parse(request):
    """Send a recorded request again, for `harness parse`, and return what the "SDK" reads."""
    answer = httpx.post(request.address + request.path, json=request.body, timeout=request.timeout)
    if answer.is_error:
        return read_refusal(TALK, answer.status_code, answer.json())
    return outcome_as_shown(TALK, [View(answer.json())], request.body)


PROVIDER = Provider(
    package="harness_echo",
    name="echo",
    about="A service that says what was said to it",
    distribution="httpx",
    key_variable="ECHO_API_KEY",
    address_variable="ECHO_BASE_URL",
    address=ADDRESS,
    can=frozenset({(CallKind.CHAT, Mode.SYNC)}),
    open=open_session,
    endpoints=(TALK,),
    parsers=(Parser("echo", "httpx", frozenset({TALK.name}), parse, "httpx:HTTPError"),),
)
