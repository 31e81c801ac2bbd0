"""The codec against exact rational arithmetic, exhaustively where that is possible."""

import math
from decimal import ROUND_HALF_EVEN, Decimal

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotmess_jax.synthetic.codec import MAX_EXPONENT, MINUS, PLUS, FloatCodec


def canonical_tokens(precision, rng=None, count=None):
    """All canonical tokens of one number (the first mantissa digit is not 0), or a random choice."""
    exponents, low, high = MAX_EXPONENT + 1, 10**precision, 10 ** (precision + 1)
    if rng is None:
        grid = np.meshgrid([PLUS, MINUS], range(exponents), range(low, high), indexing="ij")
        sign, exponent, mantissa = (axis.ravel() for axis in grid)
    else:
        sign = rng.choice([PLUS, MINUS], count)
        exponent, mantissa = rng.integers(0, exponents, count), rng.integers(low, high, count)
    digits = mantissa[:, None] // 10 ** np.arange(precision, -1, -1) % 10
    return np.concatenate([sign[:, None], exponent[:, None], digits], axis=1).astype(np.int32)


def exact(value, precision):
    """Sign, exponent digit and integer mantissa, by decimal arithmetic on the float32's exact value."""
    magnitude = abs(Decimal(float(value)))
    if magnitude >= 10:
        return (MINUS if value < 0 else PLUS), 0, 10 ** (precision + 1) - 1
    exponent = 0
    while exponent < MAX_EXPONENT and magnitude < Decimal(1).scaleb(-exponent):
        exponent += 1
    mantissa = int(
        magnitude.scaleb(exponent + precision).quantize(Decimal(1), rounding=ROUND_HALF_EVEN)
    )
    if mantissa == 10 ** (precision + 1) and exponent > 0:
        exponent, mantissa = exponent - 1, 10**precision
    if mantissa >= 10 ** (precision + 1):
        exponent, mantissa = 0, 10 ** (precision + 1) - 1
    return (MINUS if value < 0 and mantissa else PLUS), exponent, mantissa


def as_numbers(tokens, precision):
    mantissa = (tokens[:, 2:] * 10 ** np.arange(precision, -1, -1)).sum(axis=1)
    return np.stack([tokens[:, 0], tokens[:, 1], mantissa], axis=1)


@pytest.mark.parametrize("precision", [2, 3])
def test_every_canonical_token_sequence_comes_back(precision):
    codec, tokens = FloatCodec(precision), canonical_tokens(precision)
    assert len(tokens) == 2 * 10 * 9 * 10**precision
    assert np.array_equal(codec.encode(codec.decode(tokens)), tokens)


@pytest.mark.parametrize("precision", [1, 4, 5])
def test_sampled_canonical_token_sequences_come_back(precision):
    tokens = canonical_tokens(precision, np.random.default_rng(0), 200_000)
    codec = FloatCodec(precision)
    assert np.array_equal(codec.encode(codec.decode(tokens)), tokens)


@pytest.mark.parametrize("precision", [2, 4])
def test_encoding_agrees_with_exact_decimal_arithmetic(precision):
    rng = np.random.default_rng(precision)
    values = np.concatenate(
        [
            10 ** rng.uniform(-14, 1.5, 85_000) * rng.choice([-1, 1], 85_000),
            rng.integers(0, 10 ** (precision + 2), 10_000) / 2 / 10 ** (precision + 1),  # near ties
            rng.integers(-(2**14), 2**14, 5_000) / 2**11,  # exact ties
            [0.0, -0.0, 1e-9, 9.99e-10, 0.999996, 9.99995, 9.99996, 10.0, 1000.0, -3e38],
            [1.0, 0.1, 1e-5, 5e-14, -5e-15, 1e-40, np.float32(1e-9), 3.25, 0.125],
        ]
    ).astype(np.float32)
    tokens = np.asarray(jax.jit(FloatCodec(precision).encode)(values[:, None]))
    expected = np.asarray([exact(value, precision) for value in values])
    assert np.array_equal(as_numbers(tokens, precision), expected)


def test_the_examples_of_the_paper():
    codec = FloatCodec(2)
    x = codec.encode(jnp.asarray([0.5, -1.5]))
    u = codec.encode(jnp.asarray([-0.012, 0.0023]))
    assert np.asarray(x).tolist() == [PLUS, 1, 5, 0, 0, MINUS, 0, 1, 5, 0]
    assert np.asarray(u).tolist() == [MINUS, 2, 1, 2, 0, PLUS, 3, 2, 3, 0]


def test_saturation_is_told_and_what_saturates_is_the_largest_number():
    codec = FloatCodec(4)
    values = jnp.asarray([9.9999, 9.99994, 9.99996, 10.0, -1000.0, jnp.inf, jnp.nan, 0.0])
    expected = [False, False, True, True, True, True, True, False]
    assert codec.saturates(values).tolist() == expected
    decoded = codec.decode(jax.jit(codec.encode)(values[:, None]))[:, 0]
    np.testing.assert_allclose(np.abs(decoded[:-1]), 9.9999, rtol=1e-7)
    assert decoded[4] < 0 and decoded[-1] == 0


@settings(max_examples=300, deadline=None)
@given(st.floats(-9.875, 9.875, width=32), st.integers(1, 5))
def test_error_is_at_most_half_a_unit_of_the_last_digit(value, precision):
    codec = FloatCodec(precision)
    decoded = float(codec.decode(codec.encode(np.asarray([value], np.float32)))[0])
    unit = 10.0**-precision * max(abs(value), 10.0**-MAX_EXPONENT)
    assert abs(decoded - value) <= 0.5 * unit + 2e-7 * abs(value)
    assert decoded * value >= 0


def test_decoding_agrees_with_exact_arithmetic_to_two_roundings():
    tokens = canonical_tokens(4, np.random.default_rng(1), 20_000)
    sign, exponent, mantissa = as_numbers(tokens, 4).T
    expected = np.where(sign == MINUS, -1, 1) * mantissa / 10.0 ** (exponent + 4)
    decoded = np.asarray(FloatCodec(4).decode(tokens))[:, 0]
    np.testing.assert_allclose(decoded, expected, rtol=1.5 * 2**-23)


@pytest.mark.parametrize("precision", [0, 6, -1])
def test_precision_out_of_range_is_named(precision):
    with pytest.raises(ValueError, match=f"got {precision}"):
        FloatCodec(precision)


def test_signs_and_digits_stand_where_they_may():
    allowed = FloatCodec(2).allowed(2)
    assert allowed.shape == (10, 12)
    for position, row in enumerate(allowed):
        expected = {PLUS, MINUS} if position in (0, 5) else set(range(10))
        assert set(np.flatnonzero(row)) == expected


@pytest.mark.parametrize("value", [math.nan, -math.inf, 1e9, 9.99996])
def test_what_cannot_be_written_is_refused(value):
    with pytest.raises(ValueError, match="cannot write"):
        FloatCodec(4).encode(np.float32([1.0, value]))


@pytest.mark.parametrize(
    "tokens", [[3, 0, 1, 2, 3], [10, 10, 1, 2, 3], [11, 0, 1, 2, 12], [10, 0, -1, 2, 3]]
)
def test_tokens_that_are_no_number_are_refused(tokens):
    with pytest.raises(ValueError, match="are no numbers"):
        FloatCodec(2).decode(np.int32([[10, 0, 1, 2, 3, *tokens]]))


def test_half_a_number_is_refused():
    with pytest.raises(ValueError, match="has 5 tokens, got 7"):
        FloatCodec(2).decode(np.int32([[10, 0, 1, 2, 3, 10, 1]]))
