"""Every figure of the language-model half, one function each, from the analyses' JSON values."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

import matplotlib
import matplotlib.ticker
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hotmess_jax.llm.analyses.budgets import not_kept
from hotmess_jax.llm.analyses.decomposing import METRICS
from hotmess_jax.llm.analyses.subsets import Measure
from hotmess_jax.presentation.plotting import (
    COLUMN,
    NAMES,
    SMALL,
    STYLE,
    new_figure,
    series_look,
    short,
    size_axis,
    with_legend,
)
from kernels.names import check_name

Json = Mapping[str, Any]
DECADES = 1e4  # the widest logarithmic axis
HALVES = ("short", "long")
PARTS = ("bias2", "variance", "incoherence")
# Arrows: which direction is better; of incoherence neither is.
TITLES = {
    **{name: f"{label} ↓" for name, label in NAMES.items()},
    "error": "error ↓",
    "incoherence": "incoherence",
    "accuracy": "accuracy ↑",
}
FORMS = {"plugin": "plug-in", "corrected": "corrected"}
UNITS = {"kl": " (nats)"}  # of an error and its parts; of the other metrics they are pure numbers


def _check(form: str, metric: str = "") -> None:
    """Check the names of a form and of a metric, where one is given."""
    check_name("form", form, FORMS)
    if metric:
        check_name("metric", metric, (*METRICS, *get_args(Measure)))


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
    _check(form, metric)
    height = 0.4 + 0.18 * sum(1.3 + name.count("\n") for name in groups)
    figure, panels = new_figure(COLUMN, 0.3 + len(values) * height, len(values), 1)
    y = np.arange(len(groups))
    for axes, (name, numbers) in zip(panels, values.items(), strict=True):
        low, high = np.asarray(ci95[name], np.float64).reshape(-1, 2).T
        axes.hlines(y, low, high, color="0.5", linewidth=1)
        axes.plot(_values(numbers), y, "o", color="black")
        axes.set_xlabel(f"{_title(name, metric)}, {FORMS[form]}")
        _from_zero(axes, "x")
        axes.set_yticks(y, groups)
        axes.set_ylim(len(groups) - 0.5, -0.5)
    return figure


def _known(rows: Iterable[Json]) -> str:
    """Return the corrected form where any row's incoherence is known in it, else the plug-in one."""
    known = any(row["corrected"]["incoherence"]["value"] is not None for row in rows)
    return "corrected" if known else "plugin"


def _leading(results: Iterable[Json]) -> str:
    """Return the corrected form where all results have it, else the plug-in one."""
    return "corrected" if all(result["corrected"] is not None for result in results) else "plugin"


@matplotlib.rc_context(STYLE)
def by_field(found: Mapping[str, Json], metric: str = "") -> Figure:
    """Draw error's parts, incoherence and accuracy against a field (Figs. 2, 8, 10, 18, 23, 25).

    Slopes in double logarithm stand in the panels that are drawn so.

    Args:
        found: of each model, what `analysis.by_field` returns; corrected values where there are some.
        metric: of which decomposition, for its unit.
    """
    _check("plugin", metric)
    form = _leading(found.values())
    shown = [
        quantity
        for quantity in ("error", *PARTS, "accuracy")
        if any(v is not None for r in found.values() for v in r[form]["curves"][quantity]["value"])
    ]
    # Of open answers the variance alone is known.
    rows = max(1, len(shown))
    figure, panels = new_figure(COLUMN, 0.9 + 1.4 * rows, rows, 1, sharex=True)
    for i, (name, result) in enumerate(found.items()):
        curves = result[form]["curves"]
        x = _values(curves["along"]["value"])
        for axes, quantity in zip(panels, shown, strict=False):
            if all(v is None for v in curves[quantity]["value"]):
                continue
            _points(axes, x, curves[quantity], i, len(found), name, line=True)
    for axes, quantity in zip(panels, shown, strict=False):
        axes.set_ylabel(_title(quantity, metric))
        _log(axes, "x", [v for r in found.values() for v in r[form]["curves"]["along"]["value"]])
        if quantity == "accuracy":
            axes.set_ylim(0, 1)
            continue
        curves = [r[form]["curves"][quantity] for r in found.values()]
        _log(axes, "y", [v for curve in curves for v in curve["value"]], _bounds(curves))
        if axes.get_xscale() == axes.get_yscale() == "log":
            _slopes(
                axes,
                {name: r[form]["slopes"][str(r["groups"])].get(quantity) for name, r in found.items()},
            )
    figure.supxlabel(f"mean {_fields(found)} a sample, by question ({FORMS[form]})", fontsize=8)
    return with_legend(figure)


