"""How fast a replay is, beside its neighbours and beside the floor. `make bench` runs it."""
