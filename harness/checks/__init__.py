"""The engine of `harness check`: checks cassettes by the rules, and caches the results."""
