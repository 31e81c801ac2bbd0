"""The loss of a perfect model: the entropy of the update's tokens once those of the state are known.

x within a cell is distributed as the trajectories' states are. On the valley floor, where most of them
are, steps of fixed length bounce from side to side, and a state's two coordinates tell of one another:
uniform points know nothing of it, and their entropy there is three times too large (quick's problem, d =
2, p = 3). So the entropy is counted in states of fresh trajectories, `visits`, where 15 or more come
by; elsewhere, where trajectories come from everywhere and few come by, points are drawn uniformly within the
cell. With more than two dimensions few states have visits, and the floor is nearer that of uniform
points, an upper one: `counted` says of how many.

Entropies are estimated after Chao, Wang and Jost 2013, which corrects the plug-in entropy for
tokens not drawn; see `token_entropy` for this and the bracket. Of few visits they are still too low (by 25 %
of 15, 7 % of 120), so that what errs, errs to a floor too low.
"""

import functools
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float32, Int, Key

from hotmess_jax.documents import Exact
from hotmess_jax.synthetic.cells import Cells, cells, points_within
from hotmess_jax.synthetic.codec import FloatCodec
from hotmess_jax.synthetic.quadratic import Quadratic
from hotmess_jax.synthetic.teacher import Teacher
from hotmess_jax.synthetic.token_entropy import TokenEntropy, from_sums, sums_over_groups
from hotmess_jax.synthetic.visits import Paths, Visits, visits
from kernels.arrays import AnyArray

_STATES_AT_ONCE = 8  # so many sorts fill the cache
# Entropies of fewer visits are too low by a third and more.
LEAST_VISITS = 15


@dataclass(frozen=True, slots=True)
class LossFloor(Exact):
    """The least validation loss there is, in nats per token of the update; its error and its bracket."""

    value: float
    """Mean over states of the entropy given the state's tokens."""
    uniform: float
    """The same with points uniform in every cell, as if trajectories were so everywhere."""
    se: float
    """Standard error of `value` over states; it holds the noise of the points too."""
    low: float
    """Plug-in entropy, which is too low in expectation where points are few."""
    high: float
    """What a predictor that has seen all other points pays for a point: too high in expectation."""
    states: int
    """States in the mean."""
    left_out: int
    """States that were given and have no finite cell, for a coordinate is at the codec's limit."""
    counted: int
    """States whose entropy is that of real trajectories; the others' is that of uniform points."""
    points: int
    """Points drawn within the cell of each state, and the most visits that count."""
    by_token: tuple[float, ...]
    """Entropy of each token of the update given the state's tokens and those before it; its mean is
    `value`. A difference of estimates, so one that is 0 may come out slightly below."""


def loss_floor(
    key: Key[Array, ""],
    problem: Quadratic,
    codec: FloatCodec,
    teacher: Teacher,
    states: Float32[AnyArray, "pairs d"],
    most_states: int = 512,
    points: int = 4_096,
    paths: Paths | None = None,
) -> LossFloor:
    """Estimate the validation loss of a model that knows all that the state's tokens tell.

    A model sees x's tokens, that is the cell of numbers that are written so, and the digits cut off
    decide the last ones of u. No predictor, autoregressive or not, has less cross-entropy than the
    entropy of u's tokens over x in that cell, which is the sum over tokens of their entropies given the
    tokens before.

    Args:
        key: randomness, of the choice of states, of the points and of fresh trajectories.
        problem: what is descended.
        codec: the numbers' encoding.
        teacher: whose updates are predicted.
        states: those that the validation loss is measured on.
        most_states: so many of them are used, chosen at random.
        points: drawn within each cell, and kept of the visits to it; 2 at least.
        paths: the trajectories that `states` are of; None takes points to be uniform everywhere.

    Raises:
        ValueError: for fewer than 2 points, or fewer than 2 states that have a finite cell.
    """
    if points < 2:
        raise ValueError(f"an entropy needs at least 2 points a cell, got {points}")
    key_states, key_points = jax.random.split(key)
    chosen, without_cell = _chosen(key_states, codec, states, most_states)
    sums = _sums_in_cells(key_points, problem, chosen, codec.precision, teacher, points)
    uniform = from_sums(np.asarray(sums, np.float64), points)
    found, counted = uniform, np.zeros(len(chosen), bool)
    if paths is not None:
        seen = visits(jax.random.fold_in(key, 2), problem, codec, teacher, chosen, paths, points)
        found, counted = _counted(problem, codec, teacher, seen, uniform)
    count, tokens = found.by_token.shape
    of_state = found.by_token.sum(axis=-1) / tokens
    return LossFloor(
        value=float(of_state.mean()),
        uniform=float(uniform.by_token.sum(axis=-1).mean() / tokens),
        se=float(of_state.std(ddof=1) / count**0.5),
        low=float(found.low.mean() / tokens),
        high=float(found.high.mean() / tokens),
        states=count,
        left_out=without_cell,
        counted=int(counted.sum()),
        points=points,
        by_token=tuple(found.by_token.mean(axis=0).tolist()),
    )


