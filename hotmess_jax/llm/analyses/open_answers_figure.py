"""The figure of embeddings' variance against length."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from hotmess_jax.llm.measures import groups_figure


def draw(name: str, results: Mapping[str, Any], metric: str) -> dict[str, Figure]:
    """Return the figures by file name."""
    return {name: groups_figure.by_field(results)}
