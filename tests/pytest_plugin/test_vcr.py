"""`harness_compat = "vcr"`: what pytest-recording and vcrpy offer, on our tape."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
import yaml
from intercept.server import Server, serving
from vcr.cassette import Cassette

from harness.pytest_plugin import vcr

pytest_plugins = ["pytester"]
assert vcr  # imported once: pytester forgets what the runs of a test import
pytestmark = pytest.mark.filterwarnings("ignore:.*asyncio_default_fixture_loop_scope")


@pytest.fixture
def server() -> Iterator[Server]:
    """Run a server."""
    with serving() as running:
        yield running


@pytest.fixture
def project(pytester: pytest.Pytester, server: Server) -> pytest.Pytester:
    """Return a project with the setting, whose tests have the server's address as `BASE`."""
    pytester.makeini(
        "[pytest]\nharness_compat = vcr\naddopts = -p no:recording -p no:asyncio "
        "-W ignore::ResourceWarning\n"
    )
    pytester.makepyfile(address=f"BASE = {server.base!r}")
    return pytester


def run(project: pytest.Pytester, *options: str, **outcomes: int) -> pytest.RunResult:
    """Run the project's tests and check their outcomes."""
    result = project.runpytest_inprocess("-p", "no:cacheprovider", *options)
    result.assert_outcomes(**outcomes)
    return result


def cassette(project: pytest.Pytester, name: str) -> Any:
    """Return the interactions of a cassette."""
    path = project.path / "cassettes" / name
    return yaml.safe_load(path.read_text(encoding="utf-8"))["interactions"]


LIBRARIES = """
    import asyncio, http.client, urllib.request
    import aiohttp, httpx, pytest, requests
    from address import BASE

    async def by_aiohttp(url):
        async with aiohttp.ClientSession() as session, session.post(url, data=b"4") as got:
            return await got.read()

    @pytest.mark.vcr
    def test_it(vcr):
        headers = {"Authorization": "Bearer sk-0123456789abcdef0123456789abcdef"}
        assert requests.post(f"{BASE}/echo", b"1", headers=headers).content == b"1"
        assert httpx.post(f"{BASE}/echo?a=2", content=b"2").content == b"2"
        assert urllib.request.urlopen(f"{BASE}/echo?a=3", b"3").read() == b"3"
        assert asyncio.run(by_aiohttp(f"{BASE}/echo?a=4")) == b"4"
        assert vcr.play_count + len(vcr) in (4, 8)
"""


@pytest.mark.slow
def test_every_library_is_recorded_and_replayed(project: pytest.Pytester, server: Server) -> None:
    """The test's cassette is recorded by --record-mode, without keys, and replayed by default."""
    project.makepyfile(test_a=LIBRARIES)
    run(project, failed=1)
    run(project, "--record-mode=once", passed=1)
    recorded = cassette(project, "test_a/test_it.yaml")
    assert [one["request"]["body"] for one in recorded] == ["1", "2", "3", "4"]
    assert "sk-0123456789" not in repr(recorded)
    server.shutdown()
    run(project, "--block-network", passed=1)


@pytest.mark.slow
def test_options_of_vcrpy(project: pytest.Pytester, server: Server) -> None:
    """`vcr_config` and the mark's options filter, match and ignore as vcrpy does."""
    project.makepyfile(
        test_a="""
            import pytest, requests
            from address import BASE

            @pytest.fixture(scope="module")
            def vcr_config():
                return {
                    "filter_query_parameters": ["key"],
                    "filter_post_data_parameters": ["token"],
                    "before_record_request": lambda r: None if "/stream" in r.uri else r,
                    "decode_compressed_response": True,
                }

            @pytest.mark.vcr(match_on=["method", "path", "body"], filter_headers=["x-own"])
            def test_it(vcr):
                for number in range(1, 3):
                    data = {"a": number, "token": "t"}
                    url = f"{BASE}/gzip?key=1&b={number}"
                    got = requests.post(url, data, headers={"x-own": "1"})
                    assert "你" in got.content.decode()
                assert requests.get(f"{BASE}/stream").status_code == 200
                assert len(vcr) == 2
        """
    )
    run(project, "--record-mode=once", passed=1)
    recorded = cassette(project, "test_a/test_it.yaml")
    assert [one["request"]["body"] for one in recorded] == ["a=1", "a=2"]
    assert [one["request"]["uri"].partition("?")[2] for one in recorded] == ["b=1", "b=2"]
    assert "x-own" not in recorded[0]["request"]["headers"]
    assert "data: 你" in recorded[0]["response"]["body"]["string"]
    server.requests.clear()
    run(project, passed=1)
    assert [path for _, path, _ in server.requests] == ["/stream"]


