"""Tests with a cassette: the mark, the fixtures, `--record`, and the closing line."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from importlib.util import find_spec
from pathlib import Path

import pytest

from harness.providers.zhipu.sandbox import KEY as ZHIPUAI_KEY

pytestmark = pytest.mark.slow

pytest_plugins = ["pytester"]

ASK = f"""\
import httpx
import pytest

def ask(words="你好"):
    body = {{"model": "glm-5.3-flash", "messages": [{{"role": "user", "content": words}}]}}
    headers = {{"authorization": "Bearer {ZHIPUAI_KEY}"}}
    return httpx.post(BASE + "/api/paas/v4/chat/completions", json=body, headers=headers).json()
"""
ONE = """
@pytest.mark.cassette
def test_one():
    assert ask()["choices"]
"""


@pytest.fixture
def repository(pytester: pytest.Pytester, sandbox: str, only_our_plugin: None) -> pytest.Pytester:
    """Return a repository of tests without plugins that are not needed."""
    pytester.makeini(
        "[pytest]\naddopts = -p no:cacheprovider -p no:hypothesispytest -p no:asyncio\n"
    )
    return pytester


def write(repository: pytest.Pytester, base: str, tests: str) -> Path:
    """Write a test file; return the folder of its cassettes."""
    repository.makepyfile(test_mine=f"BASE = {base!r}\n{ASK}\n{tests}")
    return repository.path / "cassettes" / "test_mine"


def test_a_test_is_recorded_and_replayed(repository: pytest.Pytester, sandbox: str) -> None:
    """Nothing is sent without --record, and the closing line says what happened."""
    folder = write(repository, sandbox, ONE)
    result = repository.runpytest_inprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*there is no *cassettes/test_mine/test_one.yaml: pytest --record=missing *",
            "harness: 0 replayed, 0 recorded, 0 live, 1 missed; no test went to the network",
        ]
    )
    result = repository.runpytest_inprocess("--record=missing")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        ["harness: 0 replayed, 1 recorded, 0 live; 1 test went to the network"]
    )
    assert [path.name for path in folder.iterdir()] == ["test_one.yaml"]
    write(repository, "http://elsewhere.invalid", ONE)
    result = repository.runpytest_inprocess("--junit-xml=junit.xml")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        ["harness: 1 replayed, 0 recorded, 0 live; no test went to the network"]
    )
    prop = ET.parse(repository.path / "junit.xml").find(".//property")  # noqa: S314 - pytest's
    assert prop is not None
    assert prop.attrib == {"name": "harness", "value": "replayed"}


@pytest.mark.parametrize("option", ["--record", "--record=all"])
def test_record_can_be_followed_by_a_path(
    repository: pytest.Pytester, sandbox: str, option: str
) -> None:
    """`--record` without a value means all, and what follows it is a path."""
    folder = write(repository, sandbox, ONE)
    repository.runpytest_inprocess(option, "test_mine.py").assert_outcomes(passed=1)
    (path,) = folder.iterdir()
    path.write_text("broken")
    repository.runpytest_inprocess("--record=none", "test_mine.py").assert_outcomes(errors=1)
    repository.runpytest_inprocess(option, "test_mine.py").assert_outcomes(passed=1)
    assert path.read_text() != "broken"


def test_an_invalid_record_mode_is_a_usage_error(repository: pytest.Pytester) -> None:
    """An invalid mode is a usage error."""
    result = repository.runpytest_inprocess("--record=sometimes")
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_parameters_have_cassettes_of_their_own(repository: pytest.Pytester, sandbox: str) -> None:
    """Each parameter has its own cassette, with a name that is valid on every file system."""
    tests = """
@pytest.mark.cassette
@pytest.mark.parametrize("words", ["a/b", "a:b"])
def test_some(words):
    assert ask(words)["choices"]

class TestAll:
    @pytest.mark.cassette("cassettes/mine.yaml")
    def test_named(self):
        assert ask()["choices"]
"""
    folder = write(repository, sandbox, tests)
    repository.runpytest_inprocess("--record").assert_outcomes(passed=3)
    names = sorted(path.name for path in folder.iterdir())
    assert len(names) == 2
    assert all(name.startswith("test_some-a-b-") for name in names)
    assert (repository.path / "cassettes" / "mine.yaml").is_file()
    repository.runpytest_inprocess().assert_outcomes(passed=3)


def test_a_test_that_is_skipped_or_expected_to_fail_is_recorded(
    repository: pytest.Pytester, sandbox: str
) -> None:
    """A replay ends as the recording did, and not since an answer is missing."""
    tests = """
