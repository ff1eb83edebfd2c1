"""What fixtures of marked tests send, tests of unittest, and cassettes that tests share."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from intercept.server import Server, serving

pytestmark = pytest.mark.slow

pytest_plugins = ["pytester"]

Run = Callable[..., pytest.RunResult]


@pytest.fixture
def server() -> Iterator[Server]:
    """Run a small server that answers by path."""
    with serving() as running:
        yield running


@pytest.fixture
def run(pytester: pytest.Pytester, server: Server, only_our_plugin: None) -> Run:
    """Run pytest with options on a module of tests, where `get` asks the server."""
    pytester.makeini(
        "[pytest]\naddopts = -p no:cacheprovider -p no:hypothesispytest -p no:asyncio "
        "-p no:pytest_httpx -p no:respx -p no:requests_mock\n"
    )

    def running(tests: str, *options: str) -> pytest.RunResult:
        shown = tests.replace("mark.cassette", "mark.cassette(findings='show')")
        pytester.makepyfile(
            test_mine=f"import httpx, pytest, unittest\nBASE = {server.base!r}\n"
            f"def get(path):\n    return httpx.get(BASE + path).status_code\n"
            + shown.replace("show')(", "show', ")
        )
        return pytester.runpytest_inprocess(*options)

    return running


FUNCTION_SCOPED = """
@pytest.fixture
def before():
    assert get("/echo?before") == 200

@pytest.fixture
def around():
    get("/echo?around")
    yield
    get("/echo?after")

@pytest.mark.cassette
def test_one(around, before, cassette):
    get("/echo?test")
    assert len(cassette.exchanges) == 3
"""
METHODS = """
class TestIt:
    def setup_method(self):
        get("/echo?before")

    def teardown_method(self):
        get("/echo?after")

    @pytest.mark.cassette
    def test_one(self):
        get("/echo?test")
"""
ISOLATED = """
class TestIt(unittest.IsolatedAsyncioTestCase):
    def setUp(self):
        get("/echo?setUp")

    async def asyncSetUp(self):
        self.client = httpx.AsyncClient()
        await self.client.get(BASE + "/echo?asyncSetUp")
        self.addAsyncCleanup(self.client.aclose)

    async def asyncTearDown(self):
        await self.client.get(BASE + "/echo?asyncTearDown")

    def tearDown(self):
        get("/echo?tearDown")

    @pytest.mark.cassette
    async def test_one(self):
        import asyncio, time
        began = time.perf_counter()
        await asyncio.sleep(0.01)
        assert (await self.client.get(BASE + "/echo?test")).status_code == 200
