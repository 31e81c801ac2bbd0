"""Questions left out, by how hard they are."""

from collections.abc import Mapping

from hotmess_jax.llm.cases import Case
from hotmess_jax.llm.measures.left_out import LeftOut, left_out_by_difficulty
from hotmess_jax.presentation.tables import table
from hotmess_jax.presentation.words import number

Result = list[LeftOut]


def compute(case: Case) -> list[LeftOut] | None:
    """Return how many questions are left out, and what kind they are; None where none is."""
    assert case.samples is not None
    if not case.samples.left_out or not case.samples.blocks:
        return None
    return left_out_by_difficulty(case.records, case.samples)


def tell(results: Mapping[str, list[LeftOut]]) -> str:
    """Return the section."""
    rows = [
        [model, row.group, str(row.questions), str(row.left_out), number(row.accuracy)]
        for model, groups in results.items()
        for row in groups
    ]
    return (
        "Questions with fewer than two samples that count are in no number below, accuracy included. "
        "Accuracy: the share of all samples that are right, over the questions left out.\n\n"
        + table(["model", "how hard", "questions", "left out", "their accuracy"], rows)
    )
