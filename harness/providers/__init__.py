"""The providers, listed by hand. A new one is one file here and one line."""

from collections.abc import Mapping

from harness.providers import dashscope, zhipuai
from harness.providers.provider import NO_KEY, Provider, Session, Sleep

PROVIDERS: Mapping[str, Provider] = {
    provider.name: provider for provider in (zhipuai.PROVIDER, dashscope.PROVIDER)
}

__all__ = ["NO_KEY", "PROVIDERS", "Provider", "Session", "Sleep"]
