"""The figure of changes of answer."""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hotmess_jax.llm.drawing import draw_points
from hotmess_jax.llm.measures.changes import AnswerChanges, Kind
from hotmess_jax.presentation.plotting import COLUMN, STYLE, new_figure, with_legend
from hotmess_jax.statistics.estimate import Estimates

SHOWN: tuple[Kind, ...] = ("resampling", "context", "both")


@matplotlib.rc_context(STYLE)
def changes(results: Mapping[str, Sequence[AnswerChanges]]) -> Figure:
    """Draw the share of questions whose answer changes, by difficulty (Fig. 20).

    Args:
        results: of each model, its rows, of groups by length or of the
            benchmark's own.
    """
    every = [row for rows in results.values() for row in rows]
    kinds = [kind for kind in SHOWN if any(row.of(kind) is not None for row in every)]
    if "context" not in kinds and "both" in kinds:  # then all changes are under resampling
        kinds.remove("both")
    groups = list(dict.fromkeys(row.group for row in every))
    by_length = not any(isinstance(group, str) for group in groups)
    height = 1.7 if by_length else 2.4
    figure, panels = new_figure(COLUMN, 0.5 + height * len(kinds), len(kinds), 1, sharey=True)
    for axes, kind in zip(panels, kinds, strict=True):
        for i, (name, rows) in enumerate(results.items()):
            shown = [(row.group, of) for row in rows if (of := row.of(kind)) is not None]
            places = np.asarray([groups.index(group) for group, _ in shown], float)
            x = places + 0.15 * (i - (len(results) - 1) / 2)
            draw_points(axes, x, Estimates.of(of for _, of in shown), i, len(results), name)
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
