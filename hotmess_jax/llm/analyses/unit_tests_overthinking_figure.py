"""The figure of longer against shorter runs."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from hotmess_jax.llm.measures import halves_figure


def draw(name: str, results: Mapping[str, Any], metric: str) -> dict[str, Figure]:
    """Return the figures by file name."""
    return {name: halves_figure.overthinking(results)}
