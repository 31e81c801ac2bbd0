"""Reasoning budgets, beside the natural variation within them."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from hotmess_jax.llm.cases import Case
from hotmess_jax.llm.measures.budgets import budget_kept, not_kept
from hotmess_jax.llm.measures.halves import natural_overthinking
from hotmess_jax.llm.measures.means import overall
from hotmess_jax.llm.measures.questions import (
    FORMS,
    AnalysisSettings,
    Json,
    Questions,
    incoherence_difference,
    questions_of,
    to_json,
)
from hotmess_jax.llm.measures.samples import QUESTION
from hotmess_jax.llm.measures.series import field_of, one_series
from hotmess_jax.llm.telling import FORM_NAMES, cell, counts
from hotmess_jax.presentation.tables import table
from hotmess_jax.presentation.words import number


def by_budget(records: pl.DataFrame, field: str, settings: AnalysisSettings) -> list[Json]:
    """Return accuracy and incoherence of each reasoning budget, beside its natural variation.

    Records without a budget are a row of their own. A budget without lengths has a mean length of None
    and no natural variation, and stands last. `more` is a budget less the one before it, on the questions
    that both have: of each form the difference of incoherence, as `natural` has it of longer and shorter
    samples. What was asked for and what was measured may part: each row has what `budget_kept` returns. A
    budget that cannot be decomposed is a row that says why in `missing`.

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
    found: list[tuple[Json, Questions | None]] = []
    for (budget,), part in records.group_by("budget", maintain_order=True):
        row: Json = {"budget": budget, "mean_length": to_json(part[field].mean())}
        row |= budget_kept(part, budget)
        try:
            questions = questions_of(part, settings)
            row |= overall(questions)
        except ValueError as error:
            row |= {"missing": str(error), "samples": part.height}
            row |= {"questions": part.select(QUESTION).n_unique()}
            found.append((row, None))
            continue
        try:
            row["natural"] = natural_overthinking(part, field, settings, permutations=200)
        except ValueError:
            row["natural"] = None
        found.append((row, questions))
    if all("missing" in row for row, _ in found):
        said = "; ".join(f"budget {row['budget']}: {row['missing']}" for row, _ in found)
        raise ValueError(said)
    found.sort(key=lambda pair: (pair[0]["mean_length"] is None, pair[0]["mean_length"] or 0))
    known = [(row, questions) for row, questions in found if questions is not None]
    for i, (row, questions) in enumerate(known):
        row["more"] = _more(questions, known[i - 1][1]) if i else None
    return [row for row, _ in found]


def _more(questions: Questions, less: Questions) -> Json | None:
    """Return the difference of incoherence on shared questions; None where fewer than two are shared."""
    both = [
        of.table.select(QUESTION).with_row_index(name)
        for name, of in (("row", questions), ("other", less))
    ]
    shared = both[0].join(both[1], on=QUESTION, nulls_equal=True)
    if shared.height < 2:
        return None
    pair = questions.where(shared["row"].to_numpy()), less.where(shared["other"].to_numpy())
    found: Json = {"questions": shared.height}
    for form in FORMS:
        value, ends = incoherence_difference(*pair, form)
        found[form] = {"value": to_json(value), "ci95": to_json(ends)}
    return found


def compute(case: Case) -> list[Json]:
    """Return each budget."""
    assert case.length is not None
    return by_budget(case.records, case.length, case.analysis)


def tell(results: Mapping[str, Any]) -> str:
    """Return the section."""
    rows = [
        [model, "none" if row["budget"] is None else str(row["budget"]), number(row["reasoning_tokens"]),
         not_kept(row) or "–", number(row["mean_length"]), *counts(row), *cells]
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
    parts = any(not_kept(row) for budgets in results.values() for row in budgets)
    warning = "Budgets are what was asked for, and were not all kept; lengths are what was measured. "
    return (
        (warning if parts else "")
        + "A budget's incoherence less that of the budget before it, on shared questions, beside the difference "
        "within the budget. Halves have half as many samples: only corrected differences are of one kind.\n\n"
        + table(header, rows)
    )


def _budget_cells(row: Json) -> list[list[str]]:
    """Return a budget's estimates, form by form, or why there is none."""
    if "missing" in row:
        return [["–", row["missing"], "–", "–", "–"]]
    forms = [form for form in ("corrected", "plugin") if row[form]["incoherence"]["value"] is not None]
    cells = []
    for form in forms or ["plugin"]:
        natural = row["natural"] and row["natural"][form]
        cells.append(
            [FORM_NAMES[form], *(cell(row[form][k]) for k in ("accuracy", "incoherence")),
             cell(row["more"] and row["more"][form]),
             cell(natural["difference"]["incoherence"]) if natural else "–"]
        )  # fmt: skip
    return cells
