"""Services in OpenAI's format that a project declares, with OpenAI's SDK."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from harness.analysis.endpoint import Endpoint
from harness.config.services import Service
from harness.providers.anthropic import endpoints as anthropic
from harness.providers.openai import endpoints as openai_endpoints
from harness.providers.openai.session import OPERATIONS, OpenAISession, SdkOperation
from harness.providers.provider import Provider, only_images
from harness.providers.responses import endpoints as responses
from harness.types import EMPTY, CallKind, Mode


def declare(
    service: Service,
    endpoints: tuple[Endpoint, ...] = (),
    own: Mapping[str, tuple[CallKind, SdkOperation]] = EMPTY,
) -> Provider:
    """Return the provider for a service that a project declares in OpenAI's format.

    Args:
        service: The service.
        endpoints: Its endpoints; by default those of OpenAI's format, with the service's name.
        own: Operations that replace those of OpenAI's format or are added to them, by the part of
            the endpoint's name after the dot.
    """
    endpoints = endpoints or openai_endpoints.endpoints(service.name, service.finish_reasons)
    further = (
        *openai_endpoints.other_endpoints(service.name, ".*"),
        *responses.endpoints(service.name),
        *anthropic.endpoints(service.name),
    )
    named = {endpoint.name.partition(".")[2]: endpoint for endpoint in endpoints}
    asked = {**OPERATIONS, **own}.items()
    operations = {kind: (named[name], asking) for name, (kind, asking) in asked if name in named}
    return declared(
        service,
        __package__,
        "OpenAI's format",
        "openai",
        operations,
        endpoints,
        further,
    )


def declared(
    service: Service,
    package: str,
    format_name: str,
    distribution: str,
    operations: Mapping[CallKind, tuple[Endpoint, SdkOperation]],
    endpoints: tuple[Endpoint, ...],
    further: tuple[Endpoint, ...],
) -> Provider:
    """Return the provider for a service in one of the formats that `OpenAISession` can send.

    Args:
        service: The service.
        package: The import name of the format's package.
        format_name: The name of the format in texts.
        distribution: The SDK's name on PyPI.
        operations: The endpoint and the SDK's operation for each kind of call.
        endpoints: The endpoints of the service, those of *operations* included.
        further: Further endpoints, which are recognised in recordings but not called.
    """
    operations = {kind: (_at(service, one), how) for kind, (one, how) in operations.items()}
    endpoints = tuple(_at(service, endpoint) for endpoint in endpoints)
    return Provider(
        package=package,
        name=service.name,
        about=f"{service.base_url}, in {format_name}",
        distribution=distribution,
        key_variable=service.key_variable,
        address_variable=service.address_variable,
        address=service.base_url,
        can=frozenset(
            (kind, mode)
            for kind in operations
            for mode in (Mode.SYNC, Mode.STREAM)
            if mode is Mode.SYNC or kind in (CallKind.CHAT, CallKind.TRANSCRIPTION)
        ),
        asynchronous=lambda call: True,
        hears_files=True,
        open=partial(OpenAISession, service.base_url, operations),
        endpoints=endpoints,
        hosts=service.hosts,
        further=further,
    )


def declared_for_chats(
    service: Service,
    package: str,
    format_name: str,
    distribution: str,
    endpoints: tuple[Endpoint, ...],
    operation: SdkOperation,
) -> Provider:
    """Return the provider for a declared service in a format that has chats only.

    Args:
        service: The service.
        package: The name of the package of the format.
        format_name: The name of the format, as a user reads it.
        distribution: The package that has the SDK.
        endpoints: The endpoints of the service, the one that answers chats first.
        operation: The function of the SDK that asks for an answer.
    """
    create, *further = endpoints
    operations = {CallKind.CHAT: (create, operation)}
    own = (format_name, distribution, operations, (create,), tuple(further))
    return replace(declared(service, package, *own), media=only_images)


def _at(service: Service, endpoint: Endpoint) -> Endpoint:
    """Return *endpoint* with the rules that the service is known to break as exempt."""
    return replace(endpoint, exempt=endpoint.exempt.union(service.exempt))