@pytest.mark.cassette
def test_one():
    assert ask()["choices"]
    pytest.skip("the model cannot do this")

@pytest.mark.cassette
@pytest.mark.xfail
def test_two():
    assert not ask()["choices"]

@pytest.mark.cassette
def test_three():
    assert ask()["choices"]
    pytest.xfail("the model cannot do this")
"""
    folder = write(repository, sandbox, tests)
    repository.runpytest_inprocess("--record=missing").assert_outcomes(skipped=1, xfailed=2)
    names = ["test_one.yaml", "test_three.yaml", "test_two.yaml"]
    assert sorted(path.name for path in folder.iterdir()) == names
    write(repository, "http://elsewhere.invalid", tests)
    result = repository.runpytest_inprocess()
    result.assert_outcomes(skipped=1, xfailed=2)
    result.stdout.fnmatch_lines(["harness: 3 replayed, 0 recorded, 0 live; *"])


def test_a_failure_that_the_mark_xfail_does_not_expect_writes_no_cassette(
    repository: pytest.Pytester, sandbox: str
) -> None:
    """The mark may name a condition, which does not hold here, and the error, here another one."""
    tests = """
@pytest.mark.cassette
@pytest.mark.xfail(False, reason="elsewhere only")
def test_one():
    assert not ask()["choices"]

@pytest.mark.cassette
@pytest.mark.xfail(raises=KeyError)
def test_two():
    assert not ask()["choices"]
"""
    folder = write(repository, sandbox, tests)
    repository.runpytest_inprocess("--record").assert_outcomes(failed=2)
    assert not [*folder.glob("*.yaml")]


def test_a_test_that_fails_writes_no_cassette(repository: pytest.Pytester, sandbox: str) -> None:
    """A failing test writes no cassette, and its answers are kept for the next run."""
    folder = write(repository, sandbox, ONE + "    raise ValueError\n")
    result = repository.runpytest_inprocess("--record=missing")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*kept for the next run with record=*: 1 answer in *.journal"])
    result.stdout.fnmatch_lines(["harness: 0 replayed, 0 recorded, 1 live; 1 test went *"])
    assert [path.suffix for path in folder.rglob("*.*")] == [".journal"]
    write(repository, sandbox, ONE)
    repository.runpytest_inprocess("--record=missing").assert_outcomes(passed=1)
    assert [path.suffix for path in folder.rglob("*.*")] == [".yaml"]


def test_a_failure_shows_no_key(repository: pytest.Pytester, sandbox: str) -> None:
    """Failures show no key in arguments of the last function."""
    tests = """
import contextvars
import harness
import httpx

KEY = {"authorization": "Bearer " + "hush-" + "hush-hush"}

def say():
    return httpx.post(BASE + "/nowhere?key=" + "hush-" + "hush-hush", json=1, headers=KEY)

@pytest.mark.cassette(findings="show", secrets=["hush-" + "hush-hush"])
def test_again():
    say()
    say()

@pytest.mark.cassette
def test_unknown():
    httpx.get(BASE, headers=KEY)

@pytest.mark.cassette(secrets=["hush-" + "hush-hush"])
def test_without():
    with harness.use_cassette(EMPTY):
        contextvars.Context().run(say)
"""
    empty = repository.path / "empty.yaml"
    empty.write_text("interactions: []\nversion: 1\n")
    tests = f"EMPTY = {str(empty)!r}\n{tests}"
    write(repository, sandbox, tests.replace("    say()\n    say()\n", "    say()\n"))
    repository.runpytest_inprocess("--record", "-k", "again").assert_outcomes(passed=1)
    write(repository, sandbox, tests)
    result = repository.runpytest_inprocess()
    result.assert_outcomes(failed=3)
    result.stdout.fnmatch_lines_random(
        ["*CassetteMiss: *sent once more*", "*NoActiveCassette: POST *"]
    )
    result.stdout.no_fnmatch_line("*hush-hush-hush*")


def test_a_miss_in_a_thread_fails_its_test(repository: pytest.Pytester, sandbox: str) -> None:
    """A miss that a thread swallowed fails its test."""
    thread = """
@pytest.mark.cassette
def test_one():
    ask()
    thread = threading.Thread(target=ask, args=("another",))
