"""A sweep's randomness, and its draws of the problem with the starts of training and of rollouts."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from hotmess_jax.synthetic.codec import FloatCodec
from hotmess_jax.synthetic.quadratic import Quadratic, random_quadratic
from hotmess_jax.synthetic.starts import Starts
from hotmess_jax.synthetic.study.settings import SweepConfig
from hotmess_jax.synthetic.visits import Paths

# States of fresh trajectories, looked through for the loss floor of each draw: at most so many, and at most so many
# times as many as are trained on.
FLOOR_STATES, FLOOR_TIMES = 2**25, 64
REDRAWS, ONE_IN = 16, 20  # of starts beyond the codec; see `draw_within`
# Each use of randomness and the number of its key. A number is for ever: runs hang on it, and no other may have it.
STREAMS = {
    "problem": 0,
    "training_starts": 1,
    "rollout_starts": 2,
    "initialisation": 3,
    "sampling": 4,
    "resampling": 5,
    "floor": 6,
}


class Drawn(NamedTuple):
    """One draw of the problem, and where its trajectories start."""

    problem: Quadratic
    training_starts: Float[Array, "trajectories d"]
    rollout_starts: Float[Array, "starts d"]
    drawn_again: dict[str, int]
    """How many starts of training and of rollouts were beyond the codec at first."""


def stream(config: SweepConfig, name: str, index: int = 0) -> Key[Array, ""]:
    """Return the key of one named use of randomness, of `STREAMS`."""
    root = jax.random.fold_in(jax.random.key(config.seed), STREAMS[name])
    return jax.random.fold_in(root, index)


def draw_problem(config: SweepConfig, index: int = 0) -> Drawn:
    """Draw a problem and its starts.

    A start that the codec cannot write is drawn again, the displacement from the minimum with it, from the
    key of its use with the attempt's number folded in: at most `REDRAWS` times, and only where at most one
    in `ONE_IN` starts is beyond. All other starts stay as they are, and so does a draw without such a start.

    Raises:
        ValueError: where more starts are beyond what the codec can write, or one still is.
    """
    of, data, rollout = config.problem, config.data, config.rollout
    problem = random_quadratic(
        stream(config, "problem", index),
        of.dimension,
        of.condition_number,
        of.spectrum,
        of.minimum_scale,
        of.minimum_offset,
    )
    training_starts, training_again = _starts_within(
        config, index, problem, "training", data.trajectories, data.training_starts
    )
    rollout_starts, rollout_again = _starts_within(
        config, index, problem, "rollout", rollout.starts, rollout.rollout_starts
    )
    again = {"training": training_again, "rollout": rollout_again}
    return Drawn(problem, training_starts, rollout_starts, again)


def training_paths(config: SweepConfig, problem: Quadratic) -> Paths:
    """Return the trajectories that are trained on, as many as one asks for."""
    data = config.data

    def starts(key: Key[Array, ""], count: int) -> Float[Array, "count d"]:
        return data.training_starts.draw(key, count, problem.b)

    most = max(FLOOR_STATES // data.trajectory_steps, 1)
    return Paths(starts, data.trajectory_steps, min(most, FLOOR_TIMES * data.trajectories))


def _starts_within(
    config: SweepConfig, index: int, problem: Quadratic, use: str, count: int, starts: Starts
) -> tuple[Float[Array, "count d"], int]:
    """Return starts that the codec can write, and how many of them were beyond it at first."""
    limit = FloatCodec(config.problem.precision).limit

    def draw(key: Key[Array, ""]) -> Float[Array, "count d"]:
        return starts.draw(key, count, problem.b)

    drawn, again = draw_within(draw, stream(config, f"{use}_starts", index), limit)
    furthest = float(jnp.abs(drawn).max())
    if not furthest <= limit:
        raise ValueError(
            f"{use} starts ({starts.distribution}) leave the codec's range: a coordinate is {furthest:.4g} away "
            f"from 0, and {limit:g} is the most it can write; lower {use}-start-offset ({starts.offset:g}), "
            f"{use}-start-scale ({starts.scale:g}), minimum-offset ({config.problem.minimum_offset:g}) or "
            f"minimum-scale ({config.problem.minimum_scale:g})"
        )
    return drawn, again


def draw_within(
    draw: Callable[[Key[Array, ""]], Float[Array, "count d"]], key: Key[Array, ""], limit: float
) -> tuple[Float[Array, "count d"], int]:
    """Return what `draw` makes of a key and how many of its rows were drawn again: the few beyond a limit.

    What is drawn depends on the starts alone: the problem, and b with it, is never drawn again, so that the
    problems of a sweep are those of its settings, whatever its starts. Where more than one in `ONE_IN` rows
    is beyond, the settings and not chance are at fault, and the rows are returned as they were drawn.

    Args:
        draw: makes all rows from a key.
        key: of the first attempt; attempt n has `fold_in(key, n)`.
        limit: of each coordinate's size.
    """
    rows = draw(key)
    beyond = ~(jnp.abs(rows) <= limit).all(axis=1)
    several = int(beyond.sum())
    if several * ONE_IN > len(rows):
        return rows, 0
    for attempt in range(1, REDRAWS + 1):
        if not bool(beyond.any()):
            break
        rows = jnp.where(beyond[:, None], draw(jax.random.fold_in(key, attempt)), rows)
        beyond = ~(jnp.abs(rows) <= limit).all(axis=1)
    return rows, several
