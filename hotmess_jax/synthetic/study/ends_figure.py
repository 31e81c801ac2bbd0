"""The figure of where rollouts end, from a sweep's results."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hotmess_jax.presentation.plotting import COLUMN, STYLE, new_figure, with_legend
from hotmess_jax.synthetic.ends import Ends
from hotmess_jax.synthetic.results import ModelResult

COLOURED = 6  # places with a colour of their own
LEAST_HALF = 1.2  # half the side of what is shown, in units of x
LARGE, MARGIN = 0.01, 0.3  # a place of this share of the starts is shown, with so much around it


@matplotlib.rc_context(STYLE)
def ends_of_rollouts(
    A: Float[np.ndarray, "d d"], b: Float[np.ndarray, " d"], models: Mapping[str, Ends]
) -> Figure:
    """Draw where the rollouts of each size end: in the plane of the two flattest directions of A.

    Ends are coloured by the place that they belong to; a place's number of starts is its circle's area. In
    two dimensions, lines show where a numeral changes: its sign or exponent, or its first digit.

    Args:
        A: of the quadratic; for d > 2 ends are projected on its two directions of least eigenvalue.
        b: the minimum.
        models: of each size.
    """
    count = len(models)
    columns = min(count, 2)
    rows = -(-count // columns)
    figure, panels = new_figure(COLUMN, 0.8 + 1.75 * rows, rows, columns, sharex=True, sharey=True)
    flat = b.size > 2
    eigenvalues, eigenvectors = np.linalg.eigh(A)
    plane = eigenvectors[:, :2] if flat else np.eye(b.size, 2)
    origin = np.zeros(2) if flat else b @ plane
    half = _half_side(b, plane, models)
    sides = np.linspace(origin - half, origin + half, 201)
    grid = np.stack(np.meshgrid(*sides.T), axis=-1) - origin
    heights = np.einsum("...i,ij,...j", grid, plane.T @ A @ plane, grid)
    levels = heights.max() * np.linspace(0, 1, 8)[1:] ** 2
    for axes, (name, found) in zip(panels, models.items(), strict=False):
        axes.contour(*sides.T, heights, levels=levels, colors="0.85", linewidths=0.5, zorder=0)
        if not flat:
            _seam_lines(axes, sides)
        points = (np.asarray(found.points) - b) @ plane + origin
        _points(axes, points, np.asarray(found.place_of_points))
        for k, place in enumerate(found.places[:COLOURED]):
            x, y = (np.asarray(place.centre) - b) @ plane + origin
            area, edge = 600 * place.share, _colours()[k]
            axes.scatter(x, y, s=area, facecolor="none", edgecolor=edge, linewidth=0.8, zorder=2)
        axes.plot(*origin, "+", markersize=9, mew=1.4, color="black", label="minimum", zorder=4)
        arrived = sum(place.share for place in found.places if place.arrived)
        outside = float((np.abs(points - origin).max(axis=-1) > half).mean())
        beyond = f"\n{outside:.1%} of ends lie outside" if outside else ""
        axes.set_title(f"{name}: {arrived:.0%} at b, {found.count} places{beyond}")
        axes.set(aspect="equal", xlim=sides[[0, -1], 0], ylim=sides[[0, -1], 1])
    for axes in panels[count:]:
        axes.remove()
    for axes in panels[count - columns : count]:  # nothing may stand below the last of each column
        axes.tick_params(labelbottom=True)
    names = (
        [f"x − b, direction of eigenvalue {value:.2g}" for value in eigenvalues[:2]]
        if flat
        else ["x₁", "x₂"]
    )
    figure.supxlabel(names[0], fontsize=8)
    figure.supylabel(names[-1], fontsize=8)
    return with_legend(figure, last=("other places", "still moving", "minimum"))


def _colours() -> Sequence[tuple[float, float, float]]:
    found: Sequence[tuple[float, float, float]]
    found = matplotlib.colormaps["tab10"].colors  # type: ignore[attr-defined]
    return found


def _points(
    axes: Axes, points: Float[np.ndarray, "points 2"], places: Int[np.ndarray, " points"]
) -> None:
    """Draw ends, coloured by their place: −1 for one that is not listed, −2 for what still moves."""
    looks: list[tuple[np.ndarray, Any, str, str]] = [
        (places == -2, "0.6", "x", "still moving"),
        (places == -1, "0.3", ".", "other places"),
        (places >= COLOURED, "0.3", ".", "other places"),
    ]
    looks += [(places == k, _colours()[k], ".", f"place {k + 1}") for k in range(COLOURED)]
    for chosen, colour, marker, label in looks:
        if chosen.any():
            axes.plot(*points[chosen].T, marker, color=colour, markersize=3, label=label, zorder=3)


def _half_side(
    b: Float[np.ndarray, " d"], plane: Float[np.ndarray, "d 2"], models: Mapping[str, Ends]
) -> float:
    """Return half the side of a square about b: it shows nine tenths of each size's ends, and its larger places.

    Not more, up to 8 units of x: a few runaways would hide all the others.
    """
    furthest = [LEAST_HALF]
    for found in models.values():
        of_ends = np.abs((np.asarray(found.points) - b) @ plane).max(axis=-1)
        furthest.append(float(np.quantile(of_ends, 0.9)))
        for place in found.places[:COLOURED]:
            if place.share >= LARGE:
                furthest.append(float(np.abs((np.asarray(place.centre) - b) @ plane).max()) + MARGIN)
    return min(max(furthest) * 1.1, 8.0)


def _seam_lines(axes: Axes, sides: Float[np.ndarray, "n 2"]) -> None:
    """Draw where the sign, the exponent or the first digit of a coordinate changes."""
    coarse = [0.0, *(sign * 10.0**e for sign in (-1, 1) for e in (0, -1))]
    fine = [float(k) for k in range(-9, 10) if abs(k) > 1]
    fine += [sign * k / 10 for sign in (-1, 1) for k in range(2, 10)]
    for values, look in ((coarse, (0.8, "0.55")), (fine, (0.3, "0.8"))):
        for value in values:
            for line, side in ((axes.axvline, sides[:, 0]), (axes.axhline, sides[:, 1])):
                if side[0] < value < side[-1]:
                    line(value, linewidth=look[0], color=look[1], zorder=1)


def first_draw(models: Sequence[ModelResult], problem: int = 0) -> dict[str, Ends]:
    """Return each size's ends in one draw of the problem, of its first replicate, smallest first."""
    chosen: dict[str, Ends] = {}
    for model in sorted(models, key=lambda m: (m.parameters, m.replicate)):
        if model.problem == problem and model.ends is not None:
            chosen.setdefault(model.size, model.ends)
    return chosen
