"""Where the models of each size end, over draws of the problem."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hotmess_jax.statistics.estimate import Estimate, mean_with_interval
from hotmess_jax.synthetic.draws import Draws
from hotmess_jax.synthetic.ends import Seam


def on_seams(
    shares: Mapping[str, float] | None, kinds: tuple[Seam, ...] = ("sign", "exponent")
) -> float | None:
    """Return the share of points where one of these changes, None where there is no point."""
    return None if shares is None else sum(shares[kind] for kind in kinds)


@dataclass(frozen=True)
class EndsOfSize:
    """Where the models of one size end, over draws of the problem: means over models, shares of the starts."""

    name: str
    arrived: tuple[float, ...]  # of each model: at places near the minimum
    places: float  # that hold a hundredth of the starts or more
    strayed_settled: float | None
    largest_wrong: tuple[float, ...]  # of each model: at its largest place away from the minimum
    between: (
        float | None
    )  # share of the variance that is between places; None where there is no variance
    # Where the sign or the exponent of a coordinate changes within a step norm: of the strayed ends, of the
    # states on the teacher's paths, and the difference in the same draw.
    on_seams: float | None
    on_seams_teacher: float | None
    excess: Estimate | None


def ends_by_size(draws: Draws) -> list[EndsOfSize]:
    """Return where the models of each size end; nothing for sizes whose ends were not kept.

    The interval of the excess is Student's t over the draws that have strayed ends, replicates averaged.
    """
    found = []
    for place, name in enumerate(draws.names):
        of_draws = [
            [model.ends for model in draw.models[place] if model.ends is not None]
            for draw in draws.draws
        ]
        models = [model for models in of_draws for model in models]
        if not models:
            continue
        pairs = []
        for draw, own in zip(draws.draws, of_draws, strict=True):
            shares = [share for model in own if (share := on_seams(model.seams_strayed)) is not None]
            teacher = on_seams(draw.seams_teacher)
            if shares and teacher is not None:
                pairs.append((float(np.mean(shares)), teacher))
        strayed, beside = np.asarray(pairs).reshape(-1, 2).T
        settled = [m.strayed_settled for m in models if m.strayed_settled is not None]
        whole = sum(model.between + model.within for model in models)
        found.append(
            EndsOfSize(
                name,
                tuple(float(sum(p.share for p in model.places if p.arrived)) for model in models),
                float(np.mean([sum(p.share >= 0.01 for p in model.places) for model in models])),
                float(np.mean(settled)) if settled else None,
                tuple(
                    max((p.share for p in model.places if not p.arrived), default=0.0)
                    for model in models
                ),
                sum(model.between for model in models) / whole if whole > 0 else None,
                float(strayed.mean()) if pairs else None,
                float(beside.mean()) if pairs else None,
                mean_with_interval(strayed - beside, "draws") if pairs else None,
            )
        )
    return found
