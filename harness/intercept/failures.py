"""The kinds of network failures, recognized by Python's errors that caused a library's error."""

from __future__ import annotations

import errno
import http.client
import os
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping

from harness.types import NetworkError

Kinds = tuple[tuple[type[BaseException], NetworkError], ...]
"""Kinds of failures by the class of an error, the more special classes first."""

_KINDS: Kinds = (
    (socket.gaierror, NetworkError.NAME),
    (ssl.SSLError, NetworkError.TLS),
    (ConnectionRefusedError, NetworkError.REFUSED),
    (http.client.RemoteDisconnected, NetworkError.CLOSED),
    (http.client.IncompleteRead, NetworkError.CLOSED),
    (ConnectionError, NetworkError.RESET),
    (TimeoutError, NetworkError.READ_TIMEOUT),
    (http.client.HTTPException, NetworkError.PROTOCOL),
)


def kind_in(table: Kinds, error: BaseException) -> NetworkError | None:
    """Return the kind of the first pair in *table* whose class *error* is an instance of.

    *table* has pairs (exception class, kind). Return None if no class fits.
    """
    return next((kind for cls, kind in table if isinstance(error, cls)), None)


def kind_of(error: BaseException, default: NetworkError) -> NetworkError:
    """Return the kind of the network failure that caused *error*, an exception of a library.

    *error* and its causes are searched for an error of Python itself, such as ConnectionResetError.
    If there is none, return UNREACHABLE if *error* is an OSError, otherwise *default*.
    """
    for beneath in _chain(error):
        if (kind := kind_in(_KINDS, beneath)) is not None:
            return kind
    return NetworkError.UNREACHABLE if isinstance(error, OSError) else default


def connect_kind_of(error: BaseException) -> NetworkError:
    """Return the kind of the failure that caused *error*, raised while a connection was made.

    Any kind but NAME, TLS and REFUSED becomes UNREACHABLE.
    """
    kind = kind_of(error, NetworkError.UNREACHABLE)
    known = (NetworkError.NAME, NetworkError.TLS, NetworkError.REFUSED)
    return kind if kind in known else NetworkError.UNREACHABLE


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield *error* and the errors that caused it, by any of the ways in which libraries link."""
    seen: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        current = waiting.pop(0)
        if isinstance(current, BaseException) and current not in seen:
            seen.append(current)
            yield current
            waiting += (current.__cause__ or current.__context__, *current.args)
            waiting += getattr(current, "exceptions", ())


def message_of(error: BaseException) -> str:
    """Return the message of *error*: the last string in `error.args`, else `str(error)`.

    Return the name of its class if both are empty.
    """
    texts = (arg for arg in reversed(error.args) if isinstance(arg, str) and arg)
    return next(texts, "") or str(error) or type(error).__name__


def _os_error(number: int) -> Callable[[str], OSError]:
    return lambda message: OSError(number, os.strerror(number))


def _write_error(message: str) -> OSError:
    numbers = (errno.ECONNRESET, errno.ECONNABORTED)
    number = next((n for n in numbers if os.strerror(n) == message), errno.EPIPE)
    return OSError(number, os.strerror(number))


_RAISED: Mapping[NetworkError, Callable[[str], Exception]] = {
    NetworkError.NAME: lambda message: socket.gaierror(socket.EAI_NONAME, message),
    NetworkError.TLS: lambda message: ssl.SSLError(1, message),
    NetworkError.REFUSED: _os_error(errno.ECONNREFUSED),
    NetworkError.UNREACHABLE: _os_error(errno.ENETUNREACH),
    NetworkError.PROXY: OSError,
    NetworkError.RESET: _os_error(errno.ECONNRESET),
    NetworkError.WRITE: _write_error,
    NetworkError.CLOSED: http.client.RemoteDisconnected,
    NetworkError.PROTOCOL: http.client.BadStatusLine,
}


def python_error(kind: NetworkError, message: str) -> Exception:
    """Return the error that Python's sockets and `http.client` raise for a failure of *kind*.

    *message* is the recorded message of the failure. Errors of the operating system, such as a
    refused connection, have the text of their error number instead.
    """
    return _RAISED.get(kind, TimeoutError)(message)
