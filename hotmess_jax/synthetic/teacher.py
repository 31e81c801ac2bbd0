"""The optimiser to imitate, and its trajectories."""

import functools
from dataclasses import dataclass
from typing import Literal, get_args

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from hotmess_jax.synthetic.quadratic import Quadratic
from kernels.arrays import AnyArray
from kernels.names import check_name

Rule = Literal["steepest", "sign", "newton", "gradient"]


@dataclass(frozen=True)
class Teacher:
    """An optimiser whose update depends on where it is alone; another rule's name is a ValueError.

    With g = A(x − b), its update is −step_norm times
    steepest: g/‖g‖, the paper's, steepest descent in the Euclidean norm;
    sign: sign(g)/√d, steepest descent in the maximum norm (where no coordinate of g is 0);
    newton: (x − b)/‖x − b‖, which is steepest descent in the norm that A induces;
    gradient: g, whose length falls as the minimum comes near.

    Source: Hägele et al. 2026, Section 3.2.2 and Appendix B.4; the other rules go beyond it.
    """

    step_norm: float
    rule: Rule = "steepest"

    def __post_init__(self) -> None:
        check_name("rule", self.rule, get_args(Rule))

    def update(self, problem: Quadratic, x: Float[AnyArray, "*shape d"]) -> Float[Array, "*shape d"]:
        """Return the update at x, in units of x; zero at the minimum."""
        gradient = problem.gradient(x)
        if self.rule == "gradient":
            return -self.step_norm * gradient
        if self.rule == "sign":
            return -self.step_norm * jnp.sign(gradient) / problem.dimension**0.5
        direction = gradient if self.rule == "steepest" else x - problem.b
        norm = jnp.linalg.norm(direction, axis=-1, keepdims=True)
        return jnp.where(norm > 0, -self.step_norm * direction / jnp.where(norm > 0, norm, 1), 0)


@functools.partial(jax.jit, static_argnames=("teacher", "steps"))
def teacher_trajectories(
    problem: Quadratic, starts: Float[AnyArray, "count d"], teacher: Teacher, steps: int
) -> Float[Array, "points count d"]:
    """Return a teacher's states at steps 0..steps, so points = steps + 1."""

    def step(x: Float[Array, "count d"], _: None) -> tuple[Float[Array, "count d"], Array]:
        return x + teacher.update(problem, x), x

    last, states = jax.lax.scan(step, jnp.asarray(starts), length=steps)
    return jnp.concatenate([states, last[None]])
