"""Answers that could not be parsed."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float

from hotmess_jax.llm.cases import Case
from hotmess_jax.llm.measures.changes import ANSWER
from hotmess_jax.llm.measures.clusters import clusters_of
from hotmess_jax.llm.measures.questions import (
    Json,
    to_json,
)
from hotmess_jax.llm.measures.samples import QUESTION
from hotmess_jax.llm.records import checked
from hotmess_jax.llm.telling import cell
from hotmess_jax.presentation.tables import table
from hotmess_jax.statistics.intervals import Clusters, ratio_interval


def format_failures(records: pl.DataFrame, cluster: str | None = None) -> list[Json]:
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
    found = []
    for key, part in questions.sort([*keys, *QUESTION], nulls_last=True).group_by(
        keys, maintain_order=True
    ):
        samples, unparsed = (
            part[name].to_numpy().astype(np.float64) for name in ("samples", "unparsed")
        )
        row: Json = {"budget": None} | dict(zip(keys, key, strict=True))
        row |= {
            "questions": part.height,
            "samples": int(samples.sum()),
            "unparsed": int(unparsed.sum()),
        }
        clusters = clusters_of(records, part.select(QUESTION), cluster)
        found.append(row | {"share": failure_share(unparsed, samples, clusters)})
    return found


def failure_share(
    unparsed: Float[np.ndarray, " questions"],
    samples: Float[np.ndarray, " questions"],
    clusters: Clusters = None,
) -> Json:
    """Return the share of questions' samples that could not be parsed, with its interval over questions."""
    ends = ratio_interval(unparsed, samples, float(samples.max()), clusters)
    return {"value": float(unparsed.sum() / samples.sum()), "ci95": to_json(ends)}


def compute(case: Case) -> list[Json]:
    """Return the share of each budget."""
    return format_failures(case.records, case.analysis.cluster)


def tell(results: Mapping[str, Any]) -> str:
    """Return the section."""
    rows = [
        [
            model,
            str(row["budget"] or "–"),
            str(row["questions"]),
            str(row["samples"]),
            str(row["unparsed"]),
            cell(row["share"]),
        ]
        for model, of in results.items()
        for row in of
    ]
    header = ["model", "budget", "questions", "samples", "unparsed", "share (interval over questions)"]
    return table(header, rows)
