"""Several processes that carry one run out together: joining, agreeing, and what the first alone does."""

import contextlib
import json
import os
import socket
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import jax
import numpy as np
from jax._src import distributed  # the coordinator's keys and values have no public name
from jax.experimental import multihost_utils

Value = TypeVar("Value")
# Points that a stop lies ahead, so that all have read of it before they are there: at each point, a process has
# seen the losses of the step before, which no process can have begun before it was past the point before that.
AHEAD = 3
_SHARED_WAIT_S = 10.0  # network file systems show another machine's files with a delay


class FirstProcessError(ValueError):
    """What the first process alone does went wrong there."""


class DisagreementError(ValueError):
    """Processes of one run that were not started alike."""


def join(coordinator: str | None, processes: int | None, process: int | None) -> None:
    """Join the other processes of a run; call before anything else touches JAX's devices.

    Args:
        coordinator: HOST:PORT of the first process. None of the three: from the cluster's environment.
        processes: how many there are.
        process: which this is, from 0.

    Raises:
        ValueError: where they are not all given or all left out, are out of range, or the environment
            names no cluster.
    """
    given = {"coordinator": coordinator, "processes": processes, "process": process}
    missing = [name for name, value in given.items() if value is None]
    if 0 < len(missing) < len(given):
        raise ValueError(f"{' and '.join(missing)} must be given as well")
    if coordinator is not None and processes is not None and process is not None:
        host, _, port = coordinator.rpartition(":")
        if not host or not port.isdecimal():
            raise ValueError(f"coordinator must be HOST:PORT, got {coordinator!r}")
        if not 0 <= process < processes:
            raise ValueError(f"process must be 0 to {processes - 1}, got {process}")
    # It would catch SIGTERM and tell nobody; `agreed_stop` does what it is for.
    jax.config.update("jax_enable_preemption_service", False)
    try:
        jax.distributed.initialize(coordinator, processes, process)
    except ValueError as error:
        raise ValueError(f"no cluster was found in the environment ({error})") from error
    _Points.joined = True


def processes() -> int:
    """Return how many processes have joined, without waking JAX's devices; 1 until all have."""
    return int(distributed.global_state.num_processes or 1) if _Points.joined else 1


def number_of_this() -> int:
    """Return which of the processes this is, without waking JAX's devices."""
    return int(distributed.global_state.process_id)


def store() -> Any:
    """Return the coordinator's keys and values."""
    return distributed.global_state.client


def from_store(name: str) -> str | None:
    """Return a value that any process has stored; None where there is none."""
    with contextlib.suppress(jax.errors.JaxRuntimeError):
        return str(store().key_value_try_get(name))
    return None


def is_first() -> bool:
    """Return whether this process is the one that writes."""
    return jax.process_index() == 0


