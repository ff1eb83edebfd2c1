"""Scenarios: conversations, written in YAML, that can be run against several models.

`loads` and `load` read one; each step becomes a call once the past is known:

    past = Past()
    for step in scenario.steps:
        outcome = provider.send(step.call(target, past, seed)) if step.is_call else None
        past = step.after(past, outcome)
"""
