"""The figure of longer against shorter runs."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from hotmess_jax.llm.measures import halves_figure
from hotmess_jax.llm.measures.halves import Halves


def draw(name: str, results: Mapping[str, Halves], metric: str) -> dict[str, Figure]:
    """Return the figures by file name."""
    return {name: halves_figure.overthinking(results)}