"""
    begun = "import threading\n" + thread + "    thread.start()\n    thread.join()\n"
    write(repository, sandbox, thread.replace("threading", "__import__('threading')"))
    repository.runpytest_inprocess("--record").assert_outcomes(passed=1)
    repository.runpytest_inprocess().assert_outcomes(passed=1)
    write(repository, sandbox, begun)
    result = repository.runpytest_inprocess(
        "-W", "ignore::pytest.PytestUnhandledThreadExceptionWarning"
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["no recorded answer*", "*swallowed by a thread*"])


def test_unused_requests_fail_a_test(repository: pytest.Pytester, sandbox: str) -> None:
    """Unused recorded requests fail a test, unless its mark allows them."""
    write(repository, sandbox, ONE + "    ask('再见')\n")
    repository.runpytest_inprocess("--record").assert_outcomes(passed=1)
    write(repository, sandbox, ONE)
    result = repository.runpytest_inprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*test_one.yaml: 1 unused recorded request; *"])
    write(repository, sandbox, ONE.replace("cassette", "cassette(allow_unused=True)"))
    repository.runpytest_inprocess().assert_outcomes(passed=1)


def test_the_rules_fail_a_test(repository: pytest.Pytester, sandbox: str) -> None:
    """Findings of rules fail a test after its own outcome, or are only shown."""
    folder = write(repository, sandbox, ONE)
    repository.runpytest_inprocess("--record").assert_outcomes(passed=1)
    path = folder / "test_one.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("total_tokens", "totally_tokens"), encoding="utf-8")
    result = repository.runpytest_inprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["error: *", "*recording: *test_one.yaml"])
    write(repository, sandbox, ONE.replace("cassette", "cassette(findings='show')"))
    result = repository.runpytest_inprocess("-rA")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["error: *"])


def test_a_crash_shows_the_findings(repository: pytest.Pytester, sandbox: str) -> None:
    """The report of a test that a changed answer breaks names the rules that the answer breaks."""
    tests = """
import unittest

def shout():
    return ask()["choices"][0]["message"].get("content") + "!"

@pytest.mark.cassette
def test_one():
    shout()

class TestAll(unittest.TestCase):
    @pytest.mark.cassette
    def test_two(self):
        for number in range(11):
            ask(str(number))
        shout()
