"""Faults are sent to clients over real connections, and the reactions are right."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx
import pytest
from patience import patiently

from harness.errors import HarnessError
from harness.faults.cases import ClientResults, cases, sources
from harness.faults.client import (
    CRASHES,
    ClientRequest,
    describe_error,
    load_client,
    observation_of,
)
from harness.faults.delivery import Delivery, DeliveryFault, Ending, Reaction, allowed
from harness.faults.registry import DELIVERY_FAULTS
from harness.faults.run import Limits, delivery_script, run_faults
from harness.faults.worker import Worker
from harness.sandbox.scripted_server import Pause, Reset, serve_scripts
from harness.types import Reply, Response, Usage

HERE = Path(__file__).parent
STREAM = HERE / "stream.yaml"
"""A stream without reasoning, from the sandbox."""
CASSETTES = HERE.parent.parent / "cassettes"
BY_NAME: Mapping[str, DeliveryFault] = {fault.name: fault for fault in DELIVERY_FAULTS}
BODY = "data: 你好\n\n".encode()
SSE = (("Content-Type", "text/event-stream"),)


@pytest.fixture(autouse=True)
def in_this_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in the folder of the module with the clients, as a user does."""
    monkeypatch.chdir(HERE)


def quick(timeout: float = 60.0) -> Limits:
    """Return the limits of a run that tries each fault once."""
    return Limits(cases=1, timeout=timeout, grace=timeout / 2)


def results_of(name: str, faults: Sequence[str], *paths: Path, limits: Limits) -> ClientResults:
    """Return what one client made of some faults."""
    chosen = [BY_NAME[fault] for fault in faults]
    (results,) = run_faults(
        [name], sources(paths or [STREAM])[0], chosen, limits, lambda text: None
    )
    return results


def reactions(results: ClientResults) -> dict[str, str]:
    """Return the reaction to each fault, tried once."""
    return {name: str(cases.results[0].reaction) for name, cases in results.by_fault.items()}


@pytest.mark.slow
def test_a_strict_client_scores_100() -> None:
    """A client that validates everything passes every case."""

    def check(timeout: float) -> None:
        results = results_of("faulty_clients:strict", list(BY_NAME), limits=quick(timeout))
        wrong = [
            (r.delivery.description, r.reaction, r.detail) for r in results.results if not r.passed
        ]
        assert wrong == []
        assert results.score == 100
        only_documents, already = {"truncated_json"}, {"lines_end_in_lf"}
        assert set(results.by_fault) == set(BY_NAME) - only_documents - already

    patiently(check, 1.0)


CAUGHT = {
    "byte_by_byte": "crash",
    "split_inside_a_character": "crash",
    "lines_end_in_cr": "crash",
    "space_after_colon": "wrong",
    "data_on_many_lines": "crash",
    "byte_order_mark": "wrong",
    "unknown_event": "crash",
    "ended_between_events": "wrong",
    "truncated_event": "crash",
    "not_utf8": "crash",
    "error_event": "crash",
    "refused_with_status_200": "wrong",
    "too_many_requests": "wrong",
    "fault_in_html": "wrong",
}
"""The reactions of the naive client where it is not prepared."""
UNHARMED = (
    "merged_into_one_packet",
    "slow_first_byte",
    "packed_in_gzip",
    "lines_end_in_crlf",
    "comments_between_events",
    "unknown_fields",
    "respelled",
    "separators_in_text",
    "huge_counts",
    "optional_left_out",
)


@pytest.mark.slow
def test_a_naive_client_is_caught() -> None:
    """A naive client fails with the right reaction, and passes where it is prepared."""

    def check(timeout: float) -> None:
        results = results_of("faulty_clients:naive", list(BY_NAME), limits=quick(timeout))
        found = reactions(results)
        assert {name: found[name] for name in CAUGHT} == CAUGHT
        assert {found[name] for name in UNHARMED} == {"same"}
        right = [name for name, fault in results.by_fault.items() if fault.share == 1]
        assert not set(right) & set(CAUGHT)
        assert results.score == pytest.approx(100 * len(right) / len(results.by_fault))
        smallest = results.by_fault["byte_order_mark"].smallest_failure
        assert smallest is not None
        assert "expected" in smallest.detail

    patiently(check, 1.0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "fault", "reaction"),
    [
        ("faulty_clients:endless", "unknown_members", Reaction.HANG),
        ("faulty_clients:patient", "silence", Reaction.HANG),
        ("faulty_clients:ending", "unknown_members", Reaction.CRASH),
    ],
)
def test_a_client_that_never_returns_is_ended(name: str, fault: str, reaction: Reaction) -> None:
    """After a client that waits, loops or exits, the next case has a new process."""
    before = threading.active_count()

    def check(timeout: float) -> None:
        results = results_of(name, [fault, "respelled"], limits=Limits(1, 0, timeout, 0.5))
        assert results.skipped == ()
        assert reactions(results) == {fault: reaction, "respelled": "same"}

    patiently(check, 0.5)
    assert threading.active_count() <= before


