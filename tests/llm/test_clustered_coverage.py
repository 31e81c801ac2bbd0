"""Intervals of analyses over whole clusters hold the truth where those over questions alone do not."""

import numpy as np
import pytest
from scipy import stats

from hotmess_jax.llm.coverage.clusters import SIMULATIONS, in_clusters

KNOWN = {simulation.name: simulation for simulation in SIMULATIONS}


def test_questions_of_a_cluster_correlate_by_one_half_and_others_do_not():
    random = np.random.default_rng(0)
    values = np.stack([in_clusters(random, 4) for _ in range(20_000)])
    assert values.std() == pytest.approx(1, abs=0.02)
    found = np.corrcoef(values.T)
    assert found[0, 4] == pytest.approx(0.5, abs=0.03) and found[4, 5] == pytest.approx(0, abs=0.03)


def test_a_few_runs_tell_both_apart():
    seen = KNOWN["clusters-answers"].run(1, 40)
    shares = {
        over: np.mean([of.share for of in seen if of.printed.endswith(over)])
        for over in ("over clusters", "over questions alone")
    }
    assert shares["over clusters"] > 0.9 > shares["over questions alone"]


# Of few questions a plain interval of incoherence or of an exponent holds the truth more often than it says.
WIDE = ("incoherence", "coefficient")


@pytest.mark.slow
@pytest.mark.parametrize("name", list(KNOWN))
def test_clustered_intervals_cover_and_plain_ones_less(name):
    seen = KNOWN[name].run(0, 300)
    clustered = [of for of in seen if of.printed.endswith("over clusters")]
    for of in clustered:
        assert of.without < 0.02 * (of.runs + of.without)
        low, high = stats.binom.ppf([1e-3, 1 - 1e-3], of.runs, [0.93, 0.97]) / of.runs
        assert low <= of.share, of
        assert of.share <= high or any(word in of.printed for word in WIDE), of
    plain = [of.share for of in seen if of not in clustered]
    assert min(plain) < 0.88 and np.mean(plain) < np.mean([of.share for of in clustered])
