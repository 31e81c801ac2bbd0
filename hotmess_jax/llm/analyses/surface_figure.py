"""The figures of length and size together, one a setting."""

from collections.abc import Mapping
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from hotmess_jax.llm.cases import setting_file
from hotmess_jax.llm.drawing import as_numbers, logarithmic
from hotmess_jax.presentation.plotting import COLUMN, STYLE, new_figure, short

Json = Mapping[str, Any]


def draw(name: str, results: Mapping[str, Any], metric: str) -> dict[str, Figure]:
    """Return the figures by file name."""
    return {
        setting_file(name, setting): surface(result)
        for setting, result in results.items()
        if result["r2"] is not None
    }


@matplotlib.rc_context(STYLE)
def surface(results: Json) -> Figure:
    """Draw the fitted plane of log incoherence over length and size as a contour (Fig. 14).

    Args:
        results: what `analysis.incoherence_surface` returns, with coefficients.
    """
    figure, (axes,) = new_figure(COLUMN, 2.8)
    points = results["points"]
    lengths = np.concatenate([as_numbers(point["length"]) for point in points])
    sizes = np.asarray([point["parameters"] for point in points])
    values = np.concatenate([as_numbers(point["incoherence"]) for point in points])
    c = {name: part["value"] for name, part in results["coefficients"].items()}
    x = np.geomspace(lengths.min() / 1.1, lengths.max() * 1.1, 80)
    y = np.geomspace(sizes.min() / 1.3, sizes.max() * 1.3, 80)
    plane = np.exp(c["intercept"] + c["length"] * np.log(x)[None] + c["size"] * np.log(y)[:, None])
    drawn: Any = axes.contourf(x, y, plane, levels=12, cmap="viridis")
    axes.scatter(lengths, np.repeat(sizes, [len(point["length"]) for point in points]), c=values, s=10,
                 cmap="viridis", norm=drawn.norm, edgecolors="white", linewidths=0.4)  # fmt: skip
    axes.set(yscale="log", xlabel=f"mean {results['field'].replace('_', ' ')}", ylabel="parameters")
    logarithmic(axes, "x", lengths)
    axes.set_yticks(sizes, [short(size) for size in sizes], minor=False)
    axes.set_yticks([], minor=True)
    figure.colorbar(drawn, label="incoherence")
    return figure
