"""A training run's checkpoints: parameters, optimiser, step, the data's position, and a digest of all."""

import contextlib
import functools
import hashlib
import json
import logging
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import grain
import jax
import numpy as np
import orbax.checkpoint as ocp
from jaxtyping import Array, Int32, PyTree

from hotmess_jax.machine.disk import WriteFailedError, free, size, writing
from hotmess_jax.machine.processes import agreed
from hotmess_jax.machine.sharding import fetch

# Of a checkpoint on disk, beside its arrays: Orbax' own files, most of them a block long.
OVERHEAD_BYTES = 2**18


class TrainState(NamedTuple):
    """All that training carries from step to step; replicates are the first axis of every array."""

    params: PyTree
    optimiser: PyTree
    step: Int32[Array, ""]
    # Each replicate's first step whose loss or gradient was not finite, −1 so far.
    bad_step: Int32[Array, " replicates"]


class CorruptCheckpointError(ValueError):
    """A checkpoint cannot be read back as it was written."""


class Checkpoints:
    """The folder of one training run's checkpoints."""

    def __init__(self, path: Path, of: str = "", provenance: Mapping[str, Any] | None = None) -> None:
        """Open, or make, the run's folder of checkpoints.

        Args:
            path: the folder.
            of: what the run is; a checkpoint of something else is not gone on from.
            provenance: of this process, kept with what it trains.
        """
        self._path, self._of = path, of
        _quiet_background()
        self._own = [] if provenance is None else [dict(provenance)]
        self.trained_on: list[dict[str, Any]] = []
        """Provenance of the processes that trained up to the state that was restored."""
        self._manager = self._opened()

    def _opened(self) -> ocp.CheckpointManager:
        options = ocp.CheckpointManagerOptions(max_to_keep=2)
        with writing(self._path):
            self._remove_unfinished()
            return ocp.CheckpointManager(self._path.absolute(), options=options)

    def _remove_unfinished(self) -> None:
        """Remove what a process that was killed, or a disk that was full, left half written."""
        if jax.process_index() == 0:
            for left in self._path.glob("*.orbax-checkpoint-tmp*"):
                shutil.rmtree(left, ignore_errors=True)

    def save(self, state: TrainState, batches: grain.DatasetIterator, seconds: float) -> None:
        """Save in the background; a checkpoint appears whole or not at all.

        Each process writes a part of the state. The data's position is the same in all of them, so that
        another number of processes can go on from it.

        Raises:
            WriteFailedError: where the disk refuses this checkpoint, or has refused the one before.
        """
        needed = OVERHEAD_BYTES + sum(
            shard.data.nbytes for leaf in jax.tree.leaves(state) for shard in leaf.addressable_shards
            if shard.replica_id == 0
        )  # fmt: skip
        # Orbax would find out at the cost of a broken one, and one process before the others.
        if not agreed(free(self._path) >= needed):
            raise WriteFailedError(
                self._path / str(int(state.step)), f"no space for the {size(needed)} of a checkpoint"
            )
        data = batches.get_state()
        self.trained_on += [own for own in self._own if own not in self.trained_on]
        record: dict[str, Any] = {"of": self._of, "trained_on": self.trained_on}
        record["digest"] = state_digest(state, {"data": data, "seconds": seconds, **record})
        with self._writing():
            self._manager.save(
                int(state.step),
                args=ocp.args.Composite(
                    state=ocp.args.StandardSave(state._asdict()),
                    data=ocp.args.JsonSave(data),
                    seconds=ocp.args.JsonSave(seconds),
                    record=ocp.args.JsonSave(record),
                ),
            )

    def restore(
        self,
        abstract: TrainState,
        batches: grain.DatasetIterator,
        say: Callable[[str], None] = lambda line: None,
    ) -> tuple[TrainState, float] | None:
        """Return the latest state and the seconds of training up to it, and set the iterator to it.

        None where nothing was saved. A checkpoint that cannot be read, is not what was written, or belongs
        to another run is set aside, and the one before is taken.

        Args:
            abstract: the state's shapes and placement.
            batches: set to the checkpoint's position.
            say: told in a line what was set aside, and what could not be checked.

        Raises:
            CorruptCheckpointError: naming the checkpoint that cannot be read, where none is left.
        """
        steps = sorted(self._manager.all_steps(), reverse=True)
        failed: list[tuple[int, str]] = []
        for step in steps:
            found, reason = self._read(step, abstract)
            # A process that cannot read its part would go on from elsewhere than the others.
            if agreed(found is not None) and found is not None:
                self._set_aside(failed, step, say)
                if "record" not in found:
                    say(f"checkpoint {self._path / str(step)} has no digest and cannot be checked")
                self.trained_on = list(found.get("record", {}).get("trained_on", []))
                batches.set_state(found["data"])
                return TrainState(**found["state"]), found["seconds"]
            failed.append((step, reason or "another process cannot read it"))
        if failed:
            step, reason = failed[0]
            raise CorruptCheckpointError(
                f"checkpoint {self._path / str(step)} {reason}, and there is none before it that can be "
                f"gone on from; delete {self._path} to train anew"
            )
        return None

    def _read(self, step: int, abstract: TrainState) -> tuple[dict[str, Any] | None, str]:
        """Return a checkpoint's parts, or None and why it cannot be gone on from."""
        items: dict[str, Any] = {
            "state": ocp.args.StandardRestore(abstract._asdict()),
            "data": ocp.args.JsonRestore(),
            "seconds": ocp.args.JsonRestore(),
        }
        if (self._path / str(step) / "record").exists():  # there is none in older ones
            items["record"] = ocp.args.JsonRestore()
        try:
            restored = self._manager.restore(step, args=ocp.args.Composite(**items))
            found = {name: restored[name] for name in items}
        except Exception as error:  # Orbax raises whatever its storage does
            said = (str(error).splitlines() or [type(error).__name__])[0][:120]
            return None, f"cannot be read ({said})"
        if (record := found.get("record")) is None:
            return found, ""
        if not isinstance(record, dict) or not record.keys() >= {"of", "trained_on", "digest"}:
            return None, "is not what was written: it has no digest"
        beside = {name: found[name] for name in ("data", "seconds")}
        beside |= {name: record[name] for name in ("of", "trained_on")}
        if state_digest(TrainState(**found["state"]), beside) != record["digest"]:
            return None, "is not what was written: its digest differs"
        if record["of"] != self._of:
            return None, f"belongs to another run ({record['of'] or 'unnamed'})"
        return found, ""

    def _set_aside(
        self, failed: Sequence[tuple[int, str]], instead: int, say: Callable[[str], None]
    ) -> None:
        """Move what cannot be gone on from out of the way of what will be saved."""
        if not failed:
            return
        self._manager.close()
        aside = self._path.with_name("damaged")
        for step, reason in failed:
            place = aside / f"{step}-{time.time_ns()}"
            if jax.process_index() == 0:
                aside.mkdir(exist_ok=True)
                (self._path / str(step)).rename(place)
            say(
                f"checkpoint {self._path / str(step)} {reason}; it was moved to {aside}, and training goes "
                f"on from step {instead}"
            )
        agreed(True)  # moved, before anyone looks again
        self._manager = self._opened()

    def close(self) -> None:
        """Wait for what is being written.

        Raises:
            WriteFailedError: where the disk has refused it.
        """
        with self._writing():
            self._manager.close()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            with writing(self._path):
                yield
        except WriteFailedError:
            self._remove_unfinished()  # it takes room, and is of no use
            raise


