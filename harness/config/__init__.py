"""The configuration of a project: settings, price tables, API keys and base URLs, allowed hosts."""