@pytest.mark.slow
def test_an_ended_process_is_restarted_when_needed() -> None:
    """A worker ends its process, and starts another one on request."""
    with Worker("faulty_clients:text_alone") as process:
        first = process._process
        assert first is not None
        process.end()
        assert first.poll() is not None
        process.start()
        second = process._process
        assert process.generation == 2
    assert second is not None
    assert second.poll() is not None


@pytest.mark.slow
def test_time_is_limited() -> None:
    """A run stops after its time limit, and counts what it did not try."""
    limits = (Limits(5000, seconds=seconds) for seconds in (1.0, 5.0, 25.0))  # others may be busy
    tried = (
        results_of("faulty_clients:text_alone", list(BY_NAME), limits=limit) for limit in limits
    )
    results = next(some for some in tried if some.results)
    assert len(results.results) < results.planned
    none = results_of("faulty_clients:text_alone", list(BY_NAME), limits=Limits(seconds=1e-6))
    assert (none.results, none.score, none.planned) == ((), None, 0)
    assert {s.reason for s in none.skipped} == {"the time was up"}


@pytest.mark.slow
def test_an_error_in_one_run_ends_all() -> None:
    """An exception in one client's run does not wait for the cases of the others."""
    found, _ = sources([STREAM])

    def tell(text: str) -> None:
        if text.startswith("[1/") and "faulty_clients:naive" in text:
            raise KeyboardInterrupt

    names = ["faulty_clients:strict", "faulty_clients:naive"]
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_faults(names, found, DELIVERY_FAULTS, Limits(5000, timeout=1.0), tell)
    assert time.monotonic() - began < 120


def test_the_same_seed_tries_the_same() -> None:
    """One seed gives the same cases in the same order, another seed gives others."""
    found, _ = sources([STREAM.parent])

    def chosen(seed: int) -> list[tuple[str, str, int]]:
        return [
            (case.fault.name, str(case.source), case.place)
            for case in cases(found, DELIVERY_FAULTS, 3, seed)
        ]

    assert chosen(1) == chosen(1)
    assert chosen(1) != chosen(2)
    assert len(set(chosen(1))) == len(chosen(1))
    assert [name for name, _, _ in chosen(1)[:3]] == [fault.name for fault in DELIVERY_FAULTS[:3]]


def test_every_place_is_tried_once() -> None:
    """A fault with few places is tried at each of them, and at none twice."""
    found, _ = sources([STREAM])
    fault = BY_NAME["ended_between_events"]
    tried = list(cases(found, [fault], 10_000, 0))
    everywhere = [(id(source), p) for source in found for p in fault.places(source.answer)]
    assert sorted((id(c.source), c.place) for c in tried) == sorted(everywhere)


def test_an_answer_that_differs_by_itself_is_skipped() -> None:
    """A client that never returns the same is not compared with."""
    results = results_of("faulty_clients:changing", ["respelled"], limits=quick())
    assert results.results == ()
    assert {s.reason for s in results.skipped} == {
        "unchanged: wrong, two answers to the same bytes differ"
    }


@pytest.mark.slow
def test_an_sdk_is_called_through_its_parser() -> None:
    """An SDK's own errors are typed errors; other endpoints are skipped."""
    pictures = CASSETTES / "kitten-image" / "dashscope-wan2.2-t2i-flash.yaml"
    faults = ["lines_end_in_cr", "too_many_requests", "truncated_event", "ended_between_events"]
    results = results_of("openai", faults, STREAM, pictures, limits=quick())
    assert reactions(results) == {
        "lines_end_in_cr": "same",
        "too_many_requests": "error",
        "truncated_event": "crash",
        "ended_between_events": "wrong",
    }
    assert {s.reason for s in results.skipped} == {"not one of its endpoints"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere:ask", "nowhere:ask: cannot import nowhere: ModuleNotFoundError"),
        (
            "faulty_clients:nothing",
            "faulty_clients:nothing: faulty_clients has no function 'nothing'",
        ),
        ("faulty_clients:not_a_function", "faulty_clients has no function 'not_a_function'"),
        ("somebody", "there is no client 'somebody'; known are zhipuai"),
    ],
)
def test_a_client_that_cannot_be_loaded_is_an_error(name: str, message: str) -> None:
    """An unknown client is one message, before anything is tried."""
    with pytest.raises(HarnessError) as raised:
        results_of(name, ["respelled"], limits=quick())
    assert message in str(raised.value)


