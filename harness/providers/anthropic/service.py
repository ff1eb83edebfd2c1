"""Services in Anthropic's Messages format that a project declares, with Anthropic's SDK."""

from __future__ import annotations

from dataclasses import replace

from harness.config.services import Service
from harness.providers.anthropic.endpoints import endpoints
from harness.providers.anthropic.session import MESSAGES
from harness.providers.openai.service import declared
from harness.providers.provider import Provider, only_images
from harness.types import CallKind


def declare(service: Service) -> Provider:
    """Return the provider for *service*, which a project declares in Anthropic's format."""
    create, *further = endpoints(service.name)
    provider = declared(
        service,
        __package__,
        "Anthropic's Messages format",
        "anthropic",
        {CallKind.CHAT: (create, MESSAGES)},
        (create,),
        tuple(further),
    )
    return replace(provider, media=only_images)
