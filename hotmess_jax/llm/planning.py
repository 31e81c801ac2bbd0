"""How many questions and samples it takes: what a pilot promises of the intervals and tests of a larger run.

Each question's accuracy, error and Brier variance are means over single samples or pairs of them, so their spread
at any number of samples follows from three moments, each of which four samples estimate without bias.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int
from scipy import stats

from hotmess_jax.llm.measures.questions import to_json
from hotmess_jax.llm.measures.samples import QUESTION, Block, Unparsed, to_samples
from hotmess_jax.statistics.intervals import expected_interval

QUANTITIES = ("accuracy", "bias2", "variance", "incoherence")
POWER = 0.8
LEVEL = 0.95
# Samples a question that estimate every moment.
LEAST = 4
# A pilot of fewer questions promises little.
FEW = 30
MOST_ERROR = 2.0  # Brier's
TOKENS = ("output_tokens", "reasoning_tokens")


class Moments(NamedTuple):
    """Of each question, moments of accuracy, error and corrected Brier variance.

    The mean product of two kernels that share no sample, one, and both; kernels are functions of two samples.
    """

    mean: Float[np.ndarray, "questions 3"]
    apart: Float[np.ndarray, "questions 3 3"]
    one: Float[np.ndarray, "questions 3 3"]
    both: Float[np.ndarray, "questions 3 3"]


@dataclass(frozen=True)
class Pilot:
    """One model's pilot at one setting."""

    table: pl.DataFrame  # who the questions are
    moments: Moments
    samples: float  # a question, on average
    left_out: int  # questions with fewer than four samples
    tokens: float | None  # a sample; None where no record says
    field: str | None  # where they are from


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

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "questions": self.questions,
            "samples": self.samples,
            "tokens": self.tokens,
            "half_width": {name: of.to_json() for name, of in self.half_width.items()},
            "detectable": {name: of.to_json() for name, of in self.detectable.items()},
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
            "power": POWER,
            "pilot": self.pilot.to_json(),
            "cells": [of.to_json() for of in self.cells],
            "gains": {name: of.to_json() for name, of in self.gains.items()},
        }


def pilot_of(records: pl.DataFrame, unparsed: Unparsed = "uniform") -> Pilot:
    """Return a pilot's moments.

    Args:
        records: of one model at one setting, from `read_records`.
        unparsed: as in `to_samples`.

    Raises:
        ValueError: where fewer than two questions have four samples.
    """
    samples = to_samples(records, unparsed)
    columns = [records[name].to_list() for name in ("answer", "probs")]
    silent = np.asarray([not a and p is None for a, p in zip(*columns, strict=True)], bool)
    found, places, numbers = [], [], []
    for block in samples.blocks:
        number = block.present.sum(axis=1)
        enough = number >= LEAST
        if enough.any():
            found.append(_moments(_chosen(block, enough), silent))
            places.append(block.question[enough])
            numbers.append(number[enough])
    kept = sum(map(len, places))
    if kept < 2:
        raise ValueError(
            f"a plan needs two questions with {LEAST} samples, and of {samples.questions} {kept} have them"
        )
    place = np.concatenate(places)
    order = np.argsort(place)
    moments = Moments(*(np.concatenate(parts)[order] for parts in zip(*found, strict=True)))
    field = next(
        (f for f in TOKENS if f in records.columns and records[f].null_count() < records.height), None
    )
    return Pilot(
        samples.table.select(QUESTION)[place[order]],
        moments,
        float(np.concatenate(numbers).mean()),
        samples.questions - kept,
        None if field is None else float(records[field].drop_nulls().to_numpy().mean()),
        field,
    )


def _chosen(block: Block, chosen: Bool[np.ndarray, " questions"]) -> Block:
    parts = block._asdict()
    return block._replace(**{name: of[chosen] for name, of in parts.items() if of is not None})


