"""Write the pages of the documentation site to a folder: `python -m scripts.site build/docs`.

The pages of `docs/` and of the repository's root are copied, and their links adapted: a link to a
file that the site does not have becomes text. The references are made from the code.
"""

from __future__ import annotations

import argparse
import inspect
import json
import re
import shutil
from collections.abc import Callable, Iterator
from hashlib import sha256
from itertools import accumulate
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import typer

import harness
from harness.cassette.store import read
from harness.cli import command_line, help_texts
from harness.cli.rules import explained
from harness.locale import CHINESE, Language, in_language, translate
from harness.providers.rules import RULES
from harness.scenario.schema_model import json_schema

ROOT = Path(__file__).parent.parent
CHINESE_PAGE = ".zh-CN.md"
PAGES = {
    "README.md": "index.md",
    "README.zh-CN.md": "index.zh-CN.md",
    "CONTRIBUTING.md": "contributing.md",
    "ARCHITECTURE.md": "architecture.md",
    "CHANGELOG.md": "changelog.md",
}
"""The pages of the repository's root, and their names on the site."""

LINK = re.compile(r"(!?)\[((?:[^\[\]`]|`[^`]*`)*)\]\(([^)\s]+)\)")
SWITCH = re.compile(r"^(Chinese: )?\[(中文|English|[A-Z_]+\.zh-CN\.md)\]\([^)]*\)\n+", re.MULTILINE)
"""The line that leads to a page's other language: the site has its own."""


def main(folder: Path) -> None:
    """Write all pages to *folder*, which is replaced."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "docs", folder)
    for source in ROOT.glob("docs/**/*.md"):
        target = folder / source.relative_to(ROOT / "docs")
        target.write_text(_adapted(source), encoding="utf-8")
    for name, page in PAGES.items():
        (folder / page).write_text(_adapted(ROOT / name), encoding="utf-8")
    for page, text in REFERENCES.items():
        (folder / "reference" / page).write_text("\n".join(text()) + "\n", encoding="utf-8")
    fixtures = folder / "reference" / "fixtures"
    fixtures.mkdir()
    for name in FIXTURES:
        source = ROOT / "cassettes" / f"{name}.yaml"
        target = fixtures / f"{name.replace('/', '-')}.yaml"
        shutil.copy(source, target)
        expected = json.dumps([*expectations(source)], indent=2)
        target.with_suffix(".json").write_text(expected, encoding="utf-8")
    schema = json.dumps(json_schema(), ensure_ascii=False, indent=2)
    (folder / "reference" / "scenario.schema.json").write_text(schema, encoding="utf-8")


FIXTURES = ("slogan/dashscope-qwen-flash", "streaming/zhipuai-glm-5.3-flash")
"""The cassettes by which a reader in another language can test itself."""


def expectations(path: Path) -> Iterator[dict[str, object]]:
    """Yield what a reader of a cassette must arrive at, for each exchange."""
    for exchange in read(path).exchanges:
        body = exchange.response.body
        ends = [*accumulate(exchange.chunks)]
        pieces = [body[start:end] for start, end in zip([0, *ends], ends, strict=False)]
        yield {
            "method": exchange.request.method,
            "path": urlsplit(exchange.request.uri).path,
            "status": exchange.response.status,
            "body": sha256(body).hexdigest(),
            "pieces": [sha256(piece).hexdigest() for piece in pieces],
        }


def _adapted(source: Path) -> str:
    """Return a page's text with the links that it has on the site."""
    text = SWITCH.sub("", source.read_text(encoding="utf-8"), count=1)

    def link(found: re.Match[str]) -> str:
        picture, label, address = found.groups()
        if address.startswith(("http", "#", "mailto:")):
            return found.group(0)
        path, mark, anchor = address.partition("#")
        target = _on_the_site((source.parent / path).resolve())
        if target is None:
            return label
        up = "../" * (len(source.relative_to(ROOT).parts) - 2)
        return f"{picture}[{label}]({up}{target.as_posix()}{mark}{anchor})"

    return LINK.sub(link, text)


def _on_the_site(path: Path) -> Path | None:
    """Return the path on the site of a file; the site finds a Chinese page by its English name."""
    name = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else ""
    if name.startswith("docs/") and path.is_file():
        page = name.removeprefix("docs/")
    elif name in PAGES:
        page = PAGES[name]
    else:
        return None
    return Path(page.replace(CHINESE_PAGE, ".md"))


# ------------------------------------------------------------------------------- command line


def commands(chinese: bool = False) -> Iterator[str]:
    """Yield the reference of the command line, by the headings of `harness --help`."""
    yield "# 命令行" if chinese else "# Command line"
    yield (
        "\n由代码生成，与 `harness 命令 --help --lang zh` 相同。退出码：0 正常，1 有检查结果，"
        "2 用法错误或输入无法读取。\n"
        if chinese
        else (
            "\nGenerated from the code; `harness COMMAND --help` says the same. Exit codes: "
            "0 ok, 1 findings, 2 usage error or unreadable input.\n"
        )
    )
    root = typer.main.get_command(command_line())
    head = "| 参数或选项 | 说明 |" if chinese else "| Argument or option | What it is |"
    with in_language(Language.ZH if chinese else Language.EN):
        yield from _command(help_texts.localize(root), "harness", 1, head)


def _command(command: Any, name: str, level: int, head: str) -> Iterator[str]:
    """Yield a command's section, and those of its subcommands; *head* heads their options."""
    if level > 1:
        yield f"\n{'#' * level} `{name}`\n"
        yield inspect.cleandoc(_plain(command.help or command.short_help or ""))
    parameters = [p for p in command.params if p.name not in _EVERYWHERE or level == 1]
    if parameters:
        yield f"\n{head}\n|---|---|"
    for p in parameters:
        yield f"| {_names(p)} | {_cell(getattr(p, 'help', None) or '')} |"
    for sub in getattr(command, "commands", {}).values():
        yield from _command(sub, f"{name} {sub.name}", level + 1, head)


