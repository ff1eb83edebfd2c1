"""The requests of fixtures of wider scope than a test, which are on no test's cassette.

Around each test with a cassette there is a block without a cassette. It is used while the test's
own block is not: when fixtures of wider scope are set up and torn down. In a replay it refuses
their requests, which would reach the network unnoticed; in a recording it lets them pass, and
counts them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

import pytest

from harness.errors import HarnessError
from harness.locale import localized_error
from harness.pytest_plugin.cassettes import begin_teardown, has_cassette, hosts_of, store_of
from harness.pytest_plugin.summary import note_fixture_connection

if TYPE_CHECKING:
    from harness.intercept.context import Backstop

_BACKSTOP = pytest.StashKey["Backstop"]()


def isolate(config: pytest.Config) -> None:
    """Move this process to a network namespace of its own, which reaches only this machine.

    Raises pytest.UsageError if that fails, if `--record` is set, or if `allow_hosts` of the project
    has a host outside this machine.
    """
    from harness.config.settings import load_settings
    from harness.intercept import namespace

    if config.known_args_namespace.harness_record != "none":
        message = localized_error("--no-network replays only; run it without --record")
        raise pytest.UsageError(message)
    try:
        namespace.isolate()
        namespace.check_hosts(load_settings(config.rootpath).allow_hosts)
    except HarnessError as error:
        raise pytest.UsageError(localized_error(str(error))) from None


def check_allowed_hosts(items: Iterable[pytest.Item]) -> None:
    """Raise pytest.UsageError if a test needs a host that `--no-network` puts out of reach.

    Such a host is one in `allow_hosts`, or one of a store in which the cassette is.
    """
    from harness.intercept import namespace

    for item in items:
        if has_cassette(item):
            try:
                with suppress(pytest.fail.Exception):  # of a mark; told when the test runs
                    namespace.check_store(store_of(item))
                namespace.check_hosts(hosts_of(item))
            except HarnessError as error:
                message = localized_error(str(error))
                raise pytest.UsageError(f"{item.nodeid}: {message}") from None


@contextmanager
def patches_for(following: pytest.Item | None) -> Iterator[None]:
    """Keep patches of HTTP libraries and placeholder API keys during the `with` block.

    The `with` block runs one test, and *following* is the next one; None after the last. The first
    use of a cassette in the block puts the patches and keys in place. They are removed at its end,
    unless the next test has a cassette, too: nothing else runs between the two.
    """
    from harness.api.placeholders import keep_placeholders
    from harness.intercept.patch import keep_patches

    is_kept = False
    keep_patches(True)
    keep_placeholders(True)
    try:
        yield
        is_kept = following is not None and has_cassette(following)
    finally:
        keep_patches(is_kept)
        keep_placeholders(is_kept)


def end_patches() -> None:
    """Remove the patches and placeholder keys that were kept for a next test, if there are any."""
    if "harness.api.placeholders" in sys.modules and "harness.intercept.patch" in sys.modules:
        from harness.api.placeholders import keep_placeholders
        from harness.intercept.patch import keep_patches

        keep_patches(False)
        keep_placeholders(False)


@contextmanager
def backstop(item: pytest.Item) -> Iterator[None]:
    """Intercept requests of fixtures that are sent while the test's cassette is not in use.

    The `with` block is the whole run of a test: set-up, call and teardown. A replay refuses such
    requests, a recording passes them to the network.
    """
    from harness.config.hosts import AnyHost, LateHosts
    from harness.intercept import context
    from harness.intercept.patch import use_block

    replays = item.config.getoption("--record") == "none"
    hosts = LateHosts(partial(hosts_of, item)) if replays else AnyHost()
    with suppress(HarnessError, pytest.fail.Exception):  # told when the cassette is opened
        if store_of(item):
            _ = hosts.patterns  # reads the store now: the block would refuse its requests
    block: Backstop = context.Backstop(context.NoTape(), hosts, _HINT)
    item.stash[_BACKSTOP] = block
    try:
        with use_block(block):
            yield
    finally:
        del item.stash[_BACKSTOP]


@contextmanager
def wide_fixtures(item: pytest.Item | None) -> Iterator[None]:
    """Run the `with` block, the set-up of a fixture of wider scope, without the test's cassette."""
    if item is None or _BACKSTOP not in item.stash:
        yield
        return
    from harness.intercept.patch import use_block

    with use_block(item.stash[_BACKSTOP]):
        yield


@contextmanager
def checked(item: pytest.Item, *, is_teardown: bool = False) -> Iterator[None]:
    """Raise, at the end of the `with` block, the error of the first connection refused in it.

    The block is a phase of a test: set-up or teardown. A fixture of wider scope than the test may
    have caught the error. *is_teardown* is true in the teardown, where pytest expects an ordinary
    exception in place of an `InterceptError`.
    """
    block = item.stash.get(_BACKSTOP, None)
    if block is None:
        yield
        return
    block.errors.clear()
    block.is_ending = is_teardown  # pytest expects only ordinary exceptions there
    if is_teardown:
        begin_teardown(item)
    yield
    for host in block.hosts.reached:
        note_fixture_connection(item, host)
    with suppress(IndexError):
        raise block.errors[0]


_HINT = (
    "; it was sent while the test's cassette is not in use, by a fixture of wider scope than the "
    "test or one that cassette_settings needs: make the fixture function-scoped, open a cassette "
    "in it with harness.use_cassette, or allow the host with allow_hosts"
)
