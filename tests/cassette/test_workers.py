"""A function for many items in several processes."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import time
import warnings
from pathlib import Path
from types import MappingProxyType

import pytest

from harness.cassette.workers import in_order, rare_collections
from harness.errors import BadCassette, HarnessError

ITEMS = range(20)


def test_results_may_have_read_only_mappings() -> None:
    """Which pickle does not know."""
    results = in_order(lambda item: MappingProxyType({"item": item}), ITEMS, 2)
    assert list(results) == [{"item": item} for item in ITEMS]


def test_unused_objects_are_searched_as_before_after_the_work() -> None:
    """And less often in between, in this process or in others."""
    before = gc.get_threshold()
    with rare_collections():
        assert gc.get_threshold()[0] > before[0]
    assert gc.get_threshold() == before
    for jobs in (1, 2):
        thresholds = list(in_order(lambda item: gc.get_threshold()[0], ITEMS, jobs))
        assert min(thresholds[1:]) > thresholds[0] == before[0]
        assert gc.get_threshold() == before


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_results_come_in_the_order_of_the_items(jobs: int) -> None:
    """Whatever the number of processes."""
    assert list(in_order(lambda item: item * item, ITEMS, jobs)) == [n * n for n in ITEMS]


def test_several_processes_do_the_work() -> None:
    """The first item is done here, so that the others need not import what it needed."""
    first, *others = in_order(lambda _: os.getpid(), ITEMS, 2)
    assert first == os.getpid()
    assert first not in others


def test_few_items_start_no_process() -> None:
    """It would take longer than they do."""
    assert set(in_order(lambda _: os.getpid(), ITEMS[:6], 2)) == {os.getpid()}


def test_warnings_and_exceptions_are_those_of_one_process() -> None:
    """At the item that gives them; an exception ends all processes."""

    def do(item: int) -> int:
        if item == 3:
            warnings.warn("three", UserWarning, stacklevel=1)
        if item == 9:
            raise BadCassette("not a cassette", "nine.yaml", 7)
        return item

    done: list[int] = []
    with (
        pytest.warns(UserWarning, match="three"),
        pytest.raises(BadCassette, match=r"nine\.yaml:7: not a cassette") as error,
    ):
        done.extend(in_order(do, ITEMS, 2))
    assert (error.value.path, error.value.line) == ("nine.yaml", 7)
    assert multiprocessing.active_children() == []


def test_a_process_that_is_killed_is_named() -> None:
    """Not waited for."""

    def do(item: int) -> None:
        if item == 9:
            os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(HarnessError, match="a process was ended from outside"):
        list(in_order(do, ITEMS, 2))


def test_nothing_is_left_of_what_is_interrupted() -> None:
    """The processes end with the loop over the results."""
    others = {*multiprocessing.active_children()}  # of other tests
    results = in_order(lambda item: item, range(1000), 2)
    assert [next(results) for _ in range(5)] == [0, 1, 2, 3, 4]
    results.close()
    assert {*multiprocessing.active_children()} - others == set()


def test_no_process_outlives_one_that_is_killed(tmp_path: Path) -> None:
    """Which would wait for work for ever."""

    def do(item: int) -> None:
        (tmp_path / str(os.getpid())).touch()
        if item:
            time.sleep(600)

    caller = multiprocessing.get_context("fork").Process(
        target=lambda: list(in_order(do, ITEMS, 2))
    )
    caller.start()
    end = time.monotonic() + 120
    while len(started := [int(path.name) for path in tmp_path.iterdir()]) < 3:
        assert time.monotonic() < end
        time.sleep(0.01)
    caller.kill()
    caller.join()
    while any(map(_runs, {*started} - {caller.pid})):
        assert time.monotonic() < end
        time.sleep(0.01)


def _runs(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False