def wait_for_all(name: str) -> None:
    """Wait until every process is here."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(name)


def agreed(here: bool) -> bool:
    """Return whether something holds in every process; each waits for all."""
    if jax.process_count() == 1:
        return here
    return bool(np.all(multihost_utils.process_allgather(np.int32(here))))


class _Points:
    """Where this process is among the points at which all may stop."""

    joined = False
    passed = 0
    stop: tuple[int, int] | None = None


def agreed_stop(asked: int | None) -> int | None:
    """Return the signal to stop for at this point, the same in all processes; None to go on.

    All call it equally often, once between two programs that they run together. The first process decides
    where: some points ahead, so that every process reads of it in time.

    Args:
        asked: the signal that any process was sent, as far as this one knows.
    """
    if processes() == 1:
        return asked
    _Points.passed += 1
    if _Points.stop is None and is_first():
        if asked is not None:
            _Points.stop = _Points.passed + AHEAD, asked
            store().key_value_set("hotmess/stop", json.dumps(_Points.stop))
    elif _Points.stop is None and (text := from_store("hotmess/stop")) is not None:
        at, number = json.loads(text)
        _Points.stop = at, number
    if _Points.stop is None or _Points.passed < _Points.stop[0]:
        return None
    return _Points.stop[1]


def check_shared(folders: Sequence[Path]) -> None:
    """Check that every process finds in each folder what the first writes there; each waits for all.

    Raises:
        DisagreementError: in all of them, naming who does not.
        OSError, FirstProcessError: where the first cannot write there.
    """
    if jax.process_count() == 1:
        return

    def leave() -> list[str]:
        left = []
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
            mark = folder / f".shared-{uuid.uuid4().hex}"
            mark.touch()
            left.append(mark.name)
        return left

    marks = [folder / name for folder, name in zip(folders, from_first(leave), strict=True)]
    until = time.monotonic() + _SHARED_WAIT_S
    while not all(found := [mark.exists() for mark in marks]) and time.monotonic() < until:
        # Listing a folder makes a network file system look again.
        for mark in marks:
            with contextlib.suppress(OSError):
                os.listdir(mark.parent)
        time.sleep(0.2)
    seen = np.asarray(multihost_utils.process_allgather(np.asarray(found)))
    if is_first():
        for mark in marks:
            mark.unlink(missing_ok=True)
    for process, folder in np.argwhere(~seen):
        raise DisagreementError(
            f"process {process} does not see what the first writes into {folders[folder]}: all processes "
            "need the same folder, on a file system that their machines share"
        )


def this_process() -> str:
    """Return this process as another can find it: its number and its machine."""
    return f"process {os.getpid()} on {socket.gethostname()}"


def read_holder(path: Path) -> str:
    """Return who holds a lock, as `this_process` wrote it beside it; in general words where nobody did."""
    try:
        return path.read_text(encoding="utf-8").strip() or "another process"
    except (OSError, ValueError):
        return "another process"


def check_alike(values: Mapping[str, object]) -> None:
    """Check that every process was started with the same; each waits for all.

    Args:
        values: JSON values by name.

    Raises:
        DisagreementError: in all of them, with one line that names who differs and in what.
    """
    if jax.process_count() == 1:
        return
    text = json.dumps(values, sort_keys=True).encode()
    lengths = np.asarray(multihost_utils.process_allgather(np.int32(len(text))))
    padded = np.zeros(int(lengths.max()), np.uint8)
    padded[: len(text)] = np.frombuffer(text, np.uint8)
    rows = np.asarray(multihost_utils.process_allgather(padded))
    first, *others = (
        json.loads(bytes(row[:length])) for row, length in zip(rows, lengths, strict=True)
    )
    said = [
        f"process {process} differs from the first in {what}"
        for process, other in enumerate(others, start=1)
        if (what := differing(first, other))
    ]
    if said:
        raise DisagreementError("; ".join(said) + "; start every process of a run alike")


def differing(first: Mapping[str, object], other: Mapping[str, object]) -> str:
    """Return which values differ, as "name 2 instead of 1", joined by commas; nothing where none does."""
    return ", ".join(
        f"{name.replace('_', '-')} {other.get(name)!r} instead of {first.get(name)!r}"
        for name in sorted({**first, **other})
        if first.get(name) != other.get(name)
    )


def from_first(work: Callable[[], Value]) -> Value:
    """Do something in the first process alone, and return its result in all of them.

    Args:
        work: its result is a JSON value.

    Raises:
        ValueError, OSError: what `work` raised, in the first process.
        FirstProcessError: in all others, with the same text.
    """
    if jax.process_count() == 1:
        return work()
    found: dict[str, object] = {}
    failed: ValueError | OSError | None = None
    if is_first():
        try:
            found = {"value": work()}
        except (ValueError, OSError) as error:
            failed = error
            found = {"error": str(error)}
    text = json.dumps(found).encode()
    length = int(multihost_utils.broadcast_one_to_all(np.int32(len(text))))
    sent = np.zeros(length, np.uint8)
    if is_first():
        sent[:] = np.frombuffer(text, np.uint8)
    received = json.loads(bytes(np.asarray(multihost_utils.broadcast_one_to_all(sent))))
    if failed is not None:
        raise failed
    if "error" in received:
        raise FirstProcessError(received["error"])
    value: Value = received["value"]
    return value
