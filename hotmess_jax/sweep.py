"""A sweep: the problem, its trajectories, every model trained and rolled out, and what came of it."""

import json
import time
from pathlib import Path
from typing import NamedTuple

import grain
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Int, Key, PyTree

from hotmess_jax.codec import FloatCodec
from hotmess_jax.config import SweepConfig
from hotmess_jax.curves import (
    Json,
    bootstrap_of_samples,
    bootstrap_over_starts,
    curves_json,
    decomposition_json,
    final_json,
    split_within_starts,
    strays,
    to_float,
    to_lists,
)
from hotmess_jax.data import (
    batch_iterator,
    lanes_of,
    read_trajectories,
    store_trajectories,
    validation_states,
)
from hotmess_jax.files import write_json, written_whole
from hotmess_jax.model import parameter_count, parse_size
from hotmess_jax.processes import from_first, is_first, wait_for_all
from hotmess_jax.progress import SweepProgress
from hotmess_jax.provenance import git_commit, provenance
from hotmess_jax.quadratic import Quadratic, random_quadratic
from hotmess_jax.rollout import ModelRollout, oracle_rollout
from hotmess_jax.run_folder import Group, Run, claim_folder, groups_of, held, runs_of
from hotmess_jax.sharding import fetch, make_mesh
from hotmess_jax.starts import draw_starts
from hotmess_jax.teacher import teacher_trajectories
from hotmess_jax.train import (
    Checkpoints,
    NonFiniteLossError,
    Trainer,
    TrainState,
    check_attention,
    make_optimiser,
    of_replicate,
)

SCHEMA = 1
EXAMPLES = 8  # trajectories kept of each model, for figures
STRAY_STEPS = 5  # so many of the teacher's step norms from the minimum, a start has strayed


class Study(NamedTuple):
    """One draw of the problem, and where its trajectories start."""

    problem: Quadratic
    training_starts: Float[Array, "trajectories d"]
    rollout_starts: Float[Array, "starts d"]


class TrainingData(NamedTuple):
    """States of one study's trajectories."""

    training: Float32[np.ndarray, "count steps d"]  # of the lanes
    lanes: range  # this process's
    validation: Float32[np.ndarray, "pairs d"]


def stream(config: SweepConfig, name: str, index: int = 0) -> Key[Array, ""]:
    """Return the key of one named use of randomness."""
    names = (
        "problem",
        "training_starts",
        "rollout_starts",
        "initialisation",
        "sampling",
        "resampling",
    )
    root = jax.random.fold_in(jax.random.key(config.seed), names.index(name))
    return jax.random.fold_in(root, index)


def draw_study(config: SweepConfig, index: int = 0) -> Study:
    """Draw a problem and its starts.

    Raises:
        ValueError: where a start is beyond what the codec can write.
    """
    problem = random_quadratic(
        stream(config, "problem", index),
        config.dimension,
        config.condition_number,
        config.spectrum,
        config.minimum_scale,
    )

    def starts(name: str, count: int, scale: float) -> Float[Array, "count d"]:
        drawn = draw_starts(
            stream(config, name, index),
            count,
            problem.b,
            config.start_distribution,
            config.start_offset,
            scale,
        )
        limit, furthest = FloatCodec(config.precision).limit, float(jnp.abs(drawn).max())
        if not furthest <= limit:
            raise ValueError(
                f"starts leave the codec's range: a coordinate is {furthest:.4g} away from 0, and "
                f"{limit:g} is the most it can write; lower start-offset ({config.start_offset:g}), "
                f"start-scale ({config.start_scale:g}), training-spread "
                f"({config.training_spread:g}) or minimum-scale ({config.minimum_scale:g})"
            )
        return drawn

    return Study(
        problem,
        starts("training_starts", config.trajectories, config.start_scale * config.training_spread),
        starts("rollout_starts", config.starts, config.start_scale),
    )


def learning_rate(config: SweepConfig, size: str) -> float:
    """Return the peak learning rate of a size."""
    width = parse_size(size).width
    return config.learning_rate * (32 / width) ** config.learning_rate_exponent


def share_of_lanes(config: SweepConfig) -> tuple[int, range]:
    """Return how many lanes the training trajectories are cut into, and which are this process's.

    Raises:
        ValueError: where the processes cannot share them, or the starts, evenly.
    """
    training = config.trajectories - round(config.trajectories * config.holdout)
    processes, lanes = jax.process_count(), lanes_of(training, config.batch_size)
    if lanes % processes:
        raise ValueError(
            f"{processes} processes cannot share {training} training trajectories and batches of "
            f"{config.batch_size} evenly: both can be divided by {lanes}, of at most 16"
        )
    if config.starts % processes:
        raise ValueError(f"{processes} processes cannot share {config.starts} starts evenly")
    each = lanes // processes
    return lanes, range(jax.process_index() * each, (jax.process_index() + 1) * each)


