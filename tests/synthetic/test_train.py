"""Training: the loss, what stops it, and going on from a checkpoint."""

import shutil

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from programs import programs

from hotmess_jax.machine.sharding import make_mesh
from hotmess_jax.synthetic import checkpoints as checkpoints_module
from hotmess_jax.synthetic.checkpoints import Checkpoints, CorruptCheckpointError, TrainState
from hotmess_jax.synthetic.codec import FloatCodec
from hotmess_jax.synthetic.data import batch_iterator
from hotmess_jax.synthetic.model import Size
from hotmess_jax.synthetic.quadratic import random_quadratic
from hotmess_jax.synthetic.starts import draw_starts
from hotmess_jax.synthetic.teacher import Teacher
from hotmess_jax.synthetic.train import (
    Layout,
    NonFiniteLossError,
    Trainer,
    dispatches,
    make_optimiser,
    of_replicate,
)
from hotmess_jax.synthetic.train_step import Task, mean_over_parts, pair_tokens

CODEC = FloatCodec(2)
PROBLEM = random_quadratic(jax.random.key(0), 2, 50.0)
STATES = np.asarray(draw_starts(jax.random.key(1), 640, PROBLEM.b)).reshape(20, 32, 2)
STEPS = 12
KEY = jax.random.split(jax.random.key(2), 1)


def trainer(
    rate=1e-2,
    devices=2,
    loss_on="update",
    micro_batch=None,
    steps_per_dispatch=4,
    replicates=1,
    attention="xla",
):
    mesh = make_mesh(64, 64 // devices, replicates)
    optimiser = make_optimiser(rate, STEPS, 2, 1e-4, 1.0)
    task = Task(2, CODEC, Teacher(0.05), loss_on)
    layout = Layout(micro_batch, steps_per_dispatch, "float32", attention)
    return Trainer(Size(1, 16, 2), task, optimiser, mesh, layout)


def batches():
    return batch_iterator([STATES], 64, STEPS, [(0,)])


def run(path, made, losses=None, steps=STEPS, every=4):
    checkpoints = Checkpoints(path)
    position = batches()
    found = checkpoints.restore(made.abstract_state(1), position)
    state, seconds = found or (made.initial_state(KEY), 0.0)
    record = (lambda step, of_step: losses.extend(of_step)) if losses is not None else lambda *_: None
    try:
        state, _ = made.train(
            state, [PROBLEM], position, steps, checkpoints, every, seconds=seconds, on_step=record
        )
        return state
    finally:
        checkpoints.close()


def test_a_pair_is_the_tokens_of_the_state_and_of_its_update():
    states = STATES[0]
    tokens = pair_tokens(CODEC, PROBLEM, Teacher(0.05), states)
    decoded = CODEC.decode(tokens)
    np.testing.assert_allclose(decoded[:, :2], states, rtol=6e-3)
    np.testing.assert_allclose(decoded[:, 2:], Teacher(0.05).update(PROBLEM, states), rtol=6e-3)


def test_validation_loss_is_the_mean_negative_log_probability():
    made = trainer()
    params = of_replicate(made.initial_state(KEY).params, 0)
    states = STATES.reshape(-1, 2)[:100]
    model = nnx.merge(made.graph, params)
    tokens = pair_tokens(CODEC, PROBLEM, Teacher(0.05), states)
    log_probs = np.asarray(jax.nn.log_softmax(model(tokens[:, :-1])), np.float64)
    half, by_token = 10, np.zeros(19)
    for row in range(100):
        for position in range(1, 2 * half):
            by_token[position - 1] -= log_probs[row, position - 1, int(tokens[row, position])] / 100
    found = made.validation_loss(params, PROBLEM, states, 37)
    np.testing.assert_allclose(found.by_token, by_token, rtol=1e-5)
    np.testing.assert_allclose(found.update, by_token[half - 1 :].mean(), rtol=1e-5)
    np.testing.assert_allclose(found.all, by_token.mean(), rtol=1e-5)


def test_loss_on_all_counts_the_state_s_tokens_too(tmp_path):
    first = {}
    for loss_on in ("update", "all"):
        losses = []
        run(tmp_path / loss_on, trainer(loss_on=loss_on), losses, steps=1)
        first[loss_on] = losses[0]
    # Untrained, every token costs about log 12; the two means differ, but little.
    for loss in first.values():
        assert abs(loss - np.log(12)) < 0.1
    assert first["update"] != first["all"]


def test_the_schedule_warms_up_and_decays_to_zero():
    optimiser = make_optimiser(0.5, 100, 10, 0.0, 1e9)
    params = {"w": jnp.ones(1)}
    state, sizes = optimiser.init(params), []
    for _ in range(100):
        updates, state = optimiser.update({"w": jnp.ones(1)}, state, params)
        sizes.append(-float(updates["w"][0]))
    assert sizes[0] == 0 and np.argmax(sizes) == 10
    np.testing.assert_allclose(max(sizes), 0.5, rtol=1e-3)
    assert sizes[-1] < 1e-3


def test_the_loss_falls_and_2_and_4_devices_do_what_one_does(tmp_path):
    losses = {1: [], 2: [], 4: []}
    for devices, found in losses.items():
        made = trainer(devices=devices)
        assert made.mesh.size == devices
        run(tmp_path / f"{devices}", made, found)
    assert losses[1][-1] < losses[1][0] - 0.3
    np.testing.assert_allclose(losses[2], losses[1], rtol=1e-4)
    np.testing.assert_allclose(losses[4], losses[1], rtol=1e-4)


def test_stopped_and_resumed_is_bit_for_bit_never_stopped(tmp_path):
    whole, first, second = [], [], []
    expected = run(tmp_path / "whole", trainer(), whole)
    run(tmp_path / "parts", trainer(), first, steps=8, every=4)
    resumed = run(tmp_path / "parts", trainer(), second)
    assert first + second == whole
    same = jax.tree.map(lambda a, b: bool((a == b).all()), expected, resumed)
    assert all(jax.tree.leaves(same))


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_good_checkpoint(tmp_path):
    made = trainer()
    run(tmp_path, made, steps=4)
    blown = trainer(rate=1e38)
    with pytest.raises(NonFiniteLossError) as caught:
        run(tmp_path, blown)
    assert 4 < caught.value.steps[0] < 8
    checkpoints = Checkpoints(tmp_path)
    state, _ = checkpoints.restore(made.abstract_state(1), batches())
    checkpoints.close()
    assert int(state.step) == 4
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state.params))


