"""A scenario: a conversation written down once, for no model in particular.

`loads` and `load` make one of YAML; its steps become calls once the past is known:

    past = Past()
    for step in scenario.steps:
        outcome = provider.send(step.call(target, past, seed)) if step.asked else None
        past = step.after(past, outcome)
"""

from harness.scenario.files import check_providers, check_rules, load, load_all, loads
from harness.scenario.json_schema import json_schema
from harness.scenario.schema_model import History
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
]
