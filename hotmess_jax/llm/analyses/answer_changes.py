"""Changes of answer, all and in groups by length."""

from collections.abc import Mapping

from hotmess_jax.llm.cases import Case
from hotmess_jax.llm.measures.changes import (
    AnswerChanges,
    answer_changes,
    answer_changes_by_length,
    tell_changes,
)

Result = list[AnswerChanges]


def compute(case: Case) -> list[AnswerChanges]:
    """Return how often answers change."""
    rows = answer_changes(case.records, None, case.analysis.cluster)
    if case.length is not None:
        try:
            rows += answer_changes_by_length(
                case.records,
                case.length,
                case.settings.difficulties,
                case.analysis.seed,
                case.analysis.cluster,
            )
        except ValueError as error:
            case.note("answer_changes_by_length", str(error))
    return rows


def tell(results: Mapping[str, Result]) -> str:
    """Return the section."""
    return tell_changes(results)
