"""The API forms whose requests and answers can be made up, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from harness.providers.dashscope import operations as dashscope_operations
from harness.providers.operation import ApiForm
from harness.providers.zhipu import operations as zhipu_operations

API_FORMS: Mapping[str, ApiForm] = MappingProxyType(
    {
        "zhipuai": zhipu_operations.ZHIPU,
        "dashscope": dashscope_operations.DASHSCOPE,
        "compatible": dashscope_operations.COMPATIBLE,
    }
)
