"""The environment variables by which clients find a service, and error bodies that they expect."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from harness.analysis.edit import put
from harness.config.hosts import AllowedHosts, host_of
from harness.config.services import Service
from harness.config.settings import load_settings
from harness.providers.endpoints import ENDPOINTS
from harness.types import EMPTY, Exchange, Json, Request


@dataclass(frozen=True, slots=True)
class ClientVariables:
    """The environment variables of one family of clients.

    Attributes:
        name: A short name, used in the paths of a recording proxy.
        address_variables: The variables with the base URL, the most common one first.
        key_variable: The variable with the API key.
        address: The base URL that the clients use if no variable is set.
        paths: Matches the path of a request; its group `base` is the path of the base URL.
        hosts: The hosts that the clients send requests to; empty for any host.
        error: The members of an error body, by JSON pointer, such as `/error/message`, with the
            placeholders `{code}` and `{message}`; empty if the pointers are taken from the fields
            of the request's endpoint.
    """

    name: str
    address_variables: tuple[str, ...]
    key_variable: str
    address: str
    paths: re.Pattern[str]
    hosts: tuple[str, ...] = ()
    error: Mapping[str, str] = field(default_factory=lambda: EMPTY)

    def base(self, exchange: Exchange) -> str | None:
        """Return the path of the base URL that the request of *exchange* was sent to.

        Returns None if these clients cannot have sent it, by its path or host.
        """
        parts = urlsplit(exchange.request.uri)
        match = self.paths.fullmatch(parts.path)
        if (
            match
            and self.hosts
            and not AllowedHosts(self.hosts).has(*host_of(exchange.request.uri))
        ):
            return None
        return match["base"] if match else None


def _shipped() -> Iterator[ClientVariables]:
    text = Path(__file__).with_name("clients.toml").read_text(encoding="utf-8")
    for row in tomllib.loads(text)["client"]:
        variables, paths = tuple(row.pop("address_variables")), re.compile(row.pop("paths"))
        yield ClientVariables(address_variables=variables, paths=paths, **row)


CLIENTS = tuple(_shipped())
"""The clients whose variables are set or printed."""


def all_clients() -> tuple[ClientVariables, ...]:
    """Return the `ClientVariables` of each known client and of each service that is declared."""
    table = {client.name: client for client in CLIENTS}
    table |= {s.name: _of_service(s) for s in load_settings(Path.cwd()).providers}
    return tuple(table.values())


def _of_service(service: Service) -> ClientVariables:
    form = next((client for client in CLIENTS if client.name == service.form), None)
    base = re.escape(urlsplit(service.base_url).path)
    return ClientVariables(
        service.name,
        (service.address_variable,),
        service.key_variable,
        service.base_url,
        form.paths if form else re.compile(rf"(?P<base>{base})/.+"),
        service.hosts,
        form.error if form else EMPTY,
    )


def base_paths(exchanges: Iterable[Exchange]) -> list[tuple[ClientVariables, str]]:
    """Return the clients that could make these requests, each with the path of its base URL.

    If a client's requests went to several base URLs, it is listed once for each, in the order of
    their first use.
    """
    clients = all_clients()
    seen: dict[tuple[str, str], tuple[ClientVariables, str]] = {}
    for exchange in exchanges:
        for client in clients:
            base = client.base(exchange)
            if base is not None:
                seen.setdefault((client.name, base), (client, base))
    order = [client.name for client in clients]
    return sorted(seen.values(), key=lambda item: order.index(item[0].name))


_OPENAI = {"/error/type": "{code}", "/error/code": "{code}", "/error/message": "{message}"}


def error_body(request: Request, code: str, message: str, status: int = 0) -> Json:
    """Return an error body with *code* and *message* where the clients of *request* expect them.

    The path of *request* decides the format; unknown paths get OpenAI's. If its endpoint has an
    error code of its own for the HTTP status *status*, that code replaces *code*.
    """
    path = urlsplit(request.uri).path
    found = next((e for e in ENDPOINTS if e.path.fullmatch(path) and e.fields.message), None)
    statuses = found.statuses if found else {}
    code = next((name for name, known in statuses.items() if status in known), code)
    body: Json = {}
    for pointer, value in _members(path).items():
        body = put(body, pointer, value.format(code=code, message=message))
    return body


def _members(path: str) -> Mapping[str, str]:
    for client in CLIENTS:
        if client.error and client.paths.fullmatch(path):
            return client.error
    found = next((e for e in ENDPOINTS if e.path.fullmatch(path) and e.fields.message), None)
    if found is None:
        return _OPENAI
    return {found.fields.code[0]: "{code}", found.fields.message[0]: "{message}"}
