"""A sweep: the problem, its trajectories, every model trained and rolled out, and what came of it."""

import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import grain
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Int, Key, PyTree

from hotmess_jax.machine.disk import try_folder
from hotmess_jax.machine.files import DamagedFileError, read_sealed, write_sealed
from hotmess_jax.machine.interruption import between_steps
from hotmess_jax.machine.processes import check_alike, check_shared, from_first, wait_for_all
from hotmess_jax.machine.provenance import provenance
from hotmess_jax.machine.sharding import fetch, make_mesh
from hotmess_jax.machine.threads import in_threads
from hotmess_jax.synthetic.checkpoints import Checkpoints, TrainState
from hotmess_jax.synthetic.codec import FloatCodec
from hotmess_jax.synthetic.curves import (
    OVER_STARTS,
    Json,
    bootstrap_of_samples,
    bootstrap_over_starts,
    curves_json,
    decomposition_json,
    effective_starts,
    final_json,
    float_or_none,
    guarded,
    rise_and_plateau,
    share_or_none,
    split_within_starts,
    strays,
    to_float,
    to_lists,
)
from hotmess_jax.synthetic.data import (
    batch_iterator,
    lanes_of,
    read_trajectories,
    store_path,
    store_trajectories,
    validation_states,
)
from hotmess_jax.synthetic.ends import ends, seam_shares
from hotmess_jax.synthetic.floor import loss_floor
from hotmess_jax.synthetic.model import parameter_count, parse_size
from hotmess_jax.synthetic.quadratic import Quadratic, random_quadratic
from hotmess_jax.synthetic.rollout import ModelRollout, oracle_rollout
from hotmess_jax.synthetic.starts import StartDistribution, draw_starts
from hotmess_jax.synthetic.study.folder import (
    EXAMPLES,
    Group,
    Run,
    again,
    check_folder,
    claim_folder,
    groups_of,
    held,
    own_name,
    read_paths,
    read_result,
    runs_of,
    write_paths,
    write_result,
)
from hotmess_jax.synthetic.study.plan import check_room
from hotmess_jax.synthetic.study.progress import SweepProgress
from hotmess_jax.synthetic.study.settings import SweepConfig
from hotmess_jax.synthetic.teacher import teacher_trajectories
from hotmess_jax.synthetic.train import (
    NonFiniteLossError,
    Trainer,
    check_attention,
    make_optimiser,
    of_replicate,
)
from hotmess_jax.synthetic.visits import Paths

SCHEMA = 2
SETTLED_STEPS = 40  # how far each start wanders over the last of its steps is kept
SEAM_STARTS = 256  # whose teacher's paths say how often numerals change on the way
FLOOR_STATES = 2**25  # of fresh trajectories, looked through for the loss floor of each draw
REDRAWS, ONE_IN = 16, 20  # of starts beyond the codec; see `draw_within`
STRAY_STEPS = 5  # so many of the teacher's step norms from the minimum, a start has strayed


class Study(NamedTuple):
    """One draw of the problem, and where its trajectories start."""

    problem: Quadratic
    training_starts: Float[Array, "trajectories d"]
    rollout_starts: Float[Array, "starts d"]
    drawn_again: dict[str, int]
    """How many starts of training and of rollouts were beyond the codec at first."""


class TrainingData(NamedTuple):
    """States of one study's trajectories."""

    training: Float32[np.ndarray, "count steps d"]  # of this process's lanes
    validation: Float32[np.ndarray, "pairs d"]


