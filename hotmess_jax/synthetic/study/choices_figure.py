"""The figure of a table of sweeps: what came of each, row by row, beside the base."""

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from hotmess_jax.presentation.plotting import COLUMN, STYLE, new_figure
from hotmess_jax.synthetic.study.choices import SYMBOLS, Choices, label

WIDEST_NAME = 40  # characters of a row's name, of which it shows no more
PARTS = (("bias2", "bias²"), ("variance", "variance"), ("incoherence", "incoherence"))
VERDICT_COLOURS = {"supported": "C2", "not supported": "C3", "inconclusive": "0.6"}


@matplotlib.rc_context(STYLE)
def choices_figure(found: Choices) -> Figure:
    """Draw a row a sweep: bias², variance and incoherence of the smallest and largest size, and verdicts.

    The base's values are lines through all rows; a claim's verdict is a mark in its column.

    Args:
        found: the table; its rows stand from top to bottom.
    """
    rows = found.rows
    height = 0.9 + 0.17 * len(rows)
    figure, panels = new_figure(2 * COLUMN, height, 1, len(PARTS) + 1, sharey=True)
    places = np.arange(len(rows))
    for axes, (part, title) in zip(panels, PARTS, strict=False):
        _ends_of_each(axes, [row.final[part] for row in rows], base=not rows[0].differing)
        axes.set_title(title)
        if part == "incoherence":
            axes.set_xlim(-0.03, 1.03)
        else:
            ends = [value for row in rows for value in row.final[part] if value > 0]
            axes.set(xscale="log", xlim=_decades(ends))
            axes.xaxis.set_minor_formatter(NullFormatter())
        axes.grid(axis="y", color="0.93", linewidth=0.5)
    _verdicts(panels[-1], found)
    panels[0].set_yticks(places, [_short(label(row)) for row in rows])
    panels[0].set_ylim(len(rows) - 0.5, -0.5)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2)
    return figure


def _ends_of_each(axes: Axes, values: Sequence[tuple[float, float]], base: bool) -> None:
    """Draw the values of the smallest and the largest size, a row each; lines through them where one is the base's."""
    small, large = np.asarray(values, np.float64).T
    places = np.arange(len(values))
    axes.hlines(places, small, large, color="0.75", linewidth=0.8, zorder=1)
    axes.plot(small, places, "o", color="C0", markersize=4, mfc="white", label="smallest size")
    axes.plot(large, places, "o", color="C1", markersize=3, label="largest size")
    if base:
        axes.axvline(small[0], color="C0", linewidth=0.5, linestyle=":", zorder=0)
        axes.axvline(large[0], color="C1", linewidth=0.5, linestyle=":", zorder=0)


def _decades(values: Sequence[float]) -> tuple[float, float]:
    """Return the powers of ten around some values, so that two at least have a label."""
    if not values:
        return 0.1, 1.0
    low, high = np.floor(np.log10(min(values))), np.ceil(np.log10(max(values)))
    return float(10**low), float(10 ** max(high, low + 1))


def _verdicts(axes: Axes, found: Choices) -> None:
    for place, row in enumerate(found.rows):
        for claim, verdict in enumerate(row.verdicts):
            axes.text(claim, place, SYMBOLS[verdict], color=VERDICT_COLOURS[verdict], ha="center",
                      va="center", fontfamily="DejaVu Sans")  # fmt: skip
    count = max(len(found.claims), 1)
    axes.set_xlim(-0.5, count - 0.5)
    axes.set_xticks(range(len(found.claims)), [str(i + 1) for i in range(len(found.claims))])
    axes.set_title("claims")


def _short(name: str) -> str:
    return name if len(name) <= WIDEST_NAME else f"{name[: WIDEST_NAME - 1]}…"
