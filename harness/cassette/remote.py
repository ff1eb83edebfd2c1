"""Folders of cassettes in a store that fsspec knows, such as `s3://bucket/cassettes`.

A file in a store is read from a copy on this machine, and `RemotePath` is the path of that copy:
it is opened like any other path, and shown as the file's address. `location` turns an address into
such a path, and brings the copies below it up to date; `upload` writes a file, to the store first.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from harness.cassette.oss import OssStore
from harness.config.extras import extra, install_command
from harness.config.files import LARGEST, cache_folder
from harness.errors import CannotWrite, HarnessError, MissingExtra

_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+):/+(.+)", re.DOTALL)
"""An address. `Path` leaves one slash of the two: `s3:/bucket`."""
_MIRROR = "cassettes-of-stores"
"""The name of the folder with all copies."""
_LOCAL = ("file", "local")
_EXTRAS = {"s3": "s3", "s3a": "s3", "oss": "oss"}
"""The extra with the package for the stores of a scheme; fsspec alone knows those of others."""
_PART = 64 * 2**20
"""The number of bytes that are fetched at once, besides one file."""
_MOST = 500
"""The number of files that are fetched at once."""

around_access: list[Callable[[], AbstractContextManager[None]]] = []
"""The contexts in which stores are accessed: that of the network guard lets the access pass."""


if TYPE_CHECKING:
    _LocalPath = Path
else:
    _LocalPath = type(Path())


class RemotePath(_LocalPath):
    """The path of the local copy of a file or folder in a store.

    `str()` returns the address, such as `s3://bucket/one.yaml`, and `os.fspath()` the path.
    """

    __slots__ = ()

    @property
    def key(self) -> str:
        """The name in the store: the address without its scheme, such as `bucket/one.yaml`."""
        return os.fspath(self).partition(f"{os.sep}{_MIRROR}{os.sep}")[2].partition(os.sep)[2]

    @property
    def scheme(self) -> str:
        """The scheme of the address, such as `s3`."""
        name = os.fspath(self).partition(f"{os.sep}{_MIRROR}{os.sep}")[2].partition(os.sep)[0]
        return name.rpartition("-")[0]

    def __str__(self) -> str:
        return f"{self.scheme}://{self.key}"

    def __fspath__(self) -> str:
        return str(super().__str__())

    def __reduce__(self) -> Any:
        return _path, (self.scheme, self.key)


def is_address(path: Path | str) -> bool:
    """Return whether *path* is the address of a store, and not a file or folder of this machine."""
    return (
        not isinstance(path, RemotePath)
        and _ADDRESS.fullmatch(str(path)) is not None
        and not os.path.lexists(path)
    )


def location(path: Path | str, is_read_here: bool = True) -> Path:
    """Return *path*, or the path of the local copy if *path* is the address of a store.

    The files at an address are listed in the store, and downloaded if *is_read_here* is true. It is
    false if other processes read the files: each of them downloads what it reads.

    Raises:
        HarnessError: The address has a password or a query, or the store cannot be read.
        MissingExtra: The package for this store is not installed.
    """
    local = located(path)
    if isinstance(local, RemotePath) and not isinstance(path, RemotePath):
        refresh(local, is_read_here)
    return local


def located(path: Path | str) -> Path:
    """Return *path*, or the path of the local copy if *path* is the address of a store.

    No request is sent to the store. Raises HarnessError if the address has a password or a query,
    and MissingExtra if fsspec is not installed.
    """
    found = _ADDRESS.fullmatch(str(path)) if is_address(path) else None
    if found is None:
        return Path(path) if isinstance(path, str) else path
    scheme, key = found[1], found[2].rstrip("/")
    if scheme in _LOCAL:
        return Path("/" + key)
    if "?" in key or ":" in key.partition("/")[0].rpartition("@")[0]:
        raise HarnessError(
            f"{scheme}://...: an address has no keys, passwords or queries, since it is shown and "
            "kept; set them where the store's library reads them, such as AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY"
        )
    return _path(scheme, key)


def root(cassette: Path) -> Path:
    """Return the folder in whose subfolder `artefacts` the artefacts of a cassette are written.

    That is the cassette's own folder. For a cassette in a store it is the topmost folder above it
    that `location` or `refresh` has listed, if there is one.
    """
    folders = [path for path in cassette.parents if path in known_files.listed]
    return folders[-1] if isinstance(cassette, RemotePath) and folders else cassette.parent


def home(path: Path) -> Path:
    """Return the folder from which the settings of a cassette's project are searched upwards.

    That is the cassette's folder; for a cassette in a store, the current folder.
    """
    return Path.cwd() if isinstance(path, RemotePath) else path.parent


def _path(scheme: str, key: str) -> RemotePath:
    if any(part in ("", ".", "..") for part in key.split("/")):
        raise HarnessError(f"{scheme}://{key}: no part of a name may be empty, '.' or '..'")
    return RemotePath(_mirror(scheme), key)


@cache
def _mirror(scheme: str) -> Path:
    """Return the folder with the copies from one service; of memory it ends with the process."""
    with extra("remote"):
        import fsspec
    settings = {name: value for name, value in os.environ.items() if "ENDPOINT" in name}
    service = json.dumps([settings, fsspec.config.conf.get(scheme)], sort_keys=True, default=str)
    name = f"{scheme}-{hashlib.sha256(service.encode()).hexdigest()[:8]}"
    if scheme != "memory":
        return cache_folder() / _MIRROR / name
    folder = tempfile.mkdtemp(prefix="harness-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder, _MIRROR, name)


# --------------------------------------------------------------------------------- reading


class _Known:
    """What this process knows of stores.

    Attributes:
        versions: The version of each file, by address, as it was last seen in its store.
        listed: The folders whose files are all known.
    """

    def __init__(self) -> None:
        self.versions: dict[str, str] = {}
        self.listed: set[RemotePath] = set()


known_files = _Known()


def refresh(remote: RemotePath, fetches: bool = True) -> None:
    """List the store's files at *remote*, one file or a whole folder, and note their versions.

    If *fetches* is true, files that are new or changed are downloaded. Local copies of files that
    the store no longer has are deleted.
    """
    with _access(remote) as store:
        try:
            infos = store.find(remote.key, detail=True)
        except FileNotFoundError:
            infos = {}
            if not store.exists(_bucket(remote)):
                raise
        found = {
            _path(remote.scheme, _key(store, name)): info
            for name, info in infos.items()
            if info.get("type") != "directory" and not _is_left_out(name)
        }
        for name in [name for name in known_files.versions if _is_below(name, str(remote))]:
            del known_files.versions[name]
        known_files.versions.update({str(path): _version(info) for path, info in found.items()})
        if fetches:
            _fetch(store, {path: info for path, info in found.items() if not _is_current(path)})
    known_files.listed.add(remote)
    _delete_others(remote, found)


def files(folder: Path) -> list[Path]:
    """Return the paths of the local copies of all files that `refresh` listed in *folder*."""
    below = (name for name in known_files.versions if _is_below(name, str(folder)))
    return [located(name) for name in below]


def fetch(path: Path) -> None:
    """Download the file at *path* if it is in a store; do nothing for a local file.

    Do nothing either if the file, or a folder above it, was listed before.
    """
    if not isinstance(path, RemotePath) or str(path) in known_files.versions:
        return
    if path not in known_files.listed and known_files.listed.isdisjoint(path.parents):
        refresh(path)


def _is_left_out(name: str) -> bool:
    """Return whether a file is none of cassettes: a folder's mark, another's lock or journal."""
    last = name.rpartition("/")[2]
    return not last or (last.startswith(".") and last.endswith((".lock", ".journal", ".new")))


def _bucket(remote: RemotePath) -> str:
    return remote.key.partition("/")[0]


def _key(store: Any, name: str) -> str:
    return str(store._strip_protocol(name)).strip("/")


def _is_below(address: str, folder: str) -> bool:
    return address == folder or address.startswith(f"{folder}/")


def _version(info: Mapping[str, Any]) -> str:
    """Return a text that differs for another content of a file; of most stores the ETag."""
    facts = {name.lower(): value for name, value in info.items()}
    names = ("etag", "size") if facts.get("etag") else _TIMES
    values = [facts.get(name, "") for name in names]
    return json.dumps([str(v.timestamp() if isinstance(v, datetime) else v) for v in values])


_TIMES = ("md5", "lastmodified", "mtime", "modified", "created", "size")


def _etag(version: str) -> str:
    return str(json.loads(version)[0])


def _is_current(path: RemotePath) -> bool:
    try:
        return os.stat(path).st_mtime_ns == _stamp(known_files.versions[str(path)])
    except OSError:
        return False


def _stamp(version: str) -> int:
    """Return the modification time of the copy of a version, which tells it from all others."""
    return int.from_bytes(hashlib.sha256(version.encode()).digest()[:8], "big") >> 4


def _fetch(store: Any, files: Mapping[RemotePath, Mapping[str, Any]]) -> None:
    """Fetch *files*, several at a time, with few of them in memory."""
    part: list[RemotePath] = []
    size = 0
    for path, info in files.items():
        part.append(path)
        size += info.get("size") or 0
        if size >= _PART or len(part) >= _MOST:
            _fetch_part(store, part)
            part, size = [], 0
    _fetch_part(store, part)


def _fetch_part(store: Any, paths: Sequence[RemotePath]) -> None:
    whole = [None] * len(paths)
    # `cat` of a list of one file returns no list from some stores.
    contents = store.cat_ranges([path.key for path in paths], whole, whole, on_error="raise")
    for path, content in zip(paths, contents, strict=True):
        _write_copy(path, content)


def _write_copy(path: RemotePath, content: bytes) -> None:
    local = Path(os.fspath(path))
    local.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = local.with_name(f".{local.name}.{token_hex(4)}.new")
    try:
        temporary.write_bytes(content)
        stamp = _stamp(known_files.versions[str(path)])
        os.utime(temporary, ns=(stamp, stamp))
        temporary.replace(local)
    finally:
        temporary.unlink(missing_ok=True)


def _delete_others(remote: RemotePath, found: Mapping[RemotePath, Any]) -> None:
    """Delete the copies of files that are not in the store; journals are this machine's own."""
    kept = {os.fspath(path) for path in found}
    for folder, _, names in os.walk(os.fspath(remote)):
        for name in names:
            if not name.startswith(".") and (local := os.path.join(folder, name)) not in kept:
                os.unlink(local)


