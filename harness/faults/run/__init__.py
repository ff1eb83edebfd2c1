"""Recorded answers, changed as networks and providers change them, against real clients.

Nothing is imported here: each client is asked in a process of its own, which is to begin soon.
"""
