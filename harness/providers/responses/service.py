"""Services in OpenAI's Responses format that a project declares, with OpenAI's SDK."""

from __future__ import annotations

from harness.config.services import Service
from harness.providers.openai.service import declared_for_chats
from harness.providers.provider import Provider
from harness.providers.responses.endpoints import endpoints
from harness.providers.responses.session import RESPONSES


def declare(service: Service) -> Provider:
    """Return the provider for *service*, which a project declares in the Responses format."""
    names = ("OpenAI's Responses format", "openai")
    return declared_for_chats(service, __package__, *names, endpoints(service.name), RESPONSES)
