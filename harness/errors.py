"""Every error the harness raises on purpose.

    HarnessError                    wrong use or unreadable input: one clear message, exit code 2
    ├── BadInput                    a file the user gave does not say what it should (file and line)
    │   ├── BadScenario             a scenario
    │   ├── BadCassette             a cassette
    │   ├── BadContract             a contract
    │   └── BadSettings             the table [tool.harness] of a pyproject.toml
    ├── NoCassette                  nothing was recorded yet for what is to be replayed
    ├── StaleCassette               the scenario changed since the cassette was recorded
    ├── Unplayed                    a block of code did not ask for all that its cassette holds
    ├── MissingKey                  live recording without a key
    ├── RecordingFailed             a recording was given up, so nothing was written
    │   ├── Refused                 the provider refused
    │   └── OverBudget              asking on would take more than was allowed
    ├── SecretLeft                  a secret could not be taken out, so nothing was written
    ├── Unsupported                 this provider cannot do what the step asks
    ├── CannotWrite                 the disk refused
    ├── InUse                       somebody else is recording the same cassette
    └── Unfinished                  an interrupted recording is in the way, or of no use here
    OffTape (BaseException)         a request the tape cannot answer
    ├── Miss                        the cassette has no answer for it
    ├── NoTape                      no tape is in place where it was made
    ├── Unkept                      its answer could not be kept, so it is not sent
    ├── BadHook                     a hook of the caller gave back what it must not
    └── SocketShut                  something tried to open a connection during a replay

A provider that says no is not an error but data: see `Failure` in `types`.

`OffTape` is a `BaseException` on purpose: the SDKs catch `Exception`, sleep and try again, or turn
it into a "connection error", and the reason would be lost.
"""

from __future__ import annotations

from pathlib import Path


class HarnessError(Exception):
    """Wrong use or unreadable input. Its text is all a user gets to see."""


class BadInput(HarnessError):
    """A file does not say what it should: `path:line: message`."""

    def __init__(self, message: str, path: Path | str = "", line: int | None = None) -> None:
        where = f"{path}:{line}: " if path and line else f"{path}: " if path else ""
        super().__init__(where + message)
        self.path = path
        self.line = line


class BadScenario(BadInput):
    """A scenario file that cannot be understood."""


class BadCassette(BadInput):
    """A cassette that cannot be read; it is never taken for an empty one."""


class BadSettings(BadInput):
    """Settings that cannot be understood."""


class BadContract(BadInput):
    """A contract that cannot be read, or that says something else than its evidence."""


class NoCassette(HarnessError):
    """Nothing was recorded yet for this scenario and target."""


class StaleCassette(HarnessError):
    """The scenario changed since its cassette was recorded."""


class UnusedExchanges(HarnessError, AssertionError):
    """A cassette holds answers that nobody asked for."""


class MissingKey(HarnessError):
    """A live recording needs a key that is not set."""


class RecordingFailed(HarnessError):
    """A recording was given up; what was recorded before is untouched."""


class Refused(RecordingFailed):
    """The provider refused a step where an answer is expected; `words` are what it said, without
    secrets: `(HTTP 400, code 1211): ...`."""

    def __init__(self, message: str, step: int, words: str) -> None:
        super().__init__(message)
        self.step = step
        self.words = words


class OverBudget(RecordingFailed):
    """Asking on would take more than was allowed."""


class SecretLeft(HarnessError):
    """A secret was still to be seen after redaction, so nothing was written."""


class Unsupported(HarnessError):
    """A provider cannot do what a step asks."""


class CannotWrite(HarnessError):
    """A file could not be written; what was there before is untouched."""


class InUse(HarnessError):
    """Somebody else is recording the same cassette."""


class Unfinished(HarnessError):
    """An interrupted recording left answers: they are in the way, or of no use here."""


class OffTape(BaseException):
    """A request that a tape cannot answer; no SDK's retry loop can swallow it."""


class Miss(OffTape):
    """The cassette holds no answer to this request."""


class NoTape(OffTape):
    """A request was made where no tape is in place."""


class Unkept(OffTape):
    """A request is not sent, because its answer could not be kept."""


class BadHook(OffTape):
    """A hook of the caller gave back what it must not."""


class SocketShut(OffTape):
    """Something tried to open a connection during a replay."""
