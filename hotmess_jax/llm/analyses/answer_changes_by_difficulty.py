"""Changes of answer by the benchmark's difficulty."""

from collections.abc import Mapping
from typing import Any

from hotmess_jax.llm.cases import Case
from hotmess_jax.llm.measures.changes import answer_changes, difficulty_labels, tell_changes
from hotmess_jax.llm.measures.questions import Json


def compute(case: Case) -> list[Json]:
    """Return how often answers change."""
    return answer_changes(case.records, difficulty_labels(case.records), case.analysis.cluster)


def tell(results: Mapping[str, Any]) -> str:
    """Return the section."""
    return tell_changes(results)
