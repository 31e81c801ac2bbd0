"""The figure of groups of records."""

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from hotmess_jax.llm.drawing import PARTS, as_numbers, check_form, from_zero, title_of
from hotmess_jax.llm.measures.summary import Group, parts_in
from hotmess_jax.llm.telling import FORM_NAMES
from hotmess_jax.presentation.plotting import COLUMN, STYLE, new_figure
from hotmess_jax.statistics.estimate import Estimate, Estimates


@matplotlib.rc_context(STYLE)
def parts_by_group(groups: Sequence[Group], metric: str) -> Figure | None:
    """Draw bias², variance and, where the metric has it, incoherence of groups, with their intervals.

    Args:
        groups: those that the metric decomposes are drawn, in one form: the corrected one where all have it.
        metric: of which decomposition.

    Returns:
        None where the metric decomposes no group.
    """
    shown = [
        (group.label, means) for group in groups if (means := group.metrics.get(metric)) is not None
    ]
    if not shown:
        return None
    form = "corrected" if all(means.no_corrected is None for _, means in shown) else "plugin"
    check_form(form, metric)
    parts = [name for name in PARTS if name in parts_in(metric)]
    labels = [label for label, _ in shown]
    height = 0.4 + 0.18 * sum(1.3 + label.count("\n") for label in labels)
    figure, panels = new_figure(COLUMN, 0.3 + len(parts) * height, len(parts), 1)
    y = np.arange(len(shown))
    for axes, name in zip(panels, parts, strict=True):
        estimates: list[Estimate] = [getattr(getattr(means, form), name) for _, means in shown]
        values = Estimates.of(estimates)
        low, high = as_numbers(values.ends).reshape(-1, 2).T
        axes.hlines(y, low, high, color="0.5", linewidth=1)
        axes.plot(as_numbers(values.value), y, "o", color="black")
        axes.set_xlabel(f"{title_of(name, metric)}, {FORM_NAMES[form]}")
        from_zero(axes, "x")
        axes.set_yticks(y, labels)
        axes.set_ylim(len(shown) - 0.5, -0.5)
    return figure
