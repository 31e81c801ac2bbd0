"""How many questions and samples it takes: what a pilot promises of the intervals and tests of a larger run.

Half-widths are those of the intervals that would be printed, and power that of the paired test, with its own
estimate of the spread, which varies too: where few questions differ it rises with the difference.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import stats

from hotmess_jax.llm.measures.clusters import clusters_in, of_all
from hotmess_jax.llm.measures.questions import to_json
from hotmess_jax.llm.measures.samples import QUESTION
from hotmess_jax.llm.pilots import LEAST, Moments, Pilot
from hotmess_jax.statistics.intervals import Clusters, expected_interval, number_of, summed

QUANTITIES = ("accuracy", "bias2", "variance", "incoherence")
POWER = 0.8
# Where fewer questions hold the error, simulated power was up to eight points off what is promised.
FEW_EFFECTIVE = 20
LEVEL = 0.95
# A pilot of fewer questions promises little.
FEW = 30
MOST_ERROR = 2.0  # Brier's
# Samples a question among which the best number is looked for.
MOST_SAMPLES = 64


@dataclass(frozen=True)
class Promise:
    """A number that a plan promises, and the range in which pilots like this one would put it."""

    value: float
    low: float
    high: float

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"value": to_json(self.value), "range95": to_json([self.low, self.high])}


@dataclass(frozen=True)
class Cell:
    """What so many questions of so many samples promise."""

    questions: int
    samples: int
    tokens: float | None
    half_width: dict[str, Promise]
    # The smallest difference of two such conditions that is found with 80 % power.
    detectable: dict[str, Promise]
    # How many questions of equal error would hold it as these would.
    effective_questions: float

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "questions": self.questions,
            "samples": self.samples,
            "tokens": self.tokens,
            "half_width": {name: of.to_json() for name, of in self.half_width.items()},
            "detectable": {name: of.to_json() for name, of in self.detectable.items()},
            "effective_questions": to_json(self.effective_questions),
        }


@dataclass(frozen=True)
class Gain:
    """By how much twice the tokens narrow the pilot's interval, and what would spend them best."""

    more_questions: float  # share of the half-width that is left
    more_samples: float
    # Samples a question that give the narrowest interval of the same number of tokens.
    best_samples: int

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return dict(vars(self))


@dataclass(frozen=True)
class Plan:
    """What a pilot promises."""

    label: str
    compared: str | None  # the two conditions whose difference is planned
    questions: int
    left_out: int
    samples: float
    tokens: float | None
    field: str | None
    # The field whose values are clusters of questions, and how many the pilot has.
    cluster: str | None
    clusters: int | None
    pilot: Cell
    cells: tuple[Cell, ...]
    gains: dict[str, Gain]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "label": self.label,
            "compared": self.compared,
            "questions": self.questions,
            "left_out": self.left_out,
            "samples": self.samples,
            "tokens_a_sample": self.tokens,
            "tokens_field": self.field,
            "clusters": None
            if self.cluster is None
            else {"field": self.cluster, "number": self.clusters},
            "power": POWER,
            "pilot": self.pilot.to_json(),
            "cells": [of.to_json() for of in self.cells],
            "gains": {name: of.to_json() for name, of in self.gains.items()},
        }


@dataclass(frozen=True)
class _Pair:
    """One or two conditions' moments on the same questions, and resamples of whole clusters of these."""

    first: Moments
    second: Moments | None
    clusters: Clusters
    weights: Float[np.ndarray, "resamples questions"]

    @property
    def share(self) -> Float[np.ndarray, "resamples questions"]:
        """Each question's share of a resample."""
        return self.weights / self.weights.sum(axis=1, keepdims=True)

    def units(self, questions: int) -> float:
        """Return how many clusters so many questions like these come in."""
        if self.clusters is None:
            return float(questions)
        there = len(self.clusters)
        return questions * number_of(there, self.clusters) / there

    def between(
        self,
        first: Float[np.ndarray, "resamples questions"],
        second: Float[np.ndarray, "resamples questions"],
    ) -> Float[np.ndarray, " resamples"]:
        """Return what deviations of two values of one cluster's questions add to their covariance, a question."""
        if self.clusters is None:
            return np.zeros(len(first))
        questions = len(self.clusters)
        number = number_of(questions, self.clusters)
        # A resample holds a cluster as often as each of its questions.
        often = np.sqrt(self.weights)
        sums = [summed((often * of).T, self.clusters).T for of in (first, second)]
        whole = (sums[0] * sums[1]).sum(axis=1) / max(1 - 1 / number, 0.5)
        own = (self.weights * first * second).sum(axis=1) / (1 - 1 / questions)
        return (whole - own) / self.weights.sum(axis=1)


