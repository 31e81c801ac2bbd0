"""Means over questions."""

from collections.abc import Mapping

from hotmess_jax.llm.cases import Case
from hotmess_jax.llm.measures.means import Means, means_of, tell_means

Result = Means


def compute(case: Case) -> Means:
    """Return means over questions."""
    return means_of(case.questions)


def tell(results: Mapping[str, Means]) -> str:
    """Return the section."""
    return tell_means(results)
