"""Several processes that carry one run out together: joining, agreeing, and what the first alone does."""

import json
from collections.abc import Callable, Mapping
from typing import TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

Value = TypeVar("Value")


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
    try:
        jax.distributed.initialize(coordinator, processes, process)
    except ValueError as error:
        raise ValueError(f"no cluster was found in the environment ({error})") from error


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
