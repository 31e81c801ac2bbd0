"""A sweep's draws of the problem, and the trajectories that its loss floor is counted in."""

import dataclasses

import jax
import numpy as np
import pytest

from hotmess_jax.synthetic.study import problems
from hotmess_jax.synthetic.study.presets import PRESETS


@pytest.mark.parametrize(
    ("trajectories", "looked_through"), [(100, 6_400), (4_000, 209_715), (20_000, 209_715)]
)
def test_a_floor_looks_through_64_times_what_is_trained_on_and_a_limit(
    monkeypatch, trajectories, looked_through
):
    monkeypatch.setattr(problems, "FLOOR_STATES", 2**25)
    config = PRESETS["quick"]
    config = dataclasses.replace(
        config, data=dataclasses.replace(config.data, trajectories=trajectories)
    )
    problem = problems.draw_problem(config).problem
    paths = problems.training_paths(config, problem)
    assert (paths.steps, paths.trajectories) == (160, looked_through)
    starts = np.asarray(paths.starts(jax.random.key(0), 1_000))
    # As those that are trained on: uniform in a cube around b.
    reach = config.data.training_starts.scale
    assert np.abs(starts - np.asarray(problem.b)).max() == pytest.approx(reach, rel=0.01)
