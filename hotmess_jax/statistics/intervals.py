"""95 % intervals over questions of means and of their quotient, that hold where few questions err.

Each end is that of the questions and of one more, which nobody saw, at the end of what is possible: all right
or as wrong as can be, all bias or all variance. Of questions that are each all or nothing this is Clopper and
Pearson's interval; of many questions the one more does not count. A bootstrap draws only what was seen, and
has no width where one question holds all the error.

Source: Clopper and Pearson 1934; Korn and Graubard 1998 for the effective number; Zou and Donner 2008 for
differences.
"""

import numpy as np
from jaxtyping import Float
from scipy import special

TAILS = (0.025, 0.975)
# Below so many questions that hold the error, a warning stands beside what is divided by it.
FEW = 10


def mean_interval(
    values: Float[np.ndarray, "questions *shape"], most: float | Float[np.ndarray, "*shape"]
) -> Float[np.ndarray, "2 *shape"]:
    """Return the interval of a mean that lies in 0..most; NaN for fewer than two questions.

    Args:
        values: of each question; corrected ones may be below 0.
        most: the largest that a question's can be.
    """
    count = len(values)
    scaled = values / np.where(np.asarray(most) > 0, most, 1)
    ends = []
    for tail, added in zip(TAILS, (0.0, 1.0), strict=True):
        mean = (scaled.sum(axis=0) + added) / (count + 1)
        squares = ((scaled - mean) ** 2).sum(axis=0) + (added - mean) ** 2
        ends.append(_end(tail, np.asarray(mean), np.asarray(squares / (count + 1) ** 2)) * most)
    return np.stack(ends) if count > 1 else np.full((2, *values.shape[1:]), np.nan)


def ratio_interval(
    part: Float[np.ndarray, "questions *shape"],
    whole: Float[np.ndarray, "questions *shape"],
    most: float | Float[np.ndarray, "*shape"],
) -> Float[np.ndarray, "2 *shape"]:
    """Return the interval of Σ part / Σ whole, which lies in 0..1.

    Args:
        part: of each question: its variance, plug-in or corrected.
        whole: its error.
        most: the largest error that a question can have.

    Returns:
        The ends; NaN for fewer than two questions, and where there is nothing to divide by.
    """
    count, total = len(whole), whole.sum(axis=0)
    known = (total > 0) & (count > 1)
    ends = []
    for tail, added in zip(TAILS, (0.0, 1.0), strict=True):
        with_one_more = np.where(known, total, 1) + most
        quotient = (part.sum(axis=0) + added * most) / with_one_more
        squares = ((part - quotient * whole) ** 2).sum(axis=0) + ((added - quotient) * most) ** 2
        ends.append(_end(tail, np.asarray(quotient), np.asarray(squares / with_one_more**2)))
    return np.where(known, np.stack(ends), np.nan)


def _end(
    tail: float, mean: Float[np.ndarray, "*shape"], variance: Float[np.ndarray, "*shape"]
) -> Float[np.ndarray, "*shape"]:
    """Return a quantile of the beta distribution of that mean and about that variance.

    Its two parameters sum to the effective number of questions, that of a binomial share of the variance.
    """
    inside = (mean > 0) & (mean < 1) & (variance > 0)
    number = np.where(inside, mean * (1 - mean) / np.where(inside, variance, 1), 1)
    # So large a number is normal; so small a one has its quantiles at the ends.
    beta = special.betaincinv(
        np.where(inside, np.maximum(mean * number, 1e-6), 1),
        np.where(inside, np.maximum((1 - mean) * number, 1e-6), 1),
        tail,
    )
    normal = np.clip(mean + special.ndtri(tail) * np.sqrt(variance), 0, 1)
    end = np.where(inside & np.isfinite(beta) & (number < 1e8), beta, normal)
    return np.where(np.isnan(mean), np.nan, end)


def difference_interval(
    parts: tuple[Float[np.ndarray, "questions *shape"], Float[np.ndarray, "questions *shape"]],
    wholes: tuple[Float[np.ndarray, "questions *shape"], Float[np.ndarray, "questions *shape"]],
    most: float,
) -> tuple[Float[np.ndarray, "*shape"], Float[np.ndarray, "2 *shape"]]:
    """Return the difference of two quotients over the same questions, and its interval.

    Both are NaN where either has nothing to divide by.

    Args:
        parts: each question's variance, of one model and of the other.
        wholes: each question's error likewise.
        most: the largest error that a question can have.

    Source: Zou and Donner 2008, with the correlation of what each question adds.
    """
    quotients, ends, added = [], [], []
    for part, whole in zip(parts, wholes, strict=True):
        total = whole.sum(axis=0)
        quotient = np.where(total > 0, part.sum(axis=0) / np.where(total > 0, total, 1), np.nan)
        quotients.append(quotient)
        ends.append(ratio_interval(part, whole, most))
        added.append(part - quotient * whole)
    norms = np.sqrt((added[0] ** 2).sum(axis=0) * (added[1] ** 2).sum(axis=0))
    shared = (added[0] * added[1]).sum(axis=0) / np.where(norms > 0, norms, 1)
    (below, above), (other_below, other_above) = (
        (quotient - low, high - quotient) for quotient, (low, high) in zip(quotients, ends, strict=True)
    )
    difference = np.asarray(quotients[0] - quotients[1])
    halves = [
        np.sqrt(np.maximum(one**2 + other**2 - 2 * shared * one * other, 0))
        for one, other in ((below, other_above), (above, other_below))
    ]
    return difference, np.clip(np.stack([difference - halves[0], difference + halves[1]]), -1, 1)


def effective_questions(error: Float[np.ndarray, "questions *shape"]) -> Float[np.ndarray, "*shape"]:
    """Return how many questions of equal error would hold it as these do: (Σe)² / Σe², 0 without error."""
    squares = (error**2).sum(axis=0)
    return np.where(squares > 0, error.sum(axis=0) ** 2 / np.where(squares > 0, squares, 1), 0.0)
