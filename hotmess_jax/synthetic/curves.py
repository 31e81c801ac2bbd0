"""Bias², variance and incoherence of trajectories, per step and per eigen-direction."""

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from hotmess_jax.statistics.estimate import Interval
from hotmess_jax.synthetic.quadratic import Quadratic
from hotmess_jax.synthetic.results import (
    CorrectedCurves,
    CorrectedStep,
    Curves,
    Directions,
    FinalStep,
    Rows,
    Shares,
    SplitCurves,
    Step,
    Values,
    fields_of,
)
from kernels.arrays import Scalar
from kernels.decompositions import Decomposition, incoherence, squared_error, squared_norm
from kernels.estimators import unbiased
from kernels.resampling import bootstrap, percentile_interval


class Split(NamedTuple):
    """A decomposition at each step: plug-in, corrected, and within each eigen-direction of A."""

    plugin: Decomposition
    corrected: Decomposition
    directions: Decomposition


@jax.jit
def split_over_starts(problem: Quadratic, states: Float[Array, "points starts d"]) -> Split:
    """Split the squared A-norm distance to b, over starts, at each step.

    In A's eigenbasis the A-norm is a sum over directions, and so are bias² and variance.

    Args:
        problem: whose minimum and norm are meant.
        states: of the trajectories.

    Returns:
        A `Split` of shape `[points]`, and `[points, d]` by direction, eigenvalues ascending.

    Source: Hägele et al. 2026, Appendix B.4 (Evaluation).
    """
    eigenvalues, eigenvectors = problem.eigen()
    along = jnp.matmul(states - problem.b, eigenvectors, precision="highest")
    scaled = jnp.moveaxis(along * jnp.sqrt(eigenvalues), -1, 1)[..., None]
    plugin = squared_error(states, problem.b, problem.A)
    return Split(
        plugin,
        unbiased(plugin, states.shape[1]),
        squared_error(scaled, jnp.zeros(1)),
    )


@jax.jit
def split_within_starts(
    problem: Quadratic, states: Float[Array, "points samples starts d"]
) -> tuple[Decomposition, Decomposition]:
    """Split over the samples of each start, then average over starts; plug-in and corrected.

    It is the decomposition of the LLM half: variance is the model's own randomness.

    Source: Hägele et al. 2026, Section 2.
    """
    per_start = squared_error(jnp.swapaxes(states, 1, 2), problem.b, problem.A)
    plugin = jax.tree.map(lambda part: part.mean(axis=-1), per_start)
    return plugin, unbiased(plugin, states.shape[1])


class Strays(NamedTuple):
    """Whether few starts make the error."""

    strayed: Float[Array, ""]  # share of the starts
    # Of the error, held by the worst 1 % of the starts; NaN without error.
    worst_percent_share: Float[Array, ""]
    median_error: Float[Array, ""]  # of the starts' squared A-norm distances to b


