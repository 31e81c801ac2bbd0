"""The figure of what was decided on the way."""

from collections.abc import Mapping, Sequence

import matplotlib
from matplotlib.figure import Figure

from hotmess_jax.llm.analyses.sensitivity import Changed
from hotmess_jax.llm.drawing import as_numbers, check_form, ends_of
from hotmess_jax.llm.telling import FORM_NAMES
from hotmess_jax.presentation.plotting import COLUMN, STYLE, new_figure, point_look, with_legend
from hotmess_jax.statistics.estimate import Estimate


def draw(name: str, results: Mapping[str, Sequence[Changed]], metric: str) -> dict[str, Figure]:
    """Return the figures by file name."""
    return {name: sensitivity(results)}


@matplotlib.rc_context(STYLE)
def sensitivity(results: Mapping[str, Sequence[Changed]], form: str = "corrected") -> Figure:
    """Draw how incoherence moves with what was decided on the way.

    Args:
        results: of each model, its rows.
        form: plugin or corrected; where nothing is known in it, the plug-in one is drawn.
    """
    check_form(form)
    every = [row for rows in results.values() for row in rows]
    # Of few samples KL has no corrected value in any case.
    shown = _valued(every, form) or _valued(every, form := "plugin") or every
    cases = list(dict.fromkeys((row.what, row.value) for row in shown))
    figure, (axes,) = new_figure(COLUMN, 0.8 + 0.17 * len(cases))
    for i, (name, rows) in enumerate(results.items()):
        known = {(row.what, row.value): _incoherence(row, form) for row in rows}
        look = point_look(i, len(results))
        for j, case in enumerate(cases):
            value = known.get(case)
            if value is not None:
                at = j + 0.15 * (i - (len(results) - 1) / 2)
                axes.hlines(at, *ends_of(value), color=look["color"], linewidth=0.8)
                axes.plot(as_numbers(value.value), at, linestyle="none", label=name, **look)
    axes.set_yticks(range(len(cases)), [" ".join(filter(None, case)) for case in cases])
    axes.set_ylim(len(cases) - 0.5, -0.5)
    axes.set_xlabel(f"incoherence, {FORM_NAMES[form]}")
    return with_legend(figure)


def _incoherence(row: Changed, form: str) -> Estimate | None:
    """Return the incoherence in a form; None where there are no means."""
    if row.means is None:
        return None
    parts = row.means.plugin if form == "plugin" else row.means.corrected
    return parts.incoherence


def _valued(rows: Sequence[Changed], form: str) -> list[Changed]:
    """Return the rows whose incoherence is known."""
    both = ((row, _incoherence(row, form)) for row in rows)
    return [row for row, of in both if of is not None and of.value is not None]
