"""Scenarios: conversations, written in YAML, that can be run against several models.

`files.load` and `files.loads` read a scenario. A step and the conversation before it (`Past`) give
the next call:

    past = Past()
    for step in scenario.steps:
        outcome = provider.send(step.call(target, past, seed)) if step.is_call else None
        past = step.after(past, outcome)
"""
