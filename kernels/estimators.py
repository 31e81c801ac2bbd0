"""Finite-sample corrections, nested variances, and ensembles."""

from typing import Literal, NamedTuple, get_args

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from kernels.arrays import AnyArray, Scalar
from kernels.decompositions import (
    Decomposition,
    Labels,
    Present,
    brier,
    kl,
    log_mean_variance,
    sample_mean,
    smoothed_log,
    squared_error,
)
from kernels.names import check_name

WithVariance = Literal["brier", "kl"]


def unbiased(plugin: Decomposition, samples: int | Int[AnyArray, "*#shape"]) -> Decomposition:
    """Correct a plug-in squared-error decomposition for its finite number of samples.

    The plug-in variance of R independent samples is low by R/(R − 1), and its bias² holds 1/R of the
    true variance. The error is unbiased as it stands. A corrected bias² may be negative.

    Args:
        plugin: of `samples` independent samples: squared error, Brier or coverage.
        samples: R, or R of each question; where it is below 2 the variance is unknown and NaN.

    Raises:
        ValueError: for a single number of samples below 2.

    Source: E‖mean − target‖² = ‖expectation − target‖² + variance / R.
    """
    if isinstance(samples, int) and samples < 2:
        raise ValueError(f"an unbiased variance needs at least 2 samples, got {samples}")
    count = jnp.asarray(samples)
    variance = plugin.variance * jnp.where(count > 1, count / jnp.maximum(count - 1, 1), jnp.nan)
    return Decomposition(plugin.error, plugin.bias2 - variance / count, variance)


def jackknife_kl(
    probs: Float[AnyArray, "*shape samples classes"],
    target: Labels,
    smoothing: Scalar = 1e-12,
    order: int = 1,
    present: Present | None = None,
) -> Decomposition:
    """Correct the KL decomposition for its finite number of samples by the jackknife.

    The error is unbiased as it stands; the variance's bias in 1/R (order 1), or in 1/R and 1/R²
    (order 2), is removed, and bias² is what remains. That is most of the bias only where probabilities are
    smooth: the variance of one-hot answers is 1 − a maximum over classes (times −log δ), whose bias where
    classes are near a tie falls as 1/√R, and stays.

    Args:
        probs: of each class.
        target: the right class.
        smoothing: as in `kl`.
        order: 1 leaves one sample out, 2 also each pair.
        present: which samples there are. With fewer than order + 1 the result is NaN.

    Raises:
        ValueError: for another order.

    Source: Quenouille 1956; Schucany, Gray and Owen 1971 for the second order.
    """
    if order not in (1, 2):
        raise ValueError(f"the jackknife's order must be 1 or 2, got {order}")
    logs = smoothed_log(jnp.asarray(probs), smoothing)
    shape = logs.shape[:-1]
    here = jnp.ones(shape, bool) if present is None else jnp.broadcast_to(jnp.asarray(present), shape)
    variance = _jackknife_variance(logs, here, order)
    error = kl(probs, target, smoothing, present).error
    return Decomposition(error, error - variance, variance)


def _jackknife_variance(
    logs: Float[Array, "*shape units classes"], here: Bool[Array, "*shape units"], order: int
) -> Float[Array, "*shape"]:
    """Return the KL variance of log-probabilities, corrected by leaving units out."""
    logs = jnp.where(here[..., None], logs, 0)
    total, count = logs.sum(axis=-2), here.sum(axis=-1)

    def without(left_out: Array, summed: Array, n: Array) -> Array:
        return log_mean_variance((summed - left_out) / jnp.maximum(n, 1)[..., None])

    full = log_mean_variance(total / jnp.maximum(count, 1)[..., None])
    one = without(logs, total[..., None, :], (count - 1)[..., None])
    mean_one = jnp.where(here, one, 0).sum(axis=-1) / jnp.maximum(count, 1)
    if order == 1:
        variance = count * full - (count - 1) * mean_one
    else:
        pairs = logs[..., :, None, :] + logs[..., None, :, :]
        both = here[..., :, None] & here[..., None, :] & ~jnp.eye(here.shape[-1], dtype=bool)
        two = without(pairs, total[..., None, None, :], (count - 2)[..., None, None])
        mean_two = jnp.where(both, two, 0).sum(axis=(-2, -1)) / jnp.maximum(both.sum(axis=(-2, -1)), 1)
        variance = (count**2 * full - 2 * (count - 1) ** 2 * mean_one + (count - 2) ** 2 * mean_two) / 2
    return jnp.where(count > order, variance, jnp.nan)


