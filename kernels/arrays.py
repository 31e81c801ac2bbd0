"""The array types that the kernels and the library take."""

import jax
import numpy as np
from jaxtyping import Float

# Functions that people call with arrays of their own take NumPy's as well, and return JAX's.
AnyArray = jax.Array | np.ndarray
Scalar = float | Float[AnyArray, ""]