"""


@pytest.mark.parametrize(
    ("tests", "requests"), [(FUNCTION_SCOPED, 4), (METHODS, 3), (ISOLATED, 5)], ids=[*"fmi"]
)
def test_function_scoped_fixtures_are_on_the_cassette(
    run: Run, server: Server, tests: str, requests: int
) -> None:
    """Requests of function-scoped fixtures, setUp and teardown are recorded and replayed."""
    run(tests, "--record=all").assert_outcomes(passed=1)
    assert len(server.requests) == requests
    result = run(tests)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        ["harness: 1 replayed, 0 recorded, 0 live; no test went to the network"]
    )
    assert len(server.requests) == requests


def test_a_time_of_an_isolated_test_case_is_simulated(run: Run) -> None:
    """Sleeps in an `IsolatedAsyncioTestCase` return at once in a replay."""
    tests = ISOLATED.replace("sleep(0.01)", "sleep(LONG)")
    run("LONG = 0\n" + tests, "--record=all").assert_outcomes(passed=1)
    result = run("LONG = 300\n" + tests)
    result.assert_outcomes(passed=1)


def test_a_miss_of_a_fixture_is_an_error(run: Run, server: Server) -> None:
    """A request of a fixture that is not on the cassette is an error at its phase."""
    run(FUNCTION_SCOPED, "--record=all").assert_outcomes(passed=1)
    result = run(FUNCTION_SCOPED.replace("?before", "?another"))
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*CassetteMiss: no recorded answer to GET */echo[?]another*"])
    result = run(FUNCTION_SCOPED.replace("?after", "?another"))
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*no recorded answer to GET */echo[?]another*"])
    assert "INTERNALERROR" not in result.stdout.str()
    result = run(FUNCTION_SCOPED.replace('    get("/echo?after")\n', ""))
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*1 unused recorded request*", "*GET */echo[?]after*"])
    assert len(server.requests) == 4


@pytest.mark.parametrize(
    "place",
    [
        FUNCTION_SCOPED.replace('get("/echo?before") == 200', "False"),
        FUNCTION_SCOPED.replace('get("/echo?test")', "raise ValueError"),
        "class TestIt(unittest.TestCase):\n"
        "    @pytest.mark.cassette\n"
        "    def test_one(self):\n        get('/echo')\n        self.fail('mine')\n",
        "class TestIt(unittest.TestCase):\n"
        "    def tearDown(self):\n        self.fail('mine')\n"
        "    @pytest.mark.cassette\n"
        "    def test_one(self):\n        get('/echo')\n",
        ISOLATED.replace("== 200", "== 201"),
    ],
    ids=["setup", "call", "TestCase", "tearDown", "IsolatedAsyncioTestCase"],
)
def test_a_failing_test_writes_no_cassette(run: Run, pytester: pytest.Pytester, place: str) -> None:
    """A test whose fixture, setUp, body or tearDown fails writes no cassette."""
    result = run(place, "--record=all")
    assert result.ret == 1
    assert not list(pytester.path.rglob("*.yaml"))


WIDE = """
@pytest.fixture(scope="{scope}")
def wide():
    {first}
    yield
    {last}

@pytest.mark.cassette
def test_one(wide):
    get("/echo?test")
"""


@pytest.mark.parametrize("scope", ["class", "module", "package", "session"])
def test_fixtures_of_wider_scope_never_go_live_in_silence(
    run: Run, server: Server, scope: str
) -> None:
    """What they ask is an error in a replay, which says why and what to do."""
    first = WIDE.format(scope=scope, first="get('/echo?wide')", last="pass")
    run(first, "--record=all").assert_outcomes(passed=1)
    assert len(server.requests) == 2
    result = run(first)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "*NoActiveCassette: GET */echo is on no cassette; it was sent while the test's "
            "cassette is not in use, by a fixture of wider scope than the test*function-scoped*"
        ]
    )
    assert len(server.requests) == 2
    run(WIDE.format(scope=scope, first="pass", last="pass")).assert_outcomes(passed=1)
    result = run(WIDE.format(scope=scope, first="pass", last="get('/echo?wide')"))
    result.assert_outcomes(passed=1, errors=1)
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "way",
    [
        "import urllib.request; urllib.request.urlopen(BASE)",
        "import contextlib\n    with contextlib.suppress(BaseException): get('/echo?wide')",
        "import threading; t = threading.Thread(target=get, args=['/echo']); t.start(); t.join()",
    ],
    ids=["urllib", "swallowed", "thread"],
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_no_way_of_a_wider_fixture_goes_out(run: Run, server: Server, way: str) -> None:
    """Nor does it go out by a library that is not patched, a thread, or swallow the error."""
    quiet = WIDE.format(scope="module", first="pass", last="pass")
    run(quiet, "--record=all").assert_outcomes(passed=1)
    result = run(WIDE.format(scope="module", first=way, last="pass"))
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*by a fixture of wider scope than the test*"])
    assert len(server.requests) == 1


def test_a_wider_fixture_can_be_requested_late(run: Run, server: Server) -> None:
    """A fixture of wider scope that the test requests itself is not on its cassette either."""
    tests = WIDE.format(scope="module", first="get('/echo?wide')", last="pass").replace(
        "test_one(wide):", "test_one(request):\n    request.getfixturevalue('wide')"
    )
    run(tests, "--record=all").assert_outcomes(passed=1)
    run(tests).assert_outcomes(failed=1)
    assert len(server.requests) == 2


def test_a_wider_fixture_can_have_its_own_cassette(run: Run, server: Server) -> None:
    """A block of its own, or allowed hosts, let a fixture of wider scope ask."""
    own = (
        "import harness\n    with harness.use_cassette('wide.yaml', record=MODE): get('/echo?wide')"
    )
    tests = WIDE.format(scope="module", first=own, last="pass")
    run("MODE = 'all'\n" + tests, "--record=all").assert_outcomes(passed=1)
    run("MODE = 'none'\n" + tests).assert_outcomes(passed=1)
    assert len(server.requests) == 2
    allowed = WIDE.format(scope="module", first="get('/echo?wide')", last="pass").replace(
        "mark.cassette", "mark.cassette(allow_hosts=['localhost'], allow_unused=True)"
    )
    run(allowed).assert_outcomes(passed=1)
    assert len(server.requests) == 4


def test_connections_of_wider_fixtures_are_counted(run: Run) -> None:
    """In a recording, the closing line counts tests whose wider fixtures reach other machines."""
    outside = """
