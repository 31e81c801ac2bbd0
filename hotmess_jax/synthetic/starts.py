"""Where trajectories start; the paper says only "around the minimum"."""

from dataclasses import dataclass
from typing import Literal, get_args

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from kernels.arrays import AnyArray
from kernels.names import check_name

StartDistribution = Literal["offset", "normal", "uniform", "sphere"]


@dataclass(frozen=True)
class Starts:
    """How starting points are drawn; see `draw_starts`."""

    distribution: StartDistribution
    offset: float
    scale: float

    def draw(
        self, key: Key[Array, ""], count: int, minimum: Float[AnyArray, " d"]
    ) -> Float[Array, "count d"]:
        """Draw so many points around or beside the minimum."""
        return draw_starts(key, count, minimum, self.distribution, self.offset, self.scale)


def draw_starts(
    key: Key[Array, ""],
    count: int,
    minimum: Float[AnyArray, " d"],
    distribution: StartDistribution = "offset",
    offset: float = 3.0,
    scale: float = 1.5,
) -> Float[Array, "count d"]:
    """Draw starting points around or beside the minimum.

    It matters which: starts symmetric about b give the teacher itself an incoherence of 1 at every
    step, for its mean stays at b; starts off to one side let it rise from near 0 to 1.

    Args:
        key: randomness.
        count: how many points.
        minimum: b.
        distribution: "offset", b + offset·(1, …, 1)/√d + N(0, scale²I); "normal", b + N(0, scale²I);
            "uniform", b + U(−scale, scale) in each coordinate; "sphere", uniform at distance scale.
        offset: distance of the mean start from b ("offset" only), in the units of x.
        scale: spread, in the units of x.

    Raises:
        ValueError: for another distribution.

    Source: Hägele et al. 2026, Appendix B.4.
    """
    check_name("distribution", distribution, get_args(StartDistribution))
    minimum = jnp.asarray(minimum)
    dimension = minimum.shape[0]
    if distribution == "uniform":
        return minimum + jax.random.uniform(key, (count, dimension), minval=-scale, maxval=scale)
    normal = jax.random.normal(key, (count, dimension))
    if distribution == "sphere":
        return minimum + scale * normal / jnp.linalg.norm(normal, axis=-1, keepdims=True)
    shift = offset / jnp.sqrt(dimension) if distribution == "offset" else 0.0
    return minimum + shift + scale * normal
