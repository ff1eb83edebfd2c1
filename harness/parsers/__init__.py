"""The official SDKs as readers of the same recorded bytes, beside the harness's own reading."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from harness.parsers import openai, zhipuai
from harness.parsers.dashscope import classes, client
from harness.parsers.parser import Asked, Parser, asked

PARSERS: Mapping[str, Parser] = MappingProxyType(
    {
        parser.name: parser
        for parser in (
            zhipuai.PARSER,
            zhipuai.SUCCESSOR,
            classes.PARSER,
            client.PARSER,
            openai.PARSER,
        )
    }
)
"""Every parser, by its name."""

__all__ = ["PARSERS", "Asked", "Parser", "asked"]
