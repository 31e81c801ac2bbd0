"""Which states of fresh trajectories are written with the tokens of given ones."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int, Int32, Key, UInt32, UInt64

from hotmess_jax.synthetic.codec import FloatCodec
from hotmess_jax.synthetic.quadratic import Quadratic
from hotmess_jax.synthetic.teacher import Teacher
from kernels.arrays import AnyArray

_AT_ONCE = 16_384  # trajectories, or fewer of many steps
_STATES_AT_ONCE = 2**22
_BUCKETS = 2**20  # a table of this many flags stays in the cache


@dataclass(frozen=True)
class Paths:
    """The teacher's trajectories, as many as one asks for."""

    starts: Callable[[Key[Array, ""], int], Float32[AnyArray, "count d"]]
    """Draws so many starts."""
    steps: int
    """States of each trajectory that count, from its start on."""
    trajectories: int
    """How many to look through; rounded up to whole batches."""


class Visits(NamedTuple):
    """States of fresh trajectories, by the given state whose tokens they have."""

    states: Float32[np.ndarray, "given most d"]
    """Padded with the given state itself."""
    counts: Int[np.ndarray, " given"]
    """How many of them are visits; more than `most` were drawn down to it at random."""


def visits(
    key: Key[Array, ""],
    problem: Quadratic,
    codec: FloatCodec,
    teacher: Teacher,
    given: Float32[AnyArray, "given d"],
    paths: Paths,
    most: int,
) -> Visits:
    """Return states of fresh trajectories that are written with the tokens of the given states.

    Those are distributed as the trajectories' states within each cell are, which uniform points are not.
    Tokens are known by a digest of 64 bits.

    Args:
        key: randomness, of the starts and of which visits are kept.
        problem: what is descended.
        codec: the numbers' encoding.
        teacher: whose trajectories they are.
        given: the states whose tokens are looked for.
        paths: the trajectories.
        most: visits kept of each given state.
    """
    given = np.asarray(given, np.float32)
    cells, of_cell = np.unique(
        _joined(*_digests(jnp.asarray(given), codec.precision)), return_inverse=True
    )
    wanted = np.zeros(_BUCKETS, bool)
    wanted[cells % _BUCKETS] = True
    key_starts, key_kept = jax.random.split(key)
    found_cells, found_states = [], []
    at_once = min(_AT_ONCE, max(_STATES_AT_ONCE // paths.steps, 1))
    for batch in range(-(-paths.trajectories // at_once)):
        starts = paths.starts(jax.random.fold_in(key_starts, batch), at_once)
        states, low, high = _passed(problem, starts, codec.precision, teacher, paths.steps)
        near = wanted[np.asarray(low) % _BUCKETS]
        digests = _joined(np.asarray(low)[near], np.asarray(high)[near])
        place = np.minimum(np.searchsorted(cells, digests), len(cells) - 1)
        same = cells[place] == digests
        found_cells.append(place[same])
        found_states.append(np.asarray(states)[near][same])
    cell, state = np.concatenate(found_cells), np.concatenate(found_states)
    shuffled = np.asarray(jax.random.permutation(key_kept, len(cell)))
    order = shuffled[np.argsort(cell[shuffled], kind="stable")]
    counts = np.bincount(cell, minlength=len(cells))
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])
    kept = np.minimum(counts, most)
    by_cell = np.zeros((len(cells), most, given.shape[-1]), np.float32)
    for i in range(len(cells)):
        by_cell[i, : kept[i]] = state[order[first[i] : first[i] + kept[i]]]
    counted = kept[of_cell]
    is_visit = np.arange(most)[None, :, None] < counted[:, None, None]
    return Visits(np.where(is_visit, by_cell[of_cell], given[:, None]), counted)


@functools.partial(jax.jit, static_argnames=("precision", "teacher", "steps"))
def _passed(
    problem: Quadratic,
    starts: Float32[AnyArray, "count d"],
    precision: int,
    teacher: Teacher,
    steps: int,
) -> tuple[Float32[Array, "steps count d"], UInt32[Array, "steps count"], UInt32[Array, "steps count"]]:
    """Return the states of trajectories and both halves of their tokens' digests."""

    def step(x: Array, _: None) -> tuple[Array, tuple[Array, Array, Array]]:
        return x + teacher.update(problem, x), (x, *_digests(x, precision))

    return jax.lax.scan(step, jnp.asarray(starts), length=steps)[1]


@functools.partial(jax.jit, static_argnames="precision")
def _digests(
    states: Float32[Array, "*shape d"], precision: int
) -> tuple[UInt32[Array, "*shape"], UInt32[Array, "*shape"]]:
    """Return two independent 32-bit hashes of each state's tokens."""
    codec = FloatCodec(precision)
    tokens: Int32[Array, "*shape tokens"] = codec.encode(states)
    numbers = tokens.reshape(*states.shape, codec.tokens_per_number)
    # One 32-bit word a number: the sign and up to seven digits.
    weights = jnp.asarray([10**i for i in range(codec.tokens_per_number - 1, -1, -1)], jnp.uint32)
    words = (numbers.astype(jnp.uint32) * weights).sum(axis=-1, dtype=jnp.uint32)
    return _hash(words, 0x9E3779B1), _hash(words, 0x85EBCA77)


def _hash(words: UInt32[Array, "*shape d"], odd: int) -> UInt32[Array, "*shape"]:
    """Mix words into one: multiply, and shift what is high to where it is low (as Murmur's finaliser does)."""
    mixed = jnp.full(words.shape[:-1], odd, jnp.uint32)
    for i in range(words.shape[-1]):
        mixed = (mixed ^ words[..., i]) * jnp.uint32(odd)
        mixed = (mixed ^ (mixed >> 15)) * jnp.uint32(0xC2B2AE3D)
        mixed = mixed ^ (mixed >> 13)
    return mixed


def _joined(low: AnyArray, high: AnyArray) -> UInt64[np.ndarray, "*shape"]:
    return np.asarray(high, np.uint64) << np.uint64(32) | np.asarray(low, np.uint64)
