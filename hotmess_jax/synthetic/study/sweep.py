"""A sweep carried out: every model trained and rolled out, and what came of it."""

import contextlib
import json
import time
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree

from hotmess_jax.documents import from_json
from hotmess_jax.machine.disk import try_folder
from hotmess_jax.machine.interruption import between_steps
from hotmess_jax.machine.processes import check_alike, check_shared, from_first, wait_for_all
from hotmess_jax.machine.provenance import provenance
from hotmess_jax.machine.sharding import fetch
from hotmess_jax.machine.threads import in_threads
from hotmess_jax.synthetic.checkpoints import Checkpoints, TrainState
from hotmess_jax.synthetic.codec import FloatCodec
from hotmess_jax.synthetic.model import parameter_count, parse_size
from hotmess_jax.synthetic.quadratic import Quadratic
from hotmess_jax.synthetic.results import (
    Failed,
    FailedModel,
    ModelProvenance,
    ModelResult,
    Provenance,
    SweepResults,
    fields_of,
)
from hotmess_jax.synthetic.study.assembly import Assembly, draw_of
from hotmess_jax.synthetic.study.folder import (
    Group,
    Run,
    check_folder,
    claim_folder,
    held,
    own_name,
    write_paths,
    write_result,
)
from hotmess_jax.synthetic.study.measure import About, Failure, RolledOut, failure, measure_model
from hotmess_jax.synthetic.study.pending import Pending, circumstances, pending
from hotmess_jax.synthetic.study.plan import check_room
from hotmess_jax.synthetic.study.problems import Drawn, draw_problem, stream
from hotmess_jax.synthetic.study.programs import Programs, learning_rate
from hotmess_jax.synthetic.study.progress import SweepProgress
from hotmess_jax.synthetic.study.settings import SweepConfig
from hotmess_jax.synthetic.study.trajectories import (
    TrainingData,
    Trajectories,
    batches,
    share_of_lanes,
)
from hotmess_jax.synthetic.train import NonFiniteLossError, check_attention, of_replicate


class Trained(NamedTuple):
    """A group's models after their last update, the seconds in all, and the processes that trained them."""

    state: TrainState
    seconds: float
    on: tuple[Provenance, ...]


def check(config: SweepConfig) -> list[Drawn]:
    """Check all of a sweep that needs no training, and return its draws of the problem; nothing is written.

    Raises:
        ValueError: for a setting out of range, attention that this machine lacks, starts beyond the
            codec, a folder of another run, or processes that cannot share the work evenly.
    """
    config.validate()
    check_attention(config.machine.attention, config.model.compute)
    share_of_lanes(config)
    draws = [draw_problem(config, index) for index in range(config.model.draws)]
    from_first(lambda: check_folder(config))
    return draws


