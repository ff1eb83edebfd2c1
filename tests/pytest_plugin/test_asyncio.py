"""Asynchronous tests of pytest-asyncio with a cassette, and the SDKs' asynchronous clients."""

from __future__ import annotations

import importlib

import pytest

from harness.providers.dashscope.sandbox import KEY as DASHSCOPE_KEY
from harness.providers.zhipu.sandbox import KEY as ZHIPUAI_KEY

# Inner runs forget what they imported, and PyYAML's half in C cannot be imported twice.
for name in ("dashscope", "harness.api.use_cassette", "openai"):
    importlib.import_module(name)

pytest_plugins = ["pytester"]

TESTS = f"""\
import asyncio
import time

import dashscope
import httpx
import openai
import pytest
import pytest_asyncio
from dashscope import AioGeneration
from dashscope.api_entities.aio_session import close_shared_aio_session

ASKED = [{{"role": "user", "content": "你好"}}]

@pytest_asyncio.fixture
async def client():
    headers = {{"authorization": "Bearer {ZHIPUAI_KEY}"}}
    async with httpx.AsyncClient(base_url=BASE + "/api/paas/v4", headers=headers) as client:
        yield client

@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def long_lived():
    async with openai.AsyncOpenAI(
        api_key="{ZHIPUAI_KEY}", base_url=BASE + "/api/paas/v4"
    ) as client:
        yield client

MARK
@pytest.mark.cassette
async def test_httpx(client, cassette):
    body = {{"model": "glm-5.3-flash", "messages": ASKED}}
    assert (await client.post("/chat/completions", json=body)).json()["choices"]
    assert len(cassette.exchanges) == 1

MODULE
@pytest.mark.cassette
async def test_openai(long_lived):
    parts = await long_lived.chat.completions.create(model="glm-5.3-flash", messages=ASKED, stream=True)
    assert "".join([part.choices[0].delta.content or "" async for part in parts])

MARK
@pytest.mark.cassette
async def test_dashscope(monkeypatch):
    monkeypatch.setattr(dashscope, "base_http_api_url", BASE + "/api/v1")
    try:
        answer = await AioGeneration.call("qwen-flash", messages=ASKED, api_key="{DASHSCOPE_KEY}")
    finally:
        await close_shared_aio_session()
    assert answer.output.text

MARK
@pytest.mark.cassette
async def test_waiting(cassette):
    if cassette.record == "none":
        began = time.time()
        await asyncio.gather(asyncio.sleep(60), asyncio.sleep(90))
        assert 90 <= time.time() - began < 150

MARK
async def test_without():
    began = time.time()
    await asyncio.sleep(0.02)
    assert time.time() - began >= 0.02
"""  # noqa: E501


def _write(pytester: pytest.Pytester, mode: str, base: str) -> None:
    pytester.makeini(
        "[pytest]\naddopts = -p no:cacheprovider -p no:hypothesispytest\n"
        f"asyncio_mode = {mode}\nasyncio_default_fixture_loop_scope = function\n"
    )
    mark, module = "@pytest.mark.asyncio", '@pytest.mark.asyncio(loop_scope="module")'
    tests = TESTS.replace("MARK", mark if mode == "strict" else "").replace("MODULE", module)
    pytester.makepyfile(test_mine=f"BASE = {base!r}\n{tests}")


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_asynchronous_tests_and_fixtures(
    pytester: pytest.Pytester, sandbox: str, mode: str
) -> None:
    """Asynchronous tests are recorded and replayed, in new event loops and in older ones."""
    _write(pytester, mode, sandbox)
    pytester.runpytest_inprocess("--record").assert_outcomes(passed=5)
    _write(pytester, mode, "http://elsewhere.invalid")
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(passed=5)
    result.stdout.fnmatch_lines(
        ["harness: 3 replayed, 0 recorded, 0 live, 1 without requests; no test *"]
    )


@pytest.mark.slow
def test_a_miss_fails_an_asynchronous_test(pytester: pytest.Pytester) -> None:
    """A miss fails an asynchronous test, and no SDK's retry loop swallows it."""
    _write(pytester, "strict", "http://elsewhere.invalid")
    result = pytester.runpytest_inprocess("-k", "openai or httpx or dashscope")
    result.assert_outcomes(failed=3)
    result.stdout.fnmatch_lines(["*no recorded answer to POST *", "*--record=missing*"])


PATIENT = """\
import time
from datetime import timedelta

import pytest
from hypothesis import given, settings, strategies as some

@pytest.mark.cassette
def test_sleepy(cassette):
    time.sleep(1000)

@pytest.mark.cassette
@given(some.integers())
@settings(max_examples=3, deadline=timedelta(seconds=60), database=None)
def test_examples(number):
    began = time.time()
    time.sleep(1000)
    assert time.time() - began >= 1000
"""


def test_test_tools_use_real_time(pytester: pytest.Pytester) -> None:
    """pytest's durations and hypothesis's deadlines are in real time."""
    pytester.makeini("[pytest]\naddopts = -p no:cacheprovider -p no:asyncio\n")
    pytester.makepyfile(test_mine=PATIENT)
    result = pytester.inline_run("-p", "no:logging")
    calls = [r for r in result.getreports("pytest_runtest_logreport") if r.when == "call"]
    assert [report.outcome for report in calls] == ["passed", "passed"]
    assert all(report.duration < 60 for report in calls)


@pytest.mark.parametrize("pace", ["-1", "nan", "inf", "fast"])
def test_an_invalid_pace_is_a_usage_error(pytester: pytest.Pytester, pace: str) -> None:
    """An invalid pace is a usage error of one line."""
    pytester.makeini("[pytest]\naddopts = -p no:cacheprovider -p no:asyncio\n")
    result = pytester.runpytest_inprocess(f"--pace={pace}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*--pace: '{pace}' is not a valid pace; expected 0, 1 or *"])


def test_a_pace_applies_to_sleeps(pytester: pytest.Pytester) -> None:
    """With --pace, sleeps take that part of their time."""
    pytester.makeini("[pytest]\naddopts = -p no:cacheprovider -p no:asyncio\n")
    pytester.makepyfile(test_mine=PATIENT)
    result = pytester.inline_run("-p", "no:logging", "--pace=0.0003", "-k", "sleepy")
    (call,) = [r for r in result.getreports("pytest_runtest_logreport") if r.when == "call"]
    assert 0.3 <= call.duration < 60
