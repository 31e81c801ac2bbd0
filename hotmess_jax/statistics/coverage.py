"""How often an interval holds the truth, or a test rejects it, in simulations of known truth."""

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

Kind = Literal["coverage", "size", "power", "bias"]
KINDS: dict[Kind, str] = {
    "coverage": "interval holds the truth",
    "size": "test rejects a true null",
    "power": "test rejects a false null",
    "bias": "mean less the truth",
}


@dataclass(frozen=True)
class Seen:
    """What one simulated case showed of one printed number.

    For coverage, size and power, `share` is the share of the runs whose interval holds the truth, or whose
    test rejects; for bias it is the mean estimate less the truth.
    """

    printed: str  # what is printed, as reports name it: "incoherence, corrected"
    case: str  # the data: "accuracy .97, 100 questions, 10 samples"
    kind: Kind
    share: float  # NaN where no run gave any
    runs: int  # those that gave an interval, a test or an estimate
    without: int = 0  # those that gave none
    spread: float | None = None  # of a bias: the estimates' standard deviation

    @property
    def standard_error(self) -> float:
        """The Monte-Carlo error of `share`; NaN where no run gave any."""
        if not self.runs:
            return math.nan
        if self.kind == "bias":
            return math.nan if self.spread is None else self.spread / math.sqrt(self.runs)
        return math.sqrt(self.share * (1 - self.share) / self.runs)


@dataclass(frozen=True)
class Simulation:
    """Data of one kind, and what is printed of them.

    `run` is given a seed and a number of runs, and returns what was seen.
    """

    name: str  # a word, as the command takes it
    about: str  # one line: which analysis, which data
    run: Callable[[int, int], list[Seen]]
    runs: int = 300  # by default

    def seen(self, seed: int, runs: int | None = None) -> list[Seen]:
        """Run it with a seed of its name's own, so that it shows alone what it shows among all.

        Args:
            seed: of all simulations.
            runs: data sets a case; None is its own number.
        """
        return self.run(seed + zlib.crc32(self.name.encode()), runs or self.runs)


def seen_coverage(
    printed: str,
    case: str,
    low: Float[np.ndarray, " runs"],
    high: Float[np.ndarray, " runs"],
    truth: float | Float[np.ndarray, " runs"],
) -> Seen:
    """Return how often intervals hold the truth; a run whose ends are NaN gave none."""
    given = np.isfinite(low) & np.isfinite(high)
    holds = ((low <= truth) & (truth <= high))[given]
    share = float(holds.mean()) if given.any() else math.nan
    return Seen(printed, case, "coverage", share, int(given.sum()), int((~given).sum()))


def seen_rejections(
    printed: str, case: str, p: Float[np.ndarray, " runs"], kind: Literal["size", "power"] = "size"
) -> Seen:
    """Return how often a test rejects at 5 %; a run whose p is NaN gave none."""
    given = np.isfinite(p)
    share = float((p[given] <= 0.05).mean()) if given.any() else math.nan
    return Seen(printed, case, kind, share, int(given.sum()), int((~given).sum()))


def seen_bias(
    printed: str,
    case: str,
    estimates: Float[np.ndarray, " runs"],
    truth: float | Float[np.ndarray, " runs"],
) -> Seen:
    """Return how far estimates lie from the truth on average; NaN is no estimate."""
    off = estimates - truth
    off = off[np.isfinite(off)]
    mean, spread = (float(off.mean()), float(off.std())) if len(off) else (math.nan, math.nan)
    return Seen(printed, case, "bias", mean, len(off), len(estimates) - len(off), spread)
