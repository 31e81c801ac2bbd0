"""Errors split into bias² and variance: pure functions on arrays."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from kernels.arrays import AnyArray


class Decomposition(NamedTuple):
    """An error and its two parts, of one shape; error = bias2 + variance."""

    error: Float[Array, "*shape"]
    bias2: Float[Array, "*shape"]
    variance: Float[Array, "*shape"]


def squared_error(
    points: Float[AnyArray, "*shape samples d"],
    target: Float[AnyArray, "*#shape d"],
    matrix: Float[AnyArray, "d d"] | None = None,
) -> Decomposition:
    """Split the mean squared distance to a target into bias² and variance.

    bias2 = ‖mean − target‖²_M and variance = mean ‖point − mean‖²_M, with ‖v‖²_M = vᵀMv; the error
    is their sum, which equals mean ‖point − target‖²_M to rounding.

    Args:
        points: what was predicted, samples along the last axis but one.
        target: what is right; leading axes broadcast against those of `points`.
        matrix: symmetric positive semi-definite M; None is the Euclidean norm.

    Returns:
        A `Decomposition` of shape `[*shape]`, in the squared units of the norm.

    Source: Hägele et al. 2026, Appendix A, equation 3, and Appendix B.4 for the norm.
    """
    # Relative to the target first: close to it, float32 then keeps its digits.
    relative = jnp.asarray(points) - jnp.asarray(target)[..., None, :]
    mean = relative.mean(axis=-2)
    bias2 = squared_norm(mean, matrix)
    variance = squared_norm(relative - mean[..., None, :], matrix).mean(axis=-1)
    return Decomposition(bias2 + variance, bias2, variance)


def squared_norm(
    vectors: Float[AnyArray, "*shape d"], matrix: Float[AnyArray, "d d"] | None = None
) -> Float[Array, "*shape"]:
    """Return ‖v‖²_M = vᵀMv for each vector; M = None is the Euclidean norm."""
    weighted = vectors if matrix is None else jnp.matmul(vectors, matrix, precision="highest")
    return (weighted * vectors).sum(axis=-1)


def incoherence(decomposition: Decomposition) -> Float[Array, "*shape"]:
    """Return the share of the error that is variance, 0 where there is no error.

    To aggregate over questions sum bias2 and variance first, then call this.

    Source: Hägele et al. 2026, Section 2 (Incoherence).
    """
    _, bias2, variance = decomposition
    total = bias2 + variance
    return jnp.where(total > 0, variance / jnp.where(total > 0, total, 1), 0)
