"""What other packages add: the example plug-in, installed, and plug-ins that are broken."""

from __future__ import annotations

import csv
import json
import shutil
import site
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conftest import Done, clean_environment, one_process

from harness import providers, report
from harness.errors import HarnessError
from harness.providers import rules
from harness.sandbox.scripted_server import Script, serve_scripts

if TYPE_CHECKING:
    from conftest import Python

EXAMPLE = Path(__file__).parent.parent / "examples" / "plugin"

SCENARIO = """\
name: parrot
targets: [echo/parrot, echo/loud]
steps:
  - user: Hello
  - user: Good bye
"""
"""A model named `loud` answers in capital letters, which the rule of the example finds."""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python in a new environment that sees the packages of this one, and has the example."""
    folder = tmp_path_factory.mktemp("plugin")
    venv.create(folder / "venv", symlinks=True)  # pip and setuptools are those of the tests
    python = folder / "venv" / "bin" / "python"
    seen = [path for path in sys.path if path.endswith("site-packages")] or site.getsitepackages()
    (installed,) = (folder / "venv").glob("lib/*/site-packages")
    lines = [f"import site; site.addsitedir({path!r})" for path in seen]
    (installed / "tests.pth").write_text("\n".join(lines), encoding="utf-8")
    source = shutil.copytree(EXAMPLE, folder / "source")
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check")
    run(python, "-m", "pip", "install", "-q", *options, str(source))
    return python


def run(
    python: Path,
    *arguments: str,
    folder: Path | None = None,
    env: Mapping[str, str] = {},
    code: int = 0,
) -> str:
    """Run Python; check its exit code, and return what it printed."""
    done = subprocess.run(  # noqa: S603 - with the arguments of a test
        [python, *arguments],
        cwd=folder,
        env={**clean_environment(), **env},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def service() -> Iterator[str]:
    """The service of the example, on this machine; its value is the base URL."""

    def respond(head: bytes, body: bytes) -> Script:
        if b"Bearer parrot-key" not in head:
            return _script(401, {"error": {"code": "key", "message": "no key"}})
        asked = json.loads(body)
        said = f"You said: {asked['messages'][-1]['content']}"
        text = said.upper() if asked["model"] == "loud" else said
        tokens = {"in": len(asked["messages"]), "out": 4}
        answer = {"id": "e1", "model": asked["model"], "text": text, "finish": "stop"}
        return _script(200, {**answer, "tokens": tokens})

    with serve_scripts(respond) as address:
        yield f"{address}/v1/"


def _script(status: int, value: Any) -> Script:
    body = json.dumps(value).encode()
    head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
    return [head.encode() + b"\r\n\r\n" + body]


@pytest.mark.slow
def test_the_example_is_installed_and_used(environment: Path, service: str, tmp_path: Path) -> None:
    """It adds a provider, a rule and a report; every command works with them."""
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "parrot.yaml").write_text(SCENARIO, encoding="utf-8")
    commands = {
        "list as JSON": ("list", "--json"),
        "record": ("record",),
        "list": ("list",),
        "replay": ("replay",),
        "check": ("check", "cassettes", "--json"),
        "compare": ("compare", "parrot/echo-parrot", "parrot/echo-loud"),
        "parse": ("parse", "cassettes", "--json"),
        "report": ("report", "--report", "report"),
        "doctor as JSON": ("doctor", "--json"),
        "doctor": ("doctor",),
        "explain": ("rules", "--explain", "answer_is_not_shouted"),
        "rules": ("rules",),
    }
    env = {"ECHO_API_KEY": "parrot-key", "ECHO_BASE_URL": service}
    done = run(environment, *one_process(commands.values()), folder=tmp_path, env=env)
    ended = [Done(*json.loads(line)) for line in done.splitlines()]
    assert [(one.code, one.err) for one in ended if one.code] == []
    out = {name: one.out for name, one in zip(commands, ended, strict=True)}
    rows = json.loads(out["list as JSON"])
    assert {row["provider_from"] for row in rows} == {"harness-echo 1.0"}
    assert "recorded 2 of 2" in out["record"]
    assert "harness-echo 1.0" in out["list"]
    assert "parrot-key" not in (tmp_path / "cassettes/parrot/echo-loud.yaml").read_text()
    assert "answer_is_not_shouted" in out["replay"]
    checked = json.loads(out["check"])
    found = [(f["target"], f["rule"], f["severity"]) for f in checked["findings"]]
    assert found == [("echo/loud", "answer_is_not_shouted", "warning")] * 2
    assert "YOU SAID: HELLO" in out["compare"]
    parsed = json.loads(out["parse"])["table"]
    assert [(row["parser"], row["exchanges"], row["same"]) for row in parsed] == [("echo", 4, 4)]
    with (tmp_path / "report" / "findings.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert [(row["target"], row["rule"]) for row in table] == [pair[:2] for pair in found]
    plugged = json.loads(out["doctor as JSON"])
    assert plugged["providers"][-1]["from"] == "harness-echo 1.0"
    names = [("rule", "answer_is_not_shouted"), ("report", "csv")]
    assert [(row["plug-in"], row["name"]) for row in plugged["plug_ins"]] == names
    assert {row["from"] for row in plugged["plug_ins"]} == {"harness-echo 1.0"}
    assert "answer_is_not_shouted" in out["doctor"]
    assert "From: harness-echo 1.0" in out["explain"]
    assert "the rule's text" in out["explain"]
    assert "harness-echo 1.0" in out["rules"]
    key = {"ECHO_API_KEY": "wrong-key", "ECHO_BASE_URL": service}
    again = ("-m", "harness.cli", "record", "--cassettes", "other")
    assert "recorded 0 of 2" in run(environment, *again, folder=tmp_path, env=key, code=2)


@pytest.mark.slow
def test_a_provider_that_the_sandbox_does_not_speak(environment: Path, tmp_path: Path) -> None:
    """One sentence, and exit code 2; other providers of the scenario are recorded."""
    text = SCENARIO.replace("echo/loud", "zhipuai/glm-4")
    (tmp_path / "parrot.yaml").write_text(text, encoding="utf-8")
    command = [str(environment), "-m", "harness.cli", "record", "parrot.yaml", "--sandbox"]
    done = subprocess.run(  # noqa: S603 - the command of this test
        command, cwd=tmp_path, env=clean_environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == (
        "harness: the sandbox does not serve 'echo' (it serves: zhipuai, dashscope, "
        "dashscope-compatible); record from the live service, without --sandbox\n"
    )
    assert done.stdout == "recorded 1 of 2 from the sandbox to cassettes\n"


# --------------------------------------------------------------------------- broken plug-ins

PROVIDER = """\
from dataclasses import replace
from harness.providers import zhipu
CLASH = zhipu.PROVIDER
"""
RULES = """\
from harness.rules.rule import exchange_rule
def usage_adds_up(reading):
    "Check something else."
    return iter(())
