"""A sweep's trajectories: where they are stored, and what of them each process trains and validates on."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import grain
import jax
import numpy as np
from jaxtyping import Array, Float, Float32

from hotmess_jax.machine.processes import from_first
from hotmess_jax.synthetic.data import (
    batch_iterator,
    lanes_of,
    read_trajectories,
    store_path,
    store_trajectories,
    validation_states,
)
from hotmess_jax.synthetic.quadratic import Quadratic
from hotmess_jax.synthetic.study.problems import Drawn
from hotmess_jax.synthetic.study.progress import SweepProgress
from hotmess_jax.synthetic.study.settings import SweepConfig
from hotmess_jax.synthetic.teacher import Teacher


class TrainingData(NamedTuple):
    """States of one draw's trajectories."""

    training: Float32[np.ndarray, "count steps d"]  # of this process's lanes
    validation: Float32[np.ndarray, "pairs d"]


def share_of_lanes(config: SweepConfig) -> tuple[int, range]:
    """Return how many lanes the training trajectories are cut into, and which are this process's.

    Raises:
        ValueError: where the processes cannot share them, or the starts, evenly.
    """
    training = config.data.training_trajectories
    processes, lanes = jax.process_count(), lanes_of(training, config.training.batch_size)
    if lanes % processes:
        raise ValueError(
            f"{processes} processes cannot share {training} training trajectories and batches of "
            f"{config.training.batch_size} evenly: both can be divided by {lanes}, of at most 16"
        )
    if config.rollout.starts % processes:
        raise ValueError(f"{processes} processes cannot share {config.rollout.starts} starts evenly")
    each = lanes // processes
    return lanes, range(jax.process_index() * each, (jax.process_index() + 1) * each)


def batches(
    config: SweepConfig, data: Sequence[TrainingData], replicates: Sequence[int]
) -> grain.DatasetIterator:
    """Return the batches of some replicates, each from its own draw's trajectories: this process's share."""
    lanes, own_lanes = share_of_lanes(config)
    seeds = [(config.seed, replicate) for replicate in replicates]
    share = config.training.batch_size // lanes * len(own_lanes)
    states = [each.training for each in data]
    return batch_iterator(states, share, config.training.train_steps, seeds, own_lanes)


class Trajectories:
    """The stored trajectories of a sweep's draws of the problem."""

    def __init__(self, config: SweepConfig, draws: Sequence[Drawn], progress: SweepProgress) -> None:
        self._config, self._draws, self._progress = config, draws, progress

    def path(self, index: int) -> Path:
        """Return where a draw's trajectories are, or will be."""
        return store_path(*self._stored(index))

    def store(self, index: int) -> Path:
        """Write a draw's trajectories, unless they are there; return where."""
        return store_trajectories(
            *self._stored(index), lambda done: self._progress.update(done, "writing")
        )

    def _stored(
        self, index: int
    ) -> tuple[Path, Quadratic, Float[Array, "trajectories d"], Teacher, int]:
        """Return what a draw's trajectories are stored by."""
        config, drawn = self._config, self._draws[index]
        return (
            config.output.store,
            drawn.problem,
            drawn.training_starts,
            config.problem.imitated,
            config.data.trajectory_steps,
        )

    def validation(self, index: int, path: Path) -> Float32[np.ndarray, "pairs d"]:
        """Return the states of a draw's held-out pairs on which validation losses are measured."""
        config, data = self._config, self._config.data
        held_out = read_trajectories(path, data.training_trajectories, data.trajectories)
        return validation_states(held_out, data.validation_pairs, (config.seed, index))

    def read(self, index: int) -> TrainingData:
        """Store a draw's trajectories, in the first process, and return this process's share of them."""
        data = self._config.data
        self._progress.begin("trajectories", data.trajectories)
        path = Path(from_first(lambda: str(self.store(index))))
        self._progress.update(data.trajectories, "stored")
        lanes, own = share_of_lanes(self._config)
        of_lane = data.training_trajectories // lanes
        return TrainingData(
            read_trajectories(path, own.start * of_lane, own.stop * of_lane),
            self.validation(index, path),
        )
