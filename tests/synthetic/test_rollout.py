"""The loop around a policy: it adds no error of its own, and is compiled once."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from hotmess_jax.machine.sharding import make_mesh
from hotmess_jax.synthetic.codec import FloatCodec
from hotmess_jax.synthetic.curves import curves_of, split_over_starts, split_within_starts, strays
from hotmess_jax.synthetic.model import Decoder, Size
from hotmess_jax.synthetic.quadratic import random_quadratic
from hotmess_jax.synthetic.rollout import ModelRollout, oracle_policy, oracle_rollout, roll_out
from hotmess_jax.synthetic.starts import draw_starts
from hotmess_jax.synthetic.teacher import Teacher, teacher_trajectories
from kernels.decompositions import squared_error

CODEC = FloatCodec(3)
PROBLEM = random_quadratic(jax.random.key(0), 2, 50.0)
STARTS = draw_starts(jax.random.key(1), 40, PROBLEM.b)
KEYS = jax.random.split(jax.random.key(2), 40)


def test_an_oracle_reproduces_the_rounded_teacher_exactly():
    steps = 60
    rolled = roll_out(oracle_policy(PROBLEM, CODEC, Teacher(0.05)), CODEC, STARTS, steps, KEYS)
    x, states = STARTS, [STARTS]
    for _ in range(steps):
        rounded = CODEC.decode(CODEC.encode(x))
        update = Teacher(0.05).update(PROBLEM, rounded)
        x = x + CODEC.decode(CODEC.encode(update))
        states.append(x)
    assert np.array_equal(rolled.states, jnp.stack(states))
    named = oracle_rollout(PROBLEM, Teacher(0.05), CODEC, STARTS, steps)
    assert curves_of(PROBLEM, rolled.states) == curves_of(PROBLEM, named.states)
    assert int(rolled.saturated.sum()) == 0


def test_the_rounded_teacher_is_near_the_teacher_but_not_it():
    exact = teacher_trajectories(PROBLEM, STARTS, Teacher(0.05), 20)
    rounded = oracle_rollout(PROBLEM, Teacher(0.05), CODEC, STARTS, 20).states
    distance = np.abs(exact - rounded).max()
    assert 1e-5 < distance < 0.02


def test_what_saturates_is_counted_for_each_start():
    def outward(tokens, key):
        return CODEC.encode(jnp.where(CODEC.decode(tokens) > 0, 6.0, -6.0))

    starts = jnp.asarray([[1.0, -1.0], [5.0, 1.0]])
    rolled = roll_out(outward, CODEC, starts, 2, KEYS[:2])
    # 1, 7, 13 and −1, −7, −13; 5, 11, 17 and 1, 7, 13.
    assert rolled.saturated.tolist() == [2, 3]


def test_a_rollout_is_compiled_once_and_alike_on_1_2_and_4_devices():
    length = 2 * 2 * CODEC.tokens_per_number - 1
    models = [nnx.split(Decoder(Size(2, 16, 2), length, rngs=nnx.Rngs(seed))) for seed in range(3)]
    graph = models[0][0]
    params = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(model[1] for model in models))
    starts = jnp.stack([draw_starts(jax.random.key(4 + seed), 64, PROBLEM.b) for seed in range(3)])
    keys = jax.random.split(jax.random.key(5), 3)
    run = ModelRollout(graph, CODEC, 2, 5, 1.0, make_mesh(64))
    first = run(params, starts, keys)
    assert first.states.shape == (3, 6, 64, 2) and first.saturated.shape == (3, 64)
    halved = jax.tree.map(lambda leaf: leaf / 2, params)
    run(halved, starts + 0.1, jax.random.split(jax.random.key(6), 3))
    assert run.compilations == 1

    def same(other, mesh, replicates=slice(None)):
        assert make_mesh(64).size == 4
        of_each = (jax.tree.map(lambda leaf: leaf[replicates], part) for part in (params, starts, keys))
        found = other(*of_each)
        assert np.array_equal(first.states[replicates], found.states)
        assert np.array_equal(first.saturated[replicates], found.saturated)

    for shape in ((1, 1), (1, 2), (3, 1)):
        mesh = make_mesh(64, 64 // shape[1], replicates=shape[0])
        assert mesh.devices.shape == shape
        same(ModelRollout(graph, CODEC, 2, 5, 1.0, mesh), mesh)
    same(ModelRollout(graph, CODEC, 2, 5, 1.0, make_mesh(64), rows_at_once=8), make_mesh(64))
    # Each alone is what it is together.
    same(ModelRollout(graph, CODEC, 2, 5, 1.0, make_mesh(64)), make_mesh(64), slice(1, 2))


def test_directions_add_up_to_the_whole_and_agree_with_numpy():
    states = teacher_trajectories(PROBLEM, STARTS, Teacher(0.05), 10)
    split = split_over_starts(PROBLEM, states)
    for part in ("bias2", "variance"):
        summed = getattr(split.directions, part).sum(axis=-1)
        np.testing.assert_allclose(summed, getattr(split.plugin, part), rtol=1e-4)
    eigenvalues, vectors = np.linalg.eigh(np.asarray(PROBLEM.A, np.float64))
    along = (np.asarray(states, np.float64) - np.asarray(PROBLEM.b)) @ vectors
    np.testing.assert_allclose(split.directions.bias2, eigenvalues * along.mean(1) ** 2, rtol=2e-3)
    np.testing.assert_allclose(split.directions.variance, eigenvalues * along.var(1), rtol=2e-3)


def test_strays_and_the_worst_hundredth_are_counted():
    last = jnp.tile(PROBLEM.b, (200, 1)).at[:3].add(jnp.asarray([[1.0, 0.0], [0.5, 0.0], [0.05, 0.0]]))
    found = strays(PROBLEM, last, 0.1)
    np.testing.assert_allclose(found.strayed, 2 / 200)
    np.testing.assert_allclose(found.worst_percent_share, (1 + 0.25) / (1 + 0.25 + 0.0025), rtol=1e-4)
    assert found.median_error == 0
    A, away = np.asarray(PROBLEM.A, np.float64), np.asarray([[1.0, 0.0], [0.5, 0.0], [0.05, 0.0]])
    of_three = strays(PROBLEM, last[:3], 0.1)
    errors = np.einsum("ni,ij,nj->n", away, A, away)
    np.testing.assert_allclose(of_three.median_error, np.median(errors), rtol=1e-5)


def test_within_starts_the_split_is_that_of_each_start_averaged():
    states = jax.random.normal(jax.random.key(7), (3, 5, 4, 2))  # points, samples, starts, d
    plugin, corrected = split_within_starts(PROBLEM, states)
    for point in range(3):
        each = [squared_error(states[point, :, s], PROBLEM.b, PROBLEM.A) for s in range(4)]
        expected = np.mean([float(one.variance) for one in each])
        np.testing.assert_allclose(plugin.variance[point], expected, rtol=1e-5)
        np.testing.assert_allclose(corrected.variance[point], expected * 5 / 4, rtol=1e-5)
