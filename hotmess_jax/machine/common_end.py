"""How several processes of one run end together, of which one was asked to, where no step is shared to stop at.

They speak through the coordinator's keys and values. The first is the coordinator, and ends last: a process that
outlives it, or waits for one that is gone, is ended by JAX with a native stack.
"""

import contextlib
import time

import jax

from hotmess_jax.machine.processes import from_store, number_of_this, processes, store

# Others read of a request to end after so long.
POLL_S = 0.5
# All have read that they end together after so long, or are gone.
_READY_S = 10.0
# The first outlives the others' last line by so much.
_LAST_S = 0.5
_ASKED, _END, _READY, _GO, _DONE = (
    f"hotmess/{name}" for name in ("asked", "end", "ready", "go", "done")
)


def ask_all(number: int) -> bool:
    """Let every process read which signal this one was sent; return whether they can."""
    return _put(_ASKED, str(number))


def asked() -> int | None:
    """Return the signal that any process was sent."""
    found = from_store(_ASKED)
    return None if found is None else int(found)


def end_all() -> None:
    """Let every process end: this one is where nothing is lost by it."""
    _put(_END, "")


def ending() -> bool:
    """Return whether all end."""
    return from_store(_END) is not None


def wait_for_the_end() -> None:
    """Wait until every process knows that it ends; the first returns after the others."""
    this = number_of_this()
    _put(f"{_READY}/{this}", "")
    until = time.monotonic() + _READY_S
    if this:
        while from_store(_GO) is None and time.monotonic() < until:
            time.sleep(0.02)
        return
    while _there(_READY, _DONE) < processes() and time.monotonic() < until:
        time.sleep(0.02)
    _put(_GO, "")
    time.sleep(_LAST_S)


def done() -> None:
    """Say that this process does no more."""
    _put(f"{_DONE}/{number_of_this()}", "")


def all_done() -> bool:
    """Return whether none does more, or the coordinator is gone."""
    return _there(_DONE) in (0, processes())


def _put(name: str, value: str) -> bool:
    try:
        store().key_value_set(name, value, allow_overwrite=True)
    except jax.errors.JaxRuntimeError:
        return False
    return True


def _there(*names: str) -> int:
    """Return how many processes have left a mark below any of these names."""
    found: set[str] = set()
    for name in names:
        with contextlib.suppress(jax.errors.JaxRuntimeError):
            found |= {key.rsplit("/", 1)[1] for key, _ in store().key_value_dir_get(f"{name}/")}
    return len(found)
