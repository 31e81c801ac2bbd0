import numpy as np
import pytest

from hotmess_jax.statistics.estimate import Estimate, Estimates, Interval, estimate_of, estimates_of


def test_estimates_of_numbers_that_are_not_known_are_null():
    found = estimates_of(np.asarray([1.5, np.nan]), np.asarray([[1.0, np.nan], [np.inf, 2.0]]))
    assert found == Estimates((1.5, None), (Interval(1.0, None), Interval(None, 2.0)))
    assert found[0] == estimate_of(1.5, np.asarray([1.0, np.inf]))
    assert found.ends == [1.0, None, None, 2.0] and len(found) == 2


def test_an_estimate_without_a_count_of_its_own_comes_back():
    estimate = Estimate(None, Interval(None, None))
    assert estimate.to_json() == {"value": None, "ci95": [None, None]}
    assert Estimate.of_json(estimate.to_json()) == estimate


def test_as_many_values_as_intervals():
    with pytest.raises(ValueError, match="2 values have 1 intervals"):
        Estimates((1.0, 2.0), (Interval(0.0, 3.0),))
