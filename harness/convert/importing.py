"""The import of a file: recognise its format, remove secrets, report losses."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from harness.analysis.endpoint import Role
from harness.cassette.artefacts import CassetteFiles, to_files, with_artefacts
from harness.cassette.reader import loads
from harness.cassette.store import file_bytes
from harness.cassette.vcrpy_check import check_vcrpy_reads
from harness.convert import aimock, cassettes, curl, har, otel
from harness.convert.cassettes import modernized
from harness.convert.converted import NO_DATE, Converted
from harness.errors import BadCassette
from harness.providers.endpoints import HEADERS, recognise
from harness.providers.recordings import read_masked
from harness.secrets.redactor import Redactor
from harness.types import Cassette, Exchange, Provenance
from harness.wire import read_json
from harness.wire.codings import inflate

Read = Callable[[bytes, str], Converted]

IMPORTS: Mapping[str, Read] = MappingProxyType(
    {
        "har": har.read,
        "otel": otel.read,
        "aimock": aimock.read,
        "curl": curl.read,
        "toml": cassettes.read_toml,
        "cassette": cassettes.read,
    }
)
"""The readers of the forms that are imported, by name."""


def form_of(content: bytes) -> str:
    """Return the format of a file's *content*: a key of `IMPORTS`; `cassette` if no other fits."""
    content = _as_utf8(content)
    document = read_json(content)
    if not document.problem:
        for name, module in (("har", har), ("otel", otel), ("aimock", aimock)):
            if module.reads(document.value):
                return name
    first = read_json(content.partition(b"\n")[0])
    if not first.problem and otel.reads(first.value):
        return "otel"
    text = content.decode("utf-8", "replace")
    if document.problem and cassettes.reads_toml(text):
        return "toml"
    return "curl" if curl.reads(text) else "cassette"


def load(
    path: Path, form: str = "", secrets: Iterable[str] = (), keep_all: bool = False
) -> tuple[CassetteFiles, Converted]:
    """Convert a file of another tool to a cassette, without secrets; nothing is written.

    Args:
        path: The file.
        form: The name of the format, one of `IMPORTS`; by default it is recognised.
        secrets: Texts that are removed, besides what looks like a secret.
        keep_all: Whether exchanges with unknown services are kept too. If all services are unknown,
            all exchanges are kept.

    Returns:
        The files of the cassette, to be written, and its exchanges with what the source lacks.

    Raises:
        BadCassette: The file cannot be read, or has no exchange.
        SecretNotRedacted: A secret cannot be removed.
    """
    content = _as_utf8(_inflated(_bytes(path)))
    converted = _without_invalid(IMPORTS[form or form_of(content)](content, str(path)), path)
    known = [exchange for exchange in converted.exchanges if _is_known(exchange)]
    if known and not keep_all:
        others = len(converted.exchanges) - len(known)
        if others:
            converted.skip(str(path), f"{others} requests to services that are not known (--all)")
        converted.exchanges = known
    if not converted.exchanges:
        why = f": {converted.skipped[0]}" if converted.skipped else ""
        raise BadCassette(f"no exchange can be imported{why}", path)
    redactor = Redactor(tuple(secrets), HEADERS)
    clean = tuple(redactor.exchange(exchange) for exchange in converted.exchanges)
    for before, after in zip(converted.exchanges, clean, strict=True):
        if _header_names(before) != _header_names(after):
            converted.lose(_OWN_HEADERS)
    note = redactor.text(f"imported from {path.name}")
    cassette = Cassette(clean, Provenance(note=note))
    files = to_files(cassette)
    check_vcrpy_reads(files, cassette)
    return files, replace(converted, exchanges=[*clean])


_OWN_HEADERS = "headers that no recording keeps, such as Connection and User-Agent"


def _header_names(exchange: Exchange) -> list[str]:
    return [name for name, _ in (*exchange.request.headers, *exchange.response.headers)]


def _bytes(path: Path) -> bytes:
    try:
        return file_bytes(path)
    except OSError as error:
        raise BadCassette(f"cannot be read: {error.strerror}", path) from None


def _inflated(content: bytes) -> bytes:
    """Return a compressed file, such as the `.zhar` of mitmproxy, as it was before."""
    inflated = inflate(content)
    return inflated.data if inflated and inflated.complete else content


def _as_utf8(content: bytes) -> bytes:
    """Return a text without its byte order mark, and in UTF-8 if the mark is that of UTF-16."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", "replace").encode()
    return content.removeprefix(codecs.BOM_UTF8)


def _without_invalid(converted: Converted, path: Path) -> Converted:
    """Return what was read without exchanges of no valid URL and times that are no date."""
    kept: list[Exchange] = []
    for number, exchange in enumerate(converted.exchanges, start=1):
        try:
            _texts(exchange).encode()
            urlsplit(exchange.request.uri).port  # noqa: B018 - it raises for an invalid one
        except UnicodeEncodeError:
            converted.skip(f"{path}, exchange {number}", "its URL or headers are not valid text")
            continue
        except ValueError as error:
            converted.skip(f"{path}, exchange {number}", f"its URL is not valid: {error}")
            continue
        if exchange.timing is not None and not 0 <= exchange.timing.start < _LATEST:
            exchange = replace(exchange, timing=None)
            converted.lose(NO_DATE)
        kept.append(exchange)
    return replace(converted, exchanges=kept)


def _texts(exchange: Exchange) -> str:
    """Return what an exchange has besides bodies, as one text."""
    request, response = exchange.request, exchange.response
    headers = (text for pair in (*request.headers, *response.headers) for text in pair)
    return "".join((request.method, request.uri, response.reason, *headers))


_LATEST = 253_402_300_800
"""The first second of the year 10000, since 1970."""


def _is_known(exchange: Exchange) -> bool:
    endpoint = recognise(exchange)
    return endpoint is not None and endpoint.role is not Role.OTHER


def read_any(path: Path, secrets: Iterable[str] = ()) -> Cassette:
    """Return the cassette in a file of the harness or of another tool, without secrets.

    *secrets* are texts that are removed from a file of another tool, besides what looks like a
    secret. Raises BadCassette if the file cannot be read, or has no exchange.
    """
    content = _bytes(path)
    plain = _inflated(content)
    if modernized(plain, str(path)) is content and form_of(content) == "cassette":
        return read_masked(path)
    files, _ = load(path, "", secrets)
    cassette = loads(files.text, str(path))
    return with_artefacts(cassette, lambda index, artefact: files.artefacts[artefact.name])