def state_digest(state: TrainState, beside: Mapping[str, Any]) -> str:
    """Return SHA-256 of a state's leaves, with their paths, shapes and dtypes, and of JSON values beside it."""
    digest = hashlib.sha256(json.dumps(beside, sort_keys=True).encode())
    for path, leaf in jax.tree_util.tree_leaves_with_path(fetch(state)):
        leaf = np.ascontiguousarray(leaf)
        digest.update(f"{jax.tree_util.keystr(path)} {leaf.shape} {leaf.dtype.str}".encode())
        digest.update(leaf.tobytes())
    return digest.hexdigest()


@functools.cache
def _quiet_background() -> None:
    """Keep Orbax' threads from printing what `save` and `close` raise: hundreds of lines for a full disk."""
    logging.getLogger("absl").addFilter(lambda record: "orbax" not in record.pathname)
    of_thread, of_process = threading.excepthook, sys.excepthook

    def quiet_thread(told: threading.ExceptHookArgs) -> None:
        if "orbax" not in type(told.thread).__module__:
            of_thread(told)

    def quiet_callback(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        # TensorStore's callbacks to an event loop that has ended with the first of many refusals: no Python
        # called it, so that asyncio's own frame is the outermost.
        outermost = "" if trace is None else trace.tb_frame.f_code.co_filename
        if not outermost.endswith("asyncio/base_events.py"):
            of_process(kind, error, trace)

    threading.excepthook, sys.excepthook = quiet_thread, quiet_callback