"""
    folder = write(repository, sandbox, tests)
    repository.runpytest_inprocess("--record").assert_outcomes(passed=2)
    for path in folder.glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        text = text.replace('"message":{"content"', '"message":{"contents"')
        path.write_text(text, encoding="utf-8")
    result = repository.runpytest_inprocess()
    result.assert_outcomes(failed=2)
    expected = ["E   *TypeError*", "*- findings -*", "error: answer_fits_schema"]
    result.stdout.fnmatch_lines([*expected, *expected, "and * more"])
    assert result.stdout.str().count("error: answer_fits_schema") == 11


def test_a_missing_key_is_named(
    repository: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test that needs a key to record says which, and what needs none; one without a need not."""
    tests = """
import os
from openai import OpenAI

@pytest.fixture(scope="session")
def wide():
    return OpenAI()

@pytest.mark.cassette
def test_wide(wide): pass

@pytest.mark.cassette
def test_sdk():
    OpenAI()

@pytest.mark.cassette
def test_own():
    os.environ["DASHSCOPE_API_KEY"]

@pytest.mark.cassette
def test_other():
    OpenAI(api_key="any").chat.completions
    raise ValueError
"""
    for name in ("OPENAI_API_KEY", "DASHSCOPE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    write(repository, "", tests)
    result = repository.runpytest_inprocess("--record=missing")
    result.assert_outcomes(failed=3, errors=1)
    text = result.stdout.str()
    assert text.count("missing API key") == 3
    assert text.count("OPENAI_API_KEY is not set, which recording") == 2
    assert text.count("DASHSCOPE_API_KEY is not set, which recording") == 1
    assert text.count("`harness sandbox -- pytest --record=missing` needs no key") == 3


def test_the_fixture_shows_the_exchanges(repository: pytest.Pytester, sandbox: str) -> None:
    """The fixture shows the exchanges while the test runs, also without the mark."""
    tests = """
def test_fixture(cassette):
    ask()
    assert len(cassette.exchanges) == 1
    assert not cassette.findings
"""
    write(repository, sandbox, tests)
    repository.runpytest_inprocess("--record=missing").assert_outcomes(passed=1)
    repository.runpytest_inprocess().assert_outcomes(passed=1)


def test_a_wrong_mark_fails_its_test(repository: pytest.Pytester, sandbox: str) -> None:
    """A wrong argument of the mark fails its test, and the message shows the usage."""
    tests = "".join(
        f"@pytest.mark.cassette({mark})\ndef test_{n}(): pass\n"
        for n, mark in enumerate(["volatil=[]", "findings='no'", "volatile='/seed'"])
    )
    write(repository, sandbox, tests)
    result = repository.runpytest_inprocess()
    result.assert_outcomes(errors=3)
    result.stdout.fnmatch_lines(["*@pytest.mark.cassette*allow_unused=False*"])


DEFAULTS = """
@pytest.fixture(scope="module")
def cassette_settings():
    return {{{}}}
"""


def test_the_settings_fixture_applies_to_a_folder(
    repository: pytest.Pytester, sandbox: str
) -> None:
    """The nearest fixture `cassette_settings` applies in any scope, and the mark before it."""
    folder = write(repository, sandbox, ONE)
    repository.makeconftest(
        "import pytest\n@pytest.fixture(scope='session')\ndef cassette_settings():\n"
        "    return {'allow_unused': True}"
    )
    twice = ONE + "    ask('再见')\n"
    write(repository, sandbox, twice)
    repository.runpytest_inprocess("--record").assert_outcomes(passed=1)
    assert (folder / "test_one.yaml").is_file()
    write(repository, sandbox, ONE)
    repository.runpytest_inprocess().assert_outcomes(passed=1)
    by_fixture = "def test_one(cassette):\n    ask()\n"
    write(repository, sandbox, by_fixture)
    repository.runpytest_inprocess().assert_outcomes(passed=1)
    marked = ONE.replace("cassette", "cassette(allow_unused=False)")
    write(repository, sandbox, marked)
    repository.runpytest_inprocess().assert_outcomes(failed=1)
    write(repository, sandbox, DEFAULTS.format("'secrets': []") + ONE)
    result = repository.runpytest_inprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*1 unused recorded request*"])
    (folder / "test_one.yaml").rename(repository.path / "test_one.yaml")
    here = "cassette(folder='mine', allow_unused=True)"
    write(repository, sandbox, ONE.replace("cassette", here))
    (repository.path / "mine" / "test_mine").mkdir(parents=True)
    (repository.path / "test_one.yaml").rename(repository.path / "mine/test_mine/test_one.yaml")
    repository.runpytest_inprocess().assert_outcomes(passed=1)


def test_hooks_and_project_settings_apply(repository: pytest.Pytester, sandbox: str) -> None:
    """Hooks of the mark and settings of pyproject.toml apply to a marked test."""
    tests = """
from dataclasses import replace

def plain(request):
    return replace(request, uri=request.uri.replace("?again", ""))

def only_good(exchange):
    return exchange if exchange.response.status == 200 else None

@pytest.mark.cassette(
    normalize_request=plain, before_record=only_good, allow_hosts=["*.example.com"]
)
def test_one():
    global BASE
    ask()
    httpx.get(BASE + "/no-such-place")
"""
    folder = write(repository, sandbox, tests)
    repository.makepyprojecttoml("[tool.harness]\nvolatile = ['/messages/0/content']\n")
    repository.runpytest_inprocess("--record").assert_outcomes(passed=1)
    (path,) = folder.iterdir()
    assert path.read_text().count("- request:") == 1
    again = tests.replace('    httpx.get(BASE + "/no-such-place")\n', "").replace(
        "    ask()", "    ask('再见')"
    )
    write(repository, sandbox, again)
    repository.runpytest_inprocess().assert_outcomes(passed=1)
    path.write_text(path.read_text().replace("/chat/completions", "/chat/completions?again"))
    repository.runpytest_inprocess().assert_outcomes(passed=1)


def test_an_allowed_host_outside_counts_as_network(
    repository: pytest.Pytester, sandbox: str
) -> None:
    """A test that contacts an allowed host outside this machine went to the network."""
    port = sandbox.rpartition(":")[2]
    tests = f"""
import socket

@pytest.fixture(autouse=True)
def named(monkeypatch):
    original = socket.getaddrinfo
    here = lambda host, *more, **options: original("127.0.0.1", *more, **options)
    monkeypatch.setattr(socket, "getaddrinfo", here)

@pytest.mark.cassette(allow_hosts=["localhost"])
def test_inside():
    httpx.get("http://localhost:{port}/")

@pytest.mark.cassette(allow_hosts=["db.example.com"])
def test_outside():
    httpx.get("http://db.example.com:{port}/")
"""
    write(repository, sandbox, tests)
    result = repository.runpytest_inprocess()
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        [
            "harness: 0 replayed, 0 recorded, 0 live, 1 allowed, 1 without requests; "
            "1 test went to the network"
        ]
    )


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (
            "'volatil': []",
            "*the fixture cassette_settings: got an unexpected*'volatil'; usage: *",
        ),
        ("'findings': 'no'", "*the fixture cassette_settings: findings='no' is not valid; *"),
        ("'normalize_request': 7", "*normalize_request: expected a function*"),
        ("'folder': 'mine'", "*the fixture cassette_settings: only the mark can set folder*"),
        ("'secrets': 7", "*secrets: expected a list of strings*"),
        ("'allow_hosts': ['http://x']", "*allow_hosts: 'http://x' is not a valid host*"),
    ],
)
def test_a_wrong_settings_fixture_fails_its_tests(
    repository: pytest.Pytester, sandbox: str, entry: str, expected: str
) -> None:
    """A wrong fixture `cassette_settings` fails its tests with one message."""
    write(repository, sandbox, DEFAULTS.format(entry) + ONE + "\ndef test_other(): pass\n")
    result = repository.runpytest_inprocess()
    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines([expected])
    assert "Traceback" not in result.stdout.str()