class NestedVariance(NamedTuple):
    """Variance between contexts and within them; total = between + within."""

    between: Float[Array, "*shape"]
    within: Float[Array, "*shape"]
    total: Float[Array, "*shape"]


def nested(
    probs: Float[AnyArray, "*shape contexts samples classes"],
    metric: WithVariance = "brier",
    smoothing: Scalar = 1e-12,
    correct: bool = True,
    present: Bool[AnyArray, "*#shape contexts samples"] | None = None,
) -> NestedVariance:
    """Split a variance into that between contexts and that within them.

    Contexts weigh the same, whatever their numbers of samples.

    Args:
        probs: of each class, `samples` in each of `contexts`.
        metric: of which decomposition the variance is.
        smoothing: as in `kl`.
        correct: whether to correct for the numbers of contexts and samples (between may then be
            negative): unbiased for Brier, jackknifed for KL. Otherwise plug-in.
        present: which samples there are, where their numbers differ. Corrected, what needs two contexts
            (total, between), or two samples of one context (within, between), is NaN without them.

    Raises:
        ValueError: for corrected estimates of fewer than 2 contexts or samples, or another metric.

    Source: the law of total variance; contexts and samples as in Hägele et al. 2026, Appendix B.1.
    """
    check_name("metric", metric, get_args(WithVariance))
    probs = jnp.asarray(probs)
    contexts, samples = probs.shape[-3:-1]
    if correct and min(contexts, samples) < 2:
        raise ValueError(
            "unbiased nested variances need 2 contexts of 2 samples at least, "
            f"got {contexts} of {samples}"
        )
    here = _here(probs.shape[:-1], present)
    if metric == "brier":
        return _nested_squared(probs, here, correct)[0]
    return _nested_kl(smoothed_log(probs, smoothing), here, correct)


def nested_squared_error(
    points: Float[AnyArray, "*shape contexts samples d"],
    target: Float[AnyArray, "*#shape d"],
    present: Bool[AnyArray, "*#shape contexts samples"] | None = None,
) -> tuple[Decomposition, NestedVariance]:
    """Return the unbiased squared-error decomposition of samples that share contexts.

    Samples of one context are not independent: treated as if they were, the variance between contexts
    is low by the share of pairs of samples that share one, and bias² high by as much. Here bias² is the
    mean over pairs of contexts of the product of their mean deviations, and the error is the mean over
    contexts; both are unbiased whatever the numbers of samples.

    Args:
        points: what was predicted; one-hot or distributions for Brier.
        target: what is right.
        present: which samples there are; None means all.

    Returns:
        The decomposition, NaN where fewer than two contexts have a sample, and the variance's parts;
        between and within are NaN where no context has two samples.

    Source: as `nested`; E⟨a, b⟩ = ‖expectation‖² for independent a and b of one distribution.
    """
    relative = jnp.asarray(points) - jnp.asarray(target)[..., None, None, :]
    parts, error = _nested_squared(relative, _here(relative.shape[:-1], present), True)
    return Decomposition(error, error - parts.total, parts.total), parts


def nested_kl(
    probs: Float[AnyArray, "*shape contexts samples classes"],
    target: Labels,
    smoothing: Scalar = 1e-12,
    present: Bool[AnyArray, "*#shape contexts samples"] | None = None,
) -> tuple[Decomposition, NestedVariance]:
    """Return the KL decomposition of samples that share contexts, jackknifed over contexts.

    As `nested_squared_error`: the error is unbiased, the variance's bias in 1/contexts is removed, and
    bias² is what remains.

    Args:
        probs: of each class.
        target: the right class.
        smoothing: as in `kl`.
        present: which samples there are; None means all.
    """
    logs = smoothed_log(jnp.asarray(probs), smoothing)
    here = _here(logs.shape[:-1], present)
    parts = _nested_kl(logs, here, True)
    by_context = sample_mean(sample_mean(logs, here), here.any(axis=-1))
    index = jnp.broadcast_to(jnp.asarray(target), by_context.shape[:-1])[..., None]
    error = -jnp.take_along_axis(by_context, index, axis=-1)[..., 0]
    return Decomposition(error, error - parts.total, parts.total), parts


def _here(shape: tuple[int, ...], present: Bool[AnyArray, "..."] | None) -> Bool[Array, "..."]:
    return jnp.ones(shape, bool) if present is None else jnp.broadcast_to(jnp.asarray(present), shape)


