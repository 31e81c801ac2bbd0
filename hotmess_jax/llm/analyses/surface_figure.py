"""The figures of length and size together, one a setting."""

from collections.abc import Mapping
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from hotmess_jax.llm.analyses.surface import Surface
from hotmess_jax.llm.cases import setting_file
from hotmess_jax.llm.drawing import as_numbers, logarithmic
from hotmess_jax.presentation.plotting import COLUMN, STYLE, new_figure, short


def draw(name: str, results: Mapping[str, Surface], metric: str) -> dict[str, Figure]:
    """Return the figures by file name."""
    return {
        setting_file(name, setting): surface(result)
        for setting, result in results.items()
        if result.r2 is not None
    }


@matplotlib.rc_context(STYLE)
def surface(result: Surface) -> Figure:
    """Draw the fitted plane of log incoherence over length and size as a contour (Fig. 14).

    Args:
        result: of one setting's models, with coefficients.
    """
    figure, (axes,) = new_figure(COLUMN, 2.8)
    points, c = result.points, result.coefficients
    lengths = np.concatenate([as_numbers(point.length) for point in points])
    sizes = np.asarray([point.parameters for point in points])
    values = np.concatenate([as_numbers(point.incoherence) for point in points])
    x = np.geomspace(lengths.min() / 1.1, lengths.max() * 1.1, 80)
    y = np.geomspace(sizes.min() / 1.3, sizes.max() * 1.3, 80)
    log = c.intercept.known + c.length.known * np.log(x)[None] + c.size.known * np.log(y)[:, None]
    plane = np.exp(log)
    drawn: Any = axes.contourf(x, y, plane, levels=12, cmap="viridis")
    axes.scatter(lengths, np.repeat(sizes, [len(point.length) for point in points]), c=values, s=10,
                 cmap="viridis", norm=drawn.norm, edgecolors="white", linewidths=0.4)  # fmt: skip
    axes.set(yscale="log", xlabel=f"mean {result.field.replace('_', ' ')}", ylabel="parameters")
    logarithmic(axes, "x", lengths)
    axes.set_yticks(sizes, [short(size) for size in sizes], minor=False)
    axes.set_yticks([], minor=True)
    figure.colorbar(drawn, label="incoherence")
    return figure
