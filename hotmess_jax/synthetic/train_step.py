"""One step of teacher-forced training: what is learnt, its loss, its gradients, and the update."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import jax
import jax.flatten_util
import jax.numpy as jnp
import optax
from flax import nnx
from jaxtyping import Array, Float, Int, Int32, PyTree

from hotmess_jax.machine.sharding import AXIS, part_size
from hotmess_jax.synthetic.checkpoints import TrainState
from hotmess_jax.synthetic.codec import FloatCodec
from hotmess_jax.synthetic.model import Decoder
from hotmess_jax.synthetic.quadratic import Quadratic
from hotmess_jax.synthetic.teacher import Teacher
from kernels.arrays import AnyArray
from kernels.names import check_name

LossOn = Literal["update", "all"]


@dataclass(frozen=True)
class Task:
    """What a decoder learns.

    Raises:
        ValueError: for a name that is none of `LossOn`.
    """

    dimension: int
    """Of the problems."""
    codec: FloatCodec
    """The numbers' encoding."""
    teacher: Teacher
    """Whose updates are imitated."""
    loss_on: LossOn = "update"
    """Whether the update's tokens alone count in the loss, or the state's as well."""

    def __post_init__(self) -> None:
        check_name("loss_on", self.loss_on, get_args(LossOn))

    @property
    def half(self) -> int:
        """Tokens of a state, and of an update."""
        return self.dimension * self.codec.tokens_per_number

    @property
    def first(self) -> int:
        """The position after which tokens count in the loss."""
        return self.half - 1 if self.loss_on == "update" else 0


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


def losses_of(
    graph: nnx.GraphDef,
    task: Task,
    params: PyTree,
    problem: Quadratic,
    states: Float[AnyArray, "batch d"],
    first: int,
) -> Float[Array, "batch predicted"]:
    """Return the cross-entropies of a decoder with these parameters, see `token_losses`."""
    tokens = pair_tokens(task.codec, problem, task.teacher, states)
    return token_losses(nnx.merge(graph, params), tokens, first)


def loss_and_gradients(
    graph: nnx.GraphDef, task: Task, micro_batch: int, one_by_one: bool
) -> Callable[[PyTree, Quadratic, Array], tuple[Array, PyTree]]:
    """Return the function that gives each replicate's loss and gradients on its own batch.

    Args:
        graph: the decoder's structure.
        task: what it learns.
        micro_batch: rows whose gradients are computed at once, 0 for all.
        one_by_one: replicates one after the other, as on a CPU, where what one computes fills the cache.
    """

    def of_one(params: PyTree, problem: Quadratic, states: Array) -> tuple[Array, PyTree]:
        loss_and_grads = jax.value_and_grad(
            lambda p, part: losses_of(graph, task, p, problem, part, task.first).mean()
        )
        return mean_over_parts(loss_and_grads, params, states, micro_batch)

    def of_all(params: PyTree, problems: Quadratic, states: Array) -> tuple[Array, PyTree]:
        if one_by_one:
            each = params, problems, states
            found: tuple[Array, PyTree] = jax.lax.map(lambda one: of_one(*one), each)
            return found
        return jax.vmap(of_one)(params, problems, states)

    return of_all


def train_step(
    of_all: Callable[[PyTree, Quadratic, Array], tuple[Array, PyTree]],
    optimiser: optax.GradientTransformation,
    problems: Quadratic,
    state: TrainState,
    states: Any,
) -> tuple[TrainState, Float[Array, " replicates"]]:
    """Return the state after one update of each replicate, and the losses before it.

    It is part of a program on a mesh, of whose devices each has its share of every batch.

    Args:
        of_all: see `loss_and_gradients`.
        optimiser: of one replicate's parameters.
        problems: of the replicates.
        state: of the replicates; a replicate's first bad step is kept in it.
        states: the teacher's, `[replicates, batch, d]`.
    """
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
