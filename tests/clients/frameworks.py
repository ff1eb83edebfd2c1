"""Record and replay frameworks without a network: `python -m tests.clients.frameworks UV FOLDER`.

Each runs in a scratch environment of its own, in a network namespace with loopback only; it records
from a sandbox and replays after the sandbox has ended. The table is written to docs/CLIENTS.md.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness.providers.servers import PROVIDER_SERVERS
from harness.sandbox import Options, serve

from .run import HERE, ROOT

ENVIRONMENTS: Mapping[str, tuple[str, ...]] = {
    "litellm": ("litellm",),
    "langchain-openai": ("langchain-openai",),
    "langchain-community": ("langchain-community", "dashscope", "zhipuai", "pyjwt", "httpx-sse"),
    "pydantic-ai": ("pydantic-ai-slim[openai]",),
    "openai-agents": ("openai-agents",),
    "instructor": ("instructor",),
    "agentscope": ("agentscope",),
    "qwen-agent": ("qwen-agent", "soundfile", "python-dateutil", "tqdm"),
}
FRAMEWORKS: Mapping[str, str] = {
    "litellm, dashscope": "litellm",
    "litellm, zai": "litellm",
    "langchain-openai": "langchain-openai",
    "ChatTongyi": "langchain-community",
    "ChatZhipuAI": "langchain-community",
    "pydantic-ai": "pydantic-ai",
    "openai-agents": "openai-agents",
    "instructor": "instructor",
    "agentscope": "agentscope",
    "qwen-agent": "qwen-agent",
}
"""The environment of each framework."""

Outcome = dict[str, str]

DEADLINE = 300
"""Seconds that all calls of a framework may take."""


def prepared(uv: Path, folder: Path, name: str) -> Path:
    """Return the Python of an environment with a framework and this project; make it if needed."""
    python = folder / name / "bin" / "python"
    if not python.exists():
        make = [str(uv), "venv", "--quiet", "--python", sys.executable, str(folder / name)]
        subprocess.run(make, check=True)
        install = [str(uv), "pip", "install", "--quiet", "--python", str(python)]
        packages = ["--editable", str(ROOT), *ENVIRONMENTS[name]]
        subprocess.run([*install, *packages], check=True)
    return python


def called(python: Path, name: str, address: str, cassettes: Path, mode: str) -> list[Outcome]:
    """Run the calls of a framework; return what came of each."""
    keys = [PROVIDER_SERVERS[provider].key for provider in ("dashscope", "zhipuai")]
    script = str(HERE / "framework_calls.py")
    command = [str(python), "-P", script, name, address, str(cassettes), mode, *keys]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    with process:
        try:
            out, _ = process.communicate(timeout=DEADLINE)
            end = []
        except subprocess.TimeoutExpired:
            process.kill()
            out, _ = process.communicate()
            end = [{"call": "the next one", "error": f"no answer within {DEADLINE} s"}]
    return [json.loads(line) for line in out.splitlines() if line.startswith('{"call"')] + end


def inside(folder: Path) -> None:
    """Record all, stop the sandbox, replay all; print a row for each call."""
    loopback = "ip link set lo up 2>/dev/null || ifconfig lo up"
    subprocess.run(["/bin/sh", "-c", loopback], check=True)
    with tempfile.TemporaryDirectory() as name:
        cassettes = Path(name)
        pythons = {f: folder / env / "bin" / "python" for f, env in FRAMEWORKS.items()}
        with (
            serve(Options(port=0, chunk_gap=0.0002), PROVIDER_SERVERS) as address,
            ThreadPoolExecutor(2) as pool,
        ):
            every = [
                (framework, pool.submit(called, python, framework, address, cassettes, "record"))
                for framework, python in pythons.items()
            ]
            recorded = {framework: future.result() for framework, future in every}
        for framework, python in pythons.items():
            replayed = {
                outcome["call"]: outcome
                for outcome in called(python, framework, address, cassettes, "replay")
            }
            for live in recorded[framework]:
                outcome = verdict(live, replayed.get(live["call"], {"error": "not run"}))
                print(json.dumps([framework, live["call"], outcome]), flush=True)


def verdict(live: Outcome, replayed: Outcome) -> str:
    """Return "" if a call was recorded and replayed alike, else what failed."""
    if "error" in live:
        return f"recording: {live['error']}"
    if "error" in replayed:
        return f"replay: {replayed['error']}"
    same = live["answer"] == replayed["answer"]
    return "" if same else f"replay: {replayed['answer']!r}, not {live['answer']!r}"


def main() -> None:
    """Prepare the environments, run everything offline, and write the table."""
    if sys.argv[1] == "--inside":
        inside(Path(sys.argv[2]))
        return
    uv, folder = Path(sys.argv[1]).absolute(), Path(sys.argv[2]).absolute()
    for name in ENVIRONMENTS:
        prepared(uv, folder, name)
    done = subprocess.run(
        ["unshare", "-rn", sys.executable, "-m", "tests.clients.frameworks", "--inside", folder],  # noqa: S607
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    for framework, call, failure in rows:
        print(f"{framework}: {call}: {failure or 'recorded and replayed'}")
    write(rows, folder)


def write(rows: list[list[str]], folder: Path) -> None:
    """Write the tables of docs/CLIENTS.md and of its translation."""
    for path, yes in (("CLIENTS.md", "yes"), ("CLIENTS.zh-CN.md", "是")):
        file = ROOT / "docs" / path
        head = file.read_text(encoding="utf-8").partition("<!-- table -->")[0]
        table = [
            f"| {framework} | {version(folder, framework)} | {call} | {cell(failure) or yes} |"
            for framework, call, failure in rows
        ]
        text = "\n".join(table)
        headings = HEADINGS[path]
        file.write_text(f"{head}<!-- table -->\n\n{headings}\n{text}\n", encoding="utf-8")


HEADINGS = {
    "CLIENTS.md": "| Framework | Version | Call | Recorded and replayed |\n|---|---|---|---|",
    "CLIENTS.zh-CN.md": "| 框架 | 版本 | 调用 | 录制并回放 |\n|---|---|---|---|",
}


def cell(text: str) -> str:
    """Return a failure on one line of a table."""
    return " ".join(text.split()).replace("|", "\\|")[:160]


def version(folder: Path, framework: str) -> str:
    """Return the installed version of a framework."""
    environment = FRAMEWORKS[framework]
    package = ENVIRONMENTS[environment][0].partition("[")[0]
    pattern = f"lib/python*/site-packages/{package.replace('-', '_')}-*.dist-info"
    found = next((folder / environment).glob(pattern), None)
    return found.name.removesuffix(".dist-info").rpartition("-")[2] if found else ""


if __name__ == "__main__":
    main()