class _Expected(NamedTuple):
    """Means over questions and matrices of a number of samples, of each resample of the pilot's questions."""

    mean: Float[np.ndarray, "resamples 3"]
    covariance: Float[
        np.ndarray, "resamples 3 3"
    ]  # between questions of so many samples, and their clusters
    within: Float[np.ndarray, "resamples 3 3"]  # the part of it that is between samples


def _second(moments: Moments, samples: int) -> Float[np.ndarray, "questions 3 3"]:
    """Return each question's mean squares and products at a number of samples."""
    n = samples
    found = (n - 2) * (n - 3) * moments.apart + 4 * (n - 2) * moments.one + 2 * moments.both
    return found / (n * (n - 1))


def _expected(moments: Moments, samples: int, pair: _Pair) -> _Expected:
    share, second = pair.share, _second(moments, samples)
    mean = share @ moments.mean

    def over(matrices: np.ndarray) -> np.ndarray:
        return np.einsum("rq,qab->rab", share, matrices)

    outer = mean[:, :, None] * mean[:, None, :]
    # The square of a mean of few questions is too large by the mean's own variance.
    own = over(moments.mean[:, :, None] * moments.mean[:, None, :]) - outer
    own = own / (len(moments.mean) - 1)
    covariance = over(second) - outer + own
    if pair.clusters is not None:
        off = moments.mean[None] - mean[:, None]
        for a in range(3):
            for b in range(3):
                covariance[:, a, b] += pair.between(off[..., a], off[..., b])
    return _Expected(mean, covariance, over(second - moments.apart))


def _functional(name: str, mean: Float[np.ndarray, "resamples 3"]) -> Float[np.ndarray, "resamples 3"]:
    """Return what a quantity is of accuracy, error and variance; of incoherence, to first order."""
    fixed = {"accuracy": (1.0, 0.0, 0.0), "bias2": (0.0, 1.0, -1.0), "variance": (0.0, 0.0, 1.0)}
    if name in fixed:
        return np.broadcast_to(np.asarray(fixed[name]), mean.shape)
    error = np.where(mean[:, 1] > 0, mean[:, 1], np.nan)
    return np.stack([np.zeros(len(mean)), -_quotient(mean) / error, 1 / error], axis=1)


def _quotient(mean: Float[np.ndarray, "resamples 3"]) -> Float[np.ndarray, " resamples"]:
    """Return the incoherence of means; NaN without an error."""
    return mean[:, 2] / np.where(mean[:, 1] > 0, mean[:, 1], np.nan)


def _quadratic(of: np.ndarray, matrix: np.ndarray, other: np.ndarray | None = None) -> np.ndarray:
    return np.einsum("ra,rab,rb->r", of, matrix, of if other is None else other)


def _half_width(name: str, expected: _Expected, questions: int) -> Float[np.ndarray, " resamples"]:
    """Return half of the width of the interval that would be printed."""
    mean, covariance = expected.mean, expected.covariance
    if name == "incoherence":
        means, spread = mean[:, [2, 1]], covariance[:, [2, 1]][:, :, [2, 1]]
        low, high = expected_interval(means, spread, questions, MOST_ERROR)
        return (high - low) / 2
    of = _functional(name, mean)
    most = 1.0 if name == "accuracy" else MOST_ERROR
    means = np.stack([(of * mean).sum(axis=1) / most, np.ones(len(mean))], axis=1)
    spread = np.zeros((len(mean), 2, 2))
    spread[:, 0, 0] = _quadratic(of, covariance) / most**2
    low, high = expected_interval(means, spread, questions, 1.0)
    return most * (high - low) / 2