def test_a_harmed_checkpoint_is_named(tmp_path):
    made = trainer()
    run(tmp_path, made, steps=4)
    for file in (tmp_path / "4").rglob("*"):
        if file.is_file() and "/d/" in str(file):
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(CorruptCheckpointError, match=str(tmp_path / "4")):
        run(tmp_path, made)


def saved_states(folder):
    """The files of a checkpoint that hold its numbers."""
    return [f for f in sorted(folder.rglob("*")) if f.is_file() and f.parent.name == "d"]


def restored(path, made, of=""):
    """Restore, and return the step, what was said, and whose provenance it has."""
    said, checkpoints = [], Checkpoints(path, of)
    try:
        found = checkpoints.restore(made.abstract_state(1), batches(), said.append)
        return None if found is None else int(found[0].step), said
    finally:
        checkpoints.close()


def test_a_state_that_is_not_what_was_written_is_set_aside_for_the_one_before(tmp_path, monkeypatch):
    made = trainer()
    expected = run(tmp_path / "c", made)
    digest, written = checkpoints_module.state_digest, []

    # What the storage gives back has one bit changed, which it does not notice itself.
    def flipped(state, beside):
        written.append(int(state.step))
        if len(written) == 1:
            leaf = np.array(jax.tree.leaves(state.params)[0])
            leaf.view(np.uint32).flat[3] ^= 1 << 22
            leaves, tree = jax.tree.flatten(state.params)
            state = state._replace(params=jax.tree.unflatten(tree, [jnp.asarray(leaf), *leaves[1:]]))
        return digest(state, beside)

    with monkeypatch.context() as patched:
        patched.setattr(checkpoints_module, "state_digest", flipped)
        step, said = restored(tmp_path / "c", made)
    assert step == 8 and len(said) == 1
    assert str(tmp_path / "c" / "12") in said[0] and "digest differs" in said[0]
    assert [f.name.split("-")[0] for f in (tmp_path / "damaged").iterdir()] == ["12"]
    again = run(tmp_path / "c", made)
    same = jax.tree.map(lambda a, b: bool((a == b).all()), expected, again)
    assert all(jax.tree.leaves(same))


@pytest.mark.parametrize("seed", range(3))
def test_a_bit_flipped_on_disk_is_noticed(tmp_path, seed):
    made = trainer()
    run(tmp_path / "c", made)
    file = max(saved_states(tmp_path / "c" / "12"), key=lambda f: f.stat().st_size)
    data = bytearray(file.read_bytes())
    data[np.random.default_rng(seed).integers(len(data))] ^= 16
    file.write_bytes(bytes(data))
    assert restored(tmp_path / "c", made)[0] in (8, 12)
    whole = run(tmp_path / "whole", made)
    same = jax.tree.map(lambda a, b: bool((a == b).all()), whole, run(tmp_path / "c", made))
    assert all(jax.tree.leaves(same))


