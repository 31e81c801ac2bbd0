"""Changes of answer by the benchmark's difficulty."""

from collections.abc import Mapping

from hotmess_jax.llm.cases import Case
from hotmess_jax.llm.measures.changes import (
    AnswerChanges,
    answer_changes,
    difficulty_labels,
    tell_changes,
)

Result = list[AnswerChanges]


def compute(case: Case) -> list[AnswerChanges]:
    """Return how often answers change."""
    return answer_changes(case.records, difficulty_labels(case.records), case.analysis.cluster)


def tell(results: Mapping[str, Result]) -> str:
    """Return the section."""
    return tell_changes(results)