def _most_of_a_difference(name: str, error: np.ndarray) -> np.ndarray:
    """Return what `paired_difference` is given as the largest part, over what it divides by."""
    if name == "incoherence":
        return MOST_ERROR / 2 / np.where(error > 0, error, np.nan)
    most = {"accuracy": 1.0, "bias2": MOST_ERROR, "variance": MOST_ERROR / 2}[name]
    return np.full(error.shape, most)


class _Differs(NamedTuple):
    """How a paired difference spreads over questions of so many samples."""

    # In the pilot, first less second; 0 where the second is taken for like the first.
    value: Float[np.ndarray, " resamples"]
    variance: Float[np.ndarray, " resamples"]  # a question, with what its cluster adds
    # Of a cluster's sum: the third and fourth cumulants over the powers of its standard deviation.
    skewness: Float[np.ndarray, " resamples"]
    excess: Float[np.ndarray, " resamples"]
    error: Float[np.ndarray, " resamples"]  # the mean error of both


def _of_both(samples: int, pair: _Pair) -> tuple[_Expected, _Expected | None]:
    """Return both conditions at a number of samples; None for a second that there is none of."""
    first = _expected(pair.first, samples, pair)
    return first, None if pair.second is None else _expected(pair.second, samples, pair)


def _differs(name: str, pair: _Pair, first: _Expected, other: _Expected | None) -> _Differs:
    """Return how the difference of a quantity spreads, of conditions as `_of_both` has them.

    Without a second condition it is taken for like the first, and the difference for the same on every question:
    nothing but samples varies.
    """
    of = _functional(name, first.mean)
    nothing = np.zeros(len(of))
    if pair.second is None or other is None:
        variance = np.maximum(2 * _quadratic(of, first.within), 0)
        return _Differs(nothing, variance, nothing, nothing, first.mean[:, 1])
    share = pair.share
    of_other = _functional(name, other.mean)
    each = of @ pair.first.mean.T - of_other @ pair.second.mean.T
    middle = (share * each).sum(axis=1)
    off = each - middle[:, None]
    own = (share * off**2).sum(axis=1)
    # What questions differ by in truth: without what samples add to the pilot's differences.
    cross = np.einsum("rq,qa,qb->rab", share, pair.first.mean, pair.second.mean)
    apart = [np.einsum("rq,qab->rab", share, of.apart) for of in (pair.first, pair.second)]
    true = _quadratic(of, apart[0]) + _quadratic(of_other, apart[1])
    true = true - 2 * _quadratic(of, cross, of_other) - middle**2 + own / (each.shape[1] - 1)
    true = np.maximum(true + pair.between(off, off), 0)
    # Few samples may estimate their own variance below 0.
    within = _quadratic(of, first.within) + _quadratic(of_other, other.within)
    variance = np.maximum(true + within, 0)
    value = middle
    if name == "incoherence":
        value = _quotient(first.mean) - _quotient(other.mean)
    skewness, excess = _shape(off, pair, variance)
    return _Differs(value, variance, skewness, excess, (first.mean[:, 1] + other.mean[:, 1]) / 2)


def _shape(
    off: Float[np.ndarray, "resamples questions"],
    pair: _Pair,
    variance: Float[np.ndarray, " resamples"],
) -> tuple[Float[np.ndarray, " resamples"], Float[np.ndarray, " resamples"]]:
    """Return skewness and excess of what clusters add, their cumulants being those of the pilot."""
    sums = summed(off.T, pair.clusters).T
    labels = np.arange(off.shape[1]) if pair.clusters is None else pair.clusters
    often = pair.weights[:, np.unique(labels, return_index=True)[1]]
    share = often / often.sum(axis=1, keepdims=True)
    second, third, fourth = ((share * sums**power).sum(axis=1) for power in (2, 3, 4))
    # A cluster's variance, of so many samples.
    of_cluster = variance * off.shape[1] / sums.shape[1]
    known = of_cluster > 0
    scale = np.where(known, of_cluster, 1)
    skewness = np.where(known, third / scale**1.5, 0)
    excess = np.where(known, (fourth - 3 * second**2) / scale**2, 0)
    return skewness, np.maximum(excess, skewness**2 - 2)


