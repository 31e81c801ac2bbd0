"""Unit tests: means over tasks."""

from collections.abc import Mapping

import polars as pl

from hotmess_jax.llm.cases import Case
from hotmess_jax.llm.measures.means import Means, means_of, tell_means
from hotmess_jax.llm.measures.other_outcomes import unit_test_questions
from hotmess_jax.llm.measures.samples import QUESTION

Result = Means


def compute(case: Case) -> Means:
    """Return means over tasks."""
    tasks = unit_test_questions(case.records, case.analysis.cluster)
    of = case.records.filter(pl.col("tests").is_not_null()).select(QUESTION).n_unique()
    if of > tasks.table.height:
        case.note("unit_tests", f"{of - tasks.table.height} further tasks have fewer than two runs")
    return means_of(tasks)


def tell(results: Mapping[str, Means]) -> str:
    """Return the section."""
    return tell_means(results)
