"""Teacher-forced training: the compiled program, its place on the devices, and the loop."""

import functools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import grain
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Float, Key, PyTree

from hotmess_jax.machine.sharding import AXIS, REPLICATES, fetch, own_device, part_size, placed
from hotmess_jax.synthetic.checkpoints import Checkpoints, TrainState
from hotmess_jax.synthetic.model import Attention, Decoder, Size
from hotmess_jax.synthetic.quadratic import Quadratic, stacked
from hotmess_jax.synthetic.train_step import Task, loss_and_gradients, losses_of, train_step
from kernels.arrays import AnyArray
from kernels.names import check_name

Compute = Literal["float32", "bfloat16"]


class ValidationLoss(NamedTuple):
    """Mean cross-entropies, in nats a token."""

    update: float  # over the update's tokens
    all: float  # over the state's as well, but for its first, which nothing comes before
    by_token: Float[np.ndarray, " predicted"]


def check_attention(attention: Attention, compute: Compute) -> None:
    """Check that this machine has that attention.

    Raises:
        ValueError: for cuDNN's without a GPU, or in float32.
    """
    platform = jax.default_backend()
    if attention == "cudnn" and (platform != "gpu" or compute != "bfloat16"):
        raise ValueError(
            "attention cudnn needs a GPU and compute bfloat16: "
            f"this machine's platform is {platform}, compute is {compute}"
        )


def of_replicate(tree: PyTree, replicate: int) -> PyTree:
    """Return one replicate's part of what has the replicates as first axis."""
    return jax.tree.map(lambda leaf: leaf[replicate], tree)


class NonFiniteLossError(ArithmeticError):
    """Training met a loss or gradient that is NaN or infinite, in every replicate."""

    def __init__(self, steps: list[int]) -> None:
        super().__init__(f"the loss was not finite at step {', '.join(map(str, steps))}")
        self.steps = steps


def dispatches(first: int, last: int, every: int, most: int) -> Iterator[tuple[int, int]]:
    """Yield (begin, end) of runs of steps: of one length, which is a divisor of `every`, but for the end.

    A checkpoint stands only between two of them, so that going on from one gives the same programs.
    """
    size = max(n for n in range(1, min(most, every) + 1) if every % n == 0)
    while first < last:
        end = min(first - first % size + size, last)
        yield first, end
        first = end


@dataclass(frozen=True)
class Layout:
    """How training is laid out on a machine: it changes rounding, and not what is learnt.

    Raises:
        ValueError: for a name that is none of `Compute` or `Attention`.
    """

    micro_batch: int | None = None
    """Rows whose gradients a device computes at once, before they are added up; 0 is all. None is 16 on a CPU
    (64 below a width of 32), whose cache then holds all activations, and all elsewhere."""
    steps_per_dispatch: int | None = None
    """Training steps in one call of the compiled program. None is 8 on a CPU and 64 elsewhere."""
    compute: Compute = "float32"
    """Number format of the decoder's products."""
    attention: Attention = "xla"
    """Of the decoder; see `check_attention`."""

    def __post_init__(self) -> None:
        check_name("compute", self.compute, get_args(Compute))
        check_name("attention", self.attention, get_args(Attention))


def _decoder(size: Size, task: Task, layout: Layout, key: Key[Array, ""]) -> Decoder:
    return Decoder(
        size,
        2 * task.half - 1,
        dtype=jnp.dtype(layout.compute),
        attention=layout.attention,
        rngs=nnx.Rngs(key),
    )


# Where a state's parts, steps' batches and steps' losses lie on a mesh: each replicate's with its own devices.
_OWN = PartitionSpec(REPLICATES)
_STATE = TrainState(_OWN, _OWN, PartitionSpec(), _OWN)  # type: ignore[arg-type]
_ROWS, _LOSSES = PartitionSpec(None, REPLICATES, AXIS), PartitionSpec(None, REPLICATES)


def _several_steps(step: Callable[..., tuple[TrainState, Array]], mesh: Mesh) -> Callable[..., Any]:
    """Return the compiled program of several steps, one after the other, on a mesh; the state is donated."""

    def several(
        state: TrainState,
        problems: Quadratic,
        states: Float[AnyArray, "steps replicates batch d"],
    ) -> tuple[TrainState, Float[Array, "steps replicates"]]:
        one_step = functools.partial(step, problems)
        scanned: tuple[TrainState, Array] = jax.lax.scan(one_step, state, states)
        return scanned

    placement = TrainState(*(NamedSharding(mesh, spec) for spec in _STATE))  # type: ignore
    return jax.jit(
        jax.shard_map(
            several,
            mesh=mesh,
            in_specs=(_STATE, _OWN, _ROWS),
            out_specs=(_STATE, _LOSSES),
            check_vma=False,
        ),
        donate_argnums=0,
        out_shardings=(placement, NamedSharding(mesh, _LOSSES)),
    )