def test_a_checkpoint_without_digest_is_taken_and_that_is_said(tmp_path):
    made = trainer()
    run(tmp_path, made, steps=4)
    shutil.rmtree(tmp_path / "4" / "record")
    step, said = restored(tmp_path, made)
    assert step == 4 and len(said) == 1 and "has no digest and cannot be checked" in said[0]


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    made = trainer()
    run(tmp_path, made, steps=4)
    with pytest.raises(CorruptCheckpointError, match="belongs to another run"):
        restored(tmp_path, made, "mine")


def test_a_digest_is_of_every_leaf_its_shape_and_its_type():
    state = TrainState(
        {"w": jnp.zeros(4), "v": jnp.zeros(4)}, {}, jnp.int32(0), jnp.zeros(1, jnp.int32)
    )
    of = {"data": 1}
    others = [
        state._replace(params={"w": jnp.zeros(4).at[3].set(1e-45), "v": jnp.zeros(4)}),
        state._replace(params={"w": -jnp.zeros(4), "v": jnp.zeros(4)}),
        state._replace(params={"w": jnp.zeros((2, 2)), "v": jnp.zeros(4)}),
        state._replace(params={"w": jnp.zeros(4, jnp.int32), "v": jnp.zeros(4)}),
        state._replace(params={"w": jnp.zeros(4), "u": jnp.zeros(4)}),
        state._replace(step=jnp.int32(1)),
    ]
    digests = [checkpoints_module.state_digest(each, of) for each in (state, *others)]
    assert len({*digests, checkpoints_module.state_digest(state, {"data": 2})}) == 8
    assert checkpoints_module.state_digest(state, of) == digests[0]


def test_one_step_is_compiled_once(tmp_path):
    made = trainer()
    run(tmp_path, made)
    assert made._steps._cache_size() == 1


@pytest.mark.parametrize("replicates", [1, 3])
def test_a_step_holds_nothing_on_a_device_and_lowers_for_accelerators(replicates):
    made = trainer(micro_batch=0)
    states = jax.ShapeDtypeStruct((4, replicates, 64, 2), np.float32, sharding=made._batches)
    problems = jax.eval_shape(made.place, [PROBLEM] * replicates)
    arguments = made.abstract_state(replicates), problems, states
    # An array on a device would be copied to the host when the step is compiled.
    inside = programs(jax.make_jaxpr(made._steps)(*arguments))
    held = [constant for program, _ in inside for constant in getattr(program, "consts", [])]
    assert held and not [array for array in held if isinstance(array, jax.Array)]
    traced = made._steps.trace(*arguments)
    for platform in ("cpu", "cuda", "tpu"):
        program = traced.lower(lowering_platforms=(platform,)).as_text()
        assert ("LayoutConstraint" in program) == (platform == "cuda")


def compare_two_steps(plain, other):
    """Hold two trainers' losses and the optimisers' moments, which are sums of gradients, together."""
    states = STATES.reshape(-1, 2)[:64]
    # The first step has a learning rate of 0.
    (expected, losses), (found, others) = (
        made.step(made.initial_state(KEY), made.place([PROBLEM]), np.stack([states, states])[:, None])
        for made in (plain, other)
    )
    np.testing.assert_allclose(losses, others, rtol=1e-6)
    pairs = zip(jax.tree.leaves(expected.optimiser), jax.tree.leaves(found.optimiser), strict=True)
    for a, b in pairs:
        np.testing.assert_allclose(a, b, atol=1e-5 * max(1e-3, float(np.abs(a).max())))


@pytest.mark.parametrize("loss_on", ["update", "all"])
def test_fused_attention_is_given_what_trains_the_same(loss_on, cudnn_calls):
    compare_two_steps(trainer(loss_on=loss_on), trainer(loss_on=loss_on, attention="cudnn"))
    assert cudnn_calls


@pytest.mark.parametrize("micro_batch", [1, 5, 8, 32])
def test_gradients_of_parts_add_up_to_those_of_the_batch(micro_batch):
    plain, parts = trainer(micro_batch=0, devices=1), trainer(micro_batch=micro_batch, devices=1)
    compare_two_steps(plain, parts)
    calls = []
    mean_over_parts(lambda p, s: (calls.append(s.shape[0]), (s.mean(), p))[1], jnp.ones(1),
                    jnp.ones((64, 2)), micro_batch)  # fmt: skip
    assert set(calls) == {{1: 1, 5: 4, 8: 8, 32: 32}[micro_batch]}


