"""Secrets found in what was already written, by any tool: cassettes, HAR, JSON, `.env`, any text.

A file is read twice: as the text it is, and, where it is YAML or JSON, value by value, with what is
packed inside them (JSON in bodies, streams told in pieces, base64, gzip). What is found is told
by its place and its first and last letters, never by itself.
"""

from harness.secrets.scanner import KNOWN, Leak, Scanner

__all__ = ["KNOWN", "Leak", "Scanner"]