@pytest.mark.slow
def test_several_cassettes_and_names(project: pytest.Pytester) -> None:
    """A test reads the cassettes of all its marks, and writes its own, whose name can be set."""
    project.makepyfile(
        test_a="""
            import pytest, requests
            from address import BASE

            pytestmark = pytest.mark.vcr("test_first.yaml")

            @pytest.mark.default_cassette("test_first")
            def test_first():
                assert requests.get(f"{BASE}/json").status_code == 200

            @pytest.mark.vcr("absent.yaml")
            def test_second(vcr):
                assert requests.get(f"{BASE}/json").status_code == 200
                assert requests.get(f"{BASE}/refused").status_code == 429
        """
    )
    project.makeconftest(
        """
        import pytest

        @pytest.fixture(scope="module")
        def vcr_cassette_dir(request):
            return str(request.path.parent / "cassettes" / "own")

        def pytest_recording_configure(config, vcr):
            vcr.match_on = ["method", "path"]
        """
    )
    run(project, "--record-mode=new_episodes", passed=2)
    run(project, passed=2)
    assert sorted(path.name for path in Path(project.path / "cassettes" / "own").iterdir()) == [
        "test_first.yaml",
        "test_second.yaml",
    ]


@pytest.mark.slow
def test_the_network_is_blocked(project: pytest.Pytester) -> None:
    """The mark and the option refuse connections, but to allowed hosts; recordings are free."""
    project.makepyfile(
        test_a="""
            import pytest, requests
            from address import BASE

            @pytest.mark.block_network
            def test_refused():
                with pytest.raises(RuntimeError, match="^Network is disabled for host '127.0.0.1'"):
                    requests.get(f"{BASE}/json")

            @pytest.mark.block_network(allowed_hosts=["127.*"])
            def test_allowed():
                assert requests.get(f"{BASE}/json").status_code == 200

            @pytest.mark.vcr
            @pytest.mark.block_network
            def test_recorded(disable_recording):
                assert requests.get(f"{BASE}/json").status_code == 200
        """
    )
    run(project, "--record-mode=once", passed=3)
    run(project, "-k", "recorded", passed=1)
    run(project, "--disable-recording", "-k", "allowed", passed=1)


@pytest.mark.skipif(
    "skip_patchers" not in signature(Cassette.__init__).parameters,
    reason="this version of vcrpy has no skip_patchers",
)
def test_what_is_not_supported_says_so(project: pytest.Pytester) -> None:
    """`skip_patchers`, which is about vcrpy's own patches, is refused in one sentence."""
    project.makepyfile(
        test_a="""
            import vcr

            def test_it(tmp_path):
                with vcr.use_cassette(str(tmp_path / "a.yaml"), skip_patchers=["httpx"]):
                    pass
        """
    )
    result = run(project, failed=1)
    result.stdout.fnmatch_lines(["*skip_patchers is not supported with harness_compat = *"])


@pytest.mark.skipif(find_spec("pytest_recording") is None, reason="pytest-recording is missing")
def test_pytest_recording_itself_is_refused(project: pytest.Pytester) -> None:
    """With pytest-recording loaded as well, pytest says how to leave it out."""
    project.makeini("[pytest]\nharness_compat = vcr\n")
    done = project.runpytest_inprocess()
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["*stands in for pytest-recording*-p no:recording"])


def test_another_setting_is_refused(pytester: pytest.Pytester) -> None:
    """The setting has one value."""
    pytester.makeini("[pytest]\nharness_compat = betamax\n")
    done = pytester.runpytest_inprocess()
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(['*"betamax" is not valid; expected "vcr" or nothing'])
