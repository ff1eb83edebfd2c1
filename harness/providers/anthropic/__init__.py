"""Anthropic's Messages format, which other services offer too, and Anthropic's SDK."""
