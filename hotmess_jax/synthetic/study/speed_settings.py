"""What the speed of models and of data is measured of: the command line's settings."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from hotmess_jax.presentation.limits import Limits
from hotmess_jax.synthetic.model import Attention
from hotmess_jax.synthetic.train import Compute


@dataclass(frozen=True, kw_only=True)
class Models:
    """What measurements of models share."""

    size: tuple[str, ...] = ("47k", "200k", "790k")
    """Model sizes, as synthetic_sweep names them."""

    dimension: Annotated[int, Limits(1)] = 4
    """Variables of the quadratic."""

    precision: Annotated[int, Limits(1, 5)] = 4
    """Mantissa digits after the first."""

    compute: Compute = "float32"
    """Number format of matrix products, the models' and those that the machine's rate is of."""

    attention: Attention = "xla"
    """Attention within whole sequences; as in synthetic_sweep."""

    batch: Annotated[int, Limits(1)] = 1_024
    """Pairs in a training batch."""

    micro_batch: Annotated[int | None, Limits(0)] = None
    """Pairs whose gradients a device computes at once; as in synthetic_sweep."""

    steps_per_dispatch: Annotated[int, Limits(1)] = 2
    """Training steps in a call of the compiled program."""

    replicates: Annotated[int, Limits(1)] = 1
    """Trainings in one program; rates count the pairs of all."""

    starts: Annotated[int, Limits(1)] = 512
    """Starts rolled out side by side."""

    rollout_steps: Annotated[int, Limits(1)] = 2
    """Updates from each start in a call."""

    repeats: Annotated[int, Limits(1)] = 5
    """Timed calls, after one that compiles; the median counts."""

    json: bool = False
    """Print one JSON line a measurement."""


@dataclass(frozen=True, kw_only=True)
class Train(Models):
    """Training steps."""


@dataclass(frozen=True, kw_only=True)
class Rollout(Models):
    """Greedy rollouts."""


@dataclass(frozen=True, kw_only=True)
class Sweep(Models):
    """Both, and how long the paper preset's models of these sizes would take."""


@dataclass(frozen=True, kw_only=True)
class Data:
    """The trajectories of a preset: made, stored, read back, and served in batches."""

    preset: str = "paper"
    """Whose trajectories."""

    batches: Annotated[int, Limits(1)] = 20_000
    """Batches to read."""

    folder: Path = Path("results/runs")
    """Where a store is made, and deleted again."""

    json: bool = False
    """Print one JSON line."""
