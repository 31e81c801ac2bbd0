"""The figure of how many samples it takes."""

from collections.abc import Sequence

import matplotlib
import matplotlib.ticker
import numpy as np
from matplotlib.figure import Figure

from hotmess_jax.llm.drawing import TITLES
from hotmess_jax.llm.planning import QUANTITIES, Cell, Plan
from hotmess_jax.presentation.plotting import COLUMN, STYLE, new_figure, point_look, with_legend


@matplotlib.rc_context(STYLE)
def plans(found: Sequence[Plan]) -> Figure:
    """Draw the half-widths of plans against what they cost, a panel a quantity, with the pilot's marked.

    Args:
        found: the plans; a line is of one number of samples, and of one plan.
    """
    figure, panels = new_figure(COLUMN, 0.8 + 1.45 * len(QUANTITIES), len(QUANTITIES), 1, sharex=True)
    known = all(plan.tokens is not None for plan in found)
    samples = sorted({cell.samples for plan in found for cell in plan.cells})

    def cost(cell: Cell) -> float:
        return cell.tokens if known and cell.tokens is not None else cell.questions * cell.samples

    for axes, name in zip(panels, QUANTITIES, strict=True):
        for j, plan in enumerate(found):
            for i, count in enumerate(samples):
                cells = [cell for cell in plan.cells if cell.samples == count]
                values = np.asarray([cell.half_width[name].value for cell in cells], float)
                axes.plot(
                    [cost(cell) for cell in cells],
                    values,
                    linestyle=("-", "--", ":", "-.")[j % 4],
                    label=f"{count} samples",
                    **point_look(i, len(samples)),
                )
            value = plan.pilot.half_width[name].value
            if np.isfinite(value):
                axes.plot(cost(plan.pilot), value, "*", color="black", markersize=7, label="pilot")
        axes.set(xscale="log", yscale="log", ylabel=f"{TITLES[name].rstrip(' ↓↑')}\n± (half-width)")
        # Half-widths rarely span a decade: round numbers, and not powers alone.
        axes.yaxis.set_major_locator(matplotlib.ticker.MaxNLocator(4, steps=[1, 2, 5, 10]))
        axes.xaxis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5)))
        for axis, text in ((axes.yaxis, "{x:g}"), (axes.xaxis, "{x:,.0f}")):
            axis.set_major_formatter(text)
            axis.set_minor_formatter(matplotlib.ticker.NullFormatter())
    panels[-1].set_xlabel("tokens" if known else "questions × samples")
    if len(found) > 1:
        styles = ("solid", "dashed", "dotted", "dash-dotted")
        title = "\n".join(
            f"{styles[j % 4]}: {plan.compared or plan.label}" for j, plan in enumerate(found)
        )
        panels[0].set_title(title, loc="left")
    return with_legend(figure)
