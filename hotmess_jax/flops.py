"""Floating-point operations of training and of rollouts: products only, two a multiplication."""

from hotmess_jax.codec import VOCABULARY
from hotmess_jax.model import Size


def training_flops(size: Size, length: int, first: int) -> float:
    """Return the operations of one sequence's forward and backward pass.

    2 a weight and position forward, twice that backward, and attention's.
    """
    layers, width, _ = size
    queries = [length] * (layers - 1) + [length - first]
    forward = 0.0
    for count in queries:
        weights = 2 * width * width * length + (width + width + 8 * width) * width * count
        forward += 2 * weights + 4 * width * count * length
    forward += 2 * width * VOCABULARY * (length - first)
    return 3 * forward


def update_flops(size: Size, length: int) -> float:
    """Return the operations of decoding one update: each position once, over those before it."""
    weights = 12 * size.layers * size.width**2 + VOCABULARY * size.width
    return float(2 * weights * length + 4 * size.layers * size.width * length * length / 2)
