"""The figure of what k samples do."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from hotmess_jax.llm.measures import repeats_figure
from hotmess_jax.llm.measures.repeats import Repeats


def draw(name: str, results: Mapping[str, Repeats], metric: str) -> dict[str, Figure]:
    """Return the figures by file name."""
    return {name: repeats_figure.repeats(results)}
