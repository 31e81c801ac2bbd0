"""What is measured of a sweep: of each draw's teachers, and of each model's rollouts."""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, Float32, Int, PyTree

from hotmess_jax.synthetic.codec import FloatCodec
from hotmess_jax.synthetic.curves import (
    bootstrap_of_samples,
    bootstrap_over_starts,
    curves_of,
    effective_starts,
    float_or_none,
    guarded,
    last_of,
    plateau_of,
    rise_of,
    split_curves,
    split_within_starts,
    strays,
    to_float,
    to_interval,
    to_rows,
    to_values,
)
from hotmess_jax.synthetic.ends import Ends, ends, seam_shares
from hotmess_jax.synthetic.floor import loss_floor
from hotmess_jax.synthetic.quadratic import Quadratic
from hotmess_jax.synthetic.results import (
    FinalStep,
    ModelProvenance,
    ModelResult,
    ProblemResult,
    Rollouts,
    SampledRollouts,
    SampledStep,
    Seconds,
    fields_of,
)
from hotmess_jax.synthetic.rollout import oracle_rollout
from hotmess_jax.synthetic.study.folder import EXAMPLES
from hotmess_jax.synthetic.study.problems import Drawn, stream, training_paths
from hotmess_jax.synthetic.study.settings import SweepConfig
from hotmess_jax.synthetic.teacher import teacher_trajectories
from hotmess_jax.synthetic.train import Trainer, of_replicate

SETTLED_STEPS = 40  # how far each start wanders over the last of its steps is kept
SEAM_STARTS = 256  # whose teacher's paths say how often numerals change on the way
STRAY_STEPS = 5  # so many of the teacher's step norms from the minimum, a start has strayed


@dataclass(frozen=True)
class Failure:
    """At which step a model's training or measurement met what is not finite, and what that was."""

    step: int
    reason: str

    @classmethod
    def of_loss(cls, step: int) -> "Failure":
        """Return the failure of a model whose loss was not finite at a step."""
        return cls(step, f"the loss was not finite at step {step}")


class RolledOut(NamedTuple):
    """What a group's models did, and the seconds that each took."""

    params: PyTree
    states: Float[Array, "replicates samples points starts d"]
    saturated: Int[Array, "replicates rows"]
    sampled: Float[Array, "replicates samples points starts d"] | None
    train_seconds: float
    rollout_seconds: float


@dataclass(frozen=True)
class About:
    """What a result says of the run itself."""

    size: str
    parameters: int
    replicate: int
    problem: int
    train_steps: int
    learning_rate: float
    git_commit: str | None
    provenance: ModelProvenance


class Measured(NamedTuple):
    """A model's result, and the arrays that are kept beside it: example paths, ends, and how far each wandered."""

    result: ModelResult
    paths: dict[str, np.ndarray]


def failure(bad_step: int, params: PyTree, last_step: int) -> Failure | None:
    """Return why a model has failed, None where it has not.

    Args:
        bad_step: its first step whose loss or gradient was not finite, −1 where all were.
        params: its parameters after the last update.
        last_step: how many updates there were.
    """
    if bad_step >= 0:
        return Failure.of_loss(bad_step)
    if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(params)):
        reason = f"the parameters were not finite after the last update, step {last_step}"
        return Failure(last_step, reason)
    return None


def measure_curves(
    config: SweepConfig, problem: Quadratic, states: Float[Array, "points starts d"]
) -> Rollouts:
    """Return curves and the last step of trajectories, with intervals over starts."""
    curves = curves_of(problem, states)
    intervals = bootstrap_over_starts(
        stream(config, "resampling"), problem, states, config.rollout.bootstrap
    )
    few = strays(problem, states[-1], STRAY_STEPS * config.problem.step_norm)
    final = FinalStep(
        **fields_of(last_of(curves)),
        bias2_ci95=to_interval(intervals.bias2),
        variance_ci95=to_interval(intervals.variance),
        error_ci95=to_interval(intervals.error),
        incoherence_ci95=to_interval(intervals.incoherence),
        rise=rise_of(curves.incoherence),
        rise_ci95=to_interval(intervals.rise),
        plateau=plateau_of(curves.incoherence),
        strayed=to_float(few.strayed),
        worst_percent_share=float_or_none(few.worst_percent_share),
        median_error=to_float(few.median_error),
    )
    effective = float(effective_starts(problem, states[-1]))
    return Rollouts(**fields_of(curves), final=guarded(final, effective))


