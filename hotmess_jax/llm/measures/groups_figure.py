"""Figures of questions sorted by a field, and of topics."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import matplotlib.ticker
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hotmess_jax.llm.drawing import (
    PARTS,
    UNITS,
    all_ends,
    as_numbers,
    check_form,
    draw_points,
    ends_of,
    ends_text,
    fields_of,
    from_zero,
    known_form,
    leading_form,
    logarithmic,
    room_above,
    title_of,
)
from hotmess_jax.llm.telling import FORM_NAMES
from hotmess_jax.presentation.plotting import (
    COLUMN,
    SMALL,
    STYLE,
    new_figure,
    point_look,
    series_look,
    with_legend,
)

Json = Mapping[str, Any]


@matplotlib.rc_context(STYLE)
def by_field(results: Mapping[str, Json], metric: str = "") -> Figure:
    """Draw error's parts, incoherence and accuracy against a field (Figs. 2, 8, 10, 18, 23, 25).

    Slopes in double logarithm stand in the panels that are drawn so.

    Args:
        results: of each model, what `analysis.by_field` returns; corrected values where there are some.
        metric: of which decomposition, for its unit.
    """
    check_form("plugin", metric)
    form = leading_form(results.values())
    shown = [
        quantity
        for quantity in ("error", *PARTS, "accuracy")
        if any(v is not None for r in results.values() for v in r[form]["curves"][quantity]["value"])
    ]
    # Of open answers the variance alone is known.
    rows = max(1, len(shown))
    figure, panels = new_figure(COLUMN, 0.9 + 1.4 * rows, rows, 1, sharex=True)
    for i, (name, result) in enumerate(results.items()):
        curves = result[form]["curves"]
        x = as_numbers(curves["along"]["value"])
        for axes, quantity in zip(panels, shown, strict=False):
            if all(v is None for v in curves[quantity]["value"]):
                continue
            draw_points(axes, x, curves[quantity], i, len(results), name, line=True)
    for axes, quantity in zip(panels, shown, strict=False):
        axes.set_ylabel(title_of(quantity, metric))
        logarithmic(
            axes, "x", [v for r in results.values() for v in r[form]["curves"]["along"]["value"]]
        )
        if quantity == "accuracy":
            axes.set_ylim(0, 1)
            continue
        curves = [r[form]["curves"][quantity] for r in results.values()]
        logarithmic(axes, "y", [v for curve in curves for v in curve["value"]], all_ends(curves))
        if axes.get_xscale() == axes.get_yscale() == "log":
            _slopes(
                axes,
                {
                    name: r[form]["slopes"][str(r["groups"])].get(quantity)
                    for name, r in results.items()
                },
            )
    figure.supxlabel(
        f"mean {fields_of(results)} a sample, by question ({FORM_NAMES[form]})", fontsize=8
    )
    return with_legend(figure)


def _slopes(axes: Axes, slopes: Mapping[str, Json | None]) -> None:
    """Write each model's slope into a panel's upper left corner, and leave room for them."""
    for i, slope in enumerate(slopes.values()):
        if slope is not None and slope["value"] is not None:
            axes.text(
                0.02,
                0.98 - 0.11 * i,
                f"slope {slope['value']:.2g}{ends_text(slope['ci95'])}",
                transform=axes.transAxes,
                va="top",
                fontsize=SMALL,
                color=series_look(i, len(slopes))["color"],
            )
    room_above(axes, 0.02 + 0.11 * len(slopes))


@matplotlib.rc_context(STYLE)
def bias2_against_variance(results: Mapping[str, Json]) -> Figure:
    """Draw bias² against variance of the groups of questions, with lines of equal incoherence.

    Args:
        results: of each model, what `analysis.by_field` returns; corrected values where there are some.

    Source: Hägele et al. 2026, Figure 13.
    """
    form = leading_form(results.values())
    figure, (axes,) = new_figure(COLUMN, 3.2)
    everything = []
    for i, (name, result) in enumerate(results.items()):
        curves = result[form]["curves"]
        bias2, variance = (as_numbers(curves[part]["value"]) for part in ("bias2", "variance"))
        everything += [bias2, variance]
        look = point_look(i, len(results))
        axes.plot(variance, bias2, linestyle="none", label=name, **look)
    known = np.concatenate(everything)
    low = 1.1 * np.min(known, initial=0.0, where=np.isfinite(known))
    high = 1.1 * np.max(known, initial=0.0, where=np.isfinite(known)) or 1.0
    for level in (0.1, 0.25, 0.5, 0.75, 0.9):
        end = min(high, high * level / (1 - level))
        axes.plot([0, end], [0, end * (1 - level) / level], color="0.8", linewidth=0.6, zorder=0)
        axes.text(
            end, end * (1 - level) / level, f"{level:g}", fontsize=SMALL, color="0.45", ha="right"
        )
    unit = UNITS.get(next(iter(results.values()))["metric"], "")
    axes.set(
        xlabel=f"variance ↓{unit}, {FORM_NAMES[form]}", ylabel=f"bias² ↓{unit}, {FORM_NAMES[form]}"
    )
    axes.set(xlim=(low, high), ylim=(low, high))
    axes.text(
        0.98,
        0.02,
        "grey: equal incoherence",
        transform=axes.transAxes,
        fontsize=SMALL,
        color="0.45",
        ha="right",
    )
    return with_legend(figure)


@matplotlib.rc_context(STYLE)
def topics(results: Mapping[str, Sequence[Json]]) -> Figure:
    """Draw the mean length and incoherence of each topic, or of each difficulty (Fig. 22).

    Args:
        results: of each model, what `analysis.by_label` returns; labels are shown in the order of the
            first model that has them.
    """
    form = known_form(row for rows in results.values() for row in rows)
    label = (
        "difficulty"
        if any("difficulty" in row for rows in results.values() for row in rows)
        else "topic"
    )
    names = list(dict.fromkeys(row[label] for rows in results.values() for row in rows))
    figure, panels = new_figure(COLUMN, 0.9 + 0.17 * len(names), 1, 2, sharey=True)
    for i, (model, rows) in enumerate(results.items()):
        y = np.asarray([names.index(row[label]) for row in rows]) + 0.15 * (i - (len(results) - 1) / 2)
        look = point_look(i, len(results))
        for axes, quantity in zip(panels, ("along", "incoherence"), strict=True):
            shown = [row["along"] if quantity == "along" else row[form][quantity] for row in rows]
            for where, value in zip(y, shown, strict=True):
                axes.hlines(where, *ends_of(value), color=look["color"], linewidth=0.8)
            values = as_numbers([value["value"] for value in shown])
            axes.plot(values, y, linestyle="none", label=model, **look)
    lengths = dict.fromkeys(
        row["length"].replace("_", " ") for rows in results.values() for row in rows
    )
    names_of = f"mean {' or '.join(lengths)}", f"incoherence, {FORM_NAMES[form]}"
    for axes, text in zip(panels, names_of, strict=True):
        axes.set_xlabel(text)
        axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(3))
        from_zero(axes, "x")
    panels[0].set_yticks(range(len(names)), [name.split(" (")[0] for name in names])
    panels[0].set_ylim(len(names) - 0.5, -0.5)
    return with_legend(figure)
