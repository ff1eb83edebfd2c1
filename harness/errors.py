"""The exceptions that the harness raises.

    HarnessError                    usage error or unreadable input; commands exit with 2
    ├── BadInput                    a file with invalid content (file and line)
    │   ├── BadScenario             a scenario
    │   ├── BadCassette             a cassette
    │   ├── BadContract             a contract
    │   └── BadSettings             the table [tool.harness] of a pyproject.toml
    ├── NoCassette                  there is no cassette to replay
    ├── StaleCassette               the scenario changed after the cassette was recorded
    ├── UnusedExchanges             a block did not make every request of its cassette
    ├── MissingKey                  a live recording without an API key
    ├── MissingExtra                a package of an extra is not installed
    ├── RecordingFailed             a recording was aborted; nothing was written
    │   ├── UnexpectedRefusal       the provider returned an error
    │   └── OverBudget              the next request would exceed the budget
    ├── SecretNotRedacted           a secret was left after redaction; nothing was written
    ├── Unsupported                 the provider does not support what a step requests
    ├── CannotWrite                 a file could not be written
    ├── CassetteInUse               another process records the same cassette
    ├── UnfinishedRecording         an interrupted recording has left answers
    └── NotAnswered                 an InterceptError outside of its block's own thread
    InterceptError (BaseException)  an intercepted request cannot be handled
    ├── CassetteMiss                the cassette has no response for the request
    ├── NoActiveCassette            no cassette is active where the request was made
    ├── NotRecordable               a response could not be recorded, so its request is not sent
    ├── BadHook                     a hook of the caller returned an invalid value
    ├── BadFault                    a fault cannot be injected into the recorded answer
    └── ConnectionBlocked           a connection to a host that is not allowed was opened

An error response of a provider is not an exception but a `harness.types.Failure`.

`InterceptError` derives from `BaseException`: SDKs catch `Exception` to retry or to raise a
"connection error" of their own, and the reason would be lost. In another thread or task than the
block's own, it would end a worker that others wait for, so a `NotAnswered` is raised there instead.
In both cases the block raises the `InterceptError` at its end.
"""

from __future__ import annotations

from pathlib import Path


class HarnessError(Exception):
    """A usage error or unreadable input. Commands print its message without a traceback."""


class BadInput(HarnessError):
    """A file with invalid content; the message is `path:line: message`.

    Attributes:
        path: The path of the file; empty if the content was not read from a file.
        line: The line of the invalid content, from 1; None if it is not known.
    """

    def __init__(self, message: str, path: Path | str = "", line: int | None = None) -> None:
        where = f"{path}:{line}: " if path and line else f"{path}: " if path else ""
        super().__init__(where + message)
        self.path = path
        self.line = line


class BadScenario(BadInput):
    """An invalid scenario file."""


class BadCassette(BadInput):
    """A cassette that cannot be read."""


class UnsupportedLibraryWarning(UserWarning):
    """An HTTP library is imported in a version that cannot be intercepted."""


class UnversionedCassetteWarning(UserWarning):
    """A cassette of another tool has no key `version`, so it may have been cut off at its end."""


class BadSettings(BadInput):
    """Invalid settings in a pyproject.toml."""


class BadContract(BadInput):
    """A contract that cannot be read, or that contradicts its evidence."""


class NoCassette(HarnessError):
    """There is no cassette for this scenario and target."""


class StaleCassette(HarnessError):
    """The scenario changed after its cassette was recorded."""


class UnusedExchanges(HarnessError, AssertionError):
    """A cassette holds exchanges whose requests were not made."""


class MissingKey(HarnessError):
    """The API key for a live recording is not set."""


class MissingExtra(HarnessError, ModuleNotFoundError):
    """A package of an extra is not installed; the message has the command that installs it."""


class RecordingFailed(HarnessError):
    """A recording was aborted; an existing cassette is unchanged."""


class UnexpectedRefusal(RecordingFailed):
    """The provider returned an error where the scenario expects none.

    Attributes:
        step: The number of the step in the scenario, from 1.
        reason: The provider's error without secrets, such as `(HTTP 400, code 1211): ...`.
    """

    def __init__(self, message: str, step: int, reason: str) -> None:
        super().__init__(message)
        self.step = step
        self.reason = reason


class OverBudget(RecordingFailed):
    """The next request would exceed the budget."""


class SecretNotRedacted(HarnessError):
    """A secret was found after redaction; nothing was written."""


class Unsupported(HarnessError):
    """The provider, its endpoint or its SDK does not support what a step of a scenario requests."""


class CannotWrite(HarnessError):
    """A file could not be written; an existing file is unchanged."""


class CassetteInUse(HarnessError):
    """Another process records the same cassette."""


class UnfinishedRecording(HarnessError):
    """An earlier recording was interrupted, and its journal holds answers that would be lost.

    It is also raised if that recording cannot be resumed.
    """


class NotAnswered(HarnessError):
    """An InterceptError in another thread or task than the one that entered the block.

    The block is, for example, `with use_cassette(...)`. At its end it raises the InterceptError
    itself; the other thread gets this exception in its place.
    """


class InterceptError(BaseException):
    """The base of errors about intercepted requests. The retry loops of SDKs do not catch it."""


class CassetteMiss(InterceptError):
    """The cassette has no response for a request."""


class NoActiveCassette(InterceptError):
    """A request was made where no cassette is active."""


class NotRecordable(InterceptError):
    """A request is not sent, because its response could not be recorded."""


class BadHook(InterceptError):
    """A function of the caller, such as *before_record*, raised or returned an invalid value."""


class BadFault(InterceptError):
    """A fault cannot be injected into the recorded answer."""


class ConnectionBlocked(InterceptError):
    """A connection that is not recorded or replayed was opened, to a host that is not allowed."""
