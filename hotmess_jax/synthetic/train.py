"""Teacher-forced training: the step and the loop."""

import functools
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple, get_args

import grain
import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Float, Int, Int32, Key, PyTree

from hotmess_jax.machine.sharding import AXIS, REPLICATES, fetch, own_device, part_size, placed
from hotmess_jax.synthetic.checkpoints import Checkpoints, TrainState
from hotmess_jax.synthetic.codec import FloatCodec
from hotmess_jax.synthetic.model import Attention, Decoder, Size
from hotmess_jax.synthetic.quadratic import Quadratic, stacked
from hotmess_jax.synthetic.teacher import Teacher
from kernels.arrays import AnyArray
from kernels.names import check_name

LossOn = Literal["update", "all"]
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


def pair_tokens(
    codec: FloatCodec, problem: Quadratic, teacher: Teacher, states: Float[AnyArray, "batch d"]
) -> Int32[Array, "batch tokens"]:
    """Return the tokens of x followed by those of the teacher's update u."""
    updates = teacher.update(problem, states)
    return jnp.concatenate([codec.encode(states), codec.encode(updates)], axis=-1)


def token_losses(
    model: Decoder, tokens: Int[Array, "batch tokens"], first: int
) -> Float[Array, "batch predicted"]:
    """Return the cross-entropy, in nats, of each token after position `first`."""
    logits = model(tokens[:, :-1], first)
    return optax.softmax_cross_entropy_with_integer_labels(logits, tokens[:, first + 1 :])


