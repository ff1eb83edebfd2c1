"""Sources of the rules: the short names in the tables of rules, each with its reference.

A letter with a number is a section of docs/WIRE_FACTS.md, which cites documentation, field reports
and recordings; the others are standards, and what the harness itself promises.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

WIRE_FACTS = "docs/WIRE_FACTS.md"

EVIDENCE: Mapping[str, str] = MappingProxyType(
    {
        "A1": f"{WIRE_FACTS}, A1. chat/completions, sync",
        "A2": f"{WIRE_FACTS}, A2. chat/completions, stream",
        "A3": f"{WIRE_FACTS}, A3. Tool calls, sync",
        "A4": f"{WIRE_FACTS}, A4. asyncCompletions",
        "A5": f"{WIRE_FACTS}, A5. images/generations",
        "A6": f"{WIRE_FACTS}, A6. Errors",
        "A7": f"{WIRE_FACTS}, A7. What the rules were counted over",
        "B1": f"{WIRE_FACTS}, B1. text-generation, prompt form",
        "B2": f"{WIRE_FACTS}, B2. text-generation, messages",
        "B3": f"{WIRE_FACTS}, B3. SSE",
        "B4": f"{WIRE_FACTS}, B4. multimodal-generation",
        "B5": f"{WIRE_FACTS}, B5. text2image, async",
        "B6": f"{WIRE_FACTS}, B6. Tool calls",
        "B7": f"{WIRE_FACTS}, B7. Errors",
        "B8": f"{WIRE_FACTS}, B8. Embeddings and rerank",
        "C1": f"{WIRE_FACTS}, C1. Thinking",
        "C2": f"{WIRE_FACTS}, C2. Thinking",
        "C4": f"{WIRE_FACTS}, C4. Tools that the service runs",
        "C7": f"{WIRE_FACTS}, C7. Anthropic's Messages",
        "C8": f"{WIRE_FACTS}, C8. OpenAI's Responses",
        "first": f"{WIRE_FACTS}, The surprising ones, first",
        "SDK": f"{WIRE_FACTS}, What the Python SDKs do",
        "JSON": "RFC 8259, The JavaScript Object Notation (JSON) Data Interchange Format",
        "SSE": "WHATWG HTML Living Standard, 9.2 Server-sent events",
        "HTTP": "RFC 9110, HTTP Semantics",
        "URI": "RFC 3986, Uniform Resource Identifier (URI): Generic Syntax",
        "schema": "JSON Schema, draft 2020-12, which both services take for a tool's parameters",
        "scenario": "the scenario: what its step expects, in its file",
        "harness": "what the harness promises: ARCHITECTURE.md, Decisions",
    }
)