def _mean_where(
    values: Float[Array, "*shape contexts"], chosen: Bool[Array, "*shape contexts"]
) -> Float[Array, "*shape"]:
    """Return the mean over those chosen, NaN where none is."""
    count = chosen.sum(axis=-1)
    total = jnp.where(chosen, values, 0).sum(axis=-1)
    return jnp.where(count > 0, total / jnp.maximum(count, 1), jnp.nan)


def _nested_squared(
    points: Float[Array, "*shape contexts samples d"],
    here: Bool[Array, "*shape contexts samples"],
    correct: bool,
) -> tuple[NestedVariance, Float[Array, "*shape"]]:
    """Split the variance of points about their mean, and return their mean squared norm."""
    number = here.sum(axis=-1)
    some = number > 0
    contexts = some.sum(axis=-1)
    means = sample_mean(points, here)
    each = squared_error(points, means, present=here).variance
    apart = squared_error(means, sample_mean(means, some), present=some).variance
    error = _mean_where(each + (means**2).sum(axis=-1), some)
    within = _mean_where(each, some)
    if not correct:
        return NestedVariance(apart, within, apart + within), error
    apart = apart * jnp.where(contexts > 1, contexts / jnp.maximum(contexts - 1, 1), jnp.nan)
    total = within + apart
    within = _mean_where(each * number / jnp.maximum(number - 1, 1), number > 1)
    return NestedVariance(total - within, within, total), error


def _nested_kl(
    logs: Float[Array, "*shape contexts samples classes"],
    here: Bool[Array, "*shape contexts samples"],
    correct: bool,
) -> NestedVariance:
    """Split the KL variance, by a law of total variance that is exact for Bregman means.

    The Bregman mean of a context is the normalised geometric mean of its predictions. Corrected, the
    variance within is jackknifed over samples and the total over contexts, which are what is
    independent; between is the rest (Pfau 2013 for Bregman divergences).
    """
    by_context = sample_mean(logs, here)
    some = here.any(axis=-1)
    if correct:
        within = _mean_where(_jackknife_variance(logs, here, 1), here.sum(axis=-1) > 1)
        total = _jackknife_variance(by_context, some, 1)
    else:
        within = _mean_where(log_mean_variance(by_context), some)
        total = log_mean_variance(sample_mean(by_context, some))
    return NestedVariance(total - within, within, total)


def ensemble(
    probs: Float[AnyArray, "*shape samples classes"],
    target: Labels,
    size: int,
    metric: WithVariance = "brier",
    smoothing: Scalar = 1e-12,
) -> Decomposition:
    """Split the error of means of `size` samples, over disjoint ensembles of the samples given.

    Args:
        probs: of each class; what does not fill an ensemble is left out.
        target: the right class.
        size: E, samples an ensemble; at least two ensembles must fit.
        metric: which decomposition.
        smoothing: as in `kl`.

    Raises:
        ValueError: where fewer than two ensembles fit, or for another metric.

    Source: Hägele et al. 2026, Section 3.3.2, Figures 7b and 11.
    """
    check_name("metric", metric, get_args(WithVariance))
    means = ensemble_means(probs, size)
    return brier(means, target) if metric == "brier" else kl(means, target, smoothing)


def ensemble_curve(
    probs: Float[AnyArray, "*shape samples classes"],
    target: Labels,
    metric: WithVariance = "brier",
    smoothing: Scalar = 1e-12,
) -> Decomposition:
    """Return `ensemble` for sizes 1 to half the samples, along a new leading axis."""
    sizes = range(1, probs.shape[-2] // 2 + 1)
    parts = [ensemble(probs, target, size, metric, smoothing) for size in sizes]
    return Decomposition(*(jnp.stack(part) for part in zip(*parts, strict=True)))


def expected_ensemble_brier(single: Decomposition, size: int) -> Decomposition:
    """Return what ensembles of `size` have in expectation, from the true or unbiased parts of one.

    The variance falls as 1/E and bias² stays.
    """
    variance = single.variance / size
    return Decomposition(single.bias2 + variance, single.bias2, variance)


def ensemble_means(
    probs: Float[AnyArray, "*shape samples classes"], size: int
) -> Float[Array, "*shape ensembles classes"]:
    """Return the means of disjoint ensembles of `size` samples.

    Raises:
        ValueError: where fewer than two ensembles fit.
    """
    count = probs.shape[-2] // size
    if count < 2:
        raise ValueError(f"two ensembles of {size} need {2 * size} samples, got {probs.shape[-2]}")
    kept = jnp.asarray(probs)[..., : count * size, :]
    return kept.reshape(*probs.shape[:-2], count, size, probs.shape[-1]).mean(axis=-2)
