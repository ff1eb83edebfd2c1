"""Clients are tortured over real connections, and judged by what they make of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx
import pytest

from harness.errors import HarnessError
from harness.faults.run.cases import cases, sources
from harness.faults.run.clients import CRASHES, Question, client
from harness.faults.run.judging import judged, named
from harness.faults.run.process import Process
from harness.faults.run.results import Suffered
from harness.faults.run.running import Limits, torture
from harness.faults.run.scripts import script
from harness.faults.transport import HARMFUL, TORTURES, Ending, Fault, Sent, Verdict
from harness.sandbox.scripted_server import Pause, Reset, serve_scripts
from harness.types import Reply, Response, Usage

HERE = Path(__file__).parent
STREAM = HERE.parent.parent / "cassettes" / "streaming" / "zhipuai-glm-4.yaml"
BY_NAME: Mapping[str, Fault] = {one.name: one for one in TORTURES}
BODY = "data: 你好\n\n".encode()
QUICK = Limits(cases=1, timeout=1.0, grace=0.5)
SSE = (("Content-Type", "text/event-stream"),)


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a user would be: beside the module that is to be imported."""
    monkeypatch.chdir(HERE)


def suffered(name: str, kinds: Sequence[str], *paths: Path, limits: Limits = QUICK) -> Suffered:
    """What one client suffered of some kinds."""
    chosen = [BY_NAME[kind] for kind in kinds]
    (one,) = torture([name], sources(paths or [STREAM])[0], chosen, limits, lambda text: None)
    return one


def verdicts(one: Suffered) -> dict[str, str]:
    """What came of each kind, tried once."""
    return {name: str(kind.results[0].verdict) for name, kind in one.kinds.items()}


def test_a_strict_client_gets_all() -> None:
    """Whoever holds everything to what was promised scores 100."""
    one = suffered("readers:strict", list(BY_NAME))
    wrong = [(r.sent.what, r.verdict, r.words) for r in one.results if not r.right]
    assert wrong == []
    assert one.score == 100
    documents_alone, already = {"truncated_json"}, {"lines_end_in_lf"}
    assert set(one.kinds) == set(BY_NAME) - documents_alone - already


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
"""What the naive client makes of what it did not think of."""
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


def test_a_naive_client_is_caught() -> None:
    """With the right verdict in each kind, and not where it does well."""
    one = suffered("readers:naive", list(BY_NAME))
    found = verdicts(one)
    assert {name: found[name] for name in CAUGHT} == CAUGHT
    assert {found[name] for name in UNHARMED} == {"same"}
    right = [name for name, kind in one.kinds.items() if kind.share == 1]
    assert not set(right) & set(CAUGHT)
    assert one.score == pytest.approx(100 * len(right) / len(one.kinds))
    smallest = one.kinds["byte_order_mark"].smallest
    assert smallest is not None
    assert "instead of" in smallest.words


@pytest.mark.parametrize(
    ("name", "kind", "verdict"),
    [
        ("readers:endless", "unknown_members", Verdict.HANG),
        ("readers:patient", "silence", Verdict.HANG),
        ("readers:ending", "unknown_members", Verdict.CRASH),
    ],
)
def test_a_client_that_never_comes_back_is_let_go(name: str, kind: str, verdict: Verdict) -> None:
    """Though it waits, turns in a circle or ends itself; the next case finds a fresh process."""
    before = threading.active_count()
    one = suffered(name, [kind, "respelled"], limits=Limits(1, 0, 0.5, 0.5))
    assert one.left == ()
    assert verdicts(one) == {kind: verdict, "respelled": "same"}
    assert threading.active_count() == before


def test_a_process_that_hung_is_gone() -> None:
    """Ended, and begun anew only when it is needed."""
    with Process("readers:text_alone") as process:
        first = process._running
        assert first is not None
        process.end()
        assert first.poll() is not None
        process.begin()
        second = process._running
        assert process.generation == 2
    assert second is not None
    assert second.poll() is not None