def crash(reading):
    "Check nothing."
    raise KeyError("no")
CLASH, CRASH = exchange_rule(usage_adds_up), exchange_rule(crash)
MANY = (CLASH, "a text")
"""
REPORTS = """\
from harness.report import ReportFile
CLASH = ReportFile("index.html", str)
AWAY = ReportFile("../away.txt", str)
CRASH = ReportFile("crash.txt", lambda report: 1 / 0)
BYTES = ReportFile("bytes.txt", lambda report: b"")
"""
CURE = "; fix or update that package, or remove it: pip uninstall bad-plugin"


def install(folder: Path, group: str, value: str, source: str) -> dict[str, str]:
    """Install a package with one entry point; return the environment variables to see it."""
    data = folder / "site" / "bad_plugin-2.0.dist-info"
    data.mkdir(parents=True)
    (data / "METADATA").write_text("Metadata-Version: 2.1\nName: bad-plugin\nVersion: 2.0\n")
    (data / "entry_points.txt").write_text(f"[harness.{group}]\nbad = {value}\n")
    (folder / "site" / "bad_plugin.py").write_text(source)
    return {"PYTHONPATH": str(folder / "site")}


@pytest.fixture
def use_plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], object]]:
    """Return a function that uses the plug-ins installed in a folder, in this process."""
    for name in ("bad_plugin", "bad_parts"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    before = {*sys.modules}

    def use() -> object:
        monkeypatch.syspath_prepend(tmp_path / "site")
        providers._installed.cache_clear()
        return dict(providers.INSTALLED), tuple(rules._all_rules()), report.added()

    yield use
    providers._installed.cache_clear()
    for name in {*sys.modules} - before:
        if name.startswith("bad_"):
            del sys.modules[name]


@pytest.mark.parametrize(
    ("group", "name", "source", "reason"),
    [
        (
            "providers",
            "X",
            "import no_such_module",
            "bad_plugin:X cannot be imported "
            "(ModuleNotFoundError: No module named 'no_such_module')",
        ),
        (
            "providers",
            "X",
            "raise SystemExit(3)",
            "bad_plugin:X cannot be imported (SystemExit: 3)",
        ),
        (
            "providers",
            "X",
            "",
            "bad_plugin:X cannot be imported (AttributeError: module "
            "'bad_plugin' has no attribute 'X')",
        ),
        (
            "providers",
            "X",
            "X = 5",
            "bad_plugin:X should be a Provider (group harness.providers), not a int",
        ),
        ("providers", "CLASH", PROVIDER, "there is a provider 'zhipuai' of harness already"),
        (
            "rules",
            "X",
            "X = 5",
            "bad_plugin:X should be a Rule or a tuple (group harness.rules), not a int",
        ),
        ("rules", "MANY", RULES, "there is a rule 'usage_adds_up' of harness already"),
        (
            "rules",
            "MANY",
            RULES.replace("(CLASH,", "(CRASH,"),
            "it should have rules, and has a str",
        ),
        ("rules", "CLASH", RULES, "there is a rule 'usage_adds_up' of harness already"),
        (
            "reports",
            "X",
            "X = str",
            "bad_plugin:X should be a ReportFile (group harness.reports), not a type",
        ),
        (
            "reports",
            "CLASH",
            REPORTS,
            "there is a report's file 'index.html' of harness already",
        ),
        ("reports", "AWAY", REPORTS, "'../away.txt' is not the name of a file"),
    ],
)
def test_a_broken_plugin_is_one_sentence(
    use_plugins: Callable[[], object],
    tmp_path: Path,
    group: str,
    name: str,
    source: str,
    reason: str,
) -> None:
    """It names the package, what is wrong with it, and the cure."""
    install(tmp_path, group, f"bad_plugin:{name}", source)
    with pytest.raises(HarnessError) as caught:
        use_plugins()
    assert str(caught.value) == f"{BROKEN}: {reason}{CURE}"


BROKEN = "the plug-in 'bad' of the package bad-plugin 2.0 cannot be used"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("group", "name", "source", "reason"),
    [
        ("providers", "CLASH", PROVIDER, "there is a provider 'zhipuai' of harness already"),
        ("rules", "CRASH", RULES, "the rule 'crash' failed with KeyError: 'no'"),
        ("reports", "CRASH", REPORTS, "it failed with ZeroDivisionError: division by zero"),
        ("reports", "BYTES", REPORTS, "it returned a bytes instead of a text"),
    ],
)
def test_a_command_says_what_is_broken(
    python: Python, tmp_path: Path, group: str, name: str, source: str, reason: str
) -> None:
    """On one line, whether it is loaded, asked or rendered; the exit code is 2."""
    env = install(tmp_path, group, f"bad_plugin:{name}", source)
    cassette = Path(__file__).parent.parent / "cassettes" / "slogan"
    command = ("-m", "harness.cli", "check", str(cassette), "--report", "report")
    done = python(*command, folder=tmp_path, env=env)
    assert (done.returncode, done.stderr) == (2, f"harness: {BROKEN}: {reason}{CURE}\n")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("endpoints=None", "its `endpoints` should be a tuple of Endpoint"),
        ("endpoints=('a',)", "its `endpoints` should be a tuple of Endpoint"),
        ("package='no_such_package'", "no_such_package.rules cannot be imported"),
        ("package='bad_parts'", "bad_parts.rules cannot be imported (KeyError: 5)"),
    ],
)
def test_a_provider_with_wrong_parts_is_one_sentence(
    use_plugins: Callable[[], object], tmp_path: Path, change: str, reason: str
) -> None:
    """Its endpoints, or a module of its package."""
    source = PROVIDER + f"CLASH = replace(CLASH, name='parts', {change})\n"
    install(tmp_path, "providers", "bad_plugin:CLASH", source)
    (tmp_path / "site" / "bad_parts").mkdir()
    (tmp_path / "site" / "bad_parts" / "__init__.py").touch()
    (tmp_path / "site" / "bad_parts" / "rules.py").write_text("raise KeyError(5)")
    with pytest.raises(HarnessError) as caught:
        use_plugins()
    assert reason in str(caught.value)
    assert "bad-plugin 2.0" in str(caught.value)


@pytest.mark.parametrize(
    ("group", "source", "name"),
    [
        ("providers", PROVIDER + "X = replace(CLASH, name='twice')\n", "provider 'twice'"),
        ("rules", RULES + "X = CRASH\n", "rule 'crash'"),
        ("reports", REPORTS + "X = CRASH\n", "report 'bad'"),
    ],
)
def test_two_packages_with_one_name(
    use_plugins: Callable[[], object], tmp_path: Path, group: str, source: str, name: str
) -> None:
    """The second one is refused, and the first one named."""
    install(tmp_path, group, "bad_plugin:X", source)
    other = tmp_path / "site" / "other-1.dist-info"
    shutil.copytree(tmp_path / "site" / "bad_plugin-2.0.dist-info", other)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1\n")
    with pytest.raises(HarnessError) as caught:
        use_plugins()
    assert "the plug-in 'bad' of the package other 1 cannot be used" in str(caught.value)
    assert f"there is a {name} of bad-plugin 2.0 already" in str(caught.value)


@pytest.mark.slow
def test_two_servers_at_one_prefix(python: Python, tmp_path: Path) -> None:
    """A plug-in's server at the path of another is refused; both packages are named."""
    env = install(tmp_path, "providers", "bad_plugin:X", PROVIDER + "X = replace(CLASH, name='a')")
    done = python("-m", "harness.cli", "sandbox", folder=tmp_path, env=env)
    assert (done.returncode, done.stderr) == (
        2,
        "harness: the sandbox cannot serve 'a' of bad-plugin 2.0 and 'zhipuai' of harness, both "
        "at /api/paas/v4; change the prefix of one, or uninstall it\n",
    )


@pytest.mark.slow
def test_pytest_says_it_in_one_sentence(python: Python, tmp_path: Path) -> None:
    """A scenario is not collected; other tests are not disturbed."""
    env = install(tmp_path, "providers", "bad_plugin:X", "import no_such_module")
    (tmp_path / "test_own.py").write_text("def test_own(): pass", encoding="utf-8")
    text = SCENARIO.replace("echo/", "zhipuai/")
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "parrot.yaml").write_text(text, encoding="utf-8")
    command = ("-m", "pytest", "-q", "--continue-on-collection-errors", "-p", "no:cacheprovider")
    done = python(*command, "test_own.py", "scenarios", folder=tmp_path, env=env)
    assert "1 passed, 1 error" in done.stdout
    assert "Traceback" not in done.stdout
    assert f"No module named 'no_such_module'){CURE}" in done.stdout
