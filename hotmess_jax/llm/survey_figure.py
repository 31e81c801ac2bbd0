"""The figure of the survey."""

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from hotmess_jax.llm.drawing import as_numbers, ends_text
from hotmess_jax.llm.survey import Surveyed
from hotmess_jax.presentation.plotting import COLUMN, SMALL, STYLE, new_figure, point_look, with_legend
from hotmess_jax.statistics.estimate import Estimate


@matplotlib.rc_context(STYLE)
def survey(found: Surveyed) -> Figure:
    """Draw mean ranks of incoherence against those of intelligence, by category (Figs. 4b, 27).

    Args:
        found: mean ranks and their correlations.
    """
    figure, (axes,) = new_figure(COLUMN, 3.4)
    categories = sorted({row.category for row in found.entities})
    for i, category in enumerate(categories):
        rows = [row for row in found.entities if row.category == category]
        both = [row.intelligence for row in rows], [row.incoherence for row in rows]
        x, y = (as_numbers([of.mean for of in ranks]) for ranks in both)
        ex, ey = (np.nan_to_num(as_numbers([of.standard_error for of in ranks])) for ranks in both)
        look = point_look(i, len(categories))
        axes.errorbar(
            x, y, ey, ex, linestyle="none", elinewidth=0.6, label=category or "entity", **look
        )
        for row, a, b in zip(rows, x, y, strict=True):
            axes.annotate(row.entity, (a, b), textcoords="offset points", xytext=(3, 2), fontsize=SMALL)
    of_all = found.correlations["all"]
    if of_all.rho.value is not None:
        text = f"Spearman's ρ {_estimate(of_all.rho)}"
        if of_all.corrected.value is not None:
            text += f", corrected {_estimate(of_all.corrected)}"
        axes.set_title(text, loc="right", fontsize=7)
    axes.set(
        xlabel="intelligence, mean rank (share below)", ylabel="incoherence, mean rank (share below)"
    )
    return with_legend(figure)


def _estimate(of: Estimate) -> str:
    return f"{of.known:.2f}{'' if of.ci95 is None else ends_text(of.ci95)}"
