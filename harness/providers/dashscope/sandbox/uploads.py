"""Uploads of local files: the SDK asks for a policy, and sends the file with it to a storage.

[DOC] help.aliyun.com/en/model-studio/get-temporary-file-url; [SDK] dashscope/utils/oss_utils.py
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid
from datetime import timedelta
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from harness.sandbox.requests import Reason, Refused
from harness.sandbox.state import SandboxState, now
from harness.types import Json
from harness.wire import resolve
from harness.wire.http import read_form

PATH = "/uploads"
STORAGE_PATH = "/sandbox-storage"
_KEY = b"sandbox"
_LIFETIME = 300
"""Seconds for which a policy is valid."""


def upload_policy(request: Request) -> dict[str, Json]:
    """Return the answer to `action=getPolicy`: a signed policy, and where to send the file.

    Raises Refused for another action or without a model.
    """
    query = request.query_params
    if query.get("action") != "getPolicy" or not query.get("model"):
        raise Refused(Reason.BAD_PARAMETER, "Required parameter(s) missing or invalid: action")
    folder = f"dashscope-instant/sandbox/{now():%Y-%m-%d}/{uuid.uuid4()}"
    expires = now() + timedelta(seconds=_LIFETIME)
    conditions = [["content-length-range", 0, 104857600], ["starts-with", "$key", folder]]
    document = {"expiration": f"{expires:%Y-%m-%dT%H:%M:%S}.000Z", "conditions": conditions}
    policy = base64.b64encode(json.dumps(document).encode()).decode()
    data: dict[str, Json] = {
        "policy": policy,
        "signature": _signature(policy),
        "upload_dir": folder,
        "upload_host": str(request.url).partition(PATH)[0] + STORAGE_PATH,
        "expire_in_seconds": _LIFETIME,
        "max_file_size_mb": 100,
        "capacity_limit_mb": 999999999,
        "oss_access_key_id": "LTAI-sandbox-0000000000",
        "x_oss_object_acl": "private",
        "x_oss_forbid_overwrite": "true",
    }
    return {"request_id": str(uuid.uuid4()), "data": data}


def _signature(policy: str) -> str:
    digest = hmac.new(_KEY, policy.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


async def store_upload(state: SandboxState, request: Request) -> Response:
    """Store the file of an upload form in *state*, and return the storage service's response.

    The status is 200 if the sandbox has signed the form's policy; else 403, and nothing is stored.
    """
    form = await request.body()
    headers = {"server": "AliyunOSS", "x-oss-request-id": uuid.uuid4().hex[:24].upper()}
    policies = [part for part in form.split(b"\r\n") if part.startswith(b"eyJ")]
    if not any(_signature(policy.decode("latin-1")).encode() in form for policy in policies):
        reason = "<Message>Invalid according to Policy.</Message>"
        text = f"<Error><Code>AccessDenied</Code>{reason}</Error>"
        return Response(text, 403, headers, "application/xml")
    fields = read_form(form) or {}
    key, content = fields.get("key"), resolve(fields.get("file"), "/content")
    if isinstance(key, str) and isinstance(content, str):
        state.files.add(key, partial(content.encode, "utf-8", "surrogateescape"))
    etag = hashlib.md5(form, usedforsecurity=False).hexdigest().upper()
    return Response(b"", 200, {**headers, "etag": f'"{etag}"'})
