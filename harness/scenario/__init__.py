"""Scenarios: conversations, written in YAML, that can be run against several models.

`loads` and `load` read one; each step becomes a call once the past is known:

    past = Past()
    for step in scenario.steps:
        outcome = provider.send(step.call(target, past, seed)) if step.is_call else None
        past = step.after(past, outcome)
"""

from harness.scenario.files import (
    check_providers,
    check_rules,
    load,
    load_all,
    loads,
    shipped_folder,
)
from harness.scenario.schema_model import History, json_schema
from harness.scenario.steps import Past, Scenario, Step, digests

__all__ = [
    "History",
    "Past",
    "Scenario",
    "Step",
    "check_providers",
    "check_rules",
    "digests",
    "json_schema",
    "load",
    "load_all",
    "loads",
    "shipped_folder",
]
