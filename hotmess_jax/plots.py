"""Every figure of the synthetic study, one function each, from plain arrays."""

from collections.abc import Mapping
from typing import Any

import matplotlib
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hotmess_jax.plotting import (
    COLUMN,
    NAMES,
    STYLE,
    Keywords,
    new_figure,
    series_look,
    size_axis,
    unit_y,
    with_legend,
)

# Wider than the models' lines and beneath them: seen where a model follows the teacher, and hiding
# no model where the teacher, whose steps have a fixed norm, swings about the minimum.
_BENEATH: Keywords = {"linewidth": 1.5, "zorder": 1.5}
TEACHER: Keywords = _BENEATH | {
    "color": "black",
    "linestyle": (0, (3, 1.5)),
    "label": "teacher",
}
CODEC_TEACHER: Keywords = _BENEATH | {
    "color": "0.5",
    "linestyle": (0, (1, 1)),
    "label": "teacher, rounded",
}
LAST = (TEACHER["label"], CODEC_TEACHER["label"])
# A log axis reaches at most this many decades below its largest value; what is lower, zeros
# included, runs off its lower edge instead of squeezing the rest. The data drawn stay as given.
DECADES = 10

Curves = Mapping[str, Float[np.ndarray, "_replicates points"]]
Curve = Float[np.ndarray, " points"]
Fit = tuple[Float[np.ndarray, " fitted"], Float[np.ndarray, " fitted"]]


@matplotlib.rc_context(STYLE)
def trajectory(
    A: Float[np.ndarray, "d d"],
    b: Float[np.ndarray, " d"],
    paths: Mapping[str, Float[np.ndarray, "points d"]],
    teacher: Float[np.ndarray, "points d"],
) -> Figure:
    """Draw rollouts from one start over the contours of the quadratic (Fig. 6 left).

    Args:
        A: of the quadratic; for d > 2, its directions of least and greatest eigenvalue span the
            plane through b that is drawn, and paths are projected on it.
        b: the minimum.
        paths: of each size.
        teacher: its path from the same start.
    """
    figure, (axes,) = new_figure(COLUMN, 3.6)
    if b.size <= 2:
        plane = np.eye(b.size, 2)
        origin = b @ plane
        labels = ["x₁", "x₂"]
    else:
        eigenvalues, eigenvectors = np.linalg.eigh(A)
        plane, origin = eigenvectors[:, [0, -1]], np.zeros(2)
        labels = [
            f"x − b, direction of eigenvalue {eigenvalues[i]:.2g} ({which})"
            for which, i in (("least", 0), ("greatest", -1))
        ]
    seen = {name: _finite(path - b) @ plane + origin for name, path in paths.items()}
    followed = _finite(teacher - b) @ plane + origin
    centre, half = _window(np.vstack([origin, followed]), np.vstack([origin, followed, *seen.values()]))

    sides = np.linspace(centre - half, centre + half, 201)
    grid = np.stack(np.meshgrid(*sides.T), axis=-1) - origin
    heights = np.einsum("...i,ij,...j", grid, plane.T @ A @ plane, grid) / 2
    levels = heights.max() * np.linspace(0, 1, 11)[1:] ** 2
    axes.contour(*sides.T, heights, levels=levels, colors="0.8", linewidths=0.5, zorder=0)
    for i, (name, path) in enumerate(seen.items()):
        axes.plot(*path.T, label=name, **series_look(i, len(seen), len(path)))
    axes.plot(*followed.T, **TEACHER)
    axes.plot(*followed[0], "o", markersize=6, mfc="none", mec="black", label="start", zorder=5)
    axes.plot(*origin, "+", markersize=8, mew=1.4, color="black", label="minimum", zorder=5)
    axes.set(xlabel=labels[0], ylabel=labels[1], aspect="equal")
    axes.set(xlim=sides[[0, -1], 0], ylim=sides[[0, -1], 1])
    return with_legend(figure, last=LAST)


