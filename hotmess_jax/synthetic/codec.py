"""Numbers as tokens: sign, exponent digit, mantissa digits; and which tokens may stand where."""

from dataclasses import dataclass
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float32, Int, Int32, UInt32

from kernels.arrays import AnyArray

VOCABULARY = 12  # the digits 0 to 9, then + and −
PLUS, MINUS = 10, 11
MAX_EXPONENT = 9
PRECISIONS = range(1, 6)  # float32 tells any 6 decimal digits apart, so 1 + 5 come back exactly


@dataclass(frozen=True)
class FloatCodec:
    """Numbers in scientific notation, one token a digit: ± m.mmmm × 10^(−e) is `± e m m m m m`.

    Rounds half to even and carries into the exponent; e is in 0..9. A magnitude that rounds to 10 or
    more saturates at 9.99…; one below 10^(−9) has e = 9 and leading zeros. `encode` works on the exact
    value of the float32, in integers, so it makes no rounding error of its own on any device.

    Source: Hägele et al. 2026, Appendix B.4 (after Song and Bahri 2025).
    """

    precision: int
    """Mantissa digits after the first, 1 to 5."""

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise ValueError(
                f"precision must be {PRECISIONS[0]} to {PRECISIONS[-1]} mantissa digits, "
                f"got {self.precision}"
            )

    @property
    def tokens_per_number(self) -> int:
        """Sign, exponent digit and mantissa digits."""
        return 3 + self.precision

    @property
    def limit(self) -> float:
        """The largest number that can be written."""
        return 10.0 - 10.0**-self.precision

    def encode(self, values: Float[AnyArray, "*shape d"]) -> Int32[Array, "*shape tokens"]:
        """Return the tokens of each vector, number after number; tokens = d·(3 + precision).

        Raises:
            ValueError: for a number that cannot be written. In compiled code, which must go on, it is
                written as ±9.99…, and `saturates` tells.
        """
        values = jnp.asarray(values, jnp.float32)
        negative, exponent, mantissa, beyond = self._round(values)
        if not isinstance(beyond, jax.core.Tracer) and beyond.any():
            first = np.asarray(values)[np.asarray(beyond)][0]
            raise ValueError(f"the codec cannot write {first:g}: {self.limit:g} is the most")
        powers = jnp.asarray([10**i for i in range(self.precision, -1, -1)], jnp.int32)
        digits = mantissa[..., None] // powers % 10
        sign = jnp.where(negative, MINUS, PLUS)
        tokens = jnp.concatenate([sign[..., None], exponent[..., None], digits], axis=-1)
        return tokens.astype(jnp.int32).reshape(*values.shape[:-1], -1)

    def decode(self, tokens: Int[AnyArray, "*shape tokens"]) -> Float[Array, "*shape d"]:
        """Return the float32 number that each group of 3 + precision tokens stands for.

        Raises:
            ValueError: for tokens that are no number, but not in compiled code.
        """
        tokens = jnp.asarray(tokens)
        if tokens.shape[-1] % self.tokens_per_number:
            raise ValueError(
                f"a number has {self.tokens_per_number} tokens, got {tokens.shape[-1]} of a vector"
            )
        if not isinstance(tokens, jax.core.Tracer):
            self._check_numbers(np.asarray(tokens))
        tokens = tokens.reshape(*tokens.shape[:-1], -1, self.tokens_per_number)
        powers = jnp.asarray([10**i for i in range(self.precision, -1, -1)], jnp.int32)
        mantissa = (tokens[..., 2:] * powers).sum(axis=-1).astype(jnp.float32)
        # Powers up to 10^10 are exact in float32; two divisions stay within one unit of rounding each.
        powers_of_ten = jnp.asarray([10.0**i for i in range(MAX_EXPONENT + 1)], jnp.float32)
        magnitude = mantissa / powers_of_ten[self.precision] / powers_of_ten[tokens[..., 1]]
        return jnp.where(tokens[..., 0] == MINUS, -magnitude, magnitude)

    def saturates(self, values: Float[AnyArray, "*shape"]) -> Bool[Array, "*shape"]:
        """Tell which numbers are beyond what the codec can write, NaN included."""
        return self._round(jnp.asarray(values, jnp.float32))[3]

    def allowed(self, dimension: int) -> Bool[np.ndarray, "tokens vocabulary"]:
        """Return which tokens may stand at each position of a vector: a sign, or a digit."""
        is_sign = np.arange(dimension * self.tokens_per_number) % self.tokens_per_number == 0
        return is_sign[:, None] == (np.arange(VOCABULARY) >= PLUS)

    def _check_numbers(self, tokens: Int[np.ndarray, "*shape tokens"]) -> None:
        is_sign = np.arange(tokens.shape[-1]) % self.tokens_per_number == 0
        fits = np.where(is_sign, (tokens == PLUS) | (tokens == MINUS), (tokens >= 0) & (tokens < PLUS))
        if not fits.all():
            vector = tokens.reshape(-1, tokens.shape[-1])[
                ~fits.reshape(-1, tokens.shape[-1]).all(axis=-1)
            ][0]
            raise ValueError(
                f"tokens {vector.tolist()} are no numbers of a sign and {self.tokens_per_number - 1} digits"
            )

    def _round(
        self, values: Float32[Array, "*shape"]
    ) -> tuple[
        Bool[Array, "*shape"], Int32[Array, "*shape"], Int32[Array, "*shape"], Bool[Array, "*shape"]
    ]:
        """Return sign, exponent digit, integer mantissa and whether the number saturates."""
        magnitude = jnp.abs(values)
        exponent = jnp.searchsorted(jnp.asarray(_DECADES), magnitude, side="right")
        exponent = jnp.clip(MAX_EXPONENT - exponent + 1, 0, MAX_EXPONENT).astype(jnp.int32)
        in_range = magnitude < 10.0  # False for NaN
        magnitude = jnp.where(in_range, magnitude, 1.0)
        mantissa = _scale_and_round(magnitude, exponent + self.precision)
        # 9.99996 carries: 1.0000 of the decade above, which for the last decade is out of range.
        carries = (mantissa >= 10 ** (self.precision + 1)) & (exponent > 0)
        mantissa = jnp.where(carries, 10**self.precision, mantissa)
        exponent = exponent - carries
        saturates = ~in_range | (mantissa >= 10 ** (self.precision + 1))
        mantissa = jnp.where(saturates, 10 ** (self.precision + 1) - 1, mantissa)
        exponent = jnp.where(saturates, 0, exponent)
        return (values < 0) & (mantissa > 0), exponent, mantissa, saturates


