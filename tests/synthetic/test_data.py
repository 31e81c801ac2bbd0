"""The trajectory store and the order of batches."""

import threading

import filelock
import jax
import numpy as np
import pytest

from hotmess_jax.synthetic.data import (
    BatchSource,
    CorruptStoreError,
    batch_iterator,
    lanes_of,
    permute,
    read_trajectories,
    round_keys,
    store_trajectories,
    validation_states,
)
from hotmess_jax.synthetic.quadratic import random_quadratic
from hotmess_jax.synthetic.starts import draw_starts
from hotmess_jax.synthetic.teacher import Teacher, teacher_trajectories

PROBLEM = random_quadratic(jax.random.key(0), 2, 50.0)
STARTS = draw_starts(jax.random.key(1), 30, PROBLEM.b)
STEPS = 16


def write(folder, monkeypatch, starts=STARTS):
    monkeypatch.setattr("hotmess_jax.synthetic.data.CHUNK_BYTES", 8 * STEPS * 2 * 4)  # 8 trajectories
    return store_trajectories(folder, PROBLEM, starts, Teacher(0.05), STEPS)


def test_what_is_read_is_what_the_teacher_did(tmp_path, monkeypatch):
    path = write(tmp_path, monkeypatch)
    expected = np.asarray(teacher_trajectories(PROBLEM, STARTS, Teacher(0.05), STEPS - 1))
    whole = read_trajectories(path, 0, 30)
    np.testing.assert_allclose(whole, expected.transpose(1, 0, 2), atol=1e-5)
    assert np.array_equal(read_trajectories(path, 27, 30), whole[27:])
    assert len([f for f in path.rglob("*") if f.is_file()]) == 4 + 2  # chunks, and two of metadata


def test_a_second_run_reuses_the_store_and_another_problem_gets_its_own(tmp_path, monkeypatch):
    path = write(tmp_path, monkeypatch)
    before = {f: f.stat().st_mtime_ns for f in path.rglob("*")}
    assert write(tmp_path, monkeypatch) == path
    assert {f: f.stat().st_mtime_ns for f in path.rglob("*")} == before
    assert write(tmp_path, monkeypatch, STARTS + 0.01) != path
    assert len(stores(tmp_path)) == 2  # nothing half-written is left beside them


def stores(folder):
    return [found for found in folder.iterdir() if found.suffix != ".lock"]


def test_who_else_wants_a_store_waits_and_finds_what_a_killed_one_left_gone(tmp_path, monkeypatch):
    path = write(tmp_path / "other", monkeypatch)
    (tmp_path / f"{path.name}.writing-abc").mkdir()
    with filelock.FileLock(tmp_path / f".{path.name}.lock"):
        waiting = threading.Thread(target=write, args=(tmp_path, monkeypatch))
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive() and not (tmp_path / path.name).exists()
    waiting.join(60)
    assert {found.name for found in stores(tmp_path)} == {"other", path.name}


def chunks(path):
    return sorted(f for f in (path / "c").rglob("*") if f.is_file())


