"""Every figure of the synthetic study, one function each, from plain arrays."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hotmess_jax.presentation.plotting import (
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
Teachers = Float[np.ndarray, "_draws points"]
Levels = Float[np.ndarray, " _draws"]
Fit = tuple[Float[np.ndarray, " fitted"], Float[np.ndarray, " fitted"]]


class Both(NamedTuple):
    """Bias² and variance, each in a panel of its own."""

    bias2: Curves  # of each size, those of its draws or replicates
    variance: Curves
    teacher: tuple[Teachers, Teachers]  # its bias² and variance in each draw
    codec_teacher: tuple[Teachers, Teachers]  # those of the teacher rounded through the codec
    each: str = "replicates"  # or "draws"


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
    loss: Float[np.ndarray, "sizes points"],
    fit: Fit | None = None,
    floors: Levels | None = None,
    names: Sequence[str] | None = None,
    each: str = "replicates",
) -> Figure:
    """Draw the validation loss against size (Fig. 6 middle, Fig. 26a left).

    Args:
        parameters: of each size.
        loss: of each draw of the problem or each replicate.
        fit: points (x, y) of the fitted power law.
        floors: the loss of a perfect model of each draw; their mean is drawn, and their range.
        names: of the sizes.
        each: what a point is, and the floors' range is over: "draws" or "replicates".
    """
    figure, (axes,) = new_figure(COLUMN, 2.4)
    _points(axes, parameters, loss, label=_model_of(each, loss), **series_look(0, 1))
    if fit is not None:
        axes.plot(*fit, color="0.5", zorder=1, label="power law")
    if floors is not None:
        _level(axes, floors, color="black", linestyle=(0, (1, 1)), label="loss of a perfect model")
        _band_entry(axes, "draws", len(floors))
    axes.set_ylabel("validation loss")
    size_axis(axes, parameters, names)
    _log_y(axes, loss, *(() if floors is None else (floors,)))
    return with_legend(figure, columns=2, last=LAST)


@matplotlib.rc_context(STYLE)
def bias2_variance_by_size(
    parameters: Float[np.ndarray, " sizes"],
    bias2: Float[np.ndarray, "sizes points"],
    variance: Float[np.ndarray, "sizes points"],
    fits: Mapping[str, Fit],
    teacher: tuple[Levels, Levels],
    codec_teacher: tuple[Levels, Levels],
    exponents: Mapping[str, str] | None = None,
    names: Sequence[str] | None = None,
) -> Figure:
    """Draw bias² and variance at the last step against size (Fig. 6 right).

    Args:
        parameters: of each size.
        bias2: of each draw of the problem or each replicate.
        variance: likewise.
        fits: of "bias2", "variance" or both, points (x, y) of the fitted power law.
        teacher: its bias² and variance in each draw; geometric mean and range are drawn.
        codec_teacher: those of the teacher rounded through the codec.
        exponents: of the fits, as text, e.g. {"bias2": "2.1 [1.8, 2.4]"}; positive where it falls.
        names: of the sizes.
    """
    figure, (axes,) = new_figure(COLUMN, 3.2)
    exponents = exponents or {}
    for i, (key, values) in enumerate({"bias2": bias2, "variance": variance}.items()):
        look = series_look(i, 2)
        name = NAMES[key]
        label = f"{name}, exponent\n{exponents[key]}" if key in exponents else name
        _points(axes, parameters, values, label=label, **look)
        if key in fits:
            axes.plot(*fits[key], color=look["color"], zorder=1)
        for levels, line in ((teacher[i], TEACHER), (codec_teacher[i], CODEC_TEACHER)):
            # The marker, right of the models', tells which of the two it is.
            marked: Keywords = {
                "marker": look["marker"],
                "markevery": [1],
                "markersize": 4.5,
                "mfc": "white",
            }
            shown = line | marked | {"label": f"{line['label']}: {name}"}
            aside = 0.985 - 0.03 * i
            (mean,) = average(levels[:, None], 0, geometric=True)
            across = axes.get_yaxis_transform()
            axes.plot([0, aside, 1], [mean] * 3, transform=across, **shown)
            if len(levels) > 1:
                ends = [float(levels.min()), float(levels.max())]
                bar = {"color": line["color"], "linewidth": 0.8, "zorder": 1.4}
                several = {"label": "bars: range of draws"} | bar
                axes.plot([aside] * 2, ends, transform=across, **several)
    axes.set_ylabel("bias², variance at the last step")
    size_axis(axes, parameters, names)
    _log_y(axes, bias2, variance, *teacher, *codec_teacher, *(y for _, y in fits.values()))
    return with_legend(figure, columns=2, last=LAST)


@matplotlib.rc_context(STYLE)
def incoherence_by_step(
    curves: Curves, teacher: Teachers, codec_teacher: Teachers, each: str = "replicates"
) -> Figure:
    """Draw incoherence against step (Fig. 2d): means over draws or replicates, and their range.

    Args:
        curves: of each size, those of its draws or replicates.
        teacher: its curve in each draw.
        codec_teacher: that of the teacher rounded through the codec.
        each: "draws" or "replicates".
    """
    figure, (axes,) = new_figure(COLUMN, 2.5)
    x = np.arange(teacher.shape[1])
    _draw_curves(axes, x, curves, teacher, codec_teacher, each=each, geometric=False)
    axes.set(xlabel="step", ylabel="incoherence")
    unit_y(axes)
    return with_legend(figure, _columns(figure), last=LAST)


@matplotlib.rc_context(STYLE)
def final_incoherence_by_size(
    parameters: Float[np.ndarray, " sizes"],
    incoherence: Float[np.ndarray, "sizes points"],
    ci95: Float[np.ndarray, "sizes 2"] | None,
    teacher: Levels,
    codec_teacher: Levels,
    names: Sequence[str] | None = None,
    each: str = "replicates",
) -> Figure:
    """Draw incoherence at the last step against size (Fig. 4c).

    Args:
        parameters: of each size.
        incoherence: of each draw of the problem or each replicate.
        ci95: of each size, the interval over draws of their mean or, of a single model, that over starts.
        teacher: its incoherence in each draw; mean and range are drawn.
        codec_teacher: that of the teacher rounded through the codec.
        names: of the sizes.
        each: what a point is, "draws" or "replicates".
    """
    figure, (axes,) = new_figure(COLUMN, 2.5)
    look = series_look(0, 1)
    single = incoherence.shape[1] == 1
    faint = look if single else look | {"alpha": 0.45, "markersize": 2.5}
    _points(axes, parameters, incoherence, label=_model_of(each, incoherence), **faint)
    if not single:
        means = average(incoherence, 1, geometric=False)
        axes.plot(parameters, means, "_", color="black", markersize=9, mew=1.2, label="mean", zorder=4)
    if ci95 is not None:
        over = "over starts" if single else f"over {each}"
        # Lines rather than error bars: a percentile interval need not hold its estimate.
        color = look["color"] if single else "black"
        axes.vlines(parameters, *ci95.T, color=color, linewidth=0.8, label=f"95 % {over}")
    for levels, line in ((teacher, TEACHER), (codec_teacher, CODEC_TEACHER)):
        _level(axes, levels, **line)
    _band_entry(axes, "draws", len(teacher))
    axes.set_ylabel("incoherence at the last step")
    unit_y(axes)
    size_axis(axes, parameters, names)
    return with_legend(figure, columns=2, last=LAST)


@matplotlib.rc_context(STYLE)
def bias2_variance_by_step(both: Both) -> Figure:
    """Draw bias² and variance against step (Fig. 26a right): geometric means, and their range."""
    x = np.arange(both.teacher[0].shape[1])
    figure, axes = _bias2_over_variance(x, both)
    axes.set_xlabel("step")
    return with_legend(figure, _columns(figure), last=LAST)


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
    columns = min(count, 2)
    rows = -(-count // columns)
    figure, panels = new_figure(COLUMN, 0.6 + 1.3 * rows, rows, columns, sharex=True, sharey=True)
    x = np.arange(teacher.size)
    smooth = {name: _running_mean(curve, window) for name, curve in values.items()}
    teacher, codec_teacher = _running_mean(teacher, window), _running_mean(codec_teacher, window)
    for i, (axes, (name, curve)) in enumerate(zip(panels, smooth.items(), strict=False)):
        both = teacher[None], codec_teacher[None]
        _draw_curves(axes, x, {name: curve[None]}, *both, first=i, count=count)
        axes.set_title(name)
    for axes in panels[count:]:
        axes.remove()
    for axes in panels[count - columns : count]:  # nothing may stand below the last of each column
        axes.tick_params(labelbottom=True)
    _log_y(panels[0], *smooth.values(), teacher, codec_teacher)
    figure.supxlabel("step", fontsize=8)
    figure.supylabel("f(x)" if window == 1 else f"f(x), mean of {window} steps", fontsize=8)
    return with_legend(figure, last=LAST)


@matplotlib.rc_context(STYLE)
def by_eigen_direction(eigenvalues: Curve, both: Both) -> Figure:
    """Draw bias² and variance at the last step in each eigen-direction of A (not in the paper).

    Args:
        eigenvalues: of A; a direction is a point of the curves.
        both: bias² and variance.
    """
    x = np.arange(eigenvalues.size)
    figure, axes = _bias2_over_variance(x, both)
    labelled = x[:: -(-x.size // 8)]
    axes.set_xticks(labelled, [f"{value:.2g}" for value in eigenvalues[labelled]])
    axes.set(xlabel="eigenvalue of A", xlim=(-0.3, eigenvalues.size - 0.7))
    return with_legend(figure, _columns(figure), last=LAST)


def average(values: np.ndarray, axis: int, geometric: bool) -> np.ndarray:
    """Return the mean along an axis of what is there, NaN where nothing is.

    A geometric mean with a zero in it is 0, and what is alone is its own mean to the last digit.
    """
    if values.shape[axis] == 1:
        return _finite(np.take(values, 0, axis))
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = np.log(values) if geometric else np.asarray(values, np.float64)
        present = np.ma.masked_where(np.isnan(scaled) | np.isposinf(scaled), scaled)
        mean = np.ma.filled(present.mean(axis=axis), np.nan)
        return np.asarray(np.exp(mean) if geometric else mean)


def _finite(values: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(values), values, np.nan).astype(np.float64)


def _running_mean(curve: Curve, window: int) -> Curve:
    """Return the mean over a window centred on each step, so narrower towards both ends."""
    n = curve.size
    reach = np.minimum(np.minimum(np.arange(n), np.arange(n)[::-1]), window // 2)
    return np.asarray([curve[i - r : i + r + 1].mean() for i, r in enumerate(reach)])


def _draw_curves(
    axes: Axes,
    x: np.ndarray,
    curves: Curves,
    teacher: Teachers,
    codec_teacher: Teachers,
    first: int = 0,
    count: int | None = None,
    each: str = "replicates",
    geometric: bool = True,
) -> None:
    """Draw the teachers, and the mean of each size's curves; where there are several, their range."""

    def drawn(several: Teachers, look: Keywords, alpha: float = 0.15) -> None:
        values = _finite(several)
        if len(values) > 1:
            present = np.ma.masked_invalid(values)
            low, high = (side(axis=0).filled(np.nan) for side in (present.min, present.max))
            axes.fill_between(x, low, high, color=look["color"], alpha=alpha, linewidth=0)
        axes.plot(x, average(values, 0, geometric), **look)

    for i, (name, replicates) in enumerate(curves.items(), start=first):
        drawn(replicates, series_look(i, count or len(curves), x.size) | {"label": name})
    drawn(teacher, TEACHER, alpha=0.06)  # lies over all others' bands
    drawn(codec_teacher, CODEC_TEACHER, alpha=0.06)
    most = max((len(several) for several in (*curves.values(), teacher)), default=0)
    _band_entry(axes, each, most)
    axes.margins(x=0)


