"""Other people's clients against `harness serve` and the proxy: `make clients`.

Needs npm's packages in node_modules, curl, and Java; prints a line for each client.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from harness.api.use_cassette import use_cassette
from harness.cassette.store import find, read
from harness.errors import HarnessError
from harness.intercept.context import Playback
from harness.providers.anthropic.sandbox import SERVER as ANTHROPIC
from harness.providers.servers import PROVIDER_SERVERS
from harness.sandbox import Options
from harness.sandbox import serve as serve_sandbox
from harness.sandbox.server import run_in_thread
from harness.serve.cassettes import ServedCassettes
from harness.serve.replay import Sessions, application
from harness.types import Cassette, Exchange

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
KEY = PROVIDER_SERVERS["dashscope"].key


def recordings() -> ServedCassettes:
    """Return the shipped cassettes, and the recordings of real services beside the project."""
    cassettes: dict[str, Cassette] = {}
    shared = ROOT.parent / "shared"
    folders = [shared / "recordings", shared / "more-recordings"]
    for path in find([ROOT / "cassettes", *(folder for folder in folders if folder.is_dir())]):
        try:
            cassette = read(path)
        except HarnessError:  # of another tool, and not readable
            continue
        cassettes[f"c{len(cassettes)}"] = cassette
    return ServedCassettes(cassettes)


def sendable(exchange: Exchange) -> bool:
    """Return whether plain HTTP can carry the request: no websocket, no network failure."""
    uri = urlsplit(exchange.request.uri)
    return uri.scheme in ("http", "https") and exchange.broken_off is None


def lines(cassettes: ServedCassettes) -> Iterator[tuple[str, str, bytes, str, str]]:
    """Yield method, path, body, content type, and the expected status and hash of each exchange."""
    for name, cassette in cassettes.by_name.items():
        for exchange in filter(sendable, cassette.exchanges):
            request, parts = exchange.request, urlsplit(exchange.request.uri)
            path = f"/{name}{parts.path}{'?' if parts.query else ''}{parts.query}"
            kind = next((v for n, v in request.headers if n.lower() == "content-type"), "")
            sent = Playback(exchange, 0).recorded.response
            expected = f"{sent.status} {hashlib.sha256(sent.body).hexdigest()}"
            yield request.method, path, request.body, kind, expected


@contextmanager
def serving(cassettes: ServedCassettes) -> Iterator[str]:
    """Serve *cassettes* on loopback."""
    with run_in_thread(application(Sessions(cassettes)), 0) as address:
        yield address


def fetched(command: Sequence[str], cassettes: ServedCassettes, folder: Path) -> str:
    """Run a client that gets every exchange; return how many bodies were equal by hash."""
    every = [*lines(cassettes)]
    as_json, as_tabs = folder / "list.jsonl", folder / "list.tsv"
    coded = [(m, p, base64.b64encode(b).decode(), kind) for m, p, b, kind, _ in every]
    as_json.write_text(
        "".join(
            json.dumps(
                {"method": m, "path": p, "body": b, "headers": {"content-type": k} if k else {}}
            )
            + "\n"
            for m, p, b, k in coded
        )
    )
    as_tabs.write_text("".join("\t".join(one) + "\n" for one in coded))
    with serving(cassettes) as address:
        done = subprocess.run(  # noqa: S603
            [
                text.format(base=address, jsonl=as_json, tsv=as_tabs, folder=folder)
                for text in command
            ],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    got = done.stdout.split("\n")
    equal = sum(mine == one[-1] for mine, one in zip(got, every, strict=False))
    answer = f"{equal} of {len(every)} bodies equal"
    return answer if equal == len(every) else f"{answer}; {done.stderr[-300:]}"


def harness(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `harness` in a process."""
    return subprocess.run(  # noqa: S603
        [sys.executable, "-m", "harness.cli", *arguments],
        env={
            **os.environ,
            **{"DASHSCOPE_API_KEY": KEY, "OPENAI_API_KEY": KEY, "ANTHROPIC_API_KEY": ANTHROPIC.key},
            **variables,
        },
        cwd=HERE,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def sdks(folder: Path) -> str:
    """Record the SDKs of npm through the proxy, replay, and let each meet a miss."""
    cassette = folder / "sdks.yaml"
    servers = {**PROVIDER_SERVERS, "anthropic": ANTHROPIC}
    with serve_sandbox(Options(port=0, chunk_gap=0.0002), servers) as sandbox:
        base = f"{sandbox}/compatible-mode/v1"
        upstream = [f"--upstream=openai={base}", f"--upstream=dashscope-compatible={base}"]
        upstream.append(f"--upstream=anthropic={sandbox}{ANTHROPIC.prefix}")
        live = harness("record", "--to", str(cassette), *upstream, "--", "node", "sdks.mjs")
        if live.returncode:
            return f"recording failed: {live.stderr[-600:]}"
        by_tape = recorded_by_tape(read(cassette), folder / "tape.yaml")
    if comparable(read(cassette)) != comparable(by_tape):
        return "the proxy's cassette differs from the tape's"
    replayed = harness("serve", str(cassette), "--", "node", "sdks.mjs")
    if (replayed.returncode, replayed.stdout) != (0, live.stdout):
        return f"the replay differs: {replayed.stdout} {replayed.stderr[-600:]}"
    missed = harness("serve", str(cassette), "--", "node", "sdks.mjs", MISSES="1")
    results = json.loads(missed.stdout) if missed.stdout else {"error": missed.stderr[-600:]}
    misses = {name: value for name, value in results.items() if name.endswith("Miss")}
    once = missed.stderr.count("miss: ")
    if misses != MISSES or once != len(MISSES):
        return f"misses differ: {misses}, {once} requests; {missed.stderr[-300:]}"
    tools = json.loads(live.stdout).get("tool")
    return (
        "recorded as by the tape, replayed alike; "
        f"tool call {tools}; 3 misses, typed, without a retry"
    )


def recorded_by_tape(proxied: Cassette, path: Path) -> Cassette:
    """Return a cassette of the same requests, made by the tape in this process."""
    keys = {"authorization": f"Bearer {KEY}", "x-api-key": ANTHROPIC.key}
    with use_cassette(path, record="all"):
        for exchange in proxied.exchanges:
            request = exchange.request
            own = {name: keys.get(name.lower(), value) for name, value in request.headers}
            httpx.request(request.method, request.uri, content=request.body, headers=own)
    return read(path)


def comparable(cassette: Cassette) -> list[tuple[object, ...]]:
    """Return what two recordings of the same conversation have in common, whoever recorded it."""
    return [
        (
            *(one.request.method, one.request.uri, json.loads(one.request.body), one.key),
            *(one.response.status, len(one.response.body)),
            [name for name, _ in one.response.headers if name != "set-cookie"],
        )
        for one in cassette.exchanges
    ]


MISSES = {
    "openaiMiss": [True, 404, "cassette_miss"],
    "anthropicMiss": [True, 404, "error", "cassette_miss"],
    "aiMiss": [True, 404, False],
}

NPM = {"openai": "openai", "@anthropic-ai/sdk": "anthropic", "@ai-sdk/alibaba": "alibaba"}
"""Packages of npm, and what `every.mjs` calls them."""

CURL = """
tr '\\t' '\\037' < {tsv} | while IFS="$(printf '\\037')" read -r method path body kind; do
  printf %s "$body" | base64 -d > {folder}/body
  data="--data-binary @{folder}/body"; [ -s {folder}/body ] || data=
  status=$(curl -s -o {folder}/answer -w '%{{http_code}}' -X "$method" -H 'Expect:' \
    -H "Content-Type: $kind" $data -g "{base}$path")
  echo "$status $(sha256sum < {folder}/answer | cut -d' ' -f1)"
done
"""

FETCHING: Mapping[str, Sequence[str]] = {
    "Node, fetch": ("node", str(HERE / "fetch.mjs"), "{base}", "{jsonl}"),
    "curl": ("sh", "-c", CURL),
    **{
        f"Node, {package}": ("node", str(HERE / "every.mjs"), "{base}", "{jsonl}", name)
        for package, name in NPM.items()
    },
    "Go, net/http": ("go", "run", str(HERE / "go" / "fetch.go"), "{base}", "{tsv}"),
    "Java, java.net.http": ("java", str(HERE / "java" / "Fetch.java"), "{base}", "{tsv}"),
}


def main() -> None:
    """Run every client whose toolchain is here, and print what came of it."""
    cassettes = recordings()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for client, command in FETCHING.items():
            is_here = shutil.which(client.split(",")[0].lower())
            print(f"{client}: {fetched(command, cassettes, folder) if is_here else 'not here'}")
        has_packages = (HERE / "node_modules").exists()
        print(f"Node, SDKs: {sdks(folder) if has_packages else 'npm install first'}")


if __name__ == "__main__":
    main()
