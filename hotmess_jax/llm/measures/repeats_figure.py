"""The figure of what k samples do."""

from collections.abc import Mapping, Sequence

import matplotlib
import matplotlib.ticker
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hotmess_jax.llm.drawing import as_numbers
from hotmess_jax.llm.measures.repeats import Repeats
from hotmess_jax.presentation.plotting import COLUMN, STYLE, new_figure, series_look, with_legend
from hotmess_jax.statistics.estimate import Estimate, Estimates

CURVES = {"pass_at_k": "pass@k", "pass_hat_k": "pass^k", "majority": "majority of k"}
OVERLAID = 3  # groups that one panel holds
LINES = {"pass_at_k": "-", "pass_hat_k": "--", "majority": "-"}


@matplotlib.rc_context(STYLE)
def repeats(results: Mapping[str, Repeats]) -> Figure:
    """Draw pass@k and pass^k against k, and majority votes where there are any, with their intervals.

    Of more than three groups each has a panel: their intervals would cover one another.

    Args:
        results: of each group.
    """
    if len(results) > OVERLAID:
        return _repeats_apart(results)
    votes = any(of.majority for of in results.values())
    panels = [("pass_at_k", "pass_hat_k"), *([("majority",)] if votes else [])]
    # Long names stand below one another.
    columns = 1 if max(map(len, results)) > 20 else min(len(results), 3)
    legend = 0.14 * -(-len(results) // columns)
    figure, axes_of = new_figure(COLUMN, 0.5 + legend + 2.0 * len(panels), len(panels), 1, sharex=True)
    for axes, names in zip(axes_of, panels, strict=True):
        for i, (label, of) in enumerate(results.items()):
            for name in names:
                _curve(axes, getattr(of, name), i, len(results), label, LINES[name])
        axes.set_ylim(-0.02, 1.02)
        axes.set_ylabel("share right")
        axes.set_title(
            ", ".join(
                CURVES[name] + {"-": " (solid)", "--": " (dashed)"}[LINES[name]]
                if len(names) > 1
                else CURVES[name]
                for name in names
            ),
            loc="left",
        )
        axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(integer=True))
    axes_of[-1].set_xlabel("k samples")
    return with_legend(figure, columns)


def _repeats_apart(results: Mapping[str, Repeats]) -> Figure:
    """Draw the same, a panel a group."""
    figure, panels = new_figure(
        COLUMN, 0.7 + 1.25 * len(results), len(results), 1, sharex=True, sharey=True
    )
    for axes, (label, of) in zip(panels, results.items(), strict=True):
        for i, name in enumerate(CURVES):
            _curve(axes, getattr(of, name), i, len(CURVES), CURVES[name], "-")
        axes.set_ylim(-0.02, 1.02)
        axes.set_ylabel("share right")
        axes.set_title(label.replace("\n", ", "), loc="left")
        axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(integer=True))
    panels[-1].set_xlabel("k samples")
    return with_legend(figure)


def _curve(axes: Axes, by_k: Sequence[Estimate], i: int, count: int, label: str, line: str) -> None:
    if not by_k:
        return
    k = np.arange(1, len(by_k) + 1)
    look = series_look(i, count, len(k))
    of = Estimates.of(by_k)
    low, high = np.asarray(of.ends, float).reshape(-1, 2).T
    axes.fill_between(k, low, high, color=look["color"], alpha=0.15, linewidth=0)
    # One label a group: that of its solid line.
    if line == "-":
        look["label"] = label.replace("\n", ", ")
    axes.plot(k, as_numbers(of.value), linestyle=line, **look)
