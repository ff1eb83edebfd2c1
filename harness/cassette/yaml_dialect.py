"""The loader and the dumper of cassettes, apart since importing PyYAML takes 10 milliseconds."""

from __future__ import annotations

import base64
import sys
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
        """Return the tag of a node that is written without a tag, such as `tag:yaml.org,2002:int`.

        It is the tag that PyYAML would give, found in less time. *kind* is the class of the node
        and *value* its text. The first item of *implicit* is false for a quoted text, which is
        always a string.
        """
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
    """Return the document in a YAML text. Raises yaml.YAMLError if the text is invalid."""
    return Loader(text).get_single_data()


class NotPlain(Exception):
    """Raised for YAML with aliases, tagged collections, keys that are not text, or deep nesting."""


def plain_document(text: str | bytes, depth: int) -> Any:
    """Return the document in a YAML text, with less memory than `document` needs.

    It is built from PyYAML's events, since its nodes take 20 times the memory of the text. Only
    untagged mappings and lists, without aliases and with keys that are text, can be read so.

    Raises:
        NotPlain: The text has anything else, or more than *depth* nested levels. Use `document`.
        yaml.YAMLError: The text is not valid YAML.
    """
    loader = Loader(text)
    documents: list[Any] = []
    stack: list[Any] = [documents]
    names: list[str | None] = [None]
    while (event := loader.get_event()) is not None:
        kind = type(event)
        if kind is yaml.ScalarEvent:
            value, is_text = _scalar(loader, event)
        elif isinstance(event, yaml.CollectionStartEvent) and event.tag is None:
            value, is_text = {} if kind is yaml.MappingStartEvent else [], False
        elif isinstance(event, yaml.CollectionEndEvent):
            stack.pop()
            names.pop()
            continue
        elif isinstance(event, yaml.NodeEvent) or len(documents) > 1:
            raise NotPlain
        else:
            continue
        parent, name = stack[-1], names[-1]
        if type(parent) is list:
            parent.append(value)
        elif name is not None:
            parent[name], names[-1] = value, None
        elif is_text and value not in parent:
            names[-1] = sys.intern(value)
        else:
            raise NotPlain
        if kind is not yaml.ScalarEvent:
            stack.append(value)
            names.append(None)
            if len(stack) > depth:
                raise NotPlain
    return documents[0] if documents else None


def _scalar(loader: Loader, event: Any) -> tuple[Any, bool]:
    """Return the value of a scalar, and whether it is a text. Raises NotPlain."""
    tag = event.tag or loader.resolve(yaml.ScalarNode, event.value, event.implicit)
    if tag == _STR:
        return event.value, True
    node = yaml.ScalarNode(tag, event.value, event.start_mark, event.end_mark)
    try:
        value = loader.construct_object(node)
    except yaml.constructor.ConstructorError:  # a merge, or an error that has its place there
        raise NotPlain from None
    loader.constructed_objects.clear()
    return value, False


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
