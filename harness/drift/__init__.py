"""Drift: what a service answers now, compared with what it answered when it was recorded.

Each change has a verdict, which says what it means for programs that read the format. `judge`
compares two recordings, `run` two folders; `live` records again and compares; `plan` chooses the
recordings to make again within a budget.
"""
