"""Contracts: inference, laws, files, and what they find in real recordings."""
