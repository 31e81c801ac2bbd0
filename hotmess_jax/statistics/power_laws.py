"""Power laws through quotients of sums over questions, fitted on the raw scale.

A quotient Σ part / Σ whole is taken for exp(a + k·x), x the logarithm of a length or a size; a and k are those
at which the parts, and their products with x, sum to what whole · exp(a + k·x) does (the score equations of a
Poisson regression). They are linear in the parts: corrected values below 0 are no obstacle, and a group or
a model with little error counts little. Intervals leave each question out in turn.

Source: Gourieroux, Monfort and Trognon 1984 for the estimator; Efron and Stein 1981 for the jackknife, whose
variance is too small nowhere on average.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import special, stats

from hotmess_jax.statistics.estimate import Estimate, Interval, finite

# The largest rise of a logarithm over the points that is taken for a fit.
STEEPEST = 30.0
STEPS = 50


class Fit(NamedTuple):
    """Intercept and slopes, and R² of the quotients on the raw scale; NaN where there is no fit."""

    coefficients: Float[np.ndarray, "*shape coefficients"]
    r2: Float[np.ndarray, "*shape"]


@dataclass(frozen=True, slots=True)
class Exponent:
    """The exponent of a power law with its 95 % interval over questions, and R²; None where there is no fit."""

    value: float | None
    ci95: Interval
    r2: float | None

    @property
    def estimate(self) -> Estimate:
        """The exponent with its interval alone."""
        return Estimate(self.value, self.ci95)


class JackknifedFit(NamedTuple):
    """Intercept and slopes, of all and without each question in turn, and R²; NaN where there is no fit."""

    coefficients: Float[np.ndarray, " coefficients"]
    left_out: Float[np.ndarray, "questions coefficients"]
    r2: float
    # As in `jackknife_interval`.
    effective: float

    @property
    def ci95(self) -> Float[np.ndarray, "2 coefficients"]:
        """The intervals."""
        return jackknife_interval(self.coefficients, self.left_out, self.effective)

    @property
    def exponent(self) -> Exponent:
        """The first slope."""
        value = self.coefficients[..., 1]
        ends = jackknife_interval(value, self.left_out[:, 1], self.effective)
        return Exponent(finite(float(value)), Interval(*map(finite, ends.tolist())), finite(self.r2))


def jackknifed_fit(
    x: Float[np.ndarray, "points k"],
    without: Float[np.ndarray, "#questions points k"],
    part: Float[np.ndarray, "questions points"],
    whole: Float[np.ndarray, "questions points"],
    effective: float,
) -> JackknifedFit:
    """Return the fit of Σ part ≈ Σ whole · exp(a + x·k), and those that leave each question out in turn.

    Args:
        x: logarithms.
        without: the same without each question; one for all where they do not hang on the questions.
        part: of each question, or cluster of these.
        whole: likewise.
        effective: as in `jackknife_interval`.
    """
    total = part.sum(axis=0), whole.sum(axis=0)
    of_all = fit(x, *total)
    left_out = fit(without, total[0] - part, total[1] - whole).coefficients
    return JackknifedFit(of_all.coefficients, left_out, float(of_all.r2), effective)


def fit(
    x: Float[np.ndarray, "*#shape points k"],
    part: Float[np.ndarray, "*shape points"],
    whole: Float[np.ndarray, "*#shape points"],
) -> Fit:
    """Return the fit of part ≈ whole · exp(a + x·k).

    Args:
        x: logarithms.
        part: sums, which may be below 0 in some points.
        whole: sums; a point where it is not above 0 does not count.

    Returns:
        NaN where the parts' sum is not above 0, where too few points count, and where no finite slope solves
        the equations: where nothing but the point at one end has a part, say.
    """
    shape, k = part.shape[:-1], x.shape[-1]
    x = np.broadcast_to(x, (*part.shape, k)).reshape(-1, part.shape[-1], k)
    whole = np.broadcast_to(whole, part.shape).reshape(-1, part.shape[-1])
    usable = whole > 0
    part = np.where(usable, part.reshape(whole.shape), 0)
    total = part.sum(axis=1)
    known = (total > 0) & np.isfinite(x).all(axis=(1, 2)) & np.isfinite(total)
    x = np.where(known[:, None, None], x, 0)
    middle, spread = x.mean(axis=1), x.std(axis=1)
    scaled = (x - middle[:, None]) / np.where(spread > 0, spread, 1)[:, None]
    design = np.concatenate([np.ones((*part.shape, 1)), scaled], axis=2)
    known &= np.linalg.matrix_rank(np.where(usable[..., None], design, 0)) == k + 1
    wanted = (part[..., None] * scaled).sum(axis=1) / np.where(known, total, 1)[:, None]
    with np.errstate(divide="ignore"):
        exposure = np.log(np.where(known[:, None], np.where(usable, whole, 0), 1))
    slopes = np.zeros((len(part), k))
    gap = np.full(len(part), np.inf)
    # Newton's method on the convex log Σ whole·exp(x·k) − k·wanted, in steps of one at most.
    for _ in range(STEPS):
        weight = special.softmax(exposure + (scaled @ slopes[..., None])[..., 0], axis=1)
        mean = (weight[..., None] * scaled).sum(axis=1)
        gap = np.abs(wanted - mean).max(axis=1)
        if (gap[known] < 1e-10).all():
            break
        off = scaled - mean[:, None]
        curvature = np.einsum("np,npi,npj->nij", weight, off, off) + 1e-12 * np.eye(k)
        step = np.linalg.solve(curvature, (wanted - mean)[..., None])[..., 0]
        slopes += step / np.maximum(np.sqrt((step**2).sum(axis=1, keepdims=True)), 1)
    rise = (scaled @ slopes[..., None])[..., 0]
    known &= (gap < 1e-6) & (np.ptp(np.where(usable, rise, 0), axis=1) < STEEPEST)
    height = np.log(np.where(known, total, 1)) - special.logsumexp(exposure + rise, axis=1)
    weight = np.where(usable & known[:, None], whole, 0)
    quotient = part / np.where(usable, whole, 1)
    mean = total / np.where(known, weight.sum(axis=1), 1)
    left = (weight * (quotient - np.exp(height[:, None] + rise)) ** 2).sum(axis=1)
    apart = (weight * (quotient - mean[:, None]) ** 2).sum(axis=1)
    r2 = np.where(known & (apart > 0), 1 - left / np.where(apart > 0, apart, 1), np.nan)
    slopes = slopes / np.where(spread > 0, spread, 1)
    found = np.concatenate([(height - (slopes * middle).sum(axis=1))[:, None], slopes], axis=1)
    found = np.where(known[:, None], found, np.nan)
    return Fit(found.reshape(*shape, k + 1), r2.reshape(shape))


def jackknife_interval(
    value: Float[np.ndarray, "*shape"],
    left_out: Float[np.ndarray, "questions *shape"],
    effective: float,
) -> Float[np.ndarray, "2 *shape"]:
    """Return the 95 % interval of a value from those without each question in turn.

    Args:
        value: of all questions.
        left_out: without each.
        effective: how many questions hold each of the values that are compared; Student's t has one degree
            of freedom less.

    Returns:
        NaN where a value without a question is.
    """
    count = len(left_out)
    off = left_out - left_out.mean(axis=0)
    error = np.sqrt((count - 1) / count * (off**2).sum(axis=0))
    half = stats.t.ppf(0.975, max(effective - 1, 1)) * error
    return np.stack([value - half, value + half])
