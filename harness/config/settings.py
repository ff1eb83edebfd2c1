"""The settings of a project: the table `[tool.harness]` of its pyproject.toml."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.config import services
from harness.config.files import read_toml
from harness.config.hosts import AllowedHosts
from harness.config.services import Service
from harness.errors import BadSettings, HarnessError
from harness.types import EMPTY, Severity, Transcript

if TYPE_CHECKING:
    from harness.config import models, prices

SETTINGS_FILE = "pyproject.toml"


@dataclass(frozen=True, slots=True)
class RuleSelection:
    """The rules that apply, and their severities.

    Attributes:
        select: The names of the rules that apply; empty for all rules.
        ignore: The reasons why rules do not apply, by rule name.
        severity: Severities by rule name, which replace the default severities.
    """

    select: tuple[str, ...] = ()
    ignore: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    severity: Mapping[str, Severity] = field(default_factory=lambda: EMPTY)

    @property
    def names(self) -> tuple[str, ...]:
        """All rule names that the selection mentions."""
        return (*self.select, *self.ignore, *self.severity)

    def apply_to(self, transcript: Transcript) -> Transcript:
        """Return *transcript* with this selection of rules added to its own.

        Where both say something about a rule, the transcript's own selection counts.
        """
        if not (self.select or self.ignore or self.severity):
            return transcript
        return replace(
            transcript,
            selected=transcript.selected or self.select,
            ignored={**self.ignore, **transcript.ignored},
            severities={**self.severity, **transcript.severities},
        )


ALL_RULES = RuleSelection()
"""The selection of all rules with their default severities."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a project, added to those of each cassette and scenario.

    Attributes:
        volatile: JSON pointers into request bodies that are ignored when requests are matched.
        allow_hosts: Host patterns that code under test may reach while a cassette is active.
            They do not apply to scenarios.
        rules: The rules that apply.
        prices: The path of the project's price table; None if it has none.
        models: The path of the project's table of models; None if it has none.
        providers: The services that the project declares.
        secrets: The names of environment variables whose values are secrets.
        file: The path of the pyproject.toml; None if there is none.
    """

    volatile: tuple[str, ...] = ()
    allow_hosts: tuple[str, ...] = ()
    rules: RuleSelection = ALL_RULES
    prices: Path | None = None
    models: Path | None = None
    providers: tuple[Service, ...] = ()
    secrets: tuple[str, ...] = ()
    file: Path | None = field(default=None, compare=False)

    def error(self, message: str) -> BadSettings:
        """Return an exception with *message*, on an invalid setting, and the path of the file."""
        return BadSettings(f"[tool.harness] {message}", self.file or "")


NO_SETTINGS = Settings()
"""The settings of a project without any."""


def load_settings(folder: str | os.PathLike[str]) -> Settings:
    """Return the settings in the pyproject.toml of *folder* or of the nearest folder above it.

    Return the defaults if there is no such file.

    Names of rules are not checked here but by `harness.providers.rules.project_rules`.

    Raises:
        BadSettings: A key is unknown or a value invalid; the message has the file's path.
    """
    path, known = os.fspath(folder), _known_times.get()
    for file in _candidates(path if os.path.isabs(path) else os.path.join(os.getcwd(), path)):
        if known is None:
            time = _modification_time(file)
        elif file in known:
            time = known[file]
        else:
            time = known[file] = _modification_time(file)
        if time is not None:
            return _read(file, time)
    return NO_SETTINGS


_known_times: ContextVar[dict[str, int | None] | None] = ContextVar("known_times", default=None)
"""What `_modification_time` returned in the block of `examined_once`; None outside of it."""


@contextmanager
def examined_once() -> Iterator[None]:
    """Have `load_settings` examine each path once in the `with` block, instead of at each call.

    It looks for a file in all folders up to the root, and is called several times to open a
    cassette or to judge one. Use it for such a step only: a change in the block is not noticed.
    """
    if _known_times.get() is not None:
        yield
        return
    token = _known_times.set({})
    try:
        yield
    finally:
        _known_times.reset(token)


def _modification_time(file: str) -> int | None:
    """Return when a regular file was modified, in nanoseconds; None if it is not one."""
    if not os.access(file, os.F_OK):  # faster than the exception of `stat`
        return None
    status = os.stat(file)
    return status.st_mtime_ns if stat.S_ISREG(status.st_mode) else None


@lru_cache(maxsize=64)
def _candidates(folder: str) -> tuple[str, ...]:
    """Return the paths of pyproject.toml in *folder* and in the folders above it."""
    return tuple(str(parent / SETTINGS_FILE) for parent in (Path(folder), *Path(folder).parents))


def load_prices(folder: Path) -> prices.Prices:
    """Return the prices of the project in *folder* and, for other models, the shipped ones.

    Raises:
        BadSettings: The pyproject.toml or the price table is invalid.
    """
    from harness.config import prices

    own = load_settings(folder).prices
    shipped = prices.load(prices.SHIPPED)
    return prices.load(own).before(shipped) if own else shipped


def load_models(folder: str | os.PathLike[str]) -> models.Models:
    """Return the shipped table of models, with the rows of the project in *folder* before it.

    Raises:
        BadSettings: The pyproject.toml or the table of models is invalid.
    """
    from harness.config import models

    own = load_settings(folder).models
    return _models(own).before(_models(models.SHIPPED)) if own else _models(models.SHIPPED)


def _models(path: Path) -> models.Models:
    return _read_models(path, path.stat().st_mtime_ns if path.is_file() else 0)


@lru_cache(maxsize=16)
def _read_models(path: Path, _modified: int) -> models.Models:
    """Return the table in the file *path*; the cache is keyed by its modification time."""
    from harness.config import models

    return models.load(path)


@lru_cache(maxsize=16)
def _read(name: str, _modified: int) -> Settings:
    """Return the settings in the file *name*; the cache is keyed by its modification time."""
    file = Path(name)
    document = read_toml(file)
    tools = document.get("tool")
    table = tools.get("harness", {}) if isinstance(tools, dict) else {}
    if not isinstance(table, dict):
        raise BadSettings("[tool.harness] should be a table", file)
    try:
        values = {key: _value(key, value) for key, value in table.items()}
    except ValueError as error:
        raise BadSettings(f"[tool.harness] {error}", file) from None
    paths = {key: file.parent / values[key] for key in ("prices", "models") if key in values}
    return Settings(**{**values, **paths, "file": file})


def _value(key: str, value: object) -> Any:
    _refuse_unknown({key: value}, _PARSERS, "")
    return _PARSERS[key](key, value)


def _refuse_unknown(table: Mapping[str, object], known: Mapping[str, object], where: str) -> None:
    for key in table:
        if key not in known:
            raise ValueError(f"{where}has no key {key!r}; there are: {', '.join(known)}")


def _path(key: str, value: object) -> Path:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{key}: the path of a file is expected")
    return Path(value)


def _texts(key: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"{key}: a list of texts is expected")
    return tuple(value)


def _variables(key: str, value: object) -> tuple[str, ...]:
    names = _texts(key, value)
    if not all(services.VARIABLE.fullmatch(name) for name in names):
        raise ValueError(f"{key}: names of environment variables are expected, not their values")
    return names


def _hosts(key: str, value: object) -> tuple[str, ...]:
    try:
        return AllowedHosts(_texts(key, value)).patterns
    except HarnessError as error:
        raise ValueError(error) from None


def _table(key: str, value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise ValueError(f"{key}: a table is expected")
    return value


def _reasons(key: str, value: object) -> Mapping[str, str]:
    reasons: dict[str, str] = {}
    for rule, reason in _table(key, value).items():
        if not isinstance(reason, str) or not reason.strip():
            raise ValueError(f'{key}: {rule}: a reason is expected, {rule} = "because …"')
        reasons[rule] = reason
    return reasons


def _severities(key: str, value: object) -> Mapping[str, Severity]:
    table = _table(key, value)
    for rule, severity in table.items():
        if severity not in tuple(Severity):
            raise ValueError(f"{key}: {rule}: expected one of {', '.join(Severity)}")
    return {rule: Severity(str(severity)) for rule, severity in table.items()}


_RULE_PARSERS: Mapping[str, Callable[[str, object], Any]] = {
    "select": _texts,
    "ignore": _reasons,
    "severity": _severities,
}


def _rules(key: str, value: object) -> RuleSelection:
    table = _table(key, value)
    _refuse_unknown(table, _RULE_PARSERS, f"{key}: ")
    return RuleSelection(
        **{part: _RULE_PARSERS[part](f"{key}.{part}", value) for part, value in table.items()}
    )


def _services(key: str, value: object) -> tuple[Service, ...]:
    tables = {name: _table(f"{key}.{name}", table) for name, table in _table(key, value).items()}
    try:
        return tuple(services.parse(name, table) for name, table in tables.items())
    except ValueError as error:
        raise ValueError(f"{key}.{error}") from None


_PARSERS: Mapping[str, Callable[[str, object], Any]] = {
    "volatile": _texts,
    "allow_hosts": _hosts,
    "rules": _rules,
    "prices": _path,
    "models": _path,
    "providers": _services,
    "secrets": _variables,
}
"""The known keys, each with the function that checks and converts its value."""
