"""The figure of reasoning budgets."""

from collections.abc import Mapping, Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.typing import ColorType

from hotmess_jax.llm.analyses.by_budget import Budget, MissingBudget
from hotmess_jax.llm.drawing import TITLES, as_numbers, draw_points, known_form, logarithmic
from hotmess_jax.llm.measures.budgets import not_kept
from hotmess_jax.llm.measures.halves import HalvesForm
from hotmess_jax.llm.telling import FORM_NAMES
from hotmess_jax.presentation.plotting import COLUMN, SMALL, STYLE, new_figure, series_look, with_legend
from hotmess_jax.statistics.estimate import Estimate, Estimates


def draw(
    name: str, results: Mapping[str, Sequence[Budget | MissingBudget]], metric: str
) -> dict[str, Figure]:
    """Return the figures by file name."""
    return {name: budgets(results)}


@matplotlib.rc_context(STYLE)
def budgets(results: Mapping[str, Sequence[Budget | MissingBudget]]) -> Figure:
    """Draw accuracy and incoherence by reasoning budget, beside natural variation (Figs. 7a, 17).

    Args:
        results: of each model, what `by_budget` returns.
    """
    measured = {
        name: [row for row in rows if isinstance(row, Budget)] for name, rows in results.items()
    }
    form = known_form(row for rows in measured.values() for row in rows)
    figure, panels = new_figure(COLUMN, 4.4, 2, 1)
    for i, (name, rows) in enumerate(measured.items()):
        x = as_numbers([row.mean_length for row in rows])
        color = series_look(i, len(results))["color"]
        for axes, quantity in zip(panels, ("accuracy", "incoherence"), strict=True):
            values: list[Estimate] = [getattr(getattr(row, form), quantity) for row in rows]
            draw_points(axes, x, Estimates.of(values), i, len(results), name, line=True)
            for row, value in zip(rows, values, strict=True):
                _annotate(axes, row, value.value)
                _draw_natural(axes, row, form, quantity, color)
            axes.set_ylabel(
                TITLES[quantity] + (f", {FORM_NAMES[form]}" if quantity == "incoherence" else "")
            )
    lengths = [row.mean_length for rows in results.values() for row in rows]
    for axes in panels:
        logarithmic(axes, "x", lengths)
    figure.supxlabel(
        "mean length, as measured (dotted: each budget's shorter\nand longer samples, half as many each)",
        fontsize=8,
    )
    return with_legend(figure)


def _annotate(axes: Axes, row: Budget, value: float | None) -> None:
    """Write what was asked for beside a budget's point, and how it was not kept."""
    if row.mean_length is None or value is None:
        return
    text = "no budget" if row.budget is None else row.budget
    if said := not_kept(row.over_budget, row.unreasoned):
        text += f" ({said})"
    where = row.mean_length, value
    axes.annotate(text, where, textcoords="offset points", xytext=(2, 4), fontsize=SMALL)


def _draw_natural(axes: Axes, row: Budget, form: str, quantity: str, color: ColorType) -> None:
    """Draw a budget's shorter and longer samples, where it has them."""
    natural: HalvesForm | None = getattr(row.natural, form, None)
    if natural is not None:
        ends = natural.short, natural.long
        x = as_numbers([half.along.value for half in ends])
        y = as_numbers([getattr(half, quantity).value for half in ends])
        axes.plot(x, y, color=color, linestyle=":", marker=".")
