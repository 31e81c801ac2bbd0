"""Error, its parts and accuracy by the benchmark's difficulty."""

from collections.abc import Mapping, Sequence

from hotmess_jax.llm.cases import Case
from hotmess_jax.llm.measures.groups import Labelled, OfDifficulty, by_label, tell_labels

Result = list[OfDifficulty]


def compute(case: Case) -> list[Labelled]:
    """Return the values of each difficulty."""
    assert case.length is not None
    return by_label(case.questions, case.length, case.analysis, "difficulty")


def tell(results: Mapping[str, Sequence[Labelled]]) -> str:
    """Return the section."""
    return tell_labels(results)