class _Test(NamedTuple):
    """What a paired difference is compared with, and how both vary together, about 0 and in units of it."""

    needed: Float[np.ndarray, " resamples"]  # on average
    spread: Float[np.ndarray, " resamples"]  # of the difference less what is needed


def _test(name: str, differs: _Differs, questions: int, units: float, sign: np.ndarray) -> _Test:
    """Return the test at 5 % of a difference of a sign.

    The error that it prints rises with the difference where a few questions make it: to first order, what is
    needed is linear in the estimated variance.
    """
    more = _most_of_a_difference(name, differs.error) / 2
    seen = (units - 1) / units * questions * differs.variance
    squares = seen + 2 * more**2
    error = np.sqrt(squares * units / (units - 1)) / questions
    # As many degrees of freedom as `paired_difference` finds, of the fourth powers that are expected.
    # Of few clusters they are less on average, over the square: their heaviest are in both.
    seen_kurtosis = (differs.excess + 3) / (1 + 2 * (differs.excess + 2) / units)
    fourths = seen_kurtosis * seen**2 / units + 2 * more**4
    varies = fourths - squares**2 / (units + 2)
    known = varies > 0
    freedom = np.where(known, 2 * squares**2 / np.where(known, varies, 1), np.inf)
    quantile = stats.t.ppf((1 + LEVEL) / 2, np.minimum(freedom, units - 1))
    spread = np.sqrt(differs.variance / questions)
    known = spread > 0
    # How far the threshold moves, in units of the spread, as the estimated variance does by all of itself.
    lean = quantile * error / np.where(known, spread, 1) * seen / squares / 2
    kurtosis = differs.excess + 2
    factor = 1 - 2 * lean * sign * differs.skewness / np.sqrt(units) + lean**2 * kurtosis / units
    mean = 1 - (seen / squares) ** 2 * kurtosis / (8 * units)
    return _Test(quantile * error * np.maximum(mean, 0.5), spread * np.sqrt(np.maximum(factor, 0.05)))


def power(
    name: str,
    difference: float,
    questions: int,
    samples: int,
    first: Pilot,
    second: Pilot | None = None,
) -> float:
    """Return the chance that a paired difference is found at 5 %, with its sign.

    Args:
        name: of the quantity.
        difference: in truth, first less second.
        questions: that both conditions have.
        samples: a question, of both.
        first: a pilot of one condition.
        second: a pilot of the other, on the same questions; None as in `plan`.
    """
    pair = _paired(first, second, 0, 0)
    differs = _differs(name, pair, *_of_both(samples, pair))
    of = _test(name, differs, questions, pair.units(questions), np.sign(np.full(1, difference)))
    return float(stats.norm.cdf((abs(difference) - of.needed[0]) / of.spread[0]))


def _paired(first: Pilot, second: Pilot | None, resamples: int, seed: int) -> _Pair:
    """Return both conditions' moments of the questions that both have, and resamples of these."""
    one, two, who = first.moments, None, first.table
    if second is not None:
        rows = [
            of.table.select(QUESTION).with_row_index(f"row{i}") for i, of in enumerate((first, second))
        ]
        both = rows[0].join(rows[1], on=QUESTION, nulls_equal=True).sort("row0")
        if both.height < 2:
            raise ValueError(f"the conditions share fewer than two questions with {LEAST} samples")
        one = Moments(*(of[both["row0"].to_numpy()] for of in first.moments))
        two = Moments(*(of[both["row1"].to_numpy()] for of in second.moments))
        who = of_all([first.table, second.table], both)
    clusters = clusters_in(who)
    number = number_of(who.height, clusters)
    if number < 2:
        raise ValueError("a plan needs two clusters of questions, and there is one")
    random = np.random.default_rng(seed)
    drawn = random.multinomial(number, np.full(number, 1 / number), resamples)
    # Each once in the first, then at random.
    weights = np.concatenate([np.ones((1, number), int), drawn]).astype(float)
    return _Pair(one, two, clusters, weights if clusters is None else weights[:, clusters])


