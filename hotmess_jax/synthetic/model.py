"""The decoder transformer, its size presets, and its cached decoding."""

import functools
import math
import re
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax.experimental.layout import Layout, with_layout_constraint
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float, Int

from hotmess_jax.synthetic.codec import VOCABULARY


class Size(NamedTuple):
    """Depth, width and number of attention heads of a decoder."""

    layers: int
    width: int
    heads: int


# 12·layers·width² parameters in the blocks; the last six are the published ones (Appendix B.4).
SIZES = {
    "3k": Size(1, 16, 2),
    "6k": Size(2, 16, 2),
    "14k": Size(2, 24, 2),
    "25k": Size(2, 32, 2),
    "47k": Size(4, 32, 2),
    "83k": Size(3, 48, 2),
    "200k": Size(4, 64, 2),
    "450k": Size(4, 96, 3),
    "790k": Size(4, 128, 4),
    "1.2m": Size(4, 160, 5),
    "4.7m": Size(6, 256, 8),
}


def parse_size(name: str) -> Size:
    """Return the size of that name; LAYERSxWIDTH (such as 4x64) names any other.

    Raises:
        ValueError: for a name that is neither.
    """
    if name in SIZES:
        return SIZES[name]
    match = re.fullmatch(r"([1-9]\d?)x([1-9]\d{0,3})", name)
    if match and int(match[2]) % (heads := max(2, int(match[2]) // 32)) == 0:
        return Size(int(match[1]), int(match[2]), heads)
    raise ValueError(
        f"unknown size {name!r}: expected one of {', '.join(SIZES)}, or LAYERSxWIDTH such as 4x64 "
        "(an even width; from 96 on a multiple of width // 32)"
    )


Heads = Float[Array, "batch heads positions features"]
Queries = Float[Array, "batch heads queries features"]
Attention = Literal["xla", "cudnn"]


class Segment(NamedTuple):
    """Keys and values of a run of positions, in one layer."""

    keys: Heads
    values: Heads


GELU_SCALE, GELU_CUBIC = (2 / math.pi) ** 0.5, 0.044715


@jax.custom_vjp
def gelu(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Return the Gaussian error linear unit of x, in its tanh form, as `jax.nn.gelu` does.

    The backward pass keeps x alone and computes the derivative from it anew, written out: training is
    1.2 to 1.4 times as fast on a CPU as with the derivative that JAX takes by itself.

    Source: Hendrycks and Gimpel 2016, Section 2.
    """
    return 0.5 * x * (1 + _tanh_of_gelu(x))


def _tanh_of_gelu(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    return jnp.tanh(GELU_SCALE * x * (1 + GELU_CUBIC * x * x))


def _gelu_backward(
    x: Float[Array, "*shape"], cotangent: Float[Array, "*shape"]
) -> tuple[Float[Array, "*shape"]]:
    # Else the compiler finds that the forward pass computed the same tanh, and keeps that as well.
    x = jax.lax.optimization_barrier(x)
    tanh = _tanh_of_gelu(x)
    of_tanh = (1 - tanh * tanh) * GELU_SCALE * (1 + 3 * GELU_CUBIC * x * x)
    return (cotangent * (0.5 * (1 + tanh) + 0.5 * x * of_tanh),)


gelu.defvjp(lambda x: (gelu(x), x), _gelu_backward)


def precision_of(dtype: DTypeLike) -> Literal["highest"] | None:
    """Return what products of a format ask XLA for.

    Unless it is asked, it rounds float32 operands: to TF32 on a GPU, to bfloat16 on a TPU.
    """
    return "highest" if jnp.dtype(dtype) == jnp.float32 else None


def product(
    linear: nnx.Linear, x: Float[Array, "*positions inputs"]
) -> Float[Array, "*positions outputs"]:
    """Return `linear` of x, computed as the product of one matrix of all positions.

    The gradient of the weights is then one plain product: training is 1.1 to 1.2 times as fast on a CPU.
    """
    return linear(x.reshape(-1, x.shape[-1])).reshape(*x.shape[:-1], -1)


def row_major(
    x: Float[Array, "batch positions width"],
) -> Float[Array, "batch positions width"]:
    """Return x, whose numbers a GPU then holds width by width, as products and layer norms read them.

    Left alone, XLA transposes them for the sum over the batch that is the gradient of the positions.
    """
    held: Array = jax.lax.platform_dependent(
        x, cuda=lambda x: with_layout_constraint(x, Layout((0, 1, 2))), default=lambda x: x
    )
    return held


def attend(q: Queries, segments: list[Segment], mask: Bool[Array, "queries keys"] | None) -> Queries:
    """Return what the queries find at the segments' positions: softmax(q·kᵀ/√features)·v."""
    multiply = functools.partial(jnp.matmul, precision=precision_of(q.dtype))
    q = q * q.shape[-1] ** -0.5
    scores = jnp.concatenate([multiply(q, s.keys.swapaxes(-1, -2)) for s in segments], axis=-1)
    if mask is not None:
        scores = jnp.where(mask, scores, -jnp.inf)
    weights = jax.nn.softmax(scores.astype(jnp.float32), axis=-1).astype(q.dtype)
    attended = jnp.zeros_like(q)
    begin = 0
    for segment in segments:
        end = begin + segment.values.shape[2]
        attended += multiply(weights[..., begin:end], segment.values)
        begin = end
    return attended


def fused_causal_attention(q: Queries, segment: Segment) -> Queries:
    """Return what `attend` does for the last queries of a segment, each seeing no key after its own.

    cuDNN's kernel, whose scores never leave the chip; it needs a GPU, 16-bit numbers and an even number
    of positions.
    """
    missing = segment.keys.shape[2] - q.shape[2]
    # The kernel counts queries from the first on, as it does keys.
    q = jnp.pad(q, ((0, 0), (0, 0), (missing, 0), (0, 0)))
    heads = (y.swapaxes(1, 2) for y in (q, *segment))
    attended = jax.nn.dot_product_attention(*heads, is_causal=True, implementation="cudnn")
    return attended.swapaxes(1, 2)[:, :, missing:]


class Block(nnx.Module):
    """A pre-norm transformer block: causal attention, then a GELU MLP, without biases."""

    def __init__(self, size: Size, dtype: DTypeLike, *, rngs: nnx.Rngs) -> None:
        layers, width, self.heads = size
        small = nnx.initializers.normal(0.02)
        # Residual branches start small, so that depth does not change the scale of the output.
        residual = nnx.initializers.normal(0.02 / (2 * layers) ** 0.5)

        def linear(inputs: int, outputs: int, init: nnx.initializers.Initializer) -> nnx.Linear:
            return nnx.Linear(
                inputs,
                outputs,
                use_bias=False,
                dtype=dtype,
                precision=precision_of(dtype),
                kernel_init=init,
                rngs=rngs,
            )

        self.attention_norm = nnx.LayerNorm(width, use_bias=False, dtype=dtype, rngs=rngs)
        self.qkv = linear(width, 3 * width, small)
        self.out = linear(width, width, residual)
        self.mlp_norm = nnx.LayerNorm(width, use_bias=False, dtype=dtype, rngs=rngs)
        self.up = linear(width, 4 * width, small)
        self.down = linear(4 * width, width, residual)

    def project(
        self, x: Float[Array, "batch positions width"], first: int = 0
    ) -> tuple[Queries, Segment]:
        """Return queries of the positions from `first` on, keys and values of all."""
        q, k, v = jnp.split(product(self.qkv, self.attention_norm(x)), 3, axis=-1)

        def by_head(y: Float[Array, "batch positions width"]) -> Heads:
            return y.reshape(*y.shape[:2], self.heads, -1).transpose(0, 2, 1, 3)

        return by_head(q[:, first:]), Segment(by_head(k), by_head(v))

    def finish(
        self,
        x: Float[Array, "batch queries width"],
        attended: Queries,
    ) -> Float[Array, "batch queries width"]:
        """Add what was attended to, then apply the MLP."""
        x = x + product(self.out, attended.transpose(0, 2, 1, 3).reshape(x.shape))
        return x + product(self.down, gelu(product(self.up, self.mlp_norm(x))))


class Decoder(nnx.Module):
    """A decoder-only transformer over the codec's tokens (Vaswani et al. 2017, pre-norm)."""

    def __init__(
        self,
        size: Size,
        length: int,
        *,
        dtype: DTypeLike = jnp.float32,
        attention: Attention = "xla",
        rngs: nnx.Rngs,
    ) -> None:
        """Make a decoder for sequences of `length` tokens.

        Args:
            size: depth, width and heads.
            length: the most tokens.
            dtype: of products and of cached keys and values; parameters, the residual stream, softmax
                and logits are float32.
            attention: how whole sequences attend to themselves: as XLA compiles it, or cuDNN's kernel.
            rngs: for the parameters.
        """
        self.attention = attention
        small = nnx.initializers.normal(0.02)
        self.embed = nnx.Embed(VOCABULARY, size.width, embedding_init=small, rngs=rngs)
        self.position = nnx.Embed(length, size.width, embedding_init=small, rngs=rngs)
        self.blocks = nnx.List([Block(size, dtype, rngs=rngs) for _ in range(size.layers)])
        self.norm = nnx.LayerNorm(size.width, use_bias=False, rngs=rngs)
        # In float32: it is small, and close logits decide which digit is written.
        self.head = nnx.Linear(
            size.width,
            VOCABULARY,
            use_bias=False,
            precision=precision_of(jnp.float32),
            kernel_init=small,
            rngs=rngs,
        )

    def __call__(
        self, tokens: Int[Array, "batch length"], first: int = 0
    ) -> Float[Array, "batch predicted vocabulary"]:
        """Return the logits of the token after each position from `first` on."""
        logits, _ = self.prefill(tokens, first)
        return logits

    def prefill(
        self, tokens: Int[Array, "batch length"], first: int
    ) -> tuple[Float[Array, "batch predicted vocabulary"], list[Segment]]:
        """Return the logits as `__call__` does, and every layer's keys and values."""
        length = tokens.shape[1]
        x = row_major(self.embed(tokens) + self.position.embedding[:length])
        if self.attention == "cudnn" and length % 2:
            # Once here, rather than in every layer; no position that counts sees it.
            x = jnp.pad(x, ((0, 0), (0, 1), (0, 0)))
        segments = []
        for i, block in enumerate(self.blocks):
            # The last block's queries and MLP serve only the positions whose logits are wanted.
            skip = first if i == len(self.blocks) - 1 else 0
            q, segment = block.project(x, skip)
            if self.attention == "cudnn":
                attended = fused_causal_attention(q, segment)
            else:
                attended = attend(q, [segment], jnp.tri(length, dtype=bool)[skip:])
            x = block.finish(x[:, skip:], attended)
            segments.append(Segment(*(y[:, :, :length] for y in segment)))
        return product(self.head, self.norm(x[:, : length - first])), segments

    def decode(
        self,
        token: Int[Array, " batch"],
        position: Int[Array, ""],
        slot: Int[Array, ""],
        past: list[list[Segment]],
        open_segments: list[Segment],
    ) -> tuple[Float[Array, "batch vocabulary"], list[Segment]]:
        """Return the logits of the token after this one, and the open segments with it written.

        Args:
            token: the token at `position`.
            position: its place in the sequence.
            slot: its place in the open segment.
            past: for each layer, the full segments before the open one.
            open_segments: for each layer, the segment being filled; slots after `slot` are ignored.
        """
        x = (self.embed(token) + self.position.embedding[position])[:, None]
        before = sum(segment.keys.shape[2] for segment in past[0])
        size = open_segments[0].keys.shape[2]
        mask = (jnp.arange(before + size) <= before + slot)[None]
        written = []
        for block, full, current in zip(self.blocks, past, open_segments, strict=True):
            q, new = block.project(x)
            current = Segment(
                *(
                    jax.lax.dynamic_update_slice_in_dim(buffer, value, slot, axis=2)
                    for buffer, value in zip(current, new, strict=True)
                )
            )
            x = block.finish(x, attend(q, [*full, current], mask))
            written.append(current)
        return product(self.head, self.norm(x))[:, 0], written


def parameter_count(size: Size, length: int) -> int:
    """Return the exact number of parameters of a decoder, without making it."""
    model = nnx.eval_shape(lambda: Decoder(size, length, rngs=nnx.Rngs(0)))
    return sum(leaf.size for leaf in jax.tree.leaves(nnx.state(model, nnx.Param)))
