"""Teacher trajectories in TensorStore, and batches of their states through Grain."""

import dataclasses
import functools
import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import filelock
import grain
import numpy as np
import tensorstore as ts
from jaxtyping import Array, Float, Float32, Int64, UInt64

from hotmess_jax.machine.disk import writing
from hotmess_jax.synthetic.quadratic import Quadratic
from hotmess_jax.synthetic.teacher import Teacher, teacher_trajectories

MANIFEST = "manifest.json"
CHUNK_BYTES = 8 * 2**20
ROUNDS = 4


class CorruptStoreError(ValueError):
    """A trajectory store cannot be read back as it was written."""


def store_trajectories(
    folder: Path,
    problem: Quadratic,
    starts: Float[Array, "count d"],
    teacher: Teacher,
    steps: int,
    progress: Callable[[int], None] = lambda done: None,
) -> Path:
    """Write the teacher's states at steps 0..steps − 1, unless they are stored already.

    A store is a zarr3 array `[count, steps, d]` of float32, a few whole trajectories a chunk, with
    checksums. Its name is a digest of all that determines its content, so runs on one machine, or
    on several that share the folder, find each other's. It is written aside and renamed when whole;
    who else wants it waits.

    Args:
        folder: where stores live.
        problem: what is descended.
        starts: where each trajectory starts.
        teacher: whose trajectories.
        steps: states kept of each trajectory.
        progress: called with the number of trajectories written so far.

    Returns:
        The store's path.

    Raises:
        WriteFailedError: where the disk refuses it; nothing is left of it then.
    """
    digest = _digest(problem, starts, teacher, steps)
    path = store_path(folder, problem, starts, teacher, steps)
    if path.exists():
        return path
    with writing(path):
        folder.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(folder / f".{path.name}.lock"):
            if not path.exists():
                _write_store(path, problem, starts, teacher, steps, digest, progress)
    return path


def store_path(
    folder: Path, problem: Quadratic, starts: Float[Array, "count d"], teacher: Teacher, steps: int
) -> Path:
    """Return where in a folder the store of these trajectories is, or would be."""
    return folder / f"trajectories-{_digest(problem, starts, teacher, steps)[:16]}"


def _digest(problem: Quadratic, starts: Float[Array, "count d"], teacher: Teacher, steps: int) -> str:
    content = [np.asarray(a, np.float32).tobytes() for a in (*problem, starts, teacher.step_norm)]
    return hashlib.sha256(b"".join([*content, f"{steps} {teacher.rule}".encode()])).hexdigest()


