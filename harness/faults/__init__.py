"""Fault injection: named changes to recorded exchanges, sent to clients or checked by rules.

Nothing is imported here: each client runs in a process of its own, which has to start fast.
"""