def test_asynchronous_tests(repository: pytest.Pytester, sandbox: str) -> None:
    """An asynchronous test uses its cassette, also in a task that a fixture began."""
    tests = f"""
@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.fixture
async def address():
    return BASE + "/api/paas/v4/chat/completions"

@pytest.mark.anyio
@pytest.mark.cassette
async def test_one(address, cassette):
    body = {{"model": "glm-5.3-flash", "messages": [{{"role": "user", "content": "你好"}}]}}
    headers = {{"authorization": "Bearer {ZHIPUAI_KEY}"}}
    async with httpx.AsyncClient() as client:
        assert (await client.post(address, json=body, headers=headers)).json()["choices"]
    assert len(cassette.exchanges) == 1
"""
    write(repository, sandbox, tests)
    repository.runpytest_inprocess("-p", "anyio", "--record").assert_outcomes(passed=1)
    write(repository, "http://elsewhere.invalid", tests)
    repository.runpytest_inprocess("-p", "anyio").assert_outcomes(passed=1)


@pytest.mark.slow
@pytest.mark.skipif(find_spec("xdist") is None, reason="pytest-xdist is not installed")
@pytest.mark.usefixtures("only_our_plugin")
def test_the_closing_line_counts_all_processes(repository: pytest.Pytester, sandbox: str) -> None:
    """With several processes, the closing line counts each test once."""
    write(repository, sandbox, ONE + ONE.replace("test_one", "test_two"))
    result = repository.runpytest_subprocess("-n", "2", "--record")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        ["harness: 0 replayed, 2 recorded, 0 live; 2 tests went to the network"]
    )
    result = repository.runpytest_subprocess("-n", "4", "--dist", "loadfile")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["harness: 2 replayed, 0 recorded, 0 live; no test went *"])


def test_there_is_no_closing_line_without_cassettes(repository: pytest.Pytester) -> None:
    """Without cassettes there is no closing line."""
    repository.makepyfile("def test_mine(): pass")
    assert "harness:" not in repository.runpytest_inprocess().stdout.str()


def test_the_mark_injects_faults(repository: pytest.Pytester, sandbox: str) -> None:
    """The answer comes at the third attempt; a test of which only faults answered is replayed."""
    tests = """
from harness.faults import reset, too_many_requests

def ask_again(times):
    return [ask() for _ in range(times)][-1]

@pytest.mark.cassette("one.yaml", faults=[too_many_requests(times=2)])
def test_again(cassette):
    assert ask_again(3)["choices"]
    assert cassette.attempts == 3

@pytest.mark.cassette("one.yaml", faults=[reset()])
def test_given_up():
    with pytest.raises(httpx.ReadError):
        ask()

@pytest.mark.cassette("one.yaml", faults="reset")
def test_wrong():
    ask()
"""
    write(repository, sandbox, tests)
    repository.runpytest_inprocess("--record=missing", "-k", "again").assert_outcomes(passed=1)
    result = repository.runpytest_inprocess()
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*faults: expected faults of harness.faults*"])
