"""The figure of topics."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from hotmess_jax.llm.measures import groups_figure
from hotmess_jax.llm.measures.groups import Labelled


def draw(name: str, results: Mapping[str, Sequence[Labelled]], metric: str) -> dict[str, Figure]:
    """Return the figures by file name."""
    return {name: groups_figure.topics(results)}
