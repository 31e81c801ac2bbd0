"""The figure of ensembles."""

from collections.abc import Mapping

import matplotlib
from matplotlib.figure import Figure

from hotmess_jax.llm.analyses.ensembles import Ensembles
from hotmess_jax.llm.drawing import PARTS, as_numbers, check_form, draw_points, from_zero, title_of
from hotmess_jax.llm.telling import FORM_NAMES
from hotmess_jax.presentation.plotting import COLUMN, STYLE, new_figure, series_look, with_legend


def draw(name: str, results: Mapping[str, Ensembles], metric: str) -> dict[str, Figure]:
    """Return the figures by file name."""
    # Of one size there is no curve.
    if all(len(result.sizes) < 2 for result in results.values()):
        return {}
    return {name: ensembles(results, metric=metric)}


@matplotlib.rc_context(STYLE)
def ensembles(results: Mapping[str, Ensembles], form: str = "corrected", metric: str = "") -> Figure:
    """Draw bias², variance and incoherence against ensemble size (Figs. 7b, 11).

    Of squared errors, whose variance falls so in expectation, the 1/E law is drawn as well.

    Args:
        results: of each model, its result.
        form: plugin or corrected.
        metric: of which decomposition, for its unit.
    """
    check_form(form, metric)
    figure, panels = new_figure(COLUMN, 5.2, 3, 1, sharex=True)
    for i, (name, result) in enumerate(results.items()):
        sizes = as_numbers(result.sizes)
        for axes, quantity in zip(panels, PARTS, strict=True):
            values = getattr(getattr(result, form), quantity)
            draw_points(axes, sizes * _aside(i, len(results)), values, i, len(results), name, line=True)
            color = series_look(i, len(results))["color"]
            if quantity == "variance" and result.expected is not None:
                first = result.expected.variance.value[0]
                axes.plot(sizes, as_numbers(first) / sizes, color=color, linestyle=":", label="1/E")
    for axes, quantity in zip(panels, PARTS, strict=True):
        axes.set_ylabel(title_of(quantity, metric))
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter("{x:g}")
        from_zero(axes, "y")
    panels[-1].set_xlabel(f"ensemble size E ({FORM_NAMES[form]})")
    return with_legend(figure)


def _aside(i: int, count: int) -> float:
    """Return by what factor a series is moved on a logarithmic axis, so that bars do not cover one another."""
    return float(2 ** (0.06 * (i - (count - 1) / 2)))
