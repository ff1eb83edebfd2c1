"""The rings of ARCHITECTURE.md, held to the imports; and what a reader may rely on everywhere."""

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
PACKAGE = ROOT / "harness"
FILES = sorted(PACKAGE.rglob("*.py"))
NAMES = [str(path.relative_to(ROOT)) for path in FILES]

RINGS = (
    ("types", "errors"),
    (
        "wire",
        "locate",
        "reading",
        "scenario",
        "cassette",
        "packed",
        "redact",
        "fingerprint",
        "scan",
        "dialects",
        "changes",
        "rules",
        "mutations",
        "compare",
        "reports",
        "contracts",
        "drift",
        "strategies",
    ),
    ("providers", "taping", "sandbox", "store", "journal", "loopback"),
    (
        "age",
        "period",
        "environment",
        "placeholders",
        "settings",
        "git",
        "resuming",
        "meter",
        "runner",
        "work",
        "recordings",
        "compared",
        "filing",
        "learnt",
        "watching",
        "breaking",
        "anew",
        "taped",
        "prune",
        "shipped",
        "parsers",
        "torture",
    ),
    ("cli", "plugin", "__init__"),
)
EDGES = 2

OUTSIDE = {
    "vcr": ("harness/taping/stock.py",),
    "zhipuai": ("harness/providers/zhipuai.py", "harness/parsers/zhipuai.py"),
    "zai": ("harness/parsers/zhipuai.py",),
    "dashscope": (
        "harness/providers/dashscope.py",
        "harness/parsers/dashscope/asking.py",
        "harness/parsers/dashscope/classes.py",
        "harness/parsers/dashscope/client.py",
    ),
    "hypothesis": tuple(name for name in NAMES if name.startswith("harness/strategies/")),
    "openai": ("harness/parsers/openai.py",),
    "markdown_it": ("harness/reports/html/prose.py",),
    "deepdiff": ("harness/compare/engine.py",),
    "uvicorn": ("harness/sandbox/server.py",),
    "dotenv": ("harness/environment.py",),
    "typer": tuple(name for name in NAMES if name.startswith("harness/cli/")),
    "aiohttp": ("harness/taping/over_aiohttp.py",),
    "pytest": tuple(name for name in NAMES if name.startswith("harness/plugin/")),
}
"""Libraries that stay where they belong."""

IMPURE = {"os", "socket", "time", "random", "subprocess", "threading", "tempfile", "urllib.request"}
"""Clocks, sockets, the environment: nothing for the words and the pure core."""

VENDOR = re.compile(r"zhipu|dashscope|glm|qwen|bigmodel|aliyun", re.IGNORECASE)
TABLES = (
    "providers",
    "dialects",
    "rules",
    "mutations",
    "mutations/examples",
    "strategies",
    "sandbox",
    "parsers",
)
VENDOR_FILES = {
    f"harness/{folder}/{name}.py"
    for folder in TABLES
    for name in ("__init__", "zhipuai", "dashscope")
} | {
    name
    for name in NAMES
    if name.startswith(
        ("harness/sandbox/zhipuai/", "harness/sandbox/dashscope/", "harness/parsers/dashscope/")
    )
}
VENDOR_EXCEPTIONS = {
    "harness/cli/__init__.py": "examples in help texts",
    "harness/cli/app.py": "examples in help texts",
    "harness/dialects/compatible.py": "a model that streams otherwise than the form does",
    "harness/parsers/openai.py": "the endpoints that took its form over",
    "harness/scenario/forms.py": "examples in messages about what a target looks like",
    "harness/scenario/schema.py": "examples that editors show",
}


@cache
def tree(path: Path) -> ast.Module:
    """A file, parsed."""
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Every module a file imports, wherever it does: in functions and for types only, too."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield node.lineno, name.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            assert node.module is not None
            # `from harness import work` imports harness.work
            joined = [f"harness.{name.name}" for name in node.names]
            yield from (
                (node.lineno, m) for m in (joined if node.module == "harness" else [node.module])
            )