def _write_store(
    path: Path,
    problem: Quadratic,
    starts: Float[Array, "count d"],
    teacher: Teacher,
    steps: int,
    digest: str,
    progress: Callable[[int], None],
) -> None:
    """Write a store that nobody else writes."""
    count, dimension = starts.shape
    for left in path.parent.glob(f"{path.name}.writing-*"):  # by a process that was killed
        shutil.rmtree(left)
    aside = Path(tempfile.mkdtemp(prefix=f"{path.name}.writing-", dir=path.parent))
    try:
        rows = max(1, min(count, CHUNK_BYTES // (steps * dimension * 4)))
        store = _open(
            aside,
            create=True,
            dtype=ts.float32,
            shape=[count, steps, dimension],
            chunk_layout=ts.ChunkLayout(chunk_shape=[rows, steps, dimension]),
            # A chunk that is missing reads as NaN, which no trajectory holds.
            fill_value=np.float32(np.nan),
            codec=ts.CodecSpec({"driver": "zarr3", "codecs": [{"name": "crc32c"}]}),
        )
        writes = []
        for begin in range(0, count, rows):
            end = min(begin + rows, count)
            states = teacher_trajectories(problem, starts[begin:end], teacher, steps - 1)
            writes.append(store[begin:end].write(np.asarray(states).transpose(1, 0, 2)))
            if len(writes) > 2:
                writes.pop(0).result()
            progress(end)
        for write in writes:
            write.result()
        manifest = {
            "shape": [count, steps, dimension],
            "digest": digest,
            "teacher": dataclasses.asdict(teacher),
        }
        (aside / MANIFEST).write_text(json.dumps(manifest))
        os.rename(aside, path)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def read_trajectories(path: Path, first: int, last: int) -> Float32[np.ndarray, "count steps d"]:
    """Read trajectories first..last − 1 of a store into memory.

    Raises:
        CorruptStoreError: naming the store, where it is not whole.
    """
    try:
        manifest = json.loads((path / MANIFEST).read_text())
        shape, digest = manifest["shape"], manifest["digest"]
        if not path.name.endswith(digest[:16]):
            raise ValueError(f"its manifest is of another store, {digest[:16]}")
        store = _open(path)
        if list(store.shape) != shape:
            raise ValueError(f"it has shape {list(store.shape)}, and should have {shape}")
        states = store[first:last].read().result()
    except (KeyError, TypeError, AttributeError) as error:
        raise CorruptStoreError(
            f"trajectory store {path} is corrupted ({MANIFEST} lacks what it should hold); delete it and run "
            "again"
        ) from error
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0].split(" [")[0]
        raise CorruptStoreError(
            f"trajectory store {path} is corrupted ({reason}); delete it and run again"
        ) from error
    if not np.isfinite(states).all():
        raise CorruptStoreError(
            f"trajectory store {path} is truncated (a chunk is missing); delete it and run again"
        )
    return states


def _open(path: Path, **options: Any) -> ts.TensorStore:
    spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(path)}}
    return ts.open(spec, open=True, **options).result()


class BatchSource:
    """Batches of states in an order shuffled anew each epoch, every state once an epoch.

    The trajectories are cut into equal lanes, and each batch takes equally many states from each: a
    process that holds some of the lanes has its share of every batch, whatever processes there are. One
    element is one batch for each replicate, gathered in one go: a batch is a few kilobytes.
    """

    def __init__(
        self,
        states: Sequence[Float32[np.ndarray, "count steps d"]],
        batch_size: int,
        batches: int,
        seeds: Sequence[tuple[int, ...]],
        lanes: Sequence[int] = (0,),
    ) -> None:
        """Serve `batches` batches, to each replicate of its states in an order that follows from its seed.

        Args:
            states: of each replicate, those of the lanes held here, one after the other; equally many.
            batch_size: states of a batch, out of these lanes.
            batches: how many.
            seeds: one a replicate.
            lanes: numbers of the lanes held here.
        """
        self._rows = [of_one.reshape(-1, of_one.shape[-1]) for of_one in states]
        self._of_lane = len(self._rows[0]) // len(lanes)
        self._from_lane = batch_size // len(lanes)
        self._batch_size = batch_size
        self._batches = batches
        self._seeds = [[(*seed, lane) for lane in lanes] for seed in seeds]
        self._begins = np.arange(len(lanes))[:, None] * self._of_lane
        self._keys = functools.lru_cache(maxsize=4)(self._draw_keys)

    def __len__(self) -> int:
        return self._batches

    def _draw_keys(self, epoch: int) -> UInt64[np.ndarray, "replicates lanes rounds"]:
        return np.asarray([[round_keys((*seed, epoch)) for seed in lanes] for lanes in self._seeds])

    def __getitem__(self, index: int) -> Float32[np.ndarray, "replicates batch d"]:
        """Return batch number `index` of each replicate."""
        first = index * self._from_lane
        chosen = []
        while first < (index + 1) * self._from_lane:
            epoch, begin = divmod(first, self._of_lane)
            end = min(begin + (index + 1) * self._from_lane - first, self._of_lane)
            place = np.arange(begin, end, dtype=np.uint64)
            chosen.append(permute(place, self._of_lane, self._keys(epoch)) + self._begins)
            first += end - begin
        rows = chosen[0] if len(chosen) == 1 else np.concatenate(chosen, axis=-1)
        picked = zip(self._rows, rows.reshape(len(rows), self._batch_size), strict=True)
        return np.stack([np.take(of_one, places, axis=0) for of_one, places in picked])


