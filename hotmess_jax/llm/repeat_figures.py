"""Figures of repeated runs: pass@k and pass^k, differences of conditions, and how many samples it takes."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import matplotlib.ticker
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hotmess_jax.llm.figures import FORMS, TITLES, UNITS
from hotmess_jax.presentation.plotting import COLUMN, STYLE, new_figure, series_look, with_legend

Json = Mapping[str, Any]
CURVES = {"pass_at_k": "pass@k", "pass_hat_k": "pass^k", "majority": "majority of k"}
OVERLAID = 3  # groups that one panel holds
LINES = {"pass_at_k": "-", "pass_hat_k": "--", "majority": "-"}


@matplotlib.rc_context(STYLE)
def repeats(found: Mapping[str, Json]) -> Figure:
    """Draw pass@k and pass^k against k, and majority votes where there are any, with their intervals.

    Of more than three groups each has a panel: their intervals would cover one another.

    Args:
        found: of each group, `Repeats.to_json`.
    """
    if len(found) > OVERLAID:
        return _repeats_apart(found)
    votes = any(of["majority"] for of in found.values())
    panels = [("pass_at_k", "pass_hat_k"), *([("majority",)] if votes else [])]
    # Long names stand below one another.
    columns = 1 if max(map(len, found)) > 20 else min(len(found), 3)
    legend = 0.14 * -(-len(found) // columns)
    figure, axes_of = new_figure(COLUMN, 0.5 + legend + 2.0 * len(panels), len(panels), 1, sharex=True)
    for axes, names in zip(axes_of, panels, strict=True):
        for i, (label, of) in enumerate(found.items()):
            for name in names:
                _curve(axes, of[name], i, len(found), label, LINES[name])
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


def _repeats_apart(found: Mapping[str, Json]) -> Figure:
    """Draw the same, a panel a group."""
    figure, panels = new_figure(
        COLUMN, 0.7 + 1.25 * len(found), len(found), 1, sharex=True, sharey=True
    )
    for axes, (label, of) in zip(panels, found.items(), strict=True):
        for i, name in enumerate(CURVES):
            _curve(axes, of[name], i, len(CURVES), CURVES[name], "-")
        axes.set_ylim(-0.02, 1.02)
        axes.set_ylabel("share right")
        axes.set_title(label.replace("\n", ", "), loc="left")
        axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(integer=True))
    panels[-1].set_xlabel("k samples")
    return with_legend(figure)


def _curve(axes: Axes, by_k: Mapping[str, Json], i: int, count: int, label: str, line: str) -> None:
    if not by_k:
        return
    k = np.asarray([int(name) for name in by_k])
    look = series_look(i, count, len(k))
    low, high = np.asarray(
        [[np.nan, np.nan] if of["ci95"] is None else of["ci95"] for of in by_k.values()], float
    ).T
    axes.fill_between(k, low, high, color=look["color"], alpha=0.15, linewidth=0)
    # One label a group: that of its solid line.
    if line == "-":
        look["label"] = label.replace("\n", ", ")
    axes.plot(k, [of["value"] for of in by_k.values()], linestyle=line, **look)


@matplotlib.rc_context(STYLE)
def forest(found: Mapping[str, Json], metric: str = "") -> Figure:
    """Draw paired differences with their intervals, a panel a quantity, a row a comparison.

    Args:
        found: of each comparison, `Differences.to_json`.
        metric: of which decomposition, for its unit.
    """
    names = [
        name
        for name in ("accuracy", "error", "bias2", "variance", "incoherence")
        if any(name in of["plugin"] for of in found.values())
    ]
    labels = [label.replace(" − ", "\n− ") if len(label) > 30 else label for label in found]
    lines = sum(1.3 + label.count("\n") for label in labels)
    figure, panels = new_figure(COLUMN, 0.6 + len(names) * (0.42 + 0.15 * lines), len(names), 1)
    for axes, name in zip(panels, names, strict=True):
        axes.axvline(0, color="0.7", linewidth=0.6)
        for form, aside, look in (("plugin", -0.12, "white"), ("corrected", 0.12, "black")):
            if (
                name == "accuracy"
                and form == "plugin"
                and any(of["corrected"] for of in found.values())
            ):
                continue  # it is the same in both
            for row, of in enumerate(found.values()):
                if of[form] is None or of[form][name]["value"] is None:
                    continue
                value = of[form][name]
                low, high = (np.nan if end is None else end for end in value["ci95"])
                axes.hlines(row + aside, low, high, color="0.4", linewidth=0.9)
                axes.plot(value["value"], row + aside, "o", color="black", markerfacecolor=look,
                          linestyle="none", label=FORMS[form])  # fmt: skip
        axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(5))
        axes.set_yticks(range(len(labels)), labels)
        axes.set_ylim(len(labels) - 0.5, -0.5)
        unit = UNITS.get(metric, "") if name in ("error", "bias2", "variance") else ""
        axes.set_xlabel(f"difference of {TITLES[name]}{unit}")
    return with_legend(figure)


@matplotlib.rc_context(STYLE)
def plans(found: Sequence[Json]) -> Figure:
    """Draw the half-widths of plans against what they cost, a panel a quantity, with the pilot's marked.

    Args:
        found: `Plan.to_json` of each; a line is of one number of samples, and of one plan.
    """
    names = list(found[0]["pilot"]["half_width"])
    figure, panels = new_figure(COLUMN, 0.8 + 1.45 * len(names), len(names), 1, sharex=True)
    known = all(plan["tokens_a_sample"] is not None for plan in found)
    samples = sorted({cell["samples"] for plan in found for cell in plan["cells"]})

    def cost(cell: Json) -> float:
        return cell["tokens"] if known else cell["questions"] * cell["samples"]

    for axes, name in zip(panels, names, strict=True):
        for j, plan in enumerate(found):
            for i, count in enumerate(samples):
                cells = [cell for cell in plan["cells"] if cell["samples"] == count]
                values = np.asarray([c["half_width"][name]["value"] for c in cells], float)
                look = {k: v for k, v in series_look(i, len(samples)).items() if k != "markevery"}
                axes.plot(
                    [cost(cell) for cell in cells],
                    values,
                    linestyle=("-", "--", ":", "-.")[j % 4],
                    label=f"{count} samples",
                    **look,
                )
            pilot = plan["pilot"]
            value = pilot["half_width"][name]["value"]
            if value is not None:
                axes.plot(cost(pilot), value, "*", color="black", markersize=7, label="pilot")
        axes.set(xscale="log", yscale="log", ylabel=f"{TITLES[name].rstrip(' ↓↑')}\n± (half-width)")
        # Half-widths rarely span a decade: round numbers, and not powers alone.
        axes.yaxis.set_major_locator(matplotlib.ticker.MaxNLocator(4, steps=[1, 2, 5, 10]))
        axes.xaxis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5)))
        for axis, text in ((axes.yaxis, "{x:g}"), (axes.xaxis, "{x:,.0f}")):
            axis.set_major_formatter(text)
            axis.set_minor_formatter(matplotlib.ticker.NullFormatter())
    panels[-1].set_xlabel("tokens" if known else "questions × samples")
    if len(found) > 1:
        styles = ("solid", "dashed", "dotted", "dash-dotted")
        title = "\n".join(
            f"{styles[j % 4]}: {plan['compared'] or plan['label']}" for j, plan in enumerate(found)
        )
        panels[0].set_title(title, loc="left")
    return with_legend(figure)
