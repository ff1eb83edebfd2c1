"""The official SDKs as readers of the same recorded bytes, beside the harness's own reading."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from harness.providers.dashscope.parser import classes, client
from harness.providers.openai import parser as openai_parser
from harness.providers.parser import Asked, Parser, asked
from harness.providers.zhipu import parser as zhipu_parser

PARSERS: Mapping[str, Parser] = MappingProxyType(
    {
        parser.name: parser
        for parser in (
            zhipu_parser.PARSER,
            zhipu_parser.SUCCESSOR,
            classes.PARSER,
            client.PARSER,
            openai_parser.PARSER,
        )
    }
)
"""Every parser, by its name."""

__all__ = ["PARSERS", "Asked", "Parser", "asked"]
