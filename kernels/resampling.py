"""Bootstrap over questions and samples, its intervals, and what follows from resampling."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key, PyTree

from kernels.arrays import AnyArray
from kernels.decompositions import Decomposition, Present
from kernels.names import check_name

Over = Literal["questions", "samples", "both"]


def bootstrap(
    key: Key[Array, ""],
    statistic: Callable[..., PyTree],
    questions: PyTree,
    samples: PyTree = None,
    over: Over = "questions",
    present: Present | None = None,
    replicates: int = 1000,
    batch: int = 50,
) -> PyTree:
    """Evaluate a statistic on resamples drawn with replacement.

    Args:
        key: randomness.
        statistic: a jit-able function, of `questions` or of `questions` and `samples`, to a pytree.
        questions: arrays `[questions, …]`, or None. Where a statistic is a function of sums over
            questions, hand over each question's share: resampling it is then nearly free.
        samples: arrays `[questions, samples, …]`, or None.
        over: what is drawn anew: whole questions, samples within each question, or both in turn.
        present: which samples there are, `[questions, samples]`; only these are drawn, and each
            question keeps the pattern of its own, so `present` may be used in the statistic as it is
            where questions are not resampled, and belongs in `questions` where they are.
        replicates: how many resamples.
        batch: how many of them are held in memory at once.

    Returns:
        The statistic's pytree, each leaf with a leading axis of `replicates`.

    Raises:
        ValueError: where samples are to be drawn and none are given, or for another `over`.

    Source: Efron 1979; Davison and Hinkley 1997, Section 3.8, for both levels.
    """
    check_name("over", over, get_args(Over))
    if over != "questions" and samples is None:
        raise ValueError(f"bootstrap over {over} needs samples")
    questions, samples = jax.tree.map(jnp.asarray, (questions, samples))
    count = jax.tree.leaves((questions, samples))[0].shape[0]
    if over != "questions":
        shape = jax.tree.leaves(samples)[0].shape[:2]
        here = jnp.ones(shape, bool) if present is None else jnp.asarray(present)
        # Those that are present, first: what is drawn is a place among them.
        order = jnp.argsort(~here, axis=1, stable=True)
        number = jnp.maximum(here.sum(axis=1, keepdims=True), 1)

    def one(replicate_key: Key[Array, ""]) -> PyTree:
        question_key, sample_key = jax.random.split(replicate_key)
        q, s = questions, samples
        if over != "questions":
            place = jax.random.randint(sample_key, shape, 0, number)
            index = jnp.where(here, jnp.take_along_axis(order, place, axis=1), jnp.arange(shape[1]))
            s = jax.tree.map(lambda leaf: leaf[jnp.arange(shape[0])[:, None], index], s)
        if over != "samples":
            drawn = jax.random.randint(question_key, (count,), 0, count)
            q, s = jax.tree.map(lambda leaf: leaf[drawn], (q, s))
        return statistic(q) if samples is None else statistic(q, s)

    return jax.lax.map(one, jax.random.split(key, replicates), batch_size=min(batch, replicates))


def percentile_interval(
    resampled: Float[Array, "replicates *shape"], level: float = 0.95
) -> Float[Array, "2 *shape"]:
    """Return the lower and the upper percentile of bootstrap replicates at the level given.

    NaN where any replicate is: a statistic that some resamples do not have has no such interval.
    """
    tail = (1 - level) / 2
    return jnp.quantile(resampled, jnp.asarray([tail, 1 - tail]), axis=0)


class Efficiency(NamedTuple):
    """Mean and spread of bias² and variance at n samples a question, n = 2..R/2."""

    samples: Int[Array, " n"]
    bias2: Float[Array, " n"]
    bias2_spread: Float[Array, " n"]
    variance: Float[Array, " n"]
    variance_spread: Float[Array, " n"]


def sample_efficiency(
    key: Key[Array, ""],
    decompose: Callable[[Any, Any, Any], Decomposition],
    probs: Float[AnyArray, "questions samples classes"],
    target: Int[AnyArray, " questions"],
    replicates: int = 100,
    batch: int = 10,
) -> Efficiency:
    """Return what fewer samples would have given: n of the R, drawn without replacement.

    Draws from the same R share samples, the more the larger n is, and do not differ at all at n = R. Their
    spread is divided by √(1 − n/R), which makes it that of n new samples where a statistic is about linear
    in them, and n goes to R/2 only.

    Args:
        key: randomness.
        decompose: of (probs, target, present), such as a partial `brier` or `kl`.
        probs: of each class.
        target: the right class.
        replicates: draws for each n; spreads are standard deviations over them, corrected as said.
        batch: how many draws are held in memory at once.

    Raises:
        ValueError: for fewer than four samples.

    Source: Hägele et al. 2026, Figure 21.
    """
    probs, target = jnp.asarray(probs), jnp.asarray(target)
    questions, samples, _ = probs.shape
    if samples < 4:
        raise ValueError(f"sample efficiency needs at least 4 samples, got {samples}")
    numbers = jnp.arange(2, samples // 2 + 1)

    def draw(draw_key: Key[Array, ""]) -> Float[Array, "n 2"]:
        order = jnp.argsort(jax.random.uniform(draw_key, (questions, samples)), axis=1)

        def at(n: Int[Array, ""]) -> Float[Array, " 2"]:
            split = decompose(probs, target, order < n)
            return jnp.stack([split.bias2.mean(), split.variance.mean()])

        return jax.lax.map(at, numbers)

    drawn = jax.lax.map(draw, jax.random.split(key, replicates), batch_size=min(batch, replicates))
    mean = drawn.mean(axis=0)
    spread = drawn.std(axis=0, ddof=1) / jnp.sqrt(1 - numbers / samples)[:, None]
    return Efficiency(numbers, mean[:, 0], spread[:, 0], mean[:, 1], spread[:, 1])
