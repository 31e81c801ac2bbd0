"""How results are told in tables: values with intervals, forms, counts."""

from typing import Any, Protocol, runtime_checkable

from hotmess_jax.presentation.words import interval, number
from hotmess_jax.statistics.estimate import Estimate

FORM_NAMES = {"plugin": "plug-in", "corrected": "corrected"}
PARTS_NAMED = {"bias2": "bias²"}


@runtime_checkable
class Counted(Protocol):
    """A result that says what it is of."""

    @property
    def questions(self) -> int:
        """How many questions."""

    @property
    def samples(self) -> int:
        """How many samples of them."""


@runtime_checkable
class InForms(Protocol):
    """A result in the plug-in and the corrected form, of which it may lack the second."""

    @property
    def plugin(self) -> Any:
        """The plug-in form."""

    @property
    def corrected(self) -> Any:
        """The corrected form; None where there is none."""


def cell(value: Estimate | None, gap: str = " ") -> str:
    """Return a value and, after the gap, its interval; "–" for what is not known."""
    if value is None or value.value is None:
        return "–"
    known = value.ci95 is not None and None not in value.ci95
    return number(value.value) + (f"{gap}{interval(value.ci95)}" if known else "")


def counts(row: Counted) -> list[str]:
    """Return the cells of a result's questions and samples."""
    return [str(row.questions), str(row.samples)]


def forms_of(result: InForms) -> list[tuple[str, str]]:
    """Return the forms that a result has, the corrected one first."""
    plugin = [("plugin", FORM_NAMES["plugin"])]
    return plugin if result.corrected is None else [("corrected", FORM_NAMES["corrected"]), *plugin]


def titled(name: str, text: str) -> str:
    """Return what is of all models of a setting, under the setting where there are several."""
    setting = name.removeprefix("all models").removeprefix(", ")
    return f"### {setting}\n\n{text}" if setting else text
