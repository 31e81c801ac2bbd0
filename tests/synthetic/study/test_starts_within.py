"""Starts that the codec cannot write are drawn again, and nothing else is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny_sweep import changed

from hotmess_jax.synthetic.codec import FloatCodec
from hotmess_jax.synthetic.quadratic import random_quadratic
from hotmess_jax.synthetic.starts import draw_starts
from hotmess_jax.synthetic.study.presets import PRESETS
from hotmess_jax.synthetic.study.problems import STREAMS, draw_problem, draw_within, stream

KEY = jax.random.key(7)


def test_a_draw_within_the_limit_is_as_it_was():
    draw = lambda key: jax.random.normal(key, (100, 2))  # noqa: E731
    found, several = draw_within(draw, KEY, 10.0)
    assert several == 0
    np.testing.assert_array_equal(found, draw(KEY))


def test_only_rows_beyond_the_limit_are_drawn_again_from_the_attempt_s_key():
    draw = lambda key: jax.random.normal(key, (1000, 2))  # noqa: E731
    found, several = draw_within(draw, KEY, 2.8)
    tries = [np.asarray(draw(KEY))]
    tries += [np.asarray(draw(jax.random.fold_in(KEY, n))) for n in range(1, 17)]
    first = np.abs(tries[0]).max(axis=1) > 2.8
    assert 0 < several == first.sum() <= 50
    for row, value in enumerate(np.asarray(found)):  # a loop of its own over attempts
        kept = next(each[row] for each in tries if np.abs(each[row]).max() <= 2.8)
        np.testing.assert_array_equal(value, kept)


def test_where_many_are_beyond_the_settings_are_refused():
    draw = lambda key: jax.random.normal(key, (1000, 2))  # noqa: E731
    found, several = draw_within(draw, KEY, 1.0)
    assert several == 0 and jnp.abs(found).max() > 1
    config = changed(PRESETS["smoke"], rollout_start_offset=30.0)
    with pytest.raises(ValueError, match=r"rollout starts .* leave the codec's range"):
        draw_problem(config)


def test_a_hundred_draws_of_which_few_leave_the_range_keep_their_problems_and_valid_starts():
    config = changed(
        PRESETS["smoke"],
        training_start_distribution="normal",
        training_start_scale=2.5,
        trajectories=60,
    )
    limit = FloatCodec(config.problem.precision).limit
    again = 0
    for index in range(100):
        study = draw_problem(config, index)
        problem = random_quadratic(
            stream(config, "problem", index), config.problem.dimension, config.problem.condition_number,
            config.problem.spectrum, config.problem.minimum_scale, config.problem.minimum_offset,
        )  # fmt: skip
        for one, other in zip(study.problem, problem, strict=True):
            np.testing.assert_array_equal(one, other)
        key = stream(config, "training_starts", index)
        before = np.asarray(
            draw_starts(key, 60, problem.b, "normal", config.data.training_start_offset, 2.5)
        )
        good = np.abs(before).max(axis=1) <= limit
        np.testing.assert_array_equal(np.asarray(study.training_starts)[good], before[good])
        assert np.abs(study.training_starts).max() <= limit
        assert study.drawn_again["training"] == (~good).sum()
        again += not good.all()
    assert 0 < again < 50


def test_each_use_of_randomness_keeps_its_number():
    """Runs hang on them: none changes, whatever is added."""
    assert STREAMS == {"problem": 0, "training_starts": 1, "rollout_starts": 2, "initialisation": 3,
                       "sampling": 4, "resampling": 5, "floor": 6}  # fmt: skip
    root = jax.random.fold_in(jax.random.key(3), 4)
    key = stream(changed(PRESETS["smoke"], seed=3), "sampling", 2)
    assert (
        jax.random.key_data(key).tolist() == jax.random.key_data(jax.random.fold_in(root, 2)).tolist()
    )
