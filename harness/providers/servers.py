"""The provider servers of the sandbox, by provider name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from harness.providers.dashscope import sandbox as dashscope_sandbox
from harness.providers.zhipu import sandbox as zhipu_sandbox
from harness.sandbox import ProviderServer

PROVIDER_SERVERS: Mapping[str, ProviderServer] = MappingProxyType(
    {
        "zhipuai": zhipu_sandbox.SERVER,
        "dashscope": dashscope_sandbox.SERVER,
    }
)
"""Every provider that the sandbox can stand in for."""