def test_time_is_limited() -> None:
    """What was not tried is told; so is what there was no time to begin with."""
    limits = (Limits(5000, seconds=seconds) for seconds in (1.0, 5.0, 25.0))  # others may be busy
    tried = (suffered("readers:text_alone", list(BY_NAME), limits=limit) for limit in limits)
    one = next(found for found in tried if found.results)
    assert len(one.results) < one.planned
    none = suffered("readers:text_alone", list(BY_NAME), limits=Limits(seconds=1e-6))
    assert (none.results, none.score, none.planned) == ((), None, 0)
    assert {left.why for left in none.left} == {"the time was up"}


def test_what_ends_one_client_ends_all() -> None:
    """The others are not waited for: they have hundreds of cases before them."""
    found, _ = sources([STREAM])

    def tell(text: str) -> None:
        if text.startswith("readers:naive: 1 of"):
            raise KeyboardInterrupt

    names = ["readers:strict", "readers:naive"]
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        torture(names, found, TORTURES, Limits(5000, timeout=1.0), tell)
    assert time.monotonic() - began < 120


def test_the_same_seed_tries_the_same() -> None:
    """In the same order; another seed tries something else."""
    found, _ = sources([STREAM.parent])

    def chosen(seed: int) -> list[tuple[str, str, int]]:
        return [
            (case.torture.name, str(case.source), case.place)
            for case in cases(found, TORTURES, 3, seed)
        ]

    assert chosen(1) == chosen(1)
    assert chosen(1) != chosen(2)
    assert len(set(chosen(1))) == len(chosen(1))
    assert [name for name, _, _ in chosen(1)[:3]] == [one.name for one in TORTURES[:3]]


def test_a_small_kind_is_tried_in_full() -> None:
    """At every place, and at none twice."""
    found, _ = sources([STREAM])
    kind = BY_NAME["ended_between_events"]
    tried = list(cases(found, [kind], 10_000, 0))
    everywhere = [(id(source), p) for source in found for p in kind.places(source.recorded)]
    assert sorted((id(c.source), c.place) for c in tried) == sorted(everywhere)


def test_what_differs_by_itself_is_no_measure() -> None:
    """It is left out, and told."""
    one = suffered("readers:changing", ["respelled"])
    assert one.results == ()
    assert {left.why for left in one.left} == {
        "untouched: wrong, two answers to the same bytes differ"
    }


def test_an_sdk_is_tortured_through_its_parser() -> None:
    """What it raises of its own is a typed error; what its endpoints are not is left out."""
    pictures = STREAM.parent.parent / "kitten-image" / "dashscope-wanx-v1.yaml"
    kinds = ["lines_end_in_cr", "too_many_requests", "truncated_event", "ended_between_events"]
    one = suffered("openai", kinds, STREAM, pictures, limits=Limits(1, 0, 3.0, 1.0))
    assert verdicts(one) == {
        "lines_end_in_cr": "same",
        "too_many_requests": "error",
        "truncated_event": "crash",
        "ended_between_events": "wrong",
    }
    assert {left.why for left in one.left} == {"not one of its endpoints"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nowhere:ask", "nowhere:ask: cannot import nowhere: ModuleNotFoundError"),
        ("readers:nothing", "readers:nothing: readers has no function 'nothing'"),
        ("readers:not_a_function", "readers has no function 'not_a_function'"),
        ("somebody", "there is no client 'somebody'; known are zhipuai"),
    ],
)
def test_who_cannot_be_tortured_is_told(name: str, words: str) -> None:
    """In one message, before anything is tried."""
    with pytest.raises(HarnessError) as raised:
        suffered(name, ["respelled"])
    assert str(raised.value).startswith(words) or words in str(raised.value)


def _raising(error: BaseException) -> Verdict:
    def ask(question: Question) -> None:
        raise error

    base = client("readers:text_alone")
    asking = type(base)("x", ask, base.typed)
    question = Question("http://127.0.0.1:1", "/", "POST", {}, None, 1.0, "zhipuai.chat")
    return judged(asking, question, None, 0).verdict


