"""How often the intervals of what compares hold the truth: a small part here, all of it in the slow test."""

import numpy as np
import pytest
from scipy import stats

from hotmess_jax.llm.coverage.comparisons import SIMULATIONS
from hotmess_jax.statistics.coverage import Seen

KNOWN = {simulation.name: simulation for simulation in SIMULATIONS}
# What intervals must hold the truth in, and tests reject a true null in.
COVERAGE, SIZE = 0.93, 0.07


def off(seen: list[Seen]) -> list[Seen]:
    """Return what falls below what is required by more than one in ten thousand."""
    found = []
    for of in seen:
        if of.kind == "coverage" and of.runs:
            bad = of.share < stats.binom.ppf(1e-4, of.runs, COVERAGE) / of.runs
        elif of.kind == "size" and of.runs:
            bad = of.share > stats.binom.ppf(1 - 1e-4, of.runs, SIZE) / of.runs
        else:
            bad = of.kind == "bias" and "plug-in" not in of.printed and _biased(of)
        if bad:
            found.append(of)
    return found


def _biased(of: Seen) -> bool:
    """Whether a mean estimate lies off the truth by more than chance, and by more than matters."""
    return abs(of.share) > 0.05 and abs(of.share) > 4 * of.standard_error


@pytest.mark.parametrize(
    ("name", "runs"), [("format-failures", 60), ("contexts", 15), ("lengths-in-contexts", 20)]
)
def test_what_is_printed_holds_in_a_few_runs(name, runs):
    seen = KNOWN[name].run(3, runs)
    assert seen and not off(seen)
    assert all(of.runs + of.without == runs for of in seen)


def test_a_simulation_sees_what_does_not_hold():
    wrong = [
        Seen("interval", "case", "coverage", 0.8, 200),
        Seen("test", "case", "size", 0.2, 200),
        Seen("estimate, corrected", "case", "bias", -0.1, 200, spread=0.1),
    ]
    right = [
        Seen("interval", "case", "coverage", 0.92, 200),
        Seen("test", "case", "size", 0.06, 200),
        Seen("estimate, plug-in", "case", "bias", -0.1, 200, spread=0.1),
        Seen("none", "case", "coverage", float("nan"), 0, 200),
    ]
    assert off(wrong + right) == wrong


def test_simulations_of_a_seed_are_the_same():
    first, again, other = (KNOWN["format-failures"].run(seed, 5) for seed in (1, 1, 2))
    assert first == again and first != other
    assert len(np.unique([of.case for of in first])) == len(first)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(KNOWN))
def test_what_is_printed_holds(name):
    seen = KNOWN[name].run(0, min(KNOWN[name].runs, 200))
    assert not off(seen)
