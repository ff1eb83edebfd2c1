"""What a project says for all its cassettes: the table `[tool.harness]` of pyproject.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from harness.config.hosts import AllowedHosts
from harness.errors import BadSettings, HarnessError
from harness.rules.choice import EVERYTHING, Choice
from harness.types import LooseJson, Severity

FILE = "pyproject.toml"


@dataclass(frozen=True, slots=True)
class Settings:
    """What holds for every cassette and scenario of a project, besides what they say themselves.

    `volatile` are JSON pointers into request bodies that do not count when a request is looked up.
    `allow_hosts` are reached past the tape by the user's own code and tests; scenarios have no
    business with them. `rules` says which rules apply, and how much they weigh. `prices` is a
    table of what models cost (see `compare.prices`), named from where pyproject.toml is.
    """

    volatile: tuple[str, ...] = ()
    allow_hosts: tuple[str, ...] = ()
    rules: Choice = EVERYTHING
    prices: Path | None = None


def settings(folder: Path) -> Settings:
    """The settings of the project that `folder` belongs to: of the nearest pyproject.toml upward.

    Raises BadSettings, naming the file, for a key or a value that is not known.
    """
    folder = folder.absolute()
    file = next((f for f in (p / FILE for p in (folder, *folder.parents)) if f.is_file()), None)
    return Settings() if file is None else _read(file, file.stat().st_mtime_ns)


@lru_cache(maxsize=16)
def _read(file: Path, _: int) -> Settings:
    """What a file says, as it was at a time: every test of a suite asks."""
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadSettings(f"cannot be read: {error}", file) from None
    tools = document.get("tool")
    table = tools.get("harness", {}) if isinstance(tools, dict) else {}
    if not isinstance(table, dict):
        raise BadSettings("[tool.harness] should be a table", file)
    try:
        told = Settings(**{name: _value(name, value) for name, value in table.items()})
    except ValueError as error:
        raise BadSettings(f"[tool.harness] {error}", file) from None
    return replace(told, prices=file.parent / told.prices) if told.prices else told


def _value(name: str, value: LooseJson) -> LooseJson:
    if name not in _KEYS:
        raise ValueError(f"has no key {name!r}; there are: {', '.join(_KEYS)}")
    return _KEYS[name](name, value)


def _path(name: str, value: LooseJson) -> Path:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name}: the path of a file is expected")
    return Path(value)


def _texts(name: str, value: LooseJson) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"{name}: a list of texts is expected")
    return tuple(value)


def _hosts(name: str, value: LooseJson) -> tuple[str, ...]:
    try:
        return AllowedHosts(_texts(name, value)).patterns
    except HarnessError as error:
        raise ValueError(error) from None


def _rules(name: str, value: LooseJson) -> Choice:
    """The table `[tool.harness.rules]`: rules by name, what is ignored with its reason."""
    told = _table(name, value)
    for key in told:
        if key not in _OF_RULES:
            raise ValueError(f"{name}: has no key {key!r}; there are: {', '.join(_OF_RULES)}")
    ignored = _table(f"{name}.ignore", told.get("ignore", {}))
    for rule, reason in ignored.items():
        if not isinstance(reason, str) or not reason.strip():
            raise ValueError(f'{name}.ignore: {rule}: a reason is expected, {rule} = "because …"')
    weights = _table(f"{name}.severity", told.get("severity", {}))
    for rule, weight in weights.items():
        if weight not in tuple(Severity):
            raise ValueError(f"{name}.severity: {rule}: expected one of {', '.join(Severity)}")
    choice = Choice(
        _texts(f"{name}.select", told.get("select", [])),
        ignored,
        {rule: Severity(weight) for rule, weight in weights.items()},
    )
    return _known(name, choice)


_OF_RULES = ("select", "ignore", "severity")


def _known(name: str, choice: Choice) -> Choice:
    from harness.providers.rules import no_such_rule, unknown_names

    for rule in unknown_names(choice.names):
        raise ValueError(f"{name}: {no_such_rule(rule)}")
    return choice


def _table(name: str, value: LooseJson) -> dict[str, LooseJson]:
    if not isinstance(value, dict):
        raise ValueError(f"{name}: a table is expected")
    return value


_KEYS: Mapping[str, Callable[[str, LooseJson], LooseJson]] = {
    "volatile": _texts,
    "allow_hosts": _hosts,
    "rules": _rules,
    "prices": _path,
}
"""What may be said, and how each is read."""
