"""The figures of scaling with size, one a setting."""

from collections.abc import Mapping

import matplotlib
from matplotlib.figure import Figure

from hotmess_jax.llm.analyses.scaling import Scaling
from hotmess_jax.llm.cases import setting_file
from hotmess_jax.llm.drawing import PARTS, TITLES, as_numbers, draw_points, logarithmic
from hotmess_jax.llm.telling import FORM_NAMES
from hotmess_jax.presentation.plotting import COLUMN, STYLE, new_figure, size_axis, with_legend


def draw(name: str, results: Mapping[str, Scaling], metric: str) -> dict[str, Figure]:
    """Return the figures by file name."""
    return {setting_file(name, setting): scaling(result) for setting, result in results.items()}


@matplotlib.rc_context(STYLE)
def scaling(results: Scaling) -> Figure:
    """Draw accuracy, bias², variance and incoherence against model size by difficulty (Figs. 4a, 5).

    Args:
        results: of one setting's models; corrected values where there are some.
    """
    known = [row.corrected for row in results.groups if row.corrected is not None]
    form = "corrected" if len(known) == len(results.groups) else "plugin"
    groups = known if form == "corrected" else [row.plugin for row in results.groups]
    figure, panels = new_figure(COLUMN, 6.6, 4, 1, sharex=True)
    x = as_numbers(results.parameters)
    for i, (row, of) in enumerate(zip(results.groups, groups, strict=True)):
        name = f"difficulty {row.group + 1} of {len(groups)}" + (" (easiest)" if i == 0 else "")
        for axes, quantity in zip(panels, ("accuracy", *PARTS), strict=True):
            draw_points(axes, x, getattr(of, quantity), i, len(groups), name, line=True)
    for axes, quantity in zip(panels, ("accuracy", *PARTS), strict=True):
        axes.set_ylabel(TITLES[quantity])
        if quantity != "accuracy":
            curves = [getattr(of, quantity) for of in groups]
            ends = [end for curve in curves for end in curve.ends]
            logarithmic(axes, "y", [v for curve in curves for v in curve.value], ends)
        size_axis(axes, x)
    for axes in panels[:-1]:
        axes.set_xlabel("")
    panels[-1].set_xlabel(f"parameters ({FORM_NAMES[form]})")
    return with_legend(figure)
