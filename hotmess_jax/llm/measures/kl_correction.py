"""Whether KL's corrected incoherence can be believed of these very answers, by simulation.

Nothing is unbiased for the KL variance. The jackknife takes its bias away where probabilities are smooth; of
one-hot answers that are near a tie it leaves most of it. So data sets are drawn from the answers themselves,
whose truth is known, and the corrected value is shown only where it is right of these.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from hotmess_jax.llm.measures.samples import Block, by_context, context_sizes
from hotmess_jax.statistics.intervals import ratio_interval

# Draws from fewer units than these, most of them of one answer, were seen to judge too kindly; and how many of
# the questions may have fewer.
LEAST_UNITS, MOST_FEW = 8, 0.05
# What is shown covers in so many of the simulated data sets, and is off by so much of the truth at most.
LEAST_COVERAGE = 0.93
MOST_BIAS = 0.1
# Data sets: so many where that is quickly done, and no fewer than some.
MOST_RUNS, LEAST_RUNS = 300, 100
# Log-probabilities in all data sets, and of those that are held at once.
IN_ALL, AT_ONCE = 40_000_000, 4_000_000


class Units(NamedTuple):
    """What is independent in each question: samples or, where it has several, contexts."""

    logs: Float[np.ndarray, "questions units classes"]
    here: Bool[np.ndarray, "questions units"]
    target: Int[np.ndarray, " questions"]


def too_few(units: Sequence[Units]) -> str | None:
    """Say why nothing can be judged; None where something can."""
    counts = np.concatenate([of.here.sum(axis=1) for of in units])
    few = int((counts < LEAST_UNITS).sum())
    if few <= MOST_FEW * len(counts):
        return None
    return (
        f"KL has no corrected value here: {few} of {len(counts)} questions have fewer than {LEAST_UNITS} "
        "independent samples, and the jackknife leaves most of the bias of so few"
    )


class Judgement(NamedTuple):
    """What the corrected incoherence did on simulated data sets."""

    coverage: float
    bias: float  # of the truth, a share of it
    runs: int

    @property
    def why_not(self) -> str | None:
        """Say why no corrected value is shown; None where one is."""
        off = f"it was off by {100 * self.bias:+.0f} % of the truth" if np.isfinite(self.bias) else ""
        # Their number is finite: what is as good as covering is taken for it.
        noise = np.sqrt(LEAST_COVERAGE * (1 - LEAST_COVERAGE) / self.runs)
        if self.coverage < LEAST_COVERAGE - noise:
            reason = f"its interval held the truth in {100 * self.coverage:.0f} % of them"
            reason += f", and {off}" if off and abs(self.bias) > MOST_BIAS else ""
        elif abs(self.bias) > MOST_BIAS:
            reason = off
        else:
            return None
        return f"KL has no corrected value here: on {self.runs} data sets drawn from these very answers {reason}"


def why_none(
    blocks: Sequence[Block], smoothing: float, runs: int = MOST_RUNS, seed: int = 0
) -> str | None:
    """Say why KL's corrected value is not shown of these questions; None where it is.

    With no runs nothing is judged, which takes most of the time of an analysis of KL, and none is shown.
    """
    if runs < 1:
        return "KL's corrected value was not asked for"
    units = units_of(blocks, smoothing)
    found = None if (why := too_few(units)) else judge(units, runs, seed)
    return why or (found.why_not if found else None)


def units_of(blocks: Sequence[Block], smoothing: float) -> list[Units]:
    """Return each block's independent units as log-probabilities."""
    found = []
    for block in blocks:
        probs = block.floored()
        logs = np.log((probs + smoothing) / (1 + probs.shape[-1] * smoothing))
        if block.context.max(initial=0) < 1:
            found.append(Units(logs, block.present, block.target))
            continue
        number = (context_sizes(block.present, block.context) > 0).sum(axis=1)
        several, one = np.flatnonzero(number > 1), np.flatnonzero(number <= 1)
        of, here = by_context(logs, block.present, block.context)
        means = (
            np.where(here[..., None], of, 0).sum(axis=2) / np.maximum(here.sum(axis=2), 1)[..., None]
        )
        found += [
            Units(means[several], np.any(here, axis=2)[several], block.target[several]),
            Units(logs[one], block.present[one], block.target[one]),
        ]
    return [units for units in found if len(units.target)]


