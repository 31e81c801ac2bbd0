"""The decoder: causality, cached decoding, sizes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from programs import products

from hotmess_jax.synthetic.codec import VOCABULARY, FloatCodec
from hotmess_jax.synthetic.model import SIZES, Decoder, Size, gelu, parameter_count, parse_size, product
from hotmess_jax.synthetic.rollout import model_policy

CODEC, DIMENSION = FloatCodec(2), 2
HALF = DIMENSION * CODEC.tokens_per_number


@pytest.fixture(scope="module")
def model():
    """A decoder whose weights are large enough for its logits to differ clearly."""
    graph, params = nnx.split(Decoder(Size(3, 16, 2), 2 * HALF - 1, rngs=nnx.Rngs(0)))
    return nnx.merge(graph, jax.tree.map(lambda leaf: leaf * 25 if leaf.ndim > 1 else leaf, params))


def keys(states):
    return jax.random.split(jax.random.key(4), len(states))


def random_tokens(rows, length, seed=0):
    return jax.random.randint(jax.random.key(seed), (rows, length), 0, VOCABULARY)


def test_a_token_changes_nothing_before_it(model):
    tokens = random_tokens(4, 2 * HALF - 1)
    before = model(tokens)
    for position in range(tokens.shape[1]):
        changed = tokens.at[:, position].set((tokens[:, position] + 1) % VOCABULARY)
        after = model(changed)
        np.testing.assert_array_equal(before[:, :position], after[:, :position])
        assert np.abs(before[:, position:] - after[:, position:]).max() > 1e-3


@pytest.mark.parametrize(("dtype", "tolerance"), [(jnp.float32, 1e-5), (jnp.bfloat16, 2e-2)])
def test_gelu_and_its_derivative_equal_those_of_jax_and_of_differences(dtype, tolerance):
    x = jnp.concatenate([jnp.linspace(-8, 8, 2001), jnp.array([-1e4, -50, 0, 50, 1e4])]).astype(dtype)
    value, pull = jax.vjp(gelu, x)
    slope = pull(jnp.ones_like(x))[0]
    assert value.dtype == slope.dtype == dtype
    expected, pull = jax.vjp(jax.nn.gelu, x.astype(jnp.float32))
    np.testing.assert_allclose(value.astype(jnp.float32), expected, tolerance, tolerance)
    np.testing.assert_allclose(
        slope.astype(jnp.float32), pull(jnp.ones_like(expected))[0], tolerance, tolerance
    )

    def plain(x):
        return x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))

    inner = np.asarray(x[:2001], np.float64)
    differences = (plain(inner + 1e-5) - plain(inner - 1e-5)) / 2e-5
    np.testing.assert_allclose(slope[:2001].astype(jnp.float32), differences, tolerance, tolerance)
    np.testing.assert_array_equal(jax.grad(lambda x: gelu(x).sum())(x), slope)


@pytest.mark.parametrize("shape", [(5,), (3, 7, 5), (2, 3, 4, 5)])
def test_a_product_of_all_positions_and_its_gradients_equal_those_of_one_position_at_a_time(shape):
    linear = nnx.Linear(5, 6, use_bias=False, rngs=nnx.Rngs(0))
    x, cotangent = (
        jax.random.normal(jax.random.key(i), (*shape[:-1], n)) for i, n in enumerate((5, 6))
    )
    graph, weights = nnx.split(linear)
    value, pull = jax.vjp(lambda weights, x: product(nnx.merge(graph, weights), x), weights, x)
    to_weights, to_x = pull(cotangent)
    kernel = np.asarray(linear.kernel[...], np.float64)
    expected, gradient = np.zeros(value.shape), np.zeros(kernel.shape)
    for at in np.ndindex(shape[:-1]):
        expected[at] = np.asarray(x[at]) @ kernel
        gradient += np.outer(x[at], cotangent[at])
        np.testing.assert_allclose(to_x[at], kernel @ np.asarray(cotangent[at]), 1e-5, 1e-5)
    np.testing.assert_allclose(value, expected, 1e-5, 1e-5)
    np.testing.assert_allclose(to_weights["kernel"][...], gradient, 1e-5, 1e-5)


@pytest.mark.parametrize("first", [1, HALF - 1, 2 * HALF - 2])
def test_leaving_early_positions_out_leaves_the_others_as_they_are(model, first):
    tokens = random_tokens(4, 2 * HALF - 1)
    np.testing.assert_allclose(model(tokens, first), model(tokens)[:, first:], atol=2e-5)


@pytest.mark.parametrize("length", [HALF, HALF - 1])
@pytest.mark.parametrize("first", [0, 3, HALF - 2])
def test_fused_attention_is_given_even_numbers_of_positions(
    model, length, first, monkeypatch, cudnn_calls
):
    tokens = random_tokens(4, length)
    expected = model.prefill(tokens, first)
    monkeypatch.setattr(model, "attention", "cudnn")
    found = model.prefill(tokens, first)
    assert set(cudnn_calls) == {HALF}
    for one, other in zip(jax.tree.leaves(expected), jax.tree.leaves(found), strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, atol=2e-5)


def uncached_update(model, state_tokens):
    """Greedy constrained decoding, the whole sequence anew for each token; later tokens change nothing."""
    allowed, logits_of = CODEC.allowed(DIMENSION), jax.jit(model)
    tokens, logits_seen = jnp.pad(state_tokens, ((0, 0), (0, HALF))), []
    for position in range(HALF):
        logits = logits_of(tokens[:, :-1])[:, HALF + position - 1]
        logits_seen.append(logits)
        chosen = jnp.argmax(jnp.where(allowed[position], logits, -jnp.inf), axis=-1)
        tokens = tokens.at[:, HALF + position].set(chosen.astype(jnp.int32))
    return tokens[:, HALF:], logits_seen


def test_cached_decoding_equals_uncached_decoding_token_for_token(model):
    states = CODEC.encode(3 * jax.random.normal(jax.random.key(1), (200, DIMENSION)))
    cached = jax.jit(model_policy(model, CODEC, DIMENSION))(states, keys(states))
    expected, _ = uncached_update(model, states)
    assert np.array_equal(cached, expected)
    # The models' choices differ between states, so equality says something.
    assert len(np.unique(np.asarray(expected), axis=0)) > 10


def test_bfloat16_is_near_float32_and_decodes_with_its_cache_as_without():
    models = [Decoder(Size(2, 32, 2), 2 * HALF - 1, dtype=dtype, rngs=nnx.Rngs(0))
              for dtype in (jnp.float32, jnp.bfloat16)]  # fmt: skip
    tokens = random_tokens(32, 2 * HALF - 1)
    exact, near = (jax.jit(model)(tokens) for model in models)
    assert near.dtype == jnp.float32 and {p.dtype for p in jax.tree.leaves(nnx.state(models[1]))} == {
        jnp.dtype("float32")
    }
    difference = float(jnp.abs(exact - near).max())
    assert 0 < difference < 0.02 * float(jnp.abs(exact).max())
    states = CODEC.encode(3 * jax.random.normal(jax.random.key(1), (50, DIMENSION)))
    cached = jax.jit(model_policy(models[1], CODEC, DIMENSION))(states, keys(states))
    expected, _ = uncached_update(models[1], states)
    # Sums in another order round differently: only near ties may be decided otherwise.
    agree = (np.asarray(cached) == np.asarray(expected)).all(axis=1)
    assert agree.mean() > 0.9


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_float32_is_asked_for_where_a_device_would_round(dtype):
    """A GPU rounds float32 operands to TF32 and a TPU to bfloat16, unless highest precision is asked for."""
    model = Decoder(Size(2, 16, 2), 2 * HALF - 1, dtype=dtype, rngs=nnx.Rngs(0))
    graph, params = nnx.split(model)
    policy, tokens = model_policy(model, CODEC, DIMENSION), random_tokens(3, HALF)
    for program in (
        jax.make_jaxpr(jax.grad(lambda params: nnx.merge(graph, params)(tokens).sum()))(params),
        jax.make_jaxpr(policy)(tokens, keys(tokens)),
    ):
        for equation, _ in products(program.jaxpr):
            full = equation.invars[0].aval.dtype == jnp.float32
            assert (equation.params["precision"] == (jax.lax.Precision.HIGHEST,) * 2) == full
            assert full or dtype == jnp.bfloat16


def test_sampling_follows_the_model_s_probabilities(model):
    states = jnp.tile(CODEC.encode(jnp.asarray([[1.5, -0.3]])), (8_000, 1))
    policy = jax.jit(model_policy(model, CODEC, DIMENSION, temperature=20.0))
    sampled = np.asarray(policy(states, keys(states)))
    logits = np.where(CODEC.allowed(DIMENSION)[0], model(states[:1])[0, -1] / 20.0, -np.inf)
    expected = np.exp(logits - logits.max())
    frequencies = np.bincount(sampled[:, 0], minlength=VOCABULARY) / len(sampled)
    np.testing.assert_allclose(frequencies, expected / expected.sum(), atol=0.025)
    # And so does the second token, given the first.
    first = np.bincount(sampled[:, 0]).argmax()
    given = sampled[sampled[:, 0] == first]
    prefix = jnp.concatenate([states[:1], jnp.full((1, 1), first, jnp.int32)], axis=1)
    logits = np.where(CODEC.allowed(DIMENSION)[1], model(prefix)[0, -1] / 20.0, -np.inf)
    expected = np.exp(logits - logits.max())
    frequencies = np.bincount(given[:, 1], minlength=VOCABULARY) / len(given)
    np.testing.assert_allclose(frequencies, expected / expected.sum(), atol=0.03)


@pytest.mark.parametrize("temperature", [0.0, 5.0])
def test_no_token_stands_where_it_may_not(model, temperature):
    states = CODEC.encode(
        jnp.clip(3 * jax.random.normal(jax.random.key(3), (500, DIMENSION)), -9.9, 9.9)
    )
    policy = jax.jit(model_policy(model, CODEC, DIMENSION, temperature))
    tokens = np.asarray(policy(states, keys(states)))
    allowed = CODEC.allowed(DIMENSION)
    assert all(allowed[position, token] for row in tokens for position, token in enumerate(row))
    # Unconstrained, this model would break the rule.
    _, logits = uncached_update(model, states)
    free = np.stack([np.argmax(position, axis=-1) for position in logits], axis=1)
    assert not all(allowed[position, token] for row in free for position, token in enumerate(row))


def test_parameter_counts_are_exact_and_near_their_names():
    for name, size in SIZES.items():
        named = float(name[:-1]) * {"k": 1e3, "m": 1e6}[name[-1]]
        in_blocks = 12 * size.layers * size.width**2
        assert abs(in_blocks - named) / named < 0.06
        norms = (2 * size.layers + 1) * size.width
        assert parameter_count(size, 55) == in_blocks + (12 + 55 + 12) * size.width + norms


def test_sizes_are_named_or_given_as_layers_by_width():
    assert parse_size("4x32") == SIZES["47k"]
    for name in ("48k", "0x32", "4x", "4x33", "x32", ""):
        with pytest.raises(ValueError, match="unknown size"):
            parse_size(name)
