"""Clusters of questions that share a passage, a repository or a template: whole ones are what is independent.

A table of questions names each one's cluster in the column `CLUSTER`; questions that are filtered, joined or put
in another order keep it. What is summed over questions is summed within clusters first (`intervals.summed`).
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
from jaxtyping import Bool, Int

from hotmess_jax.llm.clashes import QUESTION
from hotmess_jax.llm.measures.series import check_field
from hotmess_jax.statistics.intervals import Clusters, number_of

# Fewer clusters than these tell little of others.
FEW = 10
# No field of records begins so.
CLUSTER = "__cluster"


def with_clusters(questions: pl.DataFrame, records: pl.DataFrame, field: str | None) -> pl.DataFrame:
    """Return the questions with the name of each one's cluster, where a field is given.

    A question whose records lack the field is a cluster of its own, without a name.

    Args:
        questions: who they are, `benchmark` and `question_id`.
        records: of these questions and others, with the field.
        field: whose values are the clusters.

    Raises:
        ValueError: where no record has the field, or a question has two of its values.
    """
    if field is None:
        return questions
    check_field(records, field, " to cluster by")
    known = (
        records.filter(pl.col(field).is_not_null())
        .select(*QUESTION, pl.col(field).cast(pl.String).alias(CLUSTER))
        .unique()
    )
    return _with_names(questions, known, f"has several values of {field}")


def clusters_in(questions: pl.DataFrame) -> Clusters:
    """Return each question's cluster as numbers from 0 on; None where none is named, or each is its own."""
    numbers = numbers_in(questions)
    return None if numbers is None else among(numbers, np.arange(questions.height))


def count_in(questions: pl.DataFrame) -> int | None:
    """Return how many clusters there are; None where none is named."""
    numbers = numbers_in(questions)
    return None if numbers is None else number_of(len(numbers), numbers)


def numbers_in(questions: pl.DataFrame) -> Int[np.ndarray, " questions"] | None:
    """Return each question's cluster as numbers from 0 on, in order of appearance; None where none is named."""
    if CLUSTER not in questions.columns:
        return None
    numbers: dict[object, int] = {}
    return np.asarray(
        [
            numbers.setdefault((i, None) if value is None else value, len(numbers))
            for i, value in enumerate(questions[CLUSTER].to_list())
        ],
        int,
    )


def of_all(tables: Sequence[pl.DataFrame], questions: pl.DataFrame) -> pl.DataFrame:
    """Return questions with the clusters that any of several tables of them names, where one does.

    Raises:
        ValueError: where two tables name two of a question.
    """
    named = [table.select(*QUESTION, CLUSTER) for table in tables if CLUSTER in table.columns]
    questions = questions.drop(CLUSTER, strict=False)
    if not named:
        return questions
    known = pl.concat(named).filter(pl.col(CLUSTER).is_not_null()).unique()
    return _with_names(questions, known, "is of several clusters")


def _with_names(questions: pl.DataFrame, known: pl.DataFrame, several: str) -> pl.DataFrame:
    """Return questions with the known clusters; `several` says what is wrong where one has two."""
    twice = known.filter(pl.struct(QUESTION).is_duplicated())
    if twice.height:
        raise ValueError(f"question {twice['question_id'][0]!r} {several}")
    return questions.join(known, on=QUESTION, how="left", nulls_equal=True, maintain_order="left")


def clusters_of(
    records: pl.DataFrame, questions: pl.DataFrame, field: str | None
) -> Int[np.ndarray, " questions"] | None:
    """Return each question's cluster as numbers from 0 on; None without a field.

    Args and raises: as `with_clusters`.
    """
    return numbers_in(with_clusters(questions, records, field))


def among(
    clusters: Clusters, chosen: Bool[np.ndarray, " all"] | Int[np.ndarray, " questions"]
) -> Clusters:
    """Return the clusters of some of the questions, numbered anew; None where each is its own."""
    if clusters is None:
        return None
    kept, numbers = np.unique(clusters[chosen], return_inverse=True)
    return None if len(kept) == len(numbers) else numbers
