"""What was measured of a sweep: its problems with their teachers, its models, and those that failed."""

from dataclasses import dataclass, fields
from typing import Any

from hotmess_jax.documents import Exact
from hotmess_jax.statistics.estimate import Interval
from hotmess_jax.synthetic.ends import Ends
from hotmess_jax.synthetic.floor import LossFloor

Values = tuple[float, ...]
Shares = tuple[float | None, ...]  # None where there is no error to divide
Rows = tuple[Values, ...]


def fields_of(value: Any, kind: Any = None) -> dict[str, Any]:
    """Return a result's fields, or those that a narrower type has, to make one of another type of them."""
    return {field.name: getattr(value, field.name) for field in fields(kind or value)}


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectedCurves(Exact):
    """The same without the bias of few starts or samples."""

    bias2: Values
    variance: Values
    incoherence: Shares


@dataclass(frozen=True, slots=True, kw_only=True)
class Directions(Exact):
    """Bias² and variance within each eigen-direction of A, eigenvalues ascending, over steps."""

    bias2: Rows
    variance: Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitCurves(Exact):
    """A decomposition over steps 0..T."""

    bias2: Values
    variance: Values
    error: Values
    incoherence: Shares
    corrected: CorrectedCurves


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves(SplitCurves):
    """A decomposition over starts, over steps 0..T."""

    directions: Directions


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectedStep(Exact):
    """The last step of `CorrectedCurves`."""

    bias2: float
    variance: float
    incoherence: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(Exact):
    """The last step of `SplitCurves`."""

    bias2: float
    variance: float
    error: float
    incoherence: float | None
    corrected: CorrectedStep


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledStep(Step):
    """The last step of sampled rollouts."""

    incoherence_ci95: Interval | None  # over resampled starts


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalStep(Step):
    """The last step of rollouts, one from each start; intervals are over resampled starts.

    An interval is None where few starts hold the error, see `curves.guarded`.
    """

    bias2_ci95: Interval | None
    variance_ci95: Interval | None
    error_ci95: Interval | None
    incoherence_ci95: Interval | None
    rise: float | None  # incoherence less that at step 0
    rise_ci95: Interval | None
    plateau: float | None  # mean incoherence of the last tenth of the steps
    strayed: float | None = None  # share of the starts; earlier versions did not measure it
    worst_percent_share: float | None  # of the error, held by the worst 1 % of the starts
    median_error: float | None = None
    effective_starts: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollouts(Curves):
    """Curves of rollouts, one from each start, and their last step."""

    final: FinalStep


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledRollouts(SplitCurves):
    """Several sampled rollouts from each start, split within starts."""

    temperature: float
    samples: int
    final: SampledStep


@dataclass(frozen=True, slots=True, kw_only=True)
class Device(Exact):
    """What computed."""

    platform: str
    kind: str
    count: int
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance(Exact):
    """Where a result comes from, see `machine.provenance`."""

    versions: dict[str, str | None]
    device: Device
    git_commit: str | None
    seconds: float | None = None  # that the run took


@dataclass(frozen=True, slots=True, kw_only=True)
class RunProvenance(Provenance):
    """Where a sweep's document comes from."""

    report: str | None  # the commit that wrote it


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelProvenance(Exact):
    """Where a model comes from."""

    trained_on: tuple[Provenance, ...]
    measured_on: Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class Seconds(Exact):
    """That a model took, its share where several share a program."""

    train: float
    rollout: float

    @property
    def total(self) -> float:
        """Seconds in all."""
        return self.train + self.rollout


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelResult(Rollouts):
    """What one trained model showed."""

    size: str
    parameters: int
    replicate: int
    problem: int = 0  # its place among the sweep's
    seed: int | None = None  # of its problem, in a pool
    train_steps: int
    learning_rate: float
    git_commit: str | None
    validation_loss: float  # nats per token of the update
    validation_loss_all: float | None = None  # over the state's tokens too
    validation_loss_by_token: Values | None = None
    saturated: int  # numbers on the way that the codec could not write
    sampled: SampledRollouts | None = None
    seconds: Seconds
    provenance: ModelProvenance | None = None
    ends: Ends | None = None

    @property
    def name(self) -> str:
        """Size and replicate as one word."""
        return f"{self.size}-{self.replicate}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed(Exact):
    """At which step a model met what is not finite, at which attempt, and under which circumstances."""

    step: int
    reason: str
    attempt: int = 1
    circumstances: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedModel(Exact):
    """A model that has no result."""

    size: str
    parameters: int | None = None
    replicate: int
    problem: int = 0
    seed: int | None = None
    train_steps: int | None = None
    learning_rate: float | None = None
    git_commit: str | None
    provenance: ModelProvenance | None = None
    failed: Failed

    @property
    def name(self) -> str:
        """Size and replicate as one word."""
        return f"{self.size}-{self.replicate}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierFloor(Exact):
    """A loss floor of uniform points alone, as earlier versions had it: up to three times too large."""

    value: float
    uniform: float | None = None
    se: float
    low: float | None = None
    high: float | None = None
    states: int | None = None
    left_out: int | None = None
    points: int | None = None
    by_token: Values | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemResult(Exact):
    """One draw of the problem, what its teachers do, and the loss of a perfect model of it."""

    A: Rows
    b: Values
    eigenvalues: Values
    teacher: Rollouts
    codec_teacher: Rollouts  # the teacher rounded through the codec
    loss_floor: LossFloor | EarlierFloor | None = None
    seams_teacher: dict[str, float] | None = None  # see `ends.seam_shares`, along its paths
    seed: int | None = None  # in a pool
    starts_drawn_again: dict[str, int] | None = None  # where some were, of training and rollouts

    @property
    def floor(self) -> LossFloor | None:
        """The loss floor; None where it was not measured, or by an earlier version."""
        return self.loss_floor if isinstance(self.loss_floor, LossFloor) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class PooledRun(Exact):
    """A sweep that a pool is made of."""

    path: str
    seed: int | None
    draws: int
    digest: str
    git_commit: str | None
    provenance: RunProvenance


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepResults(Exact):
    """What a sweep measured, or several that are pooled."""

    schema: int  # of the document that it was read from
    config: dict[str, Any]  # its settings, each by the name it has on the command line
    provenance: RunProvenance
    problems: tuple[ProblemResult, ...]
    models: tuple[ModelResult, ...]
    failures: tuple[FailedModel, ...]
    pooled_from: tuple[PooledRun, ...] | None = None
    digest: str | None = None  # of the settings and results in that document (SHA-256)
