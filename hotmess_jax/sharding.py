"""The device mesh: one axis, over which batches and starts are spread."""

import os

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

AXIS = "data"


def use_every_core() -> None:
    """Give XLA one host device a core; call before anything else touches JAX.

    On a CPU, spreading the batch over devices is 1.5 to 1.9 times as fast as threads inside each
    operation. Has no effect on accelerators, or where the number of host devices is set already.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if jax.config.jax_num_cpu_devices in (-1, None):  # type: ignore[attr-defined]
        jax.config.update("jax_num_cpu_devices", cores or 1)


def make_mesh(rows: int, rows_per_device: int = 16) -> Mesh:
    """Return a mesh of as many devices as divide `rows`, each with `rows_per_device` at least."""
    devices = jax.devices()
    count = max(
        n
        for n in range(1, len(devices) + 1)
        if n == 1 or (rows % n == 0 and rows // n >= rows_per_device)
    )
    return Mesh(np.asarray(devices[:count]), (AXIS,), axis_types=(AxisType.Auto,))


def part_size(rows: int, most: int) -> int:
    """Return the size of equal parts of some rows: their largest divisor up to `most`.

    All rows where `most` is 0, or where such parts would be small.
    """
    size = max((n for n in range(1, min(most, rows) + 1) if rows % n == 0), default=rows)
    return rows if size * 4 < most else size


def replicated(mesh: Mesh) -> NamedSharding:
    """Every device holds all of it."""
    return NamedSharding(mesh, PartitionSpec())


def by_row(mesh: Mesh) -> NamedSharding:
    """The first axis is spread over the devices."""
    return NamedSharding(mesh, PartitionSpec(AXIS))
