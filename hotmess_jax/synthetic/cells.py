"""The numbers that share tokens, and points among them."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Float32, Key

from hotmess_jax.synthetic.codec import MAX_EXPONENT, MINUS, FloatCodec
from kernels.arrays import AnyArray


class Cells(NamedTuple):
    """All numbers that share tokens: sign·m/unit/decade, for mantissas m from low to high."""

    sign: Float[Array, "*shape"]
    unit: Float[Array, "*shape"]  # 10^precision
    decade: Float[Array, "*shape"]  # 10^e
    low: Float[Array, "*shape"]
    high: Float[Array, "*shape"]
    least: Float[Array, "*shape"]  # the smallest float32 magnitude of the cell
    most: Float[Array, "*shape"]
    finite: Bool[Array, "*shape"]


def cells(codec: FloatCodec, values: Float[AnyArray, "*shape"]) -> Cells:
    """Return the cell of each number: all numbers with its tokens.

    It reaches half a unit of the last digit to either side, but only a twentieth below a power of ten,
    where units are ten times smaller. What is at the codec's limit has no finite cell, for all that
    saturates is written so.
    """
    found: Cells = _cells(jnp.asarray(values, jnp.float32), codec.precision)
    return found


@functools.partial(jax.jit, static_argnames="precision")
def _cells(values: Float32[Array, "*shape"], precision: int) -> Cells:
    codec = FloatCodec(precision)
    tokens = codec.encode(values[..., None])
    powers = jnp.asarray([10**i for i in range(precision, -1, -1)], jnp.int32)
    exponent, mantissa = tokens[..., 1], (tokens[..., 2:] * powers).sum(axis=-1)
    sign = jnp.where(tokens[..., 0] == MINUS, -1.0, 1.0)
    lowest_of_decade = (mantissa == 10**precision) & (exponent < MAX_EXPONENT)
    low = mantissa - jnp.where(lowest_of_decade, 0.05, 0.5)
    high = mantissa + 0.5
    # Both powers are exact in float32, so that two divisions and `low` err by two units at most.
    unit = jnp.full_like(sign, 10.0**precision)
    decade = jnp.asarray([10.0**i for i in range(MAX_EXPONENT + 1)], jnp.float32)[exponent]

    def around(edge: Array) -> tuple[Array, Array]:
        near = [edge]
        for towards in (-jnp.inf, jnp.inf):
            other = edge
            for _ in range(3):
                other = jnp.nextafter(other, jnp.float32(towards))
                near.append(other)
        stacked = jnp.stack(near)
        return stacked, (codec.encode((sign * stacked)[..., None]) == tokens).all(axis=-1)

    below, of_cell_below = around(low / unit / decade)
    above, of_cell_above = around(high / unit / decade)
    return Cells(
        sign,
        unit,
        decade,
        low,
        high,
        jnp.where(of_cell_below, below, jnp.inf).min(axis=0),
        jnp.where(of_cell_above, above, -jnp.inf).max(axis=0),
        (exponent > 0) | (mantissa < 10 ** (precision + 1) - 1),
    )


@functools.partial(jax.jit, static_argnames="points")
def points_within(key: Key[Array, ""], within: Cells, points: int) -> Float32[Array, "points *shape"]:
    """Draw points uniformly within finite cells, each rounded to a float32 of the same cell."""
    drawn = jax.random.uniform(key, (points, *within.low.shape))
    mantissa = within.low + drawn * (within.high - within.low)
    magnitude = jnp.clip(mantissa / within.unit / within.decade, within.least, within.most)
    return within.sign * magnitude
