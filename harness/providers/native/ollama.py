"""Ollama's own format: `/api/chat` and `/api/generate`. C6 of docs/WIRE_FACTS.md."""

from __future__ import annotations

from pathlib import Path

from harness.analysis.endpoint_table import EndpointTable

TABLE = EndpointTable(Path(__file__).with_suffix(".toml"))
ENDPOINTS = tuple(TABLE.endpoints("ollama").values())
