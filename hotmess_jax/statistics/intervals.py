"""95 % intervals over questions of means and of their quotient, that hold where few questions err.

Each end is that of the questions and of one more, which nobody saw, at the end of what is possible: all right
or as wrong as can be, all bias or all variance. Of questions that are each all or nothing this is Clopper and
Pearson's interval; of many questions the one more does not count. A bootstrap draws only what was seen, and
has no width where one question holds all the error.

Source: Clopper and Pearson 1934; Korn and Graubard 1998 for the effective number; Zou and Donner 2008 for
differences.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy import special, stats

TAIL = 0.025
# Below so many questions that hold the error, a warning stands beside what is divided by it.
FEW = 10
# Of each question, to which cluster it belongs, from 0 on; None where each is its own.
Clusters = Int[np.ndarray, " questions"] | None


def mean_interval(
    values: Float[np.ndarray, "questions *shape"],
    most: float | Float[np.ndarray, "*shape"],
    clusters: Clusters = None,
) -> Float[np.ndarray, "2 *shape"]:
    """Return the interval of a mean that lies in 0..most; NaN for fewer than two questions or clusters.

    Args:
        values: of each question; corrected ones may be below 0.
        most: the largest that a question's can be.
        clusters: of questions that share something; the one more that nobody saw is a cluster of its own.
    """
    scaled = values / np.where(np.asarray(most) > 0, most, 1)
    ends = _ends(_with_one_more(scaled, np.ones_like(scaled), 1.0, clusters)) * most
    return ends if number_of(len(values), clusters) > 1 else np.full((2, *values.shape[1:]), np.nan)


def ratio_interval(
    part: Float[np.ndarray, "questions *shape"],
    whole: Float[np.ndarray, "questions *shape"],
    most: float | Float[np.ndarray, "*shape"],
    clusters: Clusters = None,
) -> Float[np.ndarray, "2 *shape"]:
    """Return the interval of Σ part / Σ whole, which lies in 0..1.

    Args:
        part: of each question: its variance, plug-in or corrected.
        whole: its error.
        most: the largest error that a question can have.
        clusters: as in `mean_interval`.

    Returns:
        The ends; NaN for fewer than two questions or clusters, and where there is nothing to divide by.
    """
    known = (whole.sum(axis=0) > 0) & (number_of(len(whole), clusters) > 1)
    return np.where(known, _ends(_with_one_more(part, whole, most, clusters)), np.nan)


class _WithOneMore(NamedTuple):
    """A quotient and its variance, with one question more that has none of the part, and one that has all."""

    quotient: Float[np.ndarray, "2 *shape"]
    variance: Float[np.ndarray, "2 *shape"]


def _with_one_more(
    part: Float[np.ndarray, "questions *shape"],
    whole: Float[np.ndarray, "questions *shape"],
    most: float | Float[np.ndarray, "*shape"],
    clusters: Clusters,
) -> _WithOneMore:
    total = whole.sum(axis=0)
    known = total > 0
    with_more = np.where(known, total, 1) + most
    quotients, variances = [], []
    for added in (0.0, 1.0):
        quotient = (part.sum(axis=0) + added * most) / with_more
        squares = (summed(part - quotient * whole, clusters) ** 2).sum(axis=0)
        quotients.append(quotient)
        variances.append((squares + ((added - quotient) * most) ** 2) / with_more**2)
    return _WithOneMore(np.stack(quotients), np.stack(variances))


def summed(
    values: Float[np.ndarray, "questions *shape"], clusters: Clusters
) -> Float[np.ndarray, "clusters *shape"]:
    """Return the sums within clusters, which are what is independent; the values themselves without any.

    The interval of a quotient of sums over questions is the same of these.
    """
    if clusters is None:
        return values
    sums = np.zeros((number_of(len(values), clusters), *values.shape[1:]))
    np.add.at(sums, clusters, values)
    return sums


def number_of(questions: int, clusters: Clusters) -> int:
    """Return how many units are independent: the clusters, numbered from 0 on, or the questions."""
    return questions if clusters is None else int(clusters.max()) + 1


def _ends(of: _WithOneMore) -> Float[np.ndarray, "2 *shape"]:
    """Return both ends, each with the same tail beyond it."""
    tails = (TAIL, 1 - TAIL)
    pairs = zip(tails, of.quotient, of.variance, strict=True)
    return np.stack([_end(t, np.asarray(mean), np.asarray(spread)) for t, mean, spread in pairs])


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


class Difference(NamedTuple):
    """A difference over the same questions, its interval and the two-sided p-value that it is 0."""

    value: Float[np.ndarray, "*shape"]
    ci95: Float[np.ndarray, "2 *shape"]
    p: Float[np.ndarray, "*shape"]


def paired_difference(
    parts: tuple[Float[np.ndarray, "questions *shape"], Float[np.ndarray, "questions *shape"]],
    wholes: tuple[Float[np.ndarray, "questions *shape"], Float[np.ndarray, "questions *shape"]] | None,
    most: float,
    clusters: Clusters = None,
) -> Difference:
    """Return the first Σ part / Σ whole less the second, of the same questions in order.

    Student's t on what each question adds to the difference, with two questions more that nobody saw, of which
    one is half better and one half worse: where few questions differ, the interval is not narrow for it. Its
    degrees of freedom are as many as the variance of these additions is known to: fewer than there are
    questions where few of them add nearly all. p is below .05 exactly where the interval leaves 0 out.

    Args:
        parts: of each question, first and second.
        wholes: what they are divided by; None gives the difference of means.
        most: the largest part that a question can have.
        clusters: as in `mean_interval`.

    Returns:
        NaN where either has nothing to divide by, or there are fewer than two questions or clusters.

    Source: the delta method; Agresti and Min 2005 for questions added to a paired difference; Satterthwaite
    1946 for degrees of freedom from a variance's own variance, here by the additions' fourth powers.
    """
    if wholes is None:
        wholes = np.ones_like(parts[0]), np.ones_like(parts[1])
    questions = len(parts[0])
    number = number_of(questions, clusters)
    quotients, added, divisors = [], [], []
    for part, whole in zip(parts, wholes, strict=True):
        total = whole.sum(axis=0)
        divisor = np.where(total > 0, total, np.nan) / questions
        quotients.append(part.mean(axis=0) / divisor)
        added.append((part - quotients[-1] * whole) / divisor)
        divisors.append(divisor)
    value = np.asarray(quotients[0] - quotients[1])
    if number < 2:
        return Difference(value, np.full((2, *value.shape), np.nan), np.full(value.shape, np.nan))
    more = most / (divisors[0] + divisors[1])
    each = summed(added[0] - added[1], clusters)
    squares, fourths = ((each**k).sum(axis=0) + 2 * more**k for k in (2, 4))
    error = np.sqrt(squares * number / (number - 1)) / questions
    # A normal variance of n degrees of freedom has a variance of 2/n of its square.
    varies = fourths - squares**2 / (number + 2)
    known = varies > 0
    freedom = np.where(known, 2 * squares**2 / np.where(known, varies, 1), np.inf)
    freedom = np.minimum(freedom, number - 1)
    half = stats.t.ppf(1 - TAIL, freedom) * error
    p = 2 * stats.t.sf(np.abs(value) / error, freedom)
    return Difference(value, np.stack([value - half, value + half]), np.asarray(p))


def effective_questions(error: Float[np.ndarray, "questions *shape"]) -> Float[np.ndarray, "*shape"]:
    """Return how many questions of equal error would hold it as these do: (Σe)² / Σe², 0 without error."""
    squares = (error**2).sum(axis=0)
    return np.where(squares > 0, error.sum(axis=0) ** 2 / np.where(squares > 0, squares, 1), 0.0)


def expected_interval(
    means: Float[np.ndarray, "cases 2"],
    covariance: Float[np.ndarray, "cases 2 2"],
    questions: int,
    most: float,
) -> Float[np.ndarray, "2 cases"]:
    """Return the interval of Σ part / Σ whole that so many questions of these moments would have.

    Args:
        means: of part and whole; a mean is the quotient of itself and 1, which does not vary.
        covariance: of both, between questions.
        questions: how many there will be.
        most: the largest whole that a question can have.
    """
    part, whole = means.T
    with_more = questions * whole + most
    quotients = [(questions * part + added * most) / with_more for added in (0.0, 1.0)]
    variances = []
    for added, quotient in zip((0.0, 1.0), quotients, strict=True):
        of = np.stack([np.ones_like(quotient), -quotient], axis=1)
        spread = np.maximum(np.einsum("ca,cab,cb->c", of, covariance, of), 0)
        squares = (questions - 1) * spread + questions * (part - quotient * whole) ** 2
        variances.append((squares + ((added - quotient) * most) ** 2) / with_more**2)
    ends = _ends(_WithOneMore(np.stack(quotients), np.stack(variances)))
    return np.where(whole > 0, ends, np.nan)
