"""The server of `harness view`: pages of recordings, made when they are requested.

It listens on this machine only, and writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from harness.cassette.journal import journal_path, read_journal
from harness.cassette.store import find, read_provenance
from harness.cassette.workers import cores, in_order
from harness.errors import HarnessError, NoCassette
from harness.locale import Language, in_language
from harness.providers.masking import text_masker
from harness.providers.recordings import read_cassette
from harness.report.build import check_report, compare_report, served_report
from harness.report.forks import Recording
from harness.report.html.page import index, report
from harness.report.model import Cell, Report
from harness.types import Cassette, Provenance

PER_PAGE = 50
"""The number of recordings on a page of the list."""

MANY = 200
"""The number of recordings from which on they are checked in several processes."""

_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_SECONDS = 2
"""The interval at which the page of a running recording, or an empty list, is loaded again."""

Version = tuple[int, int]
"""The time of change and the size of a file."""


@dataclass(frozen=True, slots=True)
class ListedRecording:
    """A recording in the list.

    Attributes:
        path: the path of the file.
        name: the path, without that of the folder if all recordings are below one folder.
        cell: the result and the figures; None if the file cannot be read.
        size: the size of the file in bytes.
        recording: the place in the tree of recordings.
    """

    path: str
    name: str
    cell: Cell | None
    size: int
    recording: Recording


class Viewer:
    """The recordings in some files and folders, and the pages about them.

    The content of a file is cached until the file changes.
    """

    def __init__(self, paths: Sequence[Path], language: Language) -> None:
        self._paths = list(paths)
        self._language = language
        self._cells: dict[Path, tuple[Version, Cell | None]] = {}
        self._tree: dict[Path, tuple[Version, Recording]] = {}
        self._mask: Callable[[str], str] = text_masker()

    def application(self) -> Starlette:
        """Return the ASGI application; it refuses requests for other hosts than this machine."""
        hosts = Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])
        pages = {
            "/": self._list,
            "/show": self._show,
            "/compare": self._compare,
            "/live": self._live,
        }
        routes = [Route(path, self._guarded(page)) for path, page in pages.items()]
        return Starlette(routes=routes, middleware=[hosts])

    def _guarded(self, page: Callable[[Request], Response]) -> Callable[[Request], Response]:
        def guarded(request: Request) -> Response:
            try:
                with in_language(self._language):
                    response = page(request)
            except HarnessError as error:
                response = PlainTextResponse(self._mask(f"{error}\n"), 400)
            response.headers.update(_HEADERS)
            return response

        return guarded

    # ------------------------------------------------------------------------------- the list

    def _list(self, request: Request) -> Response:
        asked = request.query_params
        words, folder = asked.get("q", "").lower().split(), asked.get("folder", "")
        failed, number = "failed" in asked, max(1, int(asked.get("page", "1")[:6] or 1))
        every = self._files(folder)
        hits = [path for path in every if _has(path, words)] if words else every
        if failed:
            self._check(hits)
        rows = [self._row(path) for path in hits] if failed else []
        rows = [row for row in rows if row.cell is None or row.cell.errors]
        start = (number - 1) * PER_PAGE
        many = len(rows) if failed else len(hits)
        shown = (
            rows[start : start + PER_PAGE]
            if failed
            else [self._row(path) for path in hits[start : start + PER_PAGE]]
        )
        return HTMLResponse(
            index(
                rows=shown,
                running=[str(path) for path in self._running()],
                folders=[str(path) for path in self._paths],
                query={"q": asked.get("q", ""), "folder": folder, "failed": failed},
                many=many,
                every=len(every),
                refresh=0 if every else _SECONDS,
                page=number,
                pages=-(-many // PER_PAGE),
            )
        )

    def _files(self, folder: str = "") -> list[Path]:
        """Return the recordings that are there now, in one of the paths or in all."""
        found: list[Path] = []
        for path in [path for path in self._paths if str(path) == folder] or self._paths:
            with suppress(NoCassette):  # nothing was recorded yet
                found += find([path])
        return found

    def _running(self) -> Iterator[Path]:
        """Yield the cassettes that are being recorded."""
        for folder in self._paths:
            for journal in sorted(folder.rglob(".*.journal")) if folder.is_dir() else ():
                yield journal.with_name(journal.name[1:].removesuffix(".journal"))

    def _check(self, paths: Sequence[Path]) -> None:
        """Check the recordings that are not known as they are now, many of them in processes."""
        versions = {path: _version(path) for path in paths}
        new = [path for path in paths if self._cells.get(path, (None,))[0] != versions[path]]
        for path, cell in zip(
            new, in_order(_cell, new, cores() if len(new) > MANY else 1), strict=True
        ):
            self._cells[path] = (versions[path], cell)

    def _row(self, path: Path) -> ListedRecording:
        self._check([path])
        version = self._cells[path][0]
        is_below = len(self._paths) == 1 and path.is_relative_to(self._paths[0])
        name = path.relative_to(self._paths[0]) if is_below else path
        shown = path.name if name == Path() else str(name)
        return ListedRecording(
            str(path), shown, self._cells[path][1], version[1], self._recording(path)
        )

    def _recording(self, path: Path) -> Recording:
        """Return a recording's place in the tree; only the head of its file is read."""
        version = _version(path)
        if path not in self._tree or self._tree[path][0] != version:
            try:
                provenance = read_provenance(path)
            except HarnessError:
                provenance = Provenance()
            link = f"/show?{urlencode({'f': str(path)})}"
            self._tree[path] = (version, Recording.of(provenance, link))
        return self._tree[path][1]

    # ------------------------------------------------------------------------------ the pages

    def _chosen(self, request: Request, least: int) -> list[Path]:
        """Return the recordings that a request names.

        Raises HarnessError for fewer than *least*, or a file that is not in the list.
        """
        known = {str(path): path for path in self._files()}
        names = list(dict.fromkeys(request.query_params.getlist("f")))
        if len(names) < least or not {*names} <= {*known}:
            raise HarnessError(f"choose at least {least} of the recordings in the list")
        return [known[name] for name in names]

    def _show(self, request: Request) -> Response:
        checked = check_report(self._chosen(request, 1), lambda text: None)
        others = [self._recording(path) for path in self._files()]
        return HTMLResponse(report(checked, home="/", others=others))

    def _compare(self, request: Request) -> Response:
        reads = [read_cassette(path) for path in self._chosen(request, 2)]
        return HTMLResponse(report(compare_report([reads], lambda error: None), home="/"))

    def _live(self, request: Request) -> Response:
        """Return the page of a running recording, which loads itself again until it has ended."""
        name = request.query_params.get("f", "")
        path = next((path for path in self._running() if str(path) == name), None)
        try:
            content = read_journal(journal_path(path).read_bytes()) if path else None
        except FileNotFoundError:
            content = None
        if content is None:
            return RedirectResponse(str(request.url.replace(path="/show")), 303)
        provenance = content.head.provenance if content.head else Cassette(()).provenance
        cassette = Cassette(content.exchanges, provenance=provenance)
        running: Report = replace(served_report({name: cassette}, ()), title="Recording")
        return HTMLResponse(report(running, home="/", refresh=_SECONDS))


def _cell(path: Path) -> Cell | None:
    return next(iter(check_report([path], lambda text: None).overview), None)


def _version(path: Path) -> Version:
    about = path.stat()
    return about.st_mtime_ns, about.st_size


def _has(path: Path, words: Sequence[str]) -> bool:
    """Return whether a file's path or text has all *words*."""
    text = f"{path}\n".lower().encode() + path.read_bytes().lower()
    return all(word.encode() in text for word in words)
