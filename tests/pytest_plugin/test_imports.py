"""What the plugin imports for the first test with a cassette."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator
from weakref import ref

import pytest

from harness.pytest_plugin import import_all

HEAVY = ("ctypes", "multiprocessing")
"""Modules of Python that take long to import, and that a replay of a test does not need."""


@pytest.fixture
def collection() -> Iterator[None]:
    """Have garbage collected after the test as before it."""
    was_enabled = gc.isenabled()
    yield
    (gc.enable if was_enabled else gc.disable)()


@pytest.mark.parametrize("enabled", [True, False])
def test_garbage_is_collected_as_before(enabled: bool, collection: None) -> None:
    """Whether that was switched on or off."""
    (gc.enable if enabled else gc.disable)()
    import_all.__wrapped__(is_first=True)
    assert gc.isenabled() == enabled


@pytest.mark.parametrize("is_first", [True, False])
def test_objects_of_earlier_tests_are_collected(is_first: bool, collection: None) -> None:
    """Only before the first test, what exists is left out of later collections."""
    gc.disable()
    gc.unfreeze()
    gone = ref(type("Garbage", (), {}))  # every class refers to itself
    import_all.__wrapped__(is_first=is_first)
    assert (gc.get_freeze_count() > 0) is is_first
    gc.collect()
    assert (gone() is None) is not is_first
    gc.unfreeze()


def test_no_collection_while_importing() -> None:
    """The imports start no collection of all objects, and leave out what is seldom needed."""
    code = (
        "import gc, sys, harness.pytest_plugin as plugin; gc.collect(); before = {*sys.modules}\n"
        "runs = []  # Python 3.12 looks at the youngest objects, of which there are none\n"
        "gc.callbacks.append(lambda _, info: info['generation'] and runs.append(info))\n"
        "plugin.import_all(is_first=True); left_out = gc.get_freeze_count() > 0\n"
        f"print(runs, sorted({{*sys.modules}} - before & {{*{HEAVY!r}}}), left_out)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout == "[] [] True\n"
