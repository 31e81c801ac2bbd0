"""The figures of a sweep: its numbers brought to the functions of `plots`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from hotmess_jax.presentation import plotting
from hotmess_jax.presentation.words import exponent, interval
from hotmess_jax.statistics.estimate import half_width
from hotmess_jax.synthetic.draws import Draws, Kind, Reader, draws_of, of_final, quantities
from hotmess_jax.synthetic.found import Found
from hotmess_jax.synthetic.results import ModelResult
from hotmess_jax.synthetic.study import plots
from hotmess_jax.synthetic.study.ends_figure import ends_of_rollouts, first_draw
from hotmess_jax.synthetic.study.sweep_document import ConcludedSweep

Part = Literal["bias2", "variance", "incoherence"]


@dataclass(frozen=True)
class Examples:
    """States of rollouts from a few starts of draw 0: of a model of each size, and of both teachers."""

    paths: Mapping[str, Float[np.ndarray, "points examples d"]]
    teacher: Float[np.ndarray, "points examples d"]
    codec_teacher: Float[np.ndarray, "points examples d"]


def draw_figures(sweep: ConcludedSweep, examples: Examples | None) -> dict[str, Figure]:
    """Draw every figure of a finished sweep.

    Args:
        sweep: with its findings.
        examples: for the figures of one start; None leaves these out.
    """
    everything = draws_of(sweep)
    draws = everything.comparable
    figures = {} if examples is None else _of_one_start(everything, examples)
    if of_first := first_draw(sweep.models):
        first = everything.draws[0]
        figures["ends_of_rollouts"] = ends_of_rollouts(
            np.asarray(first.A), np.asarray(first.b), of_first
        )
    return figures | _by_size(sweep, draws) | _by_step(draws)


def _by_size(sweep: ConcludedSweep, draws: Draws) -> dict[str, Figure]:
    """Draw what stands against the size of the models."""
    readers = quantities(sweep.config)
    everyone = sweep.config.get("loss_on") == "all" and not draws.lacks(readers["validation_loss_all"])
    loss = "validation_loss_all" if everyone else "validation_loss"
    floors = [draw.loss_floor for draw in draws.draws if draw.loss_floor is not None]
    fits = {
        name: fitted
        for name in ("bias2", "variance")
        if (fitted := _fitted(sweep.found, name, draws)) is not None
    }
    incoherence = _points(draws, of_final("incoherence"), geometric=False)
    return {
        "loss_by_size": plots.loss_by_size(
            draws.parameters,
            _points(draws, readers[loss], geometric=True),
            _fitted(sweep.found, loss, draws),
            # The floor is that of the update's tokens.
            np.asarray(floors) if floors and not everyone else None,
            names=draws.names,
            each=_each(draws),
        ),
        "bias2_variance_by_size": plots.bias2_variance_by_size(
            draws.parameters,
            _points(draws, readers["bias2"], geometric=True),
            _points(draws, readers["variance"], geometric=True),
            fits,
            _last(draws, "teacher"),
            _last(draws, "codec_teacher"),
            exponents={
                name: " ".join([exponent(fit.exponent), interval(fit.ci95)]).rstrip(" –")
                for name, fit in sweep.found.fits.items()
                if name in fits
            },
            names=draws.names,
        ),
        "final_incoherence_by_size": plots.final_incoherence_by_size(
            draws.parameters,
            incoherence,
            _intervals(draws, incoherence),
            _teachers(draws, "teacher", "incoherence")[:, -1],
            _teachers(draws, "codec_teacher", "incoherence")[:, -1],
            names=draws.names,
            each=_each(draws),
        ),
    }


def _by_step(draws: Draws) -> dict[str, Figure]:
    """Draw what stands against the step, and the last step by direction."""
    return {
        "incoherence_by_step": plots.incoherence_by_step(
            _stacked(draws, lambda model: model.incoherence, geometric=False),
            _teachers(draws, "teacher", "incoherence"),
            _teachers(draws, "codec_teacher", "incoherence"),
            each=_each(draws),
        ),
        "bias2_variance_by_step": plots.bias2_variance_by_step(
            plots.Both(
                _stacked(draws, lambda model: model.bias2),
                _stacked(draws, lambda model: model.variance),
                _both(draws, "teacher"),
                _both(draws, "codec_teacher"),
                _each(draws),
            )
        ),
        "by_eigen_direction": plots.by_eigen_direction(
            np.exp(np.log([draw.eigenvalues for draw in draws.draws]).mean(axis=0)),
            plots.Both(
                _stacked(draws, lambda model: [row[-1] for row in model.directions.bias2]),
                _stacked(draws, lambda model: [row[-1] for row in model.directions.variance]),
                _by_direction(draws, "teacher"),
                _by_direction(draws, "codec_teacher"),
                _each(draws),
            ),
        ),
    }


def _each(draws: Draws) -> str:
    """Return what a thin line or a small mark is one of."""
    return "draws" if len(draws.draws) > 1 else "replicates"


def _teachers(draws: Draws, kind: Kind, part: Part) -> Float[np.ndarray, "draws steps"]:
    return np.asarray([getattr(draw.teachers[kind], part) for draw in draws.draws], np.float64)


def _both(draws: Draws, kind: Kind) -> tuple[np.ndarray, np.ndarray]:
    return _teachers(draws, kind, "bias2"), _teachers(draws, kind, "variance")


def _last(draws: Draws, kind: Kind) -> tuple[np.ndarray, np.ndarray]:
    bias2, variance = _both(draws, kind)
    return bias2[:, -1], variance[:, -1]


def _by_direction(draws: Draws, kind: Kind) -> tuple[np.ndarray, np.ndarray]:
    directions = [draw.teachers[kind].directions for draw in draws.draws]
    bias2, variance = (
        np.asarray([np.asarray(getattr(of, part))[:, -1] for of in directions])
        for part in ("bias2", "variance")
    )
    return bias2, variance


def save_figures(figures: Mapping[str, Figure], folder: Path) -> None:
    """Write each figure as PNG and PDF."""
    for name, figure in figures.items():
        plotting.save(figure, folder / name)


def _of_one_start(draws: Draws, examples: Examples) -> dict[str, Figure]:
    """Draw what shows one start, of draw 0's problem."""
    first = draws.draws[0]
    A, b = np.asarray(first.A), np.asarray(first.b)
    paths = examples.paths

    def value(path: Float[np.ndarray, "points d"]) -> Float[np.ndarray, " points"]:
        return np.einsum("ti,ij,tj->t", path - b, A, path - b) / 2

    # Of the examples, the start that is furthest from b: it has both a steep and a flat way to go.
    example = int(np.argmax(np.linalg.norm(examples.teacher[0] - b, axis=-1)))
    present = [name for name in draws.names if name in paths]
    # One small and one large model, so that the drawing stays legible.
    ends = list(dict.fromkeys([present[0], present[-1]]))
    return {
        "trajectory": plots.trajectory(
            A, b, {name: paths[name][:, example] for name in ends}, examples.teacher[:, example]
        ),
        "value_along_start": plots.value_along_start(
            {name: value(paths[name][:, example]) for name in present},
            value(examples.teacher[:, example]),
            value(examples.codec_teacher[:, example]),
        ),
    }