def _raising(error: BaseException) -> Reaction:
    def send(request: ClientRequest) -> None:
        raise error

    base = load_client("faulty_clients:text_alone")
    client = type(base)("x", send, base.is_typed)
    request = ClientRequest("http://127.0.0.1:1", "/", "POST", {}, None, 1.0, "zhipuai.chat")
    return observation_of(client, request, None, 0).reaction


def test_what_a_crash_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the listed classes are crashes, not classes derived from them."""
    monkeypatch.syspath_prepend(HERE)

    class Own(KeyError):
        pass

    assert KeyError in CRASHES
    assert _raising(KeyError("choices")) is Reaction.CRASH
    assert _raising(Own("choices")) is Reaction.ERROR
    assert _raising(ValueError("broken")) is Reaction.ERROR
    assert describe_error(KeyError("a")) == "KeyError: 'a'"
    assert describe_error(httpx.ReadError("")) == "httpx.ReadError"


def test_answers_are_compared_by_what_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers are compared without their pieces, and with raised counts lowered again."""
    monkeypatch.syspath_prepend(HERE)
    base = load_client("faulty_clients:text_alone")
    request = ClientRequest("http://127.0.0.1:1", "/", "POST", {}, None, 1.0, "zhipuai.chat")
    by = 2**31
    reference = Reply(content="ab", usage=Usage(1, 2, 3))

    def observed(reply: object, raised: int = 0) -> tuple[Reaction, str]:
        client = type(base)("x", lambda _: reply, base.is_typed)
        observation = observation_of(client, request, reference, raised)
        return observation.reaction, observation.detail

    cut = Reply(content="ab", usage=Usage(1, 2, 3), pieces=("a", "b"))
    assert observed(cut) == (Reaction.SAME, "")
    raised = Reply(content="ab", usage=Usage(1 + by, 2 + by, 3 + 2 * by))
    assert observed(raised, by) == (Reaction.SAME, "")
    assert observed(raised)[0] is Reaction.WRONG
    assert observed(Reply(content="a", usage=Usage(1, 2, 3))) == (
        Reaction.WRONG,
        "content: expected 'ab', actual 'a'",
    )


def sent(head: bytes = b"", **changes: object) -> list[bytes | Pause | Reset]:
    """Return the script of a delivery."""
    answer = Delivery("", Response(200, "OK", SSE, BODY), **changes)  # type: ignore[arg-type]
    return list(delivery_script(answer, head, timeout=2.0, silence=9.0))


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n%s\r\nConnection: close\r\n\r\n"
CHUNKED = HEAD % b"Transfer-Encoding: chunked"


def test_a_delivery_ends_as_described() -> None:
    """Each ending, delay and declared length gives its script."""
    whole = b"%x\r\n%s\r\n" % (len(BODY), BODY)
    assert sent() == [CHUNKED, whole, b"0\r\n\r\n"]
    assert sent(ending=Ending.CLOSED) == [CHUNKED, whole]
    assert sent(ending=Ending.SILENT) == [CHUNKED, whole, Pause(9.0)]
    assert sent(ending=Ending.SILENT, without_head=True) == [Pause(9.0)]
    assert sent(ending=Ending.RESET)[-1] == Reset()
    assert sent(delay=0.5)[0] == Pause(1.0)
    assert sent(declared_length=99) == [HEAD % b"Content-Length: 99", BODY]
    assert sent(packets=(7, 9))[1:] == [
        b"7\r\ndata: \xe4\r\n",
        Pause(0.004),
        b"7\r\n\xbd\xa0\xe5\xa5\xbd\n\n\r\n",
        b"0\r\n\r\n",
    ]


@pytest.mark.parametrize("packets", [(), (1, 3, 4)])
@pytest.mark.parametrize("accepted", ["gzip", "identity"])
def test_gzip_is_sent_to_clients_that_accept_it(packets: tuple[int, ...], accepted: str) -> None:
    """A compressed body is readable as a whole and packet by packet."""
    answer = Delivery("", Response(200, "OK", SSE, BODY), packets, gzip=True)
    with (
        serve_scripts(
            lambda head, body: delivery_script(answer, head, timeout=1, silence=1)
        ) as address,
        httpx.stream(
            "GET", address, headers={"Accept-Encoding": accepted}, trust_env=False
        ) as response,
    ):
        read = response.read()
    assert read == BODY
    assert response.headers.get("content-encoding") == ("gzip" if accepted == "gzip" else None)


def test_an_error_is_right_after_a_harmful_fault() -> None:
    """The same answer is right only where a client may not need what was removed."""
    answer = Delivery("", Response(200))
    kept = Delivery("", Response(200), may_be_same=True)
    for fault in DELIVERY_FAULTS:
        harmful = {Reaction.ERROR} if fault.harmful else {Reaction.SAME}
        assert allowed(fault, answer) == harmful
        assert allowed(fault, kept) == harmful | {Reaction.SAME}
        assert fault.description.endswith(".")
