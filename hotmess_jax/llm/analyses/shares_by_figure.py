"""The figure of outcomes against length."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from hotmess_jax.llm.measures import groups_figure
from hotmess_jax.llm.measures.groups import AlongField


def draw(name: str, results: Mapping[str, AlongField], metric: str) -> dict[str, Figure]:
    """Return the figures by file name."""
    return {name: groups_figure.by_field(results)}
