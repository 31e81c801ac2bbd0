"""The figure of what was decided on the way."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import matplotlib.ticker
from matplotlib.figure import Figure

from hotmess_jax.llm.drawing import (
    as_numbers,
    check_form,
    ends_of,
)
from hotmess_jax.presentation.plotting import (
    COLUMN,
    STYLE,
    new_figure,
    series_look,
    with_legend,
)

Json = Mapping[str, Any]


def draw(name: str, results: Mapping[str, Any], metric: str) -> dict[str, Figure]:
    """Return the figures by file name."""
    return {name: sensitivity(results)}


@matplotlib.rc_context(STYLE)
def sensitivity(results: Mapping[str, Sequence[Json]], form: str = "corrected") -> Figure:
    """Draw how incoherence moves with what was decided on the way.

    Args:
        results: of each model, what `analysis.sensitivity` returns.
        form: plugin or corrected.
    """
    check_form(form)
    cases = list(
        dict.fromkeys((row["what"], row["value"]) for rows in results.values() for row in rows)
    )
    figure, (axes,) = new_figure(COLUMN, 0.8 + 0.17 * len(cases))
    for i, (name, rows) in enumerate(results.items()):
        known = {(row["what"], row["value"]): row for row in rows if form in row}
        look = {k: v for k, v in series_look(i, len(results)).items() if k != "markevery"}
        for j, case in enumerate(cases):
            if case in known:
                value = known[case][form]["incoherence"]
                at = j + 0.15 * (i - (len(results) - 1) / 2)
                axes.hlines(at, *ends_of(value), color=look["color"], linewidth=0.8)
                axes.plot(as_numbers(value["value"]), at, linestyle="none", label=name, **look)
    axes.set_yticks(range(len(cases)), [" ".join(filter(None, case)) for case in cases])
    axes.set_ylim(len(cases) - 0.5, -0.5)
    axes.set_xlabel(f"incoherence, {'corrected' if form == 'corrected' else 'plug-in'}")
    return with_legend(figure)
