"""The optimiser to imitate: steepest descent with a fixed step norm, and its trajectories."""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from hotmess_jax.quadratic import Quadratic
from kernels.arrays import AnyArray, Scalar


def steepest_descent(
    problem: Quadratic, x: Float[AnyArray, "*shape d"], step_norm: Scalar
) -> Float[Array, "*shape d"]:
    """Return the update u = −step_norm·g/‖g‖ with g = A(x − b); zero at the minimum.

    Source: Hägele et al. 2026, Section 3.2.2 and Appendix B.4.
    """
    gradient = problem.gradient(x)
    norm = jnp.linalg.norm(gradient, axis=-1, keepdims=True)
    return jnp.where(norm > 0, -step_norm * gradient / jnp.where(norm > 0, norm, 1), 0)


@functools.partial(jax.jit, static_argnames=("steps",))
def teacher_trajectories(
    problem: Quadratic, starts: Float[AnyArray, "count d"], step_norm: Scalar, steps: int
) -> Float[Array, "points count d"]:
    """Return the teacher's states at steps 0..steps, so points = steps + 1."""

    def step(x: Float[Array, "count d"], _: None) -> tuple[Float[Array, "count d"], Array]:
        return x + steepest_descent(problem, x, step_norm), x

    last, states = jax.lax.scan(step, jnp.asarray(starts), length=steps)
    return jnp.concatenate([states, last[None]])
