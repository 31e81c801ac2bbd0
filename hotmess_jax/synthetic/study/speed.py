"""How fast training, rollouts and data are on this machine, beside what the machine can do."""

import functools
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Float

from hotmess_jax.machine.sharding import AXIS, fetch, make_mesh
from hotmess_jax.synthetic.codec import FloatCodec
from hotmess_jax.synthetic.data import batch_iterator, read_trajectories, store_trajectories
from hotmess_jax.synthetic.flops import training_flops, update_flops
from hotmess_jax.synthetic.model import Attention, parameter_count, parse_size, precision_of
from hotmess_jax.synthetic.quadratic import Quadratic, random_quadratic
from hotmess_jax.synthetic.rollout import ModelRollout
from hotmess_jax.synthetic.starts import draw_starts
from hotmess_jax.synthetic.study.settings import SweepConfig
from hotmess_jax.synthetic.teacher import Teacher
from hotmess_jax.synthetic.train import Compute, Layout, Trainer, make_optimiser
from hotmess_jax.synthetic.train_step import Task

Json = dict[str, Any]
PRODUCT = 2_048  # the machine's rate is that of products of square matrices of this size
STREAM_BYTES = 2**28
PASSES = 20  # over them, in one call


class Timing(NamedTuple):
    """Seconds of a call: the first, with compilation, and the median, least and most of the others."""

    first: float
    median: float
    least: float
    most: float

    def each(self, calls: int = 1) -> "Seconds":
        """Return the seconds of each of so many things that a call does."""
        median, least, most = (round(s / calls, 6) for s in (self.median, self.least, self.most))
        return Seconds(median, (least, most), round(self.first - self.median, 3))


@dataclass(frozen=True)
class Seconds:
    """Median, least and most of the timed calls, and what the first took longer, to compile."""

    median_s: float
    spread_s: tuple[float, float]
    compile_s: float


@dataclass(frozen=True)
class MachineRates:
    """What all devices together can do."""

    matrix_flops_per_s: float
    memory_bytes_per_s: float


@dataclass(frozen=True)
class Workload:
    """A model of a size on problems of a dimension, and how its products are computed."""

    size: str
    dimension: int
    precision: int
    compute: Compute
    attention: Attention

    @property
    def tokens(self) -> int:
        """Of a state, and of an update."""
        return self.dimension * FloatCodec(self.precision).tokens_per_number

    @property
    def parameters(self) -> int:
        """Of the model."""
        return parameter_count(parse_size(self.size), 2 * self.tokens - 1)


@dataclass(frozen=True)
class TrainSpeed:
    """Training steps of one size."""

    parameters: int
    compute: Compute
    attention: Attention
    batch: int
    steps_per_dispatch: int
    replicates: int
    devices: int
    step: Seconds
    pairs_per_s: float
    flops_per_s: float


@dataclass(frozen=True)
class RolloutSpeed:
    """Updates of one size, from all starts side by side."""

    parameters: int
    compute: Compute
    attention: Attention
    starts: int
    devices: int
    step: Seconds
    updates_per_s: float
    flops_per_s: float


@dataclass(frozen=True)
class DataSpeed:
    """A preset's trajectories, and its batches."""

    pairs: int
    bytes: int
    make_and_store_s: float
    first_batch_s: float
    batch: int
    loader_pairs_per_s: float
    peak_memory_gb: float


def to_json(speed: MachineRates | TrainSpeed | RolloutSpeed | DataSpeed) -> Json:
    """Return a measurement as flat JSON values: seconds stand beside the rest."""
    found: Json = {}
    for name, value in asdict(speed).items():
        found |= value if isinstance(value, dict) else {name: value}
    return found


def timed(work: Callable[[], Any], repeats: int) -> Timing:
    """Time a call that waits for its result, after one that compiles it."""
    times = []
    for _ in range(repeats + 1):
        begin = time.perf_counter()
        jax.block_until_ready(work())
        times.append(time.perf_counter() - begin)
    return Timing(times[0], statistics.median(times[1:]), min(times[1:]), max(times[1:]))


