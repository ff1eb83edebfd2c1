"""A contract as a YAML file that people review: JSON Schema, and the evidence beside each clause.

`dumps` gives the same text for the same contract, sorted, so that a diff shows what changed and no
more. What is promised follows from the evidence; a file in which it does not was changed by hand,
and is refused: a promise that nobody saw kept proves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from harness.cassette import safe_yaml
from harness.contracts import words
from harness.contracts.clause import Spot, spot
from harness.contracts.contract import Contract, Source
from harness.contracts.evidence import Cite, Node
from harness.contracts.schema import DRAFT, overlays, promise
from harness.contracts.sections import FORMS, Section
from harness.errors import BadContract
from harness.types import LooseJson

FORMAT = "llm-conversation-harness/contract"
VERSION = 1
HEADER = (
    "# Learnt from recordings by `harness contract learn`: JSON Schemas of what services answer.\n"
    "# Review it, keep it in version control, change it with `harness contract accept` only.\n"
)


class _Line(dict[str, Any]):
    """A mapping written in one line."""


class _Items(list[Any]):
    """A list written in one line."""


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    def ignore_aliases(self, data: object) -> bool:
        return True


_Dumper.add_representer(
    _Line,
    lambda dumper, told: dumper.represent_mapping("tag:yaml.org,2002:map", told, flow_style=True),
)
_Dumper.add_representer(
    _Items,
    lambda dumper, told: dumper.represent_sequence("tag:yaml.org,2002:seq", told, flow_style=True),
)


def dumps(contract: Contract) -> str:
    """A contract as text."""
    text = yaml.dump(
        document(contract), Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=2**31 - 1
    )
    return HEADER + str(text)


def document(contract: Contract) -> dict[str, Any]:
    """A contract as what a YAML file holds."""
    sources = sorted((source.file, key) for key, source in contract.sources.items())
    endpoints: dict[str, dict[str, Any]] = {}
    for section, node in sorted(contract.sections.items()):
        endpoints.setdefault(section.endpoint, {})[section.name] = _section(spot(section, node))
    return {
        "format": FORMAT,
        "version": VERSION,
        "learnt_from": [_source(key, contract.sources[key]) for _, key in sources],
        "endpoints": endpoints,
    }


def _source(key: str, source: Source) -> _Line:
    told = {"file": source.file, "digest": key, "exchanges": source.exchanges}
    return _Line(**told, recorded_from=source.recorded_from)


def _section(top: Spot) -> dict[str, Any]:
    told: dict[str, Any] = {"schema": {"$schema": DRAFT, **written(top)}}
    differing = [{"models": _Items(names), "schema": more} for names, more in overlays(top)]
    return {**told, "families": differing} if differing else told


def written(here: Spot) -> dict[str, Any]:
    """A place and all below it as JSON Schema with its evidence."""
    told = {k: _Items(v) if isinstance(v, list) else v for k, v in promise(here).items()}
    told |= _evidence(here.node)
    if here.fields:
        told["properties"] = {key: written(child) for key, child in here.fields.items()}
    if here.values:
        told["additionalProperties"] = written(here.values)
    if here.items:
        told["items"] = written(here.items)
    return told


def _evidence(node: Node) -> dict[str, Any]:
    counts = {name: _Line(_shorter(told)) for name, told in sorted(node.counts.items())}
    told: dict[str, Any] = {"x-exchanges": counts}
    if node.first:
        told["x-seen"] = _Items([node.first, node.last])
    told["x-cites"] = _Items(str(cite) for cite in node.cites)
    if node.words:
        told["x-words"] = _Line(words.written(node.words))
    if node.formats:
        told["x-formats"] = _Items(sorted(node.formats))
    if node.span:
        told["x-range"] = _Items(node.span)
    if node.lengths:
        told["x-lengths"] = _Items(node.lengths)
    return told


_ORDER = ("of", "present", "absent")


def _shorter(told: Mapping[str, int]) -> dict[str, int]:
    """The counts in a fixed order; `present` stands there where some lacked it."""
    names = [*_ORDER, *sorted(set(told) - set(_ORDER))]
    return {
        name: told[name]
        for name in names
        if told.get(name) and not (name == "present" and told[name] == told["of"])
    }


# ------------------------------------------------------------------------------------- reading


class _Wrong(Exception):
    """Something in a contract is not as it should be: where (keys from the top) and what."""

    def __init__(self, where: safe_yaml.KeyPath, what: str) -> None:
        super().__init__(what)
        self.where = where
        self.what = what


def loads(text: str | bytes, source: str = "") -> Contract:
    """Read a contract. Raises BadContract, naming `source` and the line, for anything else."""
    try:
        told = safe_yaml.load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        line = mark.line + 1 if mark else None
        raise BadContract(f"not YAML: {problem}", source, line) from None
    except (ValueError, RecursionError, OverflowError) as error:
        raise BadContract(f"not a contract: {error}", source) from None
    try:
        return _contract(told)
    except _Wrong as wrong:
        path = ".".join(map(str, wrong.where))
        message = f"{path}: {wrong.what}" if path else wrong.what
        raise BadContract(message, source, safe_yaml.line(text, wrong.where)) from None


def _contract(told: LooseJson) -> Contract:
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise _Wrong((), f"not a contract: it should say `format: {FORMAT}`")
    if told.get("version") != VERSION:
        found = told.get("version")
        raise _Wrong(("version",), f"version {found!r:.40}; this reads {VERSION}: learn anew")
    contract = Contract(_sections(told.get("endpoints")), _sources(told.get("learnt_from")))
    _compare(document(contract), told, ())
    return contract


def _sources(told: LooseJson) -> dict[str, Source]:
    found = {}
    for number, item in enumerate(_expect(told, list, ("learnt_from",))):
        where = ("learnt_from", number)
        one = _expect(item, dict, where)
        file, origin, key = (
            _expect(one.get(name), str, (*where, name))
            for name in ("file", "recorded_from", "digest")
        )
        found[key] = Source(file, origin, _count(one.get("exchanges"), (*where, "exchanges")))
    return found


def _sections(told: LooseJson) -> dict[Section, Node]:
    found = {}
    for endpoint, listed in _expect(told, dict, ("endpoints",)).items():
        for name, item in _expect(listed, dict, ("endpoints", endpoint)).items():
            where = ("endpoints", endpoint, name)
            form, _, case = str(name).partition(" ")
            if form not in FORMS:
                raise _Wrong(where, f"no such form; allowed: {', '.join(FORMS)}")
            schema = _expect(item, dict, where).get("schema")
            found[Section(str(endpoint), form, case)] = _node(schema, (*where, "schema"))
    return found


def _node(told: LooseJson, where: safe_yaml.KeyPath) -> Node:
    one = _expect(told, dict, where)
    counts = _counts(one.get("x-exchanges"), (*where, "x-exchanges"))
    strings = any("string" in family for family in counts.values())
    members = _expect(one.get("properties", {}), dict, (*where, "properties"))
    below = {str(key): _node(child, (*where, "properties", key)) for key, child in members.items()}
    first, last = _pair(one.get("x-seen", ["", ""]), str, (*where, "x-seen"))
    return Node(
        counts=counts,
        cites=_cites(one.get("x-cites"), (*where, "x-cites")),
        first=first,
        last=last,
        words=_words(one, (*where, "x-words")) if strings else {},
        formats=frozenset(_strings(one.get("x-formats", []), (*where, "x-formats"))),
        span=_span(one, "x-range", where),
        lengths=_span(one, "x-lengths", where),
        members=below,
        values=_child(one, "additionalProperties", where),
        items=_child(one, "items", where),
    )


def _child(told: dict[str, LooseJson], name: str, where: safe_yaml.KeyPath) -> Node | None:
    return _node(told[name], (*where, name)) if name in told else None


def _counts(told: LooseJson, where: safe_yaml.KeyPath) -> dict[str, dict[str, int]]:
    found = {}
    for family, states in _expect(told, dict, where).items():
        here = (*where, family)
        told_of = _expect(states, dict, here)
        listed = {str(state): _count(n, (*here, state)) for state, n in told_of.items()}
        if "of" not in listed:
            raise _Wrong(here, "it should say `of` how many exchanges")
        everywhere = {"present": listed["of"]} if listed.keys() - {"of", "absent"} else {}
        found[str(family)] = {**everywhere, **listed}
    return found


def _words(told: dict[str, LooseJson], where: safe_yaml.KeyPath) -> dict[str, int] | None:
    if "x-words" not in told:
        return None
    listed = _expect(told["x-words"], dict, where)
    return {str(word): _count(n, (*where, word)) for word, n in listed.items()}


def _cites(told: LooseJson, where: safe_yaml.KeyPath) -> tuple[Cite, ...]:
    return tuple(_cite(text, where) for text in _strings(told, where))


def _cite(text: str, where: safe_yaml.KeyPath) -> Cite:
    file, _, numbers = text.rpartition("#")
    exchange, _, event = numbers.partition(".")
    if not all(n.isascii() and n.isdigit() and len(n) < 10 for n in (exchange, event or "0")):
        raise _Wrong(where, f"{text!r:.80} is not `file#exchange` or `file#exchange.event`")
    return Cite(file, int(exchange), int(event or "0"))


def _span(
    told: dict[str, LooseJson], name: str, where: safe_yaml.KeyPath
) -> tuple[float, float] | None:
    return _pair(told[name], (int, float), (*where, name)) if name in told else None


def _pair(told: LooseJson, kinds: Any, where: safe_yaml.KeyPath) -> tuple[Any, Any]:
    if not (isinstance(told, list) and len(told) == 2 and all(isinstance(v, kinds) for v in told)):
        raise _Wrong(where, "should be a list of two")
    return told[0], told[1]


def _strings(told: LooseJson, where: safe_yaml.KeyPath) -> list[str]:
    return [_expect(item, str, where) for item in _expect(told, list, where)]


def _count(told: LooseJson, where: safe_yaml.KeyPath) -> int:
    if type(told) is not int or not 0 < told < 10**9:
        raise _Wrong(where, f"should be a count, not {told!r:.40}")
    return told


_NAMES = {dict: "a mapping", list: "a list", str: "text"}


def _expect(told: LooseJson, kind: Any, where: safe_yaml.KeyPath) -> Any:
    if not isinstance(told, kind):
        raise _Wrong(where, f"should be {_NAMES[kind]}, not {type(told).__name__}")
    return told


def _compare(ours: LooseJson, theirs: LooseJson, where: safe_yaml.KeyPath) -> None:
    """Refuse the first place where a file says something else than its evidence."""
    if isinstance(ours, dict) and isinstance(theirs, dict) and [*ours] == [*theirs]:
        for key in ours:
            _compare(ours[key], theirs[key], (*where, key))
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for number, pair in enumerate(zip(ours, theirs, strict=True)):
            _compare(*pair, (*where, number))
    elif type(ours) is not type(theirs) or isinstance(ours, dict | list) or ours != theirs:
        raise _Wrong(where, f"{_why(ours, theirs)}; to change it: harness contract accept")


def _why(ours: LooseJson, theirs: LooseJson) -> str:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        odd = sorted(map(str, ours.keys() ^ theirs.keys())) or ["the order"]
        return f"{odd[0]} does not follow from the evidence"
    return f"this does not follow from the evidence, which gives {ours!r:.60}"
