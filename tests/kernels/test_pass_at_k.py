"""Kernels of repeated successes against enumeration of every subset of the samples."""

from fractions import Fraction
from itertools import combinations
from math import comb

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.successes import agreement, majority_vote, pass_at_k, pass_hat_k, sample_variance


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def over_subsets(samples, k, of):
    """Return the mean over all subsets of k samples."""
    found = [of(subset) for subset in combinations(samples, k)]
    return sum(found) / len(found)


def vote(answers, target):
    """Return the share of the majority that is right; None votes for nothing."""
    counts = [answers.count(label) for label in range(4)]
    most = max(counts)
    return Fraction(counts[target] == most, counts.count(most)) if most else Fraction(0)


@given(st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=7), min_size=3, max_size=3))
@settings(max_examples=15, deadline=None)
def test_pass_at_k_and_pass_hat_k_are_means_over_all_subsets(questions):
    most = 7
    right = np.full((3, most), np.nan)
    for i, samples in enumerate(questions):
        right[i, : len(samples)] = samples
    some, every = (f(right, ~np.isnan(right)) for f in (pass_at_k, pass_hat_k))
    assert some.shape == every.shape == right.shape
    for i, samples in enumerate(questions):
        n, c = len(samples), sum(samples)
        for k in range(1, most + 1):
            if k > n:
                assert np.isnan(some[i, k - 1]) and np.isnan(every[i, k - 1])
                continue
            np.testing.assert_allclose(some[i, k - 1], over_subsets(samples, k, any), atol=1e-14)
            np.testing.assert_allclose(every[i, k - 1], over_subsets(samples, k, all), atol=1e-14)
            np.testing.assert_allclose(every[i, k - 1], comb(c, k) / comb(n, k), atol=1e-14)


def test_samples_right_by_a_chance_multiply():
    right = np.asarray([0.5, 1.0, 0.0, 0.25])
    for k in range(1, 5):
        expected = over_subsets(right, k, np.prod)
        np.testing.assert_allclose(pass_hat_k(right)[k - 1], expected, atol=1e-15)
        expected = over_subsets(right, k, lambda of: 1 - np.prod(1 - np.asarray(of)))
        np.testing.assert_allclose(pass_at_k(right)[k - 1], expected, atol=1e-15)


def test_of_many_samples_they_are_the_binomial_quotients():
    c, n = 150, 200
    right = np.random.default_rng(0).permutation(np.arange(n) < c) * 1.0
    every = [float(Fraction(comb(c, k), comb(n, k))) for k in range(1, n + 1)]
    some = [float(1 - Fraction(comb(n - c, k), comb(n, k))) for k in range(1, n + 1)]
    np.testing.assert_allclose(pass_hat_k(right), every, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(pass_at_k(right), some, rtol=1e-12)


@given(st.lists(st.sampled_from([0, 1, 2, 3, None]), min_size=1, max_size=7), st.integers(0, 3))
@settings(max_examples=25, deadline=None)
def test_the_majority_is_the_mean_over_all_subsets(answers, target):
    counts = np.asarray([answers.count(label) for label in range(4)])
    wrong = np.delete(counts, target)
    found = np.asarray(majority_vote(counts[target], wrong, np.int64(answers.count(None)), 7))
    for k in range(1, 8):
        if k > len(answers):
            assert np.isnan(found[k - 1])
        else:
            expected = over_subsets(answers, k, lambda of: vote(of, target))
            np.testing.assert_allclose(found[k - 1], float(expected), atol=1e-13)


def test_the_majority_of_many_questions_at_once_is_that_of_each():
    right, silent = np.asarray([2, 0, 5]), np.asarray([1, 3, 0])
    wrong = np.asarray([[2, 1], [1, 0], [0, 0]])
    together = jax.vmap(lambda *of: majority_vote(*of, 5))(right, wrong, silent)
    for i in range(3):
        np.testing.assert_array_equal(together[i], majority_vote(right[i], wrong[i], silent[i], 5))
    # 30 answers of two options: the hypergeometric majority, by exact sums.
    found = majority_vote(np.asarray(18), np.asarray([12]), np.asarray(0), 30)
    for k in (1, 2, 9, 10, 29, 30):
        share = sum(
            Fraction(comb(18, t) * comb(12, k - t), comb(30, k))
            * (1 if 2 * t > k else Fraction(2 * t == k, 2))
            for t in range(k + 1)
        )
        np.testing.assert_allclose(found[k - 1], float(share), rtol=1e-12)


@given(st.lists(st.sampled_from([0, 1, 2, 3, None]), min_size=1, max_size=8))
@settings(max_examples=15, deadline=None)
def test_agreement_and_variance_are_those_of_all_pairs(answers):
    counts = np.asarray([answers.count(label) for label in range(4)])
    right = np.asarray([answer == 0 for answer in answers], float)
    padded = np.append(right, np.full(8 - len(right), np.nan))
    agree = agreement(counts, answers.count(None))
    spread = sample_variance(padded, ~np.isnan(padded))
    if len(answers) < 2:
        assert np.isnan(agree) and np.isnan(spread)
        return
    expected = over_subsets(answers, 2, lambda of: of[0] is not None and of[0] == of[1])
    np.testing.assert_allclose(agree, expected, atol=1e-14)
    np.testing.assert_allclose(spread, over_subsets(right, 2, lambda of: (of[0] - of[1]) ** 2 / 2),
                               atol=1e-14)  # fmt: skip