def _chosen(
    key: Key[Array, ""], codec: FloatCodec, states: Float32[AnyArray, "pairs d"], most: int
) -> tuple[Float32[np.ndarray, "chosen d"], int]:
    """Return some of the states that have a finite cell, and how many have none."""
    has_cell = np.asarray(cells(codec, states).finite.all(axis=-1))
    inside = np.asarray(states)[has_cell]
    if min(len(inside), most) < 2:
        raise ValueError(
            f"a loss floor needs at least 2 states with a finite cell, got {len(inside)} "
            f"of {len(has_cell)} states, of which {most} would be used"
        )
    chosen = jax.random.permutation(key, len(inside))[:most]
    return inside[np.asarray(chosen)], int((~has_cell).sum())


def _counted(
    problem: Quadratic, codec: FloatCodec, teacher: Teacher, seen: Visits, uniform: TokenEntropy
) -> tuple[TokenEntropy, Bool[np.ndarray, " states"]]:
    """Return entropies of the visits where they suffice, else of uniform points, and where they do."""
    counted = seen.counts >= LEAST_VISITS
    counts = np.maximum(seen.counts, 1)
    sums = _sums_at(problem, seen.states, counts, codec.precision, teacher)
    real = from_sums(np.asarray(sums, np.float64), counts)
    entropy = TokenEntropy(
        np.where(counted[:, None], real.by_token, uniform.by_token),
        np.where(counted, real.low, uniform.low),
        np.where(counted, real.high, uniform.high),
    )
    return entropy, counted


@functools.partial(jax.jit, static_argnames=("precision", "teacher", "points"))
def _sums_in_cells(
    key: Key[Array, ""],
    problem: Quadratic,
    states: Float32[AnyArray, "states d"],
    precision: int,
    teacher: Teacher,
    points: int,
) -> Float[Array, "states sums beginnings"]:
    """Draw points in the cell of each state, and return the sums of their updates' tokens."""

    def of_state(drawn: tuple[Array, Cells]) -> Array:
        return _sums_of(problem, points_within(*drawn, points), points, precision, teacher)

    keys = jax.random.split(key, len(states))
    sums: Array = jax.lax.map(
        of_state, (keys, cells(FloatCodec(precision), states)), batch_size=_STATES_AT_ONCE
    )
    return sums


@functools.partial(jax.jit, static_argnames=("precision", "teacher"))
def _sums_at(
    problem: Quadratic,
    visited: Float32[AnyArray, "states most d"],
    counts: Int[AnyArray, " states"],
    precision: int,
    teacher: Teacher,
) -> Float[Array, "states sums beginnings"]:
    """Return the sums of the tokens of the updates at the first `counts` of each row of states."""

    def of_state(row: tuple[Array, Array]) -> Array:
        return _sums_of(problem, *row, precision, teacher)

    sums: Array = jax.lax.map(
        of_state, (jnp.asarray(visited), jnp.asarray(counts)), batch_size=_STATES_AT_ONCE
    )
    return sums


def _sums_of(
    problem: Quadratic, x: Array, count: Array | int, precision: int, teacher: Teacher
) -> Float[Array, "sums beginnings"]:
    """Return the sums of the tokens of the updates at the first `count` points."""
    tokens = FloatCodec(precision).encode(teacher.update(problem, x))
    return sums_over_groups(tokens, count, precision)
