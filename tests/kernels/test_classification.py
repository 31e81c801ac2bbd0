"""Decompositions of predicted probabilities against plain loops, in float64 and float32."""

import itertools
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.decompositions import (
    brier,
    coverage,
    dispersion,
    incoherence,
    kl,
    squared_error,
    zero_one,
    zero_one_factor,
)

PARTS = ("error", "bias2", "variance")


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def loop_brier(probs, target, smoothing):
    mean = [sum(p[c] for p in probs) / len(probs) for c in range(len(probs[0]))]
    y = [float(c == target) for c in range(len(mean))]
    error = sum(sum((y[c] - p[c]) ** 2 for c in range(len(y))) for p in probs) / len(probs)
    bias2 = sum((y[c] - mean[c]) ** 2 for c in range(len(y)))
    variance = sum(sum((mean[c] - p[c]) ** 2 for c in range(len(y))) for p in probs) / len(probs)
    return error, bias2, variance


def loop_kl(probs, target, smoothing):
    """By the definition: divergences from and to the normalised geometric mean."""
    classes = len(probs[0])
    smooth = [[(x + smoothing) / (1 + classes * smoothing) for x in p] for p in probs]
    mean = [np.exp(sum(np.log(p[c]) for p in smooth) / len(smooth)) for c in range(classes)]
    mean = [x / sum(mean) for x in mean]
    error = -sum(np.log(p[target]) for p in smooth) / len(smooth)
    variance = sum(sum(mean[c] * np.log(mean[c] / p[c]) for c in range(classes)) for p in smooth) / len(
        smooth
    )
    return error, -np.log(mean[target]), variance


def loop_zero_one(probs, target, smoothing):
    """By every choice among tied classes, of each sample and of the mode, all as likely."""

    def tied(values):
        return [c for c, value in enumerate(values) if value == max(values)]

    # Exact sums, so that classes tied are tied in whatever order the samples come.
    votes = [sum(Fraction(float(p[c])) for p in probs) for c in range(len(probs[0]))]
    error, bias2, variance = [], [], []
    for mode in tied(votes):
        bias2.append(float(mode != target))
        variance.append(np.mean([np.mean([a != mode for a in tied(list(p))]) for p in probs]))
        error.append(np.mean([np.mean([a != target for a in tied(list(p))]) for p in probs]))
    return np.mean(error), np.mean(bias2), np.mean(variance)


LOOPS = {"brier": (brier, loop_brier), "kl": (kl, loop_kl), "zero_one": (zero_one, loop_zero_one)}


# Few, for each is compiled anew.
SHAPES = [(1, 1, 1), (1, 6, 2), (2, 3, 5), (3, 1, 2), (3, 4, 1), (4, 2, 3), (4, 5, 2), (2, 6, 4)]


@st.composite
def questions(draw):
    """Probabilities `[questions, samples, classes]` of awkward kinds, and targets."""
    shape = draw(st.sampled_from(SHAPES))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(["dirichlet", "one-hot", "uniform", "tiny", "identical", "mixed"]))
    probs = rng.dirichlet(np.full(shape[2], 0.5), shape[:2])
    one_hot = np.eye(shape[2])[rng.integers(0, shape[2], shape[:2])]
    if kind == "one-hot":
        probs = one_hot
    elif kind == "uniform":
        probs = np.full(shape, 1 / shape[2])
    elif kind == "tiny":
        probs = (one_hot + 1e-12) / (1 + shape[2] * 1e-12)
    elif kind == "identical":
        probs = np.repeat(probs[:, :1], shape[1], axis=1)
    elif kind == "mixed":
        probs = np.where(rng.random((*shape[:2], 1)) < 0.5, probs, one_hot)
    return probs, rng.integers(0, shape[2], shape[0])


def apply(name, probs, target, smoothing, **more):
    function = LOOPS[name][0]
    return (
        function(probs, target, smoothing, **more) if name == "kl" else function(probs, target, **more)
    )


