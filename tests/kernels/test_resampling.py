"""The bootstrap: what it draws, and how often its intervals hold the truth."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kernels.decompositions import Decomposition, brier, incoherence
from kernels.resampling import (
    bootstrap,
    percentile_interval,
    sample_efficiency,
)


def test_batches_make_no_difference():
    data = jax.random.normal(jax.random.key(0), (30, 2))
    one, other = (
        bootstrap(jax.random.key(1), lambda d: d.mean(0), data, replicates=64, batch=b) for b in (64, 7)
    )
    np.testing.assert_allclose(one, other, atol=1e-6)
    assert one.shape == (64, 2)


def test_what_is_drawn_is_what_was_asked_for():
    """Samples carry their question's number, so that what was drawn can be read off."""
    questions = jnp.arange(5)
    samples = 10 * jnp.arange(5)[:, None] + jnp.arange(3)
    present = jnp.asarray([[True, True, True]] * 4 + [[False, True, False]])

    def look(q, s):
        return q, s

    def draw(over, **more):
        return bootstrap(jax.random.key(2), look, questions, samples, over, replicates=200, **more)

    q, s = draw("questions")
    assert np.array_equal(s, 10 * q[..., None] + jnp.arange(3))
    assert len(np.unique(q)) == 5 and (np.sort(q, axis=1) != jnp.arange(5)).any()
    q, s = draw("samples")
    assert np.array_equal(q, jnp.broadcast_to(questions, q.shape))
    assert np.array_equal(s // 10, jnp.broadcast_to(questions[:, None], s.shape))
    shares = np.bincount(np.asarray(s).ravel() % 10) / s.size
    np.testing.assert_allclose(shares, 1 / 3, atol=0.03)
    _, s = draw("samples", present=present)
    assert (s[:, 4, 1] == 41).all()
    assert set(np.unique(s[:, 0])) == {0, 1, 2}
    q, s = draw("both")
    assert np.array_equal(s // 10, jnp.broadcast_to(q[..., None], s.shape))
    assert (s[..., 0] != s[..., 1]).any() and (q != questions).any()


def test_samples_are_needed_to_be_drawn():
    with pytest.raises(ValueError, match="over samples needs samples"):
        bootstrap(jax.random.key(0), jnp.mean, jnp.ones(3), over="samples")


def simulate(key, questions=200, samples=6):
    """Questions whose right class has a probability of their own; true incoherence known."""
    rate_key, answer_key = jax.random.split(key)
    right = jax.random.beta(rate_key, 2.0, 1.0, (questions,))
    hit = jax.random.uniform(answer_key, (questions, samples)) < right[:, None]
    probs = jnp.stack([hit, ~hit], axis=-1).astype(jnp.float32)
    return brier(probs, jnp.zeros(questions, jnp.int32))


def test_intervals_of_incoherence_cover_the_truth():
    # With p ~ Beta(2, 1): E p(1 − p) = 1/6, E (1 − p)² = 1/6; of 6 samples the plug-in variance is
    # 2·(5/6)·E p(1 − p), and the error 2·E(1 − p) = 2/3.
    truth = (2 * 5 / 6 / 6) / (2 / 3)

    def covers(key):
        data_key, bootstrap_key = jax.random.split(key)
        parts = simulate(data_key)
        resampled = bootstrap(bootstrap_key, incoherence, parts, replicates=400)
        low, high = percentile_interval(resampled)
        return (low <= truth) & (truth <= high)

    held = jax.jit(lambda keys: jax.lax.map(covers, keys, batch_size=20))
    covered = float(held(jax.random.split(jax.random.key(3), 2_000)).mean())
    assert 0.93 < covered < 0.97


def test_sample_efficiency_is_that_of_new_samples_of_the_same_questions():
    rng = np.random.default_rng(8)
    shares, eye = np.asarray([0.5, 0.3, 0.2]), np.eye(3, dtype=np.float32)
    probs, target = eye[rng.choice(3, (300, 12), p=shares)], np.zeros(300, np.int32)
    found = sample_efficiency(jax.random.key(9), brier, probs, target, replicates=200)
    whole = brier(probs, target)
    assert found.samples.tolist() == list(range(2, 7))
    # Of n drawn from the twelve, the variance is (n − 1)/n of the unbiased one, in expectation.
    n = np.arange(2, 7)
    expected = float(whole.variance.mean()) * 12 / 11 * (n - 1) / n
    np.testing.assert_allclose(found.variance, expected, atol=4e-3)
    for i, count in enumerate(n):
        new = brier(eye[rng.choice(3, (200 * 300, count), p=shares)], np.zeros(200 * 300, int))
        for name, spread in (("bias2", found.bias2_spread), ("variance", found.variance_spread)):
            truth = np.asarray(getattr(new, name)).reshape(200, 300).mean(axis=1).std(ddof=1)
            # Two spreads of 200 each: 5 % of error apiece. Without the correction it would be .71 at 6.
            assert float(spread[i]) == pytest.approx(truth, rel=0.2)
    with pytest.raises(ValueError, match="at least 4 samples, got 3"):
        sample_efficiency(jax.random.key(9), brier, probs[:, :3], target)


def test_where_a_resample_has_no_error_nothing_is_known():
    right = Decomposition(*(jnp.asarray([0.0, 0.0, 0.0, x]) for x in (1.0, 0.5, 0.5)))
    drawn = bootstrap(jax.random.key(14), incoherence, right, replicates=100)
    assert np.isnan(drawn).any() and (drawn[~np.isnan(drawn)] == 0.5).all()
    assert np.isnan(percentile_interval(drawn)).all()
