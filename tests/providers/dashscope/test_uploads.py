"""DashScope's SDK with a local file: it is uploaded, recorded without its credentials, replayed."""

from __future__ import annotations

import base64
import json
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import dashscope
import pytest

import harness
from harness.cassette import store
from harness.providers.dashscope.sandbox import KEY

POLICY = base64.b64encode(
    b'{"expiration":"2026-11-28T20:36:39.000Z","conditions":[["content-length-range",0,1048576]]}'
).decode()
SIGNATURE = "eWyGq3xT7wLmN2vR8pYc5dHsK9o="
KEY_ID = "STS.NUgYrLnoC37mZZCNnAbez4tQ"
TOKEN = "CAIS8wF1q6Ft5B2yfSjIr5fPA8nAgK1x7vWZQE3TkVUaeZhfjrzMtDz2IHpFeXhgA"  # noqa: S105


def ask(picture: Path, address: str, key: str) -> Any:
    """Ask about a picture on this machine."""
    content = [{"image": f"file://{picture}"}, {"text": "What is this?"}]
    return dashscope.MultiModalConversation.call(
        model="qwen3-vl-plus",
        api_key=key,
        messages=[{"role": "user", "content": content}],
    )


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A small picture."""
    path = tmp_path / "dot.png"
    path.write_bytes(
        base64.b64decode(
            "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
            "rkJggg=="
        )
    )
    return path


class Service(BaseHTTPRequestHandler):
    """A service that gives the credentials of the live one: STS answers of another kind each."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: object) -> None:
        """Print nothing."""

    def _answer(self, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        """Answer getPolicy."""
        data = {
            "policy": POLICY,
            "signature": SIGNATURE,
            "upload_dir": "dashscope-instant/1/2026-11-28/1",
            "upload_host": f"http://127.0.0.1:{self.server.server_port}/storage",  # type: ignore[attr-defined]
            "oss_access_key_id": KEY_ID,
            "x_oss_object_acl": "private",
            "x_oss_forbid_overwrite": "true",
            "security_token": TOKEN,
        }
        self._answer({"request_id": "1", "data": data})

    def do_POST(self) -> None:
        """Answer the upload, if it has the credentials, and the call."""
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/storage":
            assert all(each.encode() in body for each in (POLICY, SIGNATURE, KEY_ID))
            self._answer({})
            return
        message = {"role": "assistant", "content": [{"text": "A dot."}]}
        output = {"choices": [{"finish_reason": "stop", "message": message}]}
        usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
        self._answer({"request_id": "2", "output": output, "usage": usage})


def test_credentials_of_an_upload_are_masked(
    tmp_path: Path, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the policy that the service gives, and in the form; the replay sends the placeholders."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/api/v1"
    monkeypatch.setattr(dashscope, "base_http_api_url", address)
    path = tmp_path / "c.yaml"
    try:
        with harness.use_cassette(path, record="all"):
            live = ask(picture, address, "sk-1f2e3d4c5b6a79880123456789abcdef")
    finally:
        server.shutdown()
        server.server_close()
    assert live.output.choices[0].message.content == [{"text": "A dot."}]
    stored = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    for secret in (POLICY, SIGNATURE, KEY_ID, TOKEN, "sk-1f2e3d4c"):
        assert not any(secret.encode() in content for content in stored), secret
    assert b"".join(stored).count(b"REDACTED") >= 6
    with harness.use_cassette(path):
        replayed = ask(picture, address, "sk-other")
    assert replayed.output == live.output


def test_the_sandbox_takes_uploads(
    tmp_path: Path, picture: Path, sandbox: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """getPolicy, the upload, the call: recorded, and replayed offline."""
    address = f"{sandbox}/api/v1"
    monkeypatch.setattr(dashscope, "base_http_api_url", address)
    path = tmp_path / "c.yaml"
    with harness.use_cassette(path, record="all"):
        live = ask(picture, address, KEY)
    assert live.status_code == 200, live.message
    exchanges = store.read(path).exchanges
    assert [(e.request.method, e.response.status) for e in exchanges] == [
        ("GET", 200),
        ("POST", 200),
        ("POST", 200),
    ]
    with harness.use_cassette(path):
        assert ask(picture, address, "sk-other").output == live.output


def test_the_sandbox_refuses_other_policies(sandbox: str) -> None:
    """A form whose policy it did not sign."""
    import httpx

    form = {"policy": POLICY, "Signature": SIGNATURE}
    files = {"file": b"x"}
    url = f"{sandbox}/api/v1/sandbox-storage"
    answer = httpx.post(url, data=form, files=files, trust_env=False)
    assert answer.status_code == 403
    assert re.search("AccessDenied", answer.text)