@pytest.fixture(scope="module", autouse=True)
def named():
    import socket
    original = socket.socket.connect
    here = ("127.0.0.1", int(BASE.rpartition(":")[2]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", lambda self, _: original(self, here))
        socket.create_connection(("192.0.2.1", 80)).close()
        httpx.get("http://192.0.2.1/echo")
    yield

@pytest.mark.cassette
def test_one():
    get("/echo")
"""
    result = run(outside, "--record=all")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*; 1 test went to the network, and fixtures of 1 test did"])


SHARED = """
@pytest.mark.cassette(path="shared.yaml"{options})
@pytest.mark.parametrize("i", range(2))
def test_shared(i):
    get(f"/echo?s{{i}}")
"""


def test_tests_that_share_a_cassette_do_not_overwrite_each_other(
    run: Run, pytester: pytest.Pytester
) -> None:
    """With `--record=all`, the second test is refused before it asks; the first one's is kept."""
    result = run(SHARED.format(options=""), "--record=all")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*shared.yaml was recorded by test_mine.py::test_shared[[]0], too, and recording it "
            "again by test_mine.py::test_shared[[]1] would replace that*"
        ]
    )
    text = (pytester.path / "shared.yaml").read_text()
    assert "/echo?s0" in text
    run(SHARED.format(options=""), "--record=all", "-k", "1").assert_outcomes(errors=1)
    assert (pytester.path / "shared.yaml").read_text() == text


def test_tests_can_add_to_a_shared_cassette(
    run: Run, pytester: pytest.Pytester, server: Server
) -> None:
    """With `--record=missing` and `allow_unused`, both are kept, and neither is lost by `all`."""
    tests = SHARED.format(options=", allow_unused=True")
    run(tests, "--record=missing").assert_outcomes(passed=2)
    run(tests).assert_outcomes(passed=2)
    text = (pytester.path / "shared.yaml").read_text()
    run(tests, "--record=all").assert_outcomes(errors=2)
    assert (pytester.path / "shared.yaml").read_text() == text
    assert len(server.requests) == 2


@pytest.mark.skipif(find_spec("xdist") is None, reason="pytest-xdist is not installed")
@pytest.mark.usefixtures("only_our_plugin")
def test_tests_in_two_processes_do_not_overwrite_each_other(
    run: Run, pytester: pytest.Pytester, server: Server
) -> None:
    """Nor do tests that share a cassette in two workers of pytest-xdist."""
    run("def test_none(): pass\n" + SHARED.format(options=""), "--collect-only")
    result = pytester.runpytest_subprocess("-n", "2", "--record=all")
    outcomes = result.parseoutcomes()
    assert (outcomes["passed"], outcomes.get("errors", 0) + outcomes.get("failed", 0)) == (2, 1)
    text = (pytester.path / "shared.yaml").read_text()
    assert text.count("/echo?s") == 1
    told = ("was recorded by", "is being recorded by", "was changed by another process")
    assert any(reason in result.stdout.str() for reason in told)