@pytest.mark.parametrize("name", LOOPS)
@settings(max_examples=150, deadline=None)
@given(questions(), st.sampled_from([1e-12, 1e-6, 1e-2]))
def test_each_agrees_with_a_loop(name, drawn, smoothing):
    probs, target = drawn
    found = apply(name, probs, target, smoothing)
    expected = np.asarray([LOOPS[name][1](p, t, smoothing) for p, t in zip(probs, target, strict=True)])
    for part, column in zip(found, expected.T, strict=True):
        np.testing.assert_allclose(part, column, rtol=1e-9, atol=1e-11)
    if name != "zero_one":
        assert np.abs(found.error - found.bias2 - found.variance).max() <= 1e-12 * (
            1 + found.error.max()
        )
    else:
        factor = zero_one_factor(found)
        np.testing.assert_allclose(found.error, found.bias2 + factor * found.variance, atol=1e-12)
        if probs.shape[2] == 2:
            settled = (probs.mean(axis=1)[:, 0] != 0.5) & (probs[..., 0] != 0.5).all(axis=1)
            assert set(np.asarray(factor)[settled].round(12)) <= {-1.0, 0.0, 1.0}


@pytest.mark.parametrize("name", LOOPS)
def test_float32_is_near_float64(name):
    rng = np.random.default_rng(0)
    probs, target = rng.dirichlet(np.ones(4), (50, 10)), rng.integers(0, 4, 50)
    exact = apply(name, probs, target, 1e-12)
    rough = apply(name, probs.astype(np.float32), target, 1e-12)
    for one, other in zip(exact, rough, strict=True):
        assert other.dtype == jnp.float32
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", LOOPS)
@settings(max_examples=60, deadline=None)
@given(questions(), st.integers(0, 2**32 - 1))
def test_order_of_samples_classes_and_questions_does_not_matter(name, drawn, seed):
    probs, target = drawn
    rng = np.random.default_rng(seed)
    samples, classes, order = (rng.permutation(n) for n in (*probs.shape[1:], probs.shape[0]))
    before = apply(name, probs, target, 1e-12)
    moved = probs[order][:, samples][:, :, classes]
    after = apply(name, moved, np.argsort(classes)[target[order]], 1e-12)
    for one, other in zip(before, after, strict=True):
        np.testing.assert_allclose(np.asarray(one)[order], other, rtol=1e-9, atol=1e-11)


def test_tied_classes_are_tied_in_any_order_of_the_samples():
    """Their sums differ by the order in which floating point adds."""
    votes = np.eye(2)[np.asarray(list(itertools.permutations([0, 0, 1, 1])))]
    probs = (votes + 1e-12) / (1 + 2e-12)
    assert np.ptp(probs.cumsum(axis=1)[:, -1, 0] - probs.cumsum(axis=1)[:, -1, 1]) > 0
    np.testing.assert_array_equal(zero_one(probs, np.zeros(len(probs), int)).bias2, 0.5)
    # A vote more than half is no tie, however many votes there are.
    many = np.eye(2)[np.arange(2_001) % 2]
    assert float(zero_one(many.astype(np.float32), 1).bias2) == 1


