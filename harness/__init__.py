"""Record, replay, check and compare conversations with LLM APIs."""

__version__ = "0.1.0"