@pytest.mark.parametrize(("copies", "devices"), [(1, 1), (1, 2), (3, 1)])
@pytest.mark.parametrize("shared", [True, False])
def test_replicates_together_are_those_one_by_one(copies, devices, shared, tmp_path):
    keys = jax.random.split(jax.random.key(7), 3)
    seeds = [(replicate,) for replicate in range(3)]
    problems = [random_quadratic(jax.random.key(0 if shared else r), 2, 50.0) for r in range(3)]
    states = [np.asarray(STATES + problem.b - PROBLEM.b) for problem in problems]

    def losses_of(folder, which):
        count = len(which)
        made, losses = trainer(devices=devices, replicates=copies if count > 1 else 1), []
        if count > 1:
            assert made.mesh.devices.shape == (copies, devices)
        checkpoints = Checkpoints(folder)
        position = batch_iterator([states[r] for r in which], 64, STEPS, [seeds[r] for r in which])
        made.train(
            made.initial_state(keys[np.asarray(which)]),
            [problems[r] for r in which],
            position,
            STEPS,
            checkpoints,
            4,
            on_step=lambda step, of_step: losses.append(of_step),
        )
        checkpoints.close()
        assert made._steps._cache_size() == 1  # whatever the number of draws
        return np.asarray(losses)

    together = losses_of(tmp_path / "all", [0, 1, 2])
    assert together.shape == (STEPS, 3) and np.ptp(together[0]) > 1e-4
    for replicate in range(3):
        alone = losses_of(tmp_path / f"{replicate}", [replicate])
        np.testing.assert_allclose(together[:, replicate], alone[:, 0], rtol=1e-5)


def test_another_draw_is_the_same_program():
    made = trainer()
    states = np.tile(STATES.reshape(-1, 2)[:64], (4, 1, 1, 1))
    losses = []
    for draw in range(3):
        problems = made.place([random_quadratic(jax.random.key(draw), 2, 50.0)])
        losses.append(float(made.step(made.initial_state(KEY), problems, states)[1][-1, 0]))
        made.validation_loss(of_replicate(made.initial_state(KEY).params, 0),
                             random_quadratic(jax.random.key(draw), 2, 50.0), states[0, 0])  # fmt: skip
    assert len(set(losses)) == 3
    assert made._steps._cache_size() == made._validate._cache_size() == 1


@pytest.mark.parametrize(
    ("rows", "replicates", "shape"),
    [(64, 1, (1, 4)), (64, 2, (2, 2)), (64, 4, (4, 1)), (64, 3, (1, 4)), (17, 1, (1, 1)),
     (17, 2, (2, 1)), (17, 3, (3, 1)), (32, 1, (1, 2)), (32, 6, (2, 2))],
)  # fmt: skip
def test_replicates_take_the_devices_that_rows_leave(rows, replicates, shape):
    mesh = make_mesh(rows, replicates=replicates)
    assert mesh.devices.shape == shape
    assert len({device.id for device in mesh.devices.flat}) == mesh.size


def test_one_replicate_that_fails_does_not_stop_the_others(tmp_path):
    made = trainer()
    state = made.initial_state(jax.random.split(jax.random.key(7), 2))
    harmed = jax.tree.map(lambda leaf: leaf.at[0].set(jnp.nan), state.params)
    states = np.tile(STATES.reshape(-1, 2)[:64], (4, 2, 1, 1))
    problems = made.place([PROBLEM] * 2)
    state, losses = made.step(state._replace(params=harmed), problems, states)
    assert state.bad_step.tolist() == [0, -1]
    assert np.isnan(losses[:, 0]).all() and np.isfinite(losses[:, 1]).all()


def test_several_steps_a_dispatch_are_as_many_single_ones(tmp_path):
    one, many = [], []
    run(tmp_path / "1", trainer(steps_per_dispatch=1), one)
    run(tmp_path / "12", trainer(steps_per_dispatch=100), many, every=STEPS)
    assert len(one) == len(many) == STEPS
    np.testing.assert_allclose(one, many, rtol=1e-5)


def test_dispatches_end_at_checkpoints():
    assert list(dispatches(0, 12, 4, 8)) == [(0, 4), (4, 8), (8, 12)]
    assert list(dispatches(6, 13, 6, 5)) == [(6, 9), (9, 12), (12, 13)]
    assert list(dispatches(5, 12, 4, 4)) == [(5, 8), (8, 12)]
    assert list(dispatches(3, 3, 4, 4)) == []


def test_the_optimiser_is_adamw():
    ours = make_optimiser(0.1, 10, 0, 0.01, 1e9)
    theirs = optax.adamw(optax.cosine_decay_schedule(0.1, 10), b2=0.99, weight_decay=0.01)
    params = {"w": jnp.asarray([1.0, -2.0])}
    grads = {"w": jnp.asarray([0.3, 0.1])}
    mine, _ = ours.update(grads, ours.init(params), params)
    other, _ = theirs.update(grads, theirs.init(params), params)
    np.testing.assert_allclose(mine["w"], other["w"], rtol=1e-6)
