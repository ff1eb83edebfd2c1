"""Faults: changes to recorded exchanges, and what rules and clients make of them."""
