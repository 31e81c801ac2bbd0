"""Corrected estimates, nested variances and ensembles: simulations with known truth."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import digamma

from kernels.decompositions import Decomposition, brier, coverage, kl, log_mean_variance, smoothed_log
from kernels.estimators import (
    ensemble,
    ensemble_curve,
    expected_ensemble_brier,
    jackknife_kl,
    nested,
    nested_kl,
    nested_squared_error,
    unbiased,
)


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


CLASS_PROBS = np.asarray([0.5, 0.3, 0.2])


def answers(seed, *shape):
    rng = np.random.default_rng(seed)
    return np.eye(3)[rng.choice(3, size=shape, p=CLASS_PROBS)]


def assert_unbiased(values, truth):
    values = np.asarray(values)
    assert abs(values.mean() - truth) < 4 * values.std() / np.sqrt(len(values))


def test_brier_and_coverage_are_unbiased_once_corrected():
    samples, trials = 4, 100_000
    target = np.zeros(trials, int)
    split = unbiased(brier(answers(0, trials, samples), target), samples)
    truth_variance = 1 - (CLASS_PROBS**2).sum()
    truth_bias2 = ((np.eye(3)[0] - CLASS_PROBS) ** 2).sum()
    assert_unbiased(split.variance, truth_variance)
    assert_unbiased(split.bias2, truth_bias2)

    passing = np.asarray([0.9, 0.2])
    outcomes = (np.random.default_rng(1).random((trials, samples, 2)) < passing).astype(float)
    split = unbiased(coverage(outcomes), samples)
    assert_unbiased(split.variance, (passing * (1 - passing)).mean())
    assert_unbiased(split.bias2, ((1 - passing) ** 2).mean())


def test_ragged_numbers_are_corrected_each_by_its_own():
    probs, target = answers(2, 3, 6), np.zeros(3, int)
    present = np.arange(6) < np.asarray([6, 3, 1])[:, None]
    found = unbiased(brier(probs, target, present), present.sum(axis=1))
    for q, n in ((0, 6), (1, 3)):
        alone = unbiased(brier(probs[q, :n], target[q]), n)
        np.testing.assert_allclose(found.variance[q], alone.variance)
    assert np.isnan(found.variance[2])


def loop_jackknife(logs, order):
    """By leaving out each sample, and each pair, in a loop."""

    def theta(chosen):
        return float(log_mean_variance(jnp.asarray(logs[list(chosen)].mean(axis=0))))

    n = len(logs)
    everyone = range(n)
    one = np.mean([theta(c) for c in itertools.combinations(everyone, n - 1)])
    if order == 1:
        return n * theta(everyone) - (n - 1) * one
    two = np.mean([theta(c) for c in itertools.combinations(everyone, n - 2)])
    return (n**2 * theta(everyone) - 2 * (n - 1) ** 2 * one + (n - 2) ** 2 * two) / 2


@pytest.mark.parametrize("order", [1, 2])
def test_the_jackknife_agrees_with_a_loop_also_where_samples_are_missing(order):
    rng = np.random.default_rng(3)
    probs = rng.dirichlet(np.ones(3), (4, 6))
    present = np.arange(6) < np.asarray([6, 5, 3, order])[:, None]
    found = jackknife_kl(probs, np.zeros(4, int), 1e-12, order, present)
    for q in range(3):
        logs = np.asarray(smoothed_log(jnp.asarray(probs[q][present[q]]), 1e-12))
        np.testing.assert_allclose(found.variance[q], loop_jackknife(logs, order), rtol=1e-9)
    assert np.isnan(found.variance[3])
    total = found.bias2 + found.variance
    np.testing.assert_allclose(total[:3], found.error[:3], rtol=1e-12)


def test_the_jackknife_takes_most_of_the_bias_of_kl_away():
    rng = np.random.default_rng(4)
    concentration = np.asarray([4.0, 2.0, 2.0])
    many = rng.dirichlet(concentration, 4_000_000)
    truth = -np.log(np.exp(np.log(many).mean(axis=0)).sum())
    few = rng.dirichlet(concentration, (40_000, 6))
    target = np.zeros(40_000, int)
    plugin, first, second = (
        np.asarray(part.variance)
        for part in (kl(few, target), jackknife_kl(few, target), jackknife_kl(few, target, order=2))
    )
    noise = 4 * first.std() / np.sqrt(len(first)) + 2e-4
    assert plugin.mean() - truth < -0.1 * truth
    assert abs(first.mean() - truth) < 0.1 * abs(plugin.mean() - truth) + noise
    assert abs(second.mean() - truth) < noise + 4 * second.std() / np.sqrt(len(second))


def hierarchy(seed, trials, contexts, samples):
    """One-hot answers whose class probabilities depend on the context."""
    rng = np.random.default_rng(seed)
    by_context = np.asarray([[0.8, 0.1, 0.1], [0.3, 0.4, 0.3]])
    which = rng.integers(0, 2, (trials, contexts))
    cumulative = by_context[which].cumsum(axis=-1)[..., None, :]
    drawn = (rng.random((trials, contexts, samples, 1)) > cumulative[..., :-1]).sum(axis=-1)
    within = np.mean([1 - (p**2).sum() for p in by_context])
    between = ((by_context - by_context.mean(axis=0)) ** 2).sum(axis=1).mean()
    return np.eye(3)[drawn], between, within


def test_nested_brier_variances_are_unbiased():
    probs, between, within = hierarchy(5, 60_000, 4, 3)
    found = nested(probs)
    assert_unbiased(found.between, between)
    assert_unbiased(found.within, within)
    assert_unbiased(found.total, between + within)


def test_nested_variances_add_up_to_the_total():
    probs = np.random.default_rng(6).dirichlet(np.ones(4), (5, 10, 3))
    flat, target = probs.reshape(5, 30, 4), np.zeros(5, int)
    for parts, whole in (
        (nested(probs, correct=False), brier(flat, target)),
        (nested(probs, "kl", correct=False), kl(flat, target)),
    ):
        np.testing.assert_allclose(parts.between + parts.within, whole.variance, rtol=1e-10)
        assert (np.asarray(parts.between) > 0).all() and (np.asarray(parts.within) > 0).all()


def test_nested_decompositions_take_unequal_numbers_of_samples():
    """Contexts of one to three samples, and questions of one context; the truth of the whole is known."""
    probs, between, within = hierarchy(9, 40_000, 5, 3)
    rng = np.random.default_rng(10)
    number = rng.integers(0, 4, (40_000, 5))
    number[:, :2] = np.maximum(number[:, :2], 1)
    present = np.arange(3) < number[..., None]
    truth = np.asarray([[0.8, 0.1, 0.1], [0.3, 0.4, 0.3]]).mean(axis=0) - np.eye(3)[0]
    found, parts = nested_squared_error(probs, np.eye(3)[0], present)
    assert_unbiased(found.bias2, (truth**2).sum())
    assert_unbiased(found.variance, between + within)
    assert_unbiased(found.error, (truth**2).sum() + between + within)
    told = (number > 1).any(axis=1)
    assert np.isnan(np.asarray(parts.within)[~told]).all()
    assert_unbiased(np.asarray(parts.within)[told], within)
    alone = nested_squared_error(probs, np.eye(3)[0], present & (np.arange(5) == 0)[:, None])[0]
    assert np.isnan(np.asarray(alone.variance)).all()
    # One sample a context is what independent samples are; KL likewise.
    few, target = probs[:50, :, 0], np.zeros(50, int)
    for whole, each in (
        (nested_squared_error(few[:, :, None], np.eye(3)[0])[0], unbiased(brier(few, target), 5)),
        (nested_kl(few[:, :, None], target, 1e-3)[0], jackknife_kl(few, target, 1e-3)),
    ):
        for part, same in zip(whole, each, strict=True):
            np.testing.assert_allclose(part, same, rtol=1e-9, atol=1e-12)


def test_nested_kl_within_is_the_mean_of_each_context_s_own():
    probs = np.random.default_rng(7).dirichlet(np.ones(4), (5, 10, 3))
    each = kl(probs, np.zeros((5, 10), int)).variance
    np.testing.assert_allclose(nested(probs, "kl", correct=False).within, each.mean(axis=1), rtol=1e-10)


def test_nested_kl_variances_lose_most_of_their_bias():
    """Contexts that are Dirichlet concentrations; the truth from very many contexts and samples."""
    rng = np.random.default_rng(11)
    concentrations = np.asarray([[6.0, 2.0, 2.0], [2.0, 4.0, 4.0]])

    def draw(trials, contexts, samples):
        gamma = rng.standard_gamma(
            concentrations[rng.integers(0, 2, (trials, contexts))][:, :, None],
            (trials, contexts, samples, 3),
        )
        return gamma / gamma.sum(axis=-1, keepdims=True)

    # E log f of a Dirichlet is known: digamma of its concentration less that of the sum.
    logs = digamma(concentrations) - digamma(concentrations.sum(axis=1, keepdims=True))
    within = float(log_mean_variance(jnp.asarray(logs)).mean())
    total = float(log_mean_variance(jnp.asarray(logs.mean(axis=0))))
    probs = draw(30_000, 6, 4)
    plugin, corrected = nested(probs, "kl", correct=False), nested(probs, "kl")
    for part, truth in (("between", total - within), ("within", within), ("total", total)):
        rough, fine = (np.asarray(getattr(n, part)) for n in (plugin, corrected))
        noise = 4 * fine.std() / np.sqrt(len(fine))
        assert abs(fine.mean() - truth) < 0.15 * abs(rough.mean() - truth) + noise


def test_the_curve_of_ensembles_holds_each_size():
    probs, target = answers(12, 5, 7), np.zeros(5, int)
    curve = ensemble_curve(probs, target)
    assert curve.error.shape == (3, 5)
    for size in (1, 2, 3):
        np.testing.assert_allclose(curve.bias2[size - 1], ensemble(probs, target, size).bias2)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_ensembles_variance_falls_as_one_over_their_size_and_bias_stays(size):
    trials, samples = 40_000, 10
    probs, target = answers(8, trials, samples), np.zeros(trials, int)
    count = samples // size
    found = unbiased(ensemble(probs, target, size), count)
    bias2 = jnp.asarray(((np.eye(3)[0] - CLASS_PROBS) ** 2).sum())
    variance = jnp.asarray(1 - (CLASS_PROBS**2).sum())
    expected = expected_ensemble_brier(Decomposition(bias2 + variance, bias2, variance), size)
    for part in ("error", "bias2", "variance"):
        assert_unbiased(getattr(found, part), float(getattr(expected, part)))


def test_what_cannot_be_estimated_is_refused():
    with pytest.raises(ValueError, match="got 1"):
        unbiased(brier(answers(9, 2, 1), np.zeros(2, int)), 1)
    with pytest.raises(ValueError, match="two ensembles of 6 need 12 samples, got 10"):
        ensemble(answers(9, 2, 10), np.zeros(2, int), 6)
    with pytest.raises(ValueError, match="got 1 of 3"):
        nested(answers(9, 2, 1, 3))
    with pytest.raises(ValueError, match="got 3"):
        jackknife_kl(answers(9, 2, 5), np.zeros(2, int), order=3)
