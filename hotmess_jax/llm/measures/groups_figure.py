"""Figures of questions sorted by a field, and of topics."""

from collections.abc import Mapping, Sequence

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
    from_zero,
    known_form,
    leading_form,
    logarithmic,
    room_above,
    title_of,
)
from hotmess_jax.llm.measures.groups import AlongField, Labelled, fields_named, lengths_named
from hotmess_jax.llm.measures.parts import Curves
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
from hotmess_jax.statistics.estimate import Estimate, Estimates
from hotmess_jax.statistics.power_laws import Exponent


@matplotlib.rc_context(STYLE)
def by_field(results: Mapping[str, AlongField], metric: str = "") -> Figure:
    """Draw error's parts, incoherence and accuracy against a field (Figs. 2, 8, 10, 18, 23, 25).

    Slopes in double logarithm stand in the panels that are drawn so.

    Args:
        results: of each model, what `by_field` returns; corrected values where there are some.
        metric: of which decomposition, for its unit.
    """
    check_form("plugin", metric)
    form = leading_form(results.values())
    curves = {name: _curves(result, form) for name, result in results.items()}
    shown = [
        quantity
        for quantity in ("error", *PARTS, "accuracy")
        if any(_known(getattr(of, quantity)) for of in curves.values())
    ]
    # Of open answers the variance alone is known.
    rows = max(1, len(shown))
    figure, panels = new_figure(COLUMN, 0.9 + 1.4 * rows, rows, 1, sharex=True)
    for i, (name, of) in enumerate(curves.items()):
        x = as_numbers(of.along.value)
        for axes, quantity in zip(panels, shown, strict=False):
            values: Estimates = getattr(of, quantity)
            if _known(values):
                draw_points(axes, x, values, i, len(results), name, line=True)
    for axes, quantity in zip(panels, shown, strict=False):
        axes.set_ylabel(title_of(quantity, metric))
        logarithmic(axes, "x", [v for of in curves.values() for v in of.along.value])
        if quantity == "accuracy":
            axes.set_ylim(0, 1)
            continue
        drawn: list[Estimates] = [getattr(of, quantity) for of in curves.values()]
        logarithmic(axes, "y", [v for of in drawn for v in of.value], all_ends(drawn))
        if axes.get_xscale() == axes.get_yscale() == "log":
            _slopes(axes, [_slope(result, form, quantity) for result in results.values()])
    figure.supxlabel(
        f"mean {fields_named(results.values())} a sample, by question ({FORM_NAMES[form]})", fontsize=8
    )
    return with_legend(figure)


def _curves(result: AlongField, form: str) -> Curves:
    return getattr(result, form).curves


def _known(values: Estimates) -> bool:
    return any(value is not None for value in values.value)


def _slope(result: AlongField, form: str, quantity: str) -> Exponent | None:
    """Return the slope of a model's curve; None of what has none."""
    return getattr(getattr(result, form).slopes[result.groups], quantity, None)


def _slopes(axes: Axes, slopes: Sequence[Exponent | None]) -> None:
    """Write each model's slope into a panel's upper left corner, and leave room for them."""
    for i, slope in enumerate(slopes):
        if slope is not None and slope.value is not None:
            axes.text(
                0.02,
                0.98 - 0.11 * i,
                f"slope {slope.value:.2g}{ends_text(slope.ci95)}",
                transform=axes.transAxes,
                va="top",
                fontsize=SMALL,
                color=series_look(i, len(slopes))["color"],
            )
    room_above(axes, 0.02 + 0.11 * len(slopes))


@matplotlib.rc_context(STYLE)
def bias2_against_variance(results: Mapping[str, AlongField]) -> Figure:
    """Draw bias² against variance of the groups of questions, with lines of equal incoherence.

    Args:
        results: of each model, what `by_field` returns; corrected values where there are some.

    Source: Hägele et al. 2026, Figure 13.
    """
    form = leading_form(results.values())
    figure, (axes,) = new_figure(COLUMN, 3.2)
    everything = []
    for i, (name, result) in enumerate(results.items()):
        curves = _curves(result, form)
        bias2, variance = (as_numbers(of.value) for of in (curves.bias2, curves.variance))
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
    unit = UNITS.get(next(iter(results.values())).metric, "")
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
def topics(results: Mapping[str, Sequence[Labelled]]) -> Figure:
    """Draw the mean length and incoherence of each topic, or of each difficulty (Fig. 22).

    Args:
        results: of each model, what `by_label` returns; labels are shown in the order of the
            first model that has them.
    """
    every = [row for rows in results.values() for row in rows]
    form = known_form(every)
    names = list(dict.fromkeys(row.name for row in every))
    figure, panels = new_figure(COLUMN, 0.9 + 0.17 * len(names), 1, 2, sharey=True)
    for i, (model, rows) in enumerate(results.items()):
        y = np.asarray([names.index(row.name) for row in rows]) + 0.15 * (i - (len(results) - 1) / 2)
        look = point_look(i, len(results))
        for axes, quantity in zip(panels, ("along", "incoherence"), strict=True):
            shown: list[Estimate] = [
                row.along if quantity == "along" else getattr(row, form).incoherence for row in rows
            ]
            for where, value in zip(y, shown, strict=True):
                axes.hlines(where, *ends_of(value), color=look["color"], linewidth=0.8)
            values = as_numbers([value.value for value in shown])
            axes.plot(values, y, linestyle="none", label=model, **look)
    names_of = f"mean {lengths_named(every)}", f"incoherence, {FORM_NAMES[form]}"
    for axes, text in zip(panels, names_of, strict=True):
        axes.set_xlabel(text)
        axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(3))
        from_zero(axes, "x")
    panels[0].set_yticks(range(len(names)), [name.split(" (")[0] for name in names])
    panels[0].set_ylim(len(names) - 0.5, -0.5)
    return with_legend(figure)
