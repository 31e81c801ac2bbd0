"""Bootstrap over samples."""

from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from kernels.arrays import AnyArray

Statistic = TypeVar("Statistic")


def bootstrap(
    key: Key[Array, ""],
    statistic: Callable[[Float[Array, "samples ..."]], Statistic],
    data: Float[AnyArray, "samples ..."],
    replicates: int = 1000,
    batch: int = 50,
) -> Statistic:
    """Evaluate a statistic on resamples, drawn with replacement along the first axis.

    Args:
        key: randomness.
        statistic: a jit-able function of data of this shape to a pytree of arrays.
        data: what is resampled, along its first axis.
        replicates: how many resamples.
        batch: how many of them are held in memory at once.

    Returns:
        The statistic's pytree, each leaf with a leading axis of `replicates`.

    Source: Efron 1979.
    """
    data = jnp.asarray(data)
    samples = data.shape[0]

    def one(replicate_key: Key[Array, ""]) -> Statistic:
        return statistic(data[jax.random.randint(replicate_key, (samples,), 0, samples)])

    return jax.lax.map(one, jax.random.split(key, replicates), batch_size=min(batch, replicates))


def percentile_interval(
    resampled: Float[Array, "replicates *shape"], level: float = 0.95
) -> Float[Array, "2 *shape"]:
    """Return the lower and the upper percentile of bootstrap replicates at the level given."""
    tail = (1 - level) / 2
    return jnp.quantile(resampled, jnp.asarray([tail, 1 - tail]), axis=0)
