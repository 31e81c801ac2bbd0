"""The problem, the starts and the teacher against NumPy."""

from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotmess_jax.synthetic.quadratic import Quadratic, quadratic, random_quadratic
from hotmess_jax.synthetic.starts import draw_starts
from hotmess_jax.synthetic.teacher import Rule, Teacher, teacher_trajectories


@pytest.mark.parametrize("spectrum", ["geometric", "random"])
@pytest.mark.parametrize("dimension", [2, 5])
def test_random_quadratic_has_the_condition_number_asked_for(dimension, spectrum):
    problem = random_quadratic(jax.random.key(1), dimension, 50.0, spectrum)
    eigenvalues = np.linalg.eigvalsh(np.asarray(problem.A, np.float64))
    np.testing.assert_allclose(eigenvalues[-1], 1.0, rtol=1e-5)
    np.testing.assert_allclose(eigenvalues[-1] / eigenvalues[0], 50.0, rtol=1e-4)
    if spectrum == "geometric":
        np.testing.assert_allclose(
            np.diff(np.log(eigenvalues)), np.log(50) / (dimension - 1), rtol=1e-3
        )
    assert np.array_equal(problem.A, problem.A.T)


def test_gradient_and_value_agree_with_autodiff_and_numpy():
    problem = random_quadratic(jax.random.key(2), 3, 20.0)
    x = jax.random.normal(jax.random.key(3), (7, 3))
    np.testing.assert_allclose(
        problem.gradient(x), jax.vmap(jax.grad(problem.value))(x), rtol=1e-4, atol=1e-6
    )
    v = np.asarray(x, np.float64) - np.asarray(problem.b)
    expected = 0.5 * np.einsum("ni,ij,nj->n", v, np.asarray(problem.A, np.float64), v)
    np.testing.assert_allclose(problem.value(x), expected, rtol=1e-5)


@pytest.mark.parametrize(("dimension", "condition"), [(0, 50.0), (2, 0.5)])
def test_what_is_out_of_range_is_named(dimension, condition):
    with pytest.raises(ValueError, match="must be at least 1, got 0"):
        random_quadratic(jax.random.key(0), dimension, condition)


def numpy_update(rule, A, b, x):
    """The update of step norm 1, in float64; Newton's by solving for it."""
    gradient = A @ (x - b)
    if rule == "sign":
        gradient = np.where(gradient > 0, 1.0, -1.0)
    elif rule == "newton":
        gradient = np.linalg.solve(A, gradient)
    return -gradient if rule == "gradient" else -gradient / np.sqrt(gradient @ gradient)


@pytest.mark.parametrize("rule", get_args(Rule))
def test_the_teacher_agrees_with_a_numpy_loop(rule):
    problem = random_quadratic(jax.random.key(4), 2, 50.0)
    starts = draw_starts(jax.random.key(5), 6, problem.b)
    states = np.asarray(teacher_trajectories(problem, starts, Teacher(0.05, rule), 40))
    A, b = (np.asarray(part, np.float64) for part in problem)
    assert np.array_equal(states[0], starts)
    for i in range(6):
        for step in range(40):
            # From the state it was in: near the minimum the teacher magnifies float32's rounding.
            x = states[step, i].astype(np.float64)
            x = x + 0.05 * numpy_update(rule, A, b, x)
            np.testing.assert_allclose(states[step + 1, i], x, rtol=0, atol=2e-6)


@pytest.mark.parametrize("rule", ["steepest", "sign", "newton"])
@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_no_update_as_long_descends_more_steeply(rule, dimension, seed):
    """In the norm of each: Euclidean, maximum, and the one that A induces."""
    rng = np.random.default_rng(seed)
    problem = random_quadratic(jax.random.key(seed % 1000), dimension, 50.0)
    A, b = (np.asarray(part, np.float64) for part in problem)
    norm = {
        "steepest": lambda v: np.linalg.norm(v, axis=-1),
        "sign": lambda v: np.abs(v).max(axis=-1),
        "newton": lambda v: np.sqrt(np.einsum("...i,ij,...j", v, A, v)),
    }[rule]
    x = b + 3 * rng.standard_normal(dimension)
    update = np.asarray(Teacher(0.1, rule).update(problem, x.astype(np.float32)), np.float64)
    others = rng.standard_normal((200, dimension))
    others *= (norm(update) / norm(others))[:, None]
    gradient = A @ (x - b)
    slack = 1e-5 * np.linalg.norm(gradient)
    assert (others @ gradient >= gradient @ update - slack).all()


