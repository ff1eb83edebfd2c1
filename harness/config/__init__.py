"""Settings of a project, keys and base URLs of providers, and prices."""
