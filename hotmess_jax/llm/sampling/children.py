"""Processes that end with the one that started them, however it ends."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

LOOK_EVERY_S = 0.5
# From the polite signal to the other.
GRACE_S = 3.0
_PROC = Path("/proc")


@contextlib.contextmanager
def ending_with_this_process() -> Iterator[None]:
    """End all processes that this one has started when it is killed, within seconds.

    A process of its own looks on, since one that is killed can do nothing any more. Without /proc nothing
    is done.
    """
    if not (_PROC / "self" / "stat").exists():
        yield
        return
    command = [sys.executable, "-I", __file__, str(os.getpid())]
    guard = subprocess.Popen(command, start_new_session=True, stdin=subprocess.DEVNULL)
    try:
        yield
    finally:
        guard.kill()
        guard.wait()


def _parents() -> dict[tuple[int, str], int]:
    """Return the parent of each process, which its number and the time of its start tell apart."""
    found = {}
    for entry in _PROC.iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                # The name, in brackets, may hold anything.
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                found[int(entry.name), fields[19]] = int(fields[1])
    return found


def _descendants(parent: int) -> set[tuple[int, str]]:
    parents = _parents()
    found: set[tuple[int, str]] = set()
    numbers = {parent}
    while new := {key for key, its in parents.items() if its in numbers} - found:
        found |= new
        numbers |= {number for number, _ in new}
    return {key for key in found if key[0] != os.getpid()}


def _end(processes: set[tuple[int, str]]) -> None:
    for number, deadline in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, 0.0)):
        there = processes & _parents().keys()
        for process, _ in there:
            with contextlib.suppress(OSError):
                os.kill(process, number)
        end = time.monotonic() + deadline
        while processes & _parents().keys() and time.monotonic() < end:
            time.sleep(0.1)


def _guard(parent: int) -> None:
    processes: set[tuple[int, str]] = set()
    while os.getppid() == parent:
        processes = _descendants(parent) or processes
        time.sleep(LOOK_EVERY_S)
    _end(processes)


if __name__ == "__main__":
    _guard(int(sys.argv[1]))
