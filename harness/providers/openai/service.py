"""Services in OpenAI's format that a project declares, with OpenAI's SDK."""

from __future__ import annotations

from functools import partial

from harness.analysis.endpoint import Endpoint
from harness.config.services import Service
from harness.providers.anthropic import endpoints as anthropic
from harness.providers.openai import endpoints as openai_endpoints
from harness.providers.openai.session import CHAT, EMBEDDINGS, OpenAISession
from harness.providers.provider import Provider
from harness.providers.responses import endpoints as responses
from harness.types import CallKind, Mode

CAN = frozenset(
    {
        (CallKind.CHAT, Mode.SYNC),
        (CallKind.CHAT, Mode.STREAM),
        (CallKind.EMBEDDING, Mode.SYNC),
    }
)


def declare(service: Service, endpoints: tuple[Endpoint, ...] = ()) -> Provider:
    """Return the provider for a declared service.

    Args:
        service: The service.
        endpoints: Its endpoints, chat and embeddings first; by default those of OpenAI's format,
            with the service's name.
    """
    endpoints = endpoints or openai_endpoints.endpoints(service.name, service.finish_reasons)
    further = (
        *openai_endpoints.other_endpoints(service.name, ".*", openai_endpoints.SERVICE_REFUSAL),
        *responses.endpoints(service.name),
        *anthropic.endpoints(service.name),
    )
    chat, embeddings, *_others = endpoints
    operations = {
        CallKind.CHAT: (chat, CHAT),
        CallKind.EMBEDDING: (embeddings, EMBEDDINGS),
    }
    return Provider(
        package=__package__,
        name=service.name,
        about=f"{service.base_url}, in OpenAI's format",
        distribution="openai",
        key_variable=service.key_variable,
        address_variable=service.address_variable,
        address=service.base_url,
        can=CAN,
        open=partial(OpenAISession, service.base_url, operations),
        endpoints=endpoints,
        hosts=service.hosts,
        further=further,
    )
