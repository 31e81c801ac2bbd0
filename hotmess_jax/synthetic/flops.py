"""Floating-point operations of training and of rollouts: products only, two a multiplication."""

from hotmess_jax.synthetic.codec import VOCABULARY
from hotmess_jax.synthetic.model import Size


def forward_flops(size: Size, length: int, first: int) -> float:
    """Return the operations of one sequence's logits from position `first` on."""
    layers, width, _ = size
    total = 0
    for count in [length] * (layers - 1) + [length - first]:
        weights = 3 * width * width * length + 9 * width * width * count
        total += 2 * weights + 4 * width * count * length
    return float(total + 2 * width * VOCABULARY * (length - first))


def training_flops(size: Size, length: int, first: int) -> float:
    """Return the operations of one sequence's forward and backward pass, which is two forward ones."""
    return 3 * forward_flops(size, length, first)


def update_flops(size: Size, dimension: int, tokens_per_number: int) -> float:
    """Return the operations of decoding one update: the state at once, then token by token.

    Each token attends to the state, and to all numbers of the update that are begun.
    """
    half = dimension * tokens_per_number
    total = forward_flops(size, half, half - 1)
    for token in range(half - 1):
        keys = half + (token // tokens_per_number + 1) * tokens_per_number
        weights = 12 * size.layers * size.width**2 + VOCABULARY * size.width
        total += 2 * weights + 4 * size.layers * size.width * keys
    return total
