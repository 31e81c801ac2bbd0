"""The figure of fewer samples."""

from collections.abc import Mapping

import matplotlib
from matplotlib.figure import Figure

from hotmess_jax.llm.analyses.efficiency import Efficiency
from hotmess_jax.llm.drawing import as_numbers, check_form, counted, from_zero, title_of
from hotmess_jax.presentation.plotting import COLUMN, STYLE, new_figure, series_look, with_legend


def draw(name: str, results: Mapping[str, Efficiency], metric: str) -> dict[str, Figure]:
    """Return the figures by file name."""
    return {name: efficiency(results, metric)}


@matplotlib.rc_context(STYLE)
def efficiency(results: Mapping[str, Efficiency], metric: str = "") -> Figure:
    """Draw mean and spread of bias² and variance at n samples a question (Fig. 21).

    Args:
        results: of each model, its result.
        metric: of which decomposition, for its unit.
    """
    check_form("plugin", metric)
    figure, panels = new_figure(COLUMN, 3.8, 2, 1, sharex=True)
    for i, (name, result) in enumerate(results.items()):
        x = as_numbers(result.samples)
        for axes, quantity in zip(panels, ("bias2", "variance"), strict=True):
            mean, spread = (
                as_numbers(getattr(result, name)) for name in (quantity, f"{quantity}_spread")
            )
            look = series_look(i, len(results), len(x))
            axes.plot(x, mean, label=name, **look)
            axes.fill_between(
                x, mean - spread, mean + spread, color=look["color"], alpha=0.2, linewidth=0
            )
            axes.set_ylabel(f"{title_of(quantity, metric)}, plug-in")
    for axes in panels:
        from_zero(axes, "y")
        counted(axes)
    panels[-1].set_xlabel("samples a question")
    return with_legend(figure)