class _Reports:
    """Losses of a dispatch, which are told when they are needed: to fetch them waits for what computes them."""

    def __init__(self, on_step: Callable[[int, list[float]], None]) -> None:
        self._on_step = on_step
        self._waiting: list[tuple[int, Array]] = []

    def add(self, first: int, losses: Array) -> None:
        """Keep the losses of the steps after `first`."""
        self._waiting.append((first, losses))

    def give(self) -> None:
        """Tell what was kept."""
        for step, losses in self._waiting:
            for i, of_step in enumerate(fetch(losses).tolist(), start=1):
                self._on_step(step + i, of_step)
        self._waiting.clear()


class Trainer:
    """Trains decoders on states of the teacher's trajectories, their tokens made on the device.

    Replicates of one size, each with its own problem, parameters and batches, are trained in one program:
    one after the other on a CPU, all at once elsewhere. Problems are data: another draw is the same program.
    """

    def __init__(
        self,
        size: Size,
        task: Task,
        optimiser: optax.GradientTransformation,
        mesh: Mesh,
        layout: Layout = Layout(),
    ) -> None:
        """Prepare the training of a size; nothing is computed yet.

        Args:
            size: the decoder's.
            task: what it learns.
            optimiser: of the parameters.
            mesh: the devices that share the replicates and each batch.
            layout: how the work is laid out on them.
        """
        on_cpu = mesh.devices.flat[0].platform == "cpu"
        micro_batch = layout.micro_batch
        if micro_batch is None:
            micro_batch = (16 if size.width >= 32 else 64) if on_cpu else 0
        self._steps_per_dispatch = layout.steps_per_dispatch or (8 if on_cpu else 64)
        # Host devices that share a thread pool can starve each other of threads when several programs
        # wait to meet, so there is only one in flight.
        self._one_in_flight = on_cpu and mesh.size > 1
        self.mesh = mesh
        self._optimiser = optimiser
        self._half = task.half
        self._make = functools.partial(_decoder, size, task, layout)
        # The structure alone; the parameters are drawn in `initial_state`.
        self.graph, _ = nnx.split(nnx.eval_shape(lambda: self._make(jax.random.key(0))))
        self._batches = NamedSharding(mesh, _ROWS)
        self._problems = NamedSharding(mesh, _OWN)
        self._placement = TrainState(*(NamedSharding(mesh, spec) for spec in _STATE))  # type: ignore
        of_all = loss_and_gradients(self.graph, task, micro_batch, one_by_one=on_cpu)
        self._steps = _several_steps(functools.partial(train_step, of_all, optimiser), mesh)
        self._validate = jax.jit(
            lambda p, problem, states: losses_of(self.graph, task, p, problem, states, 0).mean(axis=0)
        )

    def place(self, problems: Sequence[Quadratic]) -> Quadratic:
        """Return the replicates' problems as one, on the mesh."""
        return placed(stacked(problems), self._problems)

    def step(
        self,
        state: TrainState,
        problems: Quadratic,
        states: Float[AnyArray, "steps replicates batch d"],
    ) -> tuple[TrainState, Float[Array, "steps replicates"]]:
        """Train on some batches, one after the other; return the state, and the loss of each.

        Args:
            state: its buffers are donated.
            problems: of the replicates, see `place`.
            states: the teacher's states; of each batch, this process's share.
        """
        batches = jax.make_array_from_process_local_data(self._batches, states)
        with jax.transfer_guard("disallow"):  # nothing else goes there and back
            found: tuple[TrainState, Array] = self._steps(state, problems, batches)
        return found

    def initial_state(self, keys: Key[Array, " replicates"]) -> TrainState:
        """Draw parameters, from a key a replicate; the state is on the mesh."""
        params = placed(self._draw(keys), self._placement.params)
        return jax.jit(self._first_state, out_shardings=self._placement)(params)

    def _draw(self, keys: Key[Array, " replicates"]) -> PyTree:
        # One replicate after the other: the program that draws all at once takes three times as long to compile.
        draw = jax.jit(lambda key: nnx.state(self._make(key), nnx.Param))
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *[draw(key) for key in keys])

    def _first_state(self, params: PyTree) -> TrainState:
        replicates = len(jax.tree.leaves(params)[0])
        zero, good = jnp.zeros((), jnp.int32), jnp.full(replicates, -1, jnp.int32)
        return TrainState(params, jax.vmap(self._optimiser.init)(params), zero, good)

    def abstract_state(self, replicates: int) -> TrainState:
        """Return the state's shapes and placement, for restoring into."""
        keys = jax.random.split(jax.random.key(0), replicates)
        shapes = jax.eval_shape(lambda keys: self._first_state(self._draw(keys)), keys)

        def there(where: NamedSharding, part: PyTree) -> PyTree:
            return jax.tree.map(
                lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=where), part
            )

        return TrainState(*map(there, self._placement, shapes))

    def train(
        self,
        state: TrainState,
        problems: Sequence[Quadratic],
        batches: grain.DatasetIterator,
        steps: int,
        checkpoints: Checkpoints,
        checkpoint_every: int,
        *,
        seconds: float = 0.0,
        on_step: Callable[[int, list[float]], None] = lambda step, losses: None,
        stop_here: Callable[[], bool] = lambda: False,
    ) -> tuple[TrainState, float]:
        """Train from the state's step to `steps`, saving on the way and at the end.

        Args:
            state: where to start; its buffers are donated.
            problems: of the replicates.
            batches: of states, `[replicates, batch, d]` (of each batch, this process's share), at the
                position that belongs to `state`.
            steps: the step to stop at.
            checkpoints: where to save.
            checkpoint_every: steps between checkpoints.
            seconds: how long training took up to `state`.
            on_step: told each step and each replicate's loss.
            stop_here: asked after each dispatch; where it says so, what there is by then is saved, and is
                what is returned.

        Returns:
            The last state, and the seconds of training in all.

        Raises:
            NonFiniteLossError: when every replicate has met a loss or gradient that is not finite;
                nothing is saved after that.
        """
        began = time.perf_counter() - seconds
        placed_problems = self.place(problems)
        reports = _Reports(on_step)
        for first, last in dispatches(
            int(state.step), steps, checkpoint_every, self._steps_per_dispatch
        ):
            states = np.stack([next(batches) for _ in range(first, last)])
            state, losses = self.step(state, placed_problems, states)
            reports.give()  # of the dispatch before, while this one is computed
            reports.add(first, losses)
            stopping = stop_here()
            due = stopping or last % checkpoint_every == 0 or last == steps
            if due or self._one_in_flight:
                reports.give()
            if due:
                bad_steps = fetch(state.bad_step).tolist()
                if min(bad_steps) >= 0:
                    raise NonFiniteLossError(bad_steps)
                checkpoints.save(state, batches, time.perf_counter() - began)
            if stopping:
                break
        return state, time.perf_counter() - began

    def validation_loss(
        self,
        params: PyTree,
        problem: Quadratic,
        states: Float[AnyArray, "pairs d"],
        batch_size: int | None = None,
    ) -> "ValidationLoss":
        """Return the mean cross-entropy of a model's predictions, in nats a token.

        It is the same whatever `loss_on` is, so that runs can be compared.

        Args:
            params: of one replicate.
            problem: its own.
            states: held out.
            batch_size: states at once, at most. None is 128 on a CPU, whose cache then holds most of what is
                computed, and 2,048 elsewhere.
        """
        device = own_device(self.mesh)
        most = batch_size or (128 if device.platform == "cpu" else 2048)
        batch_size = part_size(len(states), most)
        params, problem = jax.device_put((params, problem), device)
        total = np.zeros(2 * self._half - 1)
        for begin in range(0, len(states), batch_size):
            part = jax.device_put(states[begin : begin + batch_size], device)
            total += np.asarray(self._validate(params, problem, part), np.float64) * len(part)
        by_token = total / len(states)
        update = by_token[self._half - 1 :]
        return ValidationLoss(float(update.mean()), float(by_token.mean()), by_token)


def make_optimiser(
    learning_rate: float,
    steps: int,
    warmup_steps: int,
    weight_decay: float,
    clip_norm: float,
) -> optax.GradientTransformation:
    """Return AdamW with linear warm-up, cosine decay to zero and clipping by the global norm.

    Source: Hägele et al. 2026, Appendix B.4 names AdamW; the schedule is open there.
    """
    warmup = min(warmup_steps, steps // 2)
    schedule = optax.warmup_cosine_decay_schedule(0.0, learning_rate, warmup, max(steps, 1))
    return optax.chain(
        optax.clip_by_global_norm(clip_norm),
        optax.adamw(schedule, b2=0.99, weight_decay=weight_decay),
    )
