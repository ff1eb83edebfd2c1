"""Recorded exchanges, read with the descriptions of their endpoints."""
