"""The figure of differences."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from hotmess_jax.llm.measures import comparing_figure
from hotmess_jax.llm.measures.comparing import Differences


def draw(name: str, results: Mapping[str, Differences], metric: str) -> dict[str, Figure]:
    """Return the figures by file name."""
    return {name: comparing_figure.forest(results, metric)}