def make_trainer(config: SweepConfig, size: str, problem: Quadratic, replicates: int) -> Trainer:
    """Prepare the training of a size, of so many replicates at once."""
    optimiser = make_optimiser(
        learning_rate(config, size),
        config.train_steps,
        config.warmup_steps,
        config.weight_decay,
        config.clip_norm,
    )
    codec, mesh = FloatCodec(config.precision), make_mesh(config.batch_size, replicates=replicates)
    return Trainer(
        parse_size(size),
        problem,
        codec,
        config.imitated,
        optimiser,
        mesh,
        config.loss_on,
        config.micro_batch,
        config.steps_per_dispatch,
        config.compute,
        config.attention,
    )


class Sweep:
    """Everything that one configuration's runs share."""

    def __init__(self, config: SweepConfig, progress: SweepProgress, wait: float = 0.0) -> None:
        """Check the configuration and the folder; nothing is computed yet.

        Where there are several processes, each makes the same sweep, and all of them share the folders.

        Args:
            config: the settings.
            progress: what is shown meanwhile.
            wait: seconds to wait while another process works in the folder.

        Raises:
            ValueError: for a setting out of range, attention that this machine lacks, starts beyond the
                codec, a folder of another run, or processes that cannot share the work evenly.
        """
        config.validate()
        check_attention(config.attention, config.compute)
        self._lanes, self._own_lanes = share_of_lanes(config)
        self.config = config
        self.progress = progress
        self._wait = wait
        self.codec = FloatCodec(config.precision)
        problems = config.replicates if config.replicate_varies == "problem" else 1
        self.studies = [draw_study(config, index) for index in range(problems)]
        self._trainers: dict[tuple[str, int], Trainer] = {}
        self._rollouts: dict[tuple[str, float], ModelRollout] = {}
        from_first(lambda: claim_folder(config))

    def study_index(self, run: Run) -> int:
        """Return which draw of the problem a run belongs to."""
        return run.replicate if self.config.replicate_varies == "problem" else 0

    def trainer(self, run: Run) -> Trainer:
        """Return the trainer of a run, the same for all replicates that share a problem."""
        index = self.study_index(run)
        if (run.size, index) not in self._trainers:
            together = self.config.replicates if len(self.studies) == 1 else 1
            trainer = make_trainer(self.config, run.size, self.studies[index].problem, together)
            self._trainers[run.size, index] = trainer
        return self._trainers[run.size, index]

    def rollout(self, run: Run, temperature: float, rows: int) -> ModelRollout:
        """Return the rollout of a run's size, the same for all its replicates."""
        if (run.size, temperature) not in self._rollouts:
            self._rollouts[run.size, temperature] = ModelRollout(
                self.trainer(run).graph,
                self.codec,
                self.config.dimension,
                self.config.rollout_steps,
                temperature,
                make_mesh(rows),
            )
        return self._rollouts[run.size, temperature]

    def carry_out(self) -> Json:
        """Do what is still to be done, and return the sweep as it goes into sweep.json.

        Raises:
            FolderInUseError: where another process works in the folder.
            CorruptStoreError: where the trajectories cannot be read.
            CorruptCheckpointError: where a checkpoint to go on from cannot be read.
            FirstProcessError: where the first process met one of these, in the others.
        """
        with held(self.config.folder, self._wait):
            return self._carry_out_all()

    def _carry_out_all(self) -> Json:
        begin = time.perf_counter()
        groups = groups_of(self.config)
        # Files appear while others still look, so the first process looks for all.
        finished, begun = from_first(
            lambda: (
                [[run.result.exists() for run in group.runs] for group in groups],
                [group.checkpoints.exists() for group in groups],
            )
        )
        places = [place for place, done in enumerate(finished) if not all(done)]
        indices = sorted({self.study_index(groups[place].runs[0]) for place in places})
        data = {index: self._data(index) for index in indices}
        self._check_checkpoints([groups[place] for place in places if begun[place]], data)
        for place in places:
            group = groups[place]
            self._carry_out(group, data[self.study_index(group.runs[0])], finished[place])
        wait_for_all("results")
        return self._assemble(time.perf_counter() - begin)

    def _data(self, index: int) -> TrainingData:
        config, study = self.config, self.studies[index]
        self.progress.begin("trajectories", config.trajectories)

        def store() -> str:
            path = store_trajectories(
                config.store,
                study.problem,
                study.training_starts,
                config.imitated,
                config.trajectory_steps,
                lambda done: self.progress.update(done, "writing"),
            )
            return str(path)

        path = Path(from_first(store))
        self.progress.update(config.trajectories, "stored")
        training = config.trajectories - round(config.trajectories * config.holdout)
        held_out = read_trajectories(path, training, config.trajectories)
        lanes, of_lane = self._own_lanes, training // self._lanes
        return TrainingData(
            read_trajectories(path, lanes.start * of_lane, lanes.stop * of_lane),
            lanes,
            validation_states(held_out, config.validation_pairs, (config.seed, index)),
        )

    def _batches(self, group: Group, data: TrainingData) -> grain.DatasetIterator:
        config = self.config
        seeds = [(config.seed, run.replicate) for run in group.runs]
        share = config.batch_size // self._lanes * len(data.lanes)
        return batch_iterator(data.training, share, config.train_steps, seeds, data.lanes)

    def _check_checkpoints(self, begun: list[Group], data: dict[int, TrainingData]) -> None:
        """Read every checkpoint that a group would go on from, before any is gone on from."""
        for group in begun:
            first = group.runs[0]
            batches = self._batches(group, data[self.study_index(first)])
            checkpoints = Checkpoints(group.checkpoints)
            try:
                abstract = self.trainer(first).abstract_state(len(group.runs))
                checkpoints.restore(abstract, batches)
            finally:
                checkpoints.close()

    def _carry_out(self, group: Group, data: TrainingData, finished: list[bool]) -> None:
        """Train a group's models, roll each out, and write their results."""
        try:
            state, seconds = self._train(group, data)
            bad_steps = fetch(state.bad_step).tolist()
        except NonFiniteLossError as error:
            self.progress.say(f"{group.name}: {error}; the last good checkpoint is kept")
            state, seconds, bad_steps = None, 0.0, error.steps
        for place, (run, bad_step) in enumerate(zip(group.runs, bad_steps, strict=True)):
            if finished[place]:
                continue
            about = self._about(run)
            if state is None or bad_step >= 0:
                reason = f"the loss was not finite at step {bad_step}"
                if state is not None:
                    self.progress.say(f"{run.name}: {reason}")
                if is_first():
                    write_json(run.result, about | {"failed": {"step": bad_step, "reason": reason}})
            else:
                params = of_replicate(state.params, place)
                self._finish(run, params, seconds / len(group.runs), data, about)

    def _about(self, run: Run) -> Json:
        """Return what a result says of the run itself."""
        config = self.config
        length = 2 * config.dimension * self.codec.tokens_per_number - 1
        return {
            "size": run.size,
            "parameters": parameter_count(parse_size(run.size), length),
            "replicate": run.replicate,
            "problem": self.study_index(run),
            "train_steps": config.train_steps,
            "learning_rate": learning_rate(config, run.size),
            "git_commit": git_commit(),
        }

    def _finish(
        self, run: Run, params: PyTree, train_seconds: float, data: TrainingData, about: Json
    ) -> None:
        """Roll a trained model out, in all processes, and write its result, in the first."""
        config, study = self.config, self.studies[self.study_index(run)]
        begin = time.perf_counter()
        self.progress.begin("  rolling out", config.rollout_steps)
        states, saturated = self._roll_out(run, params, study, 0.0, 1)
        sampled = None
        if config.temperature > 0:
            sampled, _ = self._roll_out(run, params, study, config.temperature, config.samples)
        if not is_first():
            return
        about["validation_loss"] = self.trainer(run).validation_loss(params, data.validation)
        about |= self._measure(study, run, states[:, 0])
        about["saturated"] = int(saturated.sum())
        if sampled is not None:
            about["sampled"] = self._measure_samples(study, sampled)
        seconds = time.perf_counter() - begin
        about["seconds"] = {"train": round(train_seconds, 3), "rollout": round(seconds, 3)}
        self.progress.update(config.rollout_steps, f"{seconds:.1f} s")
        write_json(run.result, about)

    def _train(self, group: Group, data: TrainingData) -> tuple[TrainState, float]:
        """Train a group to the end from where it stands; return its state and seconds in all."""
        config, trainer = self.config, self.trainer(group.runs[0])
        checkpoints = Checkpoints(group.checkpoints)
        try:
            batches = self._batches(group, data)
            found = checkpoints.restore(trainer.abstract_state(len(group.runs)), batches)
            if found is None:
                keys = [stream(config, "initialisation", run.replicate) for run in group.runs]
                found = trainer.initial_state(jnp.stack(keys)), 0.0
            state, seconds = found
            began_at = int(state.step)
            self.progress.begin(group.name, config.train_steps, began_at)
            pairs = config.batch_size * len(group.runs)
            begin = time.perf_counter()

            def on_step(step: int, losses: list[float]) -> None:
                rate = (step - began_at) * pairs / (time.perf_counter() - begin)
                loss = sum(losses) / len(losses)
                self.progress.update(step, f"loss {loss:.4f}  {rate:,.0f} pairs/s")

            return trainer.train(
                state,
                batches,
                config.train_steps,
                checkpoints,
                config.checkpoint_every,
                seconds,
                on_step,
            )
        finally:
            checkpoints.close()

    def _roll_out(
        self, run: Run, params: PyTree, study: Study, temperature: float, samples: int
    ) -> tuple[Float[Array, "points samples starts d"], Int[Array, " rows"]]:
        """Roll a model out from every start, `samples` times each."""
        starts = jnp.tile(study.rollout_starts, (samples, 1))
        key = stream(self.config, "sampling", run.replicate)
        states, saturated = self.rollout(run, temperature, len(starts))(params, starts, key)
        return states.reshape(len(states), samples, -1, self.config.dimension), saturated

    def _measure(self, study: Study, run: Run, states: Float[Array, "points starts d"]) -> Json:
        with written_whole(run.paths) as aside, aside.open("wb") as file:
            np.savez(file, paths=np.asarray(states[:, :EXAMPLES]))
        curves = curves_json(study.problem, states)
        intervals = bootstrap_over_starts(
            stream(self.config, "resampling"), study.problem, states, self.config.bootstrap
        )
        final = final_json(curves)
        for name in ("bias2", "variance", "error", "incoherence"):
            final[f"{name}_ci95"] = to_lists(getattr(intervals, name))
        radius = STRAY_STEPS * self.config.step_norm
        strayed, worst = strays(study.problem, states[-1], radius)
        final |= {"strayed": to_float(strayed), "worst_percent_share": to_float(worst)}
        incoherence = curves["incoherence"]
        final["rise"] = incoherence[-1] - incoherence[0]
        final["rise_ci95"] = to_lists(intervals.rise)
        tail = max(1, len(incoherence) // 10)
        final["plateau"] = sum(incoherence[-tail:]) / tail
        return curves | {"final": final}

    def _measure_samples(self, study: Study, states: Float[Array, "points samples starts d"]) -> Json:
        curves = decomposition_json(*split_within_starts(study.problem, states))
        interval = bootstrap_of_samples(
            stream(self.config, "resampling"), study.problem, states[-1], self.config.bootstrap
        )
        final = final_json(curves) | {"incoherence_ci95": to_lists(interval)}
        settings = {"temperature": self.config.temperature, "samples": self.config.samples}
        return settings | curves | {"final": final}

    def teacher_paths(self, index: int = 0) -> tuple[Array, Array]:
        """Return the states of the teacher, and of the teacher rounded through the codec."""
        config, study = self.config, self.studies[index]
        return (
            teacher_trajectories(
                study.problem, study.rollout_starts, config.imitated, config.rollout_steps
            ),
            oracle_rollout(
                study.problem,
                config.imitated,
                self.codec,
                study.rollout_starts,
                config.rollout_steps,
            ).states,
        )

    def _assemble(self, seconds: float) -> Json:
        """Gather the runs' results into the document that sweep.json holds."""
        results = [json.loads(run.result.read_text()) for run in runs_of(self.config)]
        problems = []
        for index, (problem, _, _) in enumerate(self.studies):
            teacher, codec_teacher = self.teacher_paths(index)
            problems.append(
                {
                    "A": to_lists(problem.A),
                    "b": to_lists(problem.b),
                    "eigenvalues": to_lists(problem.eigen()[0]),
                    "teacher": curves_json(problem, teacher),
                    "codec_teacher": curves_json(problem, codec_teacher),
                }
            )
        first = problems[0]
        sweep: Json = {
            "schema": SCHEMA,
            "config": self.config.identity(),
            "provenance": provenance() | {"seconds": round(seconds, 3)},
            "problem": {name: first[name] for name in ("A", "b", "eigenvalues")},
            "teacher": first["teacher"],
            "codec_teacher": first["codec_teacher"],
            "models": [result for result in results if "failed" not in result],
            "failures": [result for result in results if "failed" in result],
        }
        if len(problems) > 1:
            sweep["problems"] = problems
        return sweep
