"""What the figures of results share: looks, titles, axes that hold all that is drawn."""

from collections.abc import Iterable, Sequence
from typing import Any, get_args

import matplotlib
import matplotlib.ticker
import numpy as np
from matplotlib.axes import Axes

from hotmess_jax.llm.measures.decomposing import METRICS
from hotmess_jax.llm.measures.subsets import Measure
from hotmess_jax.llm.telling import FORM_NAMES, InForms
from hotmess_jax.presentation.plotting import NAMES, point_look
from hotmess_jax.statistics.estimate import Estimate, Estimates
from kernels.names import check_name

DECADES = 1e4  # the widest logarithmic axis
PARTS = ("bias2", "variance", "incoherence")
# Arrows: which direction is better; of incoherence neither is.
TITLES = {
    **{name: f"{label} ↓" for name, label in NAMES.items()},
    "error": "error ↓",
    "incoherence": "incoherence",
    "accuracy": "accuracy ↑",
}
UNITS = {"kl": " (nats)"}  # of an error and its parts; of the other metrics they are pure numbers


def check_form(form: str, metric: str = "") -> None:
    """Check the names of a form and of a metric, where one is given."""
    check_name("form", form, FORM_NAMES)
    if metric:
        check_name("metric", metric, (*METRICS, *get_args(Measure)))


def known_form(rows: Iterable[InForms]) -> str:
    """Return the corrected form where any row's incoherence is known in it, else the plug-in one."""
    known = any(row.corrected.incoherence.value is not None for row in rows)
    return "corrected" if known else "plugin"


def leading_form(results: Iterable[InForms]) -> str:
    """Return the corrected form where all results have it, else the plug-in one."""
    return "corrected" if all(result.corrected is not None for result in results) else "plugin"


def title_of(quantity: str, metric: str) -> str:
    """Return how an axis names a quantity, with its unit."""
    return TITLES[quantity] + (UNITS.get(metric, "") if quantity in ("error", *NAMES) else "")


def draw_points(
    axes: Axes,
    x: np.ndarray,
    values: Estimates,
    i: int,
    count: int,
    name: str,
    line: bool = False,
) -> None:
    """Draw values with their intervals."""
    look = point_look(i, count)
    y = as_numbers(values.value)
    ends = as_numbers(values.ends).reshape(-1, 2)
    axes.vlines(x, *ends.T, color=look["color"], linewidth=0.8)
    axes.plot(x, y, linestyle="-" if line else "none", linewidth=0.7, label=name, **look)


def as_numbers(values: Any) -> np.ndarray:
    """Return JSON values as numbers, None as NaN."""
    return np.asarray(values, dtype=np.float64)


def ends_of(value: Estimate) -> tuple[float, float]:
    """Return the ends of an interval: the value where there is none, NaN where that is not known."""
    middle = np.nan if value.value is None else value.value
    low, high = value.ci95 or (None, None)
    return (middle if low is None else low, middle if high is None else high)


def ends_text(ci95: Iterable[float | None]) -> str:
    """Return an interval as text beside its value; nothing where an end is open."""
    low, high = ci95
    return "" if low is None or high is None else f" [{low:.2g}, {high:.2g}]"


def all_ends(curves: Sequence[Estimates]) -> list[float | None]:
    """Return the ends of all intervals."""
    return [end for curve in curves for end in curve.ends]


def from_zero(axes: Axes, which: str) -> None:
    """Begin a linear axis at 0, or below it where something is; call once everything is drawn."""
    low, high = axes.dataLim.intervaly if which == "y" else axes.dataLim.intervalx
    if not np.isfinite([low, high]).all():
        low, high = 0.0, 1.0
    margin = 0.05 * (max(high, 0.0) - min(low, 0.0)) or 1.0
    ends = min(low - margin, 0.0) if low < 0 else -0.3 * margin, max(high, 0.0) + margin
    (axes.set_ylim if which == "y" else axes.set_xlim)(*ends)


def counted(axes: Axes) -> None:
    """Tick an axis of counts at whole numbers."""
    axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(integer=True, min_n_ticks=1))


def room_above(axes: Axes, share: float) -> None:
    """Leave a share of the height free for text."""
    low, high = axes.get_ylim()
    if axes.get_yscale() == "log":
        axes.set_ylim(low, high * (high / low) ** (share / (1 - share)))
    else:
        axes.set_ylim(low, high + (high - low) * share / (1 - share))


def logarithmic(axes: Axes, which: str, values: Any, bounds: Sequence[float | None] = ()) -> None:
    """Make an axis logarithmic where all that is drawn is above 0, with ticks that can be read."""
    shown, ends = as_numbers(values), as_numbers(bounds)
    shown, ends = shown[np.isfinite(shown)], ends[np.isfinite(ends)]
    everything = np.concatenate([shown, ends])
    # A KL bias² falls off a cliff where all majorities are right: no scale holds both sides of it.
    if not shown.size or (everything <= 0).any() or everything.max() / everything.min() > DECADES:
        if which == "y":
            from_zero(axes, "y")
        return
    axis = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    if shown.max() / shown.min() < 30:
        axis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(matplotlib.ticker.NullFormatter())