def _title(quantity: str, metric: str) -> str:
    return TITLES[quantity] + (UNITS.get(metric, "") if quantity in ("error", *NAMES) else "")


def _slopes(axes: Axes, slopes: Mapping[str, Json | None]) -> None:
    """Write each model's slope into a panel's upper left corner, and leave room for them."""
    for i, slope in enumerate(slopes.values()):
        if slope is not None and slope["value"] is not None:
            axes.text(
                0.02,
                0.98 - 0.11 * i,
                f"slope {slope['value']:.2g}{_ends(slope['ci95'])}",
                transform=axes.transAxes,
                va="top",
                fontsize=SMALL,
                color=series_look(i, len(slopes))["color"],
            )
    _room_above(axes, 0.02 + 0.11 * len(slopes))


@matplotlib.rc_context(STYLE)
def overthinking(found: Mapping[str, Json]) -> Figure:
    """Draw incoherence and accuracy of shorter and longer samples (Figs. 3, 17).

    Args:
        found: of each model (or model and budget), what `analysis.natural_overthinking` returns.
    """
    form = _leading(found.values())
    figure, panels = new_figure(COLUMN, 1.0 + 2 * (0.35 + 0.35 * len(found)), 2, 1)
    y = np.arange(len(found), dtype=float)
    for axes, quantity in zip(panels, ("incoherence", "accuracy"), strict=True):
        # In grey and black, and signs of their own: colours are models'.
        for place, (half, marker, color) in enumerate(zip(HALVES, "|x", ("0.5", "black"), strict=True)):
            values = [result[form][half][quantity] for result in found.values()]
            at = y + 0.12 * (2 * place - 1)
            for where, value in zip(at, values, strict=True):
                axes.hlines(where, *_interval(value), color=color, linewidth=1)
            numbers = _values([v["value"] for v in values])
            axes.plot(numbers, at, marker, color=color, markersize=5, label=f"{half}er half")
        for where, result in zip(y, found.values(), strict=True):
            p = result["test"][quantity]["p"]
            text = "" if p is None else f"p = {p:.2g}"
            inside = axes.get_yaxis_transform()
            axes.text(1.0, where, text, fontsize=SMALL, transform=inside, ha="right", va="center")
        axes.set_xlabel(TITLES[quantity] + (f", {FORMS[form]}" if quantity == "incoherence" else ""))
        _from_zero(axes, "x")
        low, high = axes.get_xlim()
        axes.set_xlim(low, high + 0.25 * (high - low))  # room for p
        axes.set_yticks(y, list(found))
        axes.set_ylim(len(found) - 0.5, -0.5)
    return with_legend(figure)


@matplotlib.rc_context(STYLE)
def scaling(found: Json) -> Figure:
    """Draw accuracy, bias², variance and incoherence against model size by difficulty (Figs. 4a, 5).

    Args:
        found: what `analysis.scaling_by_difficulty` returns; corrected values where there are some.
    """
    form = _leading(found["groups"])
    figure, panels = new_figure(COLUMN, 6.6, 4, 1, sharex=True)
    x = _values(found["parameters"])
    groups = found["groups"]
    for i, row in enumerate(groups):
        name = f"difficulty {row['group'] + 1} of {len(groups)}" + (" (easiest)" if i == 0 else "")
        for axes, quantity in zip(panels, ("accuracy", *PARTS), strict=True):
            _points(axes, x, row[form][quantity], i, len(groups), name, line=True)
    for axes, quantity in zip(panels, ("accuracy", *PARTS), strict=True):
        axes.set_ylabel(TITLES[quantity])
        if quantity != "accuracy":
            curves = [row[form][quantity] for row in groups]
            _log(axes, "y", [v for curve in curves for v in curve["value"]], _bounds(curves))
        size_axis(axes, x)
    for axes in panels[:-1]:
        axes.set_xlabel("")
    panels[-1].set_xlabel(f"parameters ({FORMS[form]})")
    return with_legend(figure)


