"""The loader and the dumper of cassettes, apart since PyYAML takes ten milliseconds to import."""

from __future__ import annotations

import base64
from typing import Any

import yaml

from harness.cassette.safe_yaml import FlowDict, FlowList

_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
MAX_DIGITS = 1000
"""The greatest length of a number: Python takes minutes to convert some longer ones."""


_RESOLVERS: dict[str, list[Any]] = yaml.SafeLoader.yaml_implicit_resolvers
_STR, _SEQ, _MAP = (f"tag:yaml.org,2002:{name}" for name in ("str", "seq", "map"))


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """PyYAML's safe loader, which also accepts the harmless Python tags that vcrpy writes."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
        """Return the tag of a node without one, as PyYAML does, which looks further each time."""
        if kind is not yaml.ScalarNode:
            return _MAP if kind is yaml.MappingNode else _SEQ
        for tag, pattern in _RESOLVERS.get(value[:1], ()) if implicit[0] else ():
            if pattern.match(value):
                return str(tag)
        return _STR

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        """Return the value of *node*. Raises ConstructorError if it does not fit the node's tag."""
        try:
            if node.tag in _NUMBERS and len(node.value) > MAX_DIGITS:
                raise ValueError
            return super().construct_object(node, deep)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            tag = node.tag.rpartition(":")[2]
            raise yaml.constructor.ConstructorError(
                None, None, f"this cannot be read as {tag}", node.start_mark
            ) from None

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        """Return the value of a mapping. Raises ConstructorError if a key occurs twice.

        PyYAML takes the last of the two; a careless merge would lose the exchanges of the first.
        """
        seen: set[str] = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                if key.value in seen:
                    problem = f"the key {key.value!r:.40} occurs twice"
                    raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def document(text: str | bytes) -> Any:
    """Return the document in a YAML text. Raises yaml.YAMLError."""
    loader = Loader(text)
    node = loader.get_single_node()
    return None if node is None else _value(loader, node)


def _value(loader: Loader, node: Any) -> Any:
    """Return the value of a node: of what cassettes are made of, in less steps than PyYAML."""
    kind, tag = type(node), node.tag
    if kind is yaml.ScalarNode and tag == _STR:
        return node.value
    if kind is yaml.MappingNode and tag == _MAP:
        members = {
            key.value: value
            for key, value in node.value
            if key.tag == _STR and type(key) is yaml.ScalarNode
        }
        if len(members) == len(node.value):
            return {key: _value(loader, value) for key, value in members.items()}
    if kind is yaml.SequenceNode and tag == _SEQ:
        return [_value(loader, item) for item in node.value]
    return loader.construct_object(node, deep=True)


class Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """PyYAML's safe dumper, without aliases, so that its output is easy to review as a diff."""

    def ignore_aliases(self, data: object) -> bool:
        """Return True, so that equal headers are repeated instead of written as `*id001`."""
        return True


def _text(dumper: Any, text: str) -> Any:
    """Return the YAML node of a text: a literal block if it has several lines, such as a stream."""
    return dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    )


def _flow_list(dumper: Any, items: FlowList) -> Any:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=True)


def _flow_dict(dumper: Any, members: FlowDict) -> Any:
    return dumper.represent_mapping("tag:yaml.org,2002:map", members, flow_style=True)


def _file_body(loader: Any, node: Any) -> bytes:
    """Return the bytes of a request body that was a file, which vcrpy writes as a pickled buffer.

    Raises TypeError if the buffer holds anything else than text or bytes.
    """
    state = loader.construct_mapping(node, deep=True).get("state") or (b"",)
    content = state[0] if state else b""
    if not isinstance(content, str | bytes):
        raise TypeError
    return content.encode() if isinstance(content, str) else content


def _boolean(loader: Any, node: Any) -> bool | str:
    """Return true and false as booleans, and `yes`, `no`, `on`, `off` as text, as YAML 1.2 does."""
    text = node.value.lower()
    value = bool(loader.bool_values[text])
    return value if text in ("true", "false") else str(node.value)


def _binary(loader: Any, node: Any) -> bytes:
    """Return the bytes in base64. Raises ValueError for text that is not; PyYAML skips it."""
    return base64.b64decode("".join(loader.construct_scalar(node).split()), validate=True)


Dumper.add_representer(str, _text)
Dumper.add_representer(FlowList, _flow_list)
Dumper.add_representer(FlowDict, _flow_dict)
Loader.add_constructor(
    "tag:yaml.org,2002:python/tuple", lambda loader, node: loader.construct_sequence(node)
)
Loader.add_constructor("tag:yaml.org,2002:bool", _boolean)
Loader.add_constructor("tag:yaml.org,2002:binary", _binary)
for _tag in ("python/str", "python/unicode"):
    Loader.add_constructor(
        f"tag:yaml.org,2002:{_tag}", lambda loader, node: loader.construct_scalar(node)
    )
Loader.add_constructor("tag:yaml.org,2002:python/object/new:_io.BytesIO", _file_body)
