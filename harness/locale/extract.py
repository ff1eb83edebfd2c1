"""Extraction of rule texts for the catalogues, called by Babel (see `[tool.babel]`)."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping
from typing import IO

_RETURNS = ("Iterator[Finding]", "Iterable[Finding]")

Message = tuple[int, None, str, list[str]]
"""An item for Babel: line number, name of the gettext function (None), message, and comments."""


def rules(
    file: IO[bytes], _keywords: Mapping[str, object], _tags: Collection[str], options: object
) -> Iterator[Message]:
    """Yield the first paragraph of the docstring of each rule in a Python file.

    A rule is a public function of the module that returns an iterator of findings. Babel calls this
    function with the file, and with keywords, comment tags and options that it does not need.
    """
    for node in ast.parse(file.read()).body:
        if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
            continue
        if node.returns is not None and ast.unparse(node.returns) in _RETURNS:
            paragraph = (ast.get_docstring(node) or "").partition("\n\n")[0]
            if paragraph:
                yield node.lineno, None, " ".join(paragraph.split()), [node.name]
