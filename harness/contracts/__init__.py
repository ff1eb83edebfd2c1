"""Contracts learned from recordings: what a service has answered so far, as JSON Schema.

Rules check an answer against what is documented; a contract checks it against what was seen. Each
clause has its evidence: begin with `evidence` (what is counted), then `clause` (how much it can be
relied on) and `judge` (what is reported).
"""

from harness.contracts.contract import Contract, extend, learn, merge
from harness.contracts.files import load
from harness.contracts.judge import CLAUSES, Judge
from harness.contracts.schema import changes
from harness.contracts.yaml_format import dumps, loads

__all__ = [
    "CLAUSES",
    "Contract",
    "Judge",
    "changes",
    "dumps",
    "extend",
    "learn",
    "load",
    "loads",
    "merge",
]
