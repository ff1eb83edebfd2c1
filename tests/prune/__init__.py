"""The search for unused files."""
