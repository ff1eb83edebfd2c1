"""Services in OpenAI's Responses format that a project declares, with OpenAI's SDK."""

from __future__ import annotations

from dataclasses import replace

from harness.config.services import Service
from harness.providers.openai.service import declared
from harness.providers.provider import Provider, only_images
from harness.providers.responses.endpoints import endpoints
from harness.providers.responses.session import RESPONSES
from harness.types import CallKind


def declare(service: Service) -> Provider:
    """Return the provider for *service*, which a project declares in the Responses format."""
    create, *further = endpoints(service.name)
    provider = declared(
        service,
        __package__,
        "OpenAI's Responses format",
        "openai",
        {CallKind.CHAT: (create, RESPONSES)},
        (create,),
        tuple(further),
    )
    return replace(provider, media=only_images)
