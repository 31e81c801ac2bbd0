"""Errors split into bias² and variance: pure functions on arrays."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Shaped

from kernels.arrays import AnyArray, Scalar

Present = Bool[AnyArray, "*#shape samples"]
Labels = Int[AnyArray, "*#shape"] | int | np.integer


class Decomposition(NamedTuple):
    """An error and its two parts, of one shape; error = bias2 + variance but for `zero_one`."""

    error: Float[Array, "*shape"]
    bias2: Float[Array, "*shape"]
    variance: Float[Array, "*shape"]


def squared_error(
    points: Float[AnyArray, "*shape samples d"],
    target: Float[AnyArray, "*#shape d"],
    matrix: Float[AnyArray, "d d"] | None = None,
    present: Present | None = None,
) -> Decomposition:
    """Split the mean squared distance to a target into bias² and variance.

    bias2 = ‖mean − target‖²_M and variance = mean ‖point − mean‖²_M, with ‖v‖²_M = vᵀMv; the error
    is their sum, which equals mean ‖point − target‖²_M to rounding.

    Args:
        points: what was predicted, samples along the last axis but one.
        target: what is right; leading axes broadcast against those of `points`.
        matrix: symmetric positive semi-definite M; None is the Euclidean norm.
        present: which samples there are, where their number differs; None means all. Where there is
            none at all, everything is 0.

    Returns:
        A `Decomposition` of shape `[*shape]`, in the squared units of the norm.

    Source: Hägele et al. 2026, Appendix A, equation 3, and Appendix B.4 for the norm.
    """
    # Relative to the target first: close to it, float32 then keeps its digits.
    relative = jnp.asarray(points) - jnp.asarray(target)[..., None, :]
    mean = sample_mean(relative, present)
    bias2 = squared_norm(mean, matrix)
    deviation = squared_norm(relative - mean[..., None, :], matrix)
    variance = sample_mean(deviation[..., None], present)[..., 0]
    return Decomposition(bias2 + variance, bias2, variance)


def brier(
    probs: Float[AnyArray, "*shape samples classes"],
    target: Labels,
    present: Present | None = None,
) -> Decomposition:
    """Split the Brier score, summed over classes: bias2 = ‖mean − y‖², variance = mean ‖f − mean‖².

    Args:
        probs: of each class; one-hot for an answer without probabilities.
        target: the right class.
        present: which samples there are; None means all.

    Returns:
        A `Decomposition` of shape `[*shape]`, each part in 0..2.

    Source: Hägele et al. 2026, Appendix A, Brier Score.
    """
    probs = jnp.asarray(probs)
    one_hot = jax.nn.one_hot(target, probs.shape[-1], dtype=probs.dtype)
    return squared_error(probs, one_hot, present=present)


def kl(
    probs: Float[AnyArray, "*shape samples classes"],
    target: Labels,
    smoothing: Scalar = 1e-12,
    present: Present | None = None,
) -> Decomposition:
    """Split the cross-entropy, in nats, by the normalised geometric mean f̄ of the predictions.

    bias2 = KL(y‖f̄) and variance = mean KL(f̄‖f), which is −log of the geometric mean's normaliser.

    Args:
        probs: of each class.
        target: the right class.
        smoothing: δ of f̂ = (f + δ)/(1 + Cδ). On one-hot answers the result depends on it.
        present: which samples there are; None means all.

    Returns:
        A `Decomposition` of shape `[*shape]`, in nats.

    Source: Hägele et al. 2026, Appendix A, equation 5.
    """
    probs = jnp.asarray(probs)
    log_mean = sample_mean(smoothed_log(probs, smoothing), present)
    variance = log_mean_variance(log_mean)
    index = jnp.broadcast_to(jnp.asarray(target), log_mean.shape[:-1])[..., None]
    error = -jnp.take_along_axis(log_mean, index, axis=-1)[..., 0]
    if present is not None:
        some = jnp.any(jnp.asarray(present), axis=-1)
        error, variance = jnp.where(some, error, 0), jnp.where(some, variance, 0)
    return Decomposition(error, error - variance, variance)


def smoothed_log(
    probs: Float[Array, "*shape classes"], smoothing: Scalar
) -> Float[Array, "*shape classes"]:
    """Return log((f + δ)/(1 + Cδ))."""
    return jnp.log((probs + smoothing) / (1 + probs.shape[-1] * smoothing))


def log_mean_variance(log_mean: Float[Array, "*shape classes"]) -> Float[Array, "*shape"]:
    """Return the KL variance −log Σ exp(mean log f) of the mean log-probabilities, never below 0."""
    return jnp.maximum(-jax.nn.logsumexp(log_mean, axis=-1), 0)


def zero_one(
    probs: Float[AnyArray, "*shape samples classes"],
    target: Labels,
    present: Present | None = None,
) -> Decomposition:
    """Split the 0/1 error: bias2 = [the mode of the mean is wrong], variance = share off the mode.

    Here error = bias2 + a·variance with the factor of `zero_one_factor`, so the parts cannot be
    averaged over questions and divided: there is no incoherence. Where classes are tied, in a sample or in
    the mean, each part is its expectation over drawing one of them at random, so that no class's place
    matters; means that differ by no more than rounding are tied, so that the order of the samples does not
    matter either. The variance falls with the number of samples where the mode is not settled, and bias2
    moves with it: neither has a corrected form.

    Args:
        probs: of each class.
        target: the right class.
        present: which samples there are; None means all.

    Returns:
        A `Decomposition` of shape `[*shape]`, each part in 0..1.

    Source: Hägele et al. 2026, Appendix A, equation 4 (Domingos 2000).
    """
    probs = jnp.asarray(probs)
    mean = sample_mean(probs, present)
    rounding = float(jnp.finfo(mean.dtype).eps)
    answers = sample_mean(_largest(probs, rounding), present)
    mode = _largest(mean, probs.shape[-2] * rounding)
    index = jnp.broadcast_to(jnp.asarray(target), mean.shape[:-1])[..., None]

    def off_target(of: Float[Array, "*shape classes"]) -> Float[Array, "*shape"]:
        return 1 - jnp.take_along_axis(of, index, axis=-1)[..., 0]

    parts = off_target(answers), off_target(mode), 1 - (mode * answers).sum(axis=-1)
    if present is not None:
        some = jnp.any(jnp.asarray(present), axis=-1)
        parts = jax.tree.map(lambda part: jnp.where(some, part, 0), parts)
    return Decomposition(*parts)


def _largest(values: Float[Array, "*shape classes"], rounding: float) -> Float[Array, "*shape classes"]:
    """Return 1 over the number of the largest at each of them, 0 elsewhere."""
    largest = values >= values.max(axis=-1, keepdims=True) * (1 - rounding)
    return largest / largest.sum(axis=-1, keepdims=True).astype(values.dtype)


def zero_one_factor(decomposition: Decomposition) -> Float[Array, "*shape"]:
    """Return Domingos' factor a, with error = bias2 + a·variance; 0 where there is no variance.

    It is 1 where the mode is right, and minus the share of deviations that hit the target where it is
    wrong: −1 with two classes, as the paper has it, and between −1 and 0 with more. Where classes are
    tied it lies between.
    """
    error, bias2, variance = decomposition
    return jnp.where(variance > 0, (error - bias2) / jnp.where(variance > 0, variance, 1), 0)


def coverage(
    outcomes: Shaped[AnyArray, "*shape samples tests"],
    mask: Bool[AnyArray, "*#shape tests"] | None = None,
    present: Present | None = None,
) -> Decomposition:
    """Split the mean squared shortfall of unit tests: 1 for a test that passes, 0 for one that fails.

    Args:
        outcomes: of each run and test, as numbers or booleans.
        mask: which tests a task has; None means all.
        present: which samples there are; None means all.

    Returns:
        A `Decomposition` of shape `[*shape]`, each part in 0..1; 0 for a task without tests.

    Source: Hägele et al. 2026, Appendix B.3.
    """
    outcomes = jnp.asarray(outcomes)
    if not jnp.issubdtype(outcomes.dtype, jnp.floating):
        outcomes = outcomes.astype(float)  # float32, or float64 where x64 is on
    tests = jnp.ones(outcomes.shape[-1], bool) if mask is None else jnp.asarray(mask)
    weight = jnp.broadcast_to(tests, (*outcomes.shape[:-2], outcomes.shape[-1])).astype(outcomes.dtype)
    total = squared_error(outcomes * weight[..., None, :], weight, present=present)
    count = jnp.maximum(weight.sum(axis=-1), 1)
    return Decomposition(*(part / count for part in total))


def dispersion(
    embeddings: Float[AnyArray, "*shape samples d"], present: Present | None = None
) -> Decomposition:
    """Return the variance of embeddings about their mean; nothing is known of bias, which is 0.

    Source: Hägele et al. 2026, Appendix B.2 (Embeddings).
    """
    embeddings = jnp.asarray(embeddings)
    mean = sample_mean(embeddings, present)
    variance = squared_error(embeddings, mean, present=present).variance
    return Decomposition(variance, jnp.zeros_like(variance), variance)


def sample_mean(
    values: Float[Array, "*shape samples k"], present: Present | None
) -> Float[Array, "*shape k"]:
    """Return the mean over the samples that are present, 0 where there is none."""
    if present is None:
        return values.mean(axis=-2)
    weight = jnp.asarray(present)[..., None].astype(values.dtype)
    count = jnp.maximum(weight.sum(axis=-2), 1)
    # What is absent may hold anything, NaN too.
    return jnp.where(weight > 0, values, 0).sum(axis=-2) / count


def squared_norm(
    vectors: Float[AnyArray, "*shape d"], matrix: Float[AnyArray, "d d"] | None = None
) -> Float[Array, "*shape"]:
    """Return ‖v‖²_M = vᵀMv for each vector; M = None is the Euclidean norm."""
    weighted = vectors if matrix is None else jnp.matmul(vectors, matrix, precision="highest")
    return (weighted * vectors).sum(axis=-1)


def incoherence(
    decomposition: Decomposition, axis: int | tuple[int, ...] | None = None
) -> Float[Array, "*rest"]:
    """Return Σ variance / Σ error over questions; NaN where there is no error to divide.

    Args:
        decomposition: of the questions; not of `zero_one`.
        axis: the axes that hold questions; None is all of them, () none, which gives each its own.

    Source: Hägele et al. 2026, Section 2 (Incoherence).
    """
    bias2, variance = (part.sum(axis=axis) for part in decomposition[1:])
    total = bias2 + variance
    return jnp.where(total > 0, variance / jnp.where(total > 0, total, 1), jnp.nan)
