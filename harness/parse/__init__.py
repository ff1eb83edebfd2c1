"""The official SDKs as parsers of recorded responses, to compare with the harness's analysis."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from types import MappingProxyType

from harness.providers import PROVIDERS
from harness.providers.endpoints import ENDPOINTS
from harness.providers.openai import session as openai
from harness.providers.sdk import Parser, RecordedRequest, recorded_request

PARSERS: Mapping[str, Parser] = MappingProxyType(
    {
        parser.name: parser
        for parser in chain(
            *(provider.parsers for provider in PROVIDERS.values()), [openai.parser(ENDPOINTS)]
        )
    }
)
"""Every SDK parser, by its name."""

__all__ = ["PARSERS", "Parser", "RecordedRequest", "recorded_request"]
