"""Figures of groups of records, and of the survey."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from hotmess_jax.llm.drawing import as_numbers, check_form, ends_text, from_zero, title_of
from hotmess_jax.llm.telling import FORM_NAMES
from hotmess_jax.presentation.plotting import COLUMN, SMALL, STYLE, new_figure, point_look, with_legend

Json = Mapping[str, Any]


@matplotlib.rc_context(STYLE)
def parts_by_group(
    groups: Sequence[str],
    values: Mapping[str, Sequence[float | None]],
    ci95: Mapping[str, Sequence[Sequence[float | None]]],
    form: str = "plugin",
    metric: str = "",
) -> Figure:
    """Draw bias², variance and, where it is given, incoherence of groups, with their intervals.

    Args:
        groups: their names.
        values: of each part, one a group; None where it is not known.
        ci95: likewise, the two ends.
        form: plugin or corrected.
        metric: of which decomposition, for its unit.
    """
    check_form(form, metric)
    height = 0.4 + 0.18 * sum(1.3 + name.count("\n") for name in groups)
    figure, panels = new_figure(COLUMN, 0.3 + len(values) * height, len(values), 1)
    y = np.arange(len(groups))
    for axes, (name, numbers) in zip(panels, values.items(), strict=True):
        low, high = np.asarray(ci95[name], np.float64).reshape(-1, 2).T
        axes.hlines(y, low, high, color="0.5", linewidth=1)
        axes.plot(as_numbers(numbers), y, "o", color="black")
        axes.set_xlabel(f"{title_of(name, metric)}, {FORM_NAMES[form]}")
        from_zero(axes, "x")
        axes.set_yticks(y, groups)
        axes.set_ylim(len(groups) - 0.5, -0.5)
    return figure


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
