"""64-bit floats for what is computed of records, whatever its caller has switched on."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import jax

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def in_float64(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Return a function whose kernels compute in 64 bits; elsewhere JAX's own setting stays.

    What it returns should be NumPy arrays: those of JAX would be cut to 32 bits by the caller's next operation.
    """

    @functools.wraps(function)
    def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        with jax.enable_x64(True):
            return function(*args, **kwargs)

    return run
