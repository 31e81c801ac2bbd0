"""The figure of one question's answers."""

from collections.abc import Mapping

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from hotmess_jax.llm.analyses.one_question import OneQuestion
from hotmess_jax.llm.drawing import counted
from hotmess_jax.presentation.plotting import COLUMN, STYLE, new_figure, with_legend


def draw(name: str, results: Mapping[str, OneQuestion], metric: str) -> dict[str, Figure]:
    """Return the figures by file name."""
    return {name: one_question(results)}


@matplotlib.rc_context(STYLE)
def one_question(results: Mapping[str, OneQuestion]) -> Figure:
    """Draw one question's answers, sample by sample (Fig. 19).

    Args:
        results: of each model, its result.
    """
    figure, panels = new_figure(COLUMN, 1.2 * len(results) + 0.4, len(results), 1)
    for axes, (name, result) in zip(panels, results.items(), strict=True):
        answers = [sample.given or "none" for sample in result.samples]
        labels = [*(result.options or []), *(["none"] if "none" in answers else [])]
        right = [answer == result.target for answer in answers]
        x = np.arange(1, len(answers) + 1)
        y = np.asarray([labels.index(answer) for answer in answers])
        axes.plot(x, y, color="0.85", zorder=0)
        for kind, mark, text in ((True, "o", "right"), (False, "x", "wrong")):
            chosen = np.asarray(right) == kind
            axes.plot(x[chosen], y[chosen], mark, color="black", linestyle="none", label=text)
        axes.set_yticks(range(len(labels)), labels)
        axes.set_ylim(len(labels) - 0.5, -0.5)
        axes.set_ylabel("answer")
        counted(axes)
        axes.set_title(f"{name},\nquestion {result.question_id}", loc="left")
    panels[-1].set_xlabel("sample")
    return with_legend(figure)