@matplotlib.rc_context(STYLE)
def bias2_against_variance(found: Mapping[str, Json]) -> Figure:
    """Draw bias² against variance of the groups of questions, with lines of equal incoherence.

    Args:
        found: of each model, what `analysis.by_field` returns; corrected values where there are some.

    Source: Hägele et al. 2026, Figure 13.
    """
    form = _leading(found.values())
    figure, (axes,) = new_figure(COLUMN, 3.2)
    everything = []
    for i, (name, result) in enumerate(found.items()):
        curves = result[form]["curves"]
        bias2, variance = (_values(curves[part]["value"]) for part in ("bias2", "variance"))
        everything += [bias2, variance]
        look = {k: v for k, v in series_look(i, len(found)).items() if k != "markevery"}
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
    unit = UNITS.get(next(iter(found.values()))["metric"], "")
    axes.set(xlabel=f"variance ↓{unit}, {FORMS[form]}", ylabel=f"bias² ↓{unit}, {FORMS[form]}")
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
def surface(found: Json) -> Figure:
    """Draw the fitted plane of log incoherence over length and size as a contour (Fig. 14).

    Args:
        found: what `analysis.incoherence_surface` returns, with coefficients.
    """
    figure, (axes,) = new_figure(COLUMN, 2.8)
    points = found["points"]
    lengths = np.concatenate([_values(point["length"]) for point in points])
    sizes = np.asarray([point["parameters"] for point in points])
    values = np.concatenate([_values(point["incoherence"]) for point in points])
    c = {name: part["value"] for name, part in found["coefficients"].items()}
    x = np.geomspace(lengths.min() / 1.1, lengths.max() * 1.1, 80)
    y = np.geomspace(sizes.min() / 1.3, sizes.max() * 1.3, 80)
    plane = np.exp(c["intercept"] + c["length"] * np.log(x)[None] + c["size"] * np.log(y)[:, None])
    drawn: Any = axes.contourf(x, y, plane, levels=12, cmap="viridis")
    axes.scatter(lengths, np.repeat(sizes, [len(point["length"]) for point in points]), c=values, s=10,
                 cmap="viridis", norm=drawn.norm, edgecolors="white", linewidths=0.4)  # fmt: skip
    axes.set(yscale="log", xlabel=f"mean {found['field'].replace('_', ' ')}", ylabel="parameters")
    _log(axes, "x", lengths)
    axes.set_yticks(sizes, [short(size) for size in sizes], minor=False)
    axes.set_yticks([], minor=True)
    figure.colorbar(drawn, label="incoherence")
    return figure


