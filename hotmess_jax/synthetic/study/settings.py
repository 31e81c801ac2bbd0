"""The study's settings, in groups, each with its unit and limits beside it, and what makes them valid."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from hotmess_jax.presentation.limits import Limits, check_limits
from hotmess_jax.synthetic.codec import PRECISIONS
from hotmess_jax.synthetic.model import Attention, Size, parse_size
from hotmess_jax.synthetic.quadratic import Spectrum
from hotmess_jax.synthetic.starts import StartDistribution, Starts
from hotmess_jax.synthetic.teacher import Rule, Teacher
from hotmess_jax.synthetic.train import Compute
from hotmess_jax.synthetic.train_step import LossOn

Preset = Literal["smoke", "quick", "laptop", "overnight", "paper"]
ReplicateVaries = Literal["initialisation", "problem"]
_TINY, _HUGE = 1e-12, 1e12
# Logits over the temperature stay far from float32's limits, and keep digits for the randomness added.
LEAST_TEMPERATURE = 1e-3


@dataclass(frozen=True)
class ProblemSettings:
    """The quadratics, how their numbers are written, and the optimiser to imitate."""

    dimension: Annotated[int, Limits(1, 64)] = 2
    """Number of variables d of the quadratic."""

    condition_number: Annotated[float, Limits(1, 1e6)] = 50.0
    """Largest over smallest eigenvalue of A."""

    spectrum: Spectrum = "geometric"
    """Inner eigenvalues of A: evenly spaced in the logarithm, or drawn log-uniformly (random)."""

    minimum_scale: Annotated[float, Limits(0, 10)] = 0.5
    """Standard deviation of each coordinate of the minimum b, in units of x."""

    minimum_offset: Annotated[float, Limits(-10, 10)] = 0.0
    """Mean of each coordinate of the minimum b, in units of x: which digits the paths pass near their end."""

    precision: Annotated[int, Limits(PRECISIONS[0], PRECISIONS[-1])] = 3
    """Mantissa digits after the first of each number."""

    teacher: Rule = "steepest"
    """The optimiser to imitate. Steps of fixed length: steepest descent in the Euclidean norm
    (steepest, the published one), in the maximum norm (sign) or in the problem's own (newton); or
    gradient descent, whose steps shorten (gradient)."""

    step_norm: Annotated[float, Limits(1e-9, 10)] = 0.05
    """Length of each of the teacher's steps, in units of x; of gradient descent, the learning rate (the
    largest eigenvalue of A is 1)."""

    @property
    def imitated(self) -> Teacher:
        """The optimiser to imitate."""
        return Teacher(self.step_norm, self.teacher)

    def validate(self) -> None:
        """Check what limits do not say.

        Raises:
            ValueError: for steps with which gradient descent diverges.
        """
        if self.teacher == "gradient" and self.step_norm >= 2:
            raise ValueError(
                f"step-norm must be below 2 for teacher gradient, which diverges otherwise, got {self.step_norm}"
            )


@dataclass(frozen=True)
class DataSettings:
    """The trajectories to learn from."""

    training_start_distribution: StartDistribution = "uniform"
    """Where the trajectories to learn from start: around the minimum ("randomly sampled starting points
    around the minimum", the paper says): uniform in a cube, normal, or on a sphere; or to one side of it
    (offset)."""

    training_start_offset: Annotated[float, Limits(0, 100)] = 3.0
    """Distance of their mean from the minimum, in units of x (offset only)."""

    training_start_scale: Annotated[float, Limits(0, 100)] = 6.0
    """Their spread, in units of x: half the cube's side, standard deviation, or radius."""

    trajectories: Annotated[int, Limits(2, 10**8)] = 4_000
    """Trajectories of the teacher, held-out ones included."""

    trajectory_steps: Annotated[int, Limits(1, 10**6)] = 160
    """Steps, that is pairs (state, update), of each trajectory: once it has arrived, all further ones are at
    the minimum."""

    holdout: Annotated[float, Limits(0, 1, above=True, below=True)] = 0.1
    """Share of the trajectories that is kept for the validation loss."""

    validation_pairs: Annotated[int, Limits(1, 10**8)] = 16_384
    """Pairs out of the held-out trajectories on which the validation loss is measured."""

    @property
    def training_starts(self) -> Starts:
        """Where the trajectories start."""
        return Starts(
            self.training_start_distribution, self.training_start_offset, self.training_start_scale
        )

    @property
    def training_trajectories(self) -> int:
        """How many of the trajectories, the first ones, are trained on; the others are held out."""
        return self.trajectories - round(self.trajectories * self.holdout)

    def validate(self) -> None:
        """Check what limits do not say.

        Raises:
            ValueError: where no trajectory is left for training, or for validation.
        """
        training = self.training_trajectories
        if not 0 < training < self.trajectories:
            raise ValueError(
                f"holdout {self.holdout} of {self.trajectories} trajectories leaves "
                f"{self.trajectories - training} for validation and {training} for training"
            )


@dataclass(frozen=True)
class ModelSettings:
    """The models: their sizes, and how many of each."""

    sizes: tuple[str, ...] = ("3k", "6k", "25k")
    """Model sizes, by approximate number of parameters: 3k 6k 14k 25k 47k 83k 200k 450k 790k 1.2m
    4.7m, or LAYERSxWIDTH."""

    replicates: Annotated[int, Limits(1, 1_000)] = 8
    """Trainings of each size, in one program, each with its own initialisation and data order."""

    replicate_varies: ReplicateVaries = "problem"
    """Whether replicates share one draw of A, b and the trajectories (initialisation), or have draws of
    their own (problem). Only then do the intervals of exponents say anything of other problems."""

    initialisations: Annotated[int, Limits(1, 1_000)] = 1
    """Where replicates have draws of their own: how many share each draw (a divisor of replicates)."""

    compute: Compute = "float32"
    """Number format of matrix products, in training and in rollouts; parameters, sums and logits are
    float32 in either case. float32 is that on every device, without rounding to TF32 or bfloat16."""

    @property
    def draws(self) -> int:
        """How many draws of the problem there are."""
        return self.replicates // self.initialisations if self.replicate_varies == "problem" else 1

    def validate(self) -> None:
        """Check what limits do not say.

        Raises:
            ValueError: for sizes that are none, that are the same, or replicates that cannot share draws.
        """
        known: dict[Size, str] = {}
        for name in self.sizes:
            size = parse_size(name)
            if size in known:
                also = f", which {known[size]} is" if name != known[size] else ""
                raise ValueError(f"sizes: {' '.join(self.sizes)} names one twice: {name}{also}")
            known[size] = name
        if not self.sizes:
            raise ValueError("sizes: at least one is needed")
        if self.replicate_varies == "problem" and self.replicates % self.initialisations:
            raise ValueError(
                f"replicates must be a multiple of initialisations, got {self.replicates} and {self.initialisations}"
            )
        if self.replicate_varies == "initialisation" and self.initialisations > 1:
            raise ValueError(
                f"initialisations {self.initialisations} needs replicate-varies problem; replicates says "
                "how many initialisations one problem has"
            )


@dataclass(frozen=True)
class TrainingSettings:
    """How they are trained."""

    batch_size: Annotated[int, Limits(1, 10**6)] = 128
    """Pairs in a training batch."""

    train_steps: Annotated[int, Limits(1, 10**8)] = 2_000
    """Training steps of each model."""

    learning_rate: Annotated[float, Limits(0, _HUGE)] = 5e-3
    """Peak learning rate of AdamW at width 32; cosine decay to zero."""

    learning_rate_exponent: Annotated[float, Limits(0, 2)] = 0.5
    """The peak learning rate is scaled by (32 / width) to this power; 0 gives all sizes the same."""

    warmup_steps: Annotated[int, Limits(0, 10**8)] = 100
    """Training steps of linear warm-up, at most half of them all."""

    weight_decay: Annotated[float, Limits(0, 100)] = 1e-4
    """AdamW's decoupled weight decay, per unit of learning rate."""

    clip_norm: Annotated[float, Limits(_TINY, _HUGE)] = 1.0
    """Gradients are clipped to this global norm."""

    loss_on: LossOn = "update"
    """Tokens that count in the training loss: the update's, or the state's too (all)."""

    checkpoint_every: Annotated[int, Limits(1, 10**8)] = 1_000
    """Training steps between checkpoints."""


@dataclass(frozen=True)
class RolloutSettings:
    """How they are rolled out, and measured."""

    rollout_start_distribution: StartDistribution = "offset"
    """Where the rollouts start ("various starting positions", the paper says): to one side of the minimum
    (offset), so that the teacher itself begins with a bias, or around it as above."""

    rollout_start_offset: Annotated[float, Limits(0, 100)] = 3.0
    """Distance of their mean from the minimum, in units of x (offset only)."""

    rollout_start_scale: Annotated[float, Limits(0, 100)] = 1.0
    """Their spread, in units of x: standard deviation, half the cube's side, or radius."""

    starts: Annotated[int, Limits(2, 10**7)] = 512
    """Starts of the rollouts; bias² and variance are over these."""

    rollout_steps: Annotated[int, Limits(1, 10**6)] = 256
    """Steps of each rollout."""

    temperature: Annotated[float, Limits(0, 100)] = 0.0
    """Above 0, also roll out with sampled tokens at this temperature, for bias² and variance per
    start, over the model's own randomness."""

    samples: Annotated[int, Limits(2, 10**5)] = 8
    """Sampled rollouts of each start (only where the temperature is above 0)."""

    bootstrap: Annotated[int, Limits(10, 10**6)] = 1_000
    """Resamples of the starts behind each 95 % interval."""

    @property
    def rollout_starts(self) -> Starts:
        """Where the rollouts start."""
        return Starts(
            self.rollout_start_distribution, self.rollout_start_offset, self.rollout_start_scale
        )

    def validate(self) -> None:
        """Check what limits do not say.

        Raises:
            ValueError: for a temperature that is neither 0 nor one that float32 divides by.
        """
        if 0 < self.temperature < LEAST_TEMPERATURE:
            raise ValueError(
                f"temperature must be 0 or at least {LEAST_TEMPERATURE:g}, below which all is greedy in "
                f"float32, got {self.temperature}"
            )


@dataclass(frozen=True)
class MachineSettings:
    """How the work is laid out on the machine; of the results it changes rounding alone."""

    micro_batch: Annotated[int | None, Limits(0, 10**6)] = None
    """Pairs of a batch whose gradients a device computes at once (0: all); it changes rounding alone.
    None is 16 on a CPU (64 below a width of 32), so that activations stay in its cache, and all elsewhere."""

    attention: Attention = "xla"
    """Attention within whole sequences, in training above all: as XLA compiles it, or cuDNN's fused
    kernel, on a GPU in bfloat16; it changes rounding alone."""

    steps_per_dispatch: Annotated[int | None, Limits(1, 10**6)] = None
    """Training steps in one call of the compiled program; it changes rounding alone. None is 8 on a CPU
    and 64 elsewhere."""

    distributed: bool = False
    """This is one of several processes that carry the run out together, each started with the same
    settings and with folders that all of them share; the cluster's environment says which (Slurm, Open
    MPI, TPU pods and others that JAX knows)."""

    coordinator: str | None = None
    """The same, said here: HOST:PORT at which the others reach the first process."""

    processes: Annotated[int | None, Limits(1, 10**5)] = None
    """With a coordinator: how many processes there are."""

    process: Annotated[int | None, Limits(0, 10**5)] = None
    """With a coordinator: which of them this is, from 0."""


@dataclass(frozen=True)
class OutputSettings:
    """Where files are, and what is done at all."""

    out: Path | None = None
    """Folder of the run. [default: results/runs/PRESET]"""

    store: Path = Path("results/runs/trajectories")
    """Folder of the teacher's trajectories, shared between runs."""

    retry_failed: bool = False
    """Train models that failed once more. Without it that is done where the machine, versions or settings
    that change rounding (micro-batch, attention, steps-per-dispatch) are other than they were."""

    dry_run: bool = False
    """Print the plan (parameters, tokens, FLOPs, bytes) and stop."""


@dataclass(frozen=True)
class SweepConfig:
    """The synthetic study: models of several sizes imitate an optimiser.

    Trains decoder transformers to imitate steepest descent on an ill-conditioned quadratic, rolls them
    out on their own predictions, splits their error into bias² and variance at every step, and fits
    scaling laws (Hägele et al. 2026, arXiv 2601.23045, Section 3.2.2).
    """

    preset: Preset = "quick"
    """Where the other settings' defaults come from. smoke: a test of the plumbing, 90 s. quick: three
    sizes that learn to descend in 2 dimensions, on eight draws of the problem, 4 to 9 minutes on 2 CPU cores.
    laptop: four sizes on eight draws, trained twice as long, under 90 minutes. overnight: 4 dimensions,
    three draws, some 6 hours on 2 cores, not run to its end yet. paper: as published, for an accelerator, not
    run yet."""

    seed: Annotated[int, Limits(0, 2**32 - 1)] = 0
    """All randomness derives from it."""

    problem: ProblemSettings = ProblemSettings()
    data: DataSettings = DataSettings()
    model: ModelSettings = ModelSettings()
    training: TrainingSettings = TrainingSettings()
    rollout: RolloutSettings = RolloutSettings()
    machine: MachineSettings = MachineSettings()
    output: OutputSettings = OutputSettings()

    @property
    def folder(self) -> Path:
        """The folder of the run."""
        return self.output.out or Path("results/runs") / self.preset

    def flat(self) -> dict[str, object]:
        """Return every setting by its own name, without the groups."""
        settings: dict[str, object] = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            group = dataclasses.is_dataclass(value)
            settings |= dataclasses.asdict(value) if group else {field.name: value}
        return settings

    def identity(self) -> dict[str, object]:
        """Return the settings that determine the results, flat, as plain JSON values.

        Those of the machine and of output do not. Folders are known by it: it stays as it is.
        """
        settings = self.flat()
        for group in (self.machine, self.output):
            for field in dataclasses.fields(group):
                del settings[field.name]
        return settings | {"sizes": list(self.model.sizes)}

    def meant(self) -> dict[str, object]:
        """Return the same, each size as layers, width and heads: what two names have in common."""
        return self.identity() | {"sizes": [list(parse_size(name)) for name in self.model.sizes]}

    def validate(self) -> None:
        """Check every setting.

        Raises:
            ValueError: naming the first setting that is out of range, and its value.
        """
        check_limits(self)
        for group in (self.model, self.rollout, self.problem, self.data):
            group.validate()