def _bias2_over_variance(x: np.ndarray, both: Both) -> tuple[Figure, Axes]:
    """Draw bias² in a panel above variance, on the same axes; return the lower panel."""
    figure, panels = new_figure(COLUMN, 4.2, rows=2, sharex=True, sharey=True)
    curves, teacher, codec_teacher = (both.bias2, both.variance), both.teacher, both.codec_teacher
    for i, (axes, name) in enumerate(zip(panels, NAMES.values(), strict=True)):
        _draw_curves(axes, x, curves[i], teacher[i], codec_teacher[i], each=both.each)
        axes.set_ylabel(name)
    _log_y(panels[0], *(c for part in curves for c in part.values()), *teacher, *codec_teacher)
    return figure, panels[-1]


def _points(axes: Axes, parameters: np.ndarray, values: np.ndarray, **look: Any) -> None:
    """Draw every point of a size at its number of parameters."""
    x = np.repeat(parameters, values.shape[1])
    axes.plot(x, _finite(values).ravel(), linestyle="none", **look)


def _model_of(each: str, values: np.ndarray) -> str:
    """Return what a point is called in a legend."""
    return f"models, one of each {each.removesuffix('s')}" if values.shape[1] > 1 else "model"


def _level(axes: Axes, levels: Levels, **look: Any) -> None:
    """Draw the mean of levels as a line across the panel, with their range as a band."""
    (mean,) = average(levels[:, None], 0, geometric=False)
    axes.plot([0, 1], [mean] * 2, transform=axes.get_yaxis_transform(), **look)
    if len(levels) > 1:
        band = {"color": look["color"], "alpha": 0.08, "linewidth": 0, "zorder": 0.5}
        axes.axhspan(float(levels.min()), float(levels.max()), **band)


def _columns(figure: Figure) -> int | None:
    """Return into how many columns a legend of sizes and teachers fits, None where any number does."""
    labels = {label for axes in figure.axes for label in axes.get_legend_handles_labels()[1]}
    wide = len(labels) > 4 and any(label.startswith("range of") for label in labels)
    return 3 if wide else None


def _band_entry(axes: Axes, each: str, count: int) -> None:
    """Say in the legend what bands are, where there are any."""
    if count > 1:
        axes.fill_between([], [], color="0.5", alpha=0.3, linewidth=0, label=f"range of {each}")


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
