"""The figures of a summary of records: its groups, comparisons and repeated runs."""

from collections.abc import Iterator

from matplotlib.figure import Figure

from hotmess_jax.llm.measures.comparing_figure import forest
from hotmess_jax.llm.measures.repeats_figure import repeats
from hotmess_jax.llm.measures.summary import Summary
from hotmess_jax.llm.measures.summary_figure import parts_by_group


def summary_figures(summary: Summary) -> Iterator[tuple[str, Figure]]:
    """Yield each figure with its file's name."""
    for metric in dict.fromkeys(name for group in summary.groups for name in group.metrics):
        figure = parts_by_group(summary.groups, metric)
        if figure is not None:
            yield metric, figure
    if summary.compared is not None:
        made = summary.compared.made
        for metric in made[0].metrics:
            yield f"comparisons_{metric}", forest({of.label: of.metrics[metric] for of in made}, metric)
    if repeated := {of.label: of.repeats for of in summary.groups if of.repeats is not None}:
        yield "repeats", repeats(repeated)