@matplotlib.rc_context(STYLE)
def budgets(found: Mapping[str, Sequence[Json]]) -> Figure:
    """Draw accuracy and incoherence by reasoning budget, beside natural variation (Figs. 7a, 17).

    Args:
        found: of each model, what `analysis.by_budget` returns.
    """
    form = _known(row for rows in found.values() for row in rows if "missing" not in row)
    figure, panels = new_figure(COLUMN, 4.4, 2, 1)
    for i, (name, every) in enumerate(found.items()):
        rows = [row for row in every if "missing" not in row]
        x = _values([row["mean_length"] for row in rows])
        color = series_look(i, len(found))["color"]
        for axes, quantity in zip(panels, ("accuracy", "incoherence"), strict=True):
            values = {
                "value": [row[form][quantity]["value"] for row in rows],
                "ci95": [row[form][quantity]["ci95"] for row in rows],
            }
            _points(axes, x, values, i, len(found), name, line=True)
            for row in rows:
                where = row["mean_length"], row[form][quantity]["value"]
                if None not in where:
                    text = "no budget" if row["budget"] is None else str(row["budget"])
                    if said := not_kept(row):  # asked for, and not kept
                        text += f" ({said})"
                    axes.annotate(
                        text, where, textcoords="offset points", xytext=(2, 4), fontsize=SMALL
                    )
                if row["natural"] and row["natural"][form]:
                    ends = [row["natural"][form][half] for half in ("short", "long")]
                    axes.plot(_values([e["along"]["value"] for e in ends]),
                              _values([e[quantity]["value"] for e in ends]),
                              color=color, linestyle=":", marker=".")  # fmt: skip
            axes.set_ylabel(
                TITLES[quantity] + (f", {FORMS[form]}" if quantity == "incoherence" else "")
            )
    lengths = [row["mean_length"] for rows in found.values() for row in rows]
    for axes in panels:
        _log(axes, "x", lengths)
    figure.supxlabel(
        "mean length, as measured (dotted: each budget's shorter\nand longer samples, half as many each)",
        fontsize=8,
    )
    return with_legend(figure)


@matplotlib.rc_context(STYLE)
def ensembles(found: Mapping[str, Json], form: str = "corrected", metric: str = "") -> Figure:
    """Draw bias², variance and incoherence against ensemble size (Figs. 7b, 11).

    Of squared errors, whose variance falls so in expectation, the 1/E law is drawn as well.

    Args:
        found: of each model, what `analysis.ensembling` returns.
        form: plugin or corrected.
        metric: of which decomposition, for its unit.
    """
    _check(form, metric)
    figure, panels = new_figure(COLUMN, 5.2, 3, 1, sharex=True)
    for i, (name, result) in enumerate(found.items()):
        sizes = _values(result["sizes"])
        for axes, quantity in zip(panels, PARTS, strict=True):
            values = result[form][quantity]
            _points(axes, sizes * _aside(i, len(found)), values, i, len(found), name, line=True)
            color = series_look(i, len(found))["color"]
            if quantity == "variance" and result.get("expected"):
                first = result["expected"]["variance"]["value"][0]
                axes.plot(sizes, _values(first) / sizes, color=color, linestyle=":", label="1/E")
    for axes, quantity in zip(panels, PARTS, strict=True):
        axes.set_ylabel(_title(quantity, metric))
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter("{x:g}")
        _from_zero(axes, "y")
    panels[-1].set_xlabel(f"ensemble size E ({FORMS[form]})")
    return with_legend(figure)


def _aside(i: int, count: int) -> float:
    """Return by what factor a series is moved on a logarithmic axis, so that bars do not cover one another."""
    return float(2 ** (0.06 * (i - (count - 1) / 2)))


@matplotlib.rc_context(STYLE)
def changes(found: Mapping[str, Sequence[Json]]) -> Figure:
    """Draw the share of questions whose answer changes, by difficulty (Fig. 20).

    Args:
        found: of each model, what `analysis.answer_changes` returns, of groups by length or of the
            benchmark's own.
    """
    kinds = [
        k
        for k in ("resampling", "context", "both")
        if any(k in row for rows in found.values() for row in rows)
    ]
    if "context" not in kinds and "both" in kinds:  # then all changes are under resampling
        kinds.remove("both")
    groups = list(dict.fromkeys(row["group"] for rows in found.values() for row in rows))
    by_length = not any(isinstance(group, str) for group in groups)
    height = 1.7 if by_length else 2.4
    figure, panels = new_figure(COLUMN, 0.5 + height * len(kinds), len(kinds), 1, sharey=True)
    for axes, kind in zip(panels, kinds, strict=True):
        for i, (name, rows) in enumerate(found.items()):
            shown = [row for row in rows if kind in row]
            places = np.asarray([groups.index(row["group"]) for row in shown], float)
            x = places + 0.15 * (i - (len(found) - 1) / 2)
            values = {
                "value": [row[kind]["value"] for row in shown],
                "ci95": [row[kind]["ci95"] for row in shown],
            }
            _points(axes, x, values, i, len(found), name)
        _group_ticks(axes, groups)
        axes.set(
            xlabel="difficulty (1 is the easiest)" if by_length else "the benchmark's difficulty",
            ylabel="share that changes",
            title={"both": "any two samples"}.get(kind, kind),
            ylim=(0, 1.03),
        )
    return with_legend(figure)


