"""Intervals over starts where few of them hold the error, in a simulation with known truth."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from hotmess_jax.statistics.estimate import Interval
from hotmess_jax.synthetic.curves import LEAST_EFFECTIVE, effective_starts, guarded
from hotmess_jax.synthetic.quadratic import Quadratic
from hotmess_jax.synthetic.results import CorrectedStep, FinalStep

STARTS, SIMULATIONS, RESAMPLES = 1024, 160, 200


def ends(random, count, share, spread):
    """Ends of starts, a share of which strayed: log-normally far, to one side."""
    strayed = random.random(count) < share
    far = np.where(strayed, 0.5 * np.exp(spread * random.normal(size=count)), 0.02)
    angle = np.where(strayed, 0.3 * random.normal(size=count), random.uniform(-np.pi, np.pi, count))
    return np.stack([far * np.cos(angle), far * np.sin(angle)], axis=-1)


def parts(bias2, error):
    return np.stack([bias2, error - bias2, error, 1 - bias2 / error])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("share", "spread", "shown", "least"),
    [
        (0.005, 0.3, (0.0, 0.02), None),
        (0.02, 0.3, (0.0, 0.02), None),
        (0.1, 0.3, (0.98, 1.0), 0.90),
        (0.3, 0.3, (1.0, 1.0), 0.90),
        (0.01, 1.0, (0.0, 0.05), None),
        (0.3, 1.0, (0.0, 0.1), None),
    ],
)
def test_intervals_are_shown_only_where_they_cover(share, spread, shown, least):
    random = np.random.default_rng(0)
    many = ends(random, 2_000_000, share, spread)
    mean = many.mean(axis=0)
    truth = parts((mean**2).sum(), (many**2).sum(axis=-1).mean())
    covered = []
    for _ in range(SIMULATIONS):
        last = ends(random, STARTS, share, spread)
        error = (last**2).sum(axis=-1)
        if error.sum() ** 2 / (error**2).sum() < LEAST_EFFECTIVE:
            continue
        weights = random.multinomial(STARTS, np.full(STARTS, 1 / STARTS), size=RESAMPLES) / STARTS
        resampled = parts(((weights @ last) ** 2).sum(axis=-1), weights @ error)
        low, high = np.quantile(resampled, [0.025, 0.975], axis=-1)
        covered.append((low <= truth) & (truth <= high))
    share_shown = len(covered) / SIMULATIONS
    assert shown[0] <= share_shown <= shown[1]
    if least is not None:
        assert (np.mean(covered, axis=0) >= least).all()


def test_the_effective_number_of_starts():
    problem = Quadratic(jnp.eye(2), jnp.zeros(2))
    alike = jnp.tile(jnp.asarray([[0.0, 2.0]]), (100, 1))
    np.testing.assert_allclose(effective_starts(problem, alike), 100, rtol=1e-6)
    np.testing.assert_allclose(effective_starts(problem, alike.at[:90].set(0)), 10, rtol=1e-6)
    assert effective_starts(problem, 0 * alike) == 0


def test_few_effective_starts_leave_no_interval():
    over_starts = ("bias2", "variance", "error", "incoherence")
    intervals = {f"{name}_ci95": Interval(0.1, 0.2) for name in over_starts}
    final = FinalStep(
        bias2=0.1, variance=0.2, error=0.3, incoherence=0.5, rise=0.2, plateau=0.5, worst_percent_share=0.1,
        corrected=CorrectedStep(bias2=0.1, variance=0.2, incoherence=0.5),
        rise_ci95=Interval(0.3, 0.4), **intervals,
    )  # fmt: skip
    assert guarded(final, 400.0) == dataclasses.replace(final, effective_starts=400.0)
    few = guarded(final, 3.456)
    assert few.effective_starts == 3.46 and few.rise_ci95 == Interval(0.3, 0.4)
    assert all(getattr(few, f"{name}_ci95") is None for name in over_starts)
