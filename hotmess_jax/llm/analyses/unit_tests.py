"""Unit tests: means over tasks."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from hotmess_jax.llm.cases import Case
from hotmess_jax.llm.measures.means import overall, tell_means
from hotmess_jax.llm.measures.other_outcomes import unit_test_questions
from hotmess_jax.llm.measures.questions import Json
from hotmess_jax.llm.measures.samples import QUESTION


def compute(case: Case) -> Json:
    """Return means over tasks."""
    tasks = unit_test_questions(case.records, case.analysis.cluster)
    of = case.records.filter(pl.col("tests").is_not_null()).select(QUESTION).n_unique()
    if of > tasks.table.height:
        case.note("unit_tests", f"{of - tasks.table.height} further tasks have fewer than two runs")
    return overall(tasks)


def tell(results: Mapping[str, Any]) -> str:
    """Return the section."""
    return tell_means(results)
