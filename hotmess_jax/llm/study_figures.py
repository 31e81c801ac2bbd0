"""The figures of a study, each analysis' by its own module."""

from matplotlib.figure import Figure

from hotmess_jax.llm.analyses.catalogue import named
from hotmess_jax.llm.cases import figure_of
from hotmess_jax.llm.study import Study


def draw(study: Study) -> dict[str, dict[str, Figure]]:
    """Draw every figure that a study's results allow: by the name of the results, by file name."""
    drawn: dict[str, dict[str, Figure]] = {}
    for key, results in study.sections():
        module = figure_of(named(key.analysis))
        if module is not None:
            drawn[key.name] = module.draw(key.name, results, key.metric or "")
    return drawn
