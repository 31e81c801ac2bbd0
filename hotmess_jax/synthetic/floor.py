"""The loss of a perfect model: the entropy of the update's tokens once those of the state are known."""

import functools
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float32, Float64, Int, Int32, Key
from scipy import special

from hotmess_jax.synthetic.codec import MAX_EXPONENT, MINUS, FloatCodec
from hotmess_jax.synthetic.quadratic import Quadratic
from hotmess_jax.synthetic.teacher import Teacher
from kernels.arrays import AnyArray

# Weight of the uniform guess in the predictor behind the upper bound, in points.
_PRIOR = 0.1
_STATES_AT_ONCE = 8  # so many sorts fill the cache


@dataclass(frozen=True)
class LossFloor:
    """The least validation loss there is, in nats per token of the update; its error and its bracket."""

    value: float
    """Mean over states of the entropy given the state's tokens."""
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
    points: int
    """Points drawn within the cell of each state."""
    by_token: tuple[float, ...]
    """Entropy of each token of the update given the state's tokens and those before it; its mean is
    `value`. A difference of estimates, so one that is 0 may come out slightly below."""


class Cells(NamedTuple):
    """All numbers that share tokens: sign·m/unit/decade, for mantissas m from low to high."""

    sign: Float[Array, "*shape"]
    unit: Float[Array, "*shape"]  # 10^precision
    decade: Float[Array, "*shape"]  # 10^e
    low: Float[Array, "*shape"]
    high: Float[Array, "*shape"]
    least: Float[Array, "*shape"]  # the smallest float32 magnitude of the cell
    most: Float[Array, "*shape"]
    finite: Bool[Array, "*shape"]


class TokenEntropy(NamedTuple):
    """Estimates of the entropy, in nats, of a sequence of tokens from samples of it."""

    by_token: Float64[np.ndarray, "*many tokens"]
    low: Float64[np.ndarray, "*many"]  # of the whole sequence
    high: Float64[np.ndarray, "*many"]


