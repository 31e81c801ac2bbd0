"""Rank correlations over units, as they are and corrected for the noise of what was measured."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import stats

from hotmess_jax.statistics.estimate import Estimate
from hotmess_jax.statistics.intervals import Clusters, number_of, summed

# Fewer units give no interval: its standard error divides by n − 3, and of one degree nothing is known.
LEAST = 5
# Splits of measurements in halves that a reliability is averaged over.
SPLITS = 50


@dataclass(frozen=True, slots=True)
class RankCorrelation:
    """Spearman's ρ of units' mean measurements, as it is and corrected; None where it is not known."""

    rho: Estimate
    # Of both means.
    reliabilities: tuple[float | None, float | None]
    # Divided by the root of both reliabilities.
    corrected: Estimate


def rank_correlation(
    x: Float[np.ndarray, " units"], y: Float[np.ndarray, " units"], clusters: Clusters = None
) -> tuple[float, Float[np.ndarray, " 2"]]:
    """Return Spearman's ρ and its 95 % interval over units; NaN where either is constant, or of few units.

    Of units in clusters the interval is wider by as much as what each unit adds to ρ varies more when it is summed
    within clusters, with Student's quantile of their number.

    Args:
        x: of each unit.
        y: likewise.
        clusters: of the units; None where each is its own.

    Source: Bonett and Wright 2000; Kish 1965 for the effect of a design.
    """
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return np.nan, np.full(2, np.nan)
    rho = float(stats.spearmanr(x, y).statistic)
    if len(x) < LEAST:
        return rho, np.full(2, np.nan)
    number = number_of(len(x), clusters)
    if number < LEAST:
        return rho, np.full(2, np.nan)
    width = 1.96 * np.sqrt((1 + rho**2 / 2) / (len(x) - 3))
    if clusters is not None:
        added = _added(x, y)
        effect = (summed(added, clusters) ** 2).sum() / (added**2).sum()
        width *= np.sqrt(effect) * stats.t.ppf(0.975, number - 1) / 1.96
    middle = np.arctanh(np.clip(rho, -1 + 1e-12, 1 - 1e-12))
    return rho, np.tanh(middle + np.asarray([-width, width]))


def _added(
    x: Float[np.ndarray, " units"], y: Float[np.ndarray, " units"]
) -> Float[np.ndarray, " units"]:
    """Return what each unit adds to Spearman's ρ, to first order; the sum is 0.

    ρ is the mean product of ranks over the root of their mean squares, and a unit also moves the others' ranks.
    """
    a, b = (stats.rankdata(of) / len(of) for of in (x, y))
    a, b = a - a.mean(), b - b.mean()
    root = np.sqrt((a**2).mean() * (b**2).mean())
    rho = (a * b).mean() / root
    added = a * b
    for of, other in ((x, b), (y, a)):
        # The sum of the other ranks over the units above, and half of those that are equal.
        values, place = np.unique(of, return_inverse=True)
        equal = np.bincount(place, other, len(values))
        above = equal.sum() - np.cumsum(equal)
        added = added + (above + equal / 2)[place] / len(of)
    # The mean squares vary only with ties, which are few.
    added = added / root - rho
    return added - added.mean()


def permutation_p(
    x: Float[np.ndarray, " units"],
    y: Float[np.ndarray, " units"],
    permutations: int,
    random: np.random.Generator,
) -> float:
    """Return the two-sided p of Spearman's ρ when units are permuted; NaN where either is constant."""
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return np.nan
    a, b = (stats.rankdata(of) - (len(x) + 1) / 2 for of in (x, y))
    drawn = np.abs(random.permuted(np.tile(b, (permutations, 1)), axis=1) @ a)
    return float((1 + (drawn >= abs(a @ b) - 1e-9).sum()) / (1 + permutations))


def disattenuated(
    rho: float, ends: Float[np.ndarray, " 2"], reliabilities: Sequence[float]
) -> tuple[float, Float[np.ndarray, " 2"]]:
    """Return ρ and its interval divided by the root of both reliabilities, cut at ±1.

    NaN where a reliability is not known, or not above 0.

    Source: Spearman 1904.
    """
    if not min(reliabilities) > 0:
        return np.nan, np.full(2, np.nan)
    root = np.sqrt(np.prod(reliabilities))
    return float(np.clip(rho / root, -1, 1)), np.clip(ends / root, -1, 1)


def lengthened(correlation: float, times: float = 2) -> float:
    """Return the reliability of so many times as many measurements as correlate so.

    NaN where it is not known: for a correlation of −1 / (times − 1) or less.

    Source: Spearman 1910; Brown 1910.
    """
    below = 1 + (times - 1) * correlation
    return times * correlation / below if below > 0 else np.nan


def reliability(
    values: Float[np.ndarray, "units measurements"],
    random: np.random.Generator,
    same_halves: bool = False,
) -> float:
    """Return the reliability of units' mean measurements, from random halves of each unit's own.

    Args:
        values: NaN where a unit has fewer.
        random: randomness of the halves.
        same_halves: whether the measurements are the same in all units, such as raters, and halved as one.

    Returns:
        The rank correlation of the halves' means, averaged over splits and stepped up to all measurements;
        NaN for fewer than three units, where one has fewer than two measurements, and where all are alike.
    """
    number = (~np.isnan(values)).sum(axis=1)
    if len(values) < 3 or number.min() < 2:
        return np.nan
    shape = (SPLITS, 1 if same_halves else len(values), values.shape[1])
    place = np.argsort(np.argsort(np.where(np.isnan(values), np.inf, random.random(shape))))
    half = (number // 2)[:, None]
    ranks = [
        stats.rankdata(np.where(chosen, values, 0).sum(axis=2) / chosen.sum(axis=2), axis=1)
        for chosen in (place < half, (place >= half) & (place < 2 * half))
    ]
    a, b = (of - of.mean(axis=1, keepdims=True) for of in ranks)
    spread = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    if spread.min() == 0:
        return np.nan
    correlation = float(((a * b).sum(axis=1) / spread).mean())
    return lengthened(correlation, float(number.mean() / (number // 2).mean()))
