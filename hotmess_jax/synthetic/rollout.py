"""Trajectories on a policy's own predictions: constrained decoding and the loop around it."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Float, Int, Key, PyTree

from hotmess_jax.machine.sharding import AXIS, REPLICATES, gathered, part_size, placed
from hotmess_jax.synthetic.codec import FloatCodec
from hotmess_jax.synthetic.model import Decoder, Segment
from hotmess_jax.synthetic.quadratic import Quadratic
from hotmess_jax.synthetic.teacher import Teacher

Tokens = Int[Array, "starts tokens"]
Keys = Key[Array, " starts"]
# From the state's tokens, and a key for each start, to the update's tokens.
Policy = Callable[[Tokens, Keys], Tokens]


# Where there is no cache to stay in, so many rows at once are enough to keep an accelerator busy.
ROWS_AT_ONCE = 16_384


class Rollout(NamedTuple):
    """States at steps 0..T, and how many of each start's numbers were beyond the codec."""

    states: Float[Array, "*replicates points starts d"]
    saturated: Int[Array, "*replicates starts"]


def roll_out(
    policy: Policy,
    codec: FloatCodec,
    starts: Float[Array, "starts d"],
    steps: int,
    keys: Keys,
) -> Rollout:
    """Let a policy walk: tokens of x, its tokens of u, x + u in floating point, and again.

    Each start has its own key, so that its walk does not depend on which others there are.

    Source: Hägele et al. 2026, Appendix B.4 (Evaluation).
    """

    def beyond(x: Float[Array, "starts d"]) -> Int[Array, " starts"]:
        return codec.saturates(x).sum(axis=-1, dtype=jnp.int32)

    # Counted on the way: over the whole trajectories afterwards, a TPU would pad every few numbers to 128.
    def step(
        carry: tuple[Float[Array, "starts d"], Int[Array, " starts"]], number: Int[Array, ""]
    ) -> tuple[tuple[Float[Array, "starts d"], Int[Array, " starts"]], Float[Array, "starts d"]]:
        x, saturated = carry
        following = x + codec.decode(policy(codec.encode(x), fold_in_all(keys, number)))
        return (following, saturated + beyond(following)), x

    (last, saturated), states = jax.lax.scan(step, (starts, beyond(starts)), jnp.arange(steps))
    return Rollout(jnp.concatenate([states, last[None]]), saturated)


def fold_in_all(keys: Keys, number: Int[Array, ""]) -> Keys:
    """Derive a key from each."""
    return jax.vmap(jax.random.fold_in, (0, None))(keys, number)


def oracle_policy(problem: Quadratic, codec: FloatCodec, teacher: Teacher) -> Policy:
    """Return the teacher as a policy: it reads and writes tokens, so it is rounded as a model is."""

    def policy(tokens: Tokens, keys: Keys) -> Tokens:
        return codec.encode(teacher.update(problem, codec.decode(tokens)))

    return policy


def model_policy(model: Decoder, codec: FloatCodec, dimension: int, temperature: float = 0.0) -> Policy:
    """Return a decoder as a policy, by constrained decoding with cached keys and values.

    At each position only a sign, or only a digit, may stand. The state's keys and values stay apart
    from the update's, which are kept number by number, so attention never reads an empty slot of a
    number still to come.

    Args:
        model: the decoder.
        codec: the numbers' encoding.
        dimension: d, numbers a vector.
        temperature: 0 takes the likeliest token allowed, more samples at that temperature.
    """
    size = codec.tokens_per_number
    barred = jnp.where(codec.allowed(dimension)[:size], 0.0, -jnp.inf)

    def choose(
        logits: Float[Array, "starts vocabulary"], keys: Keys, number: int, slot: Int[Array, ""]
    ) -> Int[Array, " starts"]:
        logits = logits + barred[slot]
        if temperature == 0:
            return jnp.argmax(logits, axis=-1).astype(jnp.int32)
        keys = fold_in_all(keys, number * size + slot)
        return jax.vmap(jax.random.categorical)(keys, logits / temperature).astype(jnp.int32)

    def policy(tokens: Tokens, keys: Keys) -> Tokens:
        half = tokens.shape[1]
        logits, state_segments = model.prefill(tokens, first=half - 1)
        logits = logits[:, 0]
        past = [[segment] for segment in state_segments]
        update: list[Int[Array, " starts"]] = []
        for number in range(dimension):
            last = number == dimension - 1

            def write(
                carry: tuple[Array, list[Segment]],
                slot: Int[Array, ""],
                number: int = number,
                past: list[list[Segment]] = past,
            ) -> tuple[tuple[Array, list[Segment]], Int[Array, " starts"]]:
                logits, segments = carry
                token = choose(logits, keys, number, slot)
                position = half + number * size + slot
                return model.decode(token, position, slot, past, segments), token

            # The very last token is chosen, but nothing comes after it to be computed.
            slots = size - 1 if last else size
            empty = [
                Segment(*(jnp.zeros((*a.shape[:2], size, a.shape[3]), a.dtype) for a in segment))
                for segment in state_segments
            ]
            (logits, segments), written = jax.lax.scan(write, (logits, empty), jnp.arange(slots))
            update.extend(written)
            past = [[*full, segment] for full, segment in zip(past, segments, strict=True)]
        update.append(choose(logits, keys, dimension - 1, jnp.asarray(size - 1)))
        return jnp.stack(update, axis=-1)

    return policy