@pytest.mark.slow
@pytest.mark.skipif(find_spec("xdist") is None, reason="pytest-xdist is not installed")
@pytest.mark.usefixtures("only_our_plugin")
@pytest.mark.parametrize("dist", ["load", "loadfile", "worksteal"])
def test_each_test_is_recorded_once_by_several_processes(
    run: Run, pytester: pytest.Pytester, server: Server, dist: str
) -> None:
    """However pytest-xdist distributes them; other workers then replay what these recorded."""
    tests = MANY.replace("mark.cassette", "mark.cassette(findings='show')")
    run("def test_none(): pass\n", "--collect-only")
    mine = (pytester.path / "test_mine.py").read_text()
    for name in ("test_mine", "test_more"):
        (pytester.path / f"{name}.py").write_text(mine + tests)
    options = ("-n", "4", "--dist", dist)
    pytester.runpytest_subprocess(*options, "--record=missing").assert_outcomes(passed=26)
    assert len(server.requests) == len(list(pytester.path.rglob("*.yaml"))) == 24
    result = pytester.runpytest_subprocess(*options)
    result.assert_outcomes(passed=26)
    result.stdout.fnmatch_lines(["harness: 24 replayed, 0 recorded, 0 live; no test went *"])
    assert len(server.requests) == 24


MANY = """
@pytest.mark.cassette
@pytest.mark.parametrize("number", range(12))
def test_many(number):
    get(f"/echo?{__name__}-{number}")
"""


def test_what_was_not_watched_is_told(run: Run, tmp_path: Path) -> None:
    """The closing line counts child processes and C libraries instead of claiming too much."""
    tests = """
import subprocess, sys, types

@pytest.mark.cassette
def test_child():
    get("/echo")
    for _ in range(2):
        subprocess.run([sys.executable, "-c", ""], check=True)

@pytest.mark.cassette
def test_library(monkeypatch):
    get("/echo")
    if LIBRARY:
        monkeypatch.setitem(sys.modules, LIBRARY, types.ModuleType(LIBRARY))
"""
    run("LIBRARY = ''\n" + tests, "--record=all").assert_outcomes(passed=2)
    result = run("LIBRARY = ''\n" + tests)
    result.stdout.fnmatch_lines(
        ["harness: 2 replayed, 0 recorded, 0 live; 2 child processes were not watched (*python*)"]
    )
    result = run("LIBRARY = 'pycurl'\n" + tests, "-k", "library")
    result.stdout.fnmatch_lines(["harness: 1 replayed, 0 recorded, 0 live; pycurl was not watched"])
    result = run("LIBRARY = ''\n" + tests, "-k", "library")
    result.stdout.fnmatch_lines(["*; no test went to the network"])


def test_three_programs_are_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The closing line names three of the programs, and masks a key in a name."""
    monkeypatch.setenv("OPENAI_API_KEY", "q7Zt-9mVx-Lw2Kd-p4Rb")
    names = ["d", "/x/c", "q7Zt-9mVx-Lw2Kd-p4Rb", "b", "uname"]  # an SDK's look-up of the platform
    tests = f"""
import os, subprocess

@pytest.mark.cassette
def test_children():
    for name in {names}:
        with pytest.raises(OSError):
            subprocess.run([name], env={{"PATH": "/nowhere"}})
    with pytest.raises(OSError):
        os.posix_spawn(b"/x/a", [b"a"], {{}})
"""
    result = run(tests)
    line = "harness: *; 5 child processes were not watched (REDACTED, a, b, ...)"
    result.stdout.fnmatch_lines([line])
    assert "q7Zt" not in result.stdout.str()


PLAIN_BETWEEN = """
import socket
REAL, SEEN = socket.getaddrinfo, []

@pytest.mark.cassette
def test_one():
    SEEN.append(socket.getaddrinfo)

@pytest.mark.cassette
def test_two():
    SEEN.append(socket.getaddrinfo)

def test_plain():
    assert SEEN[0] is SEEN[1] is not REAL
    assert socket.getaddrinfo is REAL

@pytest.mark.cassette
def test_fails():
    assert False

@pytest.mark.cassette
def test_not_run():
    pass
"""


def test_patches_stay_between_tests_with_cassettes_only(run: Run) -> None:
    """They are removed before any other test, and at the end."""
    original = socket.getaddrinfo
    run(PLAIN_BETWEEN, "-x").assert_outcomes(passed=3, failed=1)
    assert socket.getaddrinfo is original