class Trained(NamedTuple):
    """A group's models after their last update, the seconds in all, and the processes that trained them."""

    state: TrainState
    seconds: float
    on: list[Json]


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

    A start that the codec cannot write is drawn again, the displacement from the minimum with it, from the
    key of its use with the attempt's number folded in: at most `REDRAWS` times, and only where at most one
    in `ONE_IN` starts is beyond. All other starts stay as they are, and so does a draw without such a start.

    Raises:
        ValueError: where more starts are beyond what the codec can write, or one still is.
    """
    problem = random_quadratic(
        stream(config, "problem", index),
        config.dimension,
        config.condition_number,
        config.spectrum,
        config.minimum_scale,
        config.minimum_offset,
    )

    again: dict[str, int] = {}

    def starts(
        of: str, count: int, distribution: StartDistribution, offset: float, scale: float
    ) -> Float[Array, "count d"]:
        key = stream(config, f"{of}_starts", index)
        limit = FloatCodec(config.precision).limit

        def draw(key: Key[Array, ""]) -> Float[Array, "count d"]:
            return draw_starts(key, count, problem.b, distribution, offset, scale)

        drawn, again[of] = draw_within(draw, key, limit)
        furthest = float(jnp.abs(drawn).max())
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
        again,
    )


def training_paths(config: SweepConfig, problem: Quadratic) -> Paths:
    """Return the trajectories that are trained on, as many as one asks for."""

    def starts(key: Key[Array, ""], count: int) -> Float[Array, "count d"]:
        return draw_starts(
            key,
            count,
            problem.b,
            config.training_start_distribution,
            config.training_start_offset,
            config.training_start_scale,
        )

    return Paths(starts, config.trajectory_steps, FLOOR_STATES // config.trajectory_steps)


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


def failure(bad_step: int, params: PyTree, last_step: int) -> Json | None:
    """Return why a model has failed, None where it has not.

    Args:
        bad_step: its first step whose loss or gradient was not finite, −1 where all were.
        params: its parameters after the last update.
        last_step: how many updates there were.
    """
    if bad_step >= 0:
        return _not_finite(bad_step)
    if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(params)):
        reason = f"the parameters were not finite after the last update, step {last_step}"
        return {"step": last_step, "reason": reason}
    return None


def _not_finite(step: int) -> Json:
    return {"step": step, "reason": f"the loss was not finite at step {step}"}


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


def make_trainer(config: SweepConfig, size: str, replicates: int) -> Trainer:
    """Prepare the training of a size, so many replicates at once."""
    optimiser = make_optimiser(
        learning_rate(config, size),
        config.train_steps,
        config.warmup_steps,
        config.weight_decay,
        config.clip_norm,
    )
    mesh = make_mesh(config.batch_size, replicates=replicates)
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


def check(config: SweepConfig) -> list[Study]:
    """Check all of a sweep that needs no training, and return its draws of the problem; nothing is written.

    Raises:
        ValueError: for a setting out of range, attention that this machine lacks, starts beyond the
            codec, a folder of another run, or processes that cannot share the work evenly.
    """
    config.validate()
    check_attention(config.attention, config.compute)
    share_of_lanes(config)
    studies = [draw_study(config, index) for index in range(config.draws)]
    from_first(lambda: check_folder(config))
    return studies


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
            DisagreementError: where the processes were not started alike, or do not share the folders.
            OSError: where a folder cannot be written.
        """
        self._provenance = provenance()
        check_alike(
            {name: json.loads(json.dumps(value, default=str))
             for name, value in asdict(config).items() if name not in ("process", "coordinator")}
            | {"platform": jax.default_backend(), "git_commit": self._provenance["git_commit"]}
            | {f"version of {name}": version for name, version in self._provenance["versions"].items()}
        )  # fmt: skip
        self.studies = check(config)
        self._lanes, self._own_lanes = share_of_lanes(config)
        self.config = config
        self.progress = progress
        self._wait = wait
        self.codec = FloatCodec(config.precision)
        self._trainers: dict[tuple[str, int], Trainer] = {}
        self._rollouts: dict[tuple[str, int, float], ModelRollout] = {}
        places = config.folder, config.store
        from_first(lambda: list(map(try_folder, places)))
        check_shared(places)
        from_first(lambda: claim_folder(config))

    def study_index(self, run: Run) -> int:
        """Return which draw of the problem a run belongs to."""
        return run.replicate // self.config.initialisations if len(self.studies) > 1 else 0

    def study(self, run: Run) -> Study:
        """Return the draw of the problem that a run belongs to."""
        return self.studies[self.study_index(run)]

    def trainer(self, size: str, replicates: int | None = None) -> Trainer:
        """Return the trainer of so many replicates of a size, of all by default."""
        count = replicates or self.config.replicates
        if (size, count) not in self._trainers:
            self._trainers[size, count] = make_trainer(self.config, size, count)
        return self._trainers[size, count]

    def rollout(
        self, size: str, temperature: float, rows: int, replicates: int | None = None
    ) -> ModelRollout:
        """Return the rollout of so many replicates of a size, of all by default."""
        count = replicates or self.config.replicates
        if (size, count, temperature) not in self._rollouts:
            self._rollouts[size, count, temperature] = ModelRollout(
                self.trainer(size, count).graph,
                self.codec,
                self.config.dimension,
                self.config.rollout_steps,
                temperature,
                make_mesh(rows, replicates=count),
            )
        return self._rollouts[size, count, temperature]

    def carry_out(self) -> Json:
        """Do what is still to be done, and return the sweep as it goes into sweep.json.

        Raises:
            FolderInUseError: where another process works in the folder.
            NoRoomError: where a disk plainly lacks space for what will be written.
            WriteFailedError: where a disk refuses a file; the same sweep goes on from what is there.
            StoppedError: where a signal stopped the training, and it is saved.
            CorruptStoreError: where the trajectories cannot be read.
            DamagedFileError: where a result cannot be read, before any work.
            CorruptCheckpointError: where a checkpoint to go on from cannot be read.
            FirstProcessError: where the first process met one of these, in the others.
        """
        with held(self.config.folder, self._wait):
            return self._carry_out_all()

    def _carry_out_all(self) -> Json:
        begin = time.perf_counter()
        # Files appear while others still look, so the first process looks for all.
        attempts = from_first(lambda: [[self._attempts(run) for run in g.runs] for g in self._groups])
        to_do: list[tuple[Group, list[bool]]] = []
        for group, of_runs in zip(self._groups, attempts, strict=True):
            if None in of_runs:
                to_do.append((group, [attempt is not None for attempt in of_runs]))
            failed = [run for run, n in zip(group.runs, of_runs, strict=True) if n]
            if failed:
                once_more = again(group, failed, 1 + max(filter(None, of_runs)))
                to_do.append((once_more, [False] * len(failed)))
        draws = range(len(self.studies))
        if to_do:
            stores = [self._store_path(index) for index in draws]
            self.progress.say(from_first(lambda: check_room(self.config, stores)))
        data = [self._data(index) for index in draws] if to_do else []
        begun = from_first(lambda: [group.checkpoints.exists() for group, _ in to_do])
        self._check_checkpoints(
            [group for (group, _), there in zip(to_do, begun, strict=True) if there], data
        )
        for group, finished in to_do:
            self._carry_out(group, data, finished)
        wait_for_all("results")
        return self._assemble(time.perf_counter() - begin, bool(to_do))

    @property
    def _groups(self) -> list[Group]:
        return groups_of(self.config)

    def _attempts(self, run: Run) -> int | None:
        """Return None for a run without result, 0 for one that is done with, else how often it has failed.

        A failure stands as long as nothing changed that a loss's being finite may hang on.
        """
        if not run.result.exists():
            return None
        result = read_result(self.config, run)
        if "failed" not in result:
            read_paths(self.config, run)
            return 0
        if (
            result["failed"].get("circumstances") == self._circumstances()
            and not self.config.retry_failed
        ):
            return 0
        return int(result["failed"].get("attempt", 1))

    def _circumstances(self) -> Json:
        """Return what changes rounding: the machine, the versions, and settings that are not of the results."""
        config = self.config
        found: Json = json.loads(json.dumps({
            "micro_batch": config.micro_batch,
            "attention": config.attention,
            "steps_per_dispatch": config.steps_per_dispatch,
            "processes": jax.process_count(),
            "device": self._provenance["device"],
            "versions": self._provenance["versions"],
        }))  # fmt: skip
        return found

    def _store_path(self, index: int) -> Path:
        config, study = self.config, self.studies[index]
        return store_path(
            config.store,
            study.problem,
            study.training_starts,
            config.imitated,
            config.trajectory_steps,
        )

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

    def _checkpoints(self, group: Group) -> Checkpoints:
        numbers = ", ".join(str(run.replicate) for run in group.runs)
        of = f"{group.size}, replicates {numbers}, {own_name(self.config)}"
        return Checkpoints(group.checkpoints, of, self._provenance)

    def _check_checkpoints(self, begun: list[Group], data: list[TrainingData]) -> None:
        """Read every checkpoint that a group would go on from, before any is gone on from."""
        for group in begun:
            checkpoints = self._checkpoints(group)
            try:
                abstract = self.trainer(group.size, len(group.runs)).abstract_state(len(group.runs))
                checkpoints.restore(abstract, self._batches(group, data), self.progress.say)
            finally:
                checkpoints.close()

    def _carry_out(self, group: Group, data: list[TrainingData], finished: list[bool]) -> None:
        """Train a group's models, roll them out, and write the results that are not there yet."""
        rolled_out: RolledOut | None = None
        trained_on: list[Json] = []
        failed: list[Json | None]
        try:
            trained = self._train(group, data)
            trained_on = trained.on
            params = fetch(trained.state.params)
            failed = [
                failure(bad_step, of_replicate(params, place), self.config.train_steps)
                for place, bad_step in enumerate(fetch(trained.state.bad_step).tolist())
            ]
            if None in failed:
                rolled_out = self._roll_out_all(group, params, trained.seconds)
        except NonFiniteLossError as error:
            self.progress.say(f"{group.name}: {error}; the last good checkpoint is kept")
            failed = [_not_finite(step) for step in error.steps]

        def measure(place: int) -> None:
            run, why = group.runs[place], failed[place]
            found: Json = {} if why is None else {"failed": why}
            if why is None:
                assert rolled_out is not None
                validation = data[self.study_index(run)].validation
                found = self._measure_run(run, place, rolled_out, validation)
            if "failed" in found:
                if rolled_out is not None:
                    self.progress.say(f"{run.name}: {found['failed']['reason']}")
                found["failed"] |= {"attempt": group.attempt, "circumstances": self._circumstances()}
            provenance_of = {"trained_on": trained_on, "measured_on": self._provenance}
            write_result(self.config, run, self._about(run) | found | {"provenance": provenance_of})

        to_measure = [place for place, done in enumerate(finished) if not done]
        from_first(lambda: in_threads(measure, to_measure))

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
            "git_commit": self._provenance["git_commit"],
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
        problem, states = self.study(run).problem, rolled_out.states[place, 0]
        params = of_replicate(rolled_out.params, place)
        trainer = self.trainer(run.size, len(rolled_out.states))
        loss = trainer.validation_loss(params, problem, validation)
        if not np.isfinite(loss.by_token).all():
            return {
                "failed": {
                    "step": self.config.train_steps,
                    "reason": "the validation loss is not finite",
                }
            }
        result: Json = {
            "validation_loss": loss.update,
            "validation_loss_all": loss.all,
            "validation_loss_by_token": [round(float(value), 6) for value in loss.by_token],
        }
        tail = np.asarray(states[-SETTLED_STEPS:])
        wander = np.linalg.norm(tail - tail[-1], axis=-1).max(axis=0)
        write_paths(
            self.config, run, paths=np.asarray(states[:, :EXAMPLES]), ends=tail[-1], wander=wander
        )
        result |= self._measure(problem, states)
        result["saturated"] = int(rolled_out.saturated[place].sum())
        if rolled_out.sampled is not None:
            result["sampled"] = self._measure_samples(problem, rolled_out.sampled[place])
        result["seconds"] = {
            "train": round(rolled_out.train_seconds, 3),
            "rollout": round(rolled_out.rollout_seconds, 3),
        }
        return result

    def _train(self, group: Group, data: list[TrainingData]) -> Trained:
        """Train a group to the end from where it stands."""
        config, trainer = self.config, self.trainer(group.size, len(group.runs))
        checkpoints, step = self._checkpoints(group), 0

        def reached() -> str:
            return f"{group.name} is saved at step {step:,} of {config.train_steps:,}"

        with between_steps(reached) as stop_here, contextlib.closing(checkpoints):
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

            state, seconds = trainer.train(
                state,
                [self.study(run).problem for run in group.runs],
                batches,
                config.train_steps,
                checkpoints,
                config.checkpoint_every,
                seconds,
                on_step,
                stop_here,
            )
            step = int(state.step)
        return Trained(state, seconds, checkpoints.trained_on)

    def _roll_out(
        self, group: Group, params: PyTree, temperature: float, samples: int
    ) -> tuple[Float[Array, "replicates samples points starts d"], Int[Array, "replicates rows"]]:
        """Roll a group's models out from every start of their draws, `samples` times each."""
        starts = jnp.stack(
            [jnp.tile(self.study(run).rollout_starts, (samples, 1)) for run in group.runs]
        )
        keys = jnp.stack([stream(self.config, "sampling", run.replicate) for run in group.runs])
        run_all = self.rollout(group.size, temperature, starts.shape[1], len(group.runs))
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
            "worst_percent_share": float_or_none(few.worst_percent_share),
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

    def _assemble(self, seconds: float, anything: bool) -> Json:
        """Gather the runs' results into the document that sweep.json holds.

        Args:
            seconds: that it took.
            anything: whether anything was measured; if not, the document keeps the provenance it had.
        """
        problems = from_first(self._problems)
        results = [self._result(run) for run in runs_of(self.config)]
        first = problems[0]
        own: Json = {**self._provenance, "seconds": round(seconds, 3)}
        before = None if anything else self._earlier_provenance()
        return {
            "schema": SCHEMA,
            "config": self.config.identity(),
            "provenance": (before or own) | {"report": self._provenance["git_commit"]},
            "problem": {name: first[name] for name in ("A", "b", "eigenvalues")},
            "teacher": first["teacher"],
            "codec_teacher": first["codec_teacher"],
            "problems": problems,
            "models": [result for result in results if "failed" not in result],
            "failures": [result for result in results if "failed" in result],
        }

    def _earlier_provenance(self) -> Json | None:
        try:
            found: Json = json.loads((self.config.folder / "sweep.json").read_text())["provenance"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return found if isinstance(found, dict) and found.keys() >= {"device", "versions"} else None

    def _problems(self) -> list[Json]:
        """Return all draws of the problem: from the folder, where they were measured already."""
        folder, draws = self.config.folder / "problems", range(len(self.studies))
        files = [folder / f"{index}.json" for index in draws]
        names = [f"problem {index}, {own_name(self.config)}" for index in draws]
        missing = [index for index in draws if not files[index].exists()]
        if missing:
            self.progress.begin("teachers", len(missing))
            in_threads(
                lambda index: write_sealed(files[index], self._measure_problem(index), names[index]),
                missing,
                lambda done: self.progress.update(done, "measured"),
            )
        remedy = "delete it and run the same command again, which measures it anew"
        problems: list[Json] = []
        for file, of in zip(files, names, strict=True):
            found: Json = read_sealed(file, of, remedy)
            if lacking := {"A", "b", "eigenvalues", "teacher", "codec_teacher"} - found.keys():
                raise DamagedFileError(file, f"lacks {', '.join(sorted(lacking))}", remedy)
            problems.append(found)
        return problems

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
            paths=training_paths(self.config, problem),
        )
        again = self.studies[index].drawn_again
        return ({"starts_drawn_again": again} if any(again.values()) else {}) | {
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
        result: Json = read_result(self.config, run)
        if "failed" not in result:
            kept = read_paths(self.config, run)
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