def machine(mesh: Mesh, compute: Compute = "float32", repeats: int = 5) -> MachineRates:
    """Measure matrix products of a format, in FLOP/s, and memory traffic, in bytes/s, of all devices."""
    everywhere = PartitionSpec()
    rows = PartitionSpec(AXIS)

    def on_each(work: Callable[..., Any]) -> Callable[..., Any]:
        return jax.jit(
            jax.shard_map(work, mesh=mesh, in_specs=(rows, everywhere), out_specs=rows, check_vma=False)
        )

    square = jnp.ones((PRODUCT, PRODUCT), compute)
    wide = jnp.ones((mesh.size * PRODUCT, PRODUCT), compute)
    multiply = functools.partial(jnp.matmul, precision=precision_of(square.dtype))
    product = timed(functools.partial(on_each(multiply), wide, square), repeats)
    long = jnp.ones((STREAM_BYTES // 4,), jnp.float32)
    scale = on_each(lambda x, f: jax.lax.fori_loop(0, PASSES, lambda _, y: y * f, x))
    stream = timed(functools.partial(scale, long, jnp.float32(0.5)), repeats)
    return MachineRates(
        2 * mesh.size * PRODUCT**3 / product.median, 2 * PASSES * STREAM_BYTES / stream.median
    )


def problem(dimension: int) -> Quadratic:
    """Return the quadratic that speed is measured on."""
    return random_quadratic(jax.random.key(0), dimension, 50.0)


def _states(problem: Quadratic, *shape: int) -> Float[np.ndarray, "..."]:
    starts = draw_starts(jax.random.key(1), int(np.prod(shape)), problem.b)
    return np.asarray(starts).reshape(*shape, -1)


def _trainer(work: Workload, mesh: Mesh, micro_batch: int | None, steps: int) -> Trainer:
    optimiser = make_optimiser(1e-3, 1_000, 100, 1e-4, 1.0)
    task = Task(work.dimension, FloatCodec(work.precision), Teacher(0.005))
    layout = Layout(micro_batch, steps, work.compute, work.attention)
    return Trainer(parse_size(work.size), task, optimiser, mesh, layout)


def train_speed(
    work: Workload,
    batch: int,
    steps: int,
    micro_batch: int | None = None,
    replicates: int = 1,
    repeats: int = 5,
) -> TrainSpeed:
    """Measure training steps of one size, `steps` of all replicates in each call of the program.

    Each replicate descends a draw of its own; which draws makes no difference.
    """
    mesh = make_mesh(batch, replicates=replicates)
    trainer = _trainer(work, mesh, micro_batch, steps)
    state = trainer.initial_state(jax.random.split(jax.random.key(2), replicates))
    states = _states(problem(work.dimension), steps, replicates, batch)
    problems = trainer.place([problem(work.dimension)] * replicates)

    def step() -> Array:
        nonlocal state
        state, losses = trainer.step(state, problems, states)
        return losses

    found = timed(step, repeats)
    rate = steps * replicates * batch / found.median
    flops = training_flops(parse_size(work.size), 2 * work.tokens - 1, work.tokens - 1)
    return TrainSpeed(
        work.parameters,
        work.compute,
        work.attention,
        batch,
        steps,
        replicates,
        mesh.size,
        found.each(steps),
        rate,
        rate * flops,
    )


def rollout_speed(work: Workload, starts: int, steps: int, repeats: int = 5) -> RolloutSpeed:
    """Measure greedy rollouts of one size, `steps` updates from each start in each call."""
    mesh = make_mesh(starts)
    trainer = _trainer(work, mesh, None, 1)
    keys = jax.random.split(jax.random.key(2), 1)
    params = fetch(trainer.initial_state(keys).params)
    codec = FloatCodec(work.precision)
    run = ModelRollout(trainer.graph, codec, work.dimension, steps, 0.0, mesh)
    x = jnp.asarray(_states(problem(work.dimension), 1, starts))
    found = timed(lambda: run(params, x, keys), repeats)
    rate = steps * starts / found.median
    flops = update_flops(parse_size(work.size), work.dimension, codec.tokens_per_number)
    return RolloutSpeed(
        work.parameters,
        work.compute,
        work.attention,
        starts,
        mesh.size,
        found.each(steps),
        rate,
        rate * flops,
    )


def data_speed(config: SweepConfig, folder: Path, batches: int) -> DataSpeed:
    """Measure how long a configuration's trajectories take to be made, stored and read back, and its batches.

    Args:
        config: whose trajectories.
        folder: where a store is made, and deleted again.
        batches: read through the loader.
    """
    quadratic = problem(config.problem.dimension)
    starts = draw_starts(jax.random.key(1), config.data.trajectories, quadratic.b)
    with tempfile.TemporaryDirectory(dir=folder, prefix="benchmark-") as aside:
        begin = time.perf_counter()
        path = store_trajectories(
            Path(aside), quadratic, starts, config.problem.imitated, config.data.trajectory_steps
        )
        stored = time.perf_counter()
        states = read_trajectories(path, 0, config.data.trajectories)
        iterator = batch_iterator([states], config.training.batch_size, batches + 1, [(0,)])
        next(iterator)
        ready = time.perf_counter()
    for _ in range(batches):
        next(iterator)
    seconds = time.perf_counter() - ready
    return DataSpeed(
        pairs=config.data.trajectories * config.data.trajectory_steps,
        bytes=states.nbytes,
        make_and_store_s=round(stored - begin, 3),
        first_batch_s=round(ready - begin, 3),
        batch=config.training.batch_size,
        loader_pairs_per_s=batches * config.training.batch_size / seconds,
        peak_memory_gb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
    )
