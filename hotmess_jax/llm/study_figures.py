"""The figures of a study: its results brought to the functions of `figures`."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from matplotlib.figure import Figure

from hotmess_jax.llm import figures, repeat_figures

Json = Mapping[str, Any]
# What begins a result's name → how it is drawn.
DRAWN: dict[str, Callable[..., Figure]] = {
    "by_length": figures.by_field,
    "wait_ratio": figures.by_field,
    "unit_tests_by": figures.by_field,
    "shares_by": figures.by_field,
    "open_answers": figures.by_field,
    "overthinking": figures.overthinking,
    "unit_tests_overthinking": figures.overthinking,
    "by_budget": figures.budgets,
    "by_topic": figures.topics,
    "by_difficulty": figures.topics,
    "ensembles": figures.ensembles,
    "efficiency": figures.efficiency,
    "sensitivity": figures.sensitivity,
    "answer_changes": figures.changes,
    "one_question": figures.one_question,
    "repeats": repeat_figures.repeats,
    "differences": repeat_figures.forest,
}
# Drawn with the unit of the metric that ends the name.
WITH_UNITS = ("by_length", "wait_ratio", "ensembles", "efficiency", "differences")
# Drawn once a setting, of all its models.
OF_ALL: dict[str, Callable[[Any], Figure]] = {"scaling": figures.scaling, "surface": figures.surface}


def draw(study: Json) -> dict[str, Figure]:
    """Draw every figure that a study's results allow, by file name."""
    drawn: dict[str, Figure] = {}
    for name, found in study["analyses"].items():
        if not found:
            continue
        for prefix, function in OF_ALL.items():
            if name.startswith(prefix):
                for of, result in found.items():
                    if prefix != "surface" or result["r2"] is not None:
                        drawn[setting_file(name, of)] = function(result)
        prefix = max((p for p in DRAWN if name.startswith(p)), key=len, default="")
        # Of one size there is no curve.
        if prefix == "ensembles" and all(len(result["sizes"]) < 2 for result in found.values()):
            continue
        if prefix:
            how = {"metric": name.removeprefix(f"{prefix}_")} if prefix in WITH_UNITS else {}
            drawn[name] = DRAWN[prefix](found, **how)
        if prefix == "by_length":
            drawn[name.replace("by_length", "bias2_against_variance")] = figures.bias2_against_variance(
                found
            )
    return drawn


def setting_file(name: str, of: str) -> str:
    """Return the file name of what is drawn once a setting: "scaling_kl", "scaling_kl_budget_low"."""
    setting = of.removeprefix("all models")
    return name + re.sub(r"\W+", "_", setting).rstrip("_")
