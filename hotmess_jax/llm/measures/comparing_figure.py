"""The figure of paired differences."""

from collections.abc import Mapping

import matplotlib
import matplotlib.ticker
import numpy as np
from matplotlib.figure import Figure

from hotmess_jax.llm.drawing import TITLES, UNITS, as_numbers
from hotmess_jax.llm.measures.comparing import Differences
from hotmess_jax.llm.measures.questions import QUANTITIES
from hotmess_jax.llm.telling import FORM_NAMES
from hotmess_jax.presentation.plotting import COLUMN, STYLE, new_figure, with_legend


@matplotlib.rc_context(STYLE)
def forest(results: Mapping[str, Differences], metric: str = "") -> Figure:
    """Draw paired differences with their intervals, a panel a quantity, a row a comparison.

    Args:
        results: of each comparison.
        metric: of which decomposition, for its unit.
    """
    names = [name for name in QUANTITIES if any(name in of.plugin for of in results.values())]
    labels = [label.replace(" − ", "\n− ") if len(label) > 30 else label for label in results]
    lines = sum(1.3 + label.count("\n") for label in labels)
    figure, panels = new_figure(COLUMN, 0.6 + len(names) * (0.42 + 0.15 * lines), len(names), 1)
    for axes, name in zip(panels, names, strict=True):
        axes.axvline(0, color="0.7", linewidth=0.6)
        for form, aside, look in (("plugin", -0.12, "white"), ("corrected", 0.12, "black")):
            if name == "accuracy" and form == "plugin" and any(of.corrected for of in results.values()):
                continue  # it is the same in both
            for row, of in enumerate(results.values()):
                parts = of.plugin if form == "plugin" else of.corrected
                if parts is None or parts[name].value is None:
                    continue
                low, high = (np.nan if end is None else end for end in parts[name].ci95)
                axes.hlines(row + aside, low, high, color="0.4", linewidth=0.9)
                axes.plot(as_numbers(parts[name].value), row + aside, "o", color="black",
                          markerfacecolor=look, linestyle="none", label=FORM_NAMES[form])  # fmt: skip
        axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(5))
        axes.set_yticks(range(len(labels)), labels)
        axes.set_ylim(len(labels) - 0.5, -0.5)
        unit = UNITS.get(metric, "") if name in ("error", "bias2", "variance") else ""
        axes.set_xlabel(f"difference of {TITLES[name]}{unit}")
    return with_legend(figure)
