"""The figure of changes of answer."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from hotmess_jax.llm.measures import changes_figure
from hotmess_jax.llm.measures.changes import AnswerChanges


def draw(name: str, results: Mapping[str, Sequence[AnswerChanges]], metric: str) -> dict[str, Figure]:
    """Return the figures by file name."""
    return {name: changes_figure.changes(results)}
