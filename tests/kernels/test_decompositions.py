"""Decompositions against plain loops."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kernels.decompositions import Decomposition, incoherence, squared_error
from kernels.estimators import unbiased
from kernels.resampling import bootstrap, percentile_interval


def loops(points, target, matrix):
    """Error, bias² and variance by a double loop over samples and coordinates, in float64."""
    samples, d = len(points), len(target)
    mean = [sum(float(p[i]) for p in points) / samples for i in range(d)]

    def norm2(v):
        return sum(v[i] * float(matrix[i][j]) * v[j] for i in range(d) for j in range(d))

    error = sum(norm2([float(p[i]) - float(target[i]) for i in range(d)]) for p in points) / samples
    bias2 = norm2([mean[i] - float(target[i]) for i in range(d)])
    variance = sum(norm2([float(p[i]) - mean[i] for i in range(d)]) for p in points) / samples
    return error, bias2, variance


@pytest.mark.parametrize("use_matrix", [True, False])
def test_squared_error_agrees_with_a_double_loop(use_matrix):
    rng = np.random.default_rng(0)
    points = rng.normal(1, 2, (17, 3)).astype(np.float32)
    target = rng.normal(0, 1, 3).astype(np.float32)
    root = rng.normal(0, 1, (3, 3))
    matrix = (root @ root.T).astype(np.float32) if use_matrix else None
    found = squared_error(points, target, matrix)
    expected = loops(points, target, np.eye(3) if matrix is None else matrix)
    np.testing.assert_allclose([float(part) for part in found], expected, rtol=1e-5)


@settings(max_examples=100, deadline=None)
@given(
    hnp.arrays(np.float32, (6, 2), elements=st.floats(-100, 100, width=32)),
    hnp.arrays(np.float32, 2, elements=st.floats(-100, 100, width=32)),
)
def test_error_is_the_mean_squared_distance(points, target):
    found = squared_error(points, target)
    direct = ((points.astype(np.float64) - target) ** 2).sum(-1).mean()
    np.testing.assert_allclose(found.error, direct, rtol=1e-4, atol=1e-6)
    assert found.error == found.bias2 + found.variance
    assert min(found.bias2, found.variance) >= 0


def test_it_vmaps_and_broadcasts_to_the_same_numbers():
    rng = np.random.default_rng(1)
    points = rng.normal(size=(4, 5, 7, 2)).astype(np.float32)
    target, matrix = np.ones(2, np.float32), np.diag([2.0, 0.5]).astype(np.float32)
    batched = squared_error(points, target, matrix)
    mapped = jax.vmap(jax.vmap(lambda p: squared_error(p, target, matrix)))(points)
    assert batched.error.shape == (4, 5)
    for one, other in zip(batched, mapped, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_incoherence_is_the_variance_s_share_and_nothing_without_error():
    one = Decomposition(jnp.asarray([4.0, 0.0]), jnp.asarray([1.0, 0.0]), jnp.asarray([3.0, 0.0]))
    found = incoherence(one, axis=())
    assert float(found[0]) == 0.75 and np.isnan(found[1])
    assert float(incoherence(one)) == 0.75


def test_corrected_forms_are_unbiased_and_plug_in_forms_are_not():
    samples, trials = 5, 200_000
    truth_bias2, truth_variance = 0.5**2, 2.0
    points = 0.5 / np.sqrt(2) + jax.random.normal(jax.random.key(0), (trials, samples, 2))
    plugin = squared_error(points, jnp.zeros(2))
    corrected = unbiased(plugin, samples)
    for part, truth in (("bias2", truth_bias2), ("variance", truth_variance)):
        values = np.asarray(getattr(corrected, part))
        assert abs(values.mean() - truth) < 4 * values.std() / np.sqrt(trials)
    # Bias² is too high by variance / samples, which the test above would notice.
    excess = np.asarray(plugin.bias2).mean() - truth_bias2
    np.testing.assert_allclose(excess, truth_variance / samples, rtol=0.03)
    np.testing.assert_allclose(corrected.bias2 + corrected.variance, plugin.error, atol=1e-5)


def test_an_unbiased_variance_needs_two_samples():
    zero = jnp.zeros(())
    with pytest.raises(ValueError, match="got 1"):
        unbiased(Decomposition(zero, zero, zero), 1)


def test_bootstrap_intervals_cover_the_mean():
    samples, trials = 60, 400

    def covers(key):
        data_key, bootstrap_key = jax.random.split(key)
        data = jax.random.exponential(data_key, (samples,))
        low, high = percentile_interval(bootstrap(bootstrap_key, jnp.mean, data, replicates=300))
        return (low <= 1) & (high >= 1)

    covered = float(jnp.mean(jax.jit(jax.vmap(covers))(jax.random.split(jax.random.key(2), trials))))
    # Percentile intervals of a skewed mean under-cover a little at 60 samples.
    assert 0.89 < covered < 0.97
