"""Contract files: reading and writing them, and learning or extending a contract from cassettes.

A file is YAML with JSON Schemas, and the evidence for each clause. It is sorted, so that a diff
shows only what changed. The JSON Schema follows from the evidence; `loads` refuses a file whose
schema does not, since it was changed by hand.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yaml import YAMLError

from harness.cassette import safe_yaml, store
from harness.cassette.safe_yaml import (
    FlowDict,
    FlowList,
    Invalid,
    KeyPath,
    expect,
    line_of,
    problem_of,
)
from harness.cassette.workers import Workers
from harness.contracts import words
from harness.contracts.clause import DRAFT, ClauseTree, changes, clause_trees, overlays, promise
from harness.contracts.contract import Contract, LearnedSource, Lesson, combine, lesson
from harness.contracts.evidence import Citation, Node
from harness.contracts.sections import FORMS, Section
from harness.errors import BadContract, HarnessError
from harness.providers.masking import text_masker
from harness.providers.recordings import read_cassette
from harness.types import Json, Progress

FORMAT = "llm-conversation-harness/contract"
VERSION = 1
HEADER = (
    "# Learned from recordings by `harness contract learn`: JSON Schemas of what services answer.\n"
    "# Review it, keep it in version control, change it with `harness contract accept` only.\n"
)


def dumps(contract: Contract) -> str:
    """Return a contract as the text of a YAML file."""
    return HEADER + safe_yaml.dump(document(contract))


def document(contract: Contract) -> dict[str, Any]:
    """Return a contract as the mappings and lists that its YAML file contains."""
    sources = sorted((source.file, key) for key, source in contract.sources.items())
    endpoints: dict[str, dict[str, Any]] = {}
    for section, tree in clause_trees(contract).items():
        endpoints.setdefault(section.endpoint, {})[section.name] = _section(tree)
    return {
        "format": FORMAT,
        "version": VERSION,
        "learnt_from": [_source(key, contract.sources[key]) for _, key in sources],
        "endpoints": endpoints,
    }


def _source(key: str, source: LearnedSource) -> FlowDict:
    names = {"file": source.file, "digest": key, "exchanges": source.exchanges}
    return FlowDict(**names, recorded_from=source.recorded_from)


def _section(tree: ClauseTree) -> dict[str, Any]:
    schema: dict[str, Any] = {"schema": {"$schema": DRAFT, **with_evidence(tree)}}
    families = [{"models": FlowList(names), "schema": more} for names, more in overlays(tree)]
    return {**schema, "families": families} if families else schema


def with_evidence(tree: ClauseTree) -> dict[str, Any]:
    """Return the JSON Schema of a place and all below it, with evidence such as `x-exchanges`."""
    schema = {k: FlowList(v) if isinstance(v, list) else v for k, v in promise(tree).items()}
    schema |= _evidence(tree.node)
    if tree.fields:
        schema["properties"] = {key: with_evidence(child) for key, child in tree.fields.items()}
    if tree.values:
        schema["additionalProperties"] = with_evidence(tree.values)
    if tree.items:
        schema["items"] = with_evidence(tree.items)
    return schema


def _evidence(node: Node) -> dict[str, Any]:
    counts = {name: FlowDict(_compact(states)) for name, states in sorted(node.counts.items())}
    evidence: dict[str, Any] = {"x-exchanges": counts}
    if node.first:
        evidence["x-seen"] = FlowList([node.first, node.last])
    evidence["x-cites"] = FlowList(str(cite) for cite in node.cites)
    if node.words:
        evidence["x-words"] = FlowDict(words.written(node.words))
    if node.formats:
        evidence["x-formats"] = FlowList(sorted(node.formats))
    if node.span:
        evidence["x-range"] = FlowList(node.span)
    if node.lengths:
        evidence["x-lengths"] = FlowList(node.lengths)
    return evidence


_ORDER = ("of", "present", "absent")


def _compact(states: Mapping[str, int]) -> dict[str, int]:
    """Return the counts in a fixed order; `present` is left out if it equals `of`."""
    names = [*_ORDER, *sorted(set(states) - set(_ORDER))]
    return {
        name: states[name]
        for name in names
        if states.get(name) and not (name == "present" and states[name] == states["of"])
    }


def loads(text: str | bytes, source: str = "") -> Contract:
    """Read a contract from the text of a YAML file; *source* is the file's name in errors.

    Raises:
        BadContract: The text is not a contract, or was changed by hand. The error names the line,
            if it is known.
    """
    try:
        value = safe_yaml.load(text)
    except YAMLError as error:
        raise BadContract(f"not YAML: {problem_of(error)}", source, line_of(error)) from None
    except (ValueError, RecursionError, OverflowError) as error:
        raise BadContract(f"not a contract: {error}", source) from None
    try:
        return _contract(value)
    except Invalid as error:
        path = ".".join(map(str, error.path))
        message = f"{path}: {error.problem}" if path else error.problem
        raise BadContract(message, source, safe_yaml.line_at(text, error.path)) from None


def _contract(value: Json) -> Contract:
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise Invalid((), f"not a contract: expected `format: {FORMAT}`")
    version = value.get("version")
    if version != VERSION:
        message = f"expected version {VERSION}, actual {version!r:.40}: learn the contract again"
        raise Invalid(("version",), message)
    contract = Contract(_sections(value.get("endpoints")), _sources(value.get("learnt_from")))
    _require_equal(document(contract), value)
    return contract


def _sources(value: Json) -> dict[str, LearnedSource]:
    sources = {}
    for number, item in enumerate(expect(value, list, ("learnt_from",))):
        where = ("learnt_from", number)
        source = expect(item, dict, where)
        file, origin, key = (
            expect(source.get(name), str, (*where, name))
            for name in ("file", "recorded_from", "digest")
        )
        exchanges = _count(source.get("exchanges"), (*where, "exchanges"))
        sources[key] = LearnedSource(file, origin, exchanges)
    return sources


def _sections(value: Json) -> dict[Section, Node]:
    sections = {}
    for endpoint, by_name in expect(value, dict, ("endpoints",)).items():
        for name, item in expect(by_name, dict, ("endpoints", endpoint)).items():
            where = ("endpoints", endpoint, name)
            form, _, case = str(name).partition(" ")
            if form not in FORMS:
                raise Invalid(where, f"unknown form; expected one of {', '.join(FORMS)}")
            schema = expect(item, dict, where).get("schema")
            sections[Section(str(endpoint), form, case)] = _node(schema, (*where, "schema"))
    return sections


def _node(value: Json, where: KeyPath) -> Node:
    schema = expect(value, dict, where)
    counts = _counts(schema.get("x-exchanges"), (*where, "x-exchanges"))
    cited = (*where, "x-cites")
    strings = any("string" in states for states in counts.values())
    members = expect(schema.get("properties", {}), dict, (*where, "properties"))
    fields = {str(key): _node(child, (*where, "properties", key)) for key, child in members.items()}
    first, last = _pair(schema.get("x-seen", ["", ""]), str, (*where, "x-seen"))
    return Node(
        counts=counts,
        cites=tuple(_cite(text, cited) for text in _strings(schema.get("x-cites"), cited)),
        first=first,
        last=last,
        words=_words(schema, (*where, "x-words")) if strings else {},
        formats=frozenset(_strings(schema.get("x-formats", []), (*where, "x-formats"))),
        span=_span(schema, "x-range", where),
        lengths=_span(schema, "x-lengths", where),
        members=fields,
        values=_child(schema, "additionalProperties", where),
        items=_child(schema, "items", where),
    )


def _child(schema: dict[str, Json], name: str, where: KeyPath) -> Node | None:
    return _node(schema[name], (*where, name)) if name in schema else None


def _counts(value: Json, where: KeyPath) -> dict[str, dict[str, int]]:
    counts = {}
    for family, states in expect(value, dict, where).items():
        here = (*where, family)
        numbers = expect(states, dict, here).items()
        listed = {str(state): _count(n, (*here, state)) for state, n in numbers}
        if "of" not in listed:
            raise Invalid(here, "expected `of`, the number of exchanges")
        everywhere = {"present": listed["of"]} if listed.keys() - {"of", "absent"} else {}
        counts[str(family)] = {**everywhere, **listed}
    return counts


def _words(schema: dict[str, Json], where: KeyPath) -> dict[str, int] | None:
    if "x-words" not in schema:
        return None
    listed = expect(schema["x-words"], dict, where)
    return {str(word): _count(n, (*where, word)) for word, n in listed.items()}


def _cite(text: str, where: KeyPath) -> Citation:
    file, _, numbers = text.rpartition("#")
    exchange, _, event = numbers.partition(".")
    if not all(n.isascii() and n.isdigit() and len(n) < 10 for n in (exchange, event or "0")):
        message = f"expected `file#exchange` or `file#exchange.event`, actual {text!r:.80}"
        raise Invalid(where, message)
    return Citation(file, int(exchange), int(event or "0"))


def _span(schema: dict[str, Json], name: str, where: KeyPath) -> tuple[float, float] | None:
    return _pair(schema[name], (int, float), (*where, name)) if name in schema else None


def _pair(value: Json, types: Any, where: KeyPath) -> tuple[Any, Any]:
    if isinstance(value, list) and len(value) == 2 and all(isinstance(v, types) for v in value):
        return value[0], value[1]
    raise Invalid(where, "expected a list of two values")


def _strings(value: Json, where: KeyPath) -> list[str]:
    return [expect(item, str, where) for item in expect(value, list, where)]


def _count(value: Json, where: KeyPath) -> int:
    if type(value) is not int or not 0 < value < 10**9:
        raise Invalid(where, f"expected a count, actual {value!r:.40}")
    return value


def _require_equal(expected: Json, actual: Json, where: KeyPath = ()) -> None:
    """Raise Invalid at the first value of a file that does not follow from its evidence.

    The order of keys counts.
    """
    if isinstance(expected, dict) and isinstance(actual, dict) and [*expected] == [*actual]:
        for key in expected:
            _require_equal(expected[key], actual[key], (*where, key))
    elif isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        for number, pair in enumerate(zip(expected, actual, strict=True)):
            _require_equal(*pair, (*where, number))
    elif type(expected) is not type(actual) or isinstance(expected, dict) or expected != actual:
        reason = _violation(expected, actual)
        raise Invalid(where, f"{reason}; to change it: harness contract accept")


def _violation(expected: Json, actual: Json) -> str:
    if isinstance(expected, dict) and isinstance(actual, dict):
        differing = sorted(map(str, expected.keys() ^ actual.keys())) or ["the order"]
        return f"{differing[0]} does not follow from the evidence"
    return f"this does not follow from the evidence, which gives {expected!r:.60}"


def load(path: Path) -> Contract:
    """Return the contract in a file.

    Raises:
        HarnessError: The file does not exist.
        BadContract: The file cannot be read or is invalid.
    """
    if not path.exists():
        raise HarnessError(
            f"there is no contract {path}; "
            f"learn one with: harness contract learn PATH --contract {path}"
        )
    try:
        content = store.file_bytes(path)
    except OSError as error:
        raise BadContract(f"cannot be read: {error.strerror}", path) from None
    return loads(content, str(path))


def write(path: Path, contract: Contract) -> None:
    """Write a contract to the file *path* as YAML, replacing an existing file atomically."""
    store.write_text(path, dumps(contract))


def learn_cassettes(
    paths: Sequence[Path], out: Path, progress: Progress, skip: store.Skip, workers: Workers = 1
) -> Contract:
    """Learn a contract from the cassettes in *paths*, write it to *out*, and return it.

    Args:
        paths: Cassettes, or folders of them.
        out: The new file of the contract.
        progress: Called with a line of text for each file.
        skip: Called with the error of each file of a folder that cannot be read.
        workers: The largest number of processes, or the address of a Dask scheduler.

    Raises:
        HarnessError: *out* exists already, or no cassette has an exchange with a known endpoint.
    """
    if out.exists():
        raise HarnessError(
            f"{out} exists already; to change it: harness contract accept PATH --contract {out}"
        )
    contract = combine(Contract(), _lessons(paths, progress, skip, workers))
    if not contract.sections:
        raise HarnessError("nothing to learn: no exchange here is with a known endpoint")
    write(out, contract)
    return contract


@dataclass(frozen=True, slots=True)
class Proposal:
    """A contract before and after recordings are added to it.

    Attributes:
        old: The contract on file.
        new: The contract with the recordings added.
        changes: A line for each clause that differs.
    """

    old: Contract
    new: Contract
    changes: tuple[str, ...]

    @property
    def exchanges(self) -> int:
        """The number of exchanges that are new to the contract."""
        return self.new.exchanges - self.old.exchanges


def propose(paths: Sequence[Path], path: Path, progress: Progress, skip: store.Skip) -> Proposal:
    """Return the contract in the file *path*, before and after adding the cassettes in *paths*.

    Nothing is written. *progress* is called with a line of text for each file, *skip* with the
    error of each file of a folder that cannot be read.

    Raises:
        HarnessError: The contract does not exist.
        BadContract: The contract is invalid.
    """
    old = load(path)
    new = combine(old, _lessons(paths, progress, skip))
    return Proposal(old, new, tuple(changes(old, new)))


def _lessons(
    paths: Sequence[Path], progress: Progress, skip: store.Skip, workers: Workers = 1
) -> Iterator[Lesson]:
    # Of recordings with the same exchanges, the one that is named first is cited.
    for _path, one in store.read_all(paths, _lesson, skip, workers, progress, order=citation_name):
        yield one


def _lesson(path: Path) -> Lesson:
    return lesson(citation_name(path), read_cassette(path))


def citation_name(path: Path) -> str:
    """Return the name by which a contract cites a file: its path relative to the current folder.

    Secrets in the path are masked. For a file outside the current folder, return the names of its
    folder and of the file: a contract is kept in version control and must not reveal absolute
    paths.
    """
    absolute = Path(os.path.realpath(path))  # unlike resolve(), also of a link to itself
    inside = absolute.is_relative_to(Path.cwd())
    name = absolute.relative_to(Path.cwd()).as_posix() if inside else "/".join(absolute.parts[-2:])
    return text_masker()(name)
