"""Secrets: their shapes, removal before writing, detection in files, fingerprints."""
