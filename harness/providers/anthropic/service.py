"""Services in Anthropic's Messages format that a project declares, with Anthropic's SDK."""

from __future__ import annotations

from harness.config.services import Service
from harness.providers.anthropic.endpoints import endpoints
from harness.providers.anthropic.session import MESSAGES
from harness.providers.openai.service import declared_for_chats
from harness.providers.provider import Provider


def declare(service: Service) -> Provider:
    """Return the provider for *service*, which a project declares in Anthropic's format."""
    names = ("Anthropic's Messages format", "anthropic")
    return declared_for_chats(service, __package__, *names, endpoints(service.name), MESSAGES)