def _group_ticks(axes: Axes, groups: Sequence[int | str | None]) -> None:
    """Name groups of difficulty: all, those by length from 1 on, those of a benchmark without details."""
    names = [
        "all" if group is None else str(group + 1) if isinstance(group, int) else group.split(" (")[0]
        for group in groups
    ]
    axes.set_xticks(np.arange(len(groups)), names)
    if any(len(name) > 4 for name in names):
        for label in axes.get_xticklabels():
            label.set(rotation=30, ha="right")


@matplotlib.rc_context(STYLE)
def efficiency(found: Mapping[str, Json], metric: str = "") -> Figure:
    """Draw mean and spread of bias² and variance at n samples a question (Fig. 21).

    Args:
        found: of each model, what `analysis.efficiency` returns.
        metric: of which decomposition, for its unit.
    """
    _check("plugin", metric)
    figure, panels = new_figure(COLUMN, 3.8, 2, 1, sharex=True)
    for i, (name, result) in enumerate(found.items()):
        x = _values(result["samples"])
        for axes, quantity in zip(panels, ("bias2", "variance"), strict=True):
            mean, spread = _values(result[quantity]), _values(result[f"{quantity}_spread"])
            look = series_look(i, len(found), len(x))
            axes.plot(x, mean, label=name, **look)
            axes.fill_between(
                x, mean - spread, mean + spread, color=look["color"], alpha=0.2, linewidth=0
            )
            axes.set_ylabel(f"{_title(quantity, metric)}, plug-in")
    for axes in panels:
        _from_zero(axes, "y")
        _counted(axes)
    panels[-1].set_xlabel("samples a question")
    return with_legend(figure)


@matplotlib.rc_context(STYLE)
def topics(found: Mapping[str, Sequence[Json]]) -> Figure:
    """Draw the mean length and incoherence of each topic, or of each difficulty (Fig. 22).

    Args:
        found: of each model, what `analysis.by_label` returns; labels are shown in the order of the
            first model that has them.
    """
    form = _known(row for rows in found.values() for row in rows)
    label = (
        "difficulty" if any("difficulty" in row for rows in found.values() for row in rows) else "topic"
    )
    names = list(dict.fromkeys(row[label] for rows in found.values() for row in rows))
    figure, panels = new_figure(COLUMN, 0.9 + 0.17 * len(names), 1, 2, sharey=True)
    for i, (model, rows) in enumerate(found.items()):
        y = np.asarray([names.index(row[label]) for row in rows]) + 0.15 * (i - (len(found) - 1) / 2)
        look = {k: v for k, v in series_look(i, len(found)).items() if k != "markevery"}
        for axes, quantity in zip(panels, ("along", "incoherence"), strict=True):
            shown = [row["along"] if quantity == "along" else row[form][quantity] for row in rows]
            for where, value in zip(y, shown, strict=True):
                axes.hlines(where, *_interval(value), color=look["color"], linewidth=0.8)
            values = _values([value["value"] for value in shown])
            axes.plot(values, y, linestyle="none", label=model, **look)
    lengths = dict.fromkeys(row["length"].replace("_", " ") for rows in found.values() for row in rows)
    names_of = f"mean {' or '.join(lengths)}", f"incoherence, {FORMS[form]}"
    for axes, text in zip(panels, names_of, strict=True):
        axes.set_xlabel(text)
        axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(3))
        _from_zero(axes, "x")
    panels[0].set_yticks(range(len(names)), [name.split(" (")[0] for name in names])
    panels[0].set_ylim(len(names) - 0.5, -0.5)
    return with_legend(figure)


