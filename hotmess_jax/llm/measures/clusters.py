"""Clusters of questions that share a passage, a repository or a template: whole ones are what is independent."""

import numpy as np
import polars as pl
from jaxtyping import Bool, Int

from hotmess_jax.llm.measures.samples import QUESTION
from hotmess_jax.statistics.intervals import Clusters

# Fewer clusters than these tell little of others.
FEW = 10


def clusters_of(
    records: pl.DataFrame, questions: pl.DataFrame, field: str | None
) -> Int[np.ndarray, " questions"] | None:
    """Return each question's cluster as numbers from 0 on; None without a field.

    A question whose records lack the field is a cluster of its own.

    Args:
        records: with the field.
        questions: who they are, `benchmark` and `question_id`.
        field: whose values are the clusters.

    Raises:
        ValueError: where no record has the field, or a question has two of its values.
    """
    if field is None:
        return None
    if field not in records.columns or records[field].null_count() == records.height:
        raise ValueError(f"no record has a field {field!r} to cluster by")
    known = records.filter(pl.col(field).is_not_null()).select(*QUESTION, field).unique()
    twice = known.filter(pl.struct(QUESTION).is_duplicated())
    if twice.height:
        raise ValueError(f"question {twice['question_id'][0]!r} has several values of {field}")
    found = questions.select(QUESTION).join(
        known, on=QUESTION, how="left", nulls_equal=True, maintain_order="left"
    )[field]
    numbers: dict[object, int] = {}
    return np.asarray(
        [
            numbers.setdefault((i, None) if value is None else value, len(numbers))
            for i, value in enumerate(found.to_list())
        ],
        int,
    )


def among(
    clusters: Clusters, chosen: Bool[np.ndarray, " all"] | Int[np.ndarray, " questions"]
) -> Clusters:
    """Return the clusters of some of the questions, numbered anew; None where each is its own."""
    if clusters is None:
        return None
    kept, numbers = np.unique(clusters[chosen], return_inverse=True)
    return None if len(kept) == len(numbers) else numbers


def number(clusters: Int[np.ndarray, " questions"]) -> int:
    """Return how many there are."""
    return len(np.unique(clusters))