_EVERYWHERE = ("help", "quiet", "verbose", "color", "lang")
"""Options that every command has; they stand once, at the top."""


def _names(parameter: Any) -> str:
    """Return how a parameter is given."""
    metavar = (parameter.metavar or "").strip()
    if parameter.param_type_name == "argument":
        return f"`{metavar or parameter.human_readable_name}`".replace("|", "\\|")
    names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    return names + (f" `{metavar}`".replace("|", "\\|") if metavar else "")


def _plain(text: str) -> str:
    """Return a help text without the marks of click, as Markdown."""
    return text.replace("\b", "").replace("\f", "").replace("<", "&lt;")


def _cell(text: str) -> str:
    """Return a text for a cell of a table."""
    plain = " ".join(_plain(text).split()).replace("|", "\\|")
    return re.sub("(?<=[，。；：、）]) | (?=（)", "", plain)


# --------------------------------------------------------------------------- scenario files


def scenarios(chinese: bool = False) -> Iterator[str]:
    """Yield the reference of the keys of scenario files, from the JSON Schema."""
    schema = json_schema()
    yield "# 场景文件的键" if chinese else "# Keys of scenario files"
    yield (
        "\n由 [JSON Schema](scenario.schema.json) 生成（英文）；编辑器据此补全键名。\n"
        if chinese
        else "\nGenerated from the [JSON Schema](scenario.schema.json), by which editors complete "
        "the keys.\n"
    )
    yield from _form("Scenario" if not chinese else "场景", schema)
    for name, form in schema.get("$defs", {}).items():
        yield from _form(name, form)


def _form(name: str, form: Any) -> Iterator[str]:
    """Yield the section of one form of the schema."""
    yield f"\n## {name}\n"
    yield _plain(form.get("description", ""))
    if "enum" in form:
        yield "\nOne of: " + ", ".join(f"`{value}`" for value in form["enum"]) + "."
    if form.get("properties"):
        yield "\n| Key | Type | What it is |\n|---|---|---|"
    required = form.get("required", ())
    for key, value in form.get("properties", {}).items():
        must = " (required)" if key in required else ""
        yield f"| `{key}`{must} | {_type(value)} | {_cell(value.get('description', ''))} |"


def _type(value: Any) -> str:
    """Return the type of a value of the schema, in words."""
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in value or "oneOf" in value:
        kinds = [_type(kind) for kind in value.get("anyOf") or value["oneOf"]]
        return " or ".join(dict.fromkeys(kinds))
    if "enum" in value:
        return ", ".join(f"`{one}`" for one in value["enum"])
    if "const" in value:
        return f"`{value['const']}`"
    kind = value.get("type", "any")
    if kind == "array":
        return f"list of {_type(value.get('items', {}))}"
    return str(kind)


# -------------------------------------------------------------------------------------- rules


def rules(chinese: bool = False) -> Iterator[str]:
    """Yield every rule with its text, examples and evidence, as `harness rules --explain` does."""
    lang = Language.ZH if chinese else Language.EN
    yield "# 规则" if chinese else "# Rules"
    yield (
        f"\n由代码生成：{len(RULES)} 条规则，与 `harness rules --explain 规则 --lang zh` 相同。\n"
        if chinese
        else f"\nGenerated from the code: {len(RULES)} rules, as `harness rules --explain RULE` "
        "prints them.\n"
    )
    yield "| 规则 | 要求 |\n|---|---|" if chinese else "| Rule | What it requires |\n|---|---|"
    for rule in RULES:
        law = translate(rule.law, CHINESE) if chinese else rule.law
        yield f"| [`{rule.name}`](#{rule.name}) | {_cell(str(law))} |"
    for rule in RULES:
        yield f"\n## `{rule.name}` {{ #{rule.name} }}\n\n```text"
        with in_language(lang):
            text = explained(rule)
        yield text.strip().replace("```", "'''")
        yield "```"


# --------------------------------------------------------------------------------- Python API


def api(chinese: bool = False) -> Iterator[str]:
    """Yield the docstring of every public name."""
    yield "# 公开的 Python 名称" if chinese else "# Public Python names"
    yield (
        "\n由文档字符串生成（英文）；入门见 [Python API](../PYTHON_API.md)。\n"
        if chinese
        else "\nGenerated from the docstrings; [Python API](../PYTHON_API.md) is the "
        "introduction.\n"
    )
    for name in sorted({*harness.__all__} - {"__version__"}):
        value = getattr(harness, name)
        yield f"\n## `{name}`\n"
        if inspect.isfunction(value):
            yield f"```python\n{name}{inspect.signature(value)}\n```\n"
        yield f"```text\n{inspect.getdoc(value) or ''}\n```"


REFERENCES: dict[str, Callable[[], Iterator[str]]] = {
    "cli.md": commands,
    f"cli{CHINESE_PAGE}": lambda: commands(chinese=True),
    "scenarios.md": scenarios,
    f"scenarios{CHINESE_PAGE}": lambda: scenarios(chinese=True),
    "rules.md": rules,
    f"rules{CHINESE_PAGE}": lambda: rules(chinese=True),
    "api.md": api,
    f"api{CHINESE_PAGE}": lambda: api(chinese=True),
}
"""The pages that are made from the code, in `reference/`."""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write the pages of the documentation site.")
    parser.add_argument("folder", type=Path, help="where to write them; it is replaced")
    main(parser.parse_args().folder)
