"""The figure of reasoning budgets."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from hotmess_jax.llm.drawing import TITLES, as_numbers, draw_points, known_form, logarithmic
from hotmess_jax.llm.measures.budgets import not_kept
from hotmess_jax.llm.telling import FORM_NAMES
from hotmess_jax.presentation.plotting import COLUMN, SMALL, STYLE, new_figure, series_look, with_legend

Json = Mapping[str, Any]


def draw(name: str, results: Mapping[str, Any], metric: str) -> dict[str, Figure]:
    """Return the figures by file name."""
    return {name: budgets(results)}


@matplotlib.rc_context(STYLE)
def budgets(results: Mapping[str, Sequence[Json]]) -> Figure:
    """Draw accuracy and incoherence by reasoning budget, beside natural variation (Figs. 7a, 17).

    Args:
        results: of each model, what `analysis.by_budget` returns.
    """
    form = known_form(row for rows in results.values() for row in rows if "missing" not in row)
    figure, panels = new_figure(COLUMN, 4.4, 2, 1)
    for i, (name, every) in enumerate(results.items()):
        rows = [row for row in every if "missing" not in row]
        x = as_numbers([row["mean_length"] for row in rows])
        color = series_look(i, len(results))["color"]
        for axes, quantity in zip(panels, ("accuracy", "incoherence"), strict=True):
            values = {
                "value": [row[form][quantity]["value"] for row in rows],
                "ci95": [row[form][quantity]["ci95"] for row in rows],
            }
            draw_points(axes, x, values, i, len(results), name, line=True)
            for row in rows:
                where = row["mean_length"], row[form][quantity]["value"]
                if None not in where:
                    text = "no budget" if row["budget"] is None else str(row["budget"])
                    if said := not_kept(row):  # asked for, and not kept
                        text += f" ({said})"
                    axes.annotate(
                        text, where, textcoords="offset points", xytext=(2, 4), fontsize=SMALL
                    )
                if row["natural"] and row["natural"][form]:
                    ends = [row["natural"][form][half] for half in ("short", "long")]
                    axes.plot(as_numbers([e["along"]["value"] for e in ends]),
                              as_numbers([e[quantity]["value"] for e in ends]),
                              color=color, linestyle=":", marker=".")  # fmt: skip
            axes.set_ylabel(
                TITLES[quantity] + (f", {FORM_NAMES[form]}" if quantity == "incoherence" else "")
            )
    lengths = [row["mean_length"] for rows in results.values() for row in rows]
    for axes in panels:
        logarithmic(axes, "x", lengths)
    figure.supxlabel(
        "mean length, as measured (dotted: each budget's shorter\nand longer samples, half as many each)",
        fontsize=8,
    )
    return with_legend(figure)
