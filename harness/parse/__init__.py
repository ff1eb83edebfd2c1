"""The official SDKs as parsers of recorded responses, to compare with the harness's analysis."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

from harness.providers import PROVIDERS
from harness.providers.openai import session as openai
from harness.providers.sdk import Parser, RecordedRequest, recorded_request
from harness.providers.table import Table


def _parsers() -> Mapping[str, Parser]:
    providers = tuple(PROVIDERS.values())
    of_all = openai.parser(chain.from_iterable(provider.endpoints for provider in providers))
    own = chain.from_iterable(provider.parsers for provider in providers)
    return {parser.name: parser for parser in (*own, of_all)}


PARSERS: Mapping[str, Parser] = Table(_parsers)
"""Every SDK parser, by its name."""

__all__ = ["PARSERS", "Parser", "RecordedRequest", "recorded_request"]