@matplotlib.rc_context(STYLE)
def one_question(found: Mapping[str, Json]) -> Figure:
    """Draw one question's answers, sample by sample (Fig. 19).

    Args:
        found: of each model, what `analysis.one_question` returns.
    """
    figure, panels = new_figure(COLUMN, 1.2 * len(found) + 0.4, len(found), 1)
    for axes, (name, result) in zip(panels, found.items(), strict=True):
        answers = [sample["given"] or "none" for sample in result["samples"]]
        labels = [*(result["options"] or []), *(["none"] if "none" in answers else [])]
        right = [answer == result["target"] for answer in answers]
        x = np.arange(1, len(answers) + 1)
        y = np.asarray([labels.index(answer) for answer in answers])
        axes.plot(x, y, color="0.85", zorder=0)
        for kind, mark, text in ((True, "o", "right"), (False, "x", "wrong")):
            chosen = np.asarray(right) == kind
            axes.plot(x[chosen], y[chosen], mark, color="black", linestyle="none", label=text)
        axes.set_yticks(range(len(labels)), labels)
        axes.set_ylim(len(labels) - 0.5, -0.5)
        axes.set_ylabel("answer")
        _counted(axes)
        axes.set_title(f"{name},\nquestion {result['question_id']}", loc="left")
    panels[-1].set_xlabel("sample")
    return with_legend(figure)


@matplotlib.rc_context(STYLE)
def sensitivity(found: Mapping[str, Sequence[Json]], form: str = "corrected") -> Figure:
    """Draw how incoherence moves with what was decided on the way.

    Args:
        found: of each model, what `analysis.sensitivity` returns.
        form: plugin or corrected; where nothing is known in it, the plug-in one is drawn.
    """
    _check(form)
    every = [row for rows in found.values() for row in rows]
    # Of few samples KL has no corrected value in any case.
    shown = _valued(every, form) or _valued(every, form := "plugin") or every
    cases = list(dict.fromkeys((row["what"], row["value"]) for row in shown))
    figure, (axes,) = new_figure(COLUMN, 0.8 + 0.17 * len(cases))
    for i, (name, rows) in enumerate(found.items()):
        known = {(row["what"], row["value"]): row for row in rows if form in row}
        look = {k: v for k, v in series_look(i, len(found)).items() if k != "markevery"}
        for j, case in enumerate(cases):
            if case in known:
                value = known[case][form]["incoherence"]
                at = j + 0.15 * (i - (len(found) - 1) / 2)
                axes.hlines(at, *_interval(value), color=look["color"], linewidth=0.8)
                axes.plot(_values(value["value"]), at, linestyle="none", label=name, **look)
    axes.set_yticks(range(len(cases)), [" ".join(filter(None, case)) for case in cases])
    axes.set_ylim(len(cases) - 0.5, -0.5)
    axes.set_xlabel(f"incoherence, {FORMS[form]}")
    return with_legend(figure)


def _valued(rows: Sequence[Json], form: str) -> list[Json]:
    """Return the rows whose incoherence is known."""
    return [row for row in rows if form in row and row[form]["incoherence"]["value"] is not None]


def _points(
    axes: Axes, x: np.ndarray, values: Json, i: int, count: int, name: str, line: bool = False
) -> None:
    """Draw values with their intervals."""
    look = {k: v for k, v in series_look(i, count).items() if k != "markevery"}
    y = _values(values["value"])
    ends = _values([pair if pair is not None else [None, None] for pair in values["ci95"]]).reshape(
        -1, 2
    )
    axes.vlines(x, *ends.T, color=look["color"], linewidth=0.8)
    axes.plot(x, y, linestyle="-" if line else "none", linewidth=0.7, label=name, **look)


def _values(values: Any) -> np.ndarray:
    """Return JSON values as numbers, None as NaN."""
    return np.asarray(values, dtype=np.float64)


def _interval(value: Json) -> tuple[float, float]:
    """Return the ends of an interval: the value where there is none, NaN where that is not known."""
    middle = np.nan if value["value"] is None else value["value"]
    low, high = value["ci95"]
    return (middle if low is None else low, middle if high is None else high)