@pytest.mark.parametrize("rule", ["steepest", "sign", "newton"])
def test_every_update_has_the_step_norm_and_none_is_made_at_the_minimum(rule):
    problem = random_quadratic(jax.random.key(6), 4, 50.0)
    x = jnp.concatenate([draw_starts(jax.random.key(7), 100, problem.b), problem.b[None]])
    norms = np.linalg.norm(Teacher(0.005, rule).update(problem, x), axis=-1)
    np.testing.assert_allclose(norms[:-1], 0.005, rtol=1e-5)
    assert norms[-1] == 0


@pytest.mark.parametrize("rule", ["steepest", "sign", "newton"])
def test_from_afar_the_teacher_comes_within_a_step_of_the_minimum(rule):
    problem = Quadratic(jnp.diag(jnp.asarray([0.02, 1.0])), jnp.asarray([0.3, -0.4]))
    starts = draw_starts(jax.random.key(8), 50, problem.b)
    last = teacher_trajectories(problem, starts, Teacher(0.05, rule), 400)[-1]
    assert np.linalg.norm(last - problem.b, axis=-1).max() < 0.051


def test_gradient_descent_shrinks_each_direction_by_its_own_factor():
    problem = Quadratic(jnp.diag(jnp.asarray([0.02, 1.0])), jnp.asarray([0.3, -0.4]))
    starts = draw_starts(jax.random.key(8), 50, problem.b)
    last = teacher_trajectories(problem, starts, Teacher(0.5, "gradient"), 20)[-1]
    expected = (np.asarray(starts, np.float64) - [0.3, -0.4]) * [0.99**20, 0.5**20]
    np.testing.assert_allclose(last - problem.b, expected, rtol=1e-4, atol=1e-6)


def test_starts_have_the_moments_of_their_distribution():
    b = jnp.asarray([1.0, -2.0])
    key, count = jax.random.key(9), 40_000

    def draw(distribution):
        return np.asarray(draw_starts(key, count, b, distribution, offset=3.0, scale=0.5)) - b

    offset = draw("offset")
    np.testing.assert_allclose(offset.mean(0), 3 / np.sqrt(2), atol=0.015)
    np.testing.assert_allclose(offset.std(0), 0.5, atol=0.01)
    np.testing.assert_allclose(draw("normal").mean(0), 0, atol=0.015)
    np.testing.assert_allclose(np.linalg.norm(draw("sphere"), axis=-1), 0.5, rtol=1e-5)
    uniform = draw("uniform")
    assert np.abs(uniform).max() <= 0.5
    np.testing.assert_allclose(uniform.std(0), 0.5 / np.sqrt(3), atol=0.01)


@pytest.mark.parametrize(
    ("A", "b", "said"),
    [
        ([[1.0, 1.0], [0.0, 1.0]], [0.0, 0.0], "symmetric"),
        ([[1.0, 0.0], [0.0, 0.0]], [0.0, 0.0], "positive definite, but an eigenvalue is 0"),
        ([[1.0, 2.0], [2.0, 1.0]], [0.0, 0.0], "positive definite"),
        ([[1.0, 0.0], [0.0, 1.0]], [0.0], "d × d"),
        ([[np.nan, 0.0], [0.0, 1.0]], [0.0, 0.0], "finite"),
    ],
)
def test_a_matrix_that_is_none_of_a_quadratic_is_refused(A, b, said):
    with pytest.raises(ValueError, match=said):
        quadratic(np.asarray(A), np.asarray(b))


def test_a_quadratic_of_one_s_own_is_taken():
    made = random_quadratic(jax.random.key(3), 4, 50.0)
    own = quadratic(made.A, made.b)
    np.testing.assert_array_equal(own.A, made.A)
    np.testing.assert_array_equal(own.b, made.b)
