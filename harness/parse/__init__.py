"""The official SDKs as parsers of recorded responses, to compare with the harness's analysis."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

from harness.providers import PROVIDERS
from harness.providers.anthropic.session import MESSAGES
from harness.providers.forms import known_services
from harness.providers.openai.session import OPERATIONS, parsers
from harness.providers.provider import ComputedMapping
from harness.providers.responses.session import RESPONSES
from harness.providers.sdk import Parser, RecordedRequest, recorded_request


def _parsers() -> Mapping[str, Parser]:
    providers = {**known_services(), **dict(PROVIDERS.items())}.values()
    endpoints = [e for provider in providers for e in (*provider.endpoints, *provider.further)]
    asked = (operation for _, operation in OPERATIONS.values())
    of_all = parsers(endpoints, (*asked, RESPONSES, MESSAGES))
    own = chain.from_iterable(provider.parsers for provider in providers)
    return {parser.name: parser for parser in (*own, *of_all)}


PARSERS: Mapping[str, Parser] = ComputedMapping(_parsers)
"""Every SDK parser, by its name."""

__all__ = ["PARSERS", "Parser", "RecordedRequest", "recorded_request"]
