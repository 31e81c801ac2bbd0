"""How fast training, rollouts and data are on this machine, beside what the machine can do."""

import functools
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
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

    def json(self, calls: int = 1) -> Json:
        """Return the seconds as JSON values, a call that does `calls` things divided by them."""
        of = [round(s / calls, 6) for s in (self.median, self.least, self.most)]
        return {"median_s": of[0], "spread_s": of[1:], "compile_s": round(self.first - self.median, 3)}


def timed(work: Callable[[], Any], repeats: int) -> Timing:
    """Time a call that waits for its result, after one that compiles it."""
    times = []
    for _ in range(repeats + 1):
        begin = time.perf_counter()
        jax.block_until_ready(work())
        times.append(time.perf_counter() - begin)
    return Timing(times[0], statistics.median(times[1:]), min(times[1:]), max(times[1:]))


def machine(mesh: Mesh, compute: Compute = "float32", repeats: int = 5) -> Json:
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
    return {
        "matrix_flops_per_s": 2 * mesh.size * PRODUCT**3 / product.median,
        "memory_bytes_per_s": 2 * PASSES * STREAM_BYTES / stream.median,
    }


def problem(dimension: int) -> Quadratic:
    """Return the quadratic that speed is measured on."""
    return random_quadratic(jax.random.key(0), dimension, 50.0)


def _states(problem: Quadratic, *shape: int) -> Float[np.ndarray, "..."]:
    starts = draw_starts(jax.random.key(1), int(np.prod(shape)), problem.b)
    return np.asarray(starts).reshape(*shape, -1)


def _trainer(
    size: str,
    dimension: int,
    precision: int,
    compute: Compute,
    attention: Attention,
    mesh: Mesh,
    micro_batch: int | None,
    steps: int,
) -> Trainer:
    optimiser = make_optimiser(1e-3, 1_000, 100, 1e-4, 1.0)
    task = Task(dimension, FloatCodec(precision), Teacher(0.005))
    layout = Layout(micro_batch, steps, compute, attention)
    return Trainer(parse_size(size), task, optimiser, mesh, layout)


def train_speed(
    size: str,
    dimension: int,
    precision: int,
    compute: Compute,
    attention: Attention,
    batch: int,
    steps: int,
    micro_batch: int | None,
    replicates: int,
    repeats: int,
) -> Json:
    """Measure training steps of one size, `steps` of all replicates in each call of the program.

    Each replicate descends a draw of its own; which draws makes no difference.
    """
    mesh = make_mesh(batch, replicates=replicates)
    trainer = _trainer(size, dimension, precision, compute, attention, mesh, micro_batch, steps)
    state = trainer.initial_state(jax.random.split(jax.random.key(2), replicates))
    states = _states(problem(dimension), steps, replicates, batch)
    problems = trainer.place([problem(dimension)] * replicates)

    def step() -> Array:
        nonlocal state
        state, losses = trainer.step(state, problems, states)
        return losses

    found = timed(step, repeats)
    half = dimension * FloatCodec(precision).tokens_per_number
    rate = steps * replicates * batch / found.median
    flops = rate * training_flops(parse_size(size), 2 * half - 1, half - 1)
    return {
        "parameters": parameter_count(parse_size(size), 2 * half - 1),
        "compute": compute,
        "attention": attention,
        "batch": batch,
        "steps_per_dispatch": steps,
        "replicates": replicates,
        "devices": mesh.size,
        **found.json(steps),
        "pairs_per_s": rate,
        "flops_per_s": flops,
    }


def rollout_speed(
    size: str,
    dimension: int,
    precision: int,
    compute: Compute,
    attention: Attention,
    starts: int,
    steps: int,
    repeats: int,
) -> Json:
    """Measure greedy rollouts of one size, `steps` updates from each start in each call."""
    mesh = make_mesh(starts)
    trainer = _trainer(size, dimension, precision, compute, attention, mesh, None, 1)
    keys = jax.random.split(jax.random.key(2), 1)
    params = fetch(trainer.initial_state(keys).params)
    run = ModelRollout(trainer.graph, FloatCodec(precision), dimension, steps, 0.0, mesh)
    x = jnp.asarray(_states(problem(dimension), 1, starts))
    found = timed(lambda: run(params, x, keys), repeats)
    tokens = FloatCodec(precision).tokens_per_number
    rate = steps * starts / found.median
    return {
        "parameters": parameter_count(parse_size(size), 2 * dimension * tokens - 1),
        "compute": compute,
        "attention": attention,
        "starts": starts,
        "devices": mesh.size,
        **found.json(steps),
        "updates_per_s": rate,
        "flops_per_s": rate * update_flops(parse_size(size), dimension, tokens),
    }


def data_speed(config: SweepConfig, folder: Path, batches: int) -> Json:
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
    return {
        "pairs": config.data.trajectories * config.data.trajectory_steps,
        "bytes": states.nbytes,
        "make_and_store_s": round(stored - begin, 3),
        "first_batch_s": round(ready - begin, 3),
        "batch": config.training.batch_size,
        "loader_pairs_per_s": batches * config.training.batch_size / seconds,
        "peak_memory_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
    }
