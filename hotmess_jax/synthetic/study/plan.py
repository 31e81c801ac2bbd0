"""What a sweep would cost: the plan that --dry-run prints."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from hotmess_jax.machine.disk import free, held_by, size, there
from hotmess_jax.synthetic.checkpoints import OVERHEAD_BYTES
from hotmess_jax.synthetic.codec import FloatCodec
from hotmess_jax.synthetic.flops import training_flops, update_flops
from hotmess_jax.synthetic.model import parameter_count, parse_size
from hotmess_jax.synthetic.rollout import ROWS_AT_ONCE
from hotmess_jax.synthetic.study.folder import EXAMPLES
from hotmess_jax.synthetic.study.settings import SweepConfig

CHECKPOINTS = 3  # of a group on disk at most: two are kept, while a third is written
# Of a model's result, for each step: ten numbers and four a direction, in so many characters each.
CHARACTERS = 14


class SizePlan(NamedTuple):
    """The cost of one model of a size and, on a device, of all its replicates, which are one program."""

    size: str
    parameters: int
    training_tokens: int
    rollout_tokens: int
    training_flops: float
    rollout_flops: float
    checkpoint_bytes: int
    device_bytes: int


def plan(config: SweepConfig) -> list[SizePlan]:
    """Return the cost of each size, exact in parameters and tokens.

    FLOPs count the matrix products. Device bytes are those of all replicates, as an accelerator holds them:
    parameters with gradients and optimiser, plus the activations that the backward pass keeps or the
    cached keys and values with the states of the rollout, whichever is more: an estimate of the peak.
    """
    tokens = FloatCodec(config.problem.precision).tokens_per_number
    half = config.problem.dimension * tokens
    length = 2 * half - 1
    rows = config.rollout.starts * (config.rollout.samples if config.rollout.temperature > 0 else 1)
    rollouts = config.rollout.starts + (rows if config.rollout.temperature > 0 else 0)
    updates = rollouts * config.rollout.rollout_steps
    first = half - 1 if config.training.loss_on == "update" else 0
    plans = []
    for name in config.model.sizes:
        shape = parse_size(name)
        parameters = parameter_count(shape, length)
        sequences = config.training.train_steps * config.training.batch_size
        kept = config.training.batch_size * length * shape.layers * 4
        activations = kept * (16 * shape.width + 2 * shape.heads * length)
        together = min(config.model.replicates, max(1, ROWS_AT_ONCE // rows))
        caches = together * rows * length * shape.layers * 2 * shape.width * 4
        states = (
            config.model.replicates
            * rows
            * (config.rollout.rollout_steps + 1)
            * config.problem.dimension
            * 4
        )
        plans.append(
            SizePlan(
                name,
                parameters,
                sequences * 2 * half,
                updates * 2 * half,
                sequences * training_flops(shape, length, first),
                updates * update_flops(shape, config.problem.dimension, tokens),
                3 * 4 * parameters,
                config.model.replicates * 4 * 4 * parameters
                + max(config.model.replicates * activations, caches + 3 * states),
            )
        )
    return plans


def store_bytes(config: SweepConfig) -> int:
    """Return the size of the trajectories of all draws of the problem, on disk."""
    return (
        config.model.draws
        * config.data.trajectories
        * config.data.trajectory_steps
        * config.problem.dimension
        * 4
    )


def disk_bytes(config: SweepConfig) -> int:
    """Return what a sweep needs on disk at most: trajectories, checkpoints, and results but for figures."""
    models = config.model.replicates * len(config.model.sizes)
    points, d = config.rollout.rollout_steps + 1, config.problem.dimension
    paths = 4 * (EXAMPLES * points * d + config.rollout.starts * (d + 1))
    numbers = CHARACTERS * points * (10 + 4 * d)
    states = config.model.replicates * sum(row.checkpoint_bytes for row in plan(config))
    checkpoints = CHECKPOINTS * (states + len(config.model.sizes) * OVERHEAD_BYTES)
    # Twice the numbers: a model's own file, and sweep.json.
    return store_bytes(config) + checkpoints + models * (paths + 2 * numbers)


class NoRoomError(ValueError):
    """A disk plainly lacks the space for what a sweep will write."""


def check_room(config: SweepConfig, stores: Sequence[Path]) -> str:
    """Return, in a line, what a sweep will still write at most, and how much is free there.

    Args:
        config: the sweep's.
        stores: where the trajectories of its draws are, or will be.

    Raises:
        NoRoomError: where a disk has less.
    """
    draw = store_bytes(config) // config.model.draws
    of_run = disk_bytes(config) - store_bytes(config) - held_by(config.folder)
    needs = {
        config.output.store: draw * sum(not store.exists() for store in stores),
        config.folder: max(0, of_run),
    }
    for folder in needs:
        # Both may lie on one disk.
        disk = there(folder).stat().st_dev
        needed = sum(n for other, n in needs.items() if there(other).stat().st_dev == disk)
        if (left := free(folder)) < needed:
            raise NoRoomError(
                f"no space: the sweep writes up to {size(needed)} to the disk of {folder}, and "
                f"{size(left)} are free there"
            )
    return "; ".join(
        f"writes up to {size(needed)} into {folder} ({size(free(folder))} free)"
        for folder, needed in needs.items()
        if needed
    )


def host_bytes(config: SweepConfig) -> int:
    """Return what of the data a process holds in memory at most, were it alone.

    The trajectories of all draws, for replicates of a size are trained together, each on its own draw; the
    held-out ones of a draw once more while they are chosen from; and the state that is saved.
    """
    held_out = config.data.trajectories - config.data.training_trajectories
    validation = min(config.data.validation_pairs, held_out * config.data.trajectory_steps)
    training = config.model.draws * config.data.training_trajectories * config.data.trajectory_steps
    pairs = training + config.model.draws * validation + held_out * config.data.trajectory_steps
    state = config.model.replicates * max(row.checkpoint_bytes for row in plan(config))
    return pairs * config.problem.dimension * 4 + state
