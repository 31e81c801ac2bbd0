"""Error, its parts and accuracy by topic."""

from collections.abc import Mapping, Sequence

from hotmess_jax.llm.cases import Case
from hotmess_jax.llm.measures.groups import Labelled, OfTopic, by_label, tell_labels

Result = list[OfTopic]


def compute(case: Case) -> list[Labelled]:
    """Return the values of each topic."""
    assert case.length is not None
    return by_label(case.questions, case.length, case.analysis, "topic")


def tell(results: Mapping[str, Sequence[Labelled]]) -> str:
    """Return the section."""
    return tell_labels(results)
