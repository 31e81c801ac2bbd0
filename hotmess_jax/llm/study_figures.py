"""The figures of a study: its results brought to the functions of `figures`."""

from collections.abc import Callable, Mapping
from typing import Any

from matplotlib.figure import Figure

from hotmess_jax.llm import figures

Json = Mapping[str, Any]
# What begins a result's name → how it is drawn.
DRAWN: dict[str, Callable[[Any], Figure]] = {
    "by_length": figures.by_field,
    "wait_ratio": figures.by_field,
    "unit_tests_by": figures.by_field,
    "open_answers": figures.by_field,
    "overthinking": figures.overthinking,
    "unit_tests_overthinking": figures.overthinking,
    "by_budget": figures.budgets,
    "by_topic": figures.topics,
    "ensembles": figures.ensembles,
    "efficiency": figures.efficiency,
    "sensitivity": figures.sensitivity,
    "answer_changes": figures.changes,
    "one_question": figures.one_question,
    "scaling": lambda found: figures.scaling(found["all models"]),
    "surface": lambda found: figures.surface(found["all models"]),
}


def draw(study: Json) -> dict[str, Figure]:
    """Draw every figure that a study's results allow, by file name."""
    drawn: dict[str, Figure] = {}
    for name, found in study["analyses"].items():
        if not found or (name.startswith("surface") and found["all models"]["r2"] is None):
            continue
        prefix = max((p for p in DRAWN if name.startswith(p)), key=len, default=None)
        if prefix is not None:
            drawn[name] = DRAWN[prefix](found)
        if prefix == "by_length":
            drawn[name.replace("by_length", "bias2_against_variance")] = figures.bias2_against_variance(
                found
            )
    return drawn