@jax.jit
def strays(problem: Quadratic, last: Float[Array, "starts d"], radius: Scalar) -> Strays:
    """Tell whether few starts make the error, and what does not hang on them.

    Args:
        problem: whose minimum and norm are meant.
        last: where each start ended.
        radius: further than this from b, in units of x, a start has strayed.
    """
    distance = jnp.linalg.norm(last - problem.b, axis=-1)
    error = jnp.sort(squared_norm(last - problem.b, problem.A))
    worst = max(1, len(error) // 100)
    total = error.sum()
    share = jnp.where(total > 0, error[-worst:].sum() / jnp.where(total > 0, total, 1), jnp.nan)
    return Strays((distance > radius).mean(), share, jnp.median(error))


@jax.jit
def effective_starts(problem: Quadratic, last: Float[Array, "starts d"]) -> Float[Array, ""]:
    """Return how many starts, of equal error, would hold the error as these do: (Σe)² / Σe²; 0 without error.

    Where few hold it, resampling the starts does not tell how much error others would have had.
    """
    error = squared_norm(last - problem.b, problem.A)
    squares = (error**2).sum()
    return jnp.where(squares > 0, error.sum() ** 2 / jnp.where(squares > 0, squares, 1), 0.0)


# Below so many of them, intervals over starts were seen to cover too seldom (tests/test_curves.py).
LEAST_EFFECTIVE = 50


def guarded(final: FinalStep, effective: float) -> FinalStep:
    """Return a last step with its effective number of starts, and no interval over starts where that is small."""
    final = dataclasses.replace(final, effective_starts=round(effective, 2))
    if effective >= LEAST_EFFECTIVE:
        return final
    return dataclasses.replace(
        final, bias2_ci95=None, variance_ci95=None, error_ci95=None, incoherence_ci95=None
    )


class FinalStatistics(NamedTuple):
    """What the bootstrap over starts looks at, of the last step."""

    bias2: Float[Array, "*shape"]
    variance: Float[Array, "*shape"]
    error: Float[Array, "*shape"]
    incoherence: Float[Array, "*shape"]
    # Incoherence at the last step less that at step 0, of the same starts.
    rise: Float[Array, "*shape"]


@functools.partial(jax.jit, static_argnames=("resamples",))
def bootstrap_over_starts(
    key: Key[Array, ""],
    problem: Quadratic,
    states: Float[Array, "points starts d"],
    resamples: int,
) -> FinalStatistics:
    """Return 95 % percentile intervals, over resampled starts, of the last step's statistics."""

    def statistics(ends: Float[Array, "starts 2 d"]) -> FinalStatistics:
        split = squared_error(jnp.swapaxes(ends, 0, 1), problem.b, problem.A)
        first, last = incoherence(split, axis=())
        return FinalStatistics(split.bias2[1], split.variance[1], split.error[1], last, last - first)

    ends = jnp.stack([states[0], states[-1]], axis=1)
    return jax.tree.map(percentile_interval, bootstrap(key, statistics, ends, replicates=resamples))


@functools.partial(jax.jit, static_argnames=("resamples",))
def bootstrap_of_samples(
    key: Key[Array, ""],
    problem: Quadratic,
    last: Float[Array, "samples starts d"],
    resamples: int,
) -> Float[Array, " 2"]:
    """Return the 95 % interval, over resampled starts, of the incoherence within starts."""
    per_start = squared_error(jnp.swapaxes(last, 0, 1), problem.b, problem.A)
    return percentile_interval(bootstrap(key, incoherence, per_start, replicates=resamples))


def to_values(values: Float[Array | np.ndarray, " n"]) -> Values:
    """Return float32 values as JSON numbers, each in the fewest digits that give it back."""
    return tuple(float(str(value)) for value in np.asarray(values))


def to_rows(values: Float[Array | np.ndarray, "n m"]) -> Rows:
    """Return the same of a matrix."""
    return tuple(to_values(row) for row in np.asarray(values))


def to_float(value: Float[Array | np.ndarray, ""]) -> float:
    """Return one float32 value as a JSON number."""
    return to_values(jnp.reshape(value, (1,)))[0]


def float_or_none(value: Float[Array | np.ndarray, ""]) -> float | None:
    """Return one float32 value as a JSON number, None where it is 0/0."""
    return to_shares(jnp.reshape(value, (1,)))[0]


def to_shares(values: Float[Array | np.ndarray, " n"]) -> Shares:
    """Return incoherence as JSON numbers, None where there is no error to divide."""
    return tuple(None if value != value else value for value in to_values(values))


def to_interval(ends: Float[Array | np.ndarray, " 2"]) -> Interval:
    """Return the ends of an interval, None where there is no error to divide."""
    return Interval(*to_shares(ends))


def rise_of(incoherence: Shares) -> float | None:
    """Return last less first, None where one of these is."""
    first, last = incoherence[0], incoherence[-1]
    return None if first is None or last is None else last - first


def plateau_of(incoherence: Shares) -> float | None:
    """Return the mean of the last tenth, None where one of these is."""
    tail = incoherence[-max(1, len(incoherence) // 10) :]
    known = [value for value in tail if value is not None]
    return sum(known) / len(tail) if len(known) == len(tail) else None


def split_curves(plugin: Decomposition, corrected: Decomposition) -> SplitCurves:
    """Return a decomposition over steps, with its corrected form, as it is written."""
    return SplitCurves(
        bias2=to_values(plugin.bias2),
        variance=to_values(plugin.variance),
        error=to_values(plugin.error),
        incoherence=to_shares(incoherence(plugin, axis=())),
        corrected=CorrectedCurves(
            bias2=to_values(corrected.bias2),
            variance=to_values(corrected.variance),
            incoherence=to_shares(incoherence(corrected, axis=())),
        ),
    )


def curves_of(problem: Quadratic, states: Float[Array, "points starts d"]) -> Curves:
    """Return the curves of trajectories over steps 0..T, as they are written."""
    split = split_over_starts(problem, states)
    directions = Directions(
        bias2=to_rows(split.directions.bias2.T), variance=to_rows(split.directions.variance.T)
    )
    return Curves(**fields_of(split_curves(split.plugin, split.corrected)), directions=directions)


def last_of(curves: SplitCurves) -> Step:
    """Return the last step of curves."""
    corrected = curves.corrected
    return Step(
        bias2=curves.bias2[-1],
        variance=curves.variance[-1],
        error=curves.error[-1],
        incoherence=curves.incoherence[-1],
        corrected=CorrectedStep(
            bias2=corrected.bias2[-1],
            variance=corrected.variance[-1],
            incoherence=corrected.incoherence[-1],
        ),
    )
