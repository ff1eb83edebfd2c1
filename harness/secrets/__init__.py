"""Secrets: their shapes, their removal before writing, their detection in files."""
