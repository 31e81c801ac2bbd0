"""The entropy of sequences of tokens, from samples of them."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64, Int, Int32
from scipy import special

from hotmess_jax.synthetic.codec import MINUS
from kernels.arrays import AnyArray

# Weight of the uniform guess in the predictor behind the upper bound, in points.
_PRIOR = 0.1
_LAST = 2**30  # sorts behind every number


class TokenEntropy(NamedTuple):
    """Estimates of the entropy, in nats, of a sequence of tokens from samples of it."""

    by_token: Float64[np.ndarray, "*many tokens"]
    low: Float64[np.ndarray, "*many"]  # of the whole sequence
    high: Float64[np.ndarray, "*many"]


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
    sums = sums_over_groups(jnp.asarray(tokens, jnp.int32), len(tokens), precision)
    return from_sums(np.asarray(sums, np.float64), len(tokens))


@functools.partial(jax.jit, static_argnames="precision")
def sums_over_groups(
    tokens: Int32[Array, "points tokens"], count: Int[AnyArray, ""] | int, precision: int
) -> Float[Array, "sums beginnings"]:
    """Return, of each beginning 0..tokens, sums over the groups of samples that share it.

    With n the size of a group, and N of all: log N − Σ n·log n/N, ψ(N) − Σ n·ψ(n)/N,
    Σ n·log((n − 1 + prior)/N)/N, the same with prior/m, the groups of one and those of two.

    Args:
        tokens: of vectors, one a row; rows from `count` on are not looked at.
        count: N, 1 at least.
        precision: the codec's.
    """
    points, length = tokens.shape
    per_number = 3 + precision
    bases = np.asarray([2, 10, *[10] * (precision + 1)])
    weights = jnp.asarray([int(np.prod(bases[i + 1 :])) for i in range(per_number)], jnp.int32)
    numbers = tokens.reshape(points, -1, per_number)
    numbers = numbers.at[..., 0].set(numbers[..., 0] == MINUS)
    # One integer a number; sorted by these, points that share any beginning stand together.
    codes = jnp.where(jnp.arange(points)[:, None] < count, (numbers * weights).sum(axis=-1), _LAST)
    coded = tuple(codes.T)
    ordered = jnp.stack(jax.lax.sort(coded, num_keys=len(coded)))
    digits = (ordered[:, None] // weights[:, None]).reshape(length, points)
    differs = jnp.concatenate([jnp.ones((length, 1), bool), digits[:, 1:] != digits[:, :-1]], axis=1)
    for i in range(per_number, length, per_number):  # a number's beginning has all numbers before it
        differs = differs.at[i : i + per_number].set(differs[i : i + per_number] | differs[i - 1])
    first = jnp.arange(points) == 0
    differs = jnp.concatenate([first[None], differs])  # all share the empty beginning
    differs = differs & (jnp.arange(points) < count)
    begins = jnp.where(differs, jnp.arange(points, dtype=jnp.int32), count)
    following = jax.lax.cummin(begins, axis=1, reverse=True)
    following = jnp.concatenate([following[:, 1:], jnp.full((length + 1, 1), count, jnp.int32)], axis=1)
    sizes = jnp.where(differs, following - begins, 0)

    n = np.arange(1, points + 1, dtype=np.float64)
    per_size = np.stack([n * np.log(n), n * special.digamma(n)]
                        + [n * np.log(n - 1 + _PRIOR / kinds) for kinds in (1, 2, 10)])  # fmt: skip
    table = jnp.asarray(np.pad(per_size, ((0, 0), (1, 0))), jnp.float32)
    is_sign = jnp.arange(-1, length) % per_number == 0
    logs, digammas, before, of_sign, of_digit = (row[sizes].sum(axis=1) / count for row in table)
    log_count = jnp.log(jnp.asarray(count, jnp.float32))
    of_all = jax.scipy.special.digamma(jnp.asarray(count, jnp.float32))
    after = jnp.where(is_sign, of_sign, of_digit)
    ones, twos = ((sizes == k).sum(axis=1) for k in (1, 2))
    return jnp.stack(
        [log_count - logs, of_all - digammas, before - log_count, after - log_count, ones, twos]
    )


def from_sums(
    sums: Float64[np.ndarray, "*many sums beginnings"], counts: Int[np.ndarray, "*many"] | int
) -> TokenEntropy:
    """Turn what `sums_over_groups` returns into estimates.

    Args:
        sums: of one set of samples, or of many.
        counts: how many samples each is of.
    """
    points = np.asarray(counts)[..., None]
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


def _tail(
    rate: Float64[np.ndarray, "*shape"], first: Int[np.ndarray, "*first"]
) -> Float64[np.ndarray, "*shape"]:
    """Return e^(rate·first) times the sum of e^(−rate·r)/r from r = first on, by Euler and Maclaurin."""
    x = rate * first
    small = np.minimum(x, 50)
    integral = np.where(x < 50, np.exp(small) * special.exp1(small), (1 - 1 / x + 2 / x**2) / x)
    return integral + 1 / (2 * first) + (rate + 1 / first) / (12 * first)
