"""Reasoning budgets, beside the natural variation within them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import polars as pl

from hotmess_jax.llm.cases import Case
from hotmess_jax.llm.measures.budgets import budget_kept, not_kept
from hotmess_jax.llm.measures.halves import Halves, HalvesForm, natural_overthinking
from hotmess_jax.llm.measures.means import Means, means_of
from hotmess_jax.llm.measures.parts import Parts
from hotmess_jax.llm.measures.questions import (
    AnalysisSettings,
    Questions,
    incoherence_difference,
    questions_of,
)
from hotmess_jax.llm.measures.samples import QUESTION
from hotmess_jax.llm.measures.series import field_of, one_series
from hotmess_jax.llm.telling import FORM_NAMES, cell, counts
from hotmess_jax.presentation.tables import table
from hotmess_jax.presentation.words import number
from hotmess_jax.statistics.estimate import Estimate, estimate_of, finite


@dataclass(frozen=True, slots=True)
class LessBefore:
    """A budget's incoherence less that of the budget before it, on the questions that both have."""

    questions: int
    plugin: Estimate
    corrected: Estimate


@dataclass(frozen=True, slots=True)
class Budget(Means):
    """Means over questions of one reasoning budget, beside its natural variation."""

    # As it was asked for; None where none was.
    budget: str | None
    # As it was measured; None where nothing was.
    mean_length: float | None
    # As `Kept` has them.
    reasoning_tokens: float | None
    over_budget: float | None
    unreasoned: float | None
    # Its longer samples against its shorter ones; None without lengths that tell them apart.
    natural: Halves | None
    # None of the first budget, and where fewer than two questions are shared.
    more: LessBefore | None


@dataclass(frozen=True, slots=True)
class MissingBudget:
    """A budget that cannot be decomposed."""

    budget: str | None
    mean_length: float | None
    reasoning_tokens: float | None
    over_budget: float | None
    unreasoned: float | None
    # Why.
    missing: str
    questions: int
    samples: int


Result = list[Budget | MissingBudget]


def by_budget(
    records: pl.DataFrame, field: str, settings: AnalysisSettings
) -> list[Budget | MissingBudget]:
    """Return accuracy and incoherence of each reasoning budget, beside its natural variation.

    Records without a budget are a row of their own. A budget without lengths has no mean length and no natural
    variation, and stands last.

    Args:
        records: of one model, with budgets.
        field: the samples' length.
        settings: as `natural_overthinking` has them.

    Raises:
        ValueError: where fewer than two budgets are there, or none can be decomposed.

    Source: Hägele et al. 2026, Figures 7a and 17.
    """
    records = one_series(records, but=["budget"]).table
    field_of(records, field)
    if "budget" not in records.columns or records["budget"].n_unique() < 2:
        raise ValueError("fewer than two budgets")
    found = [
        _of_budget(part, budget, field, settings)
        for (budget,), part in records.group_by("budget", maintain_order=True)
    ]
    if all(questions is None for _, questions in found):
        said = (
            f"budget {row.budget}: {row.missing}" for row, _ in found if isinstance(row, MissingBudget)
        )
        raise ValueError("; ".join(said))
    found.sort(key=lambda pair: (pair[0].mean_length is None, pair[0].mean_length or 0))
    rows: list[Budget | MissingBudget] = []
    before: Questions | None = None
    for row, questions in found:
        if isinstance(row, Budget) and questions is not None:
            row = replace(row, more=None if before is None else _more(questions, before))
            before = questions
        rows.append(row)
    return rows


def _of_budget(
    part: pl.DataFrame, budget: str | None, field: str, settings: AnalysisSettings
) -> tuple[Budget | MissingBudget, Questions | None]:
    """Return a budget and its questions, not yet compared with the budget before."""
    length = part.select(pl.col(field).mean()).item()
    about = {
        "budget": budget,
        "mean_length": None if length is None else finite(length),
        **budget_kept(part, budget)._asdict(),
    }
    try:
        questions = questions_of(part, settings)
    except ValueError as error:
        asked = part.select(QUESTION).n_unique()
        return MissingBudget(**about, missing=str(error), questions=asked, samples=part.height), None
    means = means_of(questions)
    try:
        natural = natural_overthinking(part, field, settings, permutations=200)
    except ValueError:
        natural = None
    of_all = {of.name: getattr(means, of.name) for of in fields(means)}
    return Budget(**of_all, **about, natural=natural, more=None), questions


def _more(questions: Questions, less: Questions) -> LessBefore | None:
    """Return the difference of incoherence on shared questions; None where fewer than two are shared."""
    both = [
        of.table.select(QUESTION).with_row_index(name)
        for name, of in (("row", questions), ("other", less))
    ]
    shared = both[0].join(both[1], on=QUESTION, nulls_equal=True)
    if shared.height < 2:
        return None
    pair = questions.where(shared["row"].to_numpy()), less.where(shared["other"].to_numpy())

    def difference(form: str) -> Estimate:
        value, ends = incoherence_difference(*pair, form)
        return estimate_of(float(value), ends)

    return LessBefore(shared.height, difference("plugin"), difference("corrected"))


def compute(case: Case) -> list[Budget | MissingBudget]:
    """Return each budget."""
    assert case.length is not None
    return by_budget(case.records, case.length, case.analysis)


def tell(results: Mapping[str, Sequence[Budget | MissingBudget]]) -> str:
    """Return the section."""
    rows = [
        [model, "none" if row.budget is None else row.budget, number(row.reasoning_tokens),
         not_kept(row.over_budget, row.unreasoned) or "–", number(row.mean_length), *counts(row), *cells]
        for model, budgets in results.items()
        for row in budgets
        for cells in _budget_cells(row)
    ]  # fmt: skip
    header = [
        "model",
        "budget asked for",
        "reasoning tokens measured",
        "not kept",
        "mean length",
        "questions",
        "samples",
        "estimate",
        "accuracy",
        "incoherence",
        "less the budget before",
        "longer less shorter half",
    ]
    parts = any(
        not_kept(row.over_budget, row.unreasoned) for budgets in results.values() for row in budgets
    )
    warning = "Budgets are what was asked for, and were not all kept; lengths are what was measured. "
    return (
        (warning if parts else "")
        + "A budget's incoherence less that of the budget before it, on shared questions, beside the difference "
        "within the budget. Halves have half as many samples: only corrected differences are of one kind.\n\n"
        + table(header, rows)
    )


def _budget_cells(row: Budget | MissingBudget) -> list[list[str]]:
    """Return a budget's estimates, form by form, or why there is none."""
    if isinstance(row, MissingBudget):
        return [["–", row.missing, "–", "–", "–"]]
    cells = []
    forms = [
        form for form in ("corrected", "plugin") if getattr(row, form).incoherence.value is not None
    ]
    for form in forms or ["plugin"]:
        parts: Parts = getattr(row, form)
        natural: HalvesForm | None = getattr(row.natural, form, None)
        more: Estimate | None = getattr(row.more, form, None)
        within = None if natural is None else natural.difference.incoherence
        shown = [parts.accuracy, parts.incoherence, more, within]
        cells.append([FORM_NAMES[form], *map(cell, shown)])
    return cells