# --------------------------------------------------------------------------------- writing


def upload(path: RemotePath, content: bytes) -> None:
    """Write *content* to the file at *path* in its store, then to the local copy of the file.

    The file in the store is written whole or not at all.

    Raises:
        CannotWrite: The store cannot be written, or another writer has written the file since this
            process read it.
    """
    version = known_files.versions.get(str(path))
    try:
        with _access(path) as store:
            known_files.versions[str(path)] = _upload(store, path, content, version)
    except (FileExistsError, _Changed):
        raise CannotWrite(
            f"{path} cannot be written: another writer has written it since it was read"
        ) from None
    except HarnessError as error:
        raise CannotWrite(f"{error}; the file may not have been written") from None
    _write_copy(path, content)


class _Changed(Exception):
    """A file of a store is not the version that is to be replaced."""


def _upload(store: Any, path: RemotePath, content: bytes, version: str | None) -> str:
    """Put a new file, or one instead of *version*; return the version of what was put.

    If the store has the same bytes already, nothing is wrong: they may have come by a first attempt
    whose answer was lost.
    """
    try:
        if version is None:
            put = store.pipe_file(path.key, content, mode="create", **_options(path))
        else:
            put = _replace(store, path, content, version)
    except Exception as error:
        if not (_is_conflict(error) and store.cat_file(path.key) == content):
            raise
        put = None
    etag = put.get("ETag") if isinstance(put, Mapping) else None
    # The file that is looked at afterwards may be another writer's.
    return _version({"etag": etag, "size": len(content)} if etag else store.info(path.key))


