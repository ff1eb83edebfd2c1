"""A conversation in the terminal that ends as a scenario with its cassettes."""
