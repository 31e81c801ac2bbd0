"""Figures of groups of records."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from hotmess_jax.llm.drawing import as_numbers, check_form, from_zero, title_of
from hotmess_jax.llm.telling import FORM_NAMES
from hotmess_jax.presentation.plotting import COLUMN, STYLE, new_figure

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