def _moments(block: Block, silent: Bool[np.ndarray, " records"]) -> Moments:
    """Return moments by sums over samples, pairs, triples and fours that differ."""
    rows = np.arange(len(block.target))
    here = block.present
    leading = block.probs == block.probs.max(axis=-1, keepdims=True)
    right = leading[rows, :, block.target] / leading.sum(axis=-1)
    right = np.where(silent[block.record], 0, right)
    squares = (block.probs**2).sum(axis=-1)
    error = squares - 2 * block.probs[rows, :, block.target] + 1
    products = block.probs @ np.swapaxes(block.probs, 1, 2)
    spread = (squares[:, :, None] + squares[:, None, :]) / 2 - products
    pairs = here[:, :, None] & here[:, None, :] & ~np.eye(here.shape[1], dtype=bool)
    kernels = np.stack(
        [(of[:, :, None] + of[:, None, :]) / 2 for of in (right, error)] + [spread], axis=1
    )
    kernels = np.where(pairs[:, None], kernels, 0)
    n = here.sum(axis=1)[:, None, None].astype(float)
    by_sample = kernels.sum(axis=-1)
    total = by_sample.sum(axis=-1)
    both = np.einsum("qaij,qbij->qab", kernels, kernels)
    one = np.einsum("qai,qbi->qab", by_sample, by_sample) - both
    apart = total[:, :, None] * total[:, None, :] - 2 * both - 4 * one
    ways = n * (n - 1)
    return Moments(
        total / ways[:, 0],
        apart / (ways * (n - 2) * (n - 3)),
        one / (ways * (n - 2)),
        both / ways,
    )


class _Expected(NamedTuple):
    """Means over questions and matrices of a number of samples, of each resample of the pilot's questions."""

    mean: Float[np.ndarray, "resamples 3"]
    covariance: Float[np.ndarray, "resamples 3 3"]  # between questions of so many samples
    within: Float[np.ndarray, "resamples 3 3"]  # the part of it that is between samples


def _expected(
    moments: Moments, samples: int, weights: Float[np.ndarray, "resamples questions"]
) -> _Expected:
    n = samples
    share = weights / weights.sum(axis=1, keepdims=True)
    second = (n - 2) * (n - 3) * moments.apart + 4 * (n - 2) * moments.one + 2 * moments.both
    second = second / (n * (n - 1))
    mean = share @ moments.mean

    def over(matrices: np.ndarray) -> np.ndarray:
        return np.einsum("rq,qab->rab", share, matrices)

    outer = mean[:, :, None] * mean[:, None, :]
    # The square of a mean of few questions is too large by the mean's own variance.
    own = over(moments.mean[:, :, None] * moments.mean[:, None, :]) - outer
    own = own / (len(moments.mean) - 1)
    return _Expected(mean, over(second) - outer + own, over(second - moments.apart))


def _functional(name: str, mean: Float[np.ndarray, "resamples 3"]) -> Float[np.ndarray, "resamples 3"]:
    """Return what a quantity is of accuracy, error and variance; of incoherence, to first order."""
    fixed = {"accuracy": (1.0, 0.0, 0.0), "bias2": (0.0, 1.0, -1.0), "variance": (0.0, 0.0, 1.0)}
    if name in fixed:
        return np.broadcast_to(np.asarray(fixed[name]), mean.shape)
    error = np.where(mean[:, 1] > 0, mean[:, 1], np.nan)
    zero = np.zeros(len(mean))
    return np.stack([zero, -mean[:, 2] / error**2, 1 / error], axis=1)


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


def _spread_of_difference(
    name: str,
    first: _Expected,
    second: tuple[_Expected, Moments, Moments, np.ndarray] | None,
) -> Float[np.ndarray, " resamples"]:
    """Return the variance between questions of the paired difference.

    Args:
        name: of the quantity.
        first: of the pilot, or of the first condition.
        second: of the other condition, both conditions' moments of the same questions, and the weights; None
            takes it for like the first, and the difference for the same on every question.
    """
    of = _functional(name, first.mean)
    if second is None:
        return 2 * _quadratic(of, first.within)
    other, one, two, weights = second
    of_other = _functional(name, other.mean)
    share = weights / weights.sum(axis=1, keepdims=True)
    each = of @ one.mean.T - of_other @ two.mean.T
    middle = (share * each).sum(axis=1)
    own = (share * (each - middle[:, None]) ** 2).sum(axis=1)
    # What questions differ by in truth: without what samples add to the pilot's differences.
    cross = np.einsum("rq,qa,qb->rab", share, one.mean, two.mean)
    apart = [np.einsum("rq,qab->rab", share, moments.apart) for moments in (one, two)]
    true = _quadratic(of, apart[0]) + _quadratic(of_other, apart[1])
    true = true - 2 * _quadratic(of, cross, of_other) - middle**2 + own / (each.shape[1] - 1)
    return np.maximum(true, 0) + _quadratic(of, first.within) + _quadratic(of_other, other.within)


