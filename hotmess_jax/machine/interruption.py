"""SIGINT and SIGTERM: a process ends in one line, within seconds, and keeps what it can.

Where nothing is to be saved, the process ends at once: all that is written is written whole or not at all.
Training is stopped between two of its dispatches, and saved. A thread watches for signals, because Python's
own handlers wait until a compilation or a program on the device has ended.
"""

import contextlib
import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hotmess_jax.machine.files import remove_unfinished
from hotmess_jax.machine.processes import agreed_stop, processes

SIGNALS = (signal.SIGINT, signal.SIGTERM)
# Of several processes one that ends alone takes the others with it, so each waits for a common end so long.
GRACE_S = 20.0


class StoppedError(BaseException):
    """A signal asked this process to end, and what it was doing is saved."""

    def __init__(self, number: int, reached: str) -> None:
        super().__init__(f"stopped by {name_of(number)}: {reached}")
        self.number, self.reached, self.status = number, reached, 128 + number

    def within(self, what: str) -> "StoppedError":
        """Return the same, said of a part of something larger."""
        return StoppedError(self.number, f"{what}: {self.reached}")


@dataclass
class _Watch:
    """What a process knows of the signals it was sent; there is one."""

    watching: bool = False
    asked: int | None = None
    deferring: bool = False
    kept: str = ""


_WATCH = _Watch()


def name_of(number: int) -> str:
    """Return a signal's name."""
    return signal.Signals(number).name


def command() -> str:
    """Return the command that this process was started with, as one types it."""
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    words = ["python", "-m", spec.name.removesuffix(".__main__")] if spec else ["python", sys.argv[0]]
    return shlex.join([*words, *sys.argv[1:]])


@contextlib.contextmanager
def watched(kept: str) -> Iterator[None]:
    """Let a signal end the process with one line and status 128 + its number.

    The first is obeyed at once, or where `between_steps` allows it; a second always at once. Outside of the
    main thread, where Python sets no handlers, nothing is watched.

    Args:
        kept: what the line says of what is left, and of the command that it ends with.
    """
    if threading.current_thread() is not threading.main_thread() or _WATCH.watching:
        yield
        return
    read, write = os.pipe()
    os.set_blocking(write, False)
    # What Python's handlers would do, the thread does. A signal that is to be ignored, as in the background
    # of a script, stays so.
    before = {
        number: signal.signal(number, lambda *_: None)
        for number in SIGNALS
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    wakeup = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    _WATCH.watching, _WATCH.asked, _WATCH.deferring, _WATCH.kept = True, None, False, kept
    thread = threading.Thread(target=_obey, args=(read,), daemon=True, name="signals")
    thread.start()
    try:
        yield
    except StoppedError as stop:
        _say(f"{stop}; {kept}: {command()}")
        raise SystemExit(stop.status) from None
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        _WATCH.watching = False
        os.close(write)  # which ends the thread
        thread.join()
        os.close(read)


@contextlib.contextmanager
def between_steps(reached: Callable[[], str]) -> Iterator[Callable[[], bool]]:
    """Yield what tells, between two steps, whether to stop there.

    From its first call to the block's end, a signal is left to who calls it, to save what there is. At the
    block's end, where a signal has come, `StoppedError` is raised. Several processes call it equally often,
    and stop at the same step.

    Args:
        reached: returns what was reached, in words.
    """
    agreed = False

    def here() -> bool:
        nonlocal agreed
        _WATCH.deferring = _WATCH.watching
        number = agreed_stop(_WATCH.asked)
        if number is not None:
            agreed, _WATCH.asked = True, _WATCH.asked or number
        return number is not None

    try:
        yield here
        if agreed or (processes() == 1 and _WATCH.asked is not None):
            raise StoppedError(_WATCH.asked or signal.SIGTERM, reached())
    finally:
        _WATCH.deferring = False


def _obey(read: int) -> None:
    """Watch for signals, in a thread of its own, until the pipe is closed."""
    while data := os.read(read, 64):
        for number in data:
            if number not in SIGNALS:
                continue
            again = _WATCH.asked is not None
            _WATCH.asked = number
            if again or not (_WATCH.deferring or processes() > 1):
                _end(number, " at once" * again)
            elif processes() > 1:
                timer = threading.Timer(GRACE_S, _end_unless_deferring, [number])
                timer.daemon = True
                timer.start()


def _end_unless_deferring(number: int) -> None:
    if _WATCH.watching and not _WATCH.deferring:
        _end(number, f": no common end within {GRACE_S:g} s")


def _end(number: int, how: str) -> None:
    remove_unfinished()
    _say(f"stopped by {name_of(number)}{how}; {_WATCH.kept}: {command()}")
    os._exit(128 + number)


def _say(line: str) -> None:
    """Write a line past whoever holds the streams, and show the cursor that live lines hide."""
    shown = b"\x1b[?25h\n" if os.isatty(2) else b""
    with contextlib.suppress(OSError):
        os.write(2, shown + f"{line}\n".encode(errors="replace"))
