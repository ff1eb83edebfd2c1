"""References in a step to the answer of an earlier step, such as `{{ steps.first.content }}`.

A reference is `{{ steps.NAME.FIELD }}` or `{{ steps.NAME.FIELD#POINTER }}`: the name of an earlier
step, a field of its answer, and a JSON pointer into the field. Braces after a backslash are not a
reference.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass

from harness.types import Json, Outcome, Reply
from harness.wire import MISSING, Missing, compact, read_json, resolve

_BRACES = re.compile(r"\{\{\s*steps?\b")
_BEGINNING = re.compile(rf"(?<!\\){_BRACES.pattern}")
_REFERENCE = re.compile(
    r"\{\{ *steps\.(?P<name>[a-z0-9\u3400-\u9fff-]+)\.(?P<field>[a-z_]+)"
    r"(?:#(?P<pointer>(?:/(?:[^/~{}\s]|~[01])*)+))? *\}\}"
)
_LITERAL = re.compile(r"\\(?=\{\{\s*steps?\b)")
_FORM = "expected {{ steps.NAME.FIELD }} or {{ steps.NAME.FIELD#/JSON/POINTER }}"


class BadReference(Exception):
    """Raised for a reference that is malformed or has no value. Its text says what to do."""


def _as_json(text: str | None) -> Json | Missing:
    document = read_json((text or "").encode())
    return MISSING if document.problem else document.value


def _tool_calls(reply: Reply) -> Json | Missing:
    calls: list[Json] = []
    for call in reply.tool_calls:
        arguments = _as_json(call.arguments)
        given = call.arguments if isinstance(arguments, Missing) else arguments
        calls.append({"name": call.name, "arguments": given})
    return calls or MISSING


REPLY_FIELDS: Mapping[str, Callable[[Reply], Json | Missing]] = {
    "content": lambda reply: reply.content or MISSING,
    "reasoning": lambda reply: reply.reasoning or MISSING,
    "tool_calls": _tool_calls,
    "image": lambda reply: reply.images[0].url if reply.images else MISSING,
    "file": lambda reply: (reply.files[0].url if reply.files else "") or MISSING,
    "ranking": lambda reply: [asdict(one) for one in reply.ranking] or MISSING,
}
"""The fields of an answer: its text, its reasoning, its tool calls, the URL of its first image and
of its first file, and its ranking."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference to a value in the answer of an earlier step.

    Attributes:
        text: The reference as it is written.
        name: The name of the step.
        field: The name of a field of the step's answer, such as `content`.
        pointer: A JSON pointer into the field; empty for all of it.
    """

    text: str
    name: str
    field: str
    pointer: str

    def problem(self, names: Mapping[str, bool]) -> str:
        """Return what is wrong with the reference; empty if nothing is.

        Args:
            names: The earlier steps by name; the value is whether live recordings skip the step.
        """
        parts: tuple[tuple[str, str, Collection[str]], ...] = (
            ("earlier step", self.name, names),
            ("field of an answer", self.field, REPLY_FIELDS),
        )
        for thing, value, allowed in parts:
            if value not in allowed:
                near = difflib.get_close_matches(value, allowed, n=1)
                guess = f"; did you mean {near[0]!r}?" if near else ";"
                listed = ", ".join(allowed) or "none; give an earlier call a name"
                return f"{self.text} names no {thing}{guess} there are: {listed}"
        if names[self.name]:
            return f"{self.text} names a sandbox_only step; this step must be sandbox_only too"
        return ""

    def value(self, outcomes: Mapping[str, Outcome]) -> Json:
        """Return the referenced value. Raises BadReference if the answer does not have it.

        *outcomes* has the outcomes of earlier steps, by the names of the steps.
        """
        outcome = outcomes.get(self.name)
        if not isinstance(outcome, Reply):
            raise BadReference(f"{self.text} has no value: the step {self.name!r} was not answered")
        whole = REPLY_FIELDS[self.field](outcome)
        if isinstance(whole, Missing):
            raise BadReference(f"{self.text} has no value: the answer has no {self.field}")
        if not self.pointer:
            return whole
        document = _as_json(whole) if isinstance(whole, str) else whole
        if isinstance(document, Missing):
            raise BadReference(f"{self.text} has no value: the {self.field} is not JSON")
        value = resolve(document, self.pointer)
        if isinstance(value, Missing):
            raise BadReference(
                f"{self.text} has no value: the {self.field} has no {self.pointer}; "
                f"it is {compact(document)[:200]}"
            )
        return value


def references(value: Json) -> Iterator[Reference]:
    """Yield the references in all texts of a value. Raises BadReference for a malformed one."""
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from references(item)
    if isinstance(value, str):
        for _, reference in _located(value):
            yield reference


def _located(text: str) -> Iterator[tuple[int, Reference]]:
    """Yield where each reference in *text* begins, and the reference."""
    if "{{" not in text:
        return
    for beginning in _BEGINNING.finditer(text):
        match = _REFERENCE.match(text, beginning.start())
        if match is None:
            shown = text[beginning.start() :].partition("}}")[0][:60] + "}}"
            raise BadReference(f"{shown} is not a valid reference; {_FORM}")
        reference = Reference(match[0], match["name"], match["field"], match["pointer"] or "")
        yield match.start(), reference


def with_texts(value: Json, change: Callable[[str], Json]) -> Json:
    """Return *value* with *change* applied to each text in it; keys are kept."""
    if isinstance(value, dict):
        return {name: with_texts(item, change) for name, item in value.items()}
    if isinstance(value, list):
        return [with_texts(item, change) for item in value]
    return change(value) if isinstance(value, str) else value


def escaped(value: Json) -> Json:
    """Return *value* with a backslash before each reference in its texts, to send it as text."""
    return with_texts(value, lambda text: _BRACES.sub(r"\\\g<0>", text))


def resolved(value: Json, outcomes: Mapping[str, Outcome]) -> Json:
    """Return *value* with each reference in its texts replaced by the value that it refers to.

    *outcomes* has the outcomes of earlier steps, by the names of the steps. A text that is only a
    reference becomes the referenced value, of any type. Within a longer text, a referenced value
    that is not a text is written as JSON.

    Raises:
        BadReference: An answer does not have a referenced value.
    """

    def change(text: str) -> Json:
        found = [*references(text)]
        if found and found[0].text == text.strip():
            return found[0].value(outcomes)
        return resolved_text(text, outcomes)

    return with_texts(value, change)


def resolved_text(text: str, outcomes: Mapping[str, Outcome]) -> str:
    """Return *text* with each reference replaced by the value that it refers to, as text or JSON.

    *outcomes* has the outcomes of earlier steps, by the names of the steps. Raises BadReference if
    an answer does not have a referenced value.
    """
    if "{{" not in text:
        return text
    parts, end = [], 0
    for start, reference in _located(text):
        value = reference.value(outcomes)
        parts += [text[end:start], value if isinstance(value, str) else compact(value)]
        end = start + len(reference.text)
    plain = [part if number % 2 else _LITERAL.sub("", part) for number, part in enumerate(parts)]
    return "".join([*plain, _LITERAL.sub("", text[end:])])


def settled(step: Mapping[str, Json], outcomes: Mapping[str, Outcome]) -> dict[str, Json]:
    """Return the JSON of a step with its references to steps in *outcomes* replaced by the values.

    *outcomes* has the outcomes of earlier steps, by the names of the steps. References to other
    steps are kept.

    Raises:
        BadReference: An answer does not have a referenced value.
    """
    return {name: _settled(part, outcomes, name in VALUES) for name, part in step.items()}


VALUES = frozenset({"messages", "parameters", "tool_results"})
"""The parts of a step in which a text that is nothing but a reference may become any value."""


def _settled(value: Json, outcomes: Mapping[str, Outcome], is_value: bool) -> Json:
    def change(text: str) -> Json:
        parts, end = [], 0
        for start, reference in _located(text):
            if reference.name in outcomes:
                found = escaped(reference.value(outcomes))
                if is_value and reference.text == text.strip():
                    return found
                parts += [text[end:start], found if isinstance(found, str) else compact(found)]
                end = start + len(reference.text)
        return "".join([*parts, text[end:]])

    return with_texts(value, change)
