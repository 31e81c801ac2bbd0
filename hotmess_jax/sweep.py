"""A sweep: the problem, its trajectories, every model trained and rolled out, and what came of it."""

import json
import time
from dataclasses import asdict
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
    OVER_STARTS,
    Json,
    bootstrap_of_samples,
    bootstrap_over_starts,
    curves_json,
    decomposition_json,
    effective_starts,
    final_json,
    guarded,
    rise_and_plateau,
    share_or_none,
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
from hotmess_jax.ends import ends, seam_shares
from hotmess_jax.files import write_json, written_whole
from hotmess_jax.floor import loss_floor
from hotmess_jax.model import parameter_count, parse_size
from hotmess_jax.processes import from_first, is_first, wait_for_all
from hotmess_jax.progress import SweepProgress
from hotmess_jax.provenance import git_commit, provenance
from hotmess_jax.quadratic import Quadratic, random_quadratic
from hotmess_jax.rollout import ModelRollout, oracle_rollout
from hotmess_jax.run_folder import Group, Run, claim_folder, groups_of, held, runs_of
from hotmess_jax.sharding import fetch, make_mesh
from hotmess_jax.starts import StartDistribution, draw_starts
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

SCHEMA = 2
EXAMPLES = 8  # trajectories kept of each model, for figures
SETTLED_STEPS = 40  # how far each start wanders over the last of its steps is kept
SEAM_STARTS = 256  # whose teacher's paths say how often numerals change on the way
STRAY_STEPS = 5  # so many of the teacher's step norms from the minimum, a start has strayed


class Study(NamedTuple):
    """One draw of the problem, and where its trajectories start."""

    problem: Quadratic
    training_starts: Float[Array, "trajectories d"]
    rollout_starts: Float[Array, "starts d"]


class TrainingData(NamedTuple):
    """States of one study's trajectories."""

    training: Float32[np.ndarray, "count steps d"]  # of this process's lanes
    validation: Float32[np.ndarray, "pairs d"]


class RolledOut(NamedTuple):
    """What a group's models did, and the seconds that each took."""

    params: PyTree
    states: Float[Array, "replicates samples points starts d"]
    saturated: Int[Array, "replicates rows"]
    sampled: Float[Array, "replicates samples points starts d"] | None
    train_seconds: float
    rollout_seconds: float