def _fields(found: Mapping[str, Json]) -> str:
    """Return the lengths of all models, as an axis names them."""
    return " or ".join(dict.fromkeys(r["field"].replace("_", " ") for r in found.values()))


def _ends(ci95: Sequence[float | None]) -> str:
    return "" if None in ci95 else f" [{ci95[0]:.2g}, {ci95[1]:.2g}]"


def _bounds(curves: Sequence[Json]) -> list[float | None]:
    """Return the ends of all intervals."""
    return [end for curve in curves for pair in curve["ci95"] if pair is not None for end in pair]


def _from_zero(axes: Axes, which: str) -> None:
    """Begin a linear axis at 0, or below it where something is; call once everything is drawn."""
    low, high = axes.dataLim.intervaly if which == "y" else axes.dataLim.intervalx
    if not np.isfinite([low, high]).all():
        low, high = 0.0, 1.0
    margin = 0.05 * (max(high, 0.0) - min(low, 0.0)) or 1.0
    ends = min(low - margin, 0.0) if low < 0 else -0.3 * margin, max(high, 0.0) + margin
    (axes.set_ylim if which == "y" else axes.set_xlim)(*ends)


def _counted(axes: Axes) -> None:
    """Tick an axis of counts at whole numbers."""
    axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(integer=True, min_n_ticks=1))


def _room_above(axes: Axes, share: float) -> None:
    """Leave a share of the height free for text."""
    low, high = axes.get_ylim()
    if axes.get_yscale() == "log":
        axes.set_ylim(low, high * (high / low) ** (share / (1 - share)))
    else:
        axes.set_ylim(low, high + (high - low) * share / (1 - share))


def _log(axes: Axes, which: str, values: Any, bounds: Sequence[float | None] = ()) -> None:
    """Make an axis logarithmic where all that is drawn is above 0, with ticks that can be read."""
    shown, ends = _values(values), _values(bounds)
    shown, ends = shown[np.isfinite(shown)], ends[np.isfinite(ends)]
    everything = np.concatenate([shown, ends])
    # A KL bias² falls off a cliff where all majorities are right: no scale holds both sides of it.
    if not shown.size or (everything <= 0).any() or everything.max() / everything.min() > DECADES:
        if which == "y":
            _from_zero(axes, "y")
        return
    axis = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    if shown.max() / shown.min() < 30:
        axis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(matplotlib.ticker.NullFormatter())


@matplotlib.rc_context(STYLE)
def survey(found: Json) -> Figure:
    """Draw mean ranks of incoherence against those of intelligence, by category (Figs. 4b, 27).

    Args:
        found: what `survey.analyse` returns.
    """
    figure, (axes,) = new_figure(COLUMN, 3.4)
    categories = sorted({row["category"] for row in found["entities"]})
    for i, category in enumerate(categories):
        rows = [row for row in found["entities"] if row["category"] == category]
        x, y = (
            _values([row[name]["mean"] for row in rows]) for name in ("intelligence", "incoherence")
        )
        ex, ey = (
            np.nan_to_num(_values([row[name]["standard_error"] for row in rows]))
            for name in ("intelligence", "incoherence")
        )
        look = {k: v for k, v in series_look(i, len(categories)).items() if k != "markevery"}
        axes.errorbar(
            x, y, ey, ex, linestyle="none", elinewidth=0.6, label=category or "entity", **look
        )
        for row, a, b in zip(rows, x, y, strict=True):
            axes.annotate(
                row["entity"], (a, b), textcoords="offset points", xytext=(3, 2), fontsize=SMALL
            )
    rho = found["correlations"]["all"]["rho"]
    if rho["value"] is not None:
        corrected = found["correlations"]["all"]["corrected"]
        text = f"Spearman's ρ {rho['value']:.2f}{_ends(rho['ci95'])}"
        if corrected["value"] is not None:
            text += f", corrected {corrected['value']:.2f}{_ends(corrected['ci95'])}"
        axes.set_title(text, loc="right", fontsize=7)
    axes.set(
        xlabel="intelligence, mean rank (share below)", ylabel="incoherence, mean rank (share below)"
    )
    return with_legend(figure)
