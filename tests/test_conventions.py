"""Conventions that no linter checks: where providers are named, and what no file may contain."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "harness").rglob("*.py"))
NAMES = [path.relative_to(ROOT).as_posix() for path in FILES]

PROVIDER = re.compile(r"zhipu|dashscope|glm|qwen|bigmodel|aliyun", re.IGNORECASE)
EXCEPTIONS = {
    "harness/cli/chat.py": "examples in help texts",
    "harness/cli/init.py": "the first scenario of a project",
    "harness/config/packages.py": "names of extras and of SDKs that clash",
    "harness/convert/porting.py": "whose limit of thinking is another than that of answers",
    "harness/scenario/schema_model.py": "examples for users",
}
"""Files outside `harness/providers/` that name a provider, and why."""


@cache
def tree(path: Path) -> ast.Module:
    """Return the parsed source of a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def provider_names(path: Path) -> Iterator[str]:
    """Yield the identifiers and literals of a file that name a provider."""
    source = path.read_text(encoding="utf-8")
    if not PROVIDER.search(source):
        return
    docstrings = {
        (node.lineno, node.col_offset)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    reader = io.StringIO(source).readline
    for token in tokenize.generate_tokens(reader):
        literal = token.type in (tokenize.NAME, tokenize.STRING)
        if literal and token.start not in docstrings and PROVIDER.search(token.string):
            yield f"{token.start[0]}: {token.string}"


@pytest.mark.slow
def test_providers_are_named_in_their_folders() -> None:
    """Code outside `harness/providers/` does not know which providers there are."""
    outside = [name for name in NAMES if not name.startswith("harness/providers/")]
    found = {name: [*provider_names(ROOT / name)] for name in outside}
    assert {name: names for name, names in found.items() if names and name not in EXCEPTIONS} == {}
    assert {name for name in EXCEPTIONS if not found.get(name)} == set()


@pytest.mark.slow
def test_no_module_table_is_changed_after_import() -> None:
    """A table at module level is complete when the module is imported, and stays as it is."""
    for path in FILES:
        changed = changed_tables(path)
        assert changed == set(), path


def changed_tables(path: Path) -> set[str]:
    """Return the tables of a module that its functions change."""
    tables = {
        target.id
        for node in tree(path).body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        and isinstance(node.value, ast.Dict | ast.List | ast.Set | ast.DictComp | ast.ListComp)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    changers = {"append", "add", "update", "setdefault", "pop", "clear", "extend", "insert"}
    written: list[ast.expr] = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Assign | ast.AugAssign | ast.Delete):
            targets = [node.target] if isinstance(node, ast.AugAssign) else node.targets
            written += [target.value for target in targets if isinstance(target, ast.Subscript)]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            written += [node.func.value] if node.func.attr in changers else []
        assert not isinstance(node, ast.Global), f"{path}:{node.lineno}: a global statement"
    return tables & {node.id for node in written if isinstance(node, ast.Name)}


@pytest.mark.slow
def test_every_test_has_a_docstring() -> None:
    """A test is a sentence: its docstring says what holds."""
    silent = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.name}"
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    assert silent == []


def test_no_file_names_a_machine_or_a_registry() -> None:
    """No path of somebody's disk and no registry's address is in any tracked file."""
    forbidden = re.compile(r"/(?:home|Users|root|work)/\w|index-url|extra-index|/simple/?['\"\s]")
    found = []
    for path in tracked():
        text = path.read_text(encoding="utf-8", errors="replace")  # pictures are not text
        for number, line in enumerate(text.splitlines(), start=1):
            if forbidden.search(line) and path != Path(__file__):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert found == []


def tracked() -> list[Path]:
    """Return the files that git tracks; all sources where there is no git."""
    done = subprocess.run(
        ["git", "ls-files", "-z"],  # noqa: S607 - the git on the path
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    listed = [ROOT / name for name in done.stdout.split("\0") if name]
    found = listed or [*FILES, *ROOT.glob("*.*"), *ROOT.glob("tests/**/*.py")]
    return [path for path in found if path.is_file()]
