"""What has to be said beside a sweep's numbers: what they are over, and why some are missing."""

from dataclasses import dataclass
from typing import Literal

from hotmess_jax.documents import Exact
from hotmess_jax.synthetic.draws import draws_of
from hotmess_jax.synthetic.found import Found
from hotmess_jax.synthetic.results import SweepResults

Unfitted = Literal["no model", "no draw has every size", "too few sizes"]
# Quantities that every model has, so that only a value of 0 or below keeps a law from being fitted.
ALWAYS_MEASURED = ("bias2", "variance", "error")


@dataclass(frozen=True, slots=True, kw_only=True)
class LossFloors(Exact):
    """Of how many draws the loss floor was measured, and how well."""

    draws: int
    measured: int
    counted: float | None  # share of their states that is counted in real trajectories, see `floor`


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes(Exact):
    """What is said beside a sweep's numbers."""

    draws_compared: int  # that have every size, and are in all that compares sizes
    unfitted: Unfitted | None  # why no law was fitted
    not_positive: tuple[str, ...]  # quantities without a law, for a model has none of it
    loss_floors: LossFloors


def notes_of(sweep: SweepResults, found: Found) -> Notes:
    """Return what is to be said.

    Args:
        sweep: what was measured, without the models that are in no finding.
        found: its findings.
    """
    floors = [floor for problem in sweep.problems if (floor := problem.floor) is not None]
    states = sum(floor.states for floor in floors)
    return Notes(
        draws_compared=len(found.draws) - found.draws_left_out,
        unfitted=_unfitted(sweep, found),
        not_positive=_not_positive(sweep),
        loss_floors=LossFloors(
            draws=len(sweep.problems),
            measured=len(floors),
            counted=sum(floor.counted for floor in floors) / states if states else None,
        ),
    )


def _unfitted(sweep: SweepResults, found: Found) -> Unfitted | None:
    if not sweep.models:
        return "no model"
    if found.fits:
        return None
    return "no draw has every size" if found.draws_left_out else "too few sizes"


def _not_positive(sweep: SweepResults) -> tuple[str, ...]:
    if not sweep.models:
        return ()
    complete = draws_of(sweep).complete
    return tuple(
        name
        for name in ALWAYS_MEASURED
        if any(
            not getattr(model.final, name) > 0
            for draw in complete.draws
            for models in draw.models
            for model in models
        )
    )
