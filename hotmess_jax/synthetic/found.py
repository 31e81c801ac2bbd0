"""What a sweep's models say, as it is written and told: `findings` estimates it."""

from dataclasses import dataclass, field

import numpy as np

from hotmess_jax.documents import Exact
from hotmess_jax.statistics.estimate import Estimate, Interval, Over, Spread
from hotmess_jax.statistics.fits import PowerLaw


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared(Exact):
    """One number that compares sizes: the interval of its headline, and the estimates beside it."""

    ci95: Interval | None
    over: Over = "sizes"  # what the headline's interval is over; earlier versions had this alone
    over_draws: Estimate | None = None
    over_sizes: Estimate | None = None
    over_replicates: Estimate | None = None
    spread: Spread | None = None

    @property
    def value(self) -> float:
        """The headline's, which each kind calls by a name of its own."""
        raise NotImplementedError

    @property
    def basis(self) -> str:
        """Over what the headline is, e.g. "over 8 draws"."""
        named = {"draws": self.over_draws, "sizes": self.over_sizes, "replicates": self.over_replicates}
        estimate = named[self.over]
        return f"over {'' if estimate is None else f'{estimate.counted} '}{self.over}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit(Compared):
    """A quantity's power law in the number of parameters, see `findings.Law`."""

    exponent: float
    coefficient: float
    offset: float
    r2: float | None
    sizes: int
    with_offset: PowerLaw | None = None
    curvature: Estimate | None = None
    of_means: Estimate | None = None

    @property
    def value(self) -> float:
        """The exponent."""
        return self.exponent


@dataclass(frozen=True, slots=True, kw_only=True)
class ExponentDifference(Compared):
    """The exponent of bias² less that of variance."""

    difference: float
    sizes: int
    of_means: Estimate | None = None

    @property
    def value(self) -> float:
        """The difference."""
        return self.difference


@dataclass(frozen=True, slots=True, kw_only=True)
class IncoherenceSlope(Compared):
    """Final incoherence per factor of ten in size, and the line that it is of."""

    slope: float
    r2: float | None
    intercept: float
    sizes: int

    @property
    def value(self) -> float:
        """The slope."""
        return self.slope


@dataclass(frozen=True, slots=True, kw_only=True)
class PlateauDifference(Compared):
    """The mean plateau of the largest size less that of the smallest, and both."""

    difference: float
    smallest: float
    largest: float

    @property
    def value(self) -> float:
        """The difference."""
        return self.difference


@dataclass(frozen=True, slots=True)
class Rise(Exact):
    """How much incoherence rises over the steps: of a model or, over draws, of a size."""

    name: str
    value: float
    ci95: Interval | None
    p_holm: float  # two-sided, adjusted for all that are tested together
    less_teacher: float  # less the rise of the own draw's teacher
    less_teacher_ci95: Interval | None

    @property
    def sign(self) -> int:
        """1 where it rises, −1 where it falls, 0 where neither is sure."""
        return int(np.sign(self.value)) if self.p_holm < 0.05 else 0


@dataclass(frozen=True, slots=True)
class Rises(Exact):
    """The rise of every model or size, their mean, and the same less the own draw's teacher."""

    each: tuple[Rise, ...]
    of: str  # "size", over draws, or "model", over starts
    mean: float  # over all models
    ci95: Interval | None
    least: float  # of any model
    less_teacher: float
    less_teacher_ci95: Interval | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InDraw(Exact):
    """What was estimated in one draw of the problem; nothing where it lacks a size."""

    problem: int
    seed: int | None
    missing_sizes: tuple[str, ...]
    exponents: dict[str, float] | None = None
    curvatures: dict[str, float] | None = None
    exponent_difference: float | None = None
    incoherence_slope: float | None = None
    plateau_difference: float | None = None

    def exponent(self, quantity: str) -> float | None:
        """Return a quantity's exponent, None where it was not estimated."""
        return None if self.exponents is None else self.exponents.get(quantity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found(Exact):
    """Everything that is estimated from a sweep's models; None or absent where it cannot be."""

    fits: dict[str, Fit] = field(default_factory=dict)
    exponent_difference: ExponentDifference | None = None
    incoherence_slope: IncoherenceSlope | None = None
    plateau_difference: PlateauDifference | None = None
    rises: Rises | None
    draws: tuple[InDraw, ...] = ()
    draws_left_out: int = 0
