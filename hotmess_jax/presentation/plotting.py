"""How figures look, in both halves of the project, and how they are saved."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hotmess_jax.machine.files import written_whole

Keywords = dict[str, Any]
STYLE: Any = {
    "font.size": 7,
    "axes.labelsize": 8,
    "axes.titlesize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.0,
    "lines.markersize": 3.0,
    "legend.frameon": False,
    "legend.handlelength": 2.3,
    "legend.handletextpad": 0.5,
    "legend.columnspacing": 1.0,
    "pdf.fonttype": 42,
}
COLUMN = 3.4  # inches
SMALL = 6.5  # points: not below 6 where a column is 8 cm wide
MARKERS = "os^DvP<>"
# The part of a colour map whose contrast with white is 3:1 or more (plasma's ends at 0.64).
COLOURS, LIGHTEST = "plasma", 0.62
UNITS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"), (1, ""))
NAMES = {"bias2": "bias²", "variance": "variance"}


@matplotlib.rc_context(STYLE)
def save(figure: Figure, path: Path) -> None:
    """Write `path`.png and `path`.pdf, both or neither; the same figure gives the same bytes."""
    png, pdf = (path.with_name(f"{path.name}.{kind}") for kind in ("png", "pdf"))
    # Laid out once for both: that takes half of the time of drawing.
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    with written_whole(png) as png_aside, written_whole(pdf) as pdf_aside:
        figure.savefig(png_aside, dpi=300, metadata={"Software": None})
        figure.savefig(pdf_aside, metadata={"CreationDate": None})


def new_figure(
    width: float, height: float, rows: int = 1, columns: int = 1, **shared: Any
) -> tuple[Figure, list[Axes]]:
    """Return a figure and its panels, row by row."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **shared).ravel().tolist()


def with_legend(figure: Figure, columns: int | None = None, last: tuple[str, ...] = ()) -> Figure:
    """Put one legend above the panels, each label once, those of `last` at its end."""
    drawn: Keywords = {}
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            drawn.setdefault(label, handle)
    drawn = dict(sorted(drawn.items(), key=lambda item: item[0] in last))
    columns = columns or (len(drawn) if len(drawn) <= 4 else min(-(-len(drawn) // 2), 4))
    figure.legend(drawn.values(), drawn.keys(), loc="outside upper center", ncols=columns)
    return figure


def signed(figure: Figure, name: str) -> Figure:
    """Say along a figure's right edge what it is of; its panels leave the room."""
    engine = figure.get_layout_engine()
    assert engine is not None
    engine.set(rect=(0, 0, 1 - 9 / 72 / figure.get_figwidth(), 1))  # type: ignore[call-arg]
    figure.text(0.995, 0.5, name, rotation=90, ha="right", va="center", fontsize=6, color="0.4")
    return figure


def series_look(i: int, count: int, points: int = 1) -> Keywords:
    """Return colour and marker of the i-th of several; luminance rises, so in grey too."""
    stride = max(1, points // 8)
    return {
        "color": matplotlib.colormaps[COLOURS](LIGHTEST * i / max(count - 1, 1)),
        "marker": MARKERS[i % len(MARKERS)],
        "markevery": (stride * i // count, stride),
    }


def point_look(i: int, count: int) -> Keywords:
    """Return the same of points that are all marked."""
    look = series_look(i, count)
    del look["markevery"]
    return look


def size_axis(axes: Axes, parameters: np.ndarray, names: Sequence[str] | None = None) -> None:
    """Make x logarithmic, with a tick for each size and labels where there is room.

    Args:
        axes: where.
        parameters: of each size; equal ones have one tick.
        names: of the sizes, as legends show them; None labels with the number of parameters.
    """
    margin = max(parameters.max() / parameters.min(), 2) ** 0.1
    limits = parameters.min() / margin, parameters.max() * margin
    label = "parameters" if names is None else "size, at its number of parameters"
    axes.set(xscale="log", xlabel=label, xlim=limits)
    room = (limits[1] / limits[0]) ** 0.11
    ticks, places = np.unique(parameters, return_index=True)
    labels, labelled = [], 0.0
    for tick, place in zip(ticks, places, strict=True):
        fits = tick > labelled * room
        text = short(tick) if names is None else names[place]
        labels.append(text if fits else "")
        labelled = tick if fits else labelled
    axes.set_xticks(ticks, labels)
    axes.set_xticks([], minor=True)


def short(count: float) -> str:
    """Return a count with a unit, in two digits."""
    count = float(f"{count:.2g}")
    unit, letter = next(u for u in UNITS if count >= u[0] or u[0] == 1)
    return f"{count / unit:g}{letter}"


def unit_y(axes: Axes) -> None:
    """Make y the unit interval, without cutting the lines along its ends in half."""
    axes.set_ylim(0, 1)
    for line in axes.lines:
        line.set_clip_on(False)