def stream(config: SweepConfig, name: str, index: int = 0) -> Key[Array, ""]:
    """Return the key of one named use of randomness."""
    names = (
        "problem",
        "training_starts",
        "rollout_starts",
        "initialisation",
        "sampling",
        "resampling",
        "floor",
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
        config.minimum_offset,
    )

    def starts(
        of: str, count: int, distribution: StartDistribution, offset: float, scale: float
    ) -> Float[Array, "count d"]:
        key = stream(config, f"{of}_starts", index)
        drawn = draw_starts(key, count, problem.b, distribution, offset, scale)
        limit, furthest = FloatCodec(config.precision).limit, float(jnp.abs(drawn).max())
        if not furthest <= limit:
            raise ValueError(
                f"{of} starts ({distribution}) leave the codec's range: a coordinate is {furthest:.4g} away "
                f"from 0, and {limit:g} is the most it can write; lower {of}-start-offset ({offset:g}), "
                f"{of}-start-scale ({scale:g}), minimum-offset ({config.minimum_offset:g}) or "
                f"minimum-scale ({config.minimum_scale:g})"
            )
        return drawn

    return Study(
        problem,
        starts(
            "training",
            config.trajectories,
            config.training_start_distribution,
            config.training_start_offset,
            config.training_start_scale,
        ),
        starts(
            "rollout",
            config.starts,
            config.rollout_start_distribution,
            config.rollout_start_offset,
            config.rollout_start_scale,
        ),
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
    training = config.training_trajectories
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


def make_trainer(config: SweepConfig, size: str) -> Trainer:
    """Prepare the training of a size, all replicates at once."""
    optimiser = make_optimiser(
        learning_rate(config, size),
        config.train_steps,
        config.warmup_steps,
        config.weight_decay,
        config.clip_norm,
    )
    mesh = make_mesh(config.batch_size, replicates=config.replicates)
    return Trainer(
        parse_size(size),
        config.dimension,
        FloatCodec(config.precision),
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
        self.studies = [draw_study(config, index) for index in range(config.draws)]
        self._trainers: dict[str, Trainer] = {}
        self._rollouts: dict[tuple[str, float], ModelRollout] = {}
        from_first(lambda: claim_folder(config))

    def study_index(self, run: Run) -> int:
        """Return which draw of the problem a run belongs to."""
        return run.replicate // self.config.initialisations if len(self.studies) > 1 else 0

    def study(self, run: Run) -> Study:
        """Return the draw of the problem that a run belongs to."""
        return self.studies[self.study_index(run)]

    def trainer(self, size: str) -> Trainer:
        """Return the trainer of a size."""
        if size not in self._trainers:
            self._trainers[size] = make_trainer(self.config, size)
        return self._trainers[size]

    def rollout(self, size: str, temperature: float, rows: int) -> ModelRollout:
        """Return the rollout of a size."""
        if (size, temperature) not in self._rollouts:
            self._rollouts[size, temperature] = ModelRollout(
                self.trainer(size).graph,
                self.codec,
                self.config.dimension,
                self.config.rollout_steps,
                temperature,
                make_mesh(rows, replicates=self.config.replicates),
            )
        return self._rollouts[size, temperature]

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
        data = [self._data(index) for index in range(len(self.studies))] if places else []
        self._check_checkpoints([groups[place] for place in places if begun[place]], data)
        for place in places:
            self._carry_out(groups[place], data, finished[place])
        wait_for_all("results")
        return self._assemble(time.perf_counter() - begin)

    def _store(self, index: int) -> str:
        """Write a draw's trajectories, unless they are there; return where."""
        config, study = self.config, self.studies[index]
        path = store_trajectories(
            config.store,
            study.problem,
            study.training_starts,
            config.imitated,
            config.trajectory_steps,
            lambda done: self.progress.update(done, "writing"),
        )
        return str(path)

    def _validation(self, index: int, path: Path) -> Float32[np.ndarray, "pairs d"]:
        config = self.config
        held_out = read_trajectories(path, config.training_trajectories, config.trajectories)
        return validation_states(held_out, config.validation_pairs, (config.seed, index))

    def _data(self, index: int) -> TrainingData:
        config = self.config
        self.progress.begin("trajectories", config.trajectories)
        path = Path(from_first(lambda: self._store(index)))
        self.progress.update(config.trajectories, "stored")
        lanes, of_lane = self._own_lanes, config.training_trajectories // self._lanes
        return TrainingData(
            read_trajectories(path, lanes.start * of_lane, lanes.stop * of_lane),
            self._validation(index, path),
        )

    def _batches(self, group: Group, data: list[TrainingData]) -> grain.DatasetIterator:
        config = self.config
        seeds = [(config.seed, run.replicate) for run in group.runs]
        share = config.batch_size // self._lanes * len(self._own_lanes)
        states = [data[self.study_index(run)].training for run in group.runs]
        return batch_iterator(states, share, config.train_steps, seeds, self._own_lanes)

    def _check_checkpoints(self, begun: list[Group], data: list[TrainingData]) -> None:
        """Read every checkpoint that a group would go on from, before any is gone on from."""
        for group in begun:
            checkpoints = Checkpoints(group.checkpoints)
            try:
                abstract = self.trainer(group.size).abstract_state(len(group.runs))
                checkpoints.restore(abstract, self._batches(group, data))
            finally:
                checkpoints.close()

    def _carry_out(self, group: Group, data: list[TrainingData], finished: list[bool]) -> None:
        """Train a group's models, roll them out, and write the results that are not there yet."""
        rolled_out: RolledOut | None = None
        try:
            state, seconds = self._train(group, data)
            bad_steps = fetch(state.bad_step).tolist()
            if min(bad_steps) < 0:
                rolled_out = self._roll_out_all(group, fetch(state.params), seconds)
        except NonFiniteLossError as error:
            self.progress.say(f"{group.name}: {error}; the last good checkpoint is kept")
            bad_steps = error.steps
        if not is_first():
            return
        for place, (run, bad_step) in enumerate(zip(group.runs, bad_steps, strict=True)):
            if finished[place]:
                continue
            about = self._about(run)
            if rolled_out is None or bad_step >= 0:
                reason = f"the loss was not finite at step {bad_step}"
                if rolled_out is not None:
                    self.progress.say(f"{run.name}: {reason}")
                found: Json = {"failed": {"step": bad_step, "reason": reason}}
            else:
                validation = data[self.study_index(run)].validation
                found = self._measure_run(run, place, rolled_out, validation)
            write_json(run.result, about | found)

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

    def _roll_out_all(self, group: Group, params: PyTree, train_seconds: float) -> RolledOut:
        """Roll a group's models out, in all processes."""
        config = self.config
        begin = time.perf_counter()
        self.progress.begin("  rolling out", config.rollout_steps)
        states, saturated = self._roll_out(group, params, 0.0, 1)
        sampled = None
        if config.temperature > 0:
            sampled, _ = self._roll_out(group, params, config.temperature, config.samples)
        jax.block_until_ready((states, sampled))
        seconds = time.perf_counter() - begin
        self.progress.update(config.rollout_steps, f"{seconds:.1f} s")
        models = len(group.runs)
        return RolledOut(params, states, saturated, sampled, train_seconds / models, seconds / models)

    def _measure_run(
        self, run: Run, place: int, rolled_out: RolledOut, validation: Float32[np.ndarray, "pairs d"]
    ) -> Json:
        """Measure the model at a place of its group, and write its example trajectories and ends."""
        begin = time.perf_counter()
        problem, states = self.study(run).problem, rolled_out.states[place, 0]
        params = of_replicate(rolled_out.params, place)
        loss = self.trainer(run.size).validation_loss(params, problem, validation)
        result: Json = {
            "validation_loss": loss.update,
            "validation_loss_all": loss.all,
            "validation_loss_by_token": [round(float(value), 6) for value in loss.by_token],
        }
        tail = np.asarray(states[-SETTLED_STEPS:])
        wander = np.linalg.norm(tail - tail[-1], axis=-1).max(axis=0)
        with written_whole(run.paths) as aside, aside.open("wb") as file:
            np.savez(file, paths=np.asarray(states[:, :EXAMPLES]), ends=tail[-1], wander=wander)
        result |= self._measure(problem, states)
        result["saturated"] = int(rolled_out.saturated[place].sum())
        if rolled_out.sampled is not None:
            result["sampled"] = self._measure_samples(problem, rolled_out.sampled[place])
        seconds = rolled_out.rollout_seconds + time.perf_counter() - begin
        result["seconds"] = {
            "train": round(rolled_out.train_seconds, 3),
            "rollout": round(seconds, 3),
        }
        return result

    def _train(self, group: Group, data: list[TrainingData]) -> tuple[TrainState, float]:
        """Train a group to the end from where it stands; return its state and seconds in all."""
        config, trainer = self.config, self.trainer(group.size)
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
                [self.study(run).problem for run in group.runs],
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
        self, group: Group, params: PyTree, temperature: float, samples: int
    ) -> tuple[Float[Array, "replicates samples points starts d"], Int[Array, "replicates rows"]]:
        """Roll a group's models out from every start of their draws, `samples` times each."""
        starts = jnp.stack(
            [jnp.tile(self.study(run).rollout_starts, (samples, 1)) for run in group.runs]
        )
        keys = jnp.stack([stream(self.config, "sampling", run.replicate) for run in group.runs])
        run_all = self.rollout(group.size, temperature, starts.shape[1])
        states, saturated = run_all(params, starts, keys)
        by_sample = states.reshape(*states.shape[:2], samples, -1, self.config.dimension)
        return by_sample.swapaxes(1, 2), saturated

    def _measure(self, problem: Quadratic, states: Float[Array, "points starts d"]) -> Json:
        """Return curves and the last step of trajectories, with intervals over starts."""
        curves = curves_json(problem, states)
        intervals = bootstrap_over_starts(
            stream(self.config, "resampling"), problem, states, self.config.bootstrap
        )
        final = final_json(curves)
        for name in OVER_STARTS:
            final[f"{name}_ci95"] = share_or_none(getattr(intervals, name))
        radius = STRAY_STEPS * self.config.step_norm
        few = strays(problem, states[-1], radius)
        final |= {
            "strayed": to_float(few.strayed),
            "worst_percent_share": to_float(few.worst_percent_share),
            "median_error": to_float(few.median_error),
        }
        final |= rise_and_plateau(curves["incoherence"])
        final["rise_ci95"] = share_or_none(intervals.rise)
        effective = float(effective_starts(problem, states[-1]))
        return curves | {"final": guarded(final, effective)}

    def _measure_samples(
        self, problem: Quadratic, states: Float[Array, "samples points starts d"]
    ) -> Json:
        states = states.swapaxes(0, 1)
        curves = decomposition_json(*split_within_starts(problem, states))
        interval = bootstrap_of_samples(
            stream(self.config, "resampling"), problem, states[-1], self.config.bootstrap
        )
        final = final_json(curves) | {"incoherence_ci95": share_or_none(interval)}
        settings = {"temperature": self.config.temperature, "samples": self.config.samples}
        return settings | curves | {"final": final}

    def teacher_paths(self, index: int) -> tuple[Array, Array]:
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
        problems = [
            from_first(lambda index=index: self._problem(index)) for index in range(len(self.studies))
        ]
        results = [self._result(run) for run in runs_of(self.config)]
        first = problems[0]
        return {
            "schema": SCHEMA,
            "config": self.config.identity(),
            "provenance": provenance() | {"seconds": round(seconds, 3)},
            "problem": {name: first[name] for name in ("A", "b", "eigenvalues")},
            "teacher": first["teacher"],
            "codec_teacher": first["codec_teacher"],
            "problems": problems,
            "models": [result for result in results if "failed" not in result],
            "failures": [result for result in results if "failed" in result],
        }

    def _problem(self, index: int) -> Json:
        """Return one draw of the problem: from the folder, where it was measured already."""
        file = self.config.folder / "problems" / f"{index}.json"
        if not file.exists():
            self.progress.begin("teachers", len(self.studies), index)
            write_json(file, self._measure_problem(index))
            self.progress.update(index + 1, "measured")
        found: Json = json.loads(file.read_text())
        return found

    def _measure_problem(self, index: int) -> Json:
        """Return one draw of the problem, what its teacher does, and the loss of a perfect model of it."""
        problem = self.studies[index].problem
        teacher, codec_teacher = self.teacher_paths(index)
        floor = loss_floor(
            stream(self.config, "floor", index),
            problem,
            self.codec,
            self.config.imitated,
            self._validation(index, Path(self._store(index))),
        )
        return {
            "A": to_lists(problem.A),
            "b": to_lists(problem.b),
            "eigenvalues": to_lists(problem.eigen()[0]),
            "teacher": self._measure(problem, teacher),
            "codec_teacher": self._measure(problem, codec_teacher),
            "loss_floor": asdict(floor),
            "seams_teacher": seam_shares(
                self.codec,
                np.asarray(teacher[:, :SEAM_STARTS]).reshape(-1, self.config.dimension),
                self.config.step_norm,
            ),
        }

    def _result(self, run: Run) -> Json:
        """Return a run's result with where its rollouts ended."""
        result: Json = json.loads(run.result.read_text())
        if "failed" not in result:
            kept = np.load(run.paths)
            step_norm = self.config.step_norm
            result["ends"] = ends(
                self.study(run).problem,
                self.codec,
                kept["ends"],
                kept["wander"],
                step_norm,
                STRAY_STEPS * step_norm,
            ).to_json()
        return result
