"""What each kind of finding holds recordings to, in English and in Chinese.

It knows no other file: reports tell it too, and contracts speak in words of the reports.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

CLAUSES: Mapping[str, str] = MappingProxyType(
    {
        "contract_removed": "A field that was always there is there.",
        "contract_newly_null": "What was never null is not null.",
        "contract_retyped": "A value has one of the types it was seen with.",
        "contract_new_value": "A word is one of the vocabulary that was seen.",
        "contract_out_of_format": "A value has the format that all before it had.",
        "contract_new_field": "Every field was seen before. An addition breaks no reader.",
        "contract_uncovered": "The contract says something of every answer.",
    }
)
"""What each kind of finding holds recordings to, as `harness rules` tells it."""

CHINESE: Mapping[str, str] = MappingProxyType(
    {
        "contract_removed": "一直都有的字段仍然存在。",
        "contract_newly_null": "从不为 `null` 的值仍不为 `null`。",
        "contract_retyped": "值的类型是曾经见过的类型之一。",
        "contract_new_value": "取值在曾经见过的词汇之内。",
        "contract_out_of_format": "值的格式与此前所有的值相同。",
        "contract_new_field": "每个字段都曾经见过。多出字段不会破坏读取方。",
        "contract_uncovered": "契约对每个回答都有约定。",
    }
)
"""The same in Chinese."""
