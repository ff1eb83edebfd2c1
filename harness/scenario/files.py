"""Scenarios, read from text, from a file, and from folders."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from pydantic import ValidationError

from harness.errors import BadScenario
from harness.scenario.schema_model import ScenarioForm
from harness.scenario.steps import Scenario
from harness.scenario.validation import complain, from_pydantic, incoherent, unknown
from harness.scenario.yaml_source import MAX_BYTES, Source, read


def loads(text: str | bytes, path: Path | str | None = None) -> Scenario:
    """Read a scenario from YAML; with a path, messages name it and it must fit the name."""
    source = read(text, Path(path) if path else None)
    scenario = Scenario(_form(source), source)
    complain(incoherent(scenario), source)
    return scenario


def _form(source: Source) -> ScenarioForm:
    try:
        return ScenarioForm.model_validate(source.value)
    except ValidationError as error:
        complaints = from_pydantic(error, source)
    complain(complaints, source)
    raise AssertionError("a validation error without errors")


def load(path: Path | str) -> Scenario:
    """Read a scenario from its file."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise BadScenario(f"cannot be read: {error.strerror}", path) from None
    return loads(data, path)


def load_all(paths: Iterable[Path | str]) -> tuple[Scenario, ...]:
    """Read files, and the *.yaml of folders (not of folders in them), each file once."""
    found: dict[Path, Path] = {}
    for path in paths:
        for file in _files(Path(path)):
            found.setdefault(file.resolve(), file)
    scenarios = tuple(load(file) for file in found.values())
    _refuse_twins(scenarios)
    return scenarios


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    files = sorted(file for file in path.glob("*.yaml") if file.is_file())
    if not files:
        raise BadScenario("the folder holds no scenario (*.yaml)", path)
    yield from files


def _refuse_twins(scenarios: Iterable[Scenario]) -> None:
    seen: dict[str, Scenario] = {}
    for scenario in scenarios:
        first = seen.setdefault(scenario.name, scenario)
        if first is not scenario:
            message = f"the name {scenario.name!r} is already that of {first.path}"
            raise BadScenario(message, scenario.path or "", scenario.source.line(("name",)))


def check_providers(scenario: Scenario, known: Collection[str]) -> None:
    """Refuse a target whose provider is not one of the known ones."""
    names = sorted(known)
    complain(
        (
            unknown("provider", target.provider, ("targets", number, "model"), names)
            for number, target in enumerate(scenario.targets)
            if target.provider not in known
        ),
        scenario.source,
    )


def check_rules(scenario: Scenario, known: Collection[str]) -> None:
    """Refuse to ignore, select or weigh a rule that is not one of the known ones."""
    names, form = sorted(known), scenario.form
    told: list[tuple[str, tuple[str | int, ...]]] = [
        *((entry.rule, ("ignore", n, "rule")) for n, entry in enumerate(form.ignore)),
        *((rule, ("select", n)) for n, rule in enumerate(form.select)),
        *((rule, ("severity", rule)) for rule in form.severity),
    ]
    complain(
        (unknown("rule", rule, place, names) for rule, place in told if rule not in known),
        scenario.source,
    )
