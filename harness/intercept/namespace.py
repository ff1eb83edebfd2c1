"""The isolation of this process in a new Linux network namespace, which has only a loopback.

It needs no privileges, but the process must have one thread only. Its child processes are isolated
too.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable
from pathlib import Path

from harness.config.hosts import is_local
from harness.errors import HarnessError

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1
_VARIABLE = "HARNESS_NO_NETWORK"
"""The environment variable by which child processes know the namespace that they are in."""


def is_isolated() -> bool:
    """Return whether this process, or one that started it, has entered a namespace of its own."""
    return _VARIABLE in os.environ and os.environ[_VARIABLE] == _namespace()


def _namespace() -> str:
    return os.readlink("/proc/self/ns/net")


def isolate() -> None:
    """Move this process to a network namespace of its own, with the loopback interface up.

    Do nothing if it is in one already.

    Raises:
        HarnessError: the system does not allow it, or the process has several threads. Nothing
            has changed then.
    """
    if sys.platform != "linux":
        raise HarnessError(f"--no-network needs Linux; this is {sys.platform}")
    if is_isolated():
        return
    if threading.active_count() > 1 or len(os.listdir("/proc/self/task")) > 1:
        raise HarnessError(
            "--no-network needs a process with one thread; a plugin or library has started others"
        )
    _try_in_a_child()
    _enter()
    os.environ[_VARIABLE] = _namespace()


def check_hosts(patterns: Iterable[str]) -> None:
    """Raise HarnessError if one of *patterns* is for a host that this process cannot reach.

    *patterns* is the value of `allow_hosts`. In a network namespace of its own, a process reaches
    only the loopback; outside of one, do nothing.
    """
    if not is_isolated():
        return
    for pattern in patterns:
        host = pattern.rpartition(":")[0] if pattern.rpartition(":")[2].isdecimal() else pattern
        if not is_local(host.strip("[]")):
            raise HarnessError(
                f"allow_hosts: {pattern!r} cannot be reached with --no-network, which leaves only "
                "this machine's loopback; run without it"
            )


def check_store(address: str) -> None:
    """Raise HarnessError if the store of cassettes at *address* is out of this process's reach.

    In a network namespace of its own, a process reaches only stores in memory. An empty *address*
    stands for no store.
    """
    if address and not address.startswith("memory:") and is_isolated():
        raise HarnessError(
            f"{address} cannot be reached with --no-network, and pytest reads a store while tests "
            "run; run without it"
        )


def _try_in_a_child() -> None:
    """Enter a namespace in a forked child, so that a refusal changes nothing here."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            _enter()
        except BaseException as error:  # noqa: BLE001 - the parent reports it
            os.write(writer, str(error).encode()[:999])
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as report:
        reason = report.read().decode()
    os.waitpid(child, 0)
    if reason:
        raise HarnessError(f"--no-network is not to be had here: {reason}")


def _enter() -> None:
    import ctypes

    uid, gid = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET):
        reason = os.strerror(ctypes.get_errno())
        raise OSError(f"the kernel or the container refuses a network namespace ({reason})")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    _set_loopback_up()


def _set_loopback_up() -> None:
    import fcntl
    import socket
    import struct

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sH14x", b"lo", 0)
        _, flags = struct.unpack("16sH14x", fcntl.ioctl(control, _SIOCGIFFLAGS, request))
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | _IFF_UP))
