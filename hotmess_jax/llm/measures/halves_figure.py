"""The figure of longer against shorter samples."""

from collections.abc import Mapping

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from hotmess_jax.llm.drawing import TITLES, as_numbers, ends_of, from_zero, leading_form
from hotmess_jax.llm.measures.halves import TESTED, Halves
from hotmess_jax.llm.telling import FORM_NAMES
from hotmess_jax.presentation.plotting import COLUMN, SMALL, STYLE, new_figure, with_legend
from hotmess_jax.statistics.estimate import Estimate

HALVES = ("short", "long")


@matplotlib.rc_context(STYLE)
def overthinking(results: Mapping[str, Halves]) -> Figure:
    """Draw incoherence and accuracy of shorter and longer samples (Figs. 3, 17).

    Args:
        results: of each model (or model and budget), what `natural_overthinking` returns.
    """
    form = leading_form(results.values())
    figure, panels = new_figure(COLUMN, 1.0 + 2 * (0.35 + 0.35 * len(results)), 2, 1)
    y = np.arange(len(results), dtype=float)
    for axes, quantity in zip(panels, TESTED, strict=True):
        # In grey and black, and signs of their own: colours are models'.
        for place, (half, marker, color) in enumerate(zip(HALVES, "|x", ("0.5", "black"), strict=True)):
            halves = [getattr(getattr(result, form), half) for result in results.values()]
            values: list[Estimate] = [getattr(of, quantity) for of in halves]
            at = y + 0.12 * (2 * place - 1)
            for where, value in zip(at, values, strict=True):
                axes.hlines(where, *ends_of(value), color=color, linewidth=1)
            numbers = as_numbers([value.value for value in values])
            axes.plot(numbers, at, marker, color=color, markersize=5, label=f"{half}er half")
        for where, result in zip(y, results.values(), strict=True):
            p = getattr(result.test, quantity).p
            text = "" if p is None else f"p = {p:.2g}"
            inside = axes.get_yaxis_transform()
            axes.text(1.0, where, text, fontsize=SMALL, transform=inside, ha="right", va="center")
        axes.set_xlabel(
            TITLES[quantity] + (f", {FORM_NAMES[form]}" if quantity == "incoherence" else "")
        )
        from_zero(axes, "x")
        low, high = axes.get_xlim()
        axes.set_xlim(low, high + 0.25 * (high - low))  # room for p
        axes.set_yticks(y, list(results))
        axes.set_ylim(len(results) - 0.5, -0.5)
    return with_legend(figure)