def measure_samples(
    config: SweepConfig, problem: Quadratic, states: Float[Array, "samples points starts d"]
) -> SampledRollouts:
    """Return the same of several sampled rollouts from each start, split within starts."""
    states = states.swapaxes(0, 1)
    curves = split_curves(*split_within_starts(problem, states))
    interval = bootstrap_of_samples(
        stream(config, "resampling"), problem, states[-1], config.rollout.bootstrap
    )
    return SampledRollouts(
        **fields_of(curves),
        temperature=config.rollout.temperature,
        samples=config.rollout.samples,
        final=SampledStep(**fields_of(last_of(curves)), incoherence_ci95=to_interval(interval)),
    )


def measure_problem(
    config: SweepConfig,
    codec: FloatCodec,
    drawn: Drawn,
    index: int,
    validation: Float32[np.ndarray, "pairs d"],
) -> ProblemResult:
    """Return one draw of the problem, what its teacher does, and the loss of a perfect model of it."""
    problem, imitated, steps = drawn.problem, config.problem.imitated, config.rollout.rollout_steps
    teacher = teacher_trajectories(problem, drawn.rollout_starts, imitated, steps)
    codec_teacher = oracle_rollout(problem, imitated, codec, drawn.rollout_starts, steps).states
    paths = training_paths(config, problem)
    floor = loss_floor(
        stream(config, "floor", index), problem, codec, imitated, validation, paths=paths
    )
    again = drawn.drawn_again
    on_the_way = np.asarray(teacher[:, :SEAM_STARTS]).reshape(-1, config.problem.dimension)
    return ProblemResult(
        A=to_rows(problem.A),
        b=to_values(problem.b),
        eigenvalues=to_values(problem.eigen()[0]),
        teacher=measure_curves(config, problem, teacher),
        codec_teacher=measure_curves(config, problem, codec_teacher),
        loss_floor=floor,
        seams_teacher=seam_shares(codec, on_the_way, config.problem.step_norm),
        starts_drawn_again=again if any(again.values()) else None,
    )


def measure_model(
    config: SweepConfig,
    problem: Quadratic,
    trainer: Trainer,
    rolled_out: RolledOut,
    place: int,
    validation: Float32[np.ndarray, "pairs d"],
    about: About,
) -> Measured | Failure:
    """Measure the model at a place of its group; a loss that is not finite is its failure.

    Args:
        config: the sweep's.
        problem: of the model's draw.
        trainer: of the group.
        rolled_out: what the group did.
        place: the model's.
        validation: held-out states of its draw.
        about: the run.
    """
    states = rolled_out.states[place, 0]
    loss = trainer.validation_loss(of_replicate(rolled_out.params, place), problem, validation)
    if not np.isfinite(loss.by_token).all():
        return Failure(config.training.train_steps, "the validation loss is not finite")
    sampled = None
    if rolled_out.sampled is not None:
        sampled = measure_samples(config, problem, rolled_out.sampled[place])
    result = ModelResult(
        **fields_of(about),
        validation_loss=loss.update,
        validation_loss_all=loss.all,
        validation_loss_by_token=tuple(round(float(value), 6) for value in loss.by_token),
        **fields_of(measure_curves(config, problem, states)),
        saturated=int(rolled_out.saturated[place].sum()),
        sampled=sampled,
        seconds=Seconds(
            train=round(rolled_out.train_seconds, 3), rollout=round(rolled_out.rollout_seconds, 3)
        ),
    )
    tail = np.asarray(states[-SETTLED_STEPS:])
    wander = np.linalg.norm(tail - tail[-1], axis=-1).max(axis=0)
    examples = np.asarray(states[:, :EXAMPLES])
    return Measured(result, {"paths": examples, "ends": tail[-1], "wander": wander})


def measure_ends(
    config: SweepConfig, codec: FloatCodec, problem: Quadratic, kept: dict[str, np.ndarray]
) -> Ends:
    """Return where a model's rollouts ended, from the arrays that were kept of them."""
    step_norm = config.problem.step_norm
    return ends(problem, codec, kept["ends"], kept["wander"], step_norm, STRAY_STEPS * step_norm)
