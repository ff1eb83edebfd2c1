"""Secrets: one table of their shapes, removal before writing, detection in files, fingerprints."""