class Sweep:
    """One configuration's runs, carried out."""

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
        self._measured_on: Provenance = from_json(Provenance, self._provenance)
        check_alike(
            {name: json.loads(json.dumps(value, default=str))
             for name, value in config.flat().items() if name not in ("process", "coordinator")}
            | {"platform": jax.default_backend(), "git_commit": self._provenance["git_commit"]}
            | {f"version of {name}": version for name, version in self._provenance["versions"].items()}
        )  # fmt: skip
        self.draws = check(config)
        self.config = config
        self.progress = progress
        self._wait = wait
        self.codec = FloatCodec(config.problem.precision)
        self.programs = Programs(config, self.codec)
        self.trajectories = Trajectories(config, self.draws, progress)
        places = config.folder, config.output.store
        from_first(lambda: list(map(try_folder, places)))
        check_shared(places)
        from_first(lambda: claim_folder(config))

    def carry_out(self) -> SweepResults:
        """Do what is still to be done, and return what was measured.

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

    def _carry_out_all(self) -> SweepResults:
        begin = time.perf_counter()
        to_do = pending(self.config, circumstances(self.config, self._provenance))
        if to_do:
            stores = [self.trajectories.path(index) for index in range(len(self.draws))]
            self.progress.say(from_first(lambda: check_room(self.config, stores)))
            data = [self.trajectories.read(index) for index in range(len(self.draws))]
            self._check_checkpoints(to_do, data)
            for group, finished in to_do:
                self._carry_out(group, data, finished)
        wait_for_all("results")
        assembly = Assembly(self.config, self.codec, self.draws, self.trajectories, self.progress)
        return assembly.results(self._measured_on, time.perf_counter() - begin, bool(to_do))

    def _problem(self, run: Run) -> Quadratic:
        return self.draws[draw_of(self.config, run)].problem

    def _checkpoints(self, group: Group) -> Checkpoints:
        numbers = ", ".join(str(run.replicate) for run in group.runs)
        of = f"{group.size}, replicates {numbers}, {own_name(self.config)}"
        return Checkpoints(group.checkpoints, of, self._provenance)

    def _data_of(self, group: Group, data: list[TrainingData]) -> list[TrainingData]:
        return [data[draw_of(self.config, run)] for run in group.runs]

    def _check_checkpoints(self, to_do: list[Pending], data: list[TrainingData]) -> None:
        """Read every checkpoint that a group would go on from, before any is gone on from."""
        begun = from_first(lambda: [group.checkpoints.exists() for group, _ in to_do])
        for (group, _), there in zip(to_do, begun, strict=True):
            if not there:
                continue
            trainer = self.programs.trainer(group.size, len(group.runs))
            replicates = [run.replicate for run in group.runs]
            with contextlib.closing(self._checkpoints(group)) as checkpoints:
                position = batches(self.config, self._data_of(group, data), replicates)
                abstract = trainer.abstract_state(len(group.runs))
                checkpoints.restore(abstract, position, self.progress.say)

    def _carry_out(self, group: Group, data: list[TrainingData], finished: list[bool]) -> None:
        """Train a group's models, roll them out, and write the results that are not there yet."""
        rolled_out: RolledOut | None = None
        trained_on: tuple[Provenance, ...] = ()
        failed: list[Failure | None]
        try:
            trained = self._train(group, data)
            trained_on = trained.on
            params = fetch(trained.state.params)
            failed = [
                failure(bad_step, of_replicate(params, place), self.config.training.train_steps)
                for place, bad_step in enumerate(fetch(trained.state.bad_step).tolist())
            ]
            if None in failed:
                rolled_out = self._roll_out_all(group, params, trained.seconds)
        except NonFiniteLossError as error:
            self.progress.say(f"{group.name}: {error}; the last good checkpoint is kept")
            failed = [Failure.of_loss(step) for step in error.steps]

        def measure(place: int) -> None:
            run, failure_of = group.runs[place], failed[place]
            about = self._about(run, trained_on)
            if failure_of is None:
                assert rolled_out is not None
                validation = data[draw_of(self.config, run)].validation
                measured = self._measure_run(run, place, rolled_out, validation, about)
                if isinstance(measured, ModelResult):
                    write_result(self.config, run, measured)
                    return
                failure_of = measured
            if rolled_out is not None:
                self.progress.say(f"{run.name}: {failure_of.reason}")
            why = Failed(
                **fields_of(failure_of),
                attempt=group.attempt,
                circumstances=circumstances(self.config, self._provenance),
            )
            write_result(self.config, run, FailedModel(**fields_of(about), failed=why))

        to_measure = [place for place, done in enumerate(finished) if not done]
        from_first(lambda: in_threads(measure, to_measure))

    def _measure_run(
        self,
        run: Run,
        place: int,
        rolled_out: RolledOut,
        validation: Float[np.ndarray, "pairs d"],
        about: About,
    ) -> ModelResult | Failure:
        """Measure the model at a place of its group, and write its example trajectories and ends."""
        trainer = self.programs.trainer(run.size, len(rolled_out.states))
        measured = measure_model(
            self.config, self._problem(run), trainer, rolled_out, place, validation, about
        )
        if isinstance(measured, Failure):
            return measured
        write_paths(self.config, run, **measured.paths)
        return measured.result

    def _about(self, run: Run, trained_on: tuple[Provenance, ...]) -> About:
        """Return what a result says of the run itself."""
        config = self.config
        length = 2 * config.problem.dimension * self.codec.tokens_per_number - 1
        return About(
            run.size,
            parameter_count(parse_size(run.size), length),
            run.replicate,
            draw_of(config, run),
            config.training.train_steps,
            learning_rate(config, run.size),
            self._measured_on.git_commit,
            ModelProvenance(trained_on=trained_on, measured_on=self._measured_on),
        )

    def _train(self, group: Group, data: list[TrainingData]) -> Trained:
        """Train a group to the end from where it stands."""
        config, trainer = self.config, self.programs.trainer(group.size, len(group.runs))
        checkpoints, step = self._checkpoints(group), 0

        def reached() -> str:
            return f"{group.name} is saved at step {step:,} of {config.training.train_steps:,}"

        with between_steps(reached) as stop_here, contextlib.closing(checkpoints):
            position = batches(
                config, self._data_of(group, data), [run.replicate for run in group.runs]
            )
            found = checkpoints.restore(trainer.abstract_state(len(group.runs)), position)
            if found is None:
                keys = [stream(config, "initialisation", run.replicate) for run in group.runs]
                found = trainer.initial_state(jnp.stack(keys)), 0.0
            state, seconds = found
            began_at = int(state.step)
            self.progress.begin(group.name, config.training.train_steps, began_at)
            pairs = config.training.batch_size * len(group.runs)
            begin = time.perf_counter()

            def on_step(step: int, losses: list[float]) -> None:
                rate = (step - began_at) * pairs / (time.perf_counter() - begin)
                loss = sum(losses) / len(losses)
                self.progress.update(step, f"loss {loss:.4f}  {rate:,.0f} pairs/s")

            state, seconds = trainer.train(
                state,
                [self._problem(run) for run in group.runs],
                position,
                config.training.train_steps,
                checkpoints,
                config.training.checkpoint_every,
                seconds=seconds,
                on_step=on_step,
                stop_here=stop_here,
            )
            step = int(state.step)
        on = tuple(from_json(Provenance, each) for each in checkpoints.trained_on)
        return Trained(state, seconds, on)

    def _roll_out(
        self, group: Group, params: PyTree, temperature: float, samples: int
    ) -> tuple[Float[Array, "replicates samples points starts d"], Int[Array, "replicates rows"]]:
        """Roll a group's models out from every start of their draws, `samples` times each."""
        starts = jnp.stack(
            [
                jnp.tile(self.draws[draw_of(self.config, run)].rollout_starts, (samples, 1))
                for run in group.runs
            ]
        )
        keys = jnp.stack([stream(self.config, "sampling", run.replicate) for run in group.runs])
        run_all = self.programs.rollout(group.size, temperature, starts.shape[1], len(group.runs))
        states, saturated = run_all(params, starts, keys)
        by_sample = states.reshape(*states.shape[:2], samples, -1, self.config.problem.dimension)
        return by_sample.swapaxes(1, 2), saturated

    def _roll_out_all(self, group: Group, params: PyTree, train_seconds: float) -> RolledOut:
        """Roll a group's models out, in all processes."""
        config = self.config
        begin = time.perf_counter()
        self.progress.begin("  rolling out", config.rollout.rollout_steps)
        states, saturated = self._roll_out(group, params, 0.0, 1)
        sampled = None
        if config.rollout.temperature > 0:
            sampled, _ = self._roll_out(
                group, params, config.rollout.temperature, config.rollout.samples
            )
        jax.block_until_ready((states, sampled))
        seconds = time.perf_counter() - begin
        self.progress.update(config.rollout.rollout_steps, f"{seconds:.1f} s")
        models = len(group.runs)
        return RolledOut(params, states, saturated, sampled, train_seconds / models, seconds / models)