@matplotlib.rc_context(STYLE)
def loss_by_size(
    parameters: Float[np.ndarray, " sizes"],
    loss: Float[np.ndarray, "sizes replicates"],
    fit: Fit | None = None,
) -> Figure:
    """Draw the validation loss against size (Fig. 6 middle, Fig. 26a left).

    Args:
        parameters: of each size.
        loss: of each replicate.
        fit: points (x, y) of the fitted power law.
    """
    figure, (axes,) = new_figure(COLUMN, 2.4)
    _replicates(axes, parameters, loss, label="model", **series_look(0, 1))
    if fit is not None:
        axes.plot(*fit, color="0.5", zorder=1, label="power law")
    axes.set_ylabel("validation loss")
    size_axis(axes, parameters)
    _log_y(axes, loss)
    return with_legend(figure, last=LAST)


@matplotlib.rc_context(STYLE)
def bias2_variance_by_size(
    parameters: Float[np.ndarray, " sizes"],
    bias2: Float[np.ndarray, "sizes replicates"],
    variance: Float[np.ndarray, "sizes replicates"],
    fits: Mapping[str, Fit],
    teacher: tuple[float, float],
    codec_teacher: tuple[float, float],
    exponents: Mapping[str, str] | None = None,
) -> Figure:
    """Draw bias² and variance at the last step against size (Fig. 6 right).

    Args:
        parameters: of each size.
        bias2: of each replicate.
        variance: likewise.
        fits: of "bias2", "variance" or both, points (x, y) of the fitted power law.
        teacher: its bias² and variance.
        codec_teacher: those of the teacher rounded through the codec.
        exponents: of the fits, as text, e.g. {"bias2": "2.1 [1.8, 2.4]"}; positive where it falls.
    """
    figure, (axes,) = new_figure(COLUMN, 3.2)
    exponents = exponents or {}
    for i, (key, values) in enumerate({"bias2": bias2, "variance": variance}.items()):
        look = series_look(i, 2)
        name = NAMES[key]
        label = f"{name}, exponent\n{exponents[key]}" if key in exponents else name
        _replicates(axes, parameters, values, label=label, **look)
        if key in fits:
            axes.plot(*fits[key], color=look["color"], zorder=1)
        for level, line in ((teacher[i], TEACHER), (codec_teacher[i], CODEC_TEACHER)):
            # The marker, right of the models', tells which of the two it is.
            marked: Keywords = {
                "marker": look["marker"],
                "markevery": [1],
                "markersize": 4.5,
                "mfc": "white",
            }
            shown = line | marked | {"label": f"{line['label']}: {name}"}
            axes.plot(
                [0, 0.985 - 0.03 * i, 1], [level] * 3, transform=axes.get_yaxis_transform(), **shown
            )
    axes.set_ylabel("bias², variance at the last step")
    size_axis(axes, parameters)
    _log_y(axes, bias2, variance, teacher, codec_teacher, *(y for _, y in fits.values()))
    return with_legend(figure, columns=2, last=LAST)


@matplotlib.rc_context(STYLE)
def incoherence_by_step(curves: Curves, teacher: Curve, codec_teacher: Curve) -> Figure:
    """Draw incoherence against step (Fig. 2d): the mean of replicates, and their range.

    Args:
        curves: of each size, its replicates.
        teacher: its curve.
        codec_teacher: that of the teacher rounded through the codec.
    """
    figure, (axes,) = new_figure(COLUMN, 2.5)
    _draw_curves(axes, np.arange(teacher.size), curves, teacher, codec_teacher)
    axes.set(xlabel="step", ylabel="incoherence")
    unit_y(axes)
    return with_legend(figure, last=LAST)


