"""Paired differences of conditions that differ in one thing."""

from collections.abc import Mapping, Sequence

from hotmess_jax.llm.cases import Case
from hotmess_jax.llm.measures.comparing import Differences, differences, with_holm
from hotmess_jax.llm.repeat_tables import differences_section

Result = Differences


def compute(case: Case) -> Differences:
    """Return the first of two conditions less the second."""
    first, second = (part.questions for part in case.parts)
    return differences(first, second, case.analysis.metric)


def together(results: Sequence[Differences]) -> list[Differences]:
    """Return all of one metric with p-values adjusted by Holm."""
    return with_holm(results)


def tell(results: Mapping[str, Differences]) -> str:
    """Return the section."""
    return differences_section(results)