def _fitted(found: Found, name: str, draws: Draws) -> tuple[np.ndarray, np.ndarray] | None:
    """Return a fitted power law over the range of sizes, None where there is none."""
    fit = found.fits.get(name)
    if fit is None:
        return None
    x = np.geomspace(draws.parameters[0], draws.parameters[-1], 50)
    return x, fit.coefficient * x**-fit.exponent


def _points(draws: Draws, read: Reader, geometric: bool) -> Float[np.ndarray, "sizes points"]:
    """Return a point a draw (the mean of its replicates) or, with one draw, a point a replicate."""
    values = draws.table(read)
    return values[0] if len(values) == 1 else plots.average(values, 2, geometric).T


def _stacked(
    draws: Draws, curve: Callable[[ModelResult], Sequence[float | None]], geometric: bool = True
) -> dict[str, Float[np.ndarray, "_curves points"]]:
    """Return each size's curves: one a draw (the mean of its replicates) or one a replicate."""
    stacked = {}
    for place, name in enumerate(draws.names):
        of_draws = [
            np.asarray([curve(model) for model in draw.models[place]], np.float64)
            for draw in draws.draws
            if draw.models[place]
        ]
        several = len(draws.draws) > 1
        stacked[name] = (
            np.stack([plots.average(curves, 0, geometric) for curves in of_draws])
            if several
            else of_draws[0]
        )
    return stacked


def _intervals(
    draws: Draws, incoherence: Float[np.ndarray, "sizes points"]
) -> Float[np.ndarray, "sizes 2"] | None:
    """Return the interval over draws of each size's mean; with one draw and model, that over starts."""
    if len(draws.draws) == 1:
        if draws.replicates > 1:
            return None  # they share starts and resamples: how intervals overlap would say nothing
        of_models = [models[0].final.incoherence_ci95 for models in draws.draws[0].models]
        return np.asarray(
            [(np.nan, np.nan) if ci95 is None else [*ci95] for ci95 in of_models], np.float64
        )
    ends = np.full((len(incoherence), 2), np.nan)
    for place, row in enumerate(incoherence):
        present = row[~np.isnan(row)]
        if len(present) > 1:
            ends[place] = present.mean() + np.asarray([-1, 1]) * half_width(present)
    return ends
