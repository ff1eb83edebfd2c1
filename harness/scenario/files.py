"""Scenarios read from text, files and folders."""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from pydantic import ValidationError

from harness.config.files import read_file
from harness.errors import BadScenario
from harness.scenario.schema_model import ScenarioForm
from harness.scenario.steps import Scenario
from harness.scenario.validation import from_pydantic, inconsistencies, raise_first, unknown
from harness.scenario.yaml_source import MAX_BYTES, YamlSource, read


def loads(text: str | bytes, path: Path | str | None = None) -> Scenario:
    """Return the scenario in a YAML text. Raises BadScenario if it is invalid.

    If *path* is set, errors name that file, and its name without suffix has to be the scenario's
    name.
    """
    source = read(text, Path(path) if path else None)
    scenario = Scenario(_form(source), source)
    raise_first(inconsistencies(scenario), source)
    return scenario


def _form(source: YamlSource) -> ScenarioForm:
    try:
        return ScenarioForm.model_validate(source.value)
    except ValidationError as error:
        issues = from_pydantic(error, source)
    raise_first(issues, source)
    raise AssertionError("a validation error without errors")


def load(path: Path | str) -> Scenario:
    """Return the scenario in the file *path*. Raises BadScenario if it is invalid or unreadable."""
    try:
        data = read_file(Path(path), MAX_BYTES)
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise BadScenario(f"larger than {MAX_BYTES} bytes", path) from None
        raise BadScenario(f"cannot be read: {error.strerror}", path) from None
    return loads(data, path)


def load_all(paths: Iterable[Path | str]) -> tuple[Scenario, ...]:
    """Return the scenarios in files and folders.

    Of a folder, the *.yaml files directly in it are read. A file that is listed twice is read once.
    Raises BadScenario if a scenario is invalid, two have the same name, or a folder has none.
    """
    by_path: dict[Path, Path] = {}
    for path in paths:
        for file in _files(Path(path)):
            by_path.setdefault(Path(os.path.realpath(file)), file)
    scenarios = tuple(load(file) for file in by_path.values())
    _refuse_duplicates(scenarios)
    return scenarios


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    files = sorted(file for file in path.glob("*.yaml") if file.is_file())
    if not files:
        raise BadScenario("the folder holds no scenario (*.yaml)", path)
    yield from files


def _refuse_duplicates(scenarios: Iterable[Scenario]) -> None:
    seen: dict[str, Scenario] = {}
    for scenario in scenarios:
        first = seen.setdefault(scenario.name, scenario)
        if first is not scenario:
            message = f"the name {scenario.name!r} is already that of {first.path}"
            raise BadScenario(message, scenario.path or "", scenario.source.line(("name",)))


def check_providers(
    scenario: Scenario, known: Collection[str], others: Collection[str] = ()
) -> None:
    """Raise BadScenario if a target names a provider that is neither in *known* nor in *others*.

    Both have names of providers; the error message lists those in *known* only.
    """
    names = sorted(known)
    raise_first(
        (
            unknown("provider", target.provider, ("targets", number, "model"), names)
            for number, target in enumerate(scenario.targets)
            if target.provider not in known and target.provider not in others
        ),
        scenario.source,
    )


def check_rules(scenario: Scenario, known: Collection[str]) -> None:
    """Raise BadScenario if a scenario names a rule that is not in *known*, the names of rules."""
    names, form = sorted(known), scenario.form
    used: list[tuple[str, tuple[str | int, ...]]] = [
        *((entry.rule, ("ignore", n, "rule")) for n, entry in enumerate(form.ignore)),
        *((rule, ("select", n)) for n, rule in enumerate(form.select)),
        *((rule, ("severity", rule)) for rule in form.severity),
    ]
    raise_first(
        (unknown("rule", rule, loc, names) for rule, loc in used if rule not in known),
        scenario.source,
    )


def shipped_folder() -> Path:
    """Return the folder of the shipped scenarios: in the installed package, or in a checkout."""
    package = Path(__file__).parent.parent
    installed = package / "shipped_scenarios"
    return installed if installed.is_dir() else package.parent / "scenarios"