def plan(
    label: str,
    first: Pilot,
    questions: Sequence[int],
    samples: Sequence[int],
    second: Pilot | None = None,
    compared: str | None = None,
    resamples: int = 500,
    seed: int = 0,
) -> Plan:
    """Return what so many questions and samples promise, in clusters like the pilot's where it has any.

    Args:
        label: of the pilot.
        first: the pilot; with `second`, of one condition.
        questions: numbers of questions, 2 or more.
        samples: numbers of samples a question, 2 or more.
        second: a pilot of the condition to compare, on the same questions; None takes it for like the first,
            and the difference for the same on every question: the best case.
        compared: the two conditions' names.
        resamples: of the pilot's questions or clusters, for the range of each promise.
        seed: of these.

    Raises:
        ValueError: for conditions that share fewer than two questions, and for a single cluster.
    """
    pair = _paired(first, second, resamples, seed)
    size, n = len(pair.first.mean), max(2, round(first.samples))
    now = _cell(pair, first.tokens, size, n)
    return Plan(
        label,
        compared,
        size,
        first.left_out,
        first.samples,
        first.tokens,
        first.field,
        first.cluster,
        None if first.cluster is None else round(pair.units(size)),
        now,
        tuple(_cell(pair, first.tokens, count, m) for count in questions for m in samples),
        _gains(pair, now),
    )


def _cell(pair: _Pair, tokens: float | None, questions: int, samples: int) -> Cell:
    """Return what so many questions and samples promise."""
    expected, units = _of_both(samples, pair), pair.units(questions)
    widths, found = {}, {}
    for name in QUANTITIES:
        widths[name] = _promise(_half_width(name, expected[0], questions))
        differs = _differs(name, pair, *expected)
        if units < 2:
            found[name] = Promise(np.nan, np.nan, np.nan)
            continue
        # Of the direction that the pilot shows.
        sign = np.full(len(differs.value), np.nan_to_num(np.sign(differs.value[0])))
        of = _test(name, differs, questions, units, sign)
        found[name] = _promise(of.needed + stats.norm.ppf(POWER) * of.spread)
    spent = None if tokens is None else questions * samples * tokens
    # Of the pilot's own questions: what clusters add is no error of a question.
    mean = pair.first.mean[:, 1].mean()
    squares = _second(pair.first, samples)[:, 1, 1].mean()
    effective = float(questions * mean**2 / squares) if squares > 0 else 0.0
    return Cell(questions, samples, spent, widths, found, effective)


def _gains(pair: _Pair, now: Cell) -> dict[str, Gain]:
    """Return what twice the questions and twice the samples of the pilot give."""
    wider = _cell(pair, None, 2 * now.questions, now.samples)
    deeper = _cell(pair, None, now.questions, 2 * now.samples)
    numbers = range(2, MOST_SAMPLES + 1)
    expected = [_expected(pair.first, m, pair) for m in numbers]
    gains = {}
    for name in QUANTITIES:
        of = _functional(name, expected[0].mean)
        spent = [m * _quadratic(of, at.covariance)[0] for m, at in zip(numbers, expected, strict=True)]
        base = now.half_width[name].value
        gains[name] = Gain(
            wider.half_width[name].value / base,
            deeper.half_width[name].value / base,
            numbers[int(np.argmin(spent))],
        )
    return gains


def _promise(values: Float[np.ndarray, " resamples"]) -> Promise:
    """Return the first value, and the range of the others; NaN where it is not known."""
    known = values[1:][np.isfinite(values[1:])]
    low, high = np.percentile(known, [2.5, 97.5]) if len(known) else (np.nan, np.nan)
    return Promise(float(values[0]), float(low), float(high))