@pytest.mark.parametrize("name", LOOPS)
@settings(max_examples=60, deadline=None)
@given(questions(), st.integers(0, 2**32 - 1))
def test_absent_samples_count_for_nothing(name, drawn, seed):
    probs, target = drawn
    present = np.random.default_rng(seed).random(probs.shape[:2]) < 0.7
    spoiled = np.where(present[..., None], probs, np.nan)
    found = apply(name, spoiled, target, 1e-12, present=present)
    for q in range(len(probs)):
        expected = (0.0, 0.0, 0.0)
        if present[q].any():
            expected = LOOPS[name][1](probs[q][present[q]], target[q], 1e-12)
        np.testing.assert_allclose([part[q] for part in found], expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", LOOPS)
def test_vmap_equals_the_whole_and_jit_compiles_once(name):
    rng = np.random.default_rng(1)
    probs, target = rng.dirichlet(np.ones(3), (6, 5)), rng.integers(0, 3, 6)
    compiled = jax.jit(lambda p, t: apply(name, p, t, 1e-12))
    whole = compiled(probs, target)
    compiled(probs[::-1].copy(), target)
    assert compiled._cache_size() == 1
    mapped = jax.vmap(lambda p, t: apply(name, p, t, 1e-12))(probs, jnp.asarray(target))
    for one, other in zip(whole, mapped, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


@pytest.mark.parametrize("name", ["brier", "kl"])
def test_gradients_are_finite(name):
    one_hot = np.eye(3)[np.random.default_rng(2).integers(0, 3, (4, 5))]
    target = np.asarray([0, 1, 2, 0])
    present = np.arange(5) < np.asarray([5, 3, 1, 0])[:, None]

    def total(probs):
        split = apply(name, probs, target, 1e-12, present=present)
        return split.bias2.sum() + incoherence(split)

    assert np.isfinite(jax.grad(total)(jnp.asarray(one_hot))).all()


def test_kl_incoherence_of_one_hot_answers_has_the_limit_of_no_smoothing():
    rng = np.random.default_rng(3)
    answers = np.eye(4)[rng.integers(0, 4, (200, 9))]
    target = rng.integers(0, 4, 200)
    shares = answers.mean(axis=1)
    right = shares[np.arange(200), target]
    limit = (1 - shares.max(axis=1)).sum() / (1 - right).sum()
    far, near = (abs(float(incoherence(kl(answers, target, s))) - limit) for s in (1e-12, 1e-280))
    # The distance falls as 1/log(1/smoothing).
    assert near < far / 15 and near < 0.005


def test_coverage_agrees_with_a_loop_and_leaves_padding_out():
    rng = np.random.default_rng(4)
    outcomes = (rng.random((5, 7, 6)) < 0.6).astype(float)
    mask = np.arange(6) < np.asarray([6, 3, 1, 5, 0])[:, None]
    found = coverage(np.where(mask[:, None], outcomes, 1.0), mask)
    for task in range(5):
        tests = np.flatnonzero(mask[task])
        expected = [0.0, 0.0, 0.0]
        for j in tests:
            y = outcomes[task, :, j]
            expected[0] += np.mean((1 - y) ** 2) / len(tests)
            expected[1] += (1 - y.mean()) ** 2 / len(tests)
            expected[2] += np.mean((y - y.mean()) ** 2) / len(tests)
        np.testing.assert_allclose([part[task] for part in found], expected, atol=1e-12)
    assert np.array_equal(coverage(outcomes == 1).error, coverage(outcomes).error)


def test_dispersion_is_the_mean_squared_distance_to_the_mean():
    rng = np.random.default_rng(5)
    points = rng.normal(size=(3, 8, 4))
    found = dispersion(points)
    expected = ((points - points.mean(1, keepdims=True)) ** 2).sum(-1).mean(-1)
    np.testing.assert_allclose(found.variance, expected, rtol=1e-12)
    assert np.array_equal(found.error, found.variance) and not found.bias2.any()


def test_ragged_squared_error_agrees_with_each_question_alone():
    rng = np.random.default_rng(6)
    points, target = rng.normal(size=(4, 6, 2)), rng.normal(size=(4, 2))
    present = rng.random((4, 6)) < 0.6
    matrix = np.diag([2.0, 0.5])
    found = squared_error(points, target, matrix, present)
    for q in range(4):
        alone = squared_error(points[q][present[q]], target[q], matrix)
        np.testing.assert_allclose([p[q] for p in found], [float(p) for p in alone], rtol=1e-12)


def test_incoherence_sums_over_questions_before_it_divides():
    rng = np.random.default_rng(7)
    probs, target = rng.dirichlet(np.ones(3), (6, 5)), rng.integers(0, 3, 6)
    split = brier(probs, target)
    expected = np.asarray(split.variance).sum() / np.asarray(split.error).sum()
    np.testing.assert_allclose(incoherence(split), expected, rtol=1e-12)
    right = brier(np.eye(3)[np.zeros((4, 5), int)], np.zeros(4, int))
    assert np.isnan(incoherence(right))


def test_zero_one_does_not_hang_on_where_the_right_class_stands():
    """Four samples, in which ties are common: the same with each class the right one."""
    rng = np.random.default_rng(8)
    shares = rng.dirichlet(np.ones(4), 20_000)
    answers = np.eye(4)[(rng.random((20_000, 4, 1)) > shares.cumsum(axis=1)[:, None, :-1]).sum(-1)]
    found = [float(zero_one(answers, np.full(20_000, c)).bias2.mean()) for c in range(4)]
    # The four errors sum to 3 whatever the answers are; ties to one class would spread them by .15.
    assert sum(found) == pytest.approx(3) and np.ptp(found) < 0.02
    # A sample without an answer is each of them by a quarter.
    nothing = zero_one(np.full((1, 3, 4), 0.25), np.asarray([2]))
    np.testing.assert_allclose([float(part[0]) for part in nothing], 0.75)