@matplotlib.rc_context(STYLE)
def final_incoherence_by_size(
    parameters: Float[np.ndarray, " sizes"],
    incoherence: Float[np.ndarray, "sizes replicates"],
    ci95: Float[np.ndarray, "sizes replicates 2"],
    teacher: float,
    codec_teacher: float,
) -> Figure:
    """Draw incoherence at the last step against size (Fig. 4c).

    Args:
        parameters: of each size.
        incoherence: of each replicate.
        ci95: the ends of its 95 % interval.
        teacher: its incoherence.
        codec_teacher: that of the teacher rounded through the codec.
    """
    figure, (axes,) = new_figure(COLUMN, 2.5)
    look = series_look(0, 1)
    x = _replicates(axes, parameters, incoherence, label="model, 95 % interval", **look)
    # Lines rather than error bars: a percentile interval need not hold its estimate.
    axes.vlines(x.ravel(), *ci95.reshape(-1, 2).T, color=look["color"], linewidth=0.8)
    axes.axhline(teacher, **TEACHER)
    axes.axhline(codec_teacher, **CODEC_TEACHER)
    axes.set_ylabel("incoherence at the last step")
    unit_y(axes)
    size_axis(axes, parameters)
    return with_legend(figure, last=LAST)


@matplotlib.rc_context(STYLE)
def bias2_variance_by_step(
    bias2: Curves,
    variance: Curves,
    teacher: tuple[Curve, Curve],
    codec_teacher: tuple[Curve, Curve],
) -> Figure:
    """Draw bias² and variance against step (Fig. 26a right).

    Args:
        bias2: of each size, its replicates.
        variance: likewise.
        teacher: its bias² and variance.
        codec_teacher: those of the teacher rounded through the codec.
    """
    x = np.arange(teacher[0].size)
    figure, axes = _bias2_over_variance(x, (bias2, variance), teacher, codec_teacher)
    axes.set_xlabel("step")
    return with_legend(figure, last=LAST)


