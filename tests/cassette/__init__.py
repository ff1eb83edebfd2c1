"""Cassettes: the format, artefacts, files, journals, ages and periods."""
