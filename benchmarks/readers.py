"""Readings of YAML: our own reader, PyYAML's loader in C, ryaml (Rust) and rapidyaml (C++).

A reader is measured only with texts of which it reads the values that PyYAML reads.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from benchmarks import corpus, measuring, shapes
from benchmarks.commands import LOADER, Progress
from benchmarks.figures import OURS, Row
from harness.cassette.reader import load_yaml, loads
from harness.errors import HarnessError

FOREIGN = "this tape, files of others"
"""The reader of what other tools wrote: PyYAML's events, with limits and errors that name lines."""
Reader = Callable[[bytes], object]


def _ryaml(text: bytes) -> object:
    value: object = import_module("ryaml").loads(text.decode())
    return value


def _rapidyaml(text: bytes) -> object:
    """Return the values by way of JSON: from Python, a value of its tree costs a call each."""
    ryml = import_module("ryml")
    value: object = json.loads(ryml.emit_json(ryml.parse_in_arena(text)))
    return value


def _loaded(text: bytes) -> object:
    return yaml.load(text, Loader=yaml.CSafeLoader)


PEERS: Mapping[str, tuple[str, Reader]] = {
    "ryaml": ("ryaml", _ryaml),
    "rapidyaml": ("ryml", _rapidyaml),
}
"""Other readers: the name of the module, and the reading."""


def absent() -> list[str]:
    """Return a sentence for each reader that is not installed."""
    return [
        f"{name} is not installed: pip install {name}"
        for name, (module, _) in PEERS.items()
        if not find_spec(module)
    ]


def rows(part: float, folder: Path, rounds: int, progress: Progress) -> list[Row]:
    """Return what each reader takes with texts of several shapes, of *part* of their full size."""
    return [
        _row(f"read {label}", path.read_bytes(), rounds, progress)
        for label, path in _texts(part, folder)
    ]


def _texts(part: float, folder: Path) -> Iterator[tuple[str, Path]]:
    (path,) = corpus.written(folder / "one", 1).rglob("*.yaml")
    yield "a file of the corpus", path
    for name, what, size in (
        ("separate", "exchanges", 2_000),
        ("many_words", "MB of English", 10),
        ("many_escapes", "MB of Chinese in escapes", 10),
        ("one_picture", "MB of a picture", 10),
        ("one_stream", "MB of a stream", 5),
    ):
        number = max(1, round(size * part))
        yield f"{number:,} {what}", shapes.written(name, number, folder / f"{name}.yaml")


def _row(label: str, text: bytes, rounds: int, progress: Progress) -> Row:
    progress(label)
    readers = dict(_readers(label, text, progress))
    runs = measuring.actions([partial(read, text) for read in readers.values()], rounds)
    return Row(label, "s", dict(zip(readers, runs, strict=True)), LOADER)


def _readers(label: str, text: bytes, progress: Progress) -> Iterator[tuple[str, Reader]]:
    """Yield the readers that read the right values of a text."""
    yield LOADER, _loaded
    if loads(text) == load_yaml(text, ""):
        yield OURS, loads
    else:
        raise HarnessError(f"{label}: our two readers read different cassettes")
    yield FOREIGN, lambda given: load_yaml(given, "")
    values = _loaded(text)
    for name, (module, read) in PEERS.items():
        if not find_spec(module):
            continue
        if (problem := _problem(read, text, values)) is None:
            yield name, read
        else:
            progress(f"{label}: {name} is left out: {problem}")


def _problem(read: Reader, text: bytes, values: Any) -> str | None:
    """Return why a reader cannot be measured with a text; None if it reads the right values."""
    try:
        actual = read(text)
    except Exception as error:  # noqa: BLE001 - whatever a library of others raises is said
        return f"{type(error).__name__}: {error}"[:200]
    return None if actual == values else "it reads other values"
