"""How results are told in tables: values with intervals, forms, counts."""

from collections.abc import Mapping
from typing import Any

from hotmess_jax.presentation.words import interval, number
from hotmess_jax.statistics.estimate import Estimate, Estimates

Json = Mapping[str, Any]
FORM_NAMES = {"plugin": "plug-in", "corrected": "corrected"}
PARTS_NAMED = {"bias2": "bias²"}


def cell(value: Estimate | Json | None, gap: str = " ") -> str:
    """Return a value and, after the gap, its interval; "–" for what is not known."""
    if isinstance(value, Estimate):
        known = value.ci95 is not None and None not in value.ci95
        shown = f"{gap}{interval(value.ci95)}" if known else ""
        return "–" if value.value is None else number(value.value) + shown
    if value is None or value["value"] is None:
        return "–"
    ends = value["ci95"]
    return number(value["value"]) + ("" if ends is None or None in ends else f"{gap}{interval(ends)}")


def cell_at(values: Estimates | Json, i: int) -> str:
    """Return the cell of one of several values."""
    if isinstance(values, Estimates):
        return cell(values[i])
    return cell({"value": values["value"][i], "ci95": values["ci95"][i]})


def held(result: Any, name: str) -> Any:
    """Return what a result holds under a name, whether it is a dataclass or a mapping."""
    return result[name] if isinstance(result, Mapping) else getattr(result, name)


def counts(row: Any) -> list[str]:
    """Return the cells of a result's questions and samples."""
    return [str(held(row, "questions")), str(held(row, "samples"))]


def forms_of(result: Any) -> list[tuple[str, str]]:
    """Return the forms that a result has, the corrected one first."""
    forms = ("corrected", "plugin")
    return [(form, FORM_NAMES[form]) for form in forms if held(result, form) is not None]


def titled(name: str, text: str) -> str:
    """Return what is of all models of a setting, under the setting where there are several."""
    setting = name.removeprefix("all models").removeprefix(", ")
    return f"### {setting}\n\n{text}" if setting else text
