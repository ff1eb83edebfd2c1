"""The search for secrets in a text, which the redactor, the scanner and all commands share.

It finds known secrets in any encoding, and unknown ones by their shape and by the name beside them.
What is escaped, encoded or compressed is searched too; a finding there says how the text is written
without the secret, so that whatever can be found can be masked.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from harness.secrets.names import beside_names, named
from harness.secrets.runs import Run, long_runs
from harness.secrets.shapes import MIN_LENGTH, PLACEHOLDER, Hit, keys
from harness.secrets.texts import (
    MAX_READINGS,
    DecodedRuns,
    Packed,
    Pieces,
    has_words,
    latin,
    packed,
    readings,
    streams,
    written_forms,
)

KNOWN_KEY = "a known key"
"""The kind of a secret that was given, not recognized."""
_MAX_NESTING = 4
"""Largest number of encodings, one inside the other, that are undone."""
_MAX_PASSES = 6
_MAX_STREAM_PASSES = 100


@dataclass(frozen=True, slots=True)
class Found:
    """A part of a text that holds secrets.

    Attributes:
        start: The offset of its first character.
        end: The offset after its last character.
        text: The text to write in its place.
        hits: The secrets, with their offsets in the decoded text.
    """

    start: int
    end: int
    text: str
    hits: tuple[Hit, ...]


@dataclass(frozen=True, eq=False)
class Search:
    """The search of texts for given secrets in any encoding, and for what looks like a secret.

    Texts have one character for each byte (latin-1).

    Attributes:
        secrets: The known secrets; those shorter than `MIN_LENGTH` are ignored.
    """

    secrets: tuple[str, ...] = field(repr=False, default=())
    _forms: tuple[tuple[str, str], ...] = field(init=False, repr=False, default=())

    def __post_init__(self) -> None:
        secrets_by_form = {
            latin(form): secret
            for secret in sorted(self.secrets, key=len)
            if len(secret) >= MIN_LENGTH
            for form in sorted(written_forms(secret))
        }
        longest_first = sorted(secrets_by_form.items(), key=lambda pair: (-len(pair[0]), pair[0]))
        object.__setattr__(self, "_forms", tuple(longest_first))

    def find(self, text: str, name: str = "", depth: int = 0) -> list[Found]:
        """Return the parts of *text* that hold secrets, in order; none overlaps another.

        *name* is the name of the header, member or parameter whose value *text* is; it may mark the
        text as secret. *depth* is the number of encodings around *text* that were already undone.
        """
        if len(text) < MIN_LENGTH:
            return []
        find = _found_again if len(text) <= _LONGEST_KEPT else _found
        return find(self, text, name, depth)

    def _found(self, text: str, name: str, depth: int) -> list[Found]:
        found: list[Found] = []
        seen = DecodedRuns()
        is_noise = depth > 0 and not has_words(text)
        is_binary = is_noise or (depth > 0 and "\0" in text)
        for reading in readings(text, 0 if is_binary else MAX_READINGS):
            runs = long_runs(reading.text)
            data = packed(reading.text, runs, seen) if depth < _MAX_NESTING else ()
            inside = [*self._packed(data, depth + 1)]
            # Base64 of a known key stays base64; what only looks like a key is masked as a whole.
            inside.sort(key=lambda part: part.hits[0].kind != KNOWN_KEY)
            hits = self._known(reading.text) if is_noise else self._hits(reading.text, name, runs)
            outside = (Found(hit.start, hit.end, PLACEHOLDER, (hit,)) for hit in hits)
            here = _apart([*inside, *outside])
            spans = reading.origin([(part.start, part.end) for part in here])
            found += [
                Found(start, end, part.text, part.hits)
                for (start, end), part in zip(spans, here, strict=True)
            ]
        return _apart(found, union=True)

    def in_readings(self, text: str) -> list[Found]:
        """Return the parts of *text* that hold secrets, also behind escapes of JSON, URLs and HTML.

        Base64 and compressed data are not decoded. A text without five printable ASCII characters
        in a row is searched for known secrets only.
        """
        return self.find(text, depth=_MAX_NESTING)

    def mask(self, text: str, name: str = "") -> str:
        """Return *text* with a placeholder for each secret.

        *name* is the name of the header, member or parameter whose value *text* is; it may mark the
        text as secret. A secret that is a part of the placeholder itself stays.
        """
        for _ in range(_MAX_PASSES):
            found = self.find(text, name)
            if not found:
                break
            text = replaced(text, found)
        return text

    def find_in_streams(self, body: bytes) -> Iterator[tuple[Pieces, list[Found]]]:
        """Yield (text, parts of it with secrets) for each text that a stream sends in pieces.

        *body* is the body of the stream. Texts without secrets are left out.
        """
        for pieces in streams(body):
            if found := self.find(latin(pieces.text)):
                yield pieces, found

    def mask_streams(self, body: bytes) -> bytes:
        """Return the body of a stream with a placeholder for each secret that is sent in pieces."""
        for _ in range(_MAX_STREAM_PASSES):
            in_pieces = next(self.find_in_streams(body), None)
            if in_pieces is None:
                break
            pieces, found = in_pieces
            before = body
            body = pieces.replaced([(part.start, part.end, part.text) for part in found])
            if body == before:
                break
        return body

    def _hits(self, text: str, name: str, runs: Sequence[Run]) -> tuple[Hit, ...]:
        hits = (*self._known(text), *keys(text, runs), *beside_names(text))
        return (*hits, *named(text, name)) if name else hits

    def _known(self, text: str) -> Iterator[Hit]:
        for form, secret in self._forms:
            start = text.find(form)
            while start >= 0:
                yield Hit(start, start + len(form), KNOWN_KEY, secret)
                start = text.find(form, start + len(form))

    def _packed(self, data: Iterable[Packed], depth: int) -> Iterator[Found]:
        """Yield each piece of encoded data that has secrets, with its text without them."""
        for part in data:
            if found := self.find(part.plain, depth=depth):
                text = part.pack(replaced(part.plain, found))
                hits = tuple(hit for inner in found for hit in inner.hits)
                yield Found(part.start, part.end, text, hits)


_found = Search._found
_found_again = lru_cache(maxsize=4096)(_found)
"""Short texts come again and again: headers, names, and the data in ids that look like base64."""
_LONGEST_KEPT = 100


def _apart(found: Sequence[Found], *, union: bool = False) -> list[Found]:
    """Return the parts in order, without those that overlap an earlier one of the list.

    With *union*, parts that overlap and are masked as a whole become one part: what a secret looks
    like may be cut short by an escape in it, which another reading undoes.
    """
    accepted: list[Found] = []
    starts: list[int] = []
    for part in found:
        first = bisect_left(starts, part.start)
        first -= first > 0 and accepted[first - 1].end > part.start
        last = bisect_left(starts, part.end)
        if first < last:
            others = accepted[first:last]
            if not union or any(other.text != PLACEHOLDER for other in (part, *others)):
                continue
            start, end = min(others[0].start, part.start), max(others[-1].end, part.end)
            known = (each for each in (*others, part) if each.hits[0].kind == KNOWN_KEY)
            part = replace(next(known, others[0]), start=start, end=end)
        accepted[first:last] = [part]
        starts[first:last] = [part.start]
    return accepted


def replaced(text: str, found: Sequence[Found]) -> str:
    """Return *text* with each part in *found*, in order of offset, replaced by its `text`."""
    pieces, end = [], 0
    for part in found:
        pieces += [text[end : part.start], part.text]
        end = part.end
    return "".join((*pieces, text[end:]))
