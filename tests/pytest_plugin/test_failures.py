"""What pytest prints when a request is off the tape: the lines of the test, and one message."""

from __future__ import annotations

import pytest

from harness.locale import Language, in_language

pytestmark = pytest.mark.slow

pytest_plugins = ["pytester"]

NOWHERE = "http://127.0.0.1:9"
CLIENT = f"""
import threading
import httpx, pytest

def get(path, **headers):
    return httpx.get({NOWHERE!r} + path, headers=headers)

def boom(request):
    raise ValueError("boom")
"""
MISSES = """
@pytest.mark.cassette
def test_main():
    get("/b", authorization="Bearer abc")

@pytest.mark.cassette
def test_thread():
    thread = threading.Thread(target=get, args=("/b",))
    thread.start()
    thread.join()

@pytest.mark.cassette
def test_swallowed():
    try:
        get("/b")
    except BaseException:
        raise AssertionError("another error")

@pytest.mark.cassette(normalize_request=boom)
def test_hook():
    get("/b")
"""


def run(pytester: pytest.Pytester, tests: str, *options: str) -> pytest.RunResult:
    """Run tests that have no cassette."""
    pytester.makeini("[pytest]\naddopts = -p no:cacheprovider -p no:hypothesispytest -p no:asyncio")
    pytester.makepyfile(test_mine=CLIENT + tests)
    return pytester.runpytest_inprocess(*options)


def test_a_miss_is_reported_once_with_place_and_cure(pytester: pytest.Pytester) -> None:
    """Neither frames of httpx and the harness nor what led to the message are printed."""
    result = run(pytester, MISSES)
    result.assert_outcomes(failed=4)
    text = result.stdout.str()
    for unwanted in ("During handling", "direct cause", "site-packages", "intercept/", "another"):
        assert unwanted not in text
    assert text.count("no recorded answer to GET http://127.0.0.1:9/b;") == 3
    result.stdout.fnmatch_lines(
        [
            "test_mine.py:*: in test_main",
            "test_mine.py:*: in get",
            "E   *CassetteMiss: no recorded answer to GET *",
            "E   there is no *test_main.yaml: pytest --record=missing test_mine.py::test_main",
            "*CassetteMiss: no recorded answer to GET *",
            "*sent from *test_mine.py:*, in get",
            "test_mine.py:*: in test_swallowed",
            "E   *CassetteMiss: no recorded answer to GET *",
            "E   *BadHook: normalize_request raised ValueError: boom (*test_mine.py:*)",
        ]
    )


def test_an_option_shows_all_frames(pytester: pytest.Pytester) -> None:
    """As for any other failure, but without the arguments that hold a key."""
    result = run(pytester, MISSES, "--tb=long", "-k", "test_main")
    result.stdout.fnmatch_lines(["*httpx*_client.py:*", "*intercept*context.py:*CassetteMiss"])


FIXTURE = """
@pytest.fixture
def client():
    return get("/f")

@pytest.mark.cassette
def test_one(client): pass

@pytest.mark.cassette
def test_two(client): pass
"""


def test_a_miss_of_a_fixture_does_not_break_the_next_test(pytester: pytest.Pytester) -> None:
    """The second test has the miss, too, and not an assertion of pytest's own."""
    result = run(pytester, FIXTURE)
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(
        ["*there is no *test_one.yaml: *", "test_mine.py:*: in client", "*there is no *test_two*"]
    )
    assert "AssertionError" not in result.stdout.str()


def test_a_miss_is_in_the_language_of_the_user(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By LANG; the closing line too."""
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    with in_language(Language.EN):  # which the plugin changes
        text = run(pytester, MISSES, "-k", "main").stdout.str()
    assert "没有录制对 GET http://127.0.0.1:9/b 的回答；磁带是空的" in text
    assert "test_main.yaml：pytest --record=missing test_mine.py::test_main" in text
    assert "harness: 回放 0，录制 0，真实访问 0，缺少录制 1；没有测试访问了网络" in text