def _replace(store: Any, path: RemotePath, content: bytes, version: str) -> Any:
    """Put a file instead of *version*. S3 compares the version by itself; else a lock is held.

    Raises _Changed if the file is another version.
    """
    if _is_s3(path):
        _require_version(store, path, version)
        return store.pipe_file(path.key, content, IfMatch=_etag(version), **_options(path))
    with _lock(store, path):
        _require_version(store, path, version)
        return store.pipe_file(path.key, content)


def _require_version(store: Any, path: RemotePath, version: str) -> None:
    if _version(store.info(path.key)) != version:
        raise _Changed


@contextmanager
def _lock(store: Any, path: RemotePath) -> Iterator[None]:
    """Hold the lock of a file: another file, which only one writer can create.

    Raises HarnessError if another writer holds it, or ended while it held it.
    """
    lock = path.with_name(f".{path.name}.lock")
    try:
        store.pipe_file(lock.key, b"held while a cassette is replaced", mode="create")
    except FileExistsError:
        raise HarnessError(
            f"{path} cannot be written: another writer replaces it; if none does, delete {lock}"
        ) from None
    try:
        yield
    finally:
        store.rm_file(lock.key)


def _is_s3(path: RemotePath) -> bool:
    return path.scheme.startswith("s3")


def _options(path: RemotePath) -> dict[str, int]:
    """Return the option with which S3's library puts a file by one request, under its condition."""
    return {"chunksize": LARGEST} if _is_s3(path) else {}


