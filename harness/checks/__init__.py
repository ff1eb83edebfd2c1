"""The engine of `harness check`: cassettes judged by the rules, and the results that are kept."""
