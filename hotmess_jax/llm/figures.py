"""The figure of the survey."""

from collections.abc import Mapping
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from hotmess_jax.llm.drawing import as_numbers, ends_text
from hotmess_jax.presentation.plotting import COLUMN, SMALL, STYLE, new_figure, point_look, with_legend

Json = Mapping[str, Any]


@matplotlib.rc_context(STYLE)
def survey(found: Json) -> Figure:
    """Draw mean ranks of incoherence against those of intelligence, by category (Figs. 4b, 27).

    Args:
        found: what `survey.analyse` returns.
    """
    figure, (axes,) = new_figure(COLUMN, 3.4)
    categories = sorted({row["category"] for row in found["entities"]})
    for i, category in enumerate(categories):
        rows = [row for row in found["entities"] if row["category"] == category]
        x, y = (
            as_numbers([row[name]["mean"] for row in rows]) for name in ("intelligence", "incoherence")
        )
        ex, ey = (
            np.nan_to_num(as_numbers([row[name]["standard_error"] for row in rows]))
            for name in ("intelligence", "incoherence")
        )
        look = point_look(i, len(categories))
        axes.errorbar(
            x, y, ey, ex, linestyle="none", elinewidth=0.6, label=category or "entity", **look
        )
        for row, a, b in zip(rows, x, y, strict=True):
            axes.annotate(
                row["entity"], (a, b), textcoords="offset points", xytext=(3, 2), fontsize=SMALL
            )
    rho = found["correlations"]["all"]["rho"]
    if rho["value"] is not None:
        corrected = found["correlations"]["all"]["corrected"]
        text = f"Spearman's ρ {rho['value']:.2f}{ends_text(rho['ci95'])}"
        if corrected["value"] is not None:
            text += f", corrected {corrected['value']:.2f}{ends_text(corrected['ci95'])}"
        axes.set_title(text, loc="right", fontsize=7)
    axes.set(
        xlabel="intelligence, mean rank (share below)", ylabel="incoherence, mean rank (share below)"
    )
    return with_legend(figure)
