"""The figures of scaling with size, one a setting."""

from collections.abc import Mapping
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from hotmess_jax.llm.cases import setting_file
from hotmess_jax.llm.drawing import (
    PARTS,
    TITLES,
    all_ends,
    as_numbers,
    draw_points,
    leading_form,
    logarithmic,
)
from hotmess_jax.llm.telling import FORM_NAMES
from hotmess_jax.presentation.plotting import COLUMN, STYLE, new_figure, size_axis, with_legend

Json = Mapping[str, Any]


def draw(name: str, results: Mapping[str, Any], metric: str) -> dict[str, Figure]:
    """Return the figures by file name."""
    return {setting_file(name, setting): scaling(result) for setting, result in results.items()}


@matplotlib.rc_context(STYLE)
def scaling(results: Json) -> Figure:
    """Draw accuracy, bias², variance and incoherence against model size by difficulty (Figs. 4a, 5).

    Args:
        results: what `analysis.scaling_by_difficulty` returns; corrected values where there are some.
    """
    form = leading_form(results["groups"])
    figure, panels = new_figure(COLUMN, 6.6, 4, 1, sharex=True)
    x = as_numbers(results["parameters"])
    groups = results["groups"]
    for i, row in enumerate(groups):
        name = f"difficulty {row['group'] + 1} of {len(groups)}" + (" (easiest)" if i == 0 else "")
        for axes, quantity in zip(panels, ("accuracy", *PARTS), strict=True):
            draw_points(axes, x, row[form][quantity], i, len(groups), name, line=True)
    for axes, quantity in zip(panels, ("accuracy", *PARTS), strict=True):
        axes.set_ylabel(TITLES[quantity])
        if quantity != "accuracy":
            curves = [row[form][quantity] for row in groups]
            logarithmic(axes, "y", [v for curve in curves for v in curve["value"]], all_ends(curves))
        size_axis(axes, x)
    for axes in panels[:-1]:
        axes.set_xlabel("")
    panels[-1].set_xlabel(f"parameters ({FORM_NAMES[form]})")
    return with_legend(figure)