def _float32_at_least(value: Fraction) -> np.float32:
    """Return the smallest float32 that is not below the value."""
    nearest = np.float32(float(value))
    return nearest if Fraction(float(nearest)) >= value else np.nextafter(nearest, np.float32(np.inf))


# 10^(−9) … 10^0, each as the first float32 that has reached it.
_DECADES = np.array(
    [_float32_at_least(Fraction(1, 10**e)) for e in range(MAX_EXPONENT, -1, -1)], np.float32
)
_MAX_POWER = MAX_EXPONENT + PRECISIONS[-1]
# 5^q in three limbs of 16 bits, lowest first.
_FIVES = np.array(
    [[5**q >> shift & 0xFFFF for shift in (0, 16, 32)] for q in range(_MAX_POWER + 1)], np.uint32
)


def _scale_and_round(
    magnitude: Float[Array, "*shape"], power: Int32[Array, "*shape"]
) -> Int32[Array, "*shape"]:
    """Return magnitude·10^power to the nearest integer, halves to even, exactly.

    A float32 is m·2^k with a 24-bit m, so the product is (m·5^power)·2^(k + power): 57 bits at most,
    held in two words, and a shift to the right. Needs magnitude < 10 and magnitude·10^power < 10^7.
    """
    bits = jax.lax.bitcast_convert_type(magnitude, jnp.uint32)
    biased = (bits >> 23).astype(jnp.int32)
    significand = jnp.where(biased > 0, (bits & 0x7FFFFF) | 0x800000, bits & 0x7FFFFF)
    shift = 150 - jnp.maximum(biased, 1) - power  # −(k + power): how far to shift to the right

    fives = jnp.asarray(_FIVES)[power]
    low, high = significand & 0xFFFF, significand >> 16
    # Long multiplication: 32-bit products at offsets of 16 bits.
    word_low, word_high = low * fives[..., 0], low * fives[..., 2] + high * fives[..., 1]
    for middle in (low * fives[..., 1], high * fives[..., 0]):
        word_low, carry = _add(word_low, middle << 16)
        word_high = word_high + carry + (middle >> 16)
    word_high = word_high + (high * fives[..., 2] << 16)

    # The caller's ranges keep shift ≥ 14, so nothing is ever shifted to the left.
    in_high = shift >= 32
    small = (shift % 32).astype(jnp.uint32)
    word = jnp.where(in_high, word_high, word_low)
    above = jnp.where(in_high, 0, word_high)
    dropped = jnp.where(in_high, word_low, 0)  # the word that the shift drops whole
    aligned = small == 0
    quotient = jnp.where(aligned, word, (word >> small) | (above << (32 - small) % 32))
    # What is dropped, as (top, below) against one half, (half, 0).
    top = jnp.where(aligned, dropped >> 31, word & ((jnp.uint32(1) << small) - 1))
    below = jnp.where(aligned, dropped << 1, dropped)
    half = jnp.where(aligned, 1, (jnp.uint32(1) << small) >> 1)
    rounds_up = (top > half) | ((top == half) & ((below > 0) | (quotient & 1 == 1)))
    rounded = quotient.astype(jnp.int32) + rounds_up
    return jnp.where(shift >= 64, 0, rounded)  # below 2^(57 − 64)


def _add(
    a: UInt32[Array, "*shape"], b: UInt32[Array, "*shape"]
) -> tuple[UInt32[Array, "*shape"], UInt32[Array, "*shape"]]:
    """Return the sum of two words modulo 2^32, and the carry."""
    total = a + b
    return total, (total < a).astype(jnp.uint32)
