"""SIGINT and SIGTERM: a process ends in one line, within seconds, and keeps what it can.

Where nothing is to be saved, the process ends at once: all that is written is written whole or not at all.
Training is stopped between two of its dispatches, and saved. A thread watches for signals, because Python's
own handlers wait until a compilation or a program on the device has ended. Of several processes all end by a signal
to one: in training at the same step, elsewhere at once, together.
"""

import contextlib
import os
import select
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from hotmess_jax.machine import common_end
from hotmess_jax.machine.files import remove_unfinished
from hotmess_jax.machine.processes import agreed_stop, processes

SIGNALS = (signal.SIGINT, signal.SIGTERM)


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
    # The signal that this process, or another of its run, was sent.
    asked: int | None = None
    sent: bool = False
    deferring: bool = False
    # All stop at one step; all end at once.
    agreed: bool = False
    ending: bool = False
    kept: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)


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
    _WATCH.sent = _WATCH.agreed = _WATCH.ending = False
    thread = threading.Thread(target=_obey, args=(read,), daemon=True, name="signals")
    thread.start()
    try:
        yield
        _wait_for_others()
    except StoppedError as stop:
        _say(f"{stop}; {kept}: {command()}")
        raise SystemExit(stop.status) from None
    except BaseException:
        if _WATCH.ending:  # what others leave behind goes wrong here
            _wait_to_be_ended()
        raise
    finally:
        if processes() > 1:
            common_end.done()
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
        with _WATCH.lock:
            _WATCH.deferring = _WATCH.watching and not _WATCH.ending
        if _WATCH.ending:
            _wait_to_be_ended()
        number = agreed_stop(_WATCH.asked)
        if number is not None:
            agreed, _WATCH.agreed, _WATCH.asked = True, True, _WATCH.asked or number
        return number is not None

    try:
        yield here
        if agreed or (processes() == 1 and _WATCH.asked is not None):
            raise StoppedError(_WATCH.asked or signal.SIGTERM, reached())
    finally:
        _WATCH.deferring = False


def _obey(read: int) -> None:
    """Watch for signals, and for what other processes were sent, in a thread, until the pipe is closed."""
    while True:
        ready, _, _ = select.select([read], [], [], common_end.POLL_S)
        if ready:
            data = os.read(read, 64)
            if not data:
                return
            for number in data:
                if number in SIGNALS:
                    _take(number)
        if processes() > 1:
            _end_with_others()


def _take(number: int) -> None:
    """Obey a signal that this process was sent."""
    again, _WATCH.sent, _WATCH.asked = _WATCH.sent, True, number
    together = processes() > 1
    if again or not (_WATCH.deferring or together) or (together and not common_end.ask_all(number)):
        _end(number, " at once" * again)


def _end_with_others() -> None:
    """End at once with all other processes, where one was asked to and none can stop at a step."""
    _WATCH.asked = _WATCH.asked or common_end.asked()
    if _WATCH.asked is None or _WATCH.agreed:
        return
    with _WATCH.lock:
        # Who is outside of training stays there. The others cannot train without it, and have saved what they could.
        if not _WATCH.deferring:
            _WATCH.ending = True
    if _WATCH.ending:
        common_end.end_all()
    elif common_end.ending():
        _WATCH.ending = True
    if _WATCH.ending:
        common_end.wait_for_the_end()
        _end(_WATCH.asked, "")


def _wait_for_others() -> None:
    """Wait, at a command's end, until others are there: one that still works can be asked to end."""
    if processes() > 1:
        common_end.done()
        while not common_end.all_done():
            time.sleep(common_end.POLL_S / 5)


def _wait_to_be_ended() -> None:
    """Leave the end of this process to the thread that watches."""
    threading.Event().wait()


def _end(number: int, how: str) -> None:
    remove_unfinished()
    _say(f"stopped by {name_of(number)}{how}; {_WATCH.kept}: {command()}")
    os._exit(128 + number)


def _say(line: str) -> None:
    """Write a line past whoever holds the streams, and show the cursor that live lines hide."""
    shown = b"\x1b[?25h\n" if os.isatty(2) else b""
    with contextlib.suppress(OSError):
        os.write(2, shown + f"{line}\n".encode(errors="replace"))
