"""Services in Anthropic's Messages format that a project declares, with Anthropic's SDK."""

from __future__ import annotations

from functools import partial

from harness.config.services import Service
from harness.providers.anthropic.endpoints import endpoints
from harness.providers.anthropic.session import MESSAGES
from harness.providers.openai.session import OpenAISession
from harness.providers.provider import Provider
from harness.types import CallKind, Mode


def declare(service: Service) -> Provider:
    """Return the provider for a declared service."""
    create, *further = endpoints(service.name)
    return Provider(
        package=__package__,
        name=service.name,
        about=f"{service.base_url}, in Anthropic's Messages format",
        distribution="anthropic",
        key_variable=service.key_variable,
        address_variable=service.address_variable,
        address=service.base_url,
        can=frozenset({(CallKind.CHAT, Mode.SYNC), (CallKind.CHAT, Mode.STREAM)}),
        open=partial(OpenAISession, service.base_url, {CallKind.CHAT: (create, MESSAGES)}),
        endpoints=(create,),
        hosts=service.hosts,
        further=tuple(further),
    )