def round_keys(seed: tuple[int, ...]) -> UInt64[np.ndarray, " rounds"]:
    """Return what a permutation follows from."""
    return np.random.SeedSequence(seed).generate_state(ROUNDS, np.uint64)


def permute(
    indices: UInt64[np.ndarray, " n"], size: int, keys: UInt64[np.ndarray, "*many rounds"]
) -> Int64[np.ndarray, "*many n"]:
    """Return where pseudo-random permutations of range(size) send the indices, one for each set of keys.

    A Feistel network on pairs of digits, in bases whose product is hardly more than `size`, walked until
    it lands inside: any element can be looked up alone, so no permutation of a hundred million pairs is
    ever held in memory.

    Args:
        indices: below `size`.
        size: at most 2⁶².
        keys: of each permutation, see `round_keys`.

    Source: Black and Rogaway 2002, "Ciphers with arbitrary finite domains".
    """
    high = math.isqrt(size - 1) + 1
    low = -(-size // high)
    bases = np.asarray([high, low], np.uint64)

    def encrypt(value: np.ndarray, keys: Sequence[np.ndarray]) -> np.ndarray:
        digits = list(np.divmod(value, bases[1]))
        for turn, key in enumerate(keys):
            changed, base = turn % 2, bases[turn % 2]
            mixed = (digits[1 - changed] + key) * np.uint64(0x9E3779B97F4A7C15)  # wraps, as hashes do
            mixed ^= mixed >> np.uint64(29)
            mixed *= np.uint64(0xBF58476D1CE4E5B9)
            mixed >>= np.uint64(32)
            mixed *= base
            mixed >>= np.uint64(32)  # below the base
            mixed += digits[changed]
            digits[changed] = np.minimum(mixed, mixed - base)  # wraps where it is below the base
        return digits[0] * bases[1] + digits[1]

    of_rounds = [keys[..., turn, None] for turn in range(ROUNDS)]
    result = encrypt(indices, of_rounds)
    while (outside := result >= size).any():
        keys_there = [np.broadcast_to(key, result.shape)[outside] for key in of_rounds]
        result[outside] = encrypt(result[outside], keys_there)
    return result.astype(np.int64)


def lanes_of(trajectories: int, batch_size: int) -> int:
    """Return how many lanes the trajectories are cut into: the most, up to 16, that divide both evenly."""
    return max(n for n in range(1, 17) if trajectories % n == 0 and batch_size % n == 0)


def batch_iterator(
    states: Sequence[Float32[np.ndarray, "count steps d"]],
    batch_size: int,
    batches: int,
    seeds: Sequence[tuple[int, ...]],
    lanes: Sequence[int] = (0,),
) -> grain.DatasetIterator:
    """Return a Grain iterator over batches of states, `[replicates, batch, d]`, as in `BatchSource`.

    Its position can be saved and restored.
    """
    source = BatchSource(states, batch_size, batches, seeds, lanes)
    # Two threads keep ahead of any model here and leave the cores to the training.
    options = grain.ReadOptions(num_threads=2, prefetch_buffer_size=16)
    return iter(grain.MapDataset.source(source).to_iter_dataset(options))


def validation_states(
    states: Float32[np.ndarray, "count steps d"], pairs: int, seed: tuple[int, ...]
) -> Float32[np.ndarray, "pairs d"]:
    """Return a fixed random selection of the held-out states, without repetition."""
    pairs = min(pairs, states.shape[0] * states.shape[1])
    (selection,) = BatchSource([states], pairs, 1, [seed])[0]
    return selection
