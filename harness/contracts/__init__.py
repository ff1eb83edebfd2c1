"""Contracts learnt from recordings: what a service has answered so far, as JSON Schema with its
evidence, and recordings judged by it.

Rules hold an answer to what is documented; a contract holds it to what was seen. Begin with
`evidence` (what is counted), `support` (how much it weighs), `judging` (what is told).
"""

from harness.contracts.changes import changes
from harness.contracts.clauses import CLAUSES
from harness.contracts.contract import Contract, extend, learn, merge
from harness.contracts.files import dumps, loads
from harness.contracts.judging import Judge

__all__ = [
    "CLAUSES",
    "Contract",
    "Judge",
    "changes",
    "dumps",
    "extend",
    "learn",
    "loads",
    "merge",
]
