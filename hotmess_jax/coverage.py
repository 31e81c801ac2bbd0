"""How often an interval holds the truth, or a test rejects it, in simulations of known truth."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["coverage", "size", "power", "bias"]


@dataclass(frozen=True)
class Seen:
    """What one simulated case showed of one printed number.

    For coverage, size and power, `share` is the share of the runs whose interval holds the truth, or whose
    test rejects; for bias it is the mean estimate less the truth.
    """

    printed: str  # what is printed, as reports name it: "incoherence, corrected"
    case: str  # the data: "accuracy .97, 100 questions, 10 samples"
    kind: Kind
    share: float
    runs: int  # those that gave an interval, a test or an estimate
    without: int = 0  # those that gave none
    spread: float | None = None  # of a bias: the estimates' standard deviation

    @property
    def standard_error(self) -> float:
        """The Monte-Carlo error of `share`."""
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
