"""The problem: an ill-conditioned quadratic f(x) = ½(x − b)ᵀA(x − b) and the norm that A induces."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from kernels.arrays import AnyArray
from kernels.decompositions import squared_norm
from kernels.names import check_name

Spectrum = Literal["geometric", "random"]


class Quadratic(NamedTuple):
    """f(x) = ½(x − b)ᵀA(x − b), with A symmetric and positive definite, as `quadratic` checks.

    Source: Hägele et al. 2026, Section 3.2.2 and Appendix B.4.
    """

    A: Float[AnyArray, "d d"]
    b: Float[AnyArray, " d"]

    @property
    def dimension(self) -> int:
        """The number of variables d."""
        return self.b.shape[0]

    def gradient(self, x: Float[AnyArray, "*shape d"]) -> Float[Array, "*shape d"]:
        """Return A(x − b)."""
        return jnp.matmul(x - self.b, self.A, precision="highest")

    def value(self, x: Float[AnyArray, "*shape d"]) -> Float[Array, "*shape"]:
        """Return f(x), which is half the squared distance to b in the A-norm."""
        return squared_norm(x - self.b, self.A) / 2

    def eigen(self) -> tuple[Float[Array, " d"], Float[Array, "d d"]]:
        """Return A's eigenvalues, ascending, and its eigenvectors as columns."""
        eigenvalues, eigenvectors = jnp.linalg.eigh(self.A)
        return eigenvalues, eigenvectors


def quadratic(A: Float[AnyArray, "rows columns"], b: Float[AnyArray, " d"]) -> Quadratic:
    """Return the quadratic of a matrix and a minimum of one's own, once they are seen to be of one.

    Args:
        A: d × d, symmetric to float32's rounding, and positive definite.
        b: the minimum, in units of x.

    Raises:
        ValueError: for shapes that do not fit, or an A that is not symmetric and positive definite.
    """
    matrix, minimum = np.asarray(A, np.float64), np.asarray(b, np.float64)
    if matrix.shape != (minimum.size, minimum.size) or minimum.ndim != 1:
        raise ValueError(f"A must be d × d and b have d values, got {matrix.shape} and {minimum.shape}")
    if not np.isfinite(matrix).all() or not np.isfinite(minimum).all():
        raise ValueError("A and b must be finite")
    if not np.allclose(matrix, matrix.T, rtol=0, atol=1e-6 * np.abs(matrix).max()):
        raise ValueError(f"A must be symmetric, got {matrix.tolist()}")
    least = float(np.linalg.eigvalsh(matrix).min())
    if least <= 0:
        raise ValueError(f"A must be positive definite, but an eigenvalue is {least:.3g}")
    return Quadratic(jnp.asarray(matrix, jnp.float32), jnp.asarray(minimum, jnp.float32))


def stacked(problems: Sequence[Quadratic]) -> Quadratic:
    """Return quadratics of one dimension as one, whose arrays have them as first axis; for vmaps."""
    together: Quadratic = jax.tree.map(lambda *leaves: jnp.stack(leaves), *problems)
    return together


def random_quadratic(
    key: Key[Array, ""],
    dimension: int,
    condition_number: float,
    spectrum: Spectrum = "geometric",
    minimum_scale: float = 0.5,
    minimum_offset: float = 0.0,
) -> Quadratic:
    """Draw a quadratic with a given condition number.

    A = QΛQᵀ with Q uniform over the orthogonal matrices and eigenvalues between 1/condition_number
    and 1, both ends included; b ~ N(minimum_offset·(1, …, 1), minimum_scale²·I). The paper says
    "random" of both.

    Args:
        key: randomness.
        dimension: d, at least 1.
        condition_number: largest eigenvalue over smallest, at least 1.
        spectrum: inner eigenvalues, evenly spaced in the logarithm ("geometric") or drawn log-uniformly
            ("random").
        minimum_scale: standard deviation of each coordinate of b, in the units of x.
        minimum_offset: mean of each coordinate of b, in the units of x.

    Raises:
        ValueError: for a dimension or condition number below 1, or another spectrum.

    Source: Hägele et al. 2026, Appendix B.4.
    """
    check_name("spectrum", spectrum, get_args(Spectrum))
    if dimension < 1:
        raise ValueError(f"dimension must be at least 1, got {dimension}")
    if condition_number < 1:
        raise ValueError(f"condition number must be at least 1, got {condition_number}")
    key_rotation, key_minimum, key_spectrum = jax.random.split(key, 3)
    inside = jnp.linspace(0.0, 1.0, dimension) if dimension > 1 else jnp.ones(1)
    if spectrum == "random" and dimension > 2:
        inner = jnp.sort(jax.random.uniform(key_spectrum, (dimension - 2,)))
        inside = inside.at[1:-1].set(inner)
    eigenvalues = condition_number ** (inside - 1)
    rotation = jax.random.orthogonal(key_rotation, dimension)
    A = jnp.matmul(rotation * eigenvalues, rotation.T, precision="highest")
    b = minimum_offset + minimum_scale * jax.random.normal(key_minimum, (dimension,))
    return Quadratic((A + A.T) / 2, b)