def _is_conflict(error: Exception) -> bool:
    # S3's codes where the condition of a put is not met, and where two puts met it at once.
    codes = "PreconditionFailed", "ConditionalRequestConflict"
    text = f"{error} {error.__cause__}"
    return isinstance(error, FileExistsError | _Changed) or any(code in text for code in codes)


# ---------------------------------------------------------------------------------- stores


@contextmanager
def _access(remote: RemotePath) -> Iterator[Any]:
    """Give the store of a path; its errors are turned into one sentence.

    Raises:
        HarnessError: The store cannot be accessed.
        FileExistsError: A file to be created exists.
    """
    with ExitStack() as stack:
        for context in around_access:
            stack.enter_context(context())
        try:
            yield _store(remote.scheme)
        except (HarnessError, FileExistsError, _Changed):
            raise
        except Exception as error:  # noqa: BLE001 - each store's library has its own
            if _is_conflict(error):
                raise _Changed from None
            raise HarnessError(f"{remote}: {_reason(error, remote.scheme)}") from None


_S3: Mapping[str, Any] = {
    "max_concurrency": 1,
    "config_kwargs": {"retries": {"total_max_attempts": 2}},
}
"""The options of S3's library, unless fsspec's configuration has others.

With more than one request for a file, the library asks for the size of each file before it reads
it. It repeats requests itself, five times, so that what it is built on need not do so as often: a
server that does not answer is given up after minutes.
"""


def _store(scheme: str) -> Any:
    import fsspec

    try:
        if scheme == "oss":
            return OssStore()
        options = _S3 if scheme.startswith("s3") else {}
        options = {**options, **fsspec.config.conf.get(scheme, {}), "use_listings_cache": False}
        store = fsspec.filesystem(scheme, **options)
    except ImportError:
        package = "s3fs" if _EXTRAS.get(scheme) == "s3" else "ossfs"
        command = install_command(_EXTRAS.get(scheme, "remote"))
        text = f"{package} is not installed; install it with: {command}"
        if scheme not in _EXTRAS:
            text = f"fsspec needs another package for {scheme}://; its documentation names it"
        raise MissingExtra(text) from None
    except ValueError:
        raise HarnessError("fsspec knows no store with this scheme") from None
    return store


_VARIABLES = {
    "oss": "set OSS_ACCESS_KEY_ID, OSS_ACCESS_KEY_SECRET and OSS_ENDPOINT",
    "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or what this store's library reads",
}


def _reason(error: Exception, scheme: str) -> str:
    """Return what is wrong with a store, without the text of the error, which may quote a key."""
    cause = error.__cause__
    names = " ".join(type(one).__name__ for one in (error, cause) if one is not None)
    text = f"{error} {cause} {getattr(cause, 'code', '')}"
    variables = _VARIABLES.get(scheme, _VARIABLES["s3"])
    if isinstance(error, FileNotFoundError):
        return "there is no such bucket, folder or file"
    if isinstance(error, PermissionError) or re.search(_REFUSED, text):
        return f"access is refused; {variables}"
    if "Credentials" in names:
        return f"there are no credentials; {variables}"
    if "endpoint is required" in text:
        return f"there is no endpoint; {variables}"
    if isinstance(error, ConnectionError | TimeoutError) or re.search(_UNREACHED, names):
        return (
            f"the store cannot be reached ({names.split()[0]}); check the network and its endpoint"
        )
    return f"the store cannot be used ({names.split()[0]})"


_REFUSED = "InvalidAccessKeyId|SignatureDoesNotMatch|InvalidSecurityToken|ExpiredToken"
_UNREACHED = "Connect|Timeout|SSL|RequestError|IncompleteRead|ChunkedEncoding|PayloadError|Protocol"
