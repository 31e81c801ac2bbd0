"""The figure of changes of answer by the benchmark's difficulty."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from hotmess_jax.llm.measures import changes_figure


def draw(name: str, results: Mapping[str, Any], metric: str) -> dict[str, Figure]:
    """Return the figures by file name."""
    return {name: changes_figure.changes(results)}
