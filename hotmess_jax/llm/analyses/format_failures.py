"""Answers that could not be parsed."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float

from hotmess_jax.llm.cases import Case
from hotmess_jax.llm.measures.changes import ANSWER
from hotmess_jax.llm.measures.clusters import clusters_of
from hotmess_jax.llm.measures.questions import to_json
from hotmess_jax.llm.measures.samples import QUESTION
from hotmess_jax.llm.records import checked
from hotmess_jax.llm.telling import cell
from hotmess_jax.presentation.tables import table
from hotmess_jax.statistics.estimate import Estimate, Interval
from hotmess_jax.statistics.intervals import Clusters, ratio_interval


@dataclass(frozen=True, slots=True)
class FormatFailures:
    """A model's answers at one budget that could not be parsed."""

    model: str
    # None where none was asked for.
    budget: str | None
    questions: int
    samples: int
    unparsed: int
    # Of the samples.
    share: Estimate


Result = list[FormatFailures]


def format_failures(records: pl.DataFrame, cluster: str | None = None) -> list[FormatFailures]:
    """Return the share of answers that could not be parsed, by model and budget.

    Samples of one question fail together: intervals are over questions, or over their clusters where a field of
    these is given; there is none for a single one.

    Source: Hägele et al. 2026, Table 1.
    """
    records = checked(records).table
    keys = ["model"] + (["budget"] if "budget" in records.columns else [])
    failed = (pl.col("probs").is_null() & (ANSWER == "")).sum()
    questions = records.group_by([*keys, *QUESTION]).agg(
        pl.len().alias("samples"), failed.alias("unparsed")
    )
    rows = questions.sort([*keys, *QUESTION], nulls_last=True)
    return [
        _of_budget(
            records, part, part["model"][0], part["budget"][0] if "budget" in keys else None, cluster
        )
        for _, part in rows.group_by(keys, maintain_order=True)
    ]


def _of_budget(
    records: pl.DataFrame, part: pl.DataFrame, model: str, budget: str | None, cluster: str | None
) -> FormatFailures:
    """Return what could not be parsed of some questions' samples."""
    samples, unparsed = (part[name].to_numpy().astype(np.float64) for name in ("samples", "unparsed"))
    share = failure_share(unparsed, samples, clusters_of(records, part.select(QUESTION), cluster))
    return FormatFailures(model, budget, part.height, int(samples.sum()), int(unparsed.sum()), share)


def failure_share(
    unparsed: Float[np.ndarray, " questions"],
    samples: Float[np.ndarray, " questions"],
    clusters: Clusters = None,
) -> Estimate:
    """Return the share of questions' samples that could not be parsed, with its interval over questions."""
    low, high = to_json(ratio_interval(unparsed, samples, float(samples.max()), clusters))
    return Estimate(
        float(unparsed.sum() / samples.sum()), Interval(low, high), "questions", len(samples)
    )


def compute(case: Case) -> list[FormatFailures]:
    """Return the share of each budget."""
    return format_failures(case.records, case.analysis.cluster)


def tell(results: Mapping[str, Result]) -> str:
    """Return the section."""
    rows = [
        [model, row.budget or "–", str(row.questions), str(row.samples), str(row.unparsed),
         cell(row.share)]
        for model, budgets in results.items()
        for row in budgets
    ]  # fmt: skip
    header = ["model", "budget", "questions", "samples", "unparsed", "share (interval over questions)"]
    return table(header, rows)