def mean_over_parts(
    loss_and_grads: Callable[[PyTree, Array], tuple[Array, PyTree]],
    params: PyTree,
    states: Float[AnyArray, "batch d"],
    rows: int,
) -> tuple[Array, PyTree]:
    """Return the loss and gradients of a batch, of `rows` at once (0: of all) one part after another.

    Their sizes are equal, see `part_size`.
    """
    batch, dimension = states.shape
    size = part_size(batch, rows)
    if size == batch:
        return loss_and_grads(params, jnp.asarray(states))
    parts = states.reshape(batch // size, size, dimension)

    def add(total: PyTree, part: Any) -> tuple[PyTree, None]:
        return jax.tree.map(jnp.add, total, loss_and_grads(params, part)), None

    zero = jax.tree.map(jnp.zeros_like, (jnp.zeros(()), params))
    total, _ = jax.lax.scan(add, zero, parts)
    mean: tuple[Array, PyTree] = jax.tree.map(lambda leaf: leaf / len(parts), total)
    return mean


def dispatches(first: int, last: int, every: int, most: int) -> Iterator[tuple[int, int]]:
    """Yield (begin, end) of runs of steps: of one length, which is a divisor of `every`, but for the end.

    A checkpoint stands only between two of them, so that going on from one gives the same programs.
    """
    size = max(n for n in range(1, min(most, every) + 1) if every % n == 0)
    while first < last:
        end = min(first - first % size + size, last)
        yield first, end
        first = end


class Trainer:
    """Trains decoders on states of the teacher's trajectories, their tokens made on the device.

    Replicates of one size, each with its own problem, parameters and batches, are trained in one program:
    one after the other on a CPU, all at once elsewhere. Problems are data: another draw is the same program.
    """

    def __init__(
        self,
        size: Size,
        dimension: int,
        codec: FloatCodec,
        teacher: Teacher,
        optimiser: optax.GradientTransformation,
        mesh: Mesh,
        loss_on: LossOn = "update",
        micro_batch: int | None = None,
        steps_per_dispatch: int | None = None,
        compute: Compute = "float32",
        attention: Attention = "xla",
    ) -> None:
        """Prepare the training of a size; nothing is computed yet.

        Args:
            size: the decoder's.
            dimension: of the problems.
            codec: the numbers' encoding.
            teacher: whose updates are imitated.
            optimiser: of the parameters.
            mesh: the devices that share the replicates and each batch.
            loss_on: whether the update's tokens alone count in the loss, or the state's as well.
            micro_batch: rows whose gradients a device computes at once, before they are added up; 0 is
                all. None is 16 on a CPU (64 below a width of 32), whose cache then holds all activations, and
                all elsewhere.
            steps_per_dispatch: training steps in one call of the compiled program. None is 8 on a CPU
                and 64 elsewhere.
            compute: number format of the decoder's products.
            attention: of the decoder; see `check_attention`.

        Raises:
            ValueError: for a name that is none of those.
        """
        check_name("loss_on", loss_on, get_args(LossOn))
        check_name("compute", compute, get_args(Compute))
        check_name("attention", attention, get_args(Attention))
        self._dtype = jnp.dtype(compute)
        self._attention = attention
        on_cpu = mesh.devices.flat[0].platform == "cpu"
        if micro_batch is None:
            micro_batch = (16 if size.width >= 32 else 64) if on_cpu else 0
        self._steps_per_dispatch = steps_per_dispatch or (8 if on_cpu else 64)
        # Host devices that share a thread pool can starve each other of threads when several programs
        # wait to meet, so there is only one in flight.
        self._one_in_flight = on_cpu and mesh.size > 1
        self.mesh = mesh
        self._optimiser = optimiser
        self._half = dimension * codec.tokens_per_number
        self._size = size
        first = self._half - 1 if loss_on == "update" else 0
        # The structure alone; the parameters are drawn in `initial_state`.
        self.graph, _ = nnx.split(nnx.eval_shape(lambda: self._make(jax.random.key(0))))

        def losses(
            params: PyTree, problem: Quadratic, states: Float[AnyArray, "batch d"], first: int
        ) -> Array:
            tokens = pair_tokens(codec, problem, teacher, states)
            return token_losses(nnx.merge(self.graph, params), tokens, first)

        def of_one(params: PyTree, problem: Quadratic, states: Array) -> tuple[Array, PyTree]:
            loss_and_grads = jax.value_and_grad(lambda p, part: losses(p, problem, part, first).mean())
            return mean_over_parts(loss_and_grads, params, states, micro_batch)

        def of_all(params: PyTree, problems: Quadratic, states: Array) -> tuple[Array, PyTree]:
            if on_cpu:  # what one replicate computes fills the cache
                each = params, problems, states
                found: tuple[Array, PyTree] = jax.lax.map(lambda one: of_one(*one), each)
                return found
            return jax.vmap(of_one)(params, problems, states)

        def step(problems: Quadratic, state: TrainState, states: Any) -> tuple[TrainState, Array]:
            loss, grads = of_all(state.params, problems, states)
            # One flat vector, so that the devices of a batch meet once a step.
            flat, unravel = jax.flatten_util.ravel_pytree((loss, grads))
            flat = jax.lax.pmean(flat, AXIS)
            loss, grads = unravel(flat)
            updates, opt_state = jax.vmap(optimiser.update)(grads, state.optimiser, state.params)
            finite = [jnp.isfinite(leaf.reshape(len(loss), -1)).all(axis=1)
                      for leaf in jax.tree.leaves((loss, grads))]  # fmt: skip
            good = jnp.stack(finite).all(axis=0) | (state.bad_step >= 0)
            following = TrainState(
                optax.apply_updates(state.params, updates),
                opt_state,
                state.step + 1,
                jnp.where(good, state.bad_step, state.step),
            )
            return following, loss

        def several(
            state: TrainState,
            problems: Quadratic,
            states: Float[AnyArray, "steps replicates batch d"],
        ) -> tuple[TrainState, Float[Array, "steps replicates"]]:
            one_step = functools.partial(step, problems)
            scanned: tuple[TrainState, Array] = jax.lax.scan(one_step, state, states)
            return scanned

        own, everywhere = PartitionSpec(REPLICATES), PartitionSpec()
        states = TrainState(own, own, everywhere, own)  # type: ignore[arg-type]
        rows, losses_of = PartitionSpec(None, REPLICATES, AXIS), PartitionSpec(None, REPLICATES)
        self._batches = NamedSharding(mesh, rows)
        self._problems = NamedSharding(mesh, own)
        self._placement = TrainState(*(NamedSharding(mesh, spec) for spec in states))  # type: ignore
        self._steps = jax.jit(
            jax.shard_map(
                several,
                mesh=mesh,
                in_specs=(states, own, rows),
                out_specs=(states, losses_of),
                check_vma=False,
            ),
            donate_argnums=0,
            out_shardings=(self._placement, NamedSharding(mesh, losses_of)),
        )
        self._validate = jax.jit(lambda p, problem, states: losses(p, problem, states, 0).mean(axis=0))

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

    def _make(self, key: Key[Array, ""]) -> Decoder:
        return Decoder(
            self._size,
            2 * self._half - 1,
            dtype=self._dtype,
            attention=self._attention,
            rngs=nnx.Rngs(key),
        )

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
        waiting: list[tuple[int, Array]] = []

        def report() -> None:
            for step, losses in waiting:
                for i, of_step in enumerate(fetch(losses).tolist(), start=1):
                    on_step(step + i, of_step)
            waiting.clear()

        for first, last in dispatches(
            int(state.step), steps, checkpoint_every, self._steps_per_dispatch
        ):
            states = np.stack([next(batches) for _ in range(first, last)])
            state, losses = self.step(state, placed_problems, states)
            report()  # of the dispatch before, while this one is computed
            waiting.append((first, losses))
            stopping = stop_here()
            due = stopping or last % checkpoint_every == 0 or last == steps
            if due or self._one_in_flight:
                report()
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
