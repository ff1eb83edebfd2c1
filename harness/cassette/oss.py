"""Buckets of Alibaba Cloud OSS, by ossfs, with what it leaves out.

ossfs lists files without their ETags, one folder at a time, reads them one after the other, and
cannot put a file on the condition that there is none. The requests themselves are ossfs's.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from importlib import import_module
from typing import Any

from harness.config.extras import extra

_VARIABLES = {
    "key": "OSS_ACCESS_KEY_ID",
    "secret": "OSS_ACCESS_KEY_SECRET",
    "token": "OSS_SESSION_TOKEN",
}
"""The variables in which Alibaba's own tools find keys, by the name of ossfs's parameter."""
_PATIENCE = 15
"""Seconds in which a connection is made, and in which the next bytes of an answer come."""
_AT_ONCE = 16
"""The number of files that are read at once."""
_PAGE = 1000
"""The number of files that a listing has at most, by OSS's documentation."""
_NO_OVERWRITE = {"x-oss-forbid-overwrite": "true"}


class OssStore:
    """The buckets of the service at `OSS_ENDPOINT`, with the methods of fsspec that are used.

    Names have the form `bucket/folder/file`. Errors are those of ossfs; a bucket or file that does
    not exist raises FileNotFoundError.
    """

    def __init__(self) -> None:
        with extra("oss"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # oss2 has escapes that Python warns of
            import fsspec

            import_module("ossfs")

        settings = fsspec.config.conf.get("oss", {})
        keys = {name: os.environ.get(variable) for name, variable in _VARIABLES.items()}
        self._files = fsspec.filesystem(
            "oss", use_listings_cache=False, **({} if "key" in settings else keys)
        )

    def _call(self, operation: str, bucket: str, *args: Any, **options: Any) -> Any:
        return self._files._call_oss(operation, *args, bucket=bucket, timeout=_PATIENCE, **options)

    def _strip_protocol(self, name: str) -> str:
        return str(self._files._strip_protocol(name))

    def find(self, name: str, detail: bool = True) -> dict[str, dict[str, Any]]:
        """Return ETag and size of the file *name*, or of all files below that folder, by name."""
        bucket, _, key = name.partition("/")
        found: dict[str, dict[str, Any]] = {}
        more = True
        token = ""
        while more:
            page = self._call(
                "list_objects_v2",
                bucket,
                prefix=f"{key}/" if key else "",
                continuation_token=token,
                max_keys=_PAGE,
            )
            found |= {
                f"{bucket}/{one.key}": {"etag": one.etag, "size": one.size}
                for one in page.object_list
            }
            more, token = page.is_truncated, page.next_continuation_token
        if found or not key:
            return found
        try:
            return {name: self.info(name)}
        except FileNotFoundError:
            return {}

    def exists(self, bucket: str) -> bool:
        """Return whether there is this bucket."""
        try:
            self._call("list_objects_v2", bucket, max_keys=1)
        except FileNotFoundError:
            return False
        return True

    def info(self, name: str) -> dict[str, Any]:
        """Return ETag and size of a file."""
        bucket, _, key = name.partition("/")
        head = self._call("head_object", bucket, key)
        return {"etag": head.etag, "size": head.content_length}

    def cat_ranges(
        self, names: Sequence[str], starts: object, ends: object, on_error: str
    ) -> list[bytes]:
        """Return the contents of files; several are read at a time. There are no ranges here."""
        contexts = [copy_context() for _ in names]
        with ThreadPoolExecutor(_AT_ONCE) as executor:
            return [*executor.map(lambda one, name: one.run(self.cat_file, name), contexts, names)]

    def cat_file(self, name: str) -> bytes:
        """Return the content of a file."""
        bucket, _, key = name.partition("/")
        return bytes(self._call("get_object", bucket, key).read())

    def pipe_file(self, name: str, content: bytes, mode: str = "overwrite") -> dict[str, Any]:
        """Put a file whole, by one request; return its ETag.

        Raises:
            FileExistsError: *mode* is "create", and there is such a file. In a bucket that keeps
                old versions OSS does not look, and the file is replaced.
        """
        bucket, _, key = name.partition("/")
        headers = _NO_OVERWRITE if mode == "create" else None
        try:
            result = self._call("put_object", bucket, key, content, headers=headers)
        except OSError as error:
            if getattr(error.__cause__, "code", "") == "FileAlreadyExists":
                raise FileExistsError(name) from None
            raise
        return {"ETag": result.etag}

    def rm_file(self, name: str) -> None:
        """Delete a file."""
        bucket, _, key = name.partition("/")
        self._call("delete_object", bucket, key)