def judge(units: Sequence[Units], runs: int = MOST_RUNS, seed: int = 0) -> Judgement | None:
    """Judge the corrected KL incoherence and its interval on data sets drawn from the answers.

    Questions are drawn with replacement from those there are, and each one's units from its own. The truth
    is the plug-in incoherence of the answers themselves, as a population.

    Args:
        units: of the questions, by number of classes.
        runs: data sets at most.
        seed: of the draws.

    Returns:
        None where nothing is known: without error, or with fewer than two questions.
    """
    most = most_of(units)
    plugin = [_plugin(of.logs, of.here, of.target) for of in units]
    error, variance = (sum(float(part.sum()) for part in parts) for parts in zip(*plugin, strict=True))
    count = sum(len(of.target) for of in units)
    # What smoothing alone makes is no error.
    if count < 2 or error <= 1e-6 * count * min(1.0, most):
        return None
    truth = variance / error
    size = sum(of.logs.size for of in units)
    runs = min(runs, max(LEAST_RUNS, min(MOST_RUNS, IN_ALL // size)))
    random = np.random.default_rng(seed)
    at_once = max(1, AT_ONCE // size)
    values, held = [], []
    for first in range(0, runs, at_once):
        number = min(at_once, runs - first)
        drawn = [_corrected(*_draw(of, number, random)) for of in units]
        errors, variances = (np.concatenate(parts, axis=1).T for parts in zip(*drawn, strict=True))
        low, high = ratio_interval(variances, errors, most)
        values.append(variances.sum(axis=0) / np.maximum(errors.sum(axis=0), 1e-300))
        held.append(np.where(np.isnan(low), np.nan, (low <= truth) & (truth <= high)))
    of_runs, covered = np.concatenate(values), np.concatenate(held)
    known = np.isfinite(covered)
    if not known.any():
        return None
    bias = (of_runs[known].mean() - truth) / truth if truth > 1e-6 else 0.0
    return Judgement(float(covered[known].mean()), float(bias), int(known.sum()))


def most_of(units: Sequence[Units]) -> float:
    """Return the largest error that an answer can have: that of the least probability that any gave."""
    return max(float(-of.logs[of.here].min()) for of in units)


def plugin_and_corrected(
    units: Units,
) -> tuple[
    Float[np.ndarray, " questions"], Float[np.ndarray, " questions"], Float[np.ndarray, " questions"]
]:
    """Return each question's error, plug-in variance and jackknifed variance."""
    return *_plugin(*units), _corrected(*units)[1]


def _draw(
    units: Units, number: int, random: np.random.Generator
) -> tuple[Float[np.ndarray, "n questions units classes"], np.ndarray, np.ndarray]:
    """Return data sets: logs, which units there are, and targets."""
    questions, most = units.here.shape
    which = random.integers(0, questions, (number, questions))
    # Those that are there come first, and are drawn among.
    order = np.argsort(~units.here, axis=1, kind="stable")
    counts = units.here.sum(axis=1)[which]
    place = (random.random((number, questions, most)) * counts[..., None]).astype(int)
    chosen = np.take_along_axis(order[which], place, axis=2)
    logs = units.logs[which[..., None], chosen]
    return logs, np.arange(most) < counts[..., None], units.target[which]


def _plugin(logs: np.ndarray, here: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each question's error and plug-in variance."""
    total = np.where(here[..., None], logs, 0).sum(axis=-2)
    mean = total / here.sum(axis=-1)[..., None]
    error = -np.take_along_axis(mean, target[..., None], axis=-1)[..., 0]
    return error, _variance(mean)


def _corrected(logs: np.ndarray, here: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each question's error and jackknifed variance."""
    # The kernels' jackknife (`jackknife_kl`) once more, on purpose: of log-probabilities, in NumPy's float64
    # whether or not JAX has x64, and of data sets of ever other shapes, which would each be compiled anew. A
    # test holds the one to the other.
    error, full = _plugin(logs, here, target)
    count = here.sum(axis=-1)
    total = np.where(here[..., None], logs, 0).sum(axis=-2)
    one = _variance((total[..., None, :] - logs) / (count - 1)[..., None, None])
    mean_one = np.where(here, one, 0).sum(axis=-1) / count
    return error, count * full - (count - 1) * mean_one


def _variance(mean: Float[np.ndarray, "*shape classes"]) -> Float[np.ndarray, "*shape"]:
    # Class by class: there are few, and reductions over a short last axis take three times as long.
    classes = [mean[..., i] for i in range(mean.shape[-1])]
    most = functools.reduce(np.maximum, classes)
    return np.maximum(-most - np.log(sum(np.exp(of - most) for of in classes)), 0)
