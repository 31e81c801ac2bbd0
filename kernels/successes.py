"""What repeated samples that are right or wrong say: of k at least one, all, the majority; and agreement.

Each is the mean over all subsets of the samples there are, which is unbiased for new samples.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from kernels.arrays import AnyArray
from kernels.decompositions import Present


@jax.jit
def pass_hat_k(
    right: Float[AnyArray, "*shape samples"], present: Present | None = None
) -> Float[Array, "*shape samples"]:
    """Return pass^k, the chance that k samples are all right, for k = 1 to the number of samples.

    C(c, k) / C(n, k) of c right ones among n. Where a sample is right with a chance (several options are the
    most probable), that is what is meant.

    Args:
        right: of each sample, 0 to 1.
        present: which samples there are; None means all.

    Returns:
        Of each k; NaN where k is more than the samples there are.

    Source: Yao et al. 2024 (tau-bench).
    """
    values = jnp.moveaxis(jnp.asarray(right), -1, 0)
    here = jnp.ones(values.shape, bool)
    if present is not None:
        here = jnp.moveaxis(jnp.broadcast_to(jnp.asarray(present), jnp.shape(right)), -1, 0)
    count = len(values)
    k = jnp.arange(count + 1, dtype=values.dtype)

    def with_one_more(
        state: tuple[Array, Array], sample: tuple[Array, Array]
    ) -> tuple[tuple[Array, Array], None]:
        """Update the means over subsets of the first samples: one more is in k of them, of n."""
        means, n = state
        value, is_here = sample
        share = k / (n + 1)[..., None]
        shorter = jnp.concatenate([jnp.zeros_like(means[..., :1]), means[..., :-1]], axis=-1)
        more = (1 - share) * means + share * value[..., None] * shorter
        return (jnp.where(is_here[..., None], more, means), n + is_here), None

    empty = jnp.zeros((*values.shape[1:], count + 1), values.dtype).at[..., 0].set(1)
    # What is absent may hold anything, NaN too.
    samples = (jnp.where(here, values, 0), here)
    (means, n), _ = jax.lax.scan(with_one_more, (empty, jnp.zeros(values.shape[1:], int)), samples)
    return jnp.where(k[1:] <= n[..., None], means[..., 1:], jnp.nan)


@jax.jit
def pass_at_k(
    right: Float[AnyArray, "*shape samples"], present: Present | None = None
) -> Float[Array, "*shape samples"]:
    """Return pass@k, the chance that one of k samples is right, for k = 1 to the number of samples.

    1 − C(n − c, k) / C(n, k) of c right ones among n; arguments and result as in `pass_hat_k`.

    Source: Chen et al. 2021 (Codex), equation 1.
    """
    return 1 - pass_hat_k(1 - jnp.asarray(right), present)


@functools.partial(jax.jit, static_argnames="most")
def majority_vote(
    right: Int[AnyArray, ""] | np.integer,
    wrong: Int[AnyArray, " classes"],
    silent: Int[AnyArray, ""] | np.integer,
    most: int,
) -> Float[Array, " most"]:
    """Return the chance that the majority of k answers is right, for k = 1 to `most`; of one question.

    Ties are shared evenly among those that lead. Silent samples are among the k, and vote for nothing; where
    nobody votes, the answer is wrong.

    Args:
        right: how many answers are right.
        wrong: how many are each other option.
        silent: how many name no option.
        most: the largest k.

    Returns:
        Of each k; NaN where it is more than the samples there are. Binomial coefficients of more than about
        100 samples need float64.
    """
    right, wrong, silent = (jnp.asarray(of) for of in (right, wrong, silent))
    votes = jnp.arange(most + 1)

    def ways(count: Array) -> Array:
        """Return the ways to draw 0, 1, … of them."""
        factors = jnp.maximum(count - votes[1:] + 1.0, 0) / votes[1:]
        return jnp.concatenate([jnp.ones(1), jnp.cumprod(factors)])

    def drawing(table: Array, weights: Array) -> Array:
        """Add a class's votes to the total: `table` `[votes, total, tied]`, `weights` `[votes, drawn]`."""

        def one(state: tuple[Array, Array], weight: Array) -> tuple[tuple[Array, Array], None]:
            shifted, found = state
            found = found + weight[:, None, None] * shifted
            return (jnp.pad(shifted, ((0, 0), (1, 0), (0, 0)))[:, :-1], found), None

        (_, found), _ = jax.lax.scan(one, (table, jnp.zeros_like(table)), weights.T)
        return found

    def with_class(table: Array, count: Array) -> tuple[Array, None]:
        """Let a class have fewer votes than the right answer, or as many, which is a tie."""
        all_ways = jnp.broadcast_to(ways(count), (most + 1, most + 1))
        fewer = drawing(table, jnp.where(votes < votes[:, None], all_ways, 0))
        tied = drawing(table, jnp.where(votes == votes[:, None], all_ways, 0))
        return fewer + jnp.pad(tied, ((0, 0), (0, 0), (1, 0)))[:, :, :-1], None

    ties = len(wrong) + 1
    start = jnp.zeros((most + 1, most + 1, ties)).at[:, 0, 0].set(1.0)
    table, _ = jax.lax.scan(with_class, start, wrong)
    table = drawing(table, jnp.broadcast_to(ways(silent), (most + 1, most + 1)))
    shared = (table / jnp.arange(1, ties + 1)).sum(axis=-1)
    # Of k drawn, so many are right and the others k less as many.
    k = jnp.arange(1, most + 1)
    others = k[:, None] - votes
    chosen = jnp.where((others >= 0) & (votes > 0), shared[votes, jnp.maximum(others, 0)], 0)
    total = right + wrong.sum() + silent
    all_subsets = ways(total)[1:]
    known = k <= total
    return jnp.where(known, chosen @ ways(right) / jnp.where(known, all_subsets, 1), jnp.nan)


@jax.jit
def agreement(
    counts: Int[AnyArray, "*shape classes"], silent: Int[AnyArray, "*#shape"] | int = 0
) -> Float[Array, "*shape"]:
    """Return the chance that two samples give the same answer; NaN of fewer than two.

    Args:
        counts: how many samples give each answer.
        silent: how many give none, and agree with nobody.
    """
    counts = jnp.asarray(counts)
    total = counts.sum(axis=-1) + jnp.asarray(silent)
    pairs = (counts * (counts - 1)).sum(axis=-1)
    return jnp.where(total > 1, pairs / jnp.maximum(total * (total - 1), 1), jnp.nan)


@jax.jit
def sample_variance(
    values: Float[AnyArray, "*shape samples"], present: Present | None = None
) -> Float[Array, "*shape"]:
    """Return the unbiased variance between samples; NaN of fewer than two.

    A run that asks Q questions once has an accuracy whose variance is their mean over Q.

    Args:
        values: of each sample.
        present: which samples there are; None means all.
    """
    values = jnp.asarray(values)
    here = jnp.ones(values.shape, bool) if present is None else jnp.asarray(present)
    count = jnp.broadcast_to(here, values.shape).sum(axis=-1)
    values = jnp.where(here, values, 0)
    mean = values.sum(axis=-1) / jnp.maximum(count, 1)
    squares = jnp.where(here, (values - mean[..., None]) ** 2, 0).sum(axis=-1)
    return jnp.where(count > 1, squares / jnp.maximum(count - 1, 1), jnp.nan)