def _in_parts(
    policy: Policy,
    codec: FloatCodec,
    starts: Float[Array, "rows d"],
    steps: int,
    keys: Key[Array, " rows"],
    rows_at_once: int,
) -> Rollout:
    """Roll out from so many rows at once (0: all), one part after another; see `part_size`."""
    rows, dimension = starts.shape
    size = part_size(rows, rows_at_once)
    if size == rows:
        return roll_out(policy, codec, starts, steps, keys)
    parts = starts.reshape(-1, size, dimension), keys.reshape(-1, size)
    found = jax.lax.map(lambda part: roll_out(policy, codec, part[0], steps, part[1]), parts)
    states = found.states.swapaxes(0, 1).reshape(steps + 1, rows, dimension)
    return Rollout(states, found.saturated.reshape(rows))


class ModelRollout:
    """Rollouts of decoders of one size, in one compiled program whatever problems they learned from.

    Replicates are rolled out one after the other on a CPU, together elsewhere (at most `ROWS_AT_ONCE` rows,
    or one replicate); replicates and their rows are spread over a mesh.
    """

    def __init__(
        self,
        graph: nnx.GraphDef,
        codec: FloatCodec,
        dimension: int,
        steps: int,
        temperature: float,
        mesh: Mesh,
        rows_at_once: int | None = None,
    ) -> None:
        """Prepare the rollout; it is compiled at the first call.

        Args:
            graph: the decoder's structure.
            codec: the numbers' encoding.
            dimension: d, numbers a vector.
            steps: of the rollout.
            temperature: as in `model_policy`.
            mesh: the devices that share the replicates and their rows.
            rows_at_once: rows of a replicate that a device rolls out together, one part after another; 0 is
                all. None is 32 on a CPU, whose cache then holds all keys and values, and all elsewhere.
        """
        on_cpu = mesh.devices.flat[0].platform == "cpu"
        if rows_at_once is None:
            rows_at_once = 32 if on_cpu else 0

        def of_one(
            params: PyTree, starts: Float[Array, "rows d"], keys: Key[Array, " rows"]
        ) -> Rollout:
            policy = model_policy(nnx.merge(graph, params), codec, dimension, temperature)
            return _in_parts(policy, codec, starts, steps, keys, rows_at_once)

        def of_all(
            params: PyTree,
            starts: Float[Array, "replicates rows d"],
            keys: Key[Array, "replicates rows"],
        ) -> Rollout:
            together = None if on_cpu else max(1, ROWS_AT_ONCE // starts.shape[1])
            found: Rollout
            found = jax.lax.map(lambda one: of_one(*one), (params, starts, keys), batch_size=together)
            return found

        own, by_start = PartitionSpec(REPLICATES), PartitionSpec(REPLICATES, AXIS)
        self._mesh = mesh
        self._own, self._by_start = NamedSharding(mesh, own), NamedSharding(mesh, by_start)
        # Each device walks on its own: nothing is exchanged.
        on_each = jax.shard_map(
            of_all,
            mesh=mesh,
            in_specs=(own, by_start, by_start),
            out_specs=Rollout(PartitionSpec(REPLICATES, None, AXIS), by_start),  # type: ignore[arg-type]
            check_vma=False,
        )

        def with_keys(params: PyTree, starts: Array, key_data: Array) -> Rollout:
            keys = jax.random.wrap_key_data(key_data)
            keys = jax.vmap(lambda key: jax.random.split(key, starts.shape[1]))(keys)
            return on_each(params, starts, keys)  # type: ignore[no-any-return]

        self._compiled = jax.jit(with_keys)

    def __call__(
        self,
        params: PyTree,
        starts: Float[Array, "replicates rows d"],
        keys: Key[Array, " replicates"],
    ) -> Rollout:
        """Roll each replicate's decoder out from each of its starts.

        Args:
            params: their leaves have the replicates as first axis.
            starts: of each replicate.
            keys: of each replicate, of which each of its rows has one of its own.

        Returns:
            The rollout, `[replicates, points, rows, d]`, on this process's first device.
        """
        params, data = placed((params, jax.random.key_data(keys)), self._own)
        starts = placed(starts, self._by_start)
        return gathered(self._compiled(params, starts, data), self._mesh)

    @property
    def compilations(self) -> int:
        """How many programs were compiled so far."""
        return self._compiled._cache_size()  # type: ignore[attr-defined]


@functools.partial(jax.jit, static_argnames=("teacher", "codec", "steps"))
def oracle_rollout(
    problem: Quadratic,
    teacher: Teacher,
    codec: FloatCodec,
    starts: Float[Array, "starts d"],
    steps: int,
) -> Rollout:
    """Roll the teacher out through the codec: what a perfect model of these digits would do."""
    policy = oracle_policy(problem, codec, teacher)
    # The teacher draws nothing: any keys will do.
    return roll_out(policy, codec, starts, steps, jax.random.split(jax.random.key(0), len(starts)))