@pytest.mark.parametrize("harm", ["truncate", "flip", "remove", "manifest", "metadata"])
def test_a_harmed_store_is_named(tmp_path, monkeypatch, harm):
    path = write(tmp_path, monkeypatch)
    chunk = chunks(path)[2]
    content = bytearray(chunk.read_bytes())
    if harm == "truncate":
        chunk.write_bytes(content[: len(content) // 2])
    elif harm == "flip":
        content[len(content) // 2] ^= 1
        chunk.write_bytes(content)
    elif harm == "remove":
        chunk.unlink()
    elif harm == "manifest":
        (path / "manifest.json").unlink()
    else:
        (path / "zarr.json").write_text("{")
    with pytest.raises(CorruptStoreError, match=str(path)):
        read_trajectories(path, 0, 30)


@pytest.mark.parametrize("size", [1, 2, 7, 1000, 4097])
def test_permute_is_a_permutation_and_depends_on_its_seed(size):
    indices = np.arange(size, dtype=np.uint64)
    one, again, other = (permute(indices, size, round_keys(seed)) for seed in ((1, 2), (1, 2), (1, 3)))
    assert sorted(one) == list(range(size))
    assert np.array_equal(one, again)
    if size > 10:
        assert (one != other).mean() > 0.9
    keys = np.asarray([[round_keys((1, 2))], [round_keys((1, 3))]])
    assert np.array_equal(permute(indices, size, keys), [[one], [other]])


def test_permute_leaves_no_trace_of_the_order():
    size = 100_000
    order = permute(np.arange(size, dtype=np.uint64), size, round_keys((5,))).astype(float)
    # Ranks of a random order: neighbours, and an element and its place, are uncorrelated.
    for other in (np.arange(size), np.roll(order, 1), np.roll(order, 64)):
        assert abs(np.corrcoef(order, other)[0, 1]) < 4 / np.sqrt(size)


def test_every_state_comes_once_an_epoch():
    states = np.arange(5 * 8 * 2, dtype=np.float32).reshape(5, 8, 2)
    source = BatchSource([states], 16, 10, [(0,)])
    rows = np.concatenate([source[i][0] for i in range(5)])  # two epochs of 40 states
    for epoch in (rows[:40], rows[40:]):
        assert np.array_equal(np.sort(epoch[:, 0]), np.sort(states.reshape(-1, 2)[:, 0]))
    assert not np.array_equal(rows[:40], rows[40:])


@pytest.mark.parametrize("shared", [True, False])
def test_each_replicate_has_the_batches_of_its_own_states_and_seed(shared):
    one, other = np.random.default_rng(1).normal(size=(2, 5, 8, 2)).astype(np.float32)
    states = [one, one if shared else other]
    together = BatchSource(states, 16, 10, [(0, 0), (0, 1)])
    for replicate in range(2):
        alone = BatchSource(states[replicate : replicate + 1], 16, 10, [(0, replicate)])
        assert np.array_equal(together[3][replicate], alone[3][0])
    assert not np.array_equal(*together[3])


def test_processes_that_hold_some_lanes_have_their_share_of_every_batch():
    states = np.random.default_rng(2).normal(size=(12, 5, 2)).astype(np.float32)
    seeds = [(0, 0), (0, 1)]
    whole = BatchSource([states] * 2, 8, 20, seeds, range(4))
    shares = [BatchSource([states[i * 3 : i * 3 + 3]] * 2, 2, 20, seeds, [i]) for i in range(4)]
    for index in range(20):  # 2.7 epochs of 15 states a lane, so that batches span two of them
        parts = np.concatenate([share[index] for share in shares], axis=1)
        assert np.array_equal(whole[index], parts)
    epoch = np.concatenate([shares[1][i][0] for i in range(8)])[:15]
    assert np.array_equal(np.sort(epoch[:, 0]), np.sort(states[3:6].reshape(-1, 2)[:, 0]))


@pytest.mark.parametrize(
    ("trajectories", "batch", "lanes"), [(18_000, 1024, 16), (54, 32, 2), (53, 32, 1), (90, 30, 15)]
)
def test_lanes_divide_trajectories_and_batches(trajectories, batch, lanes):
    assert lanes_of(trajectories, batch) == lanes


def test_the_iterator_goes_on_exactly_where_its_state_was_taken():
    states = np.random.default_rng(0).normal(size=(5, 8, 2)).astype(np.float32)
    whole = [*batch_iterator([states], 16, 9, [(3,)])]
    assert len(whole) == 9
    iterator = batch_iterator([states], 16, 9, [(3,)])
    for _ in range(4):
        next(iterator)
    position = iterator.get_state()
    resumed = batch_iterator([states], 16, 9, [(3,)])
    resumed.set_state(position)
    for expected, batch in zip(whole[4:], resumed, strict=True):
        assert np.array_equal(expected, batch)


def test_validation_states_are_fixed_and_distinct():
    states = np.arange(5 * 8 * 2, dtype=np.float32).reshape(5, 8, 2)
    chosen = validation_states(states, 20, (1,))
    assert np.array_equal(chosen, validation_states(states, 20, (1,)))
    assert len(np.unique(chosen[:, 0])) == 20
    assert len(validation_states(states, 1000, (1,))) == 40
