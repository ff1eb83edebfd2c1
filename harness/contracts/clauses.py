"""What each kind of finding of a contract requires, as reports print it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from harness.locale import mark

CLAUSES: Mapping[str, str] = MappingProxyType(
    {
        "contract_removed": mark("A field that was always there is there."),
        "contract_newly_null": mark("What was never null is not null."),
        "contract_retyped": mark("A value has one of the types it was seen with."),
        "contract_new_value": mark("A word is one of the vocabulary that was seen."),
        "contract_out_of_format": mark("A value has the format that all before it had."),
        "contract_new_field": mark("Every field was seen before. An addition breaks no reader."),
        "contract_uncovered": mark("The contract says something of every answer."),
    }
)
"""What each kind of finding holds recordings to, as `harness rules` tells it."""