def loss_floor(
    key: Key[Array, ""],
    problem: Quadratic,
    codec: FloatCodec,
    teacher: Teacher,
    states: Float32[AnyArray, "pairs d"],
    most_states: int = 512,
    points: int = 4_096,
) -> LossFloor:
    """Estimate the validation loss of a model that knows all that the state's tokens tell.

    A model sees x's tokens, that is the cell of numbers that are written so, and the digits cut off
    decide the last ones of u. No predictor, autoregressive or not, has less cross-entropy than the
    entropy of u's tokens over x in that cell, which is the sum over tokens of their entropies given the
    tokens before. It is estimated from points drawn uniformly within the cell of each state.

    The true density within a cell is that of the trajectories. On the way to the minimum it is nearly
    uniform (3 to 8 % less entropy was counted in states of real trajectories, d = 2, p = 1). Those of
    fixed steps that have arrived keep to a line through the minimum, of which uniform points know
    nothing: there a model can do better than this floor, by far where cells are as wide as steps.

    Entropies are estimated after Chao, Wang and Jost 2013, which corrects the plug-in entropy for
    tokens not drawn; see `token_entropy` for this and the bracket.

    Args:
        key: randomness, of the choice of states and of the points.
        problem: what is descended.
        codec: the numbers' encoding.
        teacher: whose updates are predicted.
        states: those that the validation loss is measured on.
        most_states: so many of them are used, chosen at random.
        points: drawn within each cell, 2 at least.

    Raises:
        ValueError: for fewer than 2 points, or fewer than 2 states that have a finite cell.
    """
    if points < 2:
        raise ValueError(f"an entropy needs at least 2 points a cell, got {points}")
    key_states, key_points = jax.random.split(key)
    chosen_states, without_cell = _chosen(key_states, codec, states, most_states)
    sums = _sums_in_cells(key_points, problem, chosen_states, codec.precision, teacher, points)
    found = _from_sums(np.asarray(sums, np.float64), points)
    count, tokens = found.by_token.shape
    of_state = found.by_token.sum(axis=-1) / tokens
    return LossFloor(
        float(of_state.mean()),
        float(of_state.std(ddof=1) / count**0.5),
        float(found.low.mean() / tokens),
        float(found.high.mean() / tokens),
        count,
        without_cell,
        points,
        tuple(found.by_token.mean(axis=0).tolist()),
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


def token_entropy(tokens: Int[AnyArray, "points tokens"], precision: int) -> TokenEntropy:
    """Estimate the entropy of the tokens of vectors, in nats, from independent samples of them.

    With n the number of samples that begin with the same tokens as a given one: the entropy of each
    beginning is estimated after Chao, Wang and Jost, and a token's is the difference of two. `low` is
    the plug-in entropy, in expectation below the truth. `high` is the mean cross-entropy of each sample
    under the predictor that learned from all the others, (n + 0.1/m) / (n before + 0.1) for each token of
    m that may stand there: in expectation above the truth, as any predictor's is.

    Args:
        tokens: of vectors, one a row, as the codec writes them.
        precision: the codec's.

    Source: Chao, Wang and Jost 2013, "Entropy and the species accumulation curve", equation 8.
    """
    sums = _sums(jnp.asarray(tokens, jnp.int32), precision)
    return _from_sums(np.asarray(sums, np.float64), len(tokens))


def cells(codec: FloatCodec, values: Float[AnyArray, "*shape"]) -> Cells:
    """Return the cell of each number: all numbers with its tokens.

    It reaches half a unit of the last digit to either side, but only a twentieth below a power of ten,
    where units are ten times smaller. What is at the codec's limit has no finite cell, for all that
    saturates is written so.
    """
    found: Cells = _cells(jnp.asarray(values, jnp.float32), codec.precision)
    return found


@functools.partial(jax.jit, static_argnames="precision")
def _cells(values: Float32[Array, "*shape"], precision: int) -> Cells:
    codec = FloatCodec(precision)
    tokens = codec.encode(values[..., None])
    powers = jnp.asarray([10**i for i in range(precision, -1, -1)], jnp.int32)
    exponent, mantissa = tokens[..., 1], (tokens[..., 2:] * powers).sum(axis=-1)
    sign = jnp.where(tokens[..., 0] == MINUS, -1.0, 1.0)
    lowest_of_decade = (mantissa == 10**precision) & (exponent < MAX_EXPONENT)
    low = mantissa - jnp.where(lowest_of_decade, 0.05, 0.5)
    high = mantissa + 0.5
    # Both powers are exact in float32, so that two divisions and `low` err by two units at most.
    unit = jnp.full_like(sign, 10.0**precision)
    decade = jnp.asarray([10.0**i for i in range(MAX_EXPONENT + 1)], jnp.float32)[exponent]

    def around(edge: Array) -> tuple[Array, Array]:
        near = [edge]
        for towards in (-jnp.inf, jnp.inf):
            other = edge
            for _ in range(3):
                other = jnp.nextafter(other, jnp.float32(towards))
                near.append(other)
        stacked = jnp.stack(near)
        return stacked, (codec.encode((sign * stacked)[..., None]) == tokens).all(axis=-1)

    below, of_cell_below = around(low / unit / decade)
    above, of_cell_above = around(high / unit / decade)
    return Cells(
        sign,
        unit,
        decade,
        low,
        high,
        jnp.where(of_cell_below, below, jnp.inf).min(axis=0),
        jnp.where(of_cell_above, above, -jnp.inf).max(axis=0),
        (exponent > 0) | (mantissa < 10 ** (precision + 1) - 1),
    )


@functools.partial(jax.jit, static_argnames="points")
def points_within(key: Key[Array, ""], within: Cells, points: int) -> Float32[Array, "points *shape"]:
    """Draw points uniformly within finite cells, each rounded to a float32 of the same cell."""
    drawn = jax.random.uniform(key, (points, *within.low.shape))
    mantissa = within.low + drawn * (within.high - within.low)
    magnitude = jnp.clip(mantissa / within.unit / within.decade, within.least, within.most)
    return within.sign * magnitude


@functools.partial(jax.jit, static_argnames=("precision", "teacher", "points"))
def _sums_in_cells(
    key: Key[Array, ""],
    problem: Quadratic,
    states: Float32[AnyArray, "states d"],
    precision: int,
    teacher: Teacher,
    points: int,
) -> Float[Array, "states sums beginnings"]:
    """Draw points in the cell of each state, and return what `_sums` does of their updates' tokens."""
    codec = FloatCodec(precision)

    def of_state(drawn: tuple[Array, Cells]) -> Array:
        x = points_within(*drawn, points)
        return _sums(codec.encode(teacher.update(problem, x)), precision)

    keys = jax.random.split(key, len(states))
    sums: Array = jax.lax.map(of_state, (keys, cells(codec, states)), batch_size=_STATES_AT_ONCE)
    return sums


@functools.partial(jax.jit, static_argnames="precision")
def _sums(tokens: Int32[Array, "points tokens"], precision: int) -> Float[Array, "sums beginnings"]:
    """Return, of each beginning 0..tokens, sums over the groups of points that share it.

    With n the size of a group, and N of all: n·log(N/n)/N, n·(ψ(N) − ψ(n))/N, n·log((n − 1 + prior)/N)/N,
    the same with prior/m, the groups of one and those of two.
    """
    points, length = tokens.shape
    per_number = 3 + precision
    bases = np.asarray([2, 10, *[10] * (precision + 1)])
    weights = jnp.asarray([int(np.prod(bases[i + 1 :])) for i in range(per_number)], jnp.int32)
    numbers = tokens.reshape(points, -1, per_number)
    numbers = numbers.at[..., 0].set(numbers[..., 0] == MINUS)
    # One integer a number; sorted by these, points that share any beginning stand together.
    coded = tuple((numbers * weights).sum(axis=-1).T)
    ordered = jnp.stack(jax.lax.sort(coded, num_keys=len(coded)))
    digits = (ordered[:, None] // weights[:, None]).reshape(length, points)
    differs = jnp.concatenate([jnp.ones((length, 1), bool), digits[:, 1:] != digits[:, :-1]], axis=1)
    for i in range(per_number, length, per_number):  # a number's beginning has all numbers before it
        differs = differs.at[i : i + per_number].set(differs[i : i + per_number] | differs[i - 1])
    first = jnp.arange(points) == 0
    differs = jnp.concatenate([first[None], differs])  # all share the empty beginning
    begins = jnp.where(differs, jnp.arange(points, dtype=jnp.int32), points)
    following = jax.lax.cummin(begins, axis=1, reverse=True)
    following = jnp.concatenate(
        [following[:, 1:], jnp.full((length + 1, 1), points, jnp.int32)], axis=1
    )
    sizes = jnp.where(differs, following - begins, 0)

    n = np.arange(1, points + 1, dtype=np.float64)
    per_size = np.stack(
        [
            n * np.log(points / n),
            n * (special.digamma(points) - special.digamma(n)),
            n * np.log((n - 1 + _PRIOR) / points),
            n * np.log((n - 1 + _PRIOR / 2) / points),
            n * np.log((n - 1 + _PRIOR / 10) / points),
        ]
    )
    table = jnp.asarray(np.pad(per_size / points, ((0, 0), (1, 0))), jnp.float32)
    is_sign = jnp.arange(-1, length) % per_number == 0
    entropy, digamma, before, of_sign, of_digit = (row[sizes].sum(axis=1) for row in table)
    after = jnp.where(is_sign, of_sign, of_digit)
    ones, twos = ((sizes == k).sum(axis=1) for k in (1, 2))
    return jnp.stack([entropy, digamma, before, after, ones, twos])


def _from_sums(sums: Float64[np.ndarray, "*many sums beginnings"], points: int) -> TokenEntropy:
    """Turn what `_sums` returns into estimates."""
    entropy, digamma, before, after, ones, twos = np.moveaxis(sums, -2, 0)
    # Chao, Wang and Jost: A is the estimated chance that the next point is like one of those seen once.
    pairs = np.where(twos > 0, 2 * twos, 2)
    singles = np.where(twos > 0, ones, np.maximum(ones - 1, 0))
    rate = -np.log1p(-np.minimum(pairs / ((points - 1) * singles + pairs), 1 - 1e-12))
    joint = digamma + np.where(ones > 0, ones / points * np.exp(-rate) * _tail(rate, points), 0)
    return TokenEntropy(
        np.diff(joint, axis=-1),
        entropy[..., -1],
        (before[..., :-1] - after[..., 1:]).sum(axis=-1),
    )


def _tail(rate: Float64[np.ndarray, "*shape"], first: int) -> Float64[np.ndarray, "*shape"]:
    """Return e^(rate·first) times the sum of e^(−rate·r)/r from r = first on, by Euler and Maclaurin."""
    x = rate * first
    small = np.minimum(x, 50)
    integral = np.where(x < 50, np.exp(small) * special.exp1(small), (1 - 1 / x + 2 / x**2) / x)
    return integral + 1 / (2 * first) + (rate + 1 / first) / (12 * first)