def part(path: Path) -> str:
    """The part of the package a file is in: `cli`, `runner`, ..."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def ring(name: str) -> int:
    """The ring of a part."""
    return next(number for number, parts in enumerate(RINGS) if name in parts)


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_imports_go_inwards(path: Path) -> None:
    """A file imports from its own ring and those below it; an edge imports no other edge."""
    own = part(path)
    wrong = []
    for line, module in imports(path):
        name = module.split(".")[1] if module.startswith("harness.") else ""
        if not name or name == "__version__":
            continue
        other_edge = ring(own) == ring(name) == EDGES and own != name
        if ring(name) > ring(own) or other_edge:
            wrong.append(f"{path}:{line}: {own} (ring {ring(own)}) imports {module}")
    assert wrong == []


def test_the_table_is_the_one_of_the_page() -> None:
    """ARCHITECTURE.md says the same, and leaves nothing out."""
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \d \w.*?\| (.*?) \|", page, re.MULTILINE)
    told = [{name.rstrip("/") for name in re.findall(r"`(\w+)/?`", row)} for row in rows]
    ours = [set(parts) - {"__init__"} for parts in RINGS]
    assert told == ours
    assert {part(path) for path in FILES} == {name for parts in RINGS for name in parts}


@pytest.mark.parametrize("library", OUTSIDE)
def test_libraries_stay_where_they_belong(library: str) -> None:
    """One door to each outside thing."""
    users = {
        name
        for name, path in zip(NAMES, FILES, strict=True)
        for _, module in imports(path)
        if module.split(".")[0] == library
    }
    assert users
    assert users <= set(OUTSIDE[library])


@pytest.mark.parametrize("path", [p for p in FILES if ring(part(p)) < EDGES], ids=str)
def test_the_core_is_pure(path: Path) -> None:
    """No clock, no socket, no environment."""
    assert not {module for _, module in imports(path)} & IMPURE


@pytest.mark.parametrize("name", [n for n in NAMES if n not in VENDOR_FILES])
def test_vendors_are_named_in_their_files(name: str) -> None:
    """And in the tables of five packages; each exception has its reason."""
    found = [f"{name}:{line}: {text}" for line, text in _code(ROOT / name) if VENDOR.search(text)]
    assert bool(found) == (name in VENDOR_EXCEPTIONS), found


def _code(path: Path) -> Iterator[tuple[int, str]]:
    """The names and texts of a file, without comments and docstrings."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docs = {
        (node.body[0].lineno, node.body[0].col_offset)
        for node in ast.walk(tree(path))
        if isinstance(node, documented) and ast.get_docstring(node) is not None
    }
    # A text that stands by itself explains what is above it.
    docs |= {
        (node.lineno, node.col_offset)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    reader = io.StringIO(path.read_text(encoding="utf-8")).readline
    for token in tokenize.generate_tokens(reader):
        if token.type in (tokenize.NAME, tokenize.STRING) and token.start not in docs:
            yield token.start[0], token.string


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_nothing_asks_which_provider_it_is(path: Path) -> None:
    """There is no `if provider == ...`; what differs stands in a table."""
    asked = [
        ast.unparse(node)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Compare) and re.search(r"\bprovider(\.name)? ==", ast.unparse(node))
    ]
    assert asked == []


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_no_table_is_written_after_import(path: Path) -> None:
    """What a module holds is there when it is imported, and stays."""
    tables = {
        target.id
        for node in tree(path).body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        and isinstance(node.value, ast.Dict | ast.List | ast.Set | ast.DictComp | ast.ListComp)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    changers = {
        "append",
        "add",
        "update",
        "setdefault",
        "pop",
        "clear",
        "extend",
        "insert",
        "remove",
    }
    written = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Assign | ast.AugAssign | ast.Delete):
            targets = [node.target] if isinstance(node, ast.AugAssign) else node.targets
            written += [t.value for t in targets if isinstance(t, ast.Subscript)]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            written += [node.func.value] if node.func.attr in changers else []
        elif isinstance(node, ast.Global):
            raise AssertionError(f"{path}:{node.lineno}: a global statement")
    assert not tables & {node.id for node in written if isinstance(node, ast.Name)}


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_everything_public_is_explained(path: Path) -> None:
    """Modules, classes, functions and methods that anybody may use have a docstring."""
    unexplained = [] if ast.get_docstring(tree(path)) else ["the module itself"]
    todo: list[ast.AST] = [tree(path)]
    while todo:
        for node in ast.iter_child_nodes(todo.pop()):
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                if not node.name.startswith("_") and not ast.get_docstring(node):
                    unexplained.append(node.name)
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    todo.append(node)
    assert unexplained == []


def test_tests_are_sentences() -> None:
    """Each has a docstring of its own."""
    silent = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.name}"
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    assert silent == []


def test_nothing_tells_of_a_machine() -> None:
    """No path of somebody's disk, no registry's address in any file of the repository."""
    told = re.compile(r"/(?:home|Users|root|work)/\w|index-url|extra-index|/simple/?['\"\s]")
    found = []
    for path in _tracked():
        text = path.read_text(encoding="utf-8", errors="replace")  # pictures are no text
        for number, line in enumerate(text.splitlines(), start=1):
            if told.search(line) and path != Path(__file__):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert found == []


def _tracked() -> list[Path]:
    """The files that git knows; all sources, where there is no git."""
    done = subprocess.run(
        ["git", "ls-files", "-z"],  # noqa: S607 - wherever git is
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    names = [name for name in done.stdout.split("\0") if name]
    found = [ROOT / name for name in names] or [
        *FILES,
        *ROOT.glob("*.*"),
        *ROOT.glob("tests/**/*.py"),
    ]
    return [path for path in found if path.is_file()]