def test_what_a_crash_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """These very classes; who derives one of his own has thought of it."""
    monkeypatch.syspath_prepend(HERE)

    class Own(KeyError):
        pass

    assert KeyError in CRASHES
    assert _raising(KeyError("choices")) is Verdict.CRASH
    assert _raising(Own("choices")) is Verdict.ERROR
    assert _raising(ValueError("broken")) is Verdict.ERROR
    assert named(KeyError("a")) == "KeyError: 'a'"
    assert named(httpx.ReadError("")) == "httpx.ReadError"


def test_answers_are_compared_by_what_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces are no part of an answer; counts that were raised are taken for what they were."""
    monkeypatch.syspath_prepend(HERE)
    base = client("readers:text_alone")
    question = Question("http://127.0.0.1:1", "/", "POST", {}, None, 1.0, "zhipuai.chat")
    by = 2**31
    reference = Reply(content="ab", usage=Usage(1, 2, 3))

    def said(reply: object, raised: int = 0) -> tuple[Verdict, str]:
        asking = type(base)("x", lambda asked: reply, base.typed)
        heard = judged(asking, question, reference, raised)
        return heard.verdict, heard.words

    cut = Reply(content="ab", usage=Usage(1, 2, 3), pieces=("a", "b"))
    assert said(cut) == (Verdict.SAME, "")
    raised = Reply(content="ab", usage=Usage(1 + by, 2 + by, 3 + 2 * by))
    assert said(raised, by) == (Verdict.SAME, "")
    assert said(raised)[0] is Verdict.WRONG
    assert said(Reply(content="a", usage=Usage(1, 2, 3))) == (
        Verdict.WRONG,
        "content: 'a' instead of 'ab'",
    )


def sent(head: bytes = b"", **changes: object) -> list[bytes | Pause | Reset]:
    """The script of an answer."""
    answer = Sent("", Response(200, "OK", SSE, BODY), **changes)  # type: ignore[arg-type]
    return list(script(answer, head, timeout=2.0, silence=9.0))


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n%s\r\nConnection: close\r\n\r\n"
CHUNKED = HEAD % b"Transfer-Encoding: chunked"


def test_endings_are_what_they_are() -> None:
    """As HTTP says, or before that; waiting, and declaring too much."""
    whole = b"%x\r\n%s\r\n" % (len(BODY), BODY)
    assert sent() == [CHUNKED, whole, b"0\r\n\r\n"]
    assert sent(ending=Ending.CLOSED) == [CHUNKED, whole]
    assert sent(ending=Ending.SILENT) == [CHUNKED, whole, Pause(9.0)]
    assert sent(ending=Ending.SILENT, headless=True) == [Pause(9.0)]
    assert sent(ending=Ending.RESET)[-1] == Reset()
    assert sent(wait=0.5)[0] == Pause(1.0)
    assert sent(declared=99) == [HEAD % b"Content-Length: 99", BODY]
    assert sent(pieces=(7, 9))[1:] == [
        b"7\r\ndata: \xe4\r\n",
        Pause(0.004),
        b"7\r\n\xbd\xa0\xe5\xa5\xbd\n\n\r\n",
        b"0\r\n\r\n",
    ]


@pytest.mark.parametrize("pieces", [(), (1, 3, 4)])
@pytest.mark.parametrize("taken", ["gzip", "identity"])
def test_gzip_is_for_those_who_take_it(pieces: tuple[int, ...], taken: str) -> None:
    """Whole or in pieces, each of which can be read at once."""
    answer = Sent("", Response(200, "OK", SSE, BODY), pieces, packed=True)
    with (
        serve_scripts(lambda head, body: script(answer, head, timeout=1, silence=1)) as address,
        httpx.stream(
            "GET", address, headers={"Accept-Encoding": taken}, trust_env=False
        ) as response,
    ):
        read = response.read()
    assert read == BODY
    assert response.headers.get("content-encoding") == ("gzip" if taken == "gzip" else None)


def test_every_harmful_kind_allows_an_error() -> None:
    """And the same answer only where a client may not have needed what was taken."""
    answer = Sent("", Response(200))
    kept = Sent("", Response(200), keeps=True)
    for kind in HARMFUL:
        assert kind.right(answer) == {Verdict.ERROR}
        assert kind.right(kept) == {Verdict.ERROR, Verdict.SAME}
        assert kind.text.endswith(".")