def _error_and_spread(
    name: str,
    questions: int,
    first: _Expected,
    second: tuple[_Expected, Moments, Moments, np.ndarray] | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the standard error that the test would print, and the spread of its estimate."""
    variance = _spread_of_difference(name, first, second)
    errors = first.mean[:, 1] if second is None else (first.mean[:, 1] + second[0].mean[:, 1]) / 2
    more = _most_of_a_difference(name, errors) / 2
    squares = (questions - 1) * variance + 2 * more**2
    return np.sqrt(squares / (questions * (questions - 1))), np.sqrt(variance / questions)


def _weights(questions: int, resamples: int, seed: int) -> Int[np.ndarray, "resamples questions"]:
    """Return how often each question is drawn: once in the first, then at random."""
    random = np.random.default_rng(seed)
    drawn = random.multinomial(questions, np.full(questions, 1 / questions), resamples)
    return np.concatenate([np.ones((1, questions), int), drawn])


def power(
    name: str,
    difference: float,
    questions: int,
    samples: int,
    first: Pilot,
    second: Pilot | None = None,
) -> float:
    """Return the chance that a paired difference is found at 5 %.

    Args:
        name: of the quantity.
        difference: in truth.
        questions: that both conditions have.
        samples: a question, of both.
        first: a pilot of one condition.
        second: a pilot of the other, on the same questions; None as in `plan`.
    """
    one, two, weights = _paired(first, second, 0, 0)
    expected = _expected(one, samples, weights)
    other = None if two is None else (_expected(two, samples, weights), one, two, weights)
    error, spread = (float(of[0]) for of in _error_and_spread(name, questions, expected, other))
    needed = stats.t.ppf((1 + LEVEL) / 2, questions - 1) * error
    return float(stats.norm.cdf((abs(difference) - needed) / spread))


def _paired(
    first: Pilot, second: Pilot | None, resamples: int, seed: int
) -> tuple[Moments, Moments | None, np.ndarray]:
    """Return both conditions' moments of the questions that both have, and resamples of these."""
    one, two = first.moments, None
    if second is not None:
        rows = [of.table.with_row_index(f"row{i}") for i, of in enumerate((first, second))]
        both = rows[0].join(rows[1], on=QUESTION, nulls_equal=True).sort("row0")
        if both.height < 2:
            raise ValueError(f"the conditions share fewer than two questions with {LEAST} samples")
        one = Moments(*(of[both["row0"].to_numpy()] for of in first.moments))
        two = Moments(*(of[both["row1"].to_numpy()] for of in second.moments))
    return one, two, _weights(len(one.mean), resamples, seed).astype(float)


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
    """Return what so many questions and samples promise.

    Args:
        label: of the pilot.
        first: the pilot; with `second`, of one condition.
        questions: numbers of questions, 2 or more.
        samples: numbers of samples a question, 2 or more.
        second: a pilot of the condition to compare, on the same questions; None takes it for like the first,
            and the difference for the same on every question: the best case.
        compared: the two conditions' names.
        resamples: of the pilot's questions, for the range of each promise.
        seed: of these.
    """
    one, two, weights = _paired(first, second, resamples, seed)

    def cell(count: int, n: int) -> Cell:
        expected = _expected(one, n, weights)
        other = None if two is None else (_expected(two, n, weights), one, two, weights)
        widths, found = {}, {}
        for name in QUANTITIES:
            widths[name] = _promise(_half_width(name, expected, count))
            error, spread = _error_and_spread(name, count, expected, other)
            needed = stats.t.ppf((1 + LEVEL) / 2, count - 1) * error
            found[name] = _promise(needed + stats.norm.ppf(POWER) * spread)
        tokens = None if first.tokens is None else count * n * first.tokens
        return Cell(count, n, tokens, widths, found)

    size, n = len(one.mean), max(2, round(first.samples))
    now, wider, deeper = cell(size, n), cell(2 * size, n), cell(size, 2 * n)
    gains = {}
    for name in QUANTITIES:
        most = range(2, 65)
        of = _functional(name, _expected(one, 2, weights[:1]).mean)
        spent = [m * _quadratic(of, _expected(one, m, weights[:1]).covariance)[0] for m in most]
        base = now.half_width[name].value
        gains[name] = Gain(
            wider.half_width[name].value / base,
            deeper.half_width[name].value / base,
            most[int(np.argmin(spent))],
        )
    cells = tuple(cell(count, m) for count in questions for m in samples)
    return Plan(
        label,
        compared,
        size,
        first.left_out,
        first.samples,
        first.tokens,
        first.field,
        now,
        cells,
        gains,
    )


def _promise(values: Float[np.ndarray, " resamples"]) -> Promise:
    """Return the first value, and the range of the others; NaN where it is not known."""
    known = values[1:][np.isfinite(values[1:])]
    low, high = np.percentile(known, [2.5, 97.5]) if len(known) else (np.nan, np.nan)
    return Promise(float(values[0]), float(low), float(high))