@matplotlib.rc_context(STYLE)
def value_along_start(
    values: Mapping[str, Curve], teacher: Curve, codec_teacher: Curve, window: int = 9
) -> Figure:
    """Draw the function value along one start, a panel for each size (Fig. 26 b–g).

    Args:
        values: of each size.
        teacher: its values.
        codec_teacher: those of the teacher rounded through the codec.
        window: odd number of steps whose mean is drawn. Near the minimum a fixed step norm swings at
            every step, which would fill the panel.
    """
    count = len(values)
    columns = count if count <= 3 else min(-(-count // 2), 4)
    rows = -(-count // columns)
    width = max(COLUMN, min(2.3 * columns, 6.9))
    figure, panels = new_figure(width, 0.5 + 1.6 * rows, rows, columns, sharex=True, sharey=True)
    x = np.arange(teacher.size)
    smooth = {name: _running_mean(curve, window) for name, curve in values.items()}
    teacher, codec_teacher = _running_mean(teacher, window), _running_mean(codec_teacher, window)
    for i, (axes, (name, curve)) in enumerate(zip(panels, smooth.items(), strict=False)):
        _draw_curves(axes, x, {name: curve[None]}, teacher, codec_teacher, first=i, count=count)
        axes.set_title(name)
    for axes in panels[count:]:
        axes.remove()
    _log_y(panels[0], *smooth.values(), teacher, codec_teacher)
    figure.supxlabel("step", fontsize=8)
    figure.supylabel("f(x)" if window == 1 else f"f(x), mean of {window} steps", fontsize=8)
    return with_legend(figure, last=LAST)


@matplotlib.rc_context(STYLE)
def by_eigen_direction(
    eigenvalues: Curve,
    bias2: Curves,
    variance: Curves,
    teacher: tuple[Curve, Curve],
    codec_teacher: tuple[Curve, Curve],
) -> Figure:
    """Draw bias² and variance at the last step in each eigen-direction of A (not in the paper).

    Args:
        eigenvalues: of A; a direction is a point of the curves.
        bias2: of each size, its replicates.
        variance: likewise.
        teacher: its bias² and variance.
        codec_teacher: those of the teacher rounded through the codec.
    """
    x = np.arange(eigenvalues.size)
    figure, axes = _bias2_over_variance(x, (bias2, variance), teacher, codec_teacher)
    labelled = x[:: -(-x.size // 8)]
    axes.set_xticks(labelled, [f"{value:.2g}" for value in eigenvalues[labelled]])
    axes.set(xlabel="eigenvalue of A", xlim=(-0.3, eigenvalues.size - 0.7))
    return with_legend(figure, last=LAST)


def _finite(values: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(values), values, np.nan).astype(np.float64)


def _running_mean(curve: Curve, window: int) -> Curve:
    """Return the mean over a window around each step, narrower towards both ends."""
    ones = np.ones(min(window, curve.size))
    with np.errstate(invalid="ignore"):
        return np.convolve(curve, ones, "same") / np.convolve(np.ones(curve.size), ones, "same")


def _draw_curves(
    axes: Axes,
    x: np.ndarray,
    curves: Curves,
    teacher: Curve,
    codec_teacher: Curve,
    first: int = 0,
    count: int | None = None,
) -> None:
    """Draw the teachers, and the mean of each size's replicates, with their range if several."""
    for i, (name, replicates) in enumerate(curves.items(), start=first):
        look = series_look(i, count or len(curves), x.size)
        present = np.ma.masked_invalid(replicates.astype(np.float64))
        if len(replicates) > 1:
            low, high = (side(axis=0).filled(np.nan) for side in (present.min, present.max))
            axes.fill_between(x, low, high, color=look["color"], alpha=0.15, linewidth=0)
        axes.plot(x, present.mean(axis=0).filled(np.nan), label=name, **look)
    axes.plot(x, _finite(teacher), **TEACHER)
    axes.plot(x, _finite(codec_teacher), **CODEC_TEACHER)
    axes.margins(x=0)


def _bias2_over_variance(
    x: np.ndarray,
    curves: tuple[Curves, Curves],
    teacher: tuple[Curve, Curve],
    codec_teacher: tuple[Curve, Curve],
) -> tuple[Figure, Axes]:
    """Draw bias² in a panel above variance, on the same axes; return the lower panel."""
    figure, panels = new_figure(COLUMN, 4.2, rows=2, sharex=True, sharey=True)
    for i, (axes, name) in enumerate(zip(panels, NAMES.values(), strict=True)):
        _draw_curves(axes, x, curves[i], teacher[i], codec_teacher[i])
        axes.set_ylabel(name)
    _log_y(panels[0], *(c for part in curves for c in part.values()), *teacher, *codec_teacher)
    return figure, panels[-1]


def _replicates(axes: Axes, parameters: np.ndarray, values: np.ndarray, **look: Any) -> np.ndarray:
    """Draw a point for each replicate, those of a size side by side; return where along x."""
    step = 0.012 * np.log(max(parameters.max() / parameters.min(), 2))
    aside = np.exp(step * (np.arange(values.shape[1]) - (values.shape[1] - 1) / 2))
    x = parameters[:, None] * aside
    axes.plot(x.ravel(), _finite(values).ravel(), linestyle="none", **look)
    return x


def _log_y(axes: Axes, *values: np.ndarray | tuple) -> None:
    """Make y logarithmic, over the positive values (see `DECADES`); panels that share it follow."""
    shown = np.concatenate([np.ravel(v).astype(np.float64) for v in values])
    shown = shown[np.isfinite(shown) & (shown > 0)]
    high = shown.max(initial=0.0) or 1.0
    low = max(shown.min(initial=high), high * 10.0**-DECADES)
    margin = max(high / low, 2) ** 0.05
    axes.set_ylim(low / margin, high * margin)
    axes.set_yscale("log", nonpositive="clip")
    if high / low < 10:  # ticks are then between powers of ten, whose exponents would only confuse
        axes.yaxis.set_minor_formatter("{x:g}")
        axes.yaxis.set_major_formatter("{x:g}")


def _window(
    usual: Float[np.ndarray, "n 2"], everything: Float[np.ndarray, "m 2"]
) -> tuple[Float[np.ndarray, " 2"], float]:
    """Return centre and half side of a square that shows all, unless a path runs far away."""
    low, high = np.nanmin(usual, axis=0), np.nanmax(usual, axis=0)
    span = max(np.max(high - low), 1e-9)
    low = np.maximum(np.fmin(low, np.nanmin(everything, axis=0)), low - span)
    high = np.minimum(np.fmax(high, np.nanmax(everything, axis=0)), high + span)
    return (low + high) / 2, 0.55 * max(np.max(high - low), 1e-9)
