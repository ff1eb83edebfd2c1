"""Measure how fast a replay is beside other tools and the floor; `make bench` runs it."""
