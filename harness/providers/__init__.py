"""The providers, listed by hand. A new one is one file here and one line."""

from collections.abc import Mapping

from harness.providers.dashscope import session as dashscope_session
from harness.providers.provider import NO_KEY, Provider, Session, Sleep
from harness.providers.zhipu import session as zhipu_session

PROVIDERS: Mapping[str, Provider] = {
    provider.name: provider for provider in (zhipu_session.PROVIDER, dashscope_session.PROVIDER)
}

__all__ = ["NO_KEY", "PROVIDERS", "Provider", "Session", "Sleep"]
